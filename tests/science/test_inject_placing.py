"""Sources in their places and on their ways, against astropy and closed forms."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.special import ndtr
from tests.injection_scene import SCALE, SHAPE, bad_pixels, epochs

from lostlight.science.inject import visible
from lostlight.science.inject.paths import positions_at, trace
from lostlight.science.inject.placing import Room, field, place
from lostlight.science.inject.psf import gaussian
from lostlight.science.inject.render import render_cases
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import streams
from lostlight.science.inject.sources import OPPOSITION, joined, sample_types
from lostlight.science.inject.targets import TargetConfig
from lostlight.science.inject.visible import Masks, fractions

S = 2.5 / 2.3548200450309493


def placed(known, kind, n=40, bad=None, seed=2, **options):
    rules = InjectionRules(seed=seed, classes={kind: 1.0}, **options)
    room = Room(lambda _: field(known), None, Masks(bad, len(known), known.shape))
    return place(known, rules, np.full(n, kind), streams(seed, "plan", 0), room)


def test_sources_are_where_astropy_says_at_their_rates():
    known = epochs(n=4)
    made = placed(known, "fast", 12, target=TargetConfig("mid"))
    paths = trace(made.sources, known, 1.0)
    numbers = made.sources.numbers
    start = positions_at(made.sources, known, made.mjd_ref)
    at = SkyCoord(start["ra_deg"], start["dec_deg"], unit="deg")
    for t in range(4):
        hours = (known.mjd_mid[t] - made.mjd_ref) * 24
        there = at.directional_offset_by(numbers["pa_deg"] * u.deg, numbers["rate_arcsec_h"] * hours * u.arcsec)
        x, y = known.wcs[t].all_world2pix(there.ra.deg, there.dec.deg, 0)
        assert paths.x_px[:, t] == pytest.approx(x, abs=2e-6) and paths.y_px[:, t] == pytest.approx(y, abs=2e-6)
    rate = np.hypot(paths.rate_ra_arcsec_h, paths.rate_dec_arcsec_h)
    assert rate == pytest.approx(np.repeat(numbers["rate_arcsec_h"][:, None], 4, 1), rel=1e-6)
    assert start["rate_arcsec_h"] == pytest.approx(numbers["rate_arcsec_h"], rel=1e-6)
    assert start["pa_deg"] == pytest.approx(numbers["pa_deg"], abs=1e-4)
    assert paths.trail_px == pytest.approx(rate * 100 / 3600 / SCALE, rel=1e-4)


def test_nodes_cover_the_trail_evenly():
    known = epochs(n=3, dithers=False)
    paths = trace(placed(known, "fast", 6, target=TargetConfig("mid")).sources, known, 1.0)
    assert sorted(np.concatenate([nodes.which for nodes in paths.nodes]).tolist()) == list(range(6))
    for nodes in paths.nodes:
        k = nodes.weights.size
        assert k > 10 and nodes.weights.sum() == pytest.approx(1)
        x, y = paths.x[nodes.which, :, :k], paths.y[nodes.which, :, :k]
        assert np.isnan(paths.x[nodes.which, :, k:]).all()
        assert (x * nodes.weights).sum(axis=2) == pytest.approx(paths.x_px[nodes.which], abs=1e-4)
        length, trail = np.hypot(np.ptp(x, axis=2), np.ptp(y, axis=2)), paths.trail_px[nodes.which]
        assert (length < trail).all() and (length > 0.97 * trail).all()


@pytest.mark.parametrize(("kind", "motion"), [("fast", "linear"), ("nea", "kepler")])
def test_between_its_moments_a_source_is_where_it_is_then(kind, motion):
    known = epochs(n=2, exptime_s=600.0)
    made = placed(known, kind, 20, motion=motion, target=TargetConfig("mid"))
    paths = trace(made.sources, known, 1.0)
    for nodes in paths.nodes:
        ra, dec = made.sources.at(nodes.mjd)
        for t, wcs in enumerate(known.wcs):
            x, y = wcs.all_world2pix(ra[nodes.which, t].ravel(), dec[nodes.which, t].ravel(), 0)
            k = nodes.weights.size
            assert paths.x[nodes.which, t, :k].ravel() == pytest.approx(x, abs=1e-4)
            assert paths.y[nodes.which, t, :k].ravel() == pytest.approx(y, abs=1e-4)


def test_what_stands_still_has_one_node_and_no_trail():
    known = epochs(n=3)
    paths = trace(placed(known, "static", 5).sources, known, 1.0)
    assert paths.x.shape == (5, 3, 1) and paths.trail_px == pytest.approx(0, abs=1e-6)


def test_without_a_sky_east_is_along_x_and_north_against_y():
    known = epochs(on_sky=False, mjd=OPPOSITION[0])
    made = placed(known, "mba", 8, plate_scale=0.5, target=TargetConfig("uniform"))
    paths = trace(made.sources, known, 0.5)
    hours = known.days * 24
    for sign, column, pixels in ((1, "rate_ra_arcsec_h", paths.x_px), (-1, "rate_dec_arcsec_h", paths.y_px)):
        expected = sign * made.sources.numbers[column][:, None] / 0.5 * hours
        assert pixels - pixels[:, :1] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(paths.ra_deg).all()
    assert paths.rate_ra_arcsec_h[:, 0] == pytest.approx(made.sources.numbers["rate_ra_arcsec_h"], rel=1e-5)


def test_fractions_on_the_image_are_those_of_a_gaussian():
    psf = gaussian(2.5)
    x, y = np.array([-0.5, 10.0, SHAPE[1] - 0.5, 40.3, -30.0]), np.array([50.0, 50.0, SHAPE[0] - 0.5, -1.5, 20.0])
    nodes = [v[:, None, None] for v in (x, y)]
    on_image, masked = fractions([psf], Masks(None, 1, SHAPE), *nodes, np.ones((5, 1, 1)))
    assert on_image[:, 0] == pytest.approx([0.5, 1, 0.25, ndtr(-1 / S), 0], abs=1e-5)
    assert not masked.any()


def test_light_on_masked_pixels_is_counted_as_a_rendered_image_shows_it():
    known = epochs(n=3, dithers=False)
    bad = bad_pixels(3)
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-5, 228, (9, 3, 4)), rng.uniform(-5, 190, (9, 3, 4))
    flux = rng.uniform(1, 2, (9, 3, 4))
    light = render_cases(known.psfs, SHAPE, x, y, flux, np.float64)
    total = flux.sum(axis=2)
    masks = Masks(bad, 3, SHAPE)
    assert np.array_equal(masks.plane(1), bad[1])
    on_image, masked = fractions(known.psfs, masks, x, y, flux)
    assert on_image == pytest.approx(light.sum(axis=(2, 3)) / total, abs=1e-5)
    assert masked == pytest.approx((light * bad).sum(axis=(2, 3)) / total, abs=1e-5)
    assert masked.max() > 0.3


def test_boxes_are_images_of_their_own():
    psf, one = gaussian(2.5), np.ones((2, 1, 1))
    boxes = np.array([[0, 40, 0, 40], [0, 40, 30, 70]])
    on_image, _ = fractions([psf], Masks(None, 1, SHAPE), 29.5 * one, 20 * one, one, boxes)
    assert on_image[:, 0] == pytest.approx([1, 0.5], abs=1e-5)


def test_long_trails_and_points_are_rendered_in_portions_that_fit(monkeypatch):
    known = epochs(n=1)
    monkeypatch.setattr(visible, "STAMP_BUDGET", 3000)
    x = np.stack([np.linspace(0, reach, 30) + 20 for reach in (100, 0, 3, 60, 1)])
    parts = list(visible.stamps_of(known.psfs[0], x, np.full(x.shape, 90.0), np.full(x.shape, 1 / 30)))
    assert len(parts) >= 3 and sorted(np.concatenate([p[0] for p in parts]).tolist()) == [0, 1, 2, 3, 4]
    assert all(values.sum(axis=(1, 2)) == pytest.approx(1, abs=2e-5) for _, values, _ in parts)
    assert min(values.shape[1] for _, values, _ in parts) < 40 < 100 < max(values.shape[1] for _, values, _ in parts)


def test_loops_that_count_light_as_python_runs_them():
    values, corner = np.ones((1, 3, 3)), np.array([[-1, 7]])
    packed = np.packbits(np.eye(10, dtype=bool), axis=1)
    on, bad = visible.light_on.py_func(values, corner, np.array([[0, 10, 0, 9]]), packed)
    assert (on.tolist(), bad.tolist()) == ([4.0], [0.0])
    on, bad = visible.light_on.py_func(values, np.array([[3, 3]]), np.array([[0, 10, 0, 10]]), packed)
    assert (on.tolist(), bad.tolist()) == ([9.0], [3.0])


def test_visible_sources_are_seen_and_the_rest_is_told():
    known, bad = epochs(), bad_pixels()
    made = placed(known, "centaur", 60, bad, target=TargetConfig("visible", min_epochs=1.0))
    paths = trace(made.sources, known, 1.0)
    on_image, masked = fractions(known.psfs, Masks(bad, 5, SHAPE), paths.x, paths.y, np.ones(paths.x.shape))
    assert (on_image - masked >= 0.9).all(axis=1).mean() > 0.95
    blind = placed(known, "centaur", 2000, None, target=TargetConfig("mid"))
    paths = trace(blind.sources, known, 1.0)
    masks = Masks(bad, 5, SHAPE)
    on_image, masked = fractions(known.psfs, masks, paths.x[..., :1], paths.y[..., :1], np.ones((2000, 5, 1)))
    geometric = (on_image - masked >= 0.9).all(axis=1).mean()
    assert made.acceptance[0] == pytest.approx(geometric, abs=4 * np.sqrt(geometric / 60))


def test_what_can_never_be_seen_is_taken_as_it_is():
    known = epochs()
    made = placed(known, "tno", 3, np.ones((5, *SHAPE), bool), target=TargetConfig("visible", max_tries=3))
    assert made.acceptance.tolist() == [0, 0, 0] and len(made.sources) == 3


def test_the_field_holds_all_images():
    known = epochs()
    box = field(known)
    for wcs in known.wcs:
        corner = known.wcs[0].all_world2pix(*wcs.all_pix2world([0, SHAPE[1] - 1], [0, SHAPE[0] - 1], 0), 0)
        assert np.min(corner[0]) >= box.x0 - 0.51 and np.max(corner[0]) <= box.x0 + box.width - 0.49
        assert np.min(corner[1]) >= box.y0 - 0.51 and np.max(corner[1]) <= box.y0 + box.height - 0.49
    assert field(epochs(on_sky=False)).width == SHAPE[1]


def test_sources_that_take_the_place_of_others_move_on_their_own_ways():
    known = epochs()
    first, second = placed(known, "tno", 6).sources, placed(known, "mba", 2, seed=9, motion="abg").sources
    both = joined(joined(first, second, np.array([1, 4])), second, np.array([4, 5]))
    ra, _ = both.at(known.mjd_mid)
    assert both.kind.tolist() == ["tno", "mba", "tno", "tno", "mba", "mba"]
    assert np.array_equal(ra[[0, 2, 3]], first.at(known.mjd_mid)[0][[0, 2, 3]])
    assert np.array_equal(ra[[1, 4, 5]], second.at(known.mjd_mid)[0][[0, 0, 1]])
    assert np.array_equal(both.numbers["a_au"][[4, 5]], second.numbers["a_au"])


@pytest.mark.parametrize("kind", ["tno", "mba"])
def test_orbits_begin_where_and_as_straight_motion_does(kind):
    known = replace(epochs(n=3, hours=0.02), exptime_s=np.zeros(3))
    ways = [
        trace(placed(known, kind, 9, motion=model, target=TargetConfig("mid")).sources, known, 1.0)
        for model in ("linear", "abg", "kepler")
    ]
    for other in ways[1:]:
        assert other.x_px == pytest.approx(ways[0].x_px, abs=0.02) and other.y_px == pytest.approx(
            ways[0].y_px, abs=0.02
        )


def test_shares_of_sample_types_are_those_asked_for():
    kind = sample_types({"tno": 3.0, "none": 1.0, "mba": 0.0}, 4000, np.random.default_rng(1))
    assert np.mean(kind == "tno") == pytest.approx(0.75, abs=0.03) and not (kind == "mba").any()
    again = sample_types({"mba": 0.0, "none": 1.0, "tno": 3.0}, 4000, np.random.default_rng(1))
    assert np.array_equal(kind, again)
