"""What is left out of a search, and how much one image counts in it: light that stands, caps, limits of motion."""

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.science.epochs.grid import Grid
from lostlight.science.search.cap import LEAST, cap_for, capped, evened
from lostlight.science.search.reach import fastest, slowest, westward
from lostlight.science.search.static import ends, n_moving, nearest_on, standing, static_sources

DAYS = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 2.0, 2.1, 2.2])


def test_a_source_on_half_of_the_images_is_static_and_one_that_moves_is_not():
    marks = np.zeros((5, 23, 31), bool)
    marks[:, 4, 7] = marks[1:4, 9, 9] = marks[:2, 12, 3] = True
    for t in range(5):
        marks[t, 20, 5 + 3 * t] = True
    grid = Grid(None, (23, 31), 0, 0)
    found = static_sources(marks, np.ones_like(marks), [None] * 5, grid)
    assert set(zip(*np.nonzero(found), strict=True)) == {(4, 7), (9, 9)}
    moved = nearest_on(found, Grid(None, (23, 31), 2, 3), None, (25, 35))
    assert moved[7, 9]
    assert moved.sum() == 2


def test_masks_follow_the_sky_of_images_that_are_turned():
    def sky(turn):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10.0, 5.0], [16, 12]
        c, s = np.cos(turn), np.sin(turn)
        wcs.wcs.cd = np.array([[-c, s], [s, c]]) / 3600
        return wcs

    mask = np.zeros((23, 31), bool)
    mask[10:13, 20:23] = True
    turned = nearest_on(mask, Grid(sky(0.0), (23, 31), 0, 0), sky(0.5), (23, 31))
    y, x = (each.mean() for each in np.nonzero(turned))
    there = sky(0.5).all_world2pix(*sky(0.0).all_pix2world(21, 11, 0), 0)
    assert (x, y) == (pytest.approx(float(there[0]), abs=0.7), pytest.approx(float(there[1]), abs=0.7))


def test_light_that_stands_is_there_on_the_first_images_and_on_the_last():
    first, last = ends(DAYS)
    assert first.tolist() == [True] * 3 + [False] * 5
    assert last.tolist() == [False] * 5 + [True] * 3
    psi = np.zeros((8, 3, 7), np.float32)
    psi[:, 0, 0] = 2.0  # faint, always
    psi[:5, 1, 1] = 4.0  # gone on the last night
    psi[0, 2, 2] = psi[7, 2, 2] = 5.0  # two single images
    phi = np.ones_like(psi)
    found = standing(zip(psi, phi, strict=True), DAYS)
    assert list(zip(*np.nonzero(found), strict=True)) == [(0, 0)]
    phi[5:, 0, 0] = 0
    assert not standing(zip(psi, phi, strict=True), DAYS).any(), "not measured there on the last night"
    two = standing(zip(psi[[0, 7]], phi[[0, 7]], strict=True), DAYS[[0, 7]])
    assert two.shape == (3, 7)
    assert not two.any(), "single images tell nothing"


def test_a_source_that_hardly_moves_is_left_no_image_and_one_that_moves_all():
    psi = np.zeros((8, 9, 41), np.float32)
    slow, fast = 5 + 0.1 * DAYS, 5 + 15 * DAYS
    for t in range(8):
        psi[t, 2, round(slow[t])] = psi[t, 6, round(fast[t])] = 4.0
    given = psi, np.ones_like(psi), DAYS
    assert n_moving(*given, slow, np.full(8, 2.0)) == 0
    assert n_moving(*given, fast, np.full(8, 6.0)) == 8
    assert n_moving(*given, np.where(DAYS < 1, np.nan, fast), np.full(8, 6.0)) == 5


def test_one_image_counts_little_more_than_the_cap_and_order_is_kept():
    phi = np.full(6, 4.0, np.float32)
    psi = 2 * np.array([1.0, -3.0, 5.0, 12.0, 300.0, -40.0], np.float32)
    seen = capped(psi, phi, 5.0) / 2
    assert seen[:3].tolist() == [1, -3, 5]
    assert 5 < seen[3] < seen[4] < 7.5
    assert -7.5 < seen[5] < -5
    assert np.array_equal(capped(psi, phi, np.inf), psi)
    assert np.array_equal(capped(np.zeros(2, np.float32), np.zeros(2, np.float32), 4.0), [0, 0])


def test_the_cap_lets_the_fewest_images_suffice():
    assert cap_for(7.0, 20, 5) * 5 / np.sqrt(20) == pytest.approx(7.0)
    assert cap_for(6.0, 10, 8) == LEAST


def test_a_light_curve_is_evened_about_its_own_middle():
    phi = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], np.float32)
    psi = np.array([[1, 2, 1, 30, 2], [20, 22, 21, 19, 0]], np.float32)
    even = evened(psi, phi)
    assert even[0].tolist() == [1, 2, 1, 5, 2]
    assert even[1].tolist() == [20, 22, 21, 19, 0]


def test_motions_that_are_worth_trying():
    assert fastest(DAYS, (300, 400), 3) == pytest.approx(500 / 0.2)
    assert fastest(DAYS, (300, 400), 1) == np.inf
    assert slowest(DAYS, 2.5) == pytest.approx(5 / 2.2)
    assert slowest([3.0], 2.5) == 0


def test_at_opposition_distant_bodies_go_west_along_the_ecliptic():
    """In March the anti-solar point is at 12 h, where the ecliptic runs 23.4 degrees to the south of east."""
    angle, half = westward(180.0, 0.0, 60388.95)
    assert angle == pytest.approx(270 + 23.4, abs=1.5)
    assert 3 < half < 45
    assert westward(110.0, 22.0, 60388.95)[1] == 180.0, "near a stationary point they go anywhere"
