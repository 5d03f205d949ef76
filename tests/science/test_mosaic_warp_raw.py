"""The kernel for graphics cards, compiled for the processor, against the twin; and the twin in other arrays."""

import shutil
import subprocess

import array_api_strict as strict
import numpy as np
import pytest
from tests.card import Card

from lostlight.science.mosaic.warp import gather, spline, warp_raw
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.nodes import areas, expand
from lostlight.science.mosaic.warp.patch import Patch, patch
from lostlight.science.mosaic.warp.taps import KERNELS
from lostlight.science.mosaic.window import Window

SHAPE, STEP = (61, 83), 8
WINDOW = Window(13, 21, 55, 67)


def nodes():
    """A turned, slightly bent lattice that leaves the frame on two sides."""
    v, u = np.mgrid[WINDOW.y0 // STEP : 10, WINDOW.x0 // STEP : 13] * float(STEP)
    return 0.97 * u - 0.2 * v - 14 + 2e-3 * u * u, 0.95 * v + 0.21 * u - 18 + 1e-3 * u * v


def piece(kernel, holes, channels=2):
    image = np.random.default_rng(4).normal(100, 5, (channels, *SHAPE)).astype(np.float32)
    if holes:
        image[0, 20:24, 30:33] = np.nan
    whole = (-4, SHAPE[0] + 4), (-4, SHAPE[1] + 4)
    return patch(lambda y0, y1: image[:, y0:y1], SHAPE, *whole, kernel, spline.coefficients)


def spec(kernel, by_area=False):
    return Spec(kernel, SHAPE, 1, 7.5, 1.3, by_area)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is absent")
    return Card(tmp_path_factory.mktemp("card"))


@pytest.mark.parametrize("holes", [False, True], ids=["whole", "holes"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernel_for_cards_gives_what_the_twin_gives(card, kernel, holes):
    for by_area in (False, True):
        given = piece(kernel, holes), *nodes(), WINDOW, STEP, spec(kernel, by_area)
        ours, ours_weight = gather.gather(*given)
        data, weight = map(card.asnumpy, warp_raw.gather(*given, card))
        assert 1000 < np.isfinite(ours[0]).sum() < WINDOW.height * WINDOW.width
        assert np.array_equal(data, ours, equal_nan=True)
        assert np.array_equal(weight, ours_weight)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_twin_keeps_to_the_array_standard(kernel):
    found = piece(kernel, True)
    x, y = (expand(each, WINDOW, STEP) for each in nodes())
    area = areas(*nodes(), WINDOW, STEP)
    theirs = Patch(strict.asarray(found.data), strict.asarray(found.bad), found.y0, found.x0)
    given = (strict.asarray(each) for each in (x, y, area))
    data, weight = gather.gather_at(theirs, *given, spec(kernel, True), strict)
    with np.errstate(all="ignore"):
        ours, ours_weight = gather.gather_at(found, x, y, area, spec(kernel, True), np)
    assert np.array_equal(np.asarray(data), ours, equal_nan=True)
    assert np.array_equal(np.asarray(weight), ours_weight)


def test_the_filter_keeps_to_the_array_standard():
    image = np.random.default_rng(1).normal(size=(2, 40, 50)).astype(np.float32)
    theirs = spline.coefficients(strict.asarray(image), strict)
    assert np.array_equal(np.asarray(theirs), spline.coefficients(image))


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_the_compiler_for_cards_takes_it(tmp_path):
    for taps in (2, 4, 6):
        path = tmp_path / "kernel.cu"
        path.write_text(warp_raw.source(taps))
        words = ["nvcc", *warp_raw.OPTIONS, "-arch=sm_90", "-cubin", "-o", str(tmp_path / "k.cubin"), str(path)]
        subprocess.run(words, check=True, capture_output=True)
