"""Stars that are measured are bright, alone, whole and as wide as most."""

import numpy as np
import pytest

from lostlight.science.epochs.psf_stars import select_stars
from lostlight.sim.mosaics_light import add_stars

SHAPE, FWHM = (211, 243), 3.0


def field(places, fluxes, fwhm=FWHM, noise=5.0):
    """Draw stars at places (x, y)."""
    light = np.random.default_rng(1).normal(0, noise, SHAPE)
    x, y = np.transpose(places).astype(float)
    add_stars(light, x, y, np.asarray(fluxes, float), (fwhm, fwhm), 3.0)
    return light.astype(np.float32)


GRID = [(x, y) for x in (40.3, 90.6, 140.1, 190.8) for y in (40.2, 90.9, 150.4)]
FLUX = np.linspace(5_000, 30_000, len(GRID))
VARIANCE = np.full(SHAPE, 25, np.float32)


def chosen(light, variance=VARIANCE, **knobs):
    stars = select_stars(light, variance, **knobs)
    return {(round(x), round(y)) for x, y in zip(stars.x, stars.y, strict=True)}


def at(index):
    return tuple(round(v) for v in GRID[index])


def test_good_stars_are_taken_brightest_first():
    stars = select_stars(field(GRID, FLUX), VARIANCE)
    assert len(stars) == len(GRID)
    assert (np.diff(stars.flux) < 0).all()
    assert stars.fwhm_px == pytest.approx(FWHM, rel=0.25)
    assert stars.snr[0] == pytest.approx(stars.flux[0] / (5 * np.sqrt(np.pi) * 1.5 * stars.fwhm_px), rel=0.05)
    assert chosen(field(GRID, FLUX), most=3) == {at(k) for k in (11, 10, 9)}


def test_faint_ones_are_not():
    fluxes = FLUX.copy()
    fluxes[4] = 400
    assert chosen(field(GRID, fluxes)) == {at(k) for k in range(12) if k != 4}


def test_neighbours_count_unless_they_are_negligible():
    places = [*GRID, (GRID[2][0] + 9, GRID[2][1]), (GRID[7][0] + 9, GRID[7][1])]
    fluxes = [*FLUX, 3_000, 90]
    assert chosen(field(places, fluxes)) == {at(k) for k in range(12) if k != 2}


def test_wide_and_sharp_ones_are_not_stars():
    light = field(GRID[2:], FLUX[2:])
    add_stars_of(light, GRID[0], 40_000, 7.0)
    x, y = (round(v) for v in GRID[1])
    light[y - 1 : y + 1, x - 1 : x + 1] += 4_000
    light[10:11, 100:130] += 900
    assert chosen(light) == {at(k) for k in range(2, 12)}


def add_stars_of(light, place, flux, fwhm):
    more = np.zeros(light.shape)
    add_stars(more, np.array([place[0]]), np.array([place[1]]), np.array([float(flux)]), (fwhm, fwhm), 3.0)
    light += more


def test_full_and_cut_ones_are_not_taken():
    light, variance = field(GRID, [*FLUX[:11], 90_000]), VARIANCE.copy()
    x, y = (round(v) for v in GRID[6])
    variance[y, x + 1] = np.nan
    peak = float(light[at(11)[1], at(11)[0]])
    assert chosen(light, variance, saturate=1.4 * peak) == {at(k) for k in range(11) if k != 6}


def test_stars_at_the_edge_are_not_taken():
    assert chosen(field([*GRID, (2.0, 100.0)], [*FLUX, 20_000])) == {at(k) for k in range(12)}


def test_without_stars():
    for light in (field([(300, 300)], [1]), field([(100.2, 90.1)], [600])):
        stars = select_stars(light, VARIANCE)
        assert len(stars) == 0
        assert np.isnan(stars.fwhm_px)
