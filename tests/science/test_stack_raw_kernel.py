"""CUDA kernels, compiled for the CPU: they agree with the twin in the array API standard."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from tests.card import Card
from tests.science.test_stack_shrunk import scene

from lostlight.core.errors import ConfigError
from lostlight.science.stack import namespace, raw_kernel
from lostlight.science.stack.rule import Rule

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@pytest.fixture(scope="module")
def cupy(tmp_path_factory):
    return Card(tmp_path_factory.mktemp("kernels"))


def on_card(cupy, cube, noises, weights, rule, blurs=None, counted=None):
    """Send everything, combine, and bring everything back."""
    x, *columns = (None if each is None else cupy.asarray(each) for each in (cube, noises, weights, blurs))
    made = raw_kernel.combine_on_card(x, *columns[:2], rule, cupy, blurs=columns[2], counted=counted)
    return {name: cupy.asnumpy(plane) for name, plane in made.items()}


RULES = [Rule(), Rule("median"), Rule(reject="shrunk"), Rule("median", "shrunk", low=2, high=2, gradient=0.1)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.combine} {rule.reject}")
@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 8, 11, 16, 30, 64])
def test_it_agrees_with_the_twin(cupy, n_frames, rule):
    cube = scene(n_frames, (13, 37), seed=n_frames)
    rng = np.random.default_rng(n_frames)
    planes = rng.uniform(5, 9, cube.shape).astype(np.float32)
    planes[0, 3:5, 4] = np.nan
    column, blurs = planes[:, 1, 1].copy(), rng.uniform(0, 0.4, n_frames).astype(np.float32)
    weighs = rule.combine == "mean"
    for noises, weights, blurred in (
        (None, None, None), (column, column**-2 if weighs else None, blurs), (planes, planes if weighs else None, None),
    ):  # fmt: skip
        options = {"blurs": blurred, "counted": (slice(2, 11), slice(3, 30))}
        with np.errstate(all="ignore"):
            twin = namespace.combine_block(cube, noises, weights, rule, np, **options)
            card = on_card(cupy, cube, noises, weights, rule, **options)
        assert set(card) == set(twin)
        for name, plane in twin.items():
            assert card[name].dtype == plane.dtype
            np.testing.assert_allclose(card[name], plane, rtol=1e-5, atol=1e-6 * name.startswith("sigma"), err_msg=name)
    assert cupy.launched[-1] == f"combine_{raw_kernel.size_of(n_frames)}"


def test_one_sample_stays_on_the_card_too(cupy):
    cube = np.random.default_rng(3).normal(300, 7, (4, 20, 20)).astype(np.float32)
    rule, noises = Rule(reject="shrunk", low=0.01, high=0.01, gradient=0, psf=0), np.ones(4, np.float32)
    twin = namespace.combine_block(cube, noises, None, rule, np)
    card = on_card(cupy, cube, noises, None, rule)
    assert (card["n_used"] == 1).any()
    for name, plane in twin.items():
        np.testing.assert_allclose(card[name], plane, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("size", raw_kernel.SIZES)
def test_the_network_of_each_size_is_written_out(size):
    text = raw_kernel.source(size)
    assert text.count("EXCHANGE(") == {8: 19, 16: 63, 32: 191, 64: 543}[size] + 1
    assert "@" not in text


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_samples_stay_in_registers(tmp_path):
    """What the compiler for the card says: nothing is spilled, and the sums need no memory of their own."""
    path = tmp_path / "kernel.cu"
    path.write_text(raw_kernel.source(32))
    words = ["nvcc", "-arch=sm_90", "--ptxas-options=-v", "-cubin", "-o", str(tmp_path / "k.cubin"), str(path)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stderr
    assert re.findall(r"(\d+) bytes spill", said) == ["0"] * 4
    assert "0 bytes stack frame" in said.split("properties for combine_32")[1].splitlines()[1]


def test_kernels_by_number_of_frames():
    assert [raw_kernel.size_of(n) for n in (1, 8, 9, 32, 33, 64, 65)] == [8, 8, 16, 32, 64, 64, None]


@pytest.mark.parametrize(("n_frames", "rule"), [(65, Rule()), (5, Rule(reject="sigma")), (5, Rule(grow=1))])
def test_what_no_kernel_can_do_is_refused(cupy, n_frames, rule):
    with pytest.raises(ConfigError):
        raw_kernel.combine_on_card(np.zeros((n_frames, 3, 4), np.float32), None, None, rule, cupy)
