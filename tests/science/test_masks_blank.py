"""Padding, missing pixels and bare emulsion."""

import numpy as np
import pytest
from tests.plate_scene import plate

from lostlight.core.errors import BadImage
from lostlight.science.detect.background import split
from lostlight.science.plate.blank import margin, no_data, unexposed

STARS = [(x, y, 30.0) for x in range(20, 450, 60) for y in range(20, 400, 60)]


def bare(image):
    blank = no_data(image)
    return unexposed(np.where(blank, 0, image), split(image, blank, 64, 3).level_adu, blank)


@pytest.mark.parametrize("value", [0.0, np.nan, -32768.0, 32767.0, 2600.0])
def test_a_wedge_is_found_to_the_pixel(value):
    image = plate(STARS, seed=2)
    y, x = np.mgrid[0:401, 0:457]
    wedge = x + 0.7 * y < 180
    image[wedge] = value
    found = no_data(image)
    assert (found & ~wedge).sum() <= 2
    assert (wedge & ~found).sum() <= 0.01 * wedge.sum()


def test_a_whole_plate_has_no_blank():
    image = plate([*STARS, (200, 200, 2e5)], seed=3)
    image = np.minimum(image, 13500)  # a core clipped flat is no blank
    assert not no_data(image).any()
    assert not bare(image).any()


@pytest.mark.parametrize("image", [np.full((90, 110), 5.0), np.full((90, 110), np.nan), np.zeros((30, 40))])
def test_all_blank_is_refused(image):
    with pytest.raises(BadImage):
        no_data(image.astype(np.float32))


def test_bare_emulsion_and_what_lies_in_it():
    exposed = np.ones((401, 457))
    exposed[300:] = 0
    image = plate(STARS, seed=4, exposed=exposed)
    image[350:380, 100:300] = 12000  # a step wedge
    found = bare(image)
    assert found[310:].mean() > 0.99
    assert found[:290].mean() == 0


def test_vignetting_is_not_bare():
    y, x = np.mgrid[0:401, 0:457]
    image = plate(STARS, seed=5, exposed=1 - 0.25 * np.hypot(x / 457, y / 401) / np.sqrt(2))
    assert not bare(image).any()


def test_margin_goes_around_border_and_blank():
    blank = np.zeros((61, 83), bool)
    blank[:, :20] = True
    edge = margin(blank, 5)
    assert edge[30, 24]
    assert not edge[30, 25]
    assert edge[4, 50]
    assert not edge[5, 50]
    assert not (edge & blank).any()
    assert not margin(blank, 0).any()
