"""A rejection rule of the user's own: read with a whitelist, never given to Python to run.

The text is parsed to a syntax tree and every node of the tree is checked against what is allowed; what passes is
worked out by the functions below, node by node, on whole arrays. Nothing is ever compiled or evaluated as code.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate.trouble import refuse

STATISTICS = ("n", "mean", "median", "std", "mad", "min", "max", "q05", "q95", "sigma_model")
"""Names for one number per pixel, over the samples still kept."""

CONTEXT = ("i", "exptime", "temp", "level", "noise")
"""Names for one number per frame; i counts the frames from zero."""

NAMES = ("x", *STATISTICS, *CONTEXT)
"""Every name an expression may use; x is the sample itself."""

MAX_CHARACTERS = 300
MAX_NODES = 80
MAX_DEPTH = 12
MAX_CONSTANT = 1e12
MAX_EXPONENT = 4

_CHARACTERS = re.compile(r"[A-Za-z0-9_.,()+\-*/<>= \t\r\n]*")
_ARITHMETIC: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: lambda base, exponent: np.asarray(base) ** exponent,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OPPOSITE = {operator.lt: operator.ge, operator.le: operator.gt, operator.gt: operator.le, operator.ge: operator.lt}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
    "log": (np.log, 1),
    "exp": (np.exp, 1),
    "minimum": (np.minimum, 2),
    "maximum": (np.maximum, 2),
}
_GROWING = (ast.Mult, ast.Div, ast.Pow)
_CALLS = {**{name: arity for name, (_, arity) in _FUNCTIONS.items()}, "where": 3, "isfinite": 1}

Values = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Expression:
    """A checked rejection rule.

    Attributes
    ----------
    canonical : str
        The rule as Python would print it: one spelling for headers and reports.
    names : frozenset of str
        The names of `NAMES` that it uses.
    """

    canonical: str
    names: frozenset[str]
    tree: ast.expr = field(repr=False, compare=False)

    def reject(self, x: NDArray[np.float32], statistics: Values, context: Values) -> NDArray[np.bool_]:
        """Say which samples the rule rejects.

        What cannot be told is not rejected: a comparison of a number that is NaN or infinite holds neither way,
        so ``x > y`` and ``not x > y`` are both false where y is NaN.

        Parameters
        ----------
        x : ndarray, shape (n_frames, n_pixels), float32
            The samples; NaN where there is none.
        statistics : mapping of str to ndarray, broadcastable to `x`
            One number per pixel for the names of `STATISTICS` that the rule uses.
        context : mapping of str to ndarray, shape (n_frames, 1)
            One number per frame for the names of `CONTEXT` that the rule uses; i is filled in here.

        Returns
        -------
        ndarray of the shape of `x`, bool
            True where a sample is to be left out.

        Raises
        ------
        ConfigError
            CAL110 if the rule uses a name that is not known of these frames.
        """
        frames = np.arange(x.shape[0], dtype=x.dtype)[:, None]
        values = {"i": frames, **statistics, **context, "x": x}
        if missing := sorted(self.names - values.keys()):
            raise refuse("CAL110", f"{self.canonical!r} uses {', '.join(missing)}, which is not known of these frames")
        with np.errstate(all="ignore"):
            rejected = np.asarray(_holds(self.tree, values))
        return rejected if rejected.shape == x.shape else np.broadcast_to(rejected, x.shape).copy()


def compile_expression(text: str) -> Expression:
    """Check a rejection rule such as ``abs(x - median) > 4 * 1.4826 * mad`` and make it ready for use.

    Allowed are finite constants, the names of `NAMES`, ``+ - * /`` and unary ``-``, ``**`` with a small constant
    exponent, chained ``< <= > >=``, ``and or not``, and the functions abs, sqrt, log, exp, minimum, maximum,
    where and isfinite. The value must be true or false.

    Parameters
    ----------
    text : str
        At most 300 characters, 80 operations and operands, 12 levels deep.

    Returns
    -------
    Expression
        Frozen; can be sent to other processes.

    Raises
    ------
    ConfigError
        CAL110, naming the part that is not allowed and what is.
    """
    tree = _parse(text)
    n_nodes = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    if n_nodes > MAX_NODES:
        raise refuse("CAL110", f"the expression has {n_nodes} parts; {MAX_NODES} are allowed")
    source = " ".join(text.split())
    if _kind(tree, source, 1) is not bool:
        raise _not_allowed(source, tree, "its value is a number; compare it with another, as in x > 3 * std")
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) & frozenset(NAMES)
    return Expression(ast.unparse(tree), names, tree)


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_CHARACTERS:
        raise refuse("CAL110", f"the expression has {len(text)} characters; {MAX_CHARACTERS} are allowed")
    if strange := _CHARACTERS.sub("", text):
        raise refuse("CAL110", f"{strange[0]!r} is not allowed; write names, numbers, ( ) + - * / ** < <= > >= and ,")
    if max(accumulate((c == "(") - (c == ")") for c in text), default=0) > MAX_DEPTH:
        raise refuse("CAL110", f"parentheses are more than {MAX_DEPTH} deep in {_short(text)!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise refuse("CAL110", f"{_short(text)!r} cannot be read: {error or 'nested too deep'}") from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _not_allowed(source: str, node: ast.AST, why: str) -> LostlightError:
    part = ast.get_source_segment(source, node) or source
    return refuse("CAL110", f"{_short(part)!r} is not allowed: {why}")


def _kind(node: ast.expr, source: str, depth: int) -> type:
    """Check a node and all below it; returns the type of its value, bool or float."""
    if depth > MAX_DEPTH:
        raise _not_allowed(source, node, f"it lies more than {MAX_DEPTH} levels deep")
    check = _CHECKS.get(type(node))
    if check is None:
        raise _not_allowed(source, node, "only numbers, names, arithmetic, comparisons, and, or, not and calls are")
    return check(node, source, depth + 1)


def _need(kind: type, nodes: list[ast.expr], source: str, depth: int) -> None:
    for node in nodes:
        if _kind(node, source, depth) is not kind:
            wanted = "true or false" if kind is bool else "a number"
            raise _not_allowed(source, node, f"{wanted} is needed here")


def _check_constant(node: ast.Constant, source: str, depth: int) -> type:
    value = node.value
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > MAX_CONSTANT:
        raise _not_allowed(source, node, f"constants are numbers up to {MAX_CONSTANT:g}")
    return float


def _check_name(node: ast.Name, source: str, depth: int) -> type:
    if node.id not in NAMES:
        raise _not_allowed(source, node, f"names are {', '.join(NAMES)}")
    return float


def _check_arithmetic(node: ast.BinOp, source: str, depth: int) -> type:
    if type(node.op) not in _ARITHMETIC:
        raise _not_allowed(source, node, "arithmetic is + - * / and **")
    _need(float, [node.left, node.right], source, depth)
    if isinstance(node.op, ast.Pow):
        size = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        if not isinstance(size, ast.Constant) or abs(float(size.value)) > MAX_EXPONENT:
            raise _not_allowed(source, node, f"an exponent is a constant from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    return float


def _check_sign(node: ast.UnaryOp, source: str, depth: int) -> type:
    if not isinstance(node.op, ast.Not | ast.USub):
        raise _not_allowed(source, node, "before a value stands - or not")
    kind = bool if isinstance(node.op, ast.Not) else float
    _need(kind, [node.operand], source, depth)
    return kind


def _check_comparison(node: ast.Compare, source: str, depth: int) -> type:
    if any(type(op) not in _COMPARISONS for op in node.ops):
        raise _not_allowed(source, node, "comparisons are < <= > >=")
    _need(float, [node.left, *node.comparators], source, depth)
    return bool


def _check_logic(node: ast.BoolOp, source: str, depth: int) -> type:
    _need(bool, node.values, source, depth)
    return bool


def _check_call(node: ast.Call, source: str, depth: int) -> type:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _CALLS or node.keywords or len(node.args) != _CALLS[name]:
        usage = ", ".join(f"{call}({', '.join('abc'[:arity])})" for call, arity in _CALLS.items())
        raise _not_allowed(source, node, f"functions are {usage}")
    if name != "where":
        _need(float, node.args, source, depth)
        return bool if name == "isfinite" else float
    _need(bool, node.args[:1], source, depth)
    kind = _kind(node.args[1], source, depth)
    _need(kind, node.args[2:], source, depth)
    return kind


_CHECKS: dict[type[ast.expr], Callable[..., type]] = {
    ast.Constant: _check_constant,
    ast.Name: _check_name,
    ast.BinOp: _check_arithmetic,
    ast.UnaryOp: _check_sign,
    ast.Compare: _check_comparison,
    ast.BoolOp: _check_logic,
    ast.Call: _check_call,
}


def _holds(node: ast.expr, values: Values, wanted: bool = True) -> Any:
    """Say where a condition is known to be true, or known to be false if `wanted` is False.

    A negation is carried down to the comparisons, where what cannot be told satisfies neither side.
    """
    if isinstance(node, ast.UnaryOp):
        return _holds(node.operand, values, not wanted)
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) is wanted else np.logical_or
        return reduce(join, [_holds(part, values, wanted) for part in node.values])
    if isinstance(node, ast.Call):
        return _call_holds(node, values, wanted)
    return _comparison_holds(node, values, wanted)


def _call_holds(node: ast.Call, values: Values, wanted: bool) -> Any:
    if node.func.id == "isfinite":
        return np.isfinite(_number(node.args[0], values)) == wanted
    condition, one, other = node.args
    return np.where(
        _holds(condition, values),
        _holds(one, values, wanted),
        _holds(condition, values, False) & _holds(other, values, wanted),
    )


def _comparison_holds(node: ast.Compare, values: Values, wanted: bool) -> Any:
    sides = [node.left, *node.comparators]
    found = [_number(side, values) for side in sides]
    links = []
    for op, left, right in zip(node.ops, found, found[1:], strict=False):
        compare = _COMPARISONS[type(op)] if wanted else _OPPOSITE[_COMPARISONS[type(op)]]
        links.append(compare(left, right))
    finite = [np.isfinite(value) for side, value in zip(sides, found, strict=True) if _may_be_infinite(side)]
    return reduce(np.logical_and, finite, reduce(np.logical_and if wanted else np.logical_or, links))


def _may_be_infinite(node: ast.expr) -> bool:
    """Tell sides that can grow beyond all bounds from those that need no second look."""
    return any(isinstance(part, _GROWING) or getattr(part, "id", "") in ("log", "exp") for part in ast.walk(node))


def _number(node: ast.expr, values: Values) -> Any:
    if isinstance(node, ast.Constant):
        return float(node.value)
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_number(node.operand, values)
    if isinstance(node, ast.BinOp):
        return _apply(_ARITHMETIC[type(node.op)], _number(node.left, values), _number(node.right, values))
    if node.func.id != "where":
        return _apply(_FUNCTIONS[node.func.id][0], *(_number(part, values) for part in node.args))
    condition, one, other = node.args
    unknown = ~(_holds(condition, values) | _holds(condition, values, False))
    chosen = np.where(_holds(condition, values), _number(one, values), _number(other, values))
    return np.where(unknown, np.nan, chosen)


def _apply(function: Callable[..., Any], *arguments: Any) -> Any:
    """Keep constants plain floats: NumPy then lets the arrays say the precision."""
    result = function(*arguments)
    return float(result) if all(type(value) is float for value in arguments) else result
