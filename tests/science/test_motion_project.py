"""From the sky to pixels: a hand-made gnomonic projection, real headers, and the way back, as judges."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from lostlight.core.errors import NoWCS
from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.project import (
    inverse_jacobian,
    jacobian,
    pixel_rates,
    project,
    sky_rates,
    to_pixels,
    to_sky,
)

CD = np.array([[-1.1392648598678e-07, 7.31839748843125e-05], [-7.3006497835069e-05, -1.2752015633277e-07]])
"""Of the images of kbmod-small: the axes of the sky lie across those of the pixels."""
CRPIX = (1033.934327, 2043.548284)


def _wcs(ra_deg=200.614997245422, dec_deg=-7.78878863332778, cd=CD, crpix=CRPIX, sip=False):
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = ("RA---TAN-SIP", "DEC--TAN-SIP") if sip else ("RA---TAN", "DEC--TAN")
    header["CRVAL1"], header["CRVAL2"] = ra_deg, dec_deg
    header["CRPIX1"], header["CRPIX2"] = crpix
    for row in (1, 2):
        for column in (1, 2):
            header[f"CD{row}_{column}"] = cd[row - 1, column - 1]
    if sip:
        header["A_ORDER"], header["B_ORDER"] = 2, 2
        header["A_2_0"], header["A_1_1"], header["B_0_2"], header["B_1_1"] = 3e-6, -2e-6, 4e-6, 1e-6
    return WCS(header)


def _gnomonic(ra_deg, dec_deg, ra0_deg, dec0_deg, cd, crpix):
    """Project by hand, as in Calabretta and Greisen (2002), section 5.1.3."""
    ra, dec, ra0, dec0 = np.radians([*np.broadcast_arrays(ra_deg, dec_deg, ra0_deg, dec0_deg)])
    depth = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / depth
    eta = (np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0)) / depth
    x, y = np.tensordot(np.linalg.inv(cd), np.degrees([xi, eta]), 1)
    return x + crpix[0] - 1, y + crpix[1] - 1


def test_ten_arcsec_on_the_real_axes():
    """A6: east is up and north is left on the images of kbmod-small."""
    motion = LinearMotion(
        np.full(2, 200.614997245422), np.full(2, -7.78878863332778), 60000.0, [10.0, 0.0], [0.0, 10.0]
    )
    x, y = project([_wcs()] * 2, *motion.at([60000.0, 60000.0 + 1 / 24]))
    assert (x[0, 1] - x[0, 0], y[0, 1] - y[0, 0]) == pytest.approx((-0.07, 37.96), abs=0.01)
    assert (x[1, 1] - x[1, 0], y[1, 1] - y[1, 0]) == pytest.approx((-38.05, -0.06), abs=0.01)
    steps = 10 * jacobian(_wcs(), [CRPIX[0] - 1], [CRPIX[1] - 1])[0]
    assert steps == pytest.approx(np.array([[-0.07, -38.05], [37.96, -0.06]]), abs=0.01)


@pytest.mark.needs_shared
def test_real_headers_of_kbmod_small(shared_data):
    """A6: the same from the files themselves."""
    with fits.open(shared_data / "kbmod-small" / "000000.fits.gz") as file:
        header = file[1].header
    header = {key: value for key, value in header.items() if not key.startswith(("A_", "B_", "AP_", "BP_"))}
    wcs = WCS(fits.Header(header))
    steps = 10 * jacobian(wcs, [31.0], [31.0])[0]
    assert steps == pytest.approx(np.array([[-0.07, -38.05], [37.96, -0.06]]), abs=0.02)


@pytest.mark.parametrize("ra_deg", [200.6, 0.0, 359.9999])
@pytest.mark.parametrize("dec_deg", [-7.8, 45.0, 85.0])
def test_projection_is_the_gnomonic_one(ra_deg, dec_deg):
    """A6: positions to 1e-6 px at low and high declination, across right ascension 0."""
    rng = np.random.default_rng(1)
    ra = (ra_deg + rng.uniform(-0.1, 0.1, (13, 3, 2)) / np.cos(np.radians(dec_deg))) % 360
    dec = dec_deg + rng.uniform(-0.1, 0.1, (13, 3, 2))
    wcs = _wcs(ra_deg, dec_deg)
    x, y = project([wcs, wcs, _wcs(ra_deg, dec_deg + 0.01)], ra, dec)
    for epoch, centre in enumerate((dec_deg, dec_deg, dec_deg + 0.01)):
        expected = _gnomonic(ra[:, epoch], dec[:, epoch], ra_deg, centre, CD, CRPIX)
        assert np.abs(x[:, epoch] - expected[0]).max() < 1e-6
        assert np.abs(y[:, epoch] - expected[1]).max() < 1e-6


@pytest.mark.parametrize("dec_deg", [-7.8, 45.0, 85.0])
def test_distorted_images_are_followed(dec_deg):
    """A6: with SIP, to 1e-6 px against the way back and astropy's high-level interface."""
    wcs = _wcs(0.001, dec_deg, sip=True)
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 2000, 40), rng.uniform(0, 4000, 40)
    ra, dec = to_sky(wcs, x, y)
    assert ra.min() < 90 < 270 < ra.max()
    found = project([wcs], ra[:, None], dec[:, None])
    assert np.abs(found[0][:, 0] - x).max() < 1e-6
    assert np.abs(found[1][:, 0] - y).max() < 1e-6
    theirs = wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg"))  # of a looser tolerance
    assert np.abs(np.array(theirs) - [x, y]).max() < 1e-5
    straight = _gnomonic(ra, dec, 0.001, dec_deg, CD, CRPIX)
    assert np.abs(straight[0] - x).max() > 1, "the distortion must matter for this test to show anything"


@pytest.mark.needs_shared
def test_real_images_of_decam_are_followed_through_their_tpv(shared_data):
    """A6: forth and back to 1e-6 px."""
    image = next((shared_data / "decam-testcase6" / "images").rglob("*_ooi_*.fits.gz"))
    with fits.open(image) as file:
        header = next(hdu.header for hdu in file if hdu.header.get("CTYPE1") == "RA---TPV")
    wcs, (x, y) = WCS(header), np.random.default_rng(3).uniform(0, 100, (2, 30))
    found = to_pixels(wcs, *to_sky(wcs, x, y))
    assert np.abs(np.array(found) - [x, y]).max() < 1e-6
    # DECam has 0.263 arcsec pixels, north to the left and east up
    assert jacobian(wcs, x, y) == pytest.approx(np.broadcast_to([[0, -3.8], [3.8, 0]], (30, 2, 2)), abs=0.02)


def test_what_an_image_cannot_show_is_nan():
    x, y = project([_wcs()], [[20.6]], [[7.8]])
    assert np.isnan([x, y]).all()


@pytest.mark.parametrize("lost", [(220.0, -7.8), (250.0, -7.8), (290.6, 40.0), (20.6, 7.8), (np.nan, -7.8)])
def test_where_a_distortion_has_no_way_back_nothing_is_told_and_others_keep_their_places(lost):
    wcs = _wcs(sip=True)
    alone = to_pixels(wcs, [200.615], [-7.79])
    x, y = to_pixels(wcs, [lost[0], 200.615], [lost[1], -7.79])
    assert np.isnan([x[0], y[0]]).all()
    assert (x[1], y[1]) == pytest.approx((alone[0][0], alone[1][0]), abs=1e-6)


def test_images_that_share_a_wcs_are_done_in_one_call(monkeypatch):
    calls, one, other = [], _wcs(), _wcs(200.62)
    ask = WCS.all_world2pix
    monkeypatch.setattr(WCS, "all_world2pix", lambda self, *a, **k: calls.append(len(a[0])) or ask(self, *a, **k))
    ra = np.full((5, 4, 3), 200.6)
    x, _ = project([one, other, one, one], ra, np.full((5, 4, 3), -7.8))
    assert sorted(calls) == [15, 45]
    assert x.shape == (5, 4, 3)
    assert np.ptp(x[:, [0, 2, 3]]) == 0 and x[0, 1, 0] != x[0, 0, 0]


def test_nothing_asked_nothing_done():
    x, y = to_pixels(_wcs(), [], [])
    assert x.shape == y.shape == (0,)


@pytest.mark.parametrize("lacking", [None, WCS(naxis=2)])
def test_images_without_sky_are_refused(lacking):
    with pytest.raises(NoWCS, match="image 1"):
        project([_wcs(), lacking], np.zeros((1, 2)), np.zeros((1, 2)))


@pytest.mark.parametrize("sip", [False, True])
@pytest.mark.parametrize("dec_deg", [-7.8, 45.0, 89.0])
def test_jacobian_is_what_positions_do(dec_deg, sip):
    wcs = _wcs(0.0, dec_deg, sip=sip)
    x, y = np.array([10.0, 1900.0, 1033.0]), np.array([3900.0, 20.0, 2042.0])
    ra, dec = to_sky(wcs, x, y)
    matrix = jacobian(wcs, x, y)
    for column, way in enumerate(([1.0, 0.0], [0.0, 1.0])):
        step = LinearMotion(ra, dec, 0.0, np.full(3, way[0]), np.full(3, way[1])).at([1 / 48, -1 / 48])
        moved = project([wcs, wcs], *step)
        assert np.stack([moved[0][:, 0] - moved[0][:, 1], moved[1][:, 0] - moved[1][:, 1]], -1) == pytest.approx(
            matrix[:, :, column], abs=2e-6
        )
    assert matrix @ inverse_jacobian(wcs, x, y) == pytest.approx(np.broadcast_to(np.eye(2), (3, 2, 2)), abs=1e-12)


def test_rates_go_to_pixels_and_back():
    wcs, x, y = _wcs(), np.array([5.0, 900.0]), np.array([7.0, 3000.0])
    east, north = np.array([-2.7, 0.0]), np.array([1.1, 30.0])
    vx, vy = pixel_rates(wcs, x, y, east, north)
    assert vy[0] == pytest.approx(-2.7 * 24 * 3.796, rel=1e-3)
    assert vx[1] == pytest.approx(-30 * 24 * 3.805, rel=1e-3)
    back = sky_rates(wcs, x, y, vx, vy)
    assert back[0] == pytest.approx(east, abs=1e-10)
    assert back[1] == pytest.approx(north, abs=1e-10)
