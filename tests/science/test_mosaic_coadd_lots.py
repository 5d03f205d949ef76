"""Lots of frames summed up once more: what is there already adds, what disagrees goes."""

import numpy as np
import pytest

from lostlight.science.mosaic.coadd_lots import PlacedLot, coadd_lots
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule

SHAPE = (5, 7)
WHOLE = Window(0, 0, *SHAPE)


def lot(value, sigma, weight, n_frames, window=WHOLE):
    """A lot that is the same everywhere."""
    planes = {"SCI": value, "WHT": sigma**-2.0, "WSUM": weight, "COV": n_frames, "REJ": 0}

    def rows(name, y0, y1):
        return np.full((1, y1 - y0, window.width), planes[name], np.float32)

    return PlacedLot(rows, window, 1)


def combined(lots, reject="shrunk"):
    rule = Rule(reject=reject, low=5, high=5, prior=50, gradient=0, psf=0)
    return coadd_lots(lots, WHOLE, rule, threads=1, memory_mb=64, backend="numpy").layer


def test_lots_are_weighed_as_their_frames_were():
    layer = combined([lot(10, 1, 3, 3), lot(14, 2, 1, 4)])
    np.testing.assert_allclose(layer.sci, 11)
    np.testing.assert_allclose(layer.wht, 16 / (9 * 1 + 1 * 4), rtol=1e-6)
    assert (layer.cov == 7).all()


def test_pixels_of_one_lot_are_those_of_the_lot():
    layer = combined([lot(10, 1, 3, 3), lot(14, 2, 1, 4, Window(2, 3, 3, 4))])
    np.testing.assert_allclose(layer.sci[0, :2], 10)
    np.testing.assert_allclose(layer.sci[0, 2:, 3:], 11)
    assert {*layer.cov[:2].ravel()} == {3}


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e3])
def test_what_is_left_has_a_frame_however_little_it_weighs(weight):
    layer = combined([lot(500, 1, 1, 3), lot(400, 1, weight, 1)])
    np.testing.assert_allclose(layer.sci, 400)
    assert (layer.cov >= 1).all()
    assert (layer.cov + layer.rej == 4).all()


def test_without_rejection_nothing_goes():
    layer = combined([lot(500, 1, 1, 3), lot(400, 1, 1, 1)], "none")
    np.testing.assert_allclose(layer.sci, 450)
    assert (layer.rej == 0).all()


STARRY = Window(0, 0, 61, 75)


def star(fwhm, noise, seed, trail=0.0):
    """A lot of a sharp or a dull night, a bright star in its middle."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(STARRY.shape)
    light = 2e6 / fwhm**2 * np.exp(-4 * np.log(2) * ((y - 30.3) ** 2 + (x - 37.4) ** 2) / fwhm**2)
    sci = 100 + light + trail * np.exp(-((y - 0.2 * x - 1) ** 2) / 3) + rng.normal(0, noise, STARRY.shape)
    planes = {"SCI": sci, "WHT": np.full_like(sci, noise**-2), "WSUM": np.ones_like(sci), "COV": np.full_like(sci, 4),
              "REJ": np.zeros_like(sci)}  # fmt: skip
    return PlacedLot(lambda name, y0, y1: planes[name][None, y0:y1].astype(np.float32), STARRY, 1)


def starry(lots, reject="shrunk", window=STARRY):
    """As step 12 does it."""
    rule = Rule(reject=reject, low=5, high=5, prior=50, psf=0)
    return coadd_lots(lots, window, rule, threads=1, memory_mb=64, backend="numpy")


@pytest.mark.parametrize("widths", [(2.5, 2.7), (2.5, 2.6, 2.8), (2.4, 2.5, 2.6, 2.7, 2.8)])
def test_stars_of_lots_with_other_seeing_are_stars(widths):
    lots = [star(fwhm, 1.0, k) for k, fwhm in enumerate(widths)]
    kept, flat = (starry(lots, reject).layer.sci[0, 20:41, 27:48] - 100 for reject in ("shrunk", "none"))
    assert kept.sum() == pytest.approx(flat.sum(), rel=0.002)
    assert kept.max() == pytest.approx(flat.max(), rel=0.01)


def test_a_trail_in_one_lot_goes():
    lots = [star(2.5, 1.0, k, trail=30.0 * (k == 1)) for k in range(4)]
    left = starry(lots).layer.sci[0] - starry([star(2.5, 1.0, k) for k in range(4)]).layer.sci[0]
    y, x = np.indices(STARRY.shape)
    on = (abs(y - 0.2 * x - 1) < 1) & (np.hypot(y - 30, x - 37) > 12)
    assert abs(np.median(left[on])) < 0.2


def test_blocks_of_lots_are_parts_of_the_whole():
    lots = [star(fwhm, 1.0, k, trail=30.0 * (k == 1)) for k, fwhm in enumerate((2.5, 2.8, 2.6))]
    whole, tally = starry(lots), 0
    for y0 in range(0, 61, 20):
        part = starry(lots, window=Window(y0, 0, min(20, 61 - y0), 75))
        np.testing.assert_array_equal(part.layer.sci, whole.layer.sci[:, y0 : y0 + 20])
        np.testing.assert_array_equal(part.layer.rej, whole.layer.rej[y0 : y0 + 20])
        tally = tally + part.tally.valid
    np.testing.assert_array_equal(tally, whole.tally.valid)
