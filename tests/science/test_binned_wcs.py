"""The sky stays where it was when pixels are made twice as large."""

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.science.calibrate.binned_wcs import halved

PLAIN = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 132.8, "CRVAL2": 11.8, "CRPIX1": 51.3, "CRPIX2": 40.2,
    "CUNIT1": "deg", "CUNIT2": "deg",
}  # fmt: skip
MATRIX = {"CD1_1": -3e-4, "CD1_2": 2e-5, "CD2_1": 1e-5, "CD2_2": 3e-4}
STEPS = {"CDELT1": -3e-4, "CDELT2": 3e-4, "PC1_1": 0.9, "PC1_2": 0.1, "PC2_1": -0.1, "PC2_2": 0.9}
BENT = {
    **MATRIX, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "B_ORDER": 3, "A_2_0": 1e-4,
    "A_1_1": -2e-4, "A_0_3": 1e-6, "B_0_2": 3e-4, "B_2_1": -2e-6, "AP_ORDER": 1, "AP_1_0": 1e-5, "BP_ORDER": 1,
}  # fmt: skip


@pytest.mark.parametrize("cards", [MATRIX, STEPS, BENT])
def test_the_sky_stays_where_it_was(cards):
    header = Header({**PLAIN, **cards})
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 100, (2, 40))  # from zero: the middle of the first superpixel lies at 0.5
    before = WCS(header).all_pix2world(x, y, 0)
    after = WCS(halved(header)).all_pix2world((x - 0.5) / 2, (y - 0.5) / 2, 0)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-10)


def test_other_solutions_and_sizes_of_pixels_follow_and_the_rest_stays():
    header = Header({"CRPIX1A": 11.0, "XPIXSZ": 3.8, "XBINNING": 1, "OBJECT": "M 67", "EXPTIME": 60.0, "A_DMAX": 1.0})
    new = halved(header)
    assert [new[key] for key in header] == [5.75, 7.6, 2, "M 67", 60.0, 1.0]
    assert header["CRPIX1A"] == 11, "what was given stays as it is"
    assert not halved(Header())
