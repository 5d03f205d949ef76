"""Affine maps: known ones are recovered, join and turn round; as WCS they lead to the same pixels and sky."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import fit_wcs_from_points
from tests.star_lists import taken

from lostlight.science.mosaic.register.transform import (
    apply,
    compose,
    composed_wcs,
    fit,
    invert,
    is_mirrored,
    linear_wcs,
    scale_of,
)

TURNED = np.array([[0.8, -0.6, 31.5], [0.6, 0.8, -12.25]])
MIRRORED = np.array([[-1.6, 1.2, 700.0], [1.2, 1.6, 3.0]])


@pytest.fixture
def places():
    random = np.random.default_rng(5)
    return random.uniform(0, 1200, 60) + 1j * random.uniform(0, 900, 60)


@pytest.mark.parametrize(("planted", "mirrored", "scale"), [(TURNED, False, 1), (MIRRORED, True, 2)])
def test_a_similarity_is_recovered(places, planted, mirrored, scale):
    w = taken(planted, places)
    found = fit(places, w, mirrored)
    assert np.allclose(found, planted, atol=1e-7)
    assert is_mirrored(found) == mirrored
    assert scale_of(found) == pytest.approx(scale, rel=1e-9)
    assert np.allclose(apply(found, places), w)


def test_many_stars_show_the_shear_that_few_do_not(places):
    planted = TURNED + np.array([[2e-4, 0, 0], [1e-4, -2e-4, 0]])
    error = np.random.default_rng(1).normal(0, 0.05, (2, 60))
    w = taken(planted, places) + error[0] + 1j * error[1]
    weights = np.full(60, 0.05**-2)
    corner = np.array([1200 + 900j])
    many = fit(places, w, False, weights)
    assert abs(taken(many, corner) - taken(planted, corner))[0] < 0.06
    strip = np.abs(places.real - 600) < 40
    assert 2 < strip.sum() < 8
    few = fit(places[strip], w[strip], False, weights[strip])
    singular = np.linalg.svd(few[:, :2], compute_uv=False)
    assert singular[0] / singular[1] - 1 < 1e-3


def test_stars_in_a_line_give_a_similarity():
    z = np.linspace(0, 500, 9) * (1 + 0.5j)
    assert np.allclose(fit(z, taken(TURNED, z), False), TURNED, atol=1e-6)


def test_weights_decide_between_stars_that_disagree(places):
    w = taken(TURNED, places)
    w[:10] += 30
    weights = np.where(np.arange(60) < 10, 1e-9, 1.0)
    assert np.allclose(fit(places, w, False, weights), TURNED, atol=1e-4)


def test_maps_join_and_turn_round(places):
    joined = compose(MIRRORED, TURNED)
    assert np.allclose(apply(joined, places), taken(MIRRORED, taken(TURNED, places)))
    assert np.allclose(compose(invert(MIRRORED), MIRRORED), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("planted", [TURNED, MIRRORED])
def test_a_linear_wcs_leads_to_pixels_of_the_reference_frame(places, planted):
    wcs = linear_wcs(planted)
    x, y = wcs.all_pix2world(places.real, places.imag, 0)
    assert np.allclose(x + 1j * y, taken(planted, places))
    back = np.stack(wcs.all_world2pix(x, y, 0))
    assert np.allclose(back, [places.real, places.imag])
    assert list(wcs.wcs.ctype) == ["", ""]
    assert not wcs.has_celestial


def test_a_linear_wcs_survives_a_header(places):
    again = WCS(Header.fromstring(linear_wcs(TURNED).to_header().tostring()))
    x, y = again.all_pix2world(places.real, places.imag, 0)
    assert np.allclose(x + 1j * y, taken(TURNED, places), atol=1e-6)


def _anchor(sip=False, cd=False, tpv=False):
    wcs = WCS(naxis=2)
    kind = "TPV" if tpv else "TAN-SIP" if sip else "TAN"
    wcs.wcs.ctype = [f"RA---{kind}", f"DEC--{kind}"]
    wcs.wcs.crval = [31.0, 46.7]
    wcs.wcs.crpix = [301.5, 250.5]
    matrix = np.array([[-3e-4, 2e-5], [2.1e-5, 3.1e-4]])
    if cd:
        wcs.wcs.cd = matrix
    else:
        wcs.wcs.cdelt, wcs.wcs.pc = [-3e-4, 3e-4], matrix / np.array([[-3e-4], [3e-4]])
    if tpv:
        wcs.wcs.set_pv([(1, 1, 1.0), (1, 7, 0.02), (2, 1, 1.0), (2, 9, -0.03)])
    if sip:
        a, b, ap, bp = np.zeros((4, 4, 4))
        a[2, 0], a[1, 1], a[0, 3], b[0, 2], b[3, 0] = 2e-6, -1e-6, 3e-9, 1.5e-6, -2e-9
        ap[2, 0], bp[0, 2] = -2e-6, -1.5e-6
        wcs.sip = Sip(a, b, ap, bp, wcs.wcs.crpix)
    wcs.wcs.set()
    return wcs


@pytest.mark.parametrize("planted", [TURNED, MIRRORED])
@pytest.mark.parametrize("options", [{}, {"cd": True}, {"cd": True, "sip": True}, {"sip": True}, {"tpv": True}])
def test_a_frame_takes_over_the_sky_of_its_anchor(places, planted, options):
    anchor = _anchor(**options)
    before = anchor.to_header(relax=True).tostring()
    there = taken(planted, places)
    expected = SkyCoord(*anchor.all_pix2world(there.real, there.imag, 0), unit="deg")
    wcs = composed_wcs(anchor, planted)
    found = SkyCoord(*wcs.all_pix2world(places.real, places.imag, 0), unit="deg")
    assert found.separation(expected).arcsec.max() < 1e-5
    if "tpv" not in options:  # wcslib's own way back through TPV ends in NaN at some places
        back = np.stack(wcs.all_world2pix(found.ra.deg, found.dec.deg, 0))
        assert np.allclose(back, [places.real, places.imag], atol=1e-3)
    assert anchor.to_header(relax=True).tostring() == before


def test_the_sky_taken_over_is_that_of_a_fit_to_the_same_positions(places):
    anchor = _anchor(cd=True)
    there = taken(TURNED, places)
    sky = SkyCoord(*anchor.all_pix2world(there.real, there.imag, 0), unit="deg")
    fitted = fit_wcs_from_points((places.real, places.imag), sky)
    ours = SkyCoord(*composed_wcs(anchor, TURNED).all_pix2world(10, 700, 0), unit="deg")
    theirs = SkyCoord(*fitted.all_pix2world(10, 700, 0), unit="deg")
    assert ours.separation(theirs).arcsec < 0.01
