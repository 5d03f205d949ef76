"""Images without a sky lie on each other as their stars say, on a sky of nowhere."""

import numpy as np
from astropy.wcs import WCS

from lostlight.science.motion.flat import flat_sky, is_flat


def linear(angle_deg: float, shift: tuple[float, float], mirrored: bool = False) -> WCS:
    """A mapping from pixels of an image to those of another: turned, shifted, perhaps mirrored."""
    wcs = WCS(naxis=2)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    wcs.wcs.cd = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    wcs.wcs.crpix, wcs.wcs.crval = (31.0, 77.0), shift
    wcs.wcs.set()
    return wcs


def test_pixels_of_one_image_lie_on_another_as_before():
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-300, 900, (2, 200))
    first, second = linear(0, (30.0, 76.0)), linear(181.3, (512.4, -33.9), mirrored=True)
    there = second.wcs_world2pix(*first.wcs_pix2world(x, y, 0), 0)
    found = flat_sky(second, 0.7).all_world2pix(*flat_sky(first, 0.7).all_pix2world(x, y, 0), 0)
    assert np.abs(np.array(found) - np.array(there)).max() < 1e-6


def test_a_pixel_has_the_side_it_is_given():
    sky = flat_sky(linear(20, (0, 0)), 2.5)
    assert np.allclose(np.sqrt(abs(np.linalg.det(sky.pixel_scale_matrix))) * 3600, 2.5)


def test_such_a_sky_is_known_for_what_it_is():
    sky = flat_sky(linear(0, (0, 0)))
    assert is_flat(WCS(sky.to_header()))
    assert not is_flat(None)
    real = WCS(naxis=2)
    real.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    assert not is_flat(real)
