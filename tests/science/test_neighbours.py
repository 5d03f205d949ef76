"""Pixels against their neighbours: the same as a median filter without its centre."""

import numpy as np
import pytest
from scipy.ndimage import generic_filter

from lostlight.science.calibrate.neighbours import beside, stand_out


def ring(cfa):
    step = 2 if cfa else 1
    footprint = np.zeros((4 * step + 1, 4 * step + 1), dtype=bool)
    footprint[::step, ::step] = True
    footprint[2 * step, 2 * step] = False
    return footprint


def filtered(image, cfa):
    return generic_filter(image, np.nanmedian, footprint=ring(cfa), mode="mirror")


@pytest.mark.parametrize("cfa", [False, True])
def test_medians_are_those_of_a_filter(cfa):
    image = np.random.default_rng(1).normal(0, 1, (23, 31)).astype(np.float32)
    image[5:7, 8] = np.nan
    places = np.nonzero(np.ones(image.shape, dtype=bool))
    assert beside(image, places, cfa=cfa).reshape(image.shape) == pytest.approx(filtered(image, cfa), abs=1e-6)


@pytest.mark.parametrize("cfa", [False, True])
def test_pixels_that_stand_out_exceed_the_upper_middle_neighbour(cfa):
    image = np.random.default_rng(2).normal(0, 1, (27, 22)).astype(np.float32)
    found = np.zeros(image.shape, dtype=bool)
    found[stand_out(image, 1.5, cfa=cfa)] = True
    thirteenth = generic_filter(image, lambda values: np.sort(values)[12], footprint=ring(cfa), mode="mirror")
    assert np.array_equal(found, image - np.float32(1.5) > thirteenth)
    assert 0 < found.sum() < found.size / 4


def test_colours_do_not_mix():
    image = np.zeros((20, 24), dtype=np.float32)
    image[::2, ::2] = 1000
    assert stand_out(image, 10.0)[0].size > 0
    assert stand_out(image, 10.0, cfa=True)[0].size == 0


def test_no_data_never_stands_out_and_has_no_neighbours():
    image = np.full((9, 12), np.nan, dtype=np.float32)
    assert stand_out(image, 1.0)[0].size == 0
    assert np.isnan(beside(image, (np.array([4]), np.array([5])))).all()
