"""A one-shot colour camera from its raw frames to colours: those of the sky and of the stars that were planted."""

import numpy as np
import pytest
from astropy.io import fits
from tests.calibration_night import Night

from lostlight.sim.camera import SKY
from lostlight.sim.camera_design import Scene, Shot
from lostlight.sim.camera_stars import COLOUR_TERM
from lostlight.vocab.bits import dq

GAIN, EXPOSURE_S, SKY_E_S, ZERO_MAG = 1.5, 120.0, 6.0, 25.6
NAME = "light_120s_000"
SHAPE, BLIND = (202, 262), 11  # an odd trim: the first pixel that sees light has another colour than the first of all

CAMERAS = [("RGGB", "TOP-DOWN"), ("RGGB", "BOTTOM-UP"), ("GBRG", "BOTTOM-UP")]


@pytest.fixture(scope="module", params=CAMERAS, ids=["-".join(camera) for camera in CAMERAS])
def night(request, tmp_path_factory) -> Night:
    cfa, order = request.param
    scene = Scene(sky_e_s=SKY_E_S, n_stars=34, fwhm_px=5.0, zero_mag=ZERO_MAG, gradient=0.0, dither_px=0.0)
    return Night(
        tmp_path_factory.mktemp("colour"), cfa=cfa, roworder=order, shape=SHAPE, overscan_px=BLIND, scene=scene,
        n_light=1, n_bias=5, n_dark=5, n_flat=5, n_flat_dark=5, vignetting=0.4,
    )  # fmt: skip


def level_of_flat(night, made, colour):
    """What the flat was scaled by in a colour: the truth is that of the camera, whose median over all colours is 1."""
    planes = made.planes("master_flat")
    here = (night.camera.truth.colours == colour) & (planes["DQ"] == 0)
    return float(np.median((planes["SCI"] / night.camera.truth.flat(""))[here]))


def expected_sky(night, made, colour):
    return EXPOSURE_S * SKY_E_S * SKY[colour] / GAIN / level_of_flat(night, made, colour)


@pytest.mark.parametrize("how", ["bilinear", "superpixel"])
def test_the_sky_is_even_and_of_its_own_colour(night, how):
    made = night.run(light={"debayer": how}, cosmetic={"method": "median5"})
    planes = made.planes(NAME)
    for number, colour in enumerate("RGB"):
        image, good = planes["SCI"][number], planes["DQ"] == 0
        good = good[number] if good.ndim == 3 else good
        sky = expected_sky(night, made, colour)
        tiles = [image[y : y + 50, x : x + 50][good[y : y + 50, x : x + 50]]
                 for y in range(0, image.shape[0] - 49, 50) for x in range(0, image.shape[1] - 49, 50)]  # fmt: skip
        levels = np.array([np.median(tile) for tile in tiles])
        noise = np.nanmedian(planes["UNCERT"][number])
        assert np.median(levels) == pytest.approx(sky, abs=0.1 * float(noise))
        assert np.percentile(levels, 25) == pytest.approx(sky, rel=0.02)  # vignetting of forty percent is gone


def test_the_colours_of_stars_are_those_that_were_planted(night):
    made = night.run(light={"debayer": "superpixel"}, cosmetic={"method": "median5"})
    planes, stars = made.data(NAME), night.camera.take(Shot("light", 0, EXPOSURE_S)).truth.stars
    found = []
    for star in stars:
        x, y = (star["x_px"] - 0.5) / 2, (star["y_px"] - 0.5) / 2
        if not (10 < x < planes.shape[2] - 10 and 10 < y < planes.shape[1] - 10):
            continue
        flux = {}
        for number, colour in enumerate("RGB"):
            flux[colour] = _flux(planes[number], x, y) * level_of_flat(night, made, colour)
        truth = {c: 10 ** (-0.4 * (star["mag_r"] + COLOUR_TERM.get(c, 0.0) * star["colour"] - ZERO_MAG)) for c in "RGB"}
        if truth["B"] * EXPOSURE_S > 20_000 and _is_alone(star, stars):
            brightness = 4 * flux["G"] * GAIN / EXPOSURE_S / truth["G"]
            found.append([flux[c] / flux["G"] / (truth[c] / truth["G"]) for c in "RB"] + [brightness])
    found = np.array(found)
    assert len(found) >= 2
    np.testing.assert_allclose(np.median(found, axis=0), 1, atol=0.03)
    assert np.abs(found[:, :2] - 1).max() < 0.12


def _flux(image, x, y, radius=7, outer=10):
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot(rows - y, columns - x)
    sky = np.median(image[(distance > radius) & (distance < outer)])
    return float(np.sum(image[distance <= radius] - sky))


def _is_alone(star, stars):
    return (np.hypot(stars["x_px"] - star["x_px"], stars["y_px"] - star["y_px"]) < 32).sum() == 1


def test_the_header_knows_what_the_planes_are(night):
    mosaic, colour, small = (night.run(light={"debayer": how}, cosmetic={"method": "median5"}) for how in
                             ("off", "bilinear", "superpixel"))  # fmt: skip
    assert colour.header(NAME)["NAXIS3"] == 3 and "BAYERPAT" not in colour.header(NAME)
    first = "".join(night.camera.truth.colours[:2, :2].ravel())
    assert mosaic.header(NAME)["BAYERPAT"] == first and "ROWORDER" not in mosaic.header(NAME)
    raw = fits.getheader(night.files("light")[0])
    assert mosaic.header(NAME)["CRPIX1"] == pytest.approx(raw["CRPIX1"] - BLIND)
    assert small.header(NAME)["CRPIX1"] == pytest.approx((raw["CRPIX1"] - BLIND + 0.5) / 2)


def test_hot_pixels_of_a_mosaic_take_the_colour_of_their_neighbours(night):
    made = night.run(light={"debayer": "off"}, cosmetic={"method": "median5"})
    planes, truth = made.planes(NAME), night.camera.truth
    mended = truth.hot & (planes["DQ"] & dq("INTERPOLATED") > 0)
    mended[:, truth.bad_columns] = False
    assert mended.sum() >= 0.9 * truth.hot.sum() > 10
    for colour in "RGB":
        here = mended & (truth.colours == colour)
        sky = expected_sky(night, made, colour)
        assert np.median(planes["SCI"][here]) == pytest.approx(sky, rel=0.1)
