"""Frames of the simulated camera: their truth is true, by ways that the simulation does not use itself."""

import numpy as np
import pytest
import sep
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.sim.camera import LAMP, Camera
from lostlight.sim.camera_design import Scene, Shot
from lostlight.sim.camera_header import field_wcs
from lostlight.sim.camera_stars import field_stars, star_light
from lostlight.sim.sky import Sky

SHAPE = (201, 305)
EVEN = {
    "pixel_pattern_adu": 0.0,
    "column_pattern_adu": 0.0,
    "row_pattern_adu": 0.0,
    "prnu": 0.0,
    "vignetting": 0.0,
    "tilt": 0.0,
    "n_dust": 0,
    "bad_columns": 0,
    "hot_fraction": 0.0,
    "cold_fraction": 0.0,
    "rts_fraction": 0.0,
    "glow_e_s": 0.0,
    "cosmics_s_mpx": 0.0,
}


def pair_variance(first, second):
    return np.var(first.data.astype(float) - second.data.astype(float)) / 2


def tangent(header):
    return WCS(
        Header({key: header[key] for key in header if key.startswith(("CTYPE", "CRPIX", "CRVAL", "CD", "CUNIT"))})
    )


def pulls(raw, camera):
    """Deviation of pixels from their expectation, in units of shot noise, read noise and rounding."""
    expected, (gain, rdnoise) = raw.truth.expected_adu, (camera.design.gain_e_adu, camera.design.rdnoise_e)
    charge_adu = np.zeros_like(expected)
    lit = np.s_[:, camera.design.overscan_px :]
    charge_adu[lit] = expected[lit] - camera.truth.bias_adu - raw.truth.level_adu
    sigma = np.sqrt(np.maximum(charge_adu, 0) / gain + (rdnoise / gain) ** 2 + 1 / 12)
    return ((raw.data - expected) / sigma)[~raw.truth.cosmic & (expected < 60_000)]


def test_variance_against_mean_gives_the_gain_back():
    camera = Camera(3, SHAPE, gain_e_adu=1.7, rdnoise_e=8.0, **EVEN)
    levels = (300.0, 3_000.0, 10_000.0, 30_000.0)
    means, variances = [], []
    for level in levels:
        # The lamp flickers, so each frame is brought to the level of the first.
        first, second = (camera.flat(i, "R", level).data.astype(float) - 1000 for i in (0, 1))
        second *= first.mean() / second.mean()
        means.append(first.mean())
        variances.append(np.var(first - second) / 2)
    slope, _ = np.polyfit(means, variances, 1)
    assert 1 / slope == pytest.approx(1.7, rel=0.015)


def test_a_pair_of_biases_gives_the_read_noise_back_whatever_the_pattern():
    camera = Camera(4, SHAPE, rdnoise_e=9.0, gain_e_adu=2.0, pixel_pattern_adu=6.0, column_pattern_adu=9.0)
    variance = pair_variance(camera.bias(0), camera.bias(1))
    assert variance - 1 / 12 == pytest.approx(4.5**2, rel=0.02)
    assert np.std(camera.bias(0).data) > 9.0


@pytest.mark.parametrize("kind", ["bias", "dark", "flat", "flat_dark", "light"])
def test_pixels_scatter_about_their_expectation_by_their_noise(kind):
    camera = Camera(5, SHAPE, overscan_px=13, drift_adu=4.0)
    deviation = pulls(getattr(camera, kind)(2), camera)
    assert abs(deviation.mean()) < 0.015
    assert deviation.std() == pytest.approx(1, abs=0.012)


def test_the_overscan_shows_the_drift_of_each_frame_and_no_light():
    camera = Camera(6, SHAPE, overscan_px=20, drift_adu=6.0, column_pattern_adu=0.0, row_pattern_adu=0.0)
    frames = [camera.flat(i) for i in range(8)]
    levels = [np.mean(frame.data[:, :20]) for frame in frames]
    assert levels == pytest.approx([1000 + frame.truth.level_adu for frame in frames], abs=0.25)
    assert np.ptp(levels) > 4
    assert np.median(frames[0].data[:, 20:]) > 20_000


def test_banding_changes_its_strength_and_keeps_its_rows():
    camera = Camera(7, SHAPE, banding_adu=5.0, rdnoise_e=2.0, **EVEN)
    rows = np.array([camera.bias(i).data.mean(axis=1) - 1000 for i in range(6)])
    shares = np.linalg.svd(rows, compute_uv=False) ** 2
    assert shares[0] / shares.sum() > 0.98
    assert rows.std(axis=1).max() > 2 * rows.std(axis=1).min()


def test_dark_current_doubles_every_six_degrees():
    camera = Camera(8, SHAPE, **EVEN, dark_e_s=1.0)
    levels = [np.mean(camera.dark(0, 200.0, temp).data) - 1000 for temp in (-16.0, -10.0, -4.0)]
    assert levels[1] / levels[0] == pytest.approx(2, rel=0.01)
    assert levels[2] / levels[1] == pytest.approx(2, rel=0.01)


def test_what_stands_out_of_a_dark_are_the_hot_pixels():
    camera = Camera(9, SHAPE, hot_fraction=2e-3, bad_columns=0, rts_fraction=0.0, cosmics_s_mpx=0.0, glow_e_s=0.0)
    dark = camera.dark(0, 120.0).data - camera.truth.bias_adu
    found = dark > 15 * 1.4826 * np.median(np.abs(dark - np.median(dark)))
    assert camera.truth.hot.mean() == pytest.approx(2e-3, rel=0.3)
    assert np.array_equal(found, camera.truth.hot)


def test_telegraph_pixels_hop_between_two_rates():
    camera = Camera(10, SHAPE, rts_fraction=1e-3, rts_e_s=50.0)
    darks = [camera.dark(i, 60.0) for i in range(6)]
    at = camera.truth.rts
    values = np.array([dark.data[at] for dark in darks]) - camera.truth.bias_adu[at]
    high = np.array([dark.truth.hopped[at] for dark in darks])
    assert at.sum() > 20
    assert 0.3 < high.mean() < 0.7
    assert values[high].mean() - values[~high].mean() == pytest.approx(50 * 60 / 1.5, rel=0.03)
    assert not any(dark.truth.hopped[~at].any() for dark in darks)


def test_cosmic_rays_change_the_pixels_of_their_mask_and_no_other():
    hit, spared = (Camera(11, SHAPE, cosmics_s_mpx=rate).dark(0, 120.0) for rate in (5.0, 0.0))
    assert np.array_equal(hit.data != spared.data, hit.truth.cosmic)
    added = hit.data[hit.truth.cosmic].astype(float) - spared.data[hit.truth.cosmic]
    assert added == pytest.approx(hit.truth.cosmic_e[hit.truth.cosmic] / 1.5, abs=1)
    assert not spared.truth.cosmic.any()
    assert hit.truth.cosmic.sum() > 50


def test_cosmic_rays_come_as_often_as_told():
    hits = [Camera(seed, (100, 100), cosmics_s_mpx=10.0).dark(0, 100.0).truth.cosmic for seed in range(20)]
    n_tracks = sum(len(sep.extract(hit.astype(np.float32), 0.5, minarea=1, filter_kernel=None)) for hit in hits)
    assert n_tracks == pytest.approx(20 * 10, abs=4 * np.sqrt(200))


def test_a_nonlinear_camera_loses_charge_and_a_full_one_saturates():
    straight = Camera(12, SHAPE, **EVEN)
    bent = Camera(12, SHAPE, **EVEN, nonlinearity=0.04)
    level = 40_000.0
    lost = 1 - (np.mean(bent.flat(0, "R", level).data) - 1000) / (np.mean(straight.flat(0, "R", level).data) - 1000)
    assert lost == pytest.approx(0.04 * level * 1.5 / 100_000, rel=0.05)
    assert straight.flat(0, "R", 200_000.0).data.min() == 65535
    full = Camera(12, SHAPE, **EVEN, full_well_e=30_000.0).flat(0, "R", 40_000.0).data
    assert np.mean(full) == pytest.approx(1000 + 30_000 / 1.5, abs=1)


def test_the_same_frame_alone_or_in_any_order_has_the_same_bytes():
    shots = [Shot("light", 1, 60.0, filter="R"), Shot("dark", 1, 60.0), Shot("bias", 0)]
    first, second = Camera(13, SHAPE), Camera(13, SHAPE)
    forward = [first.take(shot) for shot in shots]
    backward = [second.take(shot) for shot in reversed(shots)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert one.data.tobytes() == other.data.tobytes()
        assert one.header == other.header


def test_frames_share_no_noise():
    camera = Camera(14, SHAPE, dark_spread=0.0, **EVEN)
    shots = [Shot("dark", 0, 60.0), Shot("dark", 1, 60.0), Shot("dark", 0, 30.0), Shot("flat_dark", 0, 60.0)]
    noise = np.array([camera.take(shot).data.ravel() for shot in shots], float)
    correlation = np.corrcoef(noise) - np.eye(len(shots))
    assert np.abs(correlation).max() < 5 / np.sqrt(noise.shape[1])


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize(("roworder", "ny"), [("TOP-DOWN", 30), ("BOTTOM-UP", 30), ("BOTTOM-UP", 31)])
def test_the_first_pixels_of_the_picture_have_the_colours_of_the_pattern(pattern, roworder, ny):
    camera = Camera(15, (ny, 40), cfa=pattern, roworder=roworder, overscan_px=4, **EVEN)
    raw = camera.flat(0, "", 20_000.0)
    picture = raw.data[:, 4:].astype(float)
    picture = picture if roworder == "TOP-DOWN" else picture[::-1]
    levels = [picture[y::2, x::2].mean() - 1000 for y in (0, 1) for x in (0, 1)]
    lamp = [LAMP[colour] for colour in pattern]
    assert np.array(levels) / max(levels) == pytest.approx(lamp, rel=0.01)
    assert (raw.header["BAYERPAT"], raw.header["ROWORDER"]) == (pattern, roworder)


def test_the_pattern_is_counted_from_the_corner_of_the_raw_frame():
    colours = Camera(15, (4, 6), cfa="RGGB", overscan_px=3).truth.colours
    assert "".join(colours[0, :2]) + "".join(colours[1, :2]) == "GRBG"


def test_red_stars_are_red_in_a_colour_camera():
    scene = Scene(n_stars=12, fwhm_px=8.0, sky_e_s=0.0)
    camera = Camera(16, SHAPE, cfa="RGGB", scene=scene)
    light, colours = camera.light(0, ""), camera.truth.colours
    assert (light.truth.stars["colour"] > 0).all()
    red, green, blue = (light.truth.scene_e[colours == colour].mean() for colour in "RGB")
    assert red > 1.3 * green > 1.3 * 1.3 * blue > 0


def test_stars_are_where_the_header_says_with_the_flux_of_their_magnitude():
    scene = Scene(n_stars=60, zero_mag=23.0, sky_e_s=0.2, fwhm_px=3.0)
    camera = Camera(17, SHAPE, scene=scene, overscan_px=24, **EVEN)
    raw = camera.light(3, "R", 300.0)
    image = (raw.data[:, 24:].astype(np.float64) - 1000) * 1.5
    image -= np.median(image)
    stars = raw.truth.stars
    x, y = tangent(raw.header).wcs_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    x -= 24
    flux = np.asarray(300 * 10 ** (-0.4 * (stars["mag_r"] - scene.zero_mag)))
    nearest = np.sort(np.hypot(x[:, None] - x, y[:, None] - y), axis=1)[:, 1]
    is_inside = (np.minimum(x, 304 - x) > 15) & (np.minimum(y, 200 - y) > 15)
    x, y, flux = (values[(flux > 3e4) & (flux < 4e5) & (nearest > 20) & is_inside] for values in (x, y, flux))
    assert len(x) >= 3
    measured, _, _ = sep.sum_circle(image, x, y, 9.0, subpix=5)
    assert measured == pytest.approx(flux, rel=0.03)
    x_win, y_win, _ = sep.winpos(image, x, y, np.full(len(x), 3.0 / 2.355))
    assert np.hypot(x_win - x, y_win - y).max() < 0.1
    radius, _ = sep.flux_radius(image, x, y, np.full(len(x), 9.0), 0.5, normflux=measured, subpix=5)
    assert 2 * np.median(radius) == pytest.approx(3.0, rel=0.06)


@pytest.mark.parametrize("beta", [None, 2.5, 4.0])
def test_a_star_keeps_its_flux_and_width_with_either_profile(beta):
    scene = Scene(n_stars=1, sky_e_s=0.0, fwhm_px=4.0, moffat_beta=beta, dither_px=0.0)
    stars = field_stars(1, scene, 0.01)
    stars["ra_deg"], stars["dec_deg"] = scene.ra_deg, scene.dec_deg
    light, shown = star_light(stars, field_wcs(scene, (101, 101), (0, 0)), scene, (101, 101), 10.0, "R")
    assert (shown["x_px"][0], shown["y_px"][0]) == pytest.approx((50, 50), abs=1e-6)
    assert 0.93 * shown["flux_e"][0] < light.sum() <= 1.001 * shown["flux_e"][0]
    middle = np.interp(2.0, np.arange(20), light[50, 50:70])
    assert middle / light[50, 50] == pytest.approx(0.5, abs=0.04)


def test_lights_show_the_stars_that_the_catalogues_of_the_same_sky_list():
    light = Camera(20, (128, 192), scene=Scene(sky=20)).light(0)
    stars = light.truth.stars[light.truth.stars["mag_r"] < 18]
    gaia = Sky(20).catalogue("I/355/gaiadr3", 150.0, 20.0, radius_deg=0.2)
    east = (np.asarray(stars["ra_deg"])[:, None] - np.asarray(gaia["RA_ICRS"])) * np.cos(np.radians(20)) * 3600
    north = (np.asarray(stars["dec_deg"])[:, None] - np.asarray(gaia["DE_ICRS"])) * 3600
    nearest = np.hypot(east, north).min(axis=1)
    assert len(stars) >= 5
    assert np.mean(nearest < 1.5) > 0.95


def test_lights_are_dithered_each_by_its_own_shift():
    camera = Camera(18, SHAPE, scene=Scene(dither_px=4.0))
    shifts = np.array([camera.light(i).header["CRPIX1"] - (SHAPE[1] + 1) / 2 for i in range(8)])
    assert np.abs(shifts).max() <= 4
    assert len(np.unique(np.round(shifts, 3))) == 8
