"""How bright a source is: automatic (Kron) and fixed apertures, and the radius that holds half of the light."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sep

from lostlight.science.detect.background import Background
from lostlight.science.detect.extract import Sources
from lostlight.science.detect.neighbours import foreign_fraction, own_stamp
from lostlight.vocab.extraction import APERTURE_INCOMPLETE, NEIGHBOURS, Knobs

_SEARCH_RADIUS = 6.0  # the Kron radius is measured within this many rms radii
_KRON_FACTOR, _KRON_MINIMUM = 2.5, 3.5  # PHOT_AUTOPARAMS
_CROWDED_FRACTION = 0.1


@dataclass
class Light:
    """Fluxes (adu), the half-light radius (pixels), and flags; shape (n,) each.

    `flags` are those of SEP while apertures are summed, and extraction flags in what `photometry` returns.
    """

    flux_auto_adu: np.ndarray
    flux_auto_err_adu: np.ndarray
    flux_aper_adu: np.ndarray
    flux_aper_err_adu: np.ndarray
    flux_radius_px: np.ndarray
    flags: np.ndarray


def photometry(sky: Background, sources: Sources, knobs: Knobs) -> Light:
    """Measure the light of all sources in Kron ellipses and in a circle of fixed diameter.

    The few sources that touch a neighbour are measured on a stamp in which the neighbour's pixels are replaced.

    Returns
    -------
    Light
        With the extraction flags that apertures raise: neighbours (1) and incomplete aperture (16).

    Notes
    -----
    Kron (1980, ApJS 43, 305) as parametrised by SExtractor: 2.5 Kron radii, but at least 3.5 rms radii.
    """
    rows, segmentation = sources
    labels = np.arange(1, len(rows) + 1, dtype=np.int32)
    own = {"seg_id": labels, "segmap": segmentation} if knobs.mask_neighbours else {}
    scale, masked = _kron_scale(sky.subtracted, rows, **own)
    light = _sum(sky.subtracted, rows["x"], rows["y"], rows, scale, sky.rms_adu, knobs, **own)
    is_near = (light.flags | masked) & sep.APER_HASMASKED > 0
    is_cut = (light.flags & sep.APER_TRUNC > 0) | _reaches_edge(rows, segmentation.shape)
    light.flags = np.where(is_cut, APERTURE_INCOMPLETE, 0).astype(np.int16)
    for number in np.flatnonzero(is_near):
        _measure_on_stamp(light, sky, sources, number, scale[number], knobs)
    alone = np.flatnonzero(~is_near)
    own = {"seg_id": labels[alone], "segmap": segmentation} if knobs.mask_neighbours else {}
    x, y = rows["x"][alone], rows["y"][alone]
    light.flux_radius_px[alone] = _half_light(sky.subtracted, x, y, rows[alone], light.flux_auto_adu[alone], **own)
    return light


def _kron_scale(subtracted: np.ndarray, rows: np.ndarray, **own: Any) -> tuple[np.ndarray, np.ndarray]:
    """Size of the automatic aperture in rms radii, and the flags of SEP."""
    ellipse = rows["a"], rows["b"], rows["theta"]
    kron, flags = sep.kron_radius(subtracted, rows["x"], rows["y"], *ellipse, _SEARCH_RADIUS, **own)
    return np.maximum(_KRON_FACTOR * np.nan_to_num(kron), _KRON_MINIMUM), flags


def _sum(
    pixels: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    scale: np.ndarray | float,
    rms_adu: float,
    knobs: Knobs,
    **own: Any,
) -> Light:
    """Sum both apertures; the half-light radius, which costs most, is left for later."""
    noise = {"err": rms_adu, "gain": knobs.gain or None}
    ellipse = rows["a"], rows["b"], rows["theta"]
    auto, auto_err, auto_flags = sep.sum_ellipse(pixels, x, y, *ellipse, scale, subpix=1, **noise, **own)
    aper, aper_err, aper_flags = sep.sum_circle(pixels, x, y, knobs.aperture_px / 2, **noise, **own)
    return Light(auto, auto_err, aper, aper_err, np.full(len(rows), np.nan), auto_flags | aper_flags)


def _half_light(
    pixels: np.ndarray, x: np.ndarray, y: np.ndarray, rows: np.ndarray, flux_adu: np.ndarray, **own: Any
) -> np.ndarray:
    """Radius of the circle that holds half of a flux; NaN where none does."""
    radius, _ = sep.flux_radius(pixels, x, y, _SEARCH_RADIUS * rows["a"], 0.5, normflux=flux_adu, **own)
    return np.where(radius > 0, radius, np.nan)


def _measure_on_stamp(light: Light, sky: Background, sources: Sources, number: int, scale: float, knobs: Knobs) -> None:
    """Replace the light of one source by that on a stamp without its neighbours, and flag it if they are large."""
    one = sources.rows[number : number + 1]
    row = one[0]
    reach = _SEARCH_RADIUS * row["a"]
    ellipse = row["cxx"], row["cyy"], row["cxy"], _SEARCH_RADIUS
    fraction = foreign_fraction(sources.segmentation, number + 1, row["x"], row["y"], *ellipse, reach)
    if fraction > _CROWDED_FRACTION:
        light.flags[number] |= NEIGHBOURS
    half = max(reach, scale * row["a"]) + 1
    stamp, x0, y0 = own_stamp(sky.subtracted, sources.segmentation, number + 1, row["x"], row["y"], half)
    x, y = one["x"] - x0, one["y"] - y0
    again = _sum(stamp, x, y, one, scale, sky.rms_adu, knobs)
    again.flux_radius_px = _half_light(stamp, x, y, one, again.flux_auto_adu)
    for name in ("flux_auto_adu", "flux_auto_err_adu", "flux_aper_adu", "flux_aper_err_adu", "flux_radius_px"):
        getattr(light, name)[number] = getattr(again, name)[0]


def _reaches_edge(rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Whether the ellipse searched for the Kron radius reaches beyond the image."""
    width, height = _SEARCH_RADIUS * np.sqrt(rows["x2"]), _SEARCH_RADIUS * np.sqrt(rows["y2"])
    x, y, (ny, nx) = rows["x"], rows["y"], shape
    return (x - width < 0) | (x + width > nx - 1) | (y - height < 0) | (y + height > ny - 1)
