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
