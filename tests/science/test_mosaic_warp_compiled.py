"""The loops as Python runs them: what compiling them changes is nothing."""

import numpy as np
import pytest

from lostlight.science.mosaic.warp import gather, spline, warp_compiled
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.patch import patch
from lostlight.science.mosaic.warp.taps import KERNELS
from lostlight.science.mosaic.window import Window

SHAPE, STEP, WINDOW = (23, 31), 8, Window(3, 5, 24, 27)
LOOPS = (
    "look_up",
    "fade",
    "bad_share",
    "cell_area",
    "along_row",
    "usable",
    "to_edge",
    "add_up",
    "two_taps",
    "four_taps",
    "six_taps",
)


@pytest.mark.parametrize("holes", [False, True], ids=["whole", "holes"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_python_gives_the_same_bits(monkeypatch, kernel, holes):
    image = np.random.default_rng(4).normal(100, 5, (2, *SHAPE)).astype(np.float32)
    if holes:
        image[0, 12:15, 14:16] = np.nan
    piece = patch(lambda y0, y1: image[:, y0:y1], SHAPE, (-4, 27), (-4, 35), kernel, spline.coefficients)
    v, u = np.mgrid[:5, :5] * float(STEP)
    given = piece, 0.97 * u - 0.2 * v - 3, 0.95 * v + 0.21 * u - 4, WINDOW, STEP
    for name in LOOPS:
        monkeypatch.setattr(warp_compiled, name, getattr(warp_compiled, name).py_func)
    for feather_px, by_area in ((4.0, True), (0.0, False)):
        spec = Spec(kernel, SHAPE, 1, feather_px, 1.3, by_area)
        data, weight = warp_compiled.gather(*given, spec)
        ours, ours_weight = gather.gather(*given, spec)
        assert 100 < np.isfinite(ours[0]).sum() < 24 * 27
        assert np.array_equal(data, ours, equal_nan=True)
        assert np.array_equal(weight, ours_weight)
