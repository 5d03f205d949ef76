"""The mosaic against the sky it is of: gains, levels, seams, star fluxes and nebula of simulated frames."""

import numpy as np
import pytest
from tests import mosaic_scene

from lostlight.science.mosaic.frame.levels import aperture_radius
from lostlight.science.mosaic.frame.quality import QualityRules, judge_quality

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix", "ignore:.*All-NaN slice", "ignore:.*empty slice")

PLANTED = {"slopes": 60.0, "gains": 0.25, "offsets": (200, 600), "flux": (4e3, 3e5)}
"""Three by three tiles; gains by a quarter, offsets of hundreds and slopes across them; stars of S/N 70 and more."""
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 9))]


def pairs(found):
    """Frames that share at least two thousand pixels: numbers, and where."""
    covered = [np.isfinite(frame[0]) for frame in found.level]
    for one in range(len(covered)):
        for other in range(one):
            both = covered[one] & covered[other]
            if both.sum() > 2000:
                yield one, other, both


def star_light(found, image, brightest, isolated_px=20.0):
    """Flux of the bright stars of a mosaic over that planted, that flux, and where they are: ratio, flux, x, y."""
    stars, sky = found.scene.truth.stars, found.scene.truth.sky
    x, y = found.canvas.wcs.all_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    planted = sky.fluxes(found.scene.truth.bands[0]) * found.scale[0]
    radius = aperture_radius([each.fwhm_px for each in found.stats])
    reach, starry = int(np.ceil(2.4 * radius)), image - found.truth[0]
    chosen = []
    for number in np.argsort(-planted)[:brightest]:
        j, i = round(float(y[number])), round(float(x[number]))
        near = np.hypot(x - x[number], y - y[number]) < isolated_px
        crowd = planted[near].sum() - planted[number]
        box = starry[max(j - reach, 0) : j + reach + 1, max(i - reach, 0) : i + reach + 1]
        if crowd > 5e-4 * planted[number] or box.shape != (2 * reach + 1,) * 2 or not np.isfinite(box).all():
            continue
        rows, columns = np.mgrid[j - reach : j + reach + 1, i - reach : i + reach + 1]
        distance = np.hypot(columns - x[number], rows - y[number])
        # Fractions of pixels on the rim, by a ramp as wide as a pixel.
        part = np.clip(radius + 0.5 - distance, 0, 1)
        background = np.median(box[(distance > 1.5 * radius) & (distance < 2.3 * radius)])
        flux = (part * (box - background)).sum()
        chosen.append((flux / planted[number], planted[number], x[number], y[number]))
    return np.transpose(chosen)


def weighed(ratio, flux):
    """Mean of ratios, each as certain as its star is bright against the sky."""
    return np.average(ratio, weights=flux**2 / (1 + (flux / 5e4) ** 2))


def tile_levels(found, frames):
    """Medians of frames less the truth, less the best plane through them, which overlaps do not measure."""
    levels = np.array([np.nanmedian(off_truth(found, frame[0])) for frame in frames])
    middle = np.array([(s.x_px, s.y_px, 1) for s in found.stats])
    return levels - middle @ np.linalg.lstsq(middle, levels, rcond=None)[0]


def off_truth(found, image):
    """A map less the nebula as planted, NaN at stars."""
    return np.where(found.starless, image - found.truth[0], np.nan)


@pytest.mark.parametrize("seed", SEEDS)
def test_overlaps_agree(seed):
    found = mosaic_scene.levelled(seed, **PLANTED)
    seams = [np.median((found.level[one] - found.level[other])[0][both]) for one, other, both in pairs(found)]
    assert len(seams) == 20
    assert np.abs(seams).max() < 0.1 * found.noise[0]
    before = [np.median((found.warped[one] - found.warped[other])[0][both]) for one, other, both in pairs(found)]
    assert np.abs(before).max() > 30 * found.noise[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_gains_are_those_planted(seed):
    found = mosaic_scene.levelled(seed, **PLANTED)
    assert set(found.photometry.status) == {"ok"}
    assert np.abs(found.gain_error).max() < 0.005
    planted = found.scene.truth.gain
    assert np.ptp(planted) > 0.2


def test_gains_are_as_certain_as_is_said():
    """Faint stars: errors of the gains in units of what the solution says they are."""
    off = []
    for seed in (3, 4):
        found = mosaic_scene.levelled(seed, n_stars=900, layout=(2, 3), tile_px=(301, 400), nebula=0.0)
        others = np.arange(6) != found.photometry.reference
        off += list((found.gain_error * found.photometry.gain / found.photometry.gain_sigma)[others, 0])
    assert 0.4 < np.sqrt(np.mean(np.square(off))) < 1.8
    assert np.abs(off).max() < 4


@pytest.mark.parametrize("seed", SEEDS)
def test_tiles_come_to_the_level_of_the_truth(seed):
    found = mosaic_scene.levelled(seed, **PLANTED)
    before, after = (np.std(tile_levels(found, frames)) for frames in (found.warped, found.level))
    assert before > 30
    assert after < before / 50


@pytest.mark.parametrize("seed", SEEDS)
def test_stars_are_as_bright_in_every_part(seed):
    found, done = mosaic_scene.mosaic(seed, **PLANTED)
    ratio, flux, x, y = star_light(found, done.layer.sci[0], 600)
    height, width = found.canvas.shape
    zone = (3 * y // height).astype(int) * 3 + (3 * x // width).astype(int)
    assert np.bincount(zone).min() >= 6
    zones = [weighed(ratio[zone == k], flux[zone == k]) for k in range(9)]
    assert np.std(zones) < 0.002
    assert abs(np.mean(zones) - 1) < 0.002


@pytest.mark.parametrize("seed", SEEDS)
def test_the_nebula_is_that_of_the_sky(seed):
    found, done = mosaic_scene.mosaic(seed, **PLANTED)
    cells = mosaic_scene.cell_medians(off_truth(found, done.layer.sci[0]), 16)
    error = mosaic_scene.plane_removed(cells)
    assert np.isfinite(error).mean() > 0.5
    assert np.nanstd(error) < 0.2 * found.noise[0]
    assert np.nanstd(mosaic_scene.cell_medians(found.truth[0], 16)) > 2 * found.noise[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_few_stars_and_a_nebula_are_enough_for_gains(seed):
    found = mosaic_scene.levelled(seed, **PLANTED, n_stars=40, nebula=600.0)
    assert np.abs(found.gain_error).max() < 0.015


def test_colours_are_levelled_each_by_itself():
    found = mosaic_scene.levelled(4, layout=(2, 2), tile_px=(301, 400), n_stars=900, channels=3, slopes=40.0)
    assert found.gain_error.shape == (4, 3)
    assert np.abs(found.gain_error).max() < 0.01
    throughput = np.array([frame.throughput for frame in found.scene.truth.frames])
    assert np.ptp(np.log(throughput[:, 2] / throughput[:, 0])) > 0.01


@pytest.mark.parametrize(
    "knobs",
    [
        {"rotation_deg": 12.0, "dither_px": 9.0, "distortion_px": 2.0},
        {"scales": (1.0, 1.25), "seeing": 0.08},
        {"centre": (0.02, 30.0), "turned": (1, 3), "curves": 0.0},
        {"centre": (40.0, 89.97), "distortion_px": 2.0, "distortion": "TPV"},
        {"exptimes_s": (60.0, 180.0), "n_per_tile": 2},
    ],
)
def test_gains_are_found_whatever_the_frames_are_like(knobs):
    found = mosaic_scene.levelled(5, layout=(2, 2), tile_px=(301, 400), n_stars=600, slopes=40.0, **knobs)
    assert np.abs(found.gain_error).max() < 0.012
    seams = [np.median((found.level[one] - found.level[other])[0][both]) for one, other, both in pairs(found)]
    assert np.abs(seams).max() < 0.15 * found.noise[0]


def test_the_reference_is_a_matter_of_units_only():
    one, other = (mosaic_scene.levelled(1, **PLANTED, reference=k).photometry for k in (0, 5))
    ratio = other.gain / one.gain
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    moved = other.sky - ratio[0, 0] * one.sky
    scale = np.abs(one.sky).max()
    np.testing.assert_allclose(moved[:, :, 0], moved[0, 0, 0], atol=1e-5 * scale)
    np.testing.assert_allclose(moved[:, :, 1:], 0, atol=1e-5 * scale)


ONE_FIELD = {
    "layout": (1, 1),
    "tile_px": (301, 330),
    "n_stars": 200,
    "n_per_tile": 10,
    "dither_px": 5.0,
    "seeing": 0.03,
}


def test_a_satellite_leaves_nothing():
    found, done = mosaic_scene.mosaic(6, **ONE_FIELD, trails=1)
    _, clean = mosaic_scene.mosaic(6, **ONE_FIELD)
    ((trail, truth),) = [(trail, truth) for truth in found.scene.truth.frames for trail in truth.trails]
    y, x = np.indices(found.canvas.shape)
    at_x, at_y = truth.wcs.all_world2pix(*found.canvas.wcs.all_pix2world(x, y, 0), 0)
    (x0, y0), (x1, y1) = trail.start, trail.end
    distance = abs((x1 - x0) * (y0 - at_y) - (x0 - at_x) * (y1 - y0)) / np.hypot(x1 - x0, y1 - y0)
    inside = (at_x > 10) & (at_x < 319) & (at_y > 10) & (at_y < 290) & (done.layer.cov >= 8)
    on = inside & (distance < 1)
    assert on.sum() > 200
    left = np.median((done.layer.sci[0] - clean.layer.sci[0])[on])
    assert abs(left) < 0.1 * found.noise[0] / np.sqrt(10)
    plain = mosaic_scene.mosaic(6, **ONE_FIELD, trails=1, reject="none")[1]
    assert np.median((plain.layer.sci[0] - clean.layer.sci[0])[on]) > 5 * found.noise[0]


def test_stars_keep_their_light_when_the_seeing_changes():
    knobs = ONE_FIELD | {"seeing": 0.1, "n_per_tile": 12, "n_stars": 50, "flux": (1e4, 1e5)}
    found, done = mosaic_scene.mosaic(7, **knobs)
    _, kept = mosaic_scene.mosaic(7, reject="none", **knobs)
    ratio, plain = (star_light(found, image.layer.sci[0], 60)[0] for image in (done, kept))
    assert len(ratio) >= 8
    assert abs(np.median(ratio / plain) - 1) < 0.002
    assert abs(np.median(ratio) - 1) < 0.003


def test_frames_that_would_do_harm_are_told_and_others_are_not():
    faults = {3: "blurred", 5: "trailed", 6: "noisy", 7: "cloudy", 9: "empty"}
    found = mosaic_scene.levelled(6, **ONE_FIELD, bad=tuple(faults.items()))
    told = judge_quality(found.stats, found.photometry.gain, QualityRules())
    names = {found.scene.truth.frames[k].name: fault for k, fault in faults.items()}
    assert set(told) == set(names)
