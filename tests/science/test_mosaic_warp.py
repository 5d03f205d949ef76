"""Resampling against scipy and reproject, and against stars whose fluxes, places and widths are known exactly."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from reproject import reproject_interp
from reproject.mosaicking import find_optimal_celestial_wcs
from scipy.ndimage import map_coordinates
from scipy.special import ndtr

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.warp.nodes import coordinates, route
from lostlight.science.mosaic.warp.patch import REACH
from lostlight.science.mosaic.warp.taps import KERNELS
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

SHAPE, CANVAS = (301, 407), (500, 450)
WHOLE = Window(0, 0, *CANVAS)
PARTS = [Window(100, 50, 37, 41), Window(250, 33, 1, 300), Window(333, 211, 90, 3), Window(13, 17, 301, 211)]
BACKENDS = ("numpy", "numba")


def grid(shape, turn_deg=0.0, scale_arcsec=1.0, centre=(40.0, 20.0), mirrored=False):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ("RA---TAN", "DEC--TAN"), centre
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    flip = 1 if mirrored else -1
    wcs.wcs.cd = scale_arcsec / 3600 * np.array([[flip * c, s], [-flip * s, c]])
    wcs.wcs.set()
    return wcs


FRAME = grid(SHAPE, 13.0, centre=(40.01, 20.01))
ROUTE = route(grid(CANVAS), CANVAS, FRAME, SHAPE)


def noise(channels=1, holes=False):
    image = np.random.default_rng(1).normal(100, 5, (channels, *SHAPE)).astype(np.float32)
    if holes:
        image[:, 150:160, 70] = np.nan
        image[-1, 30, 200] = np.inf
        image[:, 250:, 300:] = np.nan
    return image


def bring(image, rules, window=WHOLE, way=ROUTE, backend="numpy"):
    return warp(lambda y0, y1: image[:, y0:y1], image.shape[1:], len(image), way, window, rules, backend=backend)


@pytest.mark.parametrize(("kernel", "order"), [("nearest", 0), ("linear", 1), ("cubic", 3)])
def test_scipy_gives_the_same(kernel, order):
    image = noise()
    ours = bring(image, WarpRules(kernel, edge_px=0))
    x, y = coordinates(grid(CANVAS), FRAME, WHOLE)
    theirs = map_coordinates(image[0].astype(float), [y, x], order=order, mode="mirror")
    covered = np.isfinite(ours.data[0])
    assert covered.sum() == ((x >= -0.5) & (x < SHAPE[1] - 0.5) & (y >= -0.5) & (y < SHAPE[0] - 0.5)).sum()
    assert abs(ours.data[0] / np.float32(ROUTE.ratio) - theirs)[covered].max() < 2e-4


def test_reproject_gives_the_same():
    image = noise()
    ours = bring(image, WarpRules("linear", jacobian="none"))
    theirs, _ = reproject_interp((image[0], FRAME), grid(CANVAS), shape_out=CANVAS, order="bilinear")
    covered = np.isfinite(ours.data[0])
    assert covered.sum() > 80_000
    assert np.isfinite(theirs[covered]).all()
    assert abs(ours.data[0] - theirs)[covered].max() < 2e-3


@pytest.mark.parametrize("holes", [False, True], ids=["whole", "holes"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_bits_depend_on_neither_window_nor_backend(kernel, holes):
    image, rules = noise(3, holes), WarpRules(kernel, jacobian="variable")
    whole = bring(image, rules)
    assert np.isfinite(whole.data).sum() > 200_000
    for backend in BACKENDS:
        for window in (WHOLE, *PARTS):
            part = bring(image, rules, window, backend=backend)
            assert np.array_equal(part.data, whole.data[:, *window.slices], equal_nan=True)
            assert np.array_equal(part.weight, whole.weight[window.slices])


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 3), (17, 12)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_tiny_frames(kernel, shape):
    image = np.random.default_rng(2).normal(50, 3, (1, *shape)).astype(np.float32)
    canvas, frame = grid((40, 50)), grid(shape, 5.0)
    way = route(canvas, (40, 50), frame, shape)
    results = [bring(image, WarpRules(kernel, edge_px=0), Window(0, 0, 40, 50), way, backend) for backend in BACKENDS]
    assert np.isfinite(results[0].data).sum() == pytest.approx(shape[0] * shape[1], abs=0.1 * shape[0] * shape[1] + 3)
    assert np.array_equal(results[0].data, results[1].data, equal_nan=True)


@pytest.mark.parametrize("kernel", ["cubic", "lanczos3", "linear", "nearest"])
def test_a_level_stays_a_level_around_holes(kernel):
    image = np.where(np.isfinite(noise(2, holes=True)), np.float32(1000), np.nan)
    image[0, 250:, 300:] = -50000
    image[:, 250:, 300:] = np.where(image[1:, 250:, 300:] > 0, image[:, 250:, 300:], np.nan)
    ours = bring(image, WarpRules(kernel, jacobian="none"))
    assert np.nanmax(abs(ours.data - 1000)) < 0.01


def test_a_pixel_bad_in_one_colour_is_bad_in_all():
    image = noise(3)
    image[1, 150, 180:230:4] = np.nan
    ours = bring(image, WarpRules("linear"))
    x, y = coordinates(grid(CANVAS), FRAME, WHOLE)
    apart = np.min([np.hypot(x - column, y - 150) for column in range(180, 230, 4)], axis=0)
    on_it = apart < 0.29
    assert on_it.any()
    assert np.isnan(ours.data[:, on_it]).all()
    assert (ours.weight[on_it] == 0).all()
    assert np.isfinite(ours.data[:, (apart > 1.5) & (abs(y - 150) < 4) & (abs(x - 200) < 25)]).all()


@pytest.mark.parametrize("kernel", ["cubic", "linear"])
def test_frames_without_a_good_pixel_and_windows_beside_give_nothing(kernel):
    dark = np.full((1, *SHAPE), np.nan, np.float32)
    assert np.isnan(bring(dark, WarpRules(kernel)).data).all()
    beside = bring(noise(), WarpRules(kernel), Window(0, 0, 20, 20))
    assert np.isnan(beside.data).all()
    assert not beside.weight.any()
    outside = route(grid(CANVAS), CANVAS, grid(SHAPE, centre=(50.0, 20.0)), SHAPE)
    assert np.isnan(bring(noise(), WarpRules(kernel), way=outside).data).all()


def test_a_window_reads_what_it_needs():
    asked = []

    def rows(y0, y1):
        asked.append((y0, y1))
        return noise()[:, y0:y1]

    warp(rows, SHAPE, 1, ROUTE, Window(250, 230, 10, 12), WarpRules())
    _, y = coordinates(grid(CANVAS), FRAME, Window(250, 230, 10, 12))
    assert len(asked) == 1
    first, last = asked[0]
    # What lies between the nodes around the window, here of 32 pixels, counts too.
    assert y.min() - REACH - 40 < first < y.min() - 16
    assert y.max() + 16 < last < y.max() + REACH + 40


def star_field(frame_wcs, shape, fwhm, sky, flux):
    """Gaussians integrated over every pixel, where the frame's own projection puts them."""
    data = np.zeros(shape)
    sigma = fwhm / 2.3548
    for x, y in zip(*frame_wcs.all_world2pix(*sky, 0), strict=True):
        across, up = (np.diff(ndtr((np.arange(n + 1) - 0.5 - at) / sigma)) for n, at in ((shape[1], x), (shape[0], y)))
        data += flux * np.outer(up, across)
    return data.astype(np.float32)[None]


STARS = np.meshgrid(40 + np.linspace(-0.03, 0.03, 5), 20 + np.linspace(-0.025, 0.027, 5))
STARS = np.ravel(STARS[0] + 0.0003 * np.sin(7 * STARS[1] * 1e3)), np.ravel(STARS[1] + 0.0003 * np.sin(9e3 * STARS[0]))


def seen_stars(image, canvas):
    """Flux in a wide aperture, and centroid, of every star."""
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    found = []
    for x, y in zip(*canvas.all_world2pix(*STARS, 0), strict=True):
        near = np.hypot(u - x, v - y) < 11
        light = image[near].astype(float)
        found.append(
            (light.sum(), (light * u[near]).sum() / light.sum() - x, (light * v[near]).sum() / light.sum() - y)
        )
    return np.array(found).T


@pytest.mark.parametrize("jacobian", ["fixed", "variable"])
@pytest.mark.parametrize(("scale", "mirrored", "turn"), [(1.0, False, 7.3), (1.4, False, -15.0), (0.7, True, 100.0)])
@pytest.mark.parametrize("kernel", ["cubic", "lanczos3", "linear"])
def test_stars_keep_their_flux_and_place(kernel, scale, mirrored, turn, jacobian):
    shape, canvas = (401, 437), grid((430, 440))
    frame = grid(shape, turn, scale, (40.005, 20.003), mirrored)
    image = star_field(frame, shape, 2.6 / min(scale, 1), STARS, 10_000)
    way = route(canvas, (430, 440), frame, shape)
    ours = bring(image, WarpRules(kernel, jacobian=jacobian), Window(0, 0, 430, 440), way, "numba")
    flux, off_x, off_y = seen_stars(np.nan_to_num(ours.data[0]), canvas)
    near = np.isfinite(flux) & (flux > 5000)
    assert near.sum() >= 20
    assert abs(np.median(flux[near]) / 10_000 - 1) < 1e-3
    assert abs(flux[near] / 10_000 - 1).max() < (2e-3 if kernel == "cubic" else 5e-3)
    assert np.hypot(np.median(off_x[near]), np.median(off_y[near])) < 0.01
    assert np.hypot(off_x[near], off_y[near]).max() < 0.03


def width(image, canvas):
    """Width of the stars, from their Gaussian-weighted second moments."""
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    narrow = (2.6 / 2.3548) ** 2
    found = []
    for x, y in zip(*canvas.all_world2pix(*STARS, 0), strict=True):
        r2 = (u - x) ** 2 + (v - y) ** 2
        light = image * np.exp(-r2 / (2 * narrow)) * (r2 < 100)
        moment = (light * r2).sum() / light.sum() / 2
        found.append(1 / (1 / moment - 1 / narrow))
    return 2.3548 * np.sqrt(np.median(found))


def test_kernels_hardly_widen_stars():
    shape, canvas = (401, 437), grid((430, 440))
    frame = grid(shape, 7.3)
    image = star_field(frame, shape, 2.6, STARS, 10_000)
    way = route(canvas, (430, 440), frame, shape)
    drawn = width(star_field(canvas, (430, 440), 2.6, STARS, 10_000)[0], canvas)
    widths = {
        kernel: width(
            np.nan_to_num(bring(image, WarpRules(kernel), Window(0, 0, 430, 440), way, "numba").data[0]), canvas
        )
        for kernel in ("linear", "cubic", "lanczos3")
    }
    assert widths["cubic"] / drawn == pytest.approx(1.0, abs=0.008)
    assert widths["lanczos3"] / drawn == pytest.approx(1.0, abs=0.008)
    assert widths["linear"] / drawn > 1.05


def test_surface_brightness_or_flux():
    flat = np.full((1, *SHAPE), 100, np.float32)
    frame = grid(SHAPE, 5.0, 0.5)
    way = route(grid(CANVAS), CANVAS, frame, SHAPE)
    kept, counted = (bring(flat, WarpRules(jacobian=j), way=way).data for j in ("none", "fixed"))
    assert np.nanmax(abs(kept - 100)) < 1e-3
    assert np.nanmax(abs(counted - 400)) < 1e-2


def test_weights_fade_in_from_the_margin():
    shape, canvas = (100, 120), grid((100, 120))
    way = route(canvas, shape, canvas, shape)
    image = np.ones((1, *shape), np.float32)
    faded = bring(image, WarpRules("linear", edge_px=4, feather_px=11), Window(0, 0, *shape), way).weight
    line = faded[50, :20]
    assert (line[:4] == 0).all()
    assert line[4] == np.float32(0.001)
    assert (np.diff(line[4:16]) > 0).all()
    assert (line[15:] == 1).all()
    assert faded[50, 9] == pytest.approx(0.5)
    assert (bring(image, WarpRules("linear", edge_px=0, feather_px=0), Window(0, 0, *shape), way).weight == 1).all()


@pytest.mark.parametrize("window", [WHOLE, Window(0, 0, 1100, 1000)])
def test_auto_gives_the_same(window):
    assert np.array_equal(
        bring(noise(), WarpRules(), window, backend="auto").data,
        bring(noise(), WarpRules(), window).data,
        equal_nan=True,
    )


def test_wrong_words_are_refused():
    with pytest.raises(ConfigError, match="no kernel sinc"):
        WarpRules("sinc")
    with pytest.raises(ConfigError, match="no jacobian some"):
        WarpRules(jacobian="some")
    with pytest.raises(ConfigError, match="no backend abacus"):
        bring(noise(), WarpRules(), backend="abacus")
    with pytest.raises(ConfigError, match="feather_px is -1"):
        bring(noise(), WarpRules(feather_px=-1))


def test_tiles_of_a_survey_cover_what_they_should(shared_data):
    """Four 2MASS tiles around M17: 2201 x 942 pixels hold 1,871,951 that a tile covers."""
    files = sorted((shared_data / "mosaic-2mass-m17").glob("aK_*.fits.gz"))
    frames = [fits.getdata(file).astype(np.float32)[None] for file in files]
    plates = [WCS(fits.getheader(file)).celestial for file in files]
    inputs = [(image.shape[1:], plate) for image, plate in zip(frames, plates, strict=True)]
    canvas, shape = find_optimal_celestial_wcs(inputs)
    assert shape == (2201, 942)
    covered = np.zeros(shape, bool)
    for image, plate in zip(frames, plates, strict=True):
        way = route(canvas, shape, plate, image.shape[1:])
        ours = bring(image, WarpRules("linear", edge_px=0), way.window, way, "numba")
        covered[way.window.slices] |= np.isfinite(ours.data[0])
    assert covered.sum() == pytest.approx(1_871_951, rel=1e-3), shape
