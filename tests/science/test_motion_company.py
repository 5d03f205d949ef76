"""A body goes where it goes, to the last bit, whatever others are asked for with it."""

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.science.motion.abg import AbgMotion
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.project import project

N, SITE, START = 401, "W84", 57130.0
ELEMENTS = np.random.default_rng(1).uniform([2, 0, 0, 0, 0, 0], [50, 0.9, 40, 360, 360, 360], (N, 6)).T
TIMES = START + np.arange(21).reshape(7, 3) / 3


def _pixels(some):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cd = ["RA---TAN", "DEC--TAN"], [200.0, -8.0], [[0, 1e-4], [-1e-4, 0]]
    ra = 200 - ELEMENTS[0, some, None, None] / 50 + (TIMES - START) / 24
    return project([wcs] * 7, ra, np.full_like(ra, -8.1))


MODELS = {
    "kepler": lambda some: KeplerMotion(*ELEMENTS[:, some], START, SITE).at(TIMES),
    "abg": lambda some: AbgMotion.from_elements(*ELEMENTS[:, some], START, SITE).at(TIMES),
    "linear": lambda some: LinearMotion(*ELEMENTS[3:1:-1, some], START, *ELEMENTS[4:, some]).at(TIMES),
    "pixels": _pixels,
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [1, 2, 7, 64, 333])
def test_batches_change_no_bit(model, size):
    """A2: the same places for any batch."""
    whole = MODELS[model](slice(None))
    for first in range(0, N, max(size, 23)):
        some = slice(first, first + size)
        assert all(np.array_equal(a[some], b) for a, b in zip(whole, MODELS[model](some), strict=True))


def test_times_change_no_bit():
    """A2: the same places for one time and for many."""
    whole = np.arange(19) / 7 + START
    bodies = KeplerMotion(*ELEMENTS, START, SITE), AbgMotion.from_elements(*ELEMENTS, START, SITE)
    for motion in bodies:
        many = motion.at(whole)
        for k in (0, 5, 18):
            assert all(np.array_equal(a[:, k], b) for a, b in zip(many, motion.at(whole[k]), strict=True))
