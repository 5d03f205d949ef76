"""Widths, windowed positions and apertures against known profiles, brute force and an independent implementation."""

import numpy as np
import pytest
import sep
from tests.starfield import starfield

from lostlight.core.params import MeasureParams
from lostlight.science.detect import background
from lostlight.science.detect.extract import find_sources
from lostlight.science.detect.kron import photometry
from lostlight.science.detect.neighbours import foreign_fraction, own_stamp
from lostlight.science.detect.pixels import window
from lostlight.science.detect.shape import core_fwhm
from lostlight.science.detect.windowed import windowed
from lostlight.vocab.extraction import APERTURE_INCOMPLETE, NEIGHBOURS

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
    return background.Background(image, zero, zero + np.float32(rms), 0.0, rms, zero > 0)


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


def windowed_twin(stamp, x, y, sigma, rms, gain):
    """The same by whole arrays: the oracle of the compiled loops."""
    rows, columns = np.indices(stamp.shape)
    for _ in range(16):
        dx, dy = columns - x, rows - y
        weight = np.where(dx**2 + dy**2 <= 16 * sigma**2, np.exp(-(dx**2 + dy**2) / (2 * sigma**2)), 0)
        flux = (weight * stamp).sum()
        if not flux > 0:
            return np.nan, np.nan, np.nan
        snr = flux / np.sqrt((weight**2 * (rms**2 + np.maximum(stamp, 0) / gain)).sum())
        step_x, step_y = (weight * stamp * dx).sum() / flux, (weight * stamp * dy).sum() / flux
        x, y = x + 2 * step_x, y + 2 * step_y
        if np.hypot(step_x, step_y) < 1e-4:
            break
    return x, y, snr


def test_compiled_windows_against_their_twin(measured):
    sky, sources, light = measured
    rows, gain, rms = sources.rows, 30.0, sky.rms_adu
    found = windowed(sky.subtracted, sources.segmentation, rows["x"], rows["y"], light.flux_radius_px, rms, gain)
    assert len(rows) > 100
    for number, (x, y) in enumerate(zip(rows["x"], rows["y"], strict=True)):
        sigma = 2 * light.flux_radius_px[number] / 2.35
        stamp, x0, y0 = stamp_twin(sky.subtracted, sources.segmentation, number + 1, x, y, 4 * sigma + 1)
        twin = windowed_twin(stamp, x - x0, y - y0, sigma, rms, gain)
        assert [values[number] for values in found] == pytest.approx([twin[0] + x0, twin[1] + y0, twin[2]], rel=1e-9)


def stamp_twin(image, segmentation, label, x, y, half):
    """`own_stamp` by whole arrays."""
    ny, nx = image.shape
    image = image.astype(float)
    columns = np.arange(max(int(np.floor(x - half)), 0), min(int(np.ceil(x + half)) + 1, nx))
    rows = np.arange(max(int(np.floor(y - half)), 0), min(int(np.ceil(y + half)) + 1, ny))
    padded, labels = np.pad(image, ny + nx), np.pad(segmentation, ny + nx, constant_values=-1)
    yo, xo = (np.rint(2 * c - v).astype(int) + ny + nx for c, v in ((y, rows), (x, columns)))
    own = np.isin(segmentation[np.ix_(rows, columns)], (0, label))
    opposite = np.where(np.isin(labels[np.ix_(yo, xo)], (0, label)), padded[np.ix_(yo, xo)], 0)
    return np.where(own, image[np.ix_(rows, columns)], opposite), columns[0], rows[0]


def test_compiled_stamps_against_their_twin():
    rng = np.random.default_rng(8)
    image = rng.normal(0, 1, (37, 51)).astype(np.float32)
    segmentation = np.where(rng.random(image.shape) < 0.4, rng.integers(1, 4, image.shape), 0).astype(np.int32)
    for x, y, half in ((20.3, 15.8, 6.2), (1.2, 35.5, 9.0), (49.6, 0.4, 30.0)):
        mine, twin = (cut(image, segmentation, 2, x, y, half) for cut in (own_stamp, stamp_twin))
        assert np.array_equal(mine[0], twin[0])
        assert mine[1:] == twin[1:]


def test_fraction_of_an_ellipse_that_is_a_neighbours():
    segmentation = np.zeros((41, 55), np.int32)
    segmentation[:, 30:] = 7
    half_plane = foreign_fraction(segmentation, 1, 29.5, 20.0, 1.0, 1.0, 0.0, 10.0, 12.0)
    assert half_plane == pytest.approx(0.5)
    assert foreign_fraction(segmentation, 7, 29.5, 20.0, 1.0, 1.0, 0.0, 10.0, 12.0) == 0


def test_windowed_gives_up_where_there_is_no_light():
    image = gaussian((41, 55), [(20, 20, 2.0, -500)])
    place, nobody = np.array([20.0]), np.zeros(image.shape, np.int32)
    x, y, snr = windowed(image, nobody, place, place, np.array([2.0]), 1, 0)
    assert np.isnan([x[0], y[0], snr[0]]).all()


def test_windowed_gives_up_without_a_radius():
    image = gaussian((41, 55), [(20, 20, 2.0, 500)])
    x, _, snr = windowed(
        image, np.zeros(image.shape, np.int32), np.array([20.0]), np.array([20.0]), np.array([np.nan]), 1, 0
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
