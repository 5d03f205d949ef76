"""Hot and cold pixels, bad columns and rows: planted ones are found, and little else."""

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import median_filter

from lostlight.core.errors import ConfigError, UnitError
from lostlight.science.calibrate import local_median as medians
from lostlight.science.calibrate.bad_lines import bad_columns
from lostlight.science.calibrate.compiled import fill_medians
from lostlight.science.calibrate.hot import changed, map_of_flat, map_of_master, merge, stationary
from lostlight.science.calibrate.local_median import local_median
from lostlight.vocab.bits import dq

HOT, COLD, BAD = dq("HOT"), dq("COLD"), dq("BAD")


def master(seed, shape=(310, 373), share=1e-3, noise=2.0, pattern=3.0):
    """A master dark with fixed pattern, column and row patterns and amplifier glow: pixels, hot and cold ones."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    sigma = np.hypot(noise, pattern)
    level = 500 + rng.normal(0, 1, nx) + rng.normal(0, 0.6, (ny, 1)) + rng.normal(0, pattern, shape)
    level += 80 * np.exp(-((y - 20) ** 2 + (x - nx) ** 2) / 60**2)
    hot = rng.random(shape) < share
    cold = ~hot & (rng.random(shape) < share / 4)
    level += sigma * np.where(hot, 9 + rng.exponential(100, shape), np.where(cold, -9 - rng.exponential(10, shape), 0))
    return (level + rng.normal(0, noise, shape)).astype(np.float32), hot, cold


def recall_precision(found, planted):
    return (found & planted).sum() / planted.sum(), (found & planted).sum() / max(found.sum(), 1)


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 80), marks=pytest.mark.soak)], ids=["few", "many"])
def test_planted_pixels_are_found_and_others_are_not(seeds):
    kept = {"hot": [], "cold": [], "siril": [], "dss": []}
    for seed in seeds:
        pixels, hot, cold = master(seed)
        found = map_of_master(pixels)
        kept["hot"].append((found & HOT != 0, hot))
        kept["cold"].append((found & COLD != 0, cold))
        kept["siril"].append((pixels > np.median(pixels) + 5 * pixels.std(), hot))
        kept["dss"].append((pixels > np.median(pixels) + 16 * pixels.std(), hot))
    figures = {name: recall_precision(*map(np.array, zip(*parts, strict=True))) for name, parts in kept.items()}
    assert min(figures["hot"]) >= 0.995 and min(figures["cold"]) >= 0.995
    # the rules of other programs, on the same masters
    assert figures["siril"][0] < 0.9 and figures["dss"][0] < figures["siril"][0]


def test_the_threshold_is_in_units_of_the_noise():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 7, (512, 613)).astype(np.float32)
    assert (map_of_master(noise, 3, 3, lines=False) != 0).mean() == pytest.approx(0.0027, rel=0.35)
    assert not map_of_master(noise, 6, 6).any()
    for amplitude, share in ((4.0, 0.16), (5.0, 0.5), (6.0, 0.84)):
        planted = noise.copy()
        planted[4::16, 4::16] += 7 * amplitude
        found = map_of_master(planted, 5, None, lines=False)[4::16, 4::16] != 0
        assert found.mean() == pytest.approx(share, abs=0.06)


def test_the_noise_may_differ_over_the_frame():
    rng = np.random.default_rng(2)
    width = np.linspace(3, 10, 500)
    pixels = (rng.normal(0, 1, (400, 500)) * width).astype(np.float32)
    pixels[10::20, 10::20] += 10 * width[10::20].astype(np.float32)
    found = map_of_master(pixels) != 0
    planted = np.zeros(found.shape, bool)
    planted[10::20, 10::20] = True
    assert min(recall_precision(found, planted)) > 0.99


def test_whole_numbers_of_a_quiet_camera():
    rng = np.random.default_rng(3)
    pixels = np.round(rng.normal(100, 0.3, (256, 301))).astype(np.float32)
    pixels[5::50, 5::50] += 4
    found = map_of_master(pixels) != 0
    assert found[5::50, 5::50].all() and found.sum() == found[5::50, 5::50].sum()
    level = np.full((100, 120), 7, np.float32)
    assert not map_of_master(level).any()
    level[50, 60] = 8
    assert np.argwhere(map_of_master(level)).tolist() == [[50, 60]]


def test_thresholds_can_be_switched_off_and_missing_pixels_are_not_flagged():
    pixels, hot, _ = master(4)
    pixels[100:110, 50:60] = np.nan
    assert not (map_of_master(pixels, None, None)).any()
    assert not (map_of_master(pixels, 6, None) & COLD).any() and not (map_of_master(pixels, None, 6) & HOT).any()
    found = map_of_master(pixels)
    assert not found[np.isnan(pixels)].any() and (found & HOT != 0)[hot & np.isfinite(pixels)].all()
    assert not map_of_master(np.full((64, 70), np.nan, np.float32)).any()


def test_colours_are_compared_among_themselves():
    rng = np.random.default_rng(5)
    pixels = rng.normal(100, 2, (202, 254)).astype(np.float32)
    pixels[0::2, 0::2] += 500
    pixels[1::2, 1::2] += 250
    planted = np.zeros(pixels.shape, bool)
    planted[7::24, 9::26] = planted[12::24, 15::26] = planted[4::24, 4::26] = True
    pixels[planted] += 40
    assert min(recall_precision(map_of_master(pixels, bayerpat="RGGB") & HOT != 0, planted)) == 1
    assert recall_precision(map_of_master(pixels) & HOT != 0, planted)[1] < 0.1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("across", [False, True])
def test_a_faint_piece_of_a_column_or_row_is_found_with_its_ends(sign, across):
    rng = np.random.default_rng(6)
    pixels = rng.normal(100, 3, (301, 340)).astype(np.float32)
    part = (np.s_[77:201], np.s_[120]) if not across else (np.s_[120], np.s_[77:201])
    pixels[part] += sign * 6  # two sigma: no pixel of it alone
    found = map_of_master(pixels) == BAD
    where = np.argwhere(found)
    assert set(where[:, 0 if across else 1]) == {120}
    along = where[:, 1 if across else 0]
    assert abs(along.min() - 77) <= 6 and abs(along.max() - 200) <= 6 and found[part].mean() > 0.93


def test_the_pixels_of_a_bad_column_are_no_hot_ones():
    pixels, hot, cold = master(11)
    hot[:, 200] = cold[:, 200] = False
    pixels[:, 200] += 400
    found = map_of_master(pixels)
    assert (found[:, 200] == BAD).all()
    assert min(recall_precision(found & HOT != 0, hot)) >= 0.995


def test_short_pieces_gradients_and_edges_are_no_bad_columns():
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:310, :343]
    pixels = rng.normal(0, 3, (310, 343)) + 0.5 * x + 80 * np.exp(-((y - 10) ** 2 + (x - 343) ** 2) / 60**2)
    pixels[100:130, 50] += 7
    assert not bad_columns(pixels.astype(np.float32)).any()
    assert not bad_columns(np.zeros((20, 343), np.float32)).any()


def test_bad_columns_of_a_colour_mosaic():
    rng = np.random.default_rng(8)
    pixels = rng.normal(100, 3, (300, 344)).astype(np.float32)
    pixels[0::2, 0::2] += 300
    pixels[60:240, 121] += 12
    found = map_of_master(pixels, bayerpat="RGGB") == BAD
    assert found[60:240, 121].mean() > 0.9 and set(np.argwhere(found)[:, 1]) == {121}


def test_blind_pixels_of_a_flat():
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:203, :251]
    flat = 1 - 0.4 * ((y - 100) ** 2 + (x - 125) ** 2) / 125**2 + rng.normal(0, 0.005, (203, 251))
    planted = np.zeros(flat.shape, bool)
    planted[5::30, 7::30] = True
    flat[planted] *= rng.uniform(0, 0.45, planted.sum())
    flat[3::30, 3::30] *= 0.6
    colour = flat.copy()
    colour[0::2, 1::2] *= 0.3
    for pixels, pattern in ((flat, ""), (colour, "GRBG")):
        assert ((map_of_flat(pixels.astype(np.float32), bayerpat=pattern) == COLD) == planted).all()


@pytest.mark.parametrize("step", [1, 2])
def test_the_local_median_is_that_of_numpy_and_both_backends_agree(step):
    rng = np.random.default_rng(10)
    image = rng.normal(0, 5, (23, 31)).astype(np.float32)
    image[3, 4:9] = np.nan
    image[12:23, 18:31] = np.nan
    expected = np.full(image.shape, np.nan, np.float32)
    for y, x in np.ndindex(image.shape):
        near = image[
            max(y % step, y - 2 * step) : y + 2 * step + 1 : step, max(x % step, x - 2 * step) : x + 2 * step + 1 : step
        ]
        if np.isfinite(near).any():
            expected[y, x] = np.nanmedian(near)
    found = local_median(image, step, "numba")
    assert np.array_equal(found, expected, equal_nan=True)
    assert (local_median(image, step, "numpy").view(np.int32) == found.view(np.int32)).all()
    plain = np.empty(image.shape, np.float32)
    padded = np.pad(np.nan_to_num(image), 2 * step)
    fill_medians.py_func(padded, step, medians._network(), plain)
    fast = np.empty_like(plain)
    fill_medians(padded, step, medians._network(), fast)
    assert (plain == fast).all()


def test_maps_are_joined_and_changes_are_told():
    one, two = np.zeros((5, 7), np.uint16), np.zeros((5, 7), np.uint16)
    one[1, 2], two[1, 2], two[4, 6] = HOT, COLD, dq("BAD")
    joined = merge(one, two)
    assert joined[1, 2] == HOT | COLD and joined[4, 6] == dq("BAD") and np.count_nonzero(joined) == 2
    with pytest.raises(ConfigError, match=r"CAL103.*7x5.*5x7"):
        merge(one, two.T)
    before, now = np.zeros((100, 90), np.uint16), np.zeros((100, 90), np.uint16)
    before[0, :40] = now[1] = HOT
    (warning,) = changed(now, before, "dark_1")
    assert warning.code == "CAL210" and warning.value == 90 / 40 and warning.where == "dark_1"
    assert changed(before, now, "dark_1") and not changed(now, now, "dark_1")
    few = np.zeros_like(now)
    few[0, :9] = HOT
    assert not changed(few, np.zeros_like(few), "dark_1")


def sky(seed, n_frames, shape=(201, 247), drift_px=6.0, fwhm_px=2.5, hot=True):
    """Lights of a drifting sky over the same hot pixels; returns frames and the planted pixels."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    stars = np.column_stack(
        [rng.uniform(-20, nx + 20, 60), rng.uniform(-20, ny + 20, 60), 10 ** rng.uniform(2, 4.5, 60)]
    )
    planted = hot & (rng.random(shape) < 1e-3)
    current = np.where(planted, 60 + rng.exponential(400, shape), 0)
    frames = []
    for frame in range(n_frames):
        light = np.full(shape, 200.0)
        for cx, cy, peak in stars:
            dy, dx = y - cy - 0.7 * drift_px * frame, x - cx - drift_px * frame
            light += peak * np.exp(-4 * np.log(2) * (dy**2 + dx**2) / fwhm_px**2)
        frames.append((rng.poisson(light + current) + rng.normal(0, 5, shape)).astype(np.float32))
    return frames, planted


def rows_of(frames):
    def read_rows(frame, y0, y1, out):
        out[:] = frames[frame][y0:y1]

    return read_rows


@pytest.mark.parametrize(("n_frames", "least"), [(3, 0.93), (5, 0.97), (8, 0.97)])
def test_hot_pixels_stay_put_while_the_sky_drifts(n_frames, least):
    frames, planted = sky(n_frames, n_frames)
    found = stationary(n_frames, planted.shape, rows_of(frames)) & HOT != 0
    recall, precision = recall_precision(found, planted)
    assert recall >= 0.97 and precision >= least  # of three frames two stars may meet on a pixel


def test_stars_of_a_sky_that_hardly_drifts_are_not_hot_pixels():
    frames, planted = sky(11, 6, drift_px=0.1)
    found = stationary(6, planted.shape, rows_of(frames)) & HOT != 0
    recall, precision = recall_precision(found, planted)
    assert recall >= 0.9 and precision >= 0.95


def test_bands_of_rows_change_nothing(monkeypatch):
    frames, planted = sky(12, 4)
    frames[1][50:60, 40:50] = np.nan
    whole = stationary(4, planted.shape, rows_of(frames))
    monkeypatch.setattr("lostlight.science.calibrate.hot._BAND_PX", 1)
    assert (stationary(4, planted.shape, rows_of(frames)) == whole).all()


def test_two_lights_cannot_tell():
    with pytest.raises(UnitError, match="CAL108: 2 lights"):
        stationary(2, (9, 11), rows_of([]))


@pytest.mark.needs_shared
def test_hot_pixels_of_a_real_night_stay_put(shared_data):
    paths = sorted((shared_data / "stack-hatp32").glob("*.FITS.gz"))
    frames = [fits.getdata(path).astype(np.float32) for path in paths]
    assert len(frames) == 11
    # what six frames say is asked of the five between them
    found = stationary(6, frames[0].shape, rows_of(frames[0::2])) & HOT != 0
    others = np.stack([frame - local_median(frame) for frame in frames[1::2]])
    noise = 1.4826 * np.median(np.abs(others))
    steady = np.median(others, axis=0) > noise
    assert found.sum() > 500
    assert steady[found].mean() > 0.95
    bright = others.min(axis=0) > 10 * noise
    assert bright.sum() > 100 and found[bright].mean() > 0.95
    # a star lies on a pixel of its path once: bright in one frame and in no other
    passing = (others.max(axis=0) > 50 * noise) & (np.median(others, axis=0) < 2 * noise)
    assert passing.sum() > 500 and found[passing].mean() < 0.03


def test_small_frames_have_no_more_false_alarms_than_large_ones():
    rng = np.random.default_rng(13)
    flagged = sum(np.count_nonzero(map_of_master(rng.normal(100, 3, (31, 37)).astype(np.float32))) for _ in range(60))
    assert flagged <= 1


@pytest.mark.parametrize("shape", [(5, 7), (1, 4), (23, 2)])
def test_the_median_of_nine_is_that_of_scipy(shape):
    image = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(medians.median_of_nine(image), median_filter(image, 3, mode="nearest"))
