"""Tiles: a lattice without holes, names, corners, rings, plates."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from lostlight.core.errors import ConfigError
from lostlight.science.sky.corners import offset, tile_corners, unit_vectors
from lostlight.science.sky.lattice import hexagonal_lattice, largest_gap_arcmin, rings_around
from lostlight.science.sky.plate_list import candidates
from lostlight.science.sky.random_positions import random_positions
from lostlight.science.sky.selection import all_sky_tiles, region_tiles
from lostlight.science.sky.tiling import add_candidates, check_positions, make_tiles, plate_tiles, tile_id, tiles_around

IDEAL = 4 * np.pi / (1.5 * np.sqrt(3) * np.radians(0.5) ** 2)


def sphere(n, seed):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return points / np.linalg.norm(points, axis=1)[:, None]


def separations(ra, dec, ra2, dec2):
    return SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).arcmin


def test_lattice_leaves_no_hole_and_wastes_little():
    ra, dec = hexagonal_lattice(30)
    assert largest_gap_arcmin(ra, dec, sphere(150_000, 5)) <= 30
    assert len(ra) < 1.05 * IDEAL
    assert ((ra >= 0) & (ra < 360)).all()


@pytest.mark.parametrize("where", ["north pole", "south pole", "right ascension zero", "change of rows"])
def test_lattice_where_it_is_hard(where):
    rng = np.random.default_rng(6)
    ra, dec = hexagonal_lattice(30)
    n = 40_000
    if where.endswith("pole"):
        sign = 1 if where.startswith("north") else -1
        points = unit_vectors(rng.uniform(0, 360, n), sign * (90 - 2.5 * np.sqrt(rng.random(n))))
    elif where.startswith("right"):
        points = unit_vectors(rng.normal(0, 0.5, n) % 360, rng.uniform(-90, 90, n))
    else:
        rows, counts = np.unique(dec, return_counts=True)
        changes = rows[1:][(np.diff(counts) != 0) & (np.abs(rows[1:]) < 89)]
        points = unit_vectors(rng.uniform(0, 360, n), rng.choice(changes, n) - rng.uniform(-0.1, 0.8, n))
    assert largest_gap_arcmin(ra, dec, points) <= 30


@pytest.mark.soak
@pytest.mark.parametrize("radius", [7.5, 15, 30, 60])
def test_lattice_at_length(radius):
    ra, dec = hexagonal_lattice(radius)
    assert largest_gap_arcmin(ra, dec, sphere(3_000_000, 7)) <= radius


def test_square_degree_lattice_would_fail():
    """The test can tell: one-degree spacing leaves holes between circles of 30 arcmin."""
    dec = np.arange(-89.5, 90)
    ra = np.concatenate([np.arange(0, 360, 1 / np.cos(np.radians(d))) for d in dec])
    dec = np.concatenate([np.full(len(np.arange(0, 360, 1 / np.cos(np.radians(d)))), d) for d in dec])
    assert largest_gap_arcmin(ra, dec, sphere(20_000, 8)) > 35


@given(st.floats(0, 359.99), st.floats(-90, 90))
def test_ids_say_where(ra, dec):
    name = tile_id(ra, dec)
    assert len(name) == len("tile_RA150.000_DECp20.000")
    sign = {"p": 1, "m": -1}[name[name.index("DEC") + 3]]
    assert abs(sign * float(name[-6:]) - dec) <= 5.1e-4
    assert abs((float(name[7:14]) - ra + 180) % 360 - 180) <= 5.1e-4


def test_ids_at_the_seams():
    assert tile_id(150, 20) == "tile_RA150.000_DECp20.000"
    assert tile_id(359.9997, -0.0001) == "tile_RA000.000_DECp00.000"
    assert tile_id(9.5, -7.25) == "tile_RA009.500_DECm07.250"


@pytest.mark.parametrize("dec", [-90, -89.8, -20, 0, 60, 89.6, 90])
@pytest.mark.parametrize("ra", [0, 0.1, 180, 359.9])
def test_corners_are_a_rectangle(ra, dec):
    corner_ra, corner_dec = tile_corners([ra], [dec], 60, 40)
    sides = separations(corner_ra[0], corner_dec[0], np.roll(corner_ra[0], -1), np.roll(corner_dec[0], -1))
    assert np.allclose(sides, [60, 40, 60, 40], rtol=2e-4)
    assert np.allclose(separations(ra, dec, corner_ra[0], corner_dec[0]), np.hypot(30, 20), rtol=2e-4)
    towards, vectors = unit_vectors(ra, dec), unit_vectors(corner_ra[0], corner_dec[0])
    turns = np.cross(vectors, np.roll(vectors, -1, axis=0)) @ towards
    assert (turns < 0).all()  # seen from inside the sphere, counter-clockwise


def test_first_corner_is_south_east():
    ra, dec = tile_corners([0.0], [10.0], 60, 60)
    assert ra[0, 0] == pytest.approx(0.5, abs=0.02)
    assert dec[0, 0] < 10


@pytest.mark.parametrize("dec", [0.0, 20.0, -75.0, 89.9])
def test_rings_are_hexagons(dec):
    ra, decs = rings_around(0.2, dec, 1)
    assert (ra[0], decs[0], len(ra)) == (0.2, dec, 7)
    assert np.allclose(separations(0.2, dec, ra[1:], decs[1:]), 51.96, atol=0.01)
    points = unit_vectors(*offset(0.2, dec, *np.random.default_rng(1).uniform(-0.6, 0.6, (2, 4000))))
    assert largest_gap_arcmin(ra, decs, points) <= 30
    assert len(rings_around(10, dec, 3)[0]) == 37


def test_a_position_gives_its_tile_first():
    tiles = tiles_around(np.array([150.0]), np.array([20.0]), 1, 60, 60)
    assert tiles["tile_id"][0] == "tile_RA150.000_DECp20.000"
    assert len(tiles) == 7
    assert len(tiles_around(np.array([150.0]), np.array([20.0]), 0, 60, 60)) == 1


@pytest.mark.parametrize(("ra", "dec", "radius"), [(150, 20, 2), (0.1, -0.2, 1), (30, 89.7, 1.5), (200, -90, 0.7)])
def test_a_region_is_covered(ra, dec, radius):
    tiles = region_tiles((ra, dec), radius, 60, 60)
    rng = np.random.default_rng(2)
    r, angle = radius * np.sqrt(rng.random(8000)), rng.uniform(0, 2 * np.pi, 8000)
    points = unit_vectors(*offset(ra, dec, r * np.cos(angle), r * np.sin(angle)))
    assert largest_gap_arcmin(tiles["ra_deg"], tiles["dec_deg"], points) <= 30
    assert len(tiles) < 8 + 6 * (radius + 1) ** 2


def test_smaller_tiles_make_a_finer_lattice():
    assert len(region_tiles((10, 10), 1, 30, 60)) > 2 * len(region_tiles((10, 10), 1, 60, 60))


def test_all_sky_north_of():
    tiles = all_sky_tiles(80, 60, 60)
    assert tiles["dec_deg"].min() >= 80
    assert len(set(tiles["tile_id"])) == len(tiles)


@pytest.mark.parametrize(
    ("ra", "dec", "words"),
    [([10, 360], [0, 0], "row 2: ra_deg = 360"), ([float("nan")], [0], "row 1"), ([1], [90.01], "dec_deg = 90.01"),
     ([1, 2, 1.0002], [5, 5, 5.0001], "row 3.*row 1"), ([-0.1], [0], "ra_deg = -0.1")],
)  # fmt: skip
def test_bad_positions_are_named(ra, dec, words):
    with pytest.raises(ConfigError, match=words):
        check_positions(ra, dec)


def test_random_positions_are_even_and_repeatable():
    ra, dec = random_positions(3000, 4, -30)
    again = random_positions(100, 4, -30)
    assert (ra[:100] == again[0]).all()
    assert (dec[:100] == again[1]).all()
    assert dec.min() >= -30
    assert np.mean(np.sin(np.radians(dec)) > 0.25) == pytest.approx(0.5, abs=0.03)
    assert np.mean(ra < 90) == pytest.approx(0.25, abs=0.03)
    assert random_positions(5, 5)[0].tolist() != random_positions(5, 4)[0].tolist()


PLATES = Table(
    {"plate_id": ["XE1", "XE2", "XE3"], "ra_deg": [150.0, 155.0, 0.5], "dec_deg": [20.0, 20.0, 84.8],
     "half_width_deg": [3.3, 3.3, 3.3]}
)  # fmt: skip


def test_candidates_nearest_first():
    named = candidates(PLATES, np.array([152.0, 153.1, 20.0, 170.0, 150.0]), np.array([20.0, 20.0, 86, 84.0, -20]))
    assert named == [["XE1", "XE2"], ["XE2", "XE1"], ["XE3"], [], []]
    tiles = make_tiles(np.array([152.0]), np.array([20.0]), 60, 60)
    add_candidates(tiles, PLATES)
    assert tiles["plates"][0] == "XE1 XE2"


def test_plate_grid_stays_in_the_core():
    tiles = plate_tiles(PLATES[:1], 2.7, 60, 60)
    reach = separations(150, 20, tiles["ra_deg"], tiles["dec_deg"]) / 60
    assert reach.max() <= 2.7 + 1e-9
    assert reach.max() > 2.2
    assert len(tiles) == pytest.approx(np.pi * 2.7**2 / 0.6495, rel=0.15)
    assert (tiles["plates"] == "XE1").sum() > 20
    points = unit_vectors(*offset(150, 20, *np.random.default_rng(3).uniform(-1.5, 1.5, (2, 5000))))
    assert largest_gap_arcmin(tiles["ra_deg"], tiles["dec_deg"], points) <= 30


def test_real_plates_show_most_of_the_northern_sky(shared_data):
    from lostlight.io import plate_list
    from lostlight.science.sky.plate_list import plates_of_headers

    headers = plate_list.read_headers(shared_data / "poss1-plates" / "plate_headers_dev.tar.gz")
    plates = plates_of_headers(headers)
    assert len(plates) == 466
    assert set(np.round(plates["half_width_deg"], 2)) <= {3.23, 3.27, 3.3}
    ra, dec = random_positions(400, 1, 0)
    n = np.array([len(names) for names in candidates(plates, ra, dec)])
    assert 0.2 < (n > 0).mean() < 0.9  # half of the survey
    centres = plate_list.read_centres(shared_data / "poss1-plates" / "plate_manifest.csv")
    assert len(centres) == 642
