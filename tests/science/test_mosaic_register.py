"""Registration on planted skies and on eleven real frames: every frame where it belongs, or not at all."""

from itertools import pairwise

import numpy as np
import pytest
import sep
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.spatial import cKDTree
from tests.star_lists import Sky, View, hot_pixels, random_list, taken

from lostlight.core.errors import TooFewStars
from lostlight.science.mosaic.register.register import register
from lostlight.science.mosaic.register.star_match import StarList

SHAPE = View().shape


def _register(views, lists, **options):
    return register(lists, {name: view.shape for name, view in views.items()}, **options)


def _night(sky, views, **options):
    views = {f"{k:03d}": view for k, view in enumerate(views)}
    return views, {name: sky.seen(view, **options) for name, view in views.items()}


def _worst(registered, views):
    def error(name):
        corners = views[name].corners
        truth = views[registered.references[name]].pixels(views[name].sky(corners))
        return np.abs(taken(registered.transforms[name], corners) - truth).max()

    return max(error(name) for name in registered.transforms)


HOT = hot_pixels(5, 400, SHAPE)
NIGHTS = {
    "any rotation": ([View(30 * k, 37 * k) for k in range(10)], {}),
    "meridian flip": ([View(30 * k, 180 * (k > 4)) for k in range(10)], {}),
    "mirrored": ([View(30 * k, 10 * k, k % 2 == 1) for k in range(10)], {}),
    "binned": ([View(30 * k, 9 * k) if k % 2 else View(30 * k, 0, False, 2, (450, 601)) for k in range(10)], {}),
    "half false": ([View(30 * k, 20 * k) for k in range(8)], {"false": 0.5}),
    "hot pixels": ([View(3 * k) for k in range(12)], {"hot": HOT}),
    "hot pixels under a slow sky": ([View(0.3 * k) for k in range(12)], {"hot": HOT}),
    "still": ([View()] * 8, {"false": 0.3}),
    "still, with hot pixels": ([View()] * 8, {"hot": HOT}),
    "two stands": ([View(100 * (k > 9)) for k in range(12)], {"hot": HOT}),
}


@pytest.mark.parametrize("name", NIGHTS)
def test_every_frame_comes_where_it_belongs(name):
    planned, options = NIGHTS[name]
    views, lists = _night(Sky(1), planned, **options)
    found = _register(views, lists)
    assert found.failed == {}
    assert set(found.transforms) == set(views)
    assert _worst(found, views) < 0.25


def test_a_long_drift_is_followed_by_neighbours():
    views, lists = _night(Sky(7), [View(-1400 + 70 * k) for k in range(41)])
    found = _register(views, lists)
    assert len(found.transforms) == 41
    assert _worst(found, views) < 0.5


def test_panels_in_no_order_find_each_other():
    random = np.random.default_rng(4)
    places = [complex(900 * column - 1800, 700 * row - 1400) for row in range(5) for column in range(5)]
    views, lists = _night(Sky(9, n=8000, width=6000), [View(places[k], 2 * k) for k in random.permutation(25)])
    found = _register(views, lists)
    assert len(found.transforms) == 25
    assert _worst(found, views) < 0.6


def test_frames_bent_by_a_lens_are_laid_over_each_other_as_well_as_affine_maps_can():
    """A radial distortion of 20 px in the corners, and steps of 200 px with a meridian flip."""
    sky, views = Sky(5, n=3000, width=5000), {f"{k:03d}": View(200 * k - 500, 180 * (k % 2)) for k in range(6)}

    def bent(stars):
        z = stars.x + 1j * stars.y - View().corners[4]
        z = z * (1 + 20 / 750 * np.abs(z / 750) ** 2) + View().corners[4]
        return StarList(z.real, z.imag, stars.flux)

    found = _register(views, {name: bent(sky.seen(view)) for name, view in views.items()})
    assert set(found.transforms) == set(views)
    neighbours = [pair for pair in found.residuals if int(pair.second) - int(pair.first) == 1]
    assert len(neighbours) == 5
    assert all(pair.n_stars > 75 and 1 < pair.median_px < 2.5 for pair in neighbours)


def test_eight_stars_register_a_frame():
    sky = Sky(4, n=8, width=600)
    views, lists = _night(sky, [View(5 * k, 5 * k) for k in range(6)], false=0.5)
    found = _register(views, lists)
    assert len(found.transforms) == 6
    for name, view in views.items():
        truth = views[found.reference].pixels(sky.place)
        assert np.abs(taken(found.transforms[name], view.pixels(sky.place)) - truth).max() < 0.5


def test_frames_without_stars_fail_with_what_was_found_and_needed():
    views, lists = _night(Sky(2), [View(9 * k) for k in range(6)], hot=HOT)
    empty = {"empty": View(), "few": View(), "noise": View(), "hot": View()}
    random = np.random.default_rng(1)
    lists |= {
        "empty": StarList([], [], []),
        "few": random_list(random, 5, SHAPE),
        "noise": random_list(random, 200, SHAPE),
        "hot": StarList(HOT.real, HOT.imag, np.ones(HOT.size)),
    }
    found = _register(views | empty, lists)
    assert set(found.transforms) == set(views)
    assert set(found.failed) == set(empty)
    assert all(isinstance(error, TooFewStars) for error in found.failed.values())
    facts = {name: (error.facts["found"], error.facts["needed"]) for name, error in found.failed.items()}
    assert facts == {"empty": (0, 8), "few": (5, 8), "noise": (0, 8), "hot": (0, 8)}
    assert "noise" in found.failed["noise"].message


def test_noise_alone_gives_nothing():
    random = np.random.default_rng(6)
    lists = {f"{k:02d}": random_list(random, 100, SHAPE) for k in range(12)}
    found = register(lists, dict.fromkeys(lists, SHAPE))
    assert found.transforms == found.wcs == {}
    assert found.reference == ""
    assert len(found.failed) == 12


def test_a_frame_alone_is_its_own_reference():
    views, lists = _night(Sky(1), [View()])
    found = _register(views, lists)
    assert found.failed == {}
    assert np.array_equal(found.transforms["000"], np.eye(2, 3))


def test_groups_apart_are_named_and_the_largest_is_kept():
    views, lists = _night(
        Sky(2, width=9000, n=9000), [View(9 * k) for k in range(4)] + [View(3500 + k) for k in (0, 9)]
    )
    found = _register(views, lists)
    assert found.groups == (("000", "001", "002", "003"), ("004", "005"))
    assert set(found.failed) == {"004", "005"}
    assert "group of 2 frames (004, 005)" in found.failed["004"].message
    assert found.failed["004"].facts["group_size"] == 2


def _sky_of(view):
    """A sky solution with 1 arcsec per unbinned pixel, whose tangent point is zero of the planted sky."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [180.0, 30.0]
    origin, east, north = (view.pixels(np.array([place]))[0] for place in (0, -1, 1j))
    wcs.wcs.crpix = [origin.real + 1, origin.imag + 1]
    steps = np.array([[(east - origin).real, (north - origin).real], [(east - origin).imag, (north - origin).imag]])
    wcs.wcs.cd = np.linalg.inv(steps) / 3600
    return wcs


def test_frames_with_a_sky_solution_lend_it_to_the_others():
    planned = [View(40 * k, 25 * k, k == 2) for k in range(5)] + [View(3500 + 30 * k, k) for k in range(3)]
    views, lists = _night(Sky(3, width=9000, n=9000), [*planned, View(-3800), View(-3790)])
    anchors = {name: _sky_of(views[name]) for name in ("001", "003", "006")}
    found = _register(views, lists, anchors=anchors)
    assert set(found.failed) == {"008", "009"}
    assert found.wcs["001"] is anchors["001"]
    assert found.references["007"] == "006"
    assert found.references["003"] == "003"
    for name, wcs in found.wcs.items():
        z = views[name].corners
        ours = SkyCoord(*wcs.all_pix2world(z.real, z.imag, 0), unit="deg")
        truth = SkyCoord(*_sky_of(views[name]).all_pix2world(z.real, z.imag, 0), unit="deg")
        assert ours.separation(truth).arcsec.max() < 0.3


def test_a_frame_takes_the_sky_of_the_anchor_it_shares_most_with():
    views, lists = _night(Sky(3, width=5000, n=3500), [View(250 * k - 1000) for k in range(9)])
    found = _register(views, lists, anchors={name: _sky_of(views[name]) for name in ("000", "008")})
    assert found.failed == {}
    assert found.references["001"] == "000"
    assert found.references["007"] == "008"


def test_an_anchor_without_stars_is_no_failure():
    views, lists = _night(Sky(3), [View(), View(9), View(18)])
    lists["002"] = StarList([], [], [])
    found = _register(views, lists, anchors={name: _sky_of(views[name]) for name in ("000", "002")})
    assert found.failed == {}
    assert set(found.wcs) == {"000", "001"}


def test_the_order_of_the_frames_changes_nothing():
    views, lists = _night(Sky(5), [View(30 * k, 5 * k) for k in range(6)], hot=HOT[:100])
    one = _register(views, lists)
    two = _register(dict(reversed(views.items())), dict(reversed(lists.items())))
    shuffled = {name: StarList(s.x[::-1], s.y[::-1], s.flux[::-1]) for name, s in lists.items()}
    three = _register(views, shuffled)
    for other in (two, three):
        assert other.reference == one.reference
        assert other.residuals == one.residuals
        assert all(np.array_equal(other.transforms[name], m) for name, m in one.transforms.items())


def test_times_tell_the_neighbours():
    views, lists = _night(Sky(7), [View(-1400 + 400 * k) for k in range(8)])
    order = np.random.default_rng(3).permutation(8)
    times = {f"{name}": float(order[k]) for k, name in enumerate(views)}
    views, lists = ({name: values[f"{order[k]:03d}"] for k, name in enumerate(values)} for values in (views, lists))
    assert _worst(_register(views, lists, times=times), views) < 0.5


@pytest.fixture(scope="module")
def real(shared_data):
    """Detections of eleven raw frames, hot pixels and all, without sky solution."""
    lists, shapes = {}, {}
    for path in sorted((shared_data / "stack-hatp32").glob("*.FITS.gz")):
        data = np.ascontiguousarray(fits.getdata(path).astype(np.float32))
        background = sep.Background(data)
        found = sep.extract(data - background, 5.0, err=background.globalrms)
        lists[path.name[:20]] = StarList(found["x"], found["y"], found["flux"])
        shapes[path.name[:20]] = data.shape
    if len(lists) != 11:
        pytest.skip("the eleven frames of HAT-P-32 are absent")
    return lists, shapes, register(lists, shapes)


def _points(stars):
    return np.column_stack([stars.x, stars.y])


def _again(registered, first, second, lists):
    """Distances of the stars common to two frames, paired afresh; what stays on its pixel is no star."""
    to_reference = [
        taken(registered.transforms[name], _points(lists[name]) @ np.array([1, 1j])) for name in (first, second)
    ]
    one, two = (np.column_stack([z.real, z.imag]) for z in to_reference)
    distance, found = cKDTree(two).query(one, distance_upper_bound=2.0)
    back = cKDTree(one).query(two)[1]
    paired = np.isfinite(distance)
    paired[paired] &= back[found[paired]] == np.flatnonzero(paired)
    stayed = cKDTree(_points(lists[second])).query(_points(lists[first]))[0] < 1
    return distance[paired & ~stayed]


def test_real_frames_are_registered(real):
    lists, _, found = real
    assert found.failed == {}
    names = sorted(lists)
    for first, second in pairwise(names):
        distance = _again(found, first, second, lists)
        assert distance.size >= 20
        assert np.median(distance) <= 0.15
        assert np.sqrt(np.mean(distance**2)) <= 0.3
    steps = [found.transforms[name] for name in (names[0], names[-1])]
    turn = np.degrees([np.arctan2(step[1, 0], step[0, 0]) for step in steps])
    assert abs(turn[1] - turn[0]) == pytest.approx(0.47, abs=0.1)


def test_hot_pixels_do_not_hold_the_real_frames(real):
    lists, _, found = real
    names = sorted(lists)
    middle = np.array([325 + 250j])
    ends = [taken(found.transforms[name], middle)[0] for name in (names[0], names[-1])]
    assert abs(ends[1] - ends[0]) > 200


def test_astroalign_agrees_on_the_real_frames(real):
    astroalign = pytest.importorskip("astroalign")
    lists, shapes, found = real
    trees = {name: cKDTree(_points(stars)) for name, stars in lists.items()}

    def brightest(name, other):
        # astroalign takes what is brightest for stars: what stays on its pixel, the hot pixels, is kept from it.
        moved = trees[other].query(_points(lists[name]))[0] > 1
        order = np.argsort(-lists[name].flux[moved])[:100]
        return _points(lists[name])[moved][order]

    for first, second in pairwise(sorted(lists)):
        lists_of_both = brightest(first, second), brightest(second, first)
        theirs, (here, there) = astroalign.find_transform(*lists_of_both, max_control_points=100)
        between = np.abs(_complex(found, first, here) - _complex(found, second, there))
        assert between.size >= 80
        assert np.median(between) < 0.1
        # Its own map is a least squares that a few blends pull by up to 0.2 px; without those it is ours.
        ny, nx = shapes[first]
        grid = np.stack(np.meshgrid(np.linspace(0.2 * nx, 0.8 * nx, 5), np.linspace(0.2 * ny, 0.8 * ny, 5)), -1)
        grid = grid.reshape(-1, 2)
        place = _complex(found, first, grid)
        assert np.abs(place - _complex(found, second, theirs(grid))).max() < 0.4
        assert np.median(np.abs(place - _complex(found, second, _clipped(here, there)(grid)))) < 0.1


def _complex(registered, name, points):
    return taken(registered.transforms[name], points @ np.array([1, 1j]))


def _clipped(here, there):
    """Affine least squares of pairs of stars, those farther off than three medians left out."""
    kept, design = np.ones(len(here), dtype=bool), np.column_stack([here, np.ones(len(here))])
    for _ in range(5):
        terms = np.linalg.lstsq(design[kept], there[kept], rcond=None)[0]
        off = np.linalg.norm(design @ terms - there, axis=1)
        kept = off < 3 * np.median(off)
    return lambda points: np.column_stack([points, np.ones(len(points))]) @ terms
