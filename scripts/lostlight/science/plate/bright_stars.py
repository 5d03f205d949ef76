"""What a bright star does to a plate: a disc, a halo, four spikes, a ghost."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from lostlight.science.plate.shapes import Shape, bar, disc
from lostlight.science.plate.strips import SEGMENT_NOISE, SEGMENT_PX, contrast, sample, unbroken

_ISOPHOTE = 0.8
# Radius of the isophote at 0.8 of the way from the sky to saturation, measured on POSS-I E plate XE486 (M67) against
# the R magnitudes of 600 single Gaia stars; beyond the bright end it grows as the inverse-square aureole (King 1971).
_MAGNITUDE = np.array([7.28, 9.0, 10.0, 10.6, 11.0, 11.5, 12.1, 12.4, 13.0, 13.5, 14.0, 14.5])
_RADIUS_ARCSEC = np.array([22.9, 10.4, 7.73, 6.98, 6.22, 5.6, 4.98, 4.60, 4.07, 3.59, 3.32, 2.88])
_AUREOLE_SLOPE = 0.2
_BRIGHTEST_MAG = 0.0

# Radius at which the images of the same stars sink below five times the grain: 36.8" at 8.75, 10.2" at 11.75.
_DISC_ARCSEC, _DISC_MAG, _DISC_SLOPE = 10.2, 11.75, 0.185
_HALO_OVER_DISC = 2.0
_HALATION_MAG, _HALATION_ARCSEC = 8.0, 145.0
_SPIKE_ARCSEC, _SPIKE_MAG, _SPIKE_SLOPE = 102.0, 14.5, 0.16
_SPIKE_WIDTH_ARCSEC = 10.2
_GHOST_MAG, _GHOST_SHIFT, _GHOST_ARCSEC = 9.0, 0.03, 36.0

_LIT = 3.0
_AXES = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
_DIAGONALS = tuple((x * math.sqrt(0.5), y * math.sqrt(0.5)) for x in (1, -1) for y in (1, -1))
_GAP_SEGMENTS = 1
_LONGEST_AXIS_RATIO = 2.2
_LEAST_FILLING = 0.55


class BrightStars(NamedTuple):
    """Bright stars on or near an image: zero-based positions, magnitudes; ndarrays of float64, (n,)."""

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    mag: NDArray[np.float64]


def magnitude(radius_arcsec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the radius of a star's isophote at 0.8 of saturation, arcsec, into R as on a POSS-I E plate."""
    radius = np.asarray(radius_arcsec, dtype=np.float64)
    within = np.interp(np.log10(radius), np.log10(_RADIUS_ARCSEC[::-1]), _MAGNITUDE[::-1])
    beyond = _MAGNITUDE[0] - np.log10(np.maximum(radius / _RADIUS_ARCSEC[0], 1)) / _AUREOLE_SLOPE
    return np.maximum(np.where(radius > _RADIUS_ARCSEC[0], beyond, within), _BRIGHTEST_MAG)


def find_bright_stars(
    image: NDArray[np.float32], background_adu: float, saturation_adu: float, scale_arcsec: float, limit_mag: float
) -> BrightStars:
    """Find the bright stars of an image from their saturated images, and their magnitudes from the area of these.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu
        With its background, which a mesh would confuse with the aureoles of very bright stars.
    background_adu, saturation_adu : float
        Level of the sky, and level at which the image is saturated.
    scale_arcsec : float
        Side of a pixel.
    limit_mag : float
        Fainter stars are left out.

    Returns
    -------
    BrightStars
        The brightest first. Blobs that are long or ragged, such as pen marks, are not stars.
    """
    above = image > background_adu + _ISOPHOTE * (saturation_adu - background_adu)
    found, n = label(above, structure=np.ones((3, 3)))
    y, x = np.nonzero(above)
    owner = found[y, x] - 1
    area = np.bincount(owner, minlength=n).astype(np.float64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(owner, values, minlength=n) / area

    x_mid, y_mid = mean(x), mean(y)
    dx, dy = x - x_mid[owner], y - y_mid[owner]
    xx, yy, xy = mean(dx**2) + 1 / 12, mean(dy**2) + 1 / 12, mean(dx * dy)
    root = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    major, minor = np.sqrt((xx + yy) / 2 + root), np.sqrt(np.maximum((xx + yy) / 2 - root, 1 / 12))
    is_star = (major < _LONGEST_AXIS_RATIO * minor) & (area > _LEAST_FILLING * 4 * np.pi * major * minor)
    mag = magnitude(np.sqrt(area / np.pi) * scale_arcsec)
    kept = np.flatnonzero(is_star & (mag < limit_mag))
    kept = kept[np.lexsort((x_mid[kept], y_mid[kept], mag[kept]))]
    return BrightStars(x_mid[kept], y_mid[kept], mag[kept])


def outlines(
    stars: BrightStars,
    subtracted: NDArray[np.float32],
    rms_adu: float,
    scale_arcsec: float,
    plate_centre_px: tuple[float, float] | None,
    disc_scale: float = 1.0,
    spike_scale: float = 1.0,
) -> list[Shape]:
    """Outline the discs, halos, spikes and ghosts of bright stars.

    Discs and halos follow the magnitude. Spikes lie along the axes of the plate and reach as far as they can be seen
    on this image, at most 60 px × 10^(0.16 (14.5 - m)) at 1.7 arcsec a pixel. Ghosts of stars brighter than 9 lie on
    the line through the plate's centre, to either side of the star.

    Parameters
    ----------
    stars : BrightStars
        May lie outside the image.
    subtracted : ndarray of float32, (ny, nx), adu
        Image without its background.
    rms_adu : float
        Noise of the sky.
    scale_arcsec : float
        Side of a pixel.
    plate_centre_px : (float, float) or None
        Zero-based pixel position of the plate's centre; without it there are no ghosts.
    disc_scale, spike_scale : float
        Factors on the radius of discs and halos, and on the greatest length of spikes.

    Returns
    -------
    list of Shape
    """
    shapes = []
    for x, y, mag in zip(*stars, strict=True):
        text = f"m={mag:.1f}"
        radius = disc_scale * _DISC_ARCSEC * 10 ** (_DISC_SLOPE * (_DISC_MAG - mag)) / scale_arcsec
        halo = _HALO_OVER_DISC * radius
        if mag < _HALATION_MAG:
            halo = max(halo, disc_scale * _HALATION_ARCSEC / scale_arcsec)
        shapes += [disc("HALO", x, y, halo), disc("BRIGHT_STAR", x, y, radius, text)]
        longest = spike_scale * _SPIKE_ARCSEC * 10 ** (_SPIKE_SLOPE * (_SPIKE_MAG - mag)) / scale_arcsec
        shapes += _spikes((x, y), radius, longest, subtracted, rms_adu, _SPIKE_WIDTH_ARCSEC / scale_arcsec)
        if mag < _GHOST_MAG and plate_centre_px is not None:
            shapes += _ghosts((x, y), plate_centre_px, _GHOST_ARCSEC / scale_arcsec)
    return shapes


def _spikes(
    star_px: tuple[float, float],
    radius_px: float,
    longest_px: float,
    subtracted: NDArray[np.float32],
    rms_adu: float,
    width_px: float,
) -> list[Shape]:
    x, y = star_px
    n_segments = math.ceil(max(longest_px - radius_px, 0) / SEGMENT_PX)
    if not n_segments:
        return []
    axes, diagonals = (
        [_contrast_from(subtracted, (x, y), (dx, dy), radius_px, n_segments) for dx, dy in ways]
        for ways in (_AXES, _DIAGONALS)
    )
    # The wings of the star are the same on the diagonals; and the four spikes of a star are alike, so that what is
    # seen on three of them is no chance neighbour.
    along, on_image = _lower_median(axes)
    wings, _ = _lower_median(diagonals)
    excess = along - np.nan_to_num(wings)
    before = ~np.logical_or.accumulate(on_image)  # from a star outside to the border of the image nothing is seen
    n_lit = unbroken((excess > _LIT * SEGMENT_NOISE * rms_adu) | before, _GAP_SEGMENTS)
    if not on_image[:n_lit].any():
        return []
    length = min(radius_px + (n_lit + 1) * SEGMENT_PX, longest_px)
    return [bar("SPIKE", (x, y, x + dx * length, y + dy * length), width_px) for dx, dy in _AXES]


def _contrast_from(
    image: NDArray[np.float32],
    star_px: tuple[float, float],
    way: tuple[float, float],
    radius_px: float,
    n_segments: int,
) -> NDArray[np.float32]:
    start = star_px[0] + way[0] * radius_px, star_px[1] + way[1] * radius_px
    return contrast(sample(image, start, way, n_segments))


def _lower_median(ways: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The second lowest of four directions, or the lower middle of those on the image, and where there are any."""
    seen = np.sort(np.stack(ways), axis=0)  # NaN come last
    n_known = np.isfinite(seen).sum(axis=0)
    return seen[np.maximum(n_known - 1, 0) // 2, np.arange(seen.shape[1])], n_known > 0


def _ghosts(star_px: tuple[float, float], centre_px: tuple[float, float], radius_px: float) -> list[Shape]:
    x, y = star_px
    return [
        disc(
            "GHOST",
            x + sign * _GHOST_SHIFT * (x - centre_px[0]),
            y + sign * _GHOST_SHIFT * (y - centre_px[1]),
            radius_px,
        )
        for sign in (1, -1)
    ]
