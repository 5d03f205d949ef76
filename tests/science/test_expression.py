"""A rejection rule of the user's own: hostile text is refused, honest text means what it says."""

import pickle
import warnings

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.stack.expression import compile_expression
from lostlight.science.stack.expression_grammar import CONTEXT, STATISTICS

HOSTILE = {
    "import": "__import__('os').system('ls') > 0",
    "import statement": "import os",
    "attribute": "x.__class__ > 3",
    "attribute of a constant": "(1).__class__ > 3",
    "subscript": "x[0] > 3",
    "slice": "x[1:2] > 3",
    "lambda": "(lambda: x)() > 3",
    "list comprehension": "[x for x in x] > 3",
    "generator": "sum(x for x in x) > 3",
    "dict": "{1: 2} > x",
    "set": "{x} > x",
    "tuple": "(x, 1) > (1, x)",
    "f-string": "f'{x}' > 3",
    "walrus": "(y := x) > 3",
    "starred": "abs(*x) > 3",
    "double starred": "abs(**x) > 3",
    "keyword": "abs(x=x) > 3",
    "string": "'a' > x",
    "bytes": "b'a' > x",
    "await": "await x > 3",
    "yield": "(yield x) > 3",
    "conditional": "x if x > 3 else median > 3",
    "dunder name": "__builtins__ > 3",
    "unknown name": "os > 3",
    "function as a name": "abs > 3",
    "name as a function": "median(x) > 3",
    "eval": "eval(x) > 3",
    "too many arguments": "abs(x, 1) > 3",
    "call of a call": "abs(x)(x) > 3",
    "power tower": "9**9**9**9 > x",
    "power of a power": "x**(2**2) > 3",
    "great power": "x**5 > 3",
    "small power": "x**-5 > 3",
    "power of a name": "2**x > 3",
    "deep parentheses": "(" * 500 + "x" + ")" * 500 + " > 3",
    "parentheses that fit": "(" * 140 + "x" + ")" * 140 + ">3",
    "deep signs": "-" * 290 + "x > 3",
    "deep not": "not " * 40 + "x > 3",
    "long": "x > 3 or " * 40 + "x > 3",
    "many nodes": "x+x>3 or " * 20 + "x>3",
    "huge integer": "x > " + "9" * 200,
    "huge float": "x > 1e13",
    "infinite constant": "x > 1e999",
    "imaginary": "x > 1j",
    "name nan": "x > nan",
    "name inf": "x < inf",
    "True": "True",
    "None": "None > x",
    "ellipsis": "... > x",
    "full-width letters": "\uff41bs(x) > 3",
    "invisible character": "x\u200b > 3",
    "other digits": "x > \u0663",
    "zero byte": "x > 3\0",
    "backslash": "x \\\n > 3",
    "comment": "x > 3 # nothing",
    "two statements": "x > 3; x > 4",
    "equality": "x == 3",
    "identity": "x is 3",
    "membership": "x in x",
    "bit operation": "x | 3 > 3",
    "shift": "x << 3 > 3",
    "matrix product": "x @ x > 3",
    "floor division": "x // 2 > 3",
    "remainder": "x % 2 > 3",
    "unary plus": "+x > 3",
    "unary invert": "~x > 3",
    "empty": "",
    "blank": "  ",
    "unfinished": "x >",
    "a number": "x - median",
    "a comparison as a number": "(x > 3) + 1 > 1",
    "a number as a condition": "x and x > 3",
    "not of a number": "not x",
    "abs of a condition": "abs(x > 3) > 0",
    "where of a number": "where(x, x, x) > 3",
    "where of two kinds": "where(x > 3, x, x > 3)",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_with_its_code(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigError, match="CAL110") as caught:
            compile_expression(text)
    assert len(str(caught.value)) < 400


@pytest.fixture
def stack():
    """Five frames of seven pixels with one cosmic ray, one sample missing."""
    rng = np.random.default_rng(3)
    x = rng.normal(100, 3, (5, 7)).astype(np.float32)
    x[2, 4] = 400
    x[1, 1] = np.nan
    statistics = {
        "n": np.isfinite(x).sum(0).astype(np.float32), "mean": np.nanmean(x, 0), "median": np.nanmedian(x, 0),
        "std": np.nanstd(x, 0, ddof=1), "min": np.nanmin(x, 0), "max": np.nanmax(x, 0),
        "mad": np.nanmedian(abs(x - np.nanmedian(x, 0)), 0), "q05": np.nanquantile(x, 0.05, axis=0),
        "q95": np.nanquantile(x, 0.95, axis=0), "sigma_model": np.full(7, 3, np.float32),
    }  # fmt: skip
    context = {
        "exptime": np.array([[1], [1], [2], [2], [60]], np.float32), "temp": np.full((5, 1), -10, np.float32),
        "level": np.full((5, 1), 100, np.float32), "noise": np.full((5, 1), 3, np.float32),
    }  # fmt: skip
    return x, statistics, context


HONEST = {
    "abs(x - median) > 4 * 1.4826 * mad": lambda x, s, c: abs(x - s["median"]) > 4 * 1.4826 * s["mad"],
    "x > mean + 3*std or x < mean - 3*std": lambda x, s, c: abs(x - s["mean"]) > 3 * s["std"],
    "q05 <= x <= q95": lambda x, s, c: (x >= s["q05"]) & (x <= s["q95"]),
    "not q05 <= x <= q95": lambda x, s, c: (x < s["q05"]) | (x > s["q95"]),
    "x > median + 5*sqrt(maximum(median, 0)/2 + 9) and n >= 3": (
        lambda x, s, c: x > s["median"] + 5 * np.sqrt(s["median"] / 2 + 9)
    ),
    "(x - level)**2 > 16 * noise**2": lambda x, s, c: (x - 100) ** 2 > 144,
    "log(exp(minimum(x, 50)/50)) >= 1 and exptime > 10": lambda x, s, c: np.isfinite(x) & (c["exptime"] > 10),
    "i >= 3 and isfinite(x)": lambda x, s, c: np.isfinite(x) & (np.arange(5)[:, None] >= 3),
    "not isfinite(x)": lambda x, s, c: np.isnan(x),
    "where(exptime < 10, x > 200, x < 200)": lambda x, s, c: np.where(c["exptime"] < 10, x > 200, x < 200),
    "not where(exptime < 10, x > 200, x < 200)": lambda x, s, c: np.where(c["exptime"] < 10, x <= 200, x > 200),
    "where(x > 200, 2, 1) > 1.5": lambda x, s, c: x > 200,
    "x - min < 1\n or max - x < 1": lambda x, s, c: (x < s["min"] + 1) | (x > s["max"] - 1),
    "x > median + 4 * sigma_model and temp < -5": lambda x, s, c: x > s["median"] + 12,
    "x > 3**2 * 10 ** -1 * 1000": lambda x, s, c: x > 900,
    "n > 4": lambda x, s, c: np.broadcast_to(s["n"] > 4, x.shape),
    "1 < 2": lambda x, s, c: np.ones(x.shape, bool),
}


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_means_what_numpy_says(text, stack):
    expected = HONEST[text](*stack)
    found = compile_expression(text).reject(*stack)
    assert found.shape == stack[0].shape and found.dtype == bool and found.flags.writeable
    assert (found == expected).all()


@pytest.mark.parametrize(
    "text",
    [
        "x / 0 > 3", "not x / 0 > 3", "0 * x / 0 < 3", "not 0 * x / 0 < 3", "log(x - x) < 0", "not log(x - x) < 0",
        "sqrt(-x) > 0", "not sqrt(-x) > 0", "exp(x * 1000) > 0", "1 < x / 0 < 3", "not 1 < 2 < x / 0",
        "x * 1e12 * 1e12 * 1e12 * 1e12 > 0", "(x - x)**-1 > 0", "0**-1 < x", "where(sqrt(-x) > 0, 1, 2) > 0",
        "where(sqrt(-x) > 0, x > 0, x > 0)", "where(x > 0, 1 / 0, 1) > 0", "not (x < 0 or sqrt(-x) > 1)",
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_rejected_and_nothing_is_warned(text, stack):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not compile_expression(text).reject(*stack).any()


def test_an_unknown_part_does_not_silence_a_known_one(stack):
    assert compile_expression("sqrt(-x) > 0 or x > 200").reject(*stack).sum() == 1
    assert not compile_expression("sqrt(-x) > 0 and x > 200").reject(*stack).any()


def test_pixels_and_frames_can_be_cut_anywhere(stack):
    x, statistics, context = stack
    rule = compile_expression("abs(x - median) / mad > 2 and exptime > 1 or log(x) > 5")
    whole = rule.reject(x, statistics, context)
    for pixel in range(x.shape[1]):
        one = slice(pixel, pixel + 1)
        assert (rule.reject(x[:, one], {k: v[one] for k, v in statistics.items()}, context) == whole[:, one]).all()


def test_the_rule_is_spelt_one_way_and_travels_between_processes(stack):
    rule = compile_expression(" abs(x-median)>(4*mad)   or not(x>=  1E2) ")
    assert rule.canonical == "abs(x - median) > 4 * mad or not x >= 100.0"
    assert rule.names == {"x", "median", "mad"}
    assert compile_expression(rule.canonical) == rule
    again = pickle.loads(pickle.dumps(rule))
    assert again == rule and (again.reject(*stack) == rule.reject(*stack)).all()


def test_a_name_these_frames_do_not_have_is_told(stack):
    x, statistics, _ = stack
    with pytest.raises(ConfigError, match=r"CAL110.*exptime, temp"):
        compile_expression("x > exptime * temp").reject(x, statistics, {})


def test_the_refusal_names_the_part_and_what_is_allowed():
    with pytest.raises(ConfigError, match=r"'sky' is not allowed: names are x, n, mean") as caught:
        compile_expression("x > 3 and x > sky")
    for name in (*STATISTICS, *CONTEXT):
        assert name in str(caught.value)
    with pytest.raises(ConfigError, match=r"'min\(x, 1\)' is not allowed: functions are abs\(a\)"):
        compile_expression("min(x, 1) > 3")


def test_single_precision_stays_single():
    edge = np.float32(4 * 1.4826)
    samples = np.array([[edge]], np.float32)
    assert not compile_expression("x > 4 * 1.4826").reject(samples, {}, {}).any()
