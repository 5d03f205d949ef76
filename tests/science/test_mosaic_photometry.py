"""Planted gains, levels and slopes found again, from the pixels of simulated mosaics and from made-up cells."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.canvas import CanvasRules, plan_canvas
from lostlight.science.mosaic.frame.levels import aperture_radius, levels
from lostlight.science.mosaic.frame.measure import measure
from lostlight.science.mosaic.level.photometry import PhotometryRules, solve_photometry
from lostlight.science.mosaic.level.second_pass import levelled
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.level.surface import basis, sky_surface
from lostlight.science.mosaic.window import Window
from lostlight.sim.mosaics import scene


def stats_of(made):
    """Measure a simulated scene as the step does."""
    frames = {f.name: (WCS(f.header), f.data.shape[-2:]) for f in made.frames}
    canvas = plan_canvas(frames, CanvasRules())
    measured = [measure(np.atleast_3d(f.data.T).T, made.design.saturate) for f in made.frames]
    radius, found = aperture_radius([m.fwhm_px for m in measured]), []
    for frame, own in zip(made.frames, measured, strict=True):
        data = np.atleast_3d(frame.data.T).T
        y, x = np.mgrid[: data.shape[1], : data.shape[2]]
        on_canvas = canvas.wcs.world_to_pixel(WCS(frame.header).pixel_to_world(x, y))
        stars, sky, fine = levels(data, own, *on_canvas, canvas.shape[1], radius, 64)
        area = float(data.shape[1] * data.shape[2])
        found.append(FrameStats(frame.name, stars, sky, fine, own.sigma, own.fwhm_px, area_px=area))
    return found


def gain_error(made, found):
    ratio = found.gain / np.array([t.gain for t in made.truth.frames])
    return np.abs(ratio / np.exp(np.mean(np.log(ratio), axis=0)) - 1).max()


@pytest.fixture(scope="module")
def nine():
    """Nine tiles, gains ±25 %, offsets, slopes, stars and a nebula."""
    made = scene(1, slopes=60)
    return made, stats_of(made)


def judge(made, stats):
    found = solve_photometry(stats, PhotometryRules())
    residual = found.diagnostics["overlap_residual_sigma"]
    spread = found.diagnostics["inter_tile_median_std"]
    assert residual["max"] < 0.1
    assert spread["after"][0] < 0.1 * spread["before"][0]
    return gain_error(made, found)


def test_planted_gains_levels_and_slopes(nine):
    assert judge(*nine) < 0.005


@pytest.mark.parametrize("seed", [2, 3])
def test_few_stars_and_a_nebula(seed):
    made = scene(seed, slopes=60, n_stars=40, nebula=600)
    assert judge(made, stats_of(made)) < 0.015


def test_some_bright_stars_and_no_nebula():
    made = scene(2, slopes=60, n_stars=120, nebula=0, flux=(3000, 300_000))
    assert judge(made, stats_of(made)) < 0.015


def test_colours_on_one_geometry():
    made = scene(4, slopes=60, channels=3, layout=(2, 2), tile_px=(401, 453))
    found = solve_photometry(stats_of(made), PhotometryRules())
    assert found.gain.shape == (4, 3)
    assert found.sky.shape == (4, 3, 3)
    assert gain_error(made, found) < 0.01


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 22))
@pytest.mark.parametrize(
    ("knobs", "limit"),
    [
        ({}, 0.005),
        ({"n_stars": 40, "nebula": 600}, 0.015),
        ({"n_stars": 120, "nebula": 600}, 0.015),
        ({"n_stars": 120, "nebula": 0, "flux": (10_000, 300_000)}, 0.025),
    ],
)
def test_many_seeds(seed, knobs, limit):
    made = scene(seed, slopes=60, **knobs)
    assert judge(made, stats_of(made)) < limit


def test_any_reference_gives_the_same_mosaic(nine):
    """Another reference multiplies and shifts everything by constants, and nothing else."""
    _, stats = nine
    first, other = (solve_photometry(stats, PhotometryRules(), k) for k in (0, 7))
    assert first.reference == 0
    assert other.reference == 7
    assert other.gain[7, 0] == 1
    factor = other.gain[:, 0] / first.gain[:, 0]
    assert np.ptp(factor) / factor[0] < 1e-8
    shift = []
    for k in range(9):
        window = Window(int(first.centre[k, 1]) - 200, int(first.centre[k, 0]) - 200, 401, 399)
        one, two = (sky_surface(p.sky[k, 0], p.centre[k], p.half_px, window) for p in (first, other))
        shift.append(two / factor[0] - one)
    assert np.ptp(shift) < 1e-5 * 600


def test_the_order_of_frames_does_not_matter(nine):
    _, stats = nine
    order = np.random.default_rng(0).permutation(9)
    straight, mixed = (solve_photometry(s, PhotometryRules()) for s in (stats, [stats[k] for k in order]))
    assert np.array_equal(mixed.gain, straight.gain[order])
    assert np.array_equal(mixed.sky, straight.sky[order])
    assert np.array_equal(mixed.gain_sigma, straight.gain_sigma[order])
    assert order[mixed.reference] == straight.reference
    assert mixed.diagnostics == straight.diagnostics


def test_numbers_of_references_count_the_frames_as_given(nine):
    _, stats = nine
    turned = stats[::-1]
    assert solve_photometry(turned, PhotometryRules(), 2).reference == 2
    assert solve_photometry(turned, PhotometryRules(), "first").reference == 0


def made_up(offsets=(), gains=None, slopes=None, seed=0, side=20, sigma=5.0, stars=60, n_channels=1, step=10):
    """Frames in a row, each overlapping the next by half: cells and stars with truth, no pixels."""
    rng = np.random.default_rng(seed)
    n = len(offsets)
    gains = np.ones(n) if gains is None else np.asarray(gains)
    slopes = np.zeros((n, 2)) if slopes is None else slopes
    columns = step * (n - 1) + side
    sky = rng.normal(0, 40, (side, columns)).cumsum(1).cumsum(0) / 30
    sx, sy = rng.uniform(0, columns * 15, stars * n), rng.uniform(0, side * 15, stars * n)
    brightness = np.exp(rng.uniform(9, 13, stars * n))
    found = []
    for k in range(n):
        rows, cols = (g.ravel() for g in np.mgrid[:side, k * step : k * step + side])
        u, v = cols * 15 + 7.0, rows * 15 + 7.0
        centre = np.array([k * step * 15 + side * 7.5, side * 7.5])
        tilt = ((u - centre[0]) * slopes[k][0] + (v - centre[1]) * slopes[k][1]) / (side * 7.5)
        value = (sky[rows, cols] + tilt) / gains[k] + offsets[k] + rng.normal(0, 0.08 * sigma, len(u))
        inside = (np.abs(sx - centre[0]) < side * 7) & (np.abs(sy - centre[1]) < side * 7)
        flux = brightness[inside] / gains[k] * np.exp(rng.normal(0, 0.005, inside.sum()))
        variance = np.full((len(u), n_channels), (0.08 * sigma) ** 2, np.float32)
        fine = Cells(rows * 10_000 + cols, u, v, np.repeat(value[:, None], n_channels, 1).astype(np.float32), variance,
                     np.full(len(u), 225))  # fmt: skip
        own = Stars(
            sx[inside], sy[inside], *(np.repeat(f[:, None], n_channels, 1) for f in (flux, np.full_like(flux, 30)))
        )
        found.append(FrameStats(f"f{k:03d}", own, fine, fine, np.full(n_channels, sigma), area_px=(side * 15.0) ** 2))
    return found


def test_a_chain_of_a_hundred_frames():
    rng = np.random.default_rng(5)
    gains, offsets = rng.uniform(0.75, 1.25, 100), rng.uniform(200, 600, 100)
    stats = made_up(offsets, gains, side=12, step=6, stars=20)
    found = solve_photometry(stats, PhotometryRules(sky_order=0))
    assert np.abs(found.gain[:, 0] * gains[found.reference] / gains - 1).max() < 0.05
    off = np.log(found.gain[:, 0] / gains)
    assert np.abs(np.diff(off)).max() < 0.01, "from one frame to the next"
    assert np.abs(off - off[found.reference]).max() < 4 * found.gain_sigma.max()
    assert found.diagnostics["overlap_residual_sigma"]["max"] < 0.1
    assert found.diagnostics["components"] == 1


def test_exposures_are_the_expectation_where_nothing_else_speaks():
    stats = [replace(s, stars=Stars.none(1), exptime_s=t) for s, t in zip(made_up((100, 300)), (60, 120), strict=True)]
    flat = [replace(s, fine=replace(s.fine, value=np.full_like(s.fine.value, 100))) for s in stats]
    found = solve_photometry(flat, PhotometryRules(), 0)
    assert found.gain[1, 0] == pytest.approx(0.5)
    assert found.status == ["ok", "ok"]
    assert "exposures" in found.diagnostics["fallbacks"][0]


def test_stars_decide_against_the_exposures():
    stats = [replace(s, exptime_s=t) for s, t in zip(made_up((100, 300), gains=(1, 2)), (60, 60), strict=True)]
    assert solve_photometry(stats, PhotometryRules(), 0).gain[1, 0] == pytest.approx(2, rel=0.01)


def test_levels_alone_leave_the_gains():
    found = solve_photometry(made_up((100, 350, 20)), PhotometryRules("offset", sky_order=0), 0)
    assert np.array_equal(found.gain, np.ones((3, 1)))
    assert found.sky[:, 0, 0] == pytest.approx([0, 250, -80], abs=0.1)


def test_nothing_is_nothing():
    found = solve_photometry(made_up((100, 350)), PhotometryRules("none"), 0)
    assert np.array_equal(found.gain, np.ones((2, 1)))
    assert not found.sky.any()
    assert found.diagnostics["overlap_residual_sigma"]["max"] == pytest.approx(50, rel=0.05)


def test_ratios_of_medians_scale_stars_by_the_sky(caplog):
    """Sky of 1000, 1500 and 3000 with one transparency: star fluxes of 1, 2/3, 1/3, with a warning."""
    stats = [replace(s, median=np.array([m])) for s, m in zip(made_up((0, 0, 0)), (1000, 1500, 3000), strict=True)]
    with caplog.at_level(logging.WARNING):
        found = solve_photometry(stats, PhotometryRules("median_ratio"), 0)
    assert found.gain[:, 0] == pytest.approx([1, 2 / 3, 1 / 3])
    assert not found.sky.any()
    assert "stars come out wrong" in caplog.text
    assert any("stars" in w for w in found.warnings)


def test_ratios_of_medians_are_one_where_a_median_is_not_above_zero():
    stats = [replace(s, median=np.array([m])) for s, m in zip(made_up((0, 0)), (1000, -3), strict=True)]
    found = solve_photometry(stats, PhotometryRules("median_ratio"), 0)
    assert found.gain[:, 0].tolist() == [1, 1]
    assert "not above 0" in found.diagnostics["fallbacks"][0]


def test_medians_of_cells_stand_in_for_those_of_pixels():
    stats = made_up((1000, 2000), sigma=1)
    found = solve_photometry(stats, PhotometryRules("median_ratio"), 0)
    assert found.gain[1, 0] == pytest.approx(np.median(stats[0].fine.value) / np.median(stats[1].fine.value), rel=1e-3)


def test_a_frame_of_another_world_is_left_out_and_harms_nobody():
    gains = (1, 1.1, 30, 0.9, 1)
    found = solve_photometry(made_up((100, 200, 300, 400, 500), gains), PhotometryRules(), "auto")
    assert [s.split(":")[0] for s in found.status] == ["ok", "ok", "excluded", "ok", "ok"]
    assert found.reference != 2
    assert found.gain[2, 0] / found.gain[3, 0] == pytest.approx(30 / 0.9, rel=0.02)
    assert not found.sky[2].any()
    assert any("f002" in w for w in found.warnings)


def test_a_frame_without_any_pixel_gets_gain_one():
    stats = made_up((100, 200, 300), (1, 1.2, 1))
    stats[1] = replace(stats[1], stars=Stars.none(1), sky=Cells.none(1), fine=Cells.none(1), sigma=np.array([np.nan]))
    found = solve_photometry(stats, PhotometryRules(), 1)
    assert found.status[1].startswith("unlevelled")
    assert found.reference == 2, "the next one that is sound"
    assert found.gain[1, 0] == 1
    assert np.isfinite(found.gain).all() and np.isfinite(found.sky).all() and np.isfinite(found.gain_sigma).all()


def test_all_frames_empty():
    empty = [FrameStats(k, Stars.none(3), Cells.none(3), Cells.none(3), np.full(3, np.nan)) for k in "ab"]
    for method in ("overlap", "median_ratio", "offset", "none"):
        found = solve_photometry(empty, PhotometryRules(method))
        assert np.array_equal(found.gain, np.ones((2, 3)))
        assert not found.sky.any()


def test_a_single_frame_stays_as_it_is():
    found = solve_photometry(made_up((300,)), PhotometryRules())
    assert found.gain[0, 0] == 1
    assert not found.sky[0, 0, 0]
    assert found.status == ["ok"]
    assert found.diagnostics["overlap_residual_sigma"]["max"] == 0


def test_frames_apart_are_both_kept_and_brought_to_one_level(caplog):
    stats = made_up((100, 200, 300, 900), stars=0)
    far = replace(
        stats[3], fine=replace(stats[3].fine, index=stats[3].fine.index + 10**8, value=stats[0].fine.value + 800)
    )
    with caplog.at_level(logging.WARNING):
        found = solve_photometry([stats[0], stats[1], far], PhotometryRules(sky_order=0), 0)
    assert found.component.tolist() == [0, 0, 2]
    assert "f003" in caplog.text
    dark = [
        np.percentile(s.fine.value * found.gain[k] - found.sky[k, 0, 0], 10)
        for k, s in enumerate([stats[0], stats[1], far])
    ]
    assert dark[2] == pytest.approx(min(dark[:2]), abs=15)


def test_a_plane_under_everything_is_not_made_up():
    """Slopes that overlaps cannot tell are zero on the mean; slopes between frames are found."""
    slopes = np.random.default_rng(2).uniform(-40, 40, (6, 2))
    found = solve_photometry(made_up([300] * 6, slopes=slopes), PhotometryRules(), 0)
    got = found.sky[:, 0, 1:] * (15 * 10 / found.half_px)
    assert np.abs(found.sky[:, 0, 1:].mean(0)).max() < 0.5
    assert np.abs((got - got.mean(0)) - (slopes - slopes.mean(0))).max() < 2


def test_a_bend_of_the_sky_takes_the_second_order():
    stats = made_up((0, 0, 0), stars=80, sigma=1)
    centre = np.array([300.0, 150.0])
    bent = basis(stats[1].fine.u, stats[1].fine.v, centre, 150, 2) @ [0, 0, 0, 60, 20, 40]
    stats[1] = replace(
        stats[1], fine=replace(stats[1].fine, value=stats[1].fine.value + bent[:, None].astype(np.float32))
    )
    worst = [solve_photometry(stats, PhotometryRules(sky_order=k), 0).diagnostics for k in (1, 2)]
    rms = [d["overlap_residual_sigma"]["rms"] for d in worst]
    assert rms[1] < 0.2 * max(rms[0], 0.1)


def test_levelled_cells_agree(nine):
    _, stats = nine
    found = solve_photometry(stats, PhotometryRules())
    done = [levelled(s, found.gain[k], found.sky[k], found.centre[k], found.half_px) for k, s in enumerate(stats)]
    again = solve_photometry(done, PhotometryRules(), found.reference)
    assert np.abs(again.gain - 1).max() < 1e-3
    assert again.diagnostics["overlap_residual_sigma_before"]["max"] < 0.1


@pytest.mark.parametrize(("reference", "chosen"), [("auto", 3), ("weight", 3), ("central", 2), ("first", 0), (4, 4)])
def test_references(reference, chosen):
    stats = [replace(s, sigma=np.array([2.0 if k == 3 else 5.0])) for k, s in enumerate(made_up([100] * 5))]
    assert solve_photometry(stats, PhotometryRules(), reference).reference == chosen


def test_alike_frames_are_told_apart_by_their_place():
    assert solve_photometry(made_up([100] * 5), PhotometryRules("none")).reference == 2


@pytest.mark.parametrize("reference", [5, -1, "best"])
def test_references_that_do_not_exist(reference):
    with pytest.raises(ConfigError, match="reference"):
        solve_photometry(made_up([100] * 5), PhotometryRules("none"), reference)


@pytest.mark.parametrize("bad", [{"method": "guess"}, {"sky_order": 3}, {"gain_prior": 0}])
def test_rules_that_cannot_be(bad):
    with pytest.raises(ConfigError):
        PhotometryRules(**bad)


def test_mono_and_colour_do_not_mix():
    with pytest.raises(ConfigError, match="f000"):
        solve_photometry([made_up((1,))[0], replace(made_up((1,), n_channels=3)[0], id="c")], PhotometryRules())
    with pytest.raises(ConfigError, match="no frame"):
        solve_photometry([], PhotometryRules())


def test_the_four_tiles_of_2mass(shared_data):
    """Tiles of one scan differ by constants."""
    from astropy.io import fits

    paths = sorted((shared_data / "mosaic-2mass-m17").glob("aK_asky_*.fits.gz"))
    frames = {p.name: (fits.getdata(p).astype(np.float32), fits.getheader(p)) for p in paths}
    canvas = plan_canvas({k: (WCS(h), d.shape) for k, (d, h) in frames.items()}, CanvasRules())
    stats = []
    for name, (data, header) in frames.items():
        own = measure(data[None])
        y, x = np.mgrid[: data.shape[0], : data.shape[1]]
        on_canvas = canvas.wcs.world_to_pixel(WCS(header).pixel_to_world(x, y))
        stars, sky, fine = levels(data[None], own, *on_canvas, canvas.shape[1], 5.0, 64)
        stats.append(FrameStats(name, stars, sky, fine, own.sigma, own.fwhm_px))
    found = solve_photometry(stats, PhotometryRules())
    residual = found.diagnostics["overlap_residual_sigma"]
    assert residual["max"] < 0.25, "tiles of two scans do not agree to better than this"
    assert residual["rms"] < 0.2 * found.diagnostics["overlap_residual_sigma_before"]["rms"]
    names = sorted(frames)
    before = {tuple(names.index(k) for k in p["frames"]): p["before"][0] for p in found.diagnostics["pairs"]}
    assert before[0, 1] == pytest.approx(-0.595, abs=0.03)
    assert before[2, 3] == pytest.approx(2.029, abs=0.03)
    assert np.abs(found.gain - 1).max() < 0.02
    assert [s for s in found.status if s != "ok"] == []
