"""The sky under the sources: a smooth map of its level and its noise, and the image without it."""

from dataclasses import dataclass

import numpy as np
import sep

from lostlight.core.errors import BadImage

VERSION = sep.__version__


@dataclass(frozen=True)
class Background:
    """An image split into sources and sky.

    Attributes
    ----------
    subtracted : ndarray, shape (ny, nx), float32, adu
        The image without its background; zero on blank pixels.
    level_adu, rms_map_adu : ndarray, shape (ny, nx), float32, adu
        Background and its noise at every pixel.
    typical_adu, rms_adu : float
        Background and noise of the whole image; the noise is the unit of the detection threshold.
    blank : ndarray, shape (ny, nx), bool
        Pixels without data.
    """

    subtracted: np.ndarray
    level_adu: np.ndarray
    rms_map_adu: np.ndarray
    typical_adu: float
    rms_adu: float
    blank: np.ndarray


def split(image: np.ndarray, blank: np.ndarray | None, mesh_px: int, mesh_filter: int) -> Background:
    """Separate the sources of an image from the sky by clipped modes on a mesh, median-filtered and splined.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), adu
        Any byte order; NaN and infinity count as blank.
    blank : ndarray, shape (ny, nx), bool, or None
        Pixels without data, left out of the estimate.
    mesh_px : int
        Side of a mesh cell in pixels.
    mesh_filter : int
        Side of the median filter in cells.

    Raises
    ------
    BadImage
        If no pixel holds data or the image has no noise.

    Notes
    -----
    The estimator of SExtractor (Bertin & Arnouts 1996, A&AS 117, 393) as implemented in SEP (Barbary 2016).
    """
    pixels = np.array(image, dtype=np.float32, order="C")
    missing = ~np.isfinite(pixels)
    if blank is not None:
        missing |= blank
    pixels[missing] = 0
    if missing.all():
        raise BadImage("every pixel is blank", hint="the tile lies outside the plate: fetch another plate")
    sky = sep.Background(pixels, mask=missing, bw=mesh_px, bh=mesh_px, fw=mesh_filter, fh=mesh_filter)
    rms_map = sky.rms()
    if not rms_map.any():  # the global rms is 1 in this case, not 0
        raise BadImage(
            f"the image has no noise: every pixel is {sky.globalback:g} adu, or nearly so",
            hint="check that it is a scan of a plate",
        )
    level = sky.back()
    subtracted = pixels - level
    subtracted[missing] = 0
    return Background(subtracted, level, rms_map, float(sky.globalback), float(sky.globalrms), missing)


def summary(sky: Background) -> dict[str, float]:
    """Give the typical level and noise of the sky and the share of blank pixels, for the record of a tile."""
    return {
        "background_adu": sky.typical_adu,
        "rms_adu": sky.rms_adu,
        "blank_fraction": float(sky.blank.mean()),
    }
