"""From an image to its clean image and its mask: which pixels not to trust, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.science.detect.background import split
from lostlight.science.plate.blank import margin, no_data, unexposed
from lostlight.science.plate.bright_stars import BrightStars, find_bright_stars, outlines
from lostlight.science.plate.clean import isolated_flaws, neighbours_of
from lostlight.science.plate.density import Saturation, saturation
from lostlight.science.plate.shapes import Shape, paint
from lostlight.science.plate.trails import find_trails
from lostlight.vocab import bits

NOMINAL_SCALE_ARCSEC = 1.7
"""The scale at which widths in pixels are stated."""

_MESH_FILTER = 3
_EXTENDED = 2.0


class Knobs(Protocol):
    """What of the configuration the masks depend on; see `lostlight.core.params.MasksParams`."""

    bright_limit_mag: float
    disc_scale: float
    spike_scale: float
    edge_px: int
    clean_sigma: float
    trail_sigma: float
    trails: bool
    mesh_px: int


@dataclass(frozen=True)
class Masked:
    """What became of an image.

    Attributes
    ----------
    clean : ndarray of float32, (ny, nx), adu
        Flaws replaced by the median of their neighbours, blank pixels by the level of the sky.
    mask : ndarray of int32, (ny, nx)
        Bits of `lostlight.vocab.bits.MASK`.
    shapes : list of Shape
        Discs, halos, spikes, ghosts and trails.
    saturation : Saturation
    background_adu, rms_adu : float
        Level of the sky and its noise.
    n_flaws, n_bright_stars, n_trails : int
    """

    clean: NDArray[np.float32]
    mask: NDArray[np.int32]
    shapes: list[Shape]
    saturation: Saturation
    background_adu: float
    rms_adu: float
    n_flaws: int
    n_bright_stars: int
    n_trails: int


def make_mask(
    image: NDArray[np.float32],
    scale_arcsec: float,
    plate_centre_px: tuple[float, float] | None,
    knobs: Knobs,
    catalogue_stars: Callable[[], BrightStars] | None = None,
) -> Masked:
    """Clean an image and mark what is not sky and stars.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu
        Larger where more light fell; NaN where there is nothing.
    scale_arcsec : float
        Side of a pixel.
    plate_centre_px : (float, float) or None
        Zero-based pixel position of the plate's centre, may lie outside.
    knobs : Knobs
    catalogue_stars : callable, optional
        Gives the bright stars; without it they are found on the image.

    Raises
    ------
    BadImage
        If the image is blank, or of one value.
    """
    blank = no_data(image)
    sky = split(image, blank, knobs.mesh_px, _MESH_FILTER)
    bare = unexposed(np.where(blank, 0, image), sky.level_adu, blank)
    if bare.any():
        blank |= bare
        sky = split(image, blank, knobs.mesh_px, _MESH_FILTER)
    if blank.all():
        raise BadImage("no part of the image shows exposed sky", hint="take another plate")
    background = float(np.median(sky.level_adu[::4, ::4][~blank[::4, ::4]]))
    clean = np.where(blank, np.float32(background), image)
    subtracted = sky.subtracted
    flaw_y, flaw_x = isolated_flaws(subtracted, sky.rms_adu, knobs.clean_sigma)
    for pixels in (clean, subtracted):
        pixels[flaw_y, flaw_x] = np.median(neighbours_of(pixels, flaw_y, flaw_x), axis=1)
    top = saturation(clean, background, sky.rms_adu)
    stars = catalogue_stars() if catalogue_stars else _own_stars(clean, background, top, scale_arcsec, knobs)
    shapes = outlines(
        stars, subtracted, sky.rms_adu, scale_arcsec, plate_centre_px, knobs.disc_scale, knobs.spike_scale
    )
    mask = np.where(blank, np.int32(bits.mask("BLANK")), np.int32(0))
    mask[margin(blank, round(knobs.edge_px * NOMINAL_SCALE_ARCSEC / scale_arcsec))] |= bits.mask("EDGE")
    mask[(clean >= top.level_adu) & ~blank] |= bits.mask("SATURATED")
    mask[flaw_y, flaw_x] |= bits.mask("DEFECT")
    paint(mask, shapes)
    trails: list[Shape] = []
    if knobs.trails:
        # Large galaxies and crowded cores show as noise; their texture is full of short straight pieces.
        ignored = (mask & ~bits.mask("SATURATED")) != 0
        ignored |= sky.rms_map_adu > _EXTENDED * sky.rms_adu
        trails = find_trails(subtracted, sky.rms_adu, knobs.trail_sigma, ignored, scale_arcsec)
        paint(mask, trails)
    return Masked(clean, mask, shapes + trails, top, background, sky.rms_adu, len(flaw_y), len(stars.mag), len(trails))


def fractions(mask: NDArray[np.int32]) -> dict[str, float]:
    """Give the fraction of pixels with each mask bit, by the bit's name in lower case, and with any of them."""
    counts = np.bincount(mask.ravel(), minlength=1)
    values = np.flatnonzero(counts)
    shares = {
        f"masked_{bit.name.lower()}": round(float(counts[values[(values & bit.value) != 0]].sum() / mask.size), 6)
        for bit in bits.MASK
    }
    return shares | {"masked_any": round(float(counts[values[values != 0]].sum() / mask.size), 6)}


def _own_stars(
    clean: NDArray[np.float32], background: float, top: Saturation, scale_arcsec: float, knobs: Knobs
) -> BrightStars:
    if not top.is_reached:
        return BrightStars(*np.empty((3, 0)))
    return find_bright_stars(clean, background, top.level_adu, scale_arcsec, knobs.bright_limit_mag)
