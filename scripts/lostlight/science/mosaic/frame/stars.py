"""Find the stars of a frame and tell them from hot pixels, cosmic rays, galaxies and blends."""

from dataclasses import dataclass, replace

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.mosaic.frame.profile import half_light_factor
from lostlight.science.mosaic.frame.shapes import moments

_MESH_PX, _MESH_FILTER = 64, 3
_THRESHOLD, _MIN_AREA_PX = 8.0, 5
_MIN_SNR = 20.0
_SATURATED = 0.8
"""Fraction of the saturation level above which a detector is no longer trusted to be linear."""
_MOST_STARS = 2000
_MOST_MEASURED = 8000
_PROFILE_STARS = 300
_ALONE = 4.0
"""Widths of a star within which there is no other: it may show what the profile looks like."""
_LOCUS = 0.7, 1.5
"""Stars have the width of the other stars within these factors: cosmic rays are sharper, galaxies are wider."""
_LONGEST = 1.6
_FAINT = 0.01
"""A neighbour below this fraction of a star's flux does not count as one."""
_PIXEL_PX2 = 1 / 12
_COMMON_PX = 3.0
_WINGS = 0.2
"""Moffat wings of exponent 2.5: at r the light is r to the power of minus five of that in the middle."""
_FWHM = np.sqrt(8 * np.log(2))


@dataclass(frozen=True)
class StarTable:
    """The stars of a frame, the brightest first.

    Attributes
    ----------
    x, y : ndarray, shape (n,), float64, native px
        Positions; the centre of the first pixel is 0.
    flux, snr : ndarray, shape (n,), float64
        Flux (adu, mean of the channels) and signal to noise.
    fwhm_px, elongation : ndarray, shape (n,), float64
        Full width at half maximum without that of the pixels, and the ratio of the axes.
    nearest_px : ndarray, shape (n,), float64
        Distance of the nearest other source that is bright enough to disturb; infinite where there is none.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    snr: NDArray[np.float64]
    fwhm_px: NDArray[np.float64]
    elongation: NDArray[np.float64]
    nearest_px: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def none(cls) -> "StarTable":
        """Give no star at all."""
        return cls(*[np.empty(0)] * 7)


@dataclass(frozen=True)
class Found:
    """Stars of a frame, their number before the faintest were dropped, and x, y, radius (m, 3) of all sources."""

    stars: StarTable
    n_stars: int
    sources: NDArray[np.float32]


def find_stars(data: NDArray[np.float32], saturate: float | None = None) -> Found:
    """Find stars on the mean of the channels.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels with their sky; NaN where there is none.
    saturate : float, optional
        Level at which a pixel is full, adu.

    Returns
    -------
    Found
        No star of a frame without valid pixels or without noise.
    """
    image = data[0] if len(data) == 1 else data.mean(axis=0)
    blank = ~np.isfinite(image)
    if blank.all():
        return Found(StarTable.none(), 0, np.empty((0, 3), np.float32))
    image = np.ascontiguousarray(np.where(blank, 0, image), dtype=np.float32)
    mesh = (min(_MESH_PX, side) for side in image.shape)
    sky = sep.Background(image, mask=blank, bh=next(mesh), bw=next(mesh), fw=_MESH_FILTER, fh=_MESH_FILTER)
    rms = sky.rms()
    if not rms.any():
        return Found(StarTable.none(), 0, np.empty((0, 3), np.float32))
    light = image - sky.back()
    rows = _extract(light, np.maximum(rms, 0.3 * np.float32(sky.globalrms)), blank)
    light[blank] = np.nan
    return _select(rows, data, light, rms, saturate)


def _extract(light: NDArray, rms: NDArray, blank: NDArray[np.bool_]) -> NDArray:
    """Run SEP; a field so crowded that its work space overflows gets a larger one."""
    sep.set_sub_object_limit(20_000)
    sep.set_extract_pixstack(max(300_000, light.size // 4))
    try:
        return sep.extract(light, _THRESHOLD, err=rms, mask=blank, minarea=_MIN_AREA_PX)
    except Exception as error:
        if "buffer" not in str(error):
            raise
    sep.set_extract_pixstack(light.size + 1)
    return sep.extract(light, _THRESHOLD, err=rms, mask=blank, minarea=_MIN_AREA_PX)


def _select(rows: NDArray, data: NDArray[np.float32], light: NDArray, rms: NDArray, saturate: float | None) -> Found:
    rows = rows[np.argsort(-rows["flux"], kind="stable")]
    usable = (rows["flag"] == 0) & ~_saturated(rows, data, saturate)
    number = np.flatnonzero(usable)[:_MOST_MEASURED]
    shape = moments(light, rows["x"][number], rows["y"][number], rows["a"][number].clip(0.8))
    near = rms[rows["ypeak"][number], rows["xpeak"][number]].astype(np.float64)
    table = _table(shape, near, _nearest(rows, number))
    chosen = np.flatnonzero(_stellar(table))
    chosen = chosen[np.argsort(-table.flux[chosen], kind="stable")]
    kept = StarTable(*(values[chosen[:_MOST_STARS]] for values in vars(table).values()))
    alone = chosen[table.nearest_px[chosen] > _ALONE * table.fwhm_px[chosen]]
    factor = half_light_factor(light, shape[alone[:_PROFILE_STARS]])
    kept = replace(kept, fwhm_px=_narrowed(kept.fwhm_px, factor))
    return Found(
        kept, len(chosen), _circles(rows, np.median(kept.fwhm_px[:_PROFILE_STARS]) if len(kept) else _COMMON_PX)
    )


def _circles(rows: NDArray, fwhm_px: float) -> NDArray[np.float32]:
    """Give x, y and radius of what a source of the frame's width may cover; knots of a nebula are not cut out whole.

    The sky must be that of the same pixels in frames of all gains: a mask that grows with the gain would not do.
    """
    seen = 1.5 * np.sqrt(rows["npix"] * rows["a"] / (np.pi * rows["b"].clip(0.1)))
    may = 1.5 * fwhm_px * (rows["peak"] / rows["thresh"].clip(1e-30)).clip(1, 1e4) ** _WINGS
    return np.stack([rows["x"], rows["y"], np.minimum(seen, may) + 2], axis=1).astype(np.float32)


def _narrowed(fwhm_px: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Go from the width of the Gaussians to that at half maximum, both without that of the pixels."""
    pixel = _FWHM**2 * _PIXEL_PX2
    return np.sqrt(np.maximum(factor**2 * (fwhm_px**2 + pixel) - pixel, 0))


def _saturated(rows: NDArray, data: NDArray[np.float32], saturate: float | None) -> NDArray[np.bool_]:
    if saturate is None or not np.isfinite(saturate) or not len(rows):
        return np.zeros(len(rows), bool)
    peak = data[:, rows["ypeak"], rows["xpeak"]].max(axis=0)
    return peak >= _SATURATED * saturate


def _table(shape: NDArray[np.float64], rms: NDArray[np.float64], nearest_px: NDArray[np.float64]) -> StarTable:
    x, y, xx, yy, xy, flux, weight = shape.T
    middle, spread = 0.5 * (xx + yy) - _PIXEL_PX2, np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    long, short = middle + spread, middle - spread
    return StarTable(
        x, y, flux, flux / (weight * rms), _FWHM * (long * short) ** 0.25, np.sqrt(long / short), nearest_px
    )


def _nearest(rows: NDArray, number: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance of each of some sources to the nearest that is not negligible beside it."""
    if len(rows) < 2 or not len(number):
        return np.full(len(number), np.inf)
    places = np.stack([rows["x"], rows["y"]], axis=1)
    k = min(len(rows), 6)
    distance, other = cKDTree(places).query(places[number], k=k)
    counts = (rows["flux"][other] > _FAINT * rows["flux"][number, None]) & (other != number[:, None])
    return np.where(counts, distance, np.inf).min(axis=1)


def _stellar(table: StarTable) -> NDArray[np.bool_]:
    """Mark those that are as wide and as round as most of the bright ones."""
    good = np.isfinite(table.fwhm_px) & np.isfinite(table.elongation) & (table.snr > _MIN_SNR)
    if not good.any():
        return good
    typical = np.exp(half_sample_mode(np.log(table.fwhm_px[good])))
    good &= (table.fwhm_px > _LOCUS[0] * typical) & (table.fwhm_px < _LOCUS[1] * typical)
    return good & (table.elongation < _LONGEST * np.median(table.elongation[good]))


def half_sample_mode(values: NDArray[np.float64]) -> float:
    """Find where values lie closest together: the shortest interval with half of them, of that again, and so on.

    Notes
    -----
    Bickel & Frühwirth 2006, CSDA 50, 3500.
    """
    values = np.sort(values)
    while len(values) > 3:
        half = (len(values) + 1) // 2
        first = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[first : first + half]
    return float(np.median(values))
