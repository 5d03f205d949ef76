"""Widths, windowed positions and apertures against known profiles, brute force and an independent implementation."""

import numpy as np
import pytest
import sep
from tests.starfield import starfield

from lostlight.core.params import MeasureParams
from lostlight.science.detect import background
from lostlight.science.detect.extract import APERTURE_INCOMPLETE, NEIGHBOURS, find_sources
from lostlight.science.detect.kron import photometry
from lostlight.science.detect.pixels import batches, own_light, window
from lostlight.science.detect.shape import core_fwhm
from lostlight.science.detect.windowed import windowed

KNOBS = MeasureParams(engine="embedded")


def gaussian(shape, stars):
    """Noise-free Gaussians: (x, y, sigma, peak)."""
    y, x = np.indices(shape)
    image = np.zeros(shape)
    for x0, y0, sigma, peak in stars:
        image += peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


def split_of(image, rms=1.0):
    zero = np.zeros_like(image)
    return background.Background(image, zero, zero + np.float32(rms), rms, zero > 0)


def sources_of(image, rms=1.0):
    sky = split_of(image, rms)
    return sky, find_sources(sky, KNOBS)


@pytest.mark.parametrize("sigma", [1.0, 1.7, 3.1])
def test_fwhm_of_a_gaussian(sigma):
    sky, sources = sources_of(gaussian((81, 95), [(40.3, 39.6, sigma, 5000)]))
    fwhm = core_fwhm(sky.subtracted, sources.segmentation, sources.rows, np.array([1e9]))
    true = 2 * np.sqrt(2 * np.log(2)) * sigma
    assert fwhm[0] == pytest.approx(true - 1 / (4 * true), rel=1e-3)


def test_fwhm_leaves_saturated_pixels_out():
    image = np.minimum(gaussian((81, 95), [(40.3, 39.6, 2.0, 5000)]), 4000)
    sky, sources = sources_of(image)
    true = 2 * np.sqrt(2 * np.log(2)) * 2.0
    left_out = core_fwhm(sky.subtracted, sources.segmentation, sources.rows, np.array([3999.0]))[0]
    taken = core_fwhm(sky.subtracted, sources.segmentation, sources.rows, np.array([1e9]))[0]
    assert left_out == pytest.approx(true - 1 / (4 * true), rel=1e-3)
    assert taken > 1.03 * left_out


def test_fwhm_is_nan_where_everything_is_saturated():
    sky, sources = sources_of(gaussian((41, 55), [(20, 20, 2.0, 5000)]))
    assert np.isnan(core_fwhm(sky.subtracted, sources.segmentation, sources.rows, np.array([1.0])))[0]


@pytest.fixture(scope="module")
def measured():
    field = starfield(21, shape=(401, 367), n_stars=150)
    sky = background.split(field.image, None, 64, 3)
    sources = find_sources(sky, KNOBS)
    return sky, sources, photometry(sky, sources, KNOBS)


def test_windowed_positions_agree_with_sep(measured):
    sky, sources, light = measured
    rows = sources.rows
    clear = (rows["x"] > 25) & (rows["x"] < 340) & (rows["y"] > 25) & (rows["y"] < 375)
    nobody = np.zeros_like(sources.segmentation)
    x, y, _ = windowed(sky.subtracted, nobody, rows["x"], rows["y"], light.flux_radius_px, sky.rms_adu, 1000)
    sigma = 2 * light.flux_radius_px / 2.35
    x_sep, y_sep, _ = sep.winpos(sky.subtracted, rows["x"], rows["y"], sigma)
    assert np.hypot(x - x_sep, y - y_sep)[clear].max() < 0.02
    assert np.median(np.hypot(x - x_sep, y - y_sep)[clear]) < 5e-4


def test_snr_against_a_plain_loop(measured):
    sky, sources, light = measured
    rows, gain = sources.rows, 30.0
    x, y, snr = windowed(
        sky.subtracted, sources.segmentation, rows["x"], rows["y"], light.flux_radius_px, sky.rms_adu, gain
    )
    for number in range(0, len(rows), 7):
        if sources.rows["flag"][number] or np.isnan(snr[number]):
            continue
        sigma = 2 * light.flux_radius_px[number] / 2.35
        flux = noise2 = 0.0
        for iy in range(sky.subtracted.shape[0]):
            if abs(iy - y[number]) > 4 * sigma:
                continue
            for ix in range(sky.subtracted.shape[1]):
                r2 = (ix - x[number]) ** 2 + (iy - y[number]) ** 2
                if r2 <= 16 * sigma**2 and sources.segmentation[iy, ix] in (0, number + 1):
                    weight, value = np.exp(-r2 / (2 * sigma**2)), float(sky.subtracted[iy, ix])
                    flux += weight * value
                    noise2 += weight**2 * (sky.rms_adu**2 + max(value, 0) / gain)
        assert snr[number] == pytest.approx(flux / np.sqrt(noise2), rel=5e-3)


def test_windowed_gives_up_where_there_is_no_light():
    image = gaussian((41, 55), [(20, 20, 2.0, -500)])
    place, nobody = np.array([20.0]), np.zeros(image.shape, int)
    x, y, snr = windowed(image, nobody, place, place, np.array([2.0]), 1, 0)
    assert np.isnan([x[0], y[0], snr[0]]).all()


def test_windowed_gives_up_without_a_radius():
    image = gaussian((41, 55), [(20, 20, 2.0, 500)])
    x, _, snr = windowed(
        image, np.zeros(image.shape, int), np.array([20.0]), np.array([20.0]), np.array([np.nan]), 1, 0
    )
    assert np.isnan([x[0], snr[0]]).all()


def test_gaussian_light_is_what_the_formulas_say():
    sigma, peak = 2.0, 3000.0
    sky, sources = sources_of(gaussian((101, 123), [(50.2, 49.7, sigma, peak)]))
    light = photometry(sky, sources, KNOBS)
    total = 2 * np.pi * sigma**2 * peak
    inside = 1 - np.exp(-((KNOBS.aperture_px / 2) ** 2) / (2 * sigma**2))
    assert light.flux_aper_adu[0] == pytest.approx(total * inside, rel=0.025)
    assert light.flux_auto_adu[0] == pytest.approx(total, rel=0.02)
    assert light.flux_radius_px[0] == pytest.approx(sigma * np.sqrt(2 * np.log(2)), rel=0.02)
    area = np.pi * (KNOBS.aperture_px / 2) ** 2
    assert light.flux_aper_err_adu[0] == pytest.approx(np.sqrt(area + light.flux_aper_adu[0] / KNOBS.gain), rel=0.01)


def test_a_neighbour_hardly_changes_the_light_and_raises_the_flag():
    star, neighbour = (50, 50, 2.0, 3000), (60, 50, 2.0, 3000)
    alone = photometry(*sources_of(gaussian((101, 123), [star])), KNOBS)
    pair = photometry(*sources_of(gaussian((101, 123), [star, neighbour])), KNOBS)
    unmasked = photometry(*sources_of(gaussian((101, 123), [star, neighbour])), MeasureParams(mask_neighbours=False))
    assert pair.flux_auto_adu[0] == pytest.approx(alone.flux_auto_adu[0], rel=0.03)
    assert unmasked.flux_auto_adu[0] > 1.1 * alone.flux_auto_adu[0]
    assert alone.flags[0] == 0
    assert pair.flags[0] & NEIGHBOURS
    assert not unmasked.flags[0]


def test_apertures_beyond_the_image_are_flagged():
    light = photometry(*sources_of(gaussian((61, 83), [(3, 30, 2.0, 3000), (50, 30, 2.0, 3000)])), KNOBS)
    assert [bool(flags & APERTURE_INCOMPLETE) for flags in light.flags] == [True, False]


def test_windows_are_cut_at_the_image():
    pixels = window(np.array([0.4, 9.0, 30.0]), np.array([0.0, 5.0, 5.0]), np.array([2.0, 1.0, 1.0]), (11, 13))
    assert np.bincount(pixels.owner, minlength=3).tolist() == [3 * 4, 9, 0]
    assert pixels.x.min() == 0
    assert pixels.x.max() < 13


def test_batches_hold_every_source_once():
    half = np.array([5.0, 900, 3, 4, 1000, 2])
    parts = list(batches(half))
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), np.arange(6))


def test_pixels_of_a_neighbour_are_replaced_by_the_opposite():
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    segmentation = np.zeros((5, 7), int)
    segmentation[2, 3], segmentation[2, 5], segmentation[0, 3], segmentation[4, 3] = 1, 2, 2, 2
    centre = np.array([3.0]), np.array([2.0])
    pixels = window(*centre, np.array([2.0]), image.shape)
    value = own_light(image, segmentation, np.array([0]), pixels, *centre).reshape(5, 5)
    assert value[2, 4] == image[2, 1]
    assert value[0, 2] == value[4, 2] == 0
    untouched = np.ones((5, 5), bool)
    untouched[2, 4] = untouched[0, 2] = untouched[4, 2] = False
    assert np.array_equal(value[untouched], image[:, 1:6][untouched])
