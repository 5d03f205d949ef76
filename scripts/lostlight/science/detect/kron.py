"""How bright a source is: automatic (Kron) and fixed apertures, and the radius that holds half of the light."""

from typing import NamedTuple

import numpy as np
import sep

from lostlight.science.detect.background import Background
from lostlight.science.detect.extract import APERTURE_INCOMPLETE, NEIGHBOURS, Sources
from lostlight.science.detect.pixels import window

_SEARCH_RADIUS = 6.0  # the Kron radius is measured within this many rms radii
_KRON_FACTOR, _KRON_MINIMUM = 2.5, 3.5  # PHOT_AUTOPARAMS
_CROWDED_FRACTION = 0.1


class Light(NamedTuple):
    """Fluxes (adu), the half-light radius (pixels), and the extraction flags that apertures raise; shape (n,) each."""

    flux_auto_adu: np.ndarray
    flux_auto_err_adu: np.ndarray
    flux_aper_adu: np.ndarray
    flux_aper_err_adu: np.ndarray
    flux_radius_px: np.ndarray
    flags: np.ndarray


def photometry(sky: Background, sources: Sources, aperture_px: float, gain: float) -> Light:
    """Measure the light of all sources in Kron ellipses and in a circle of fixed diameter.

    Pixels of neighbours are left out of the ellipse, and their share made up by the mean of the rest.

    Parameters
    ----------
    aperture_px : float
        Diameter of the fixed aperture.
    gain : float
        Electrons per adu; 0 means infinite.

    Notes
    -----
    Kron (1980, ApJS 43, 305) as parametrised by SExtractor: 2.5 Kron radii, but at least 3.5 rms radii.
    """
    rows, pixels = sources.rows, sky.subtracted
    place = rows["x"], rows["y"]
    ellipse = rows["a"], rows["b"], rows["theta"]
    own = {"seg_id": np.arange(1, len(rows) + 1, dtype=np.int32), "segmap": sources.segmentation}
    noise = {"err": sky.rms_adu, "gain": gain or None}
    kron, kron_flags = sep.kron_radius(pixels, *place, *ellipse, _SEARCH_RADIUS, **own)
    scale = np.maximum(_KRON_FACTOR * np.nan_to_num(kron), _KRON_MINIMUM)
    auto, auto_err, auto_flags = sep.sum_ellipse(pixels, *place, *ellipse, scale, subpix=1, **noise, **own)
    aper, aper_err, aper_flags = sep.sum_circle(pixels, *place, aperture_px / 2, **noise, **own)
    radius, _ = sep.flux_radius(pixels, *place, _SEARCH_RADIUS * rows["a"], 0.5, normflux=auto, **own)
    cut = ((auto_flags | aper_flags) & sep.APER_TRUNC > 0) | _reaches_edge(rows, sources.segmentation.shape)
    flags = np.where(cut, APERTURE_INCOMPLETE, 0)
    near = np.flatnonzero((auto_flags | kron_flags) & sep.APER_HASMASKED)
    crowded = near[_foreign_fraction(sources, near) > _CROWDED_FRACTION]
    flags[crowded] |= NEIGHBOURS
    return Light(auto, auto_err, aper, aper_err, np.where(radius > 0, radius, np.nan), flags.astype(np.int16))


def _reaches_edge(rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Whether the ellipse searched for the Kron radius reaches beyond the image."""
    width, height = _SEARCH_RADIUS * np.sqrt(rows["x2"]), _SEARCH_RADIUS * np.sqrt(rows["y2"])
    x, y, (ny, nx) = rows["x"], rows["y"], shape
    return (x - width < 0) | (x + width > nx - 1) | (y - height < 0) | (y + height > ny - 1)


def _foreign_fraction(sources: Sources, numbers: np.ndarray) -> np.ndarray:
    """Fraction of the pixels searched for each source's Kron radius that belong to other sources."""
    rows = sources.rows[numbers]
    pixels = window(rows["x"], rows["y"], _SEARCH_RADIUS * rows["a"], sources.segmentation.shape)
    o = pixels.owner
    dx, dy = pixels.x - rows["x"][o], pixels.y - rows["y"][o]
    r2 = rows["cxx"][o] * dx * dx + rows["cyy"][o] * dy * dy + rows["cxy"][o] * dx * dy
    inside = r2 <= _SEARCH_RADIUS**2
    label = sources.segmentation[pixels.y, pixels.x]
    foreign = inside & (label != 0) & (label != numbers[o] + 1)
    return np.bincount(o, foreign, len(rows)) / np.maximum(np.bincount(o, inside, len(rows)), 1)
