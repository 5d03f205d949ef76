"""What can be said of one image in numbers: levels, spread, noise, histogram, quality bits."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.vocab.bits import DO_NOT_USE, DQ

MAD_TO_SIGMA = 1.4826
_CLIP_SIGMA = 4.0
_ENOUGH_PX = 2**18
"""What takes sorting is measured on every so manieth row of larger images: so many pixels tell noise to 0.2 percent."""
_ENOUGH_TO_BIN_PX = 2**20
_PARTS = 64
_TRUNCATED_AT_CLIP = 0.99892
"""Standard deviation of a unit normal cut at four sigma."""


@dataclass(frozen=True)
class Statistics:
    """Numbers of one image, in its own unit; those that are not known are NaN."""

    n: int
    """valid pixels: finite, and no quality bit forbids their use"""
    n_invalid: int
    min: float
    max: float
    mean: float
    median: float
    std: float
    mad: float
    """median absolute deviation, not scaled"""
    noise: float
    """standard deviation from pixel to neighbouring pixel: without gradients, vignetting and stars"""
    snr: float
    """median over noise"""
    n_negative: int
    n_levels: int
    """different values among the pixels that noise is measured on: few tell a coarse digitisation or a stretch"""
    n_at_min: int
    n_at_max: int

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def usable(data: NDArray, dq: NDArray | None = None, do_not_use: int = DO_NOT_USE) -> NDArray[np.bool_]:
    """Tell which pixels count: finite, and without a quality bit that forbids their use.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx)
        Pixels, any unit.
    dq : ndarray, shape (ny, nx), uint16, optional
        Bits of `lostlight.vocab.bits.DQ`.
    do_not_use : int
        The bits that forbid.
    """
    good = np.isfinite(data)
    return good if dq is None else good & ((dq & np.uint16(do_not_use)) == 0)


def statistics(data: NDArray, dq: NDArray | None = None, *, step_px: int = 1) -> Statistics:
    """Measure an image.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx)
        Pixels, any unit.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits; pixels that must not be used do not count.
    step_px : int
        Distance of the neighbours that `noise` compares; 2 for a colour-filter array.
    """
    good = usable(data, dq)
    values = data.ravel() if good.all() else data[good]
    if values.size == 0:
        return Statistics(0, int(good.size), *[np.nan] * 8, *[0] * 4)
    part, known = thinned(data), thinned(good)
    some = part[known] if known.any() else values
    middle = float(np.median(some))
    low, high = float(values.min()), float(values.max())
    scatter = noise(np.where(known, part, np.nan), step_px)
    mean = float(values.mean(dtype=np.float64))
    return Statistics(
        n=int(values.size),
        n_invalid=int(good.size - values.size),
        min=low,
        max=high,
        mean=mean,
        median=middle,
        std=_spread(values, mean),
        mad=float(np.median(np.abs(some - middle))),
        noise=float(scatter),
        snr=float(middle / scatter) if scatter > 0 else np.nan,
        n_negative=int(np.count_nonzero(values < 0)),
        n_levels=int(np.unique(some).size),
        n_at_min=int(np.count_nonzero(values == low)),
        n_at_max=int(np.count_nonzero(values == high)),
    )


def noise(data: NDArray, step_px: int = 1) -> float:
    """Measure the standard deviation of the noise from differences of neighbouring pixels.

    Differences along rows lose gradients and vignetting, and clipping at four sigma loses stars and hot pixels. The
    clipped standard deviation is taken rather than the median deviation, because the latter jumps by whole counts
    where the noise is about one count.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx)
        Pixels, any unit; NaN where there is none.
    step_px : int
        Distance of the neighbours.

    Returns
    -------
    float
        In the unit of `data`; NaN if no two neighbours are valid.
    """
    pixels = thinned(data).astype(np.float64)
    differences = (pixels[..., step_px:] - pixels[..., :-step_px]).ravel()
    return clipped_sigma(differences[np.isfinite(differences)]) / np.sqrt(2)


def row_step(n_px: int, enough: int = _ENOUGH_PX) -> int:
    """Tell how many rows on the next one is that a sample of `enough` pixels takes: odd, so all colours are met."""
    return -(-n_px // enough) | 1


def thinned(data: NDArray, enough: int = _ENOUGH_PX) -> NDArray:
    """Give every so manieth row of an image with more than `enough` pixels."""
    return data[..., :: row_step(data.size, enough), :] if data.ndim > 1 else data


def clipped_sigma(values: ArrayLike) -> float:
    """Give the standard deviation of values without those beyond four sigma, NaN of fewer than two finite values."""
    kept = np.asarray(values, np.float64)
    kept = kept[np.isfinite(kept)]
    if kept.size < 2:
        return np.nan
    middle = np.median(kept)
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(kept - middle)))
    if sigma == 0:  # more than half of the values are the same
        return float(kept.std())
    for _ in range(20):
        inside = kept[np.abs(kept - middle) <= _CLIP_SIGMA * sigma]
        found = float(inside.std()) / _TRUNCATED_AT_CLIP
        if abs(found - sigma) <= 1e-6 * sigma:
            break
        middle, sigma = inside.mean(), found
    return sigma


def histogram(data: NDArray, dq: NDArray | None = None, *, n_bins: int = 1024, outside: float = 1e-5) -> dict[str, Any]:
    """Count pixels in bins that are fine about the median and wide far from it.

    Edges are ``center + scale * sinh(u)`` for `n_bins` equal steps of u from asinh((low - center) / scale) to
    asinh((high - center) / scale), so a bias of a few counts and a saturated star fit on one axis. Of images with more
    than a million pixels every so manieth row is counted.

    Parameters
    ----------
    data : ndarray
        Pixels, any unit.
    dq : ndarray, uint16, optional
        Quality bits; pixels that must not be used do not count.
    n_bins : int
        Number of bins.
    outside : float
        Fraction of the pixels at each end that is counted as `under` and `over` rather than binned.

    Returns
    -------
    dict
        center, scale, low, high (unit of `data`), step (1 where all values are whole, else 0), counts (list of int),
        under, over; counts is empty without pixels.
    """
    good = usable(data, dq)
    values = thinned(data, _ENOUGH_TO_BIN_PX)[thinned(good, _ENOUGH_TO_BIN_PX)].astype(np.float64)
    if values.size == 0:
        return dict.fromkeys(("center", "scale", "low", "high")) | {"step": 0, "counts": [], "under": 0, "over": 0}
    center = float(np.median(values))
    low, high = (float(v) for v in np.quantile(values, [outside, 1 - outside], method="nearest"))
    scale = clipped_sigma(values[:: -(-values.size // _ENOUGH_PX)]) if values.size > 1 else 0.0
    scale = scale if scale > 0 else max(high - low, 1.0)
    if high <= low:
        low, high = low - 0.5 * scale, high + 0.5 * scale
    first, last = np.arcsinh((np.array([low, high]) - center) / scale)
    inside = values[(values >= low) & (values <= high)]
    counts = np.histogram(np.arcsinh((inside - center) / scale), bins=n_bins, range=(first, last))[0]
    under, over = int(np.count_nonzero(values < low)), int(np.count_nonzero(values > high))
    return {
        "center": center, "scale": scale, "low": low, "high": high,
        "step": int(np.array_equal(values, np.rint(values))),
        "counts": [int(c) for c in counts], "under": under, "over": over,
    }  # fmt: skip


def histogram_edges(found: dict[str, Any], n_bins: int) -> NDArray[np.float64]:
    """Give the edges of the bins of a `histogram`, shape (n_bins + 1,), in the unit of its image."""
    ends = np.arcsinh((np.array([found["low"], found["high"]]) - found["center"]) / found["scale"])
    return found["center"] + found["scale"] * np.sinh(np.linspace(*ends, n_bins + 1))


def _spread(values: NDArray, mean: float) -> float:
    """Standard deviation, summed in float64 without a copy of the image in it."""
    squares = sum(float(np.square(part - mean, dtype=np.float64).sum()) for part in np.array_split(values, _PARTS))
    return float(np.sqrt(squares / values.size))


def dq_counts(dq: NDArray | None) -> dict[str, int]:
    """Count the pixels of every quality bit; empty without a quality plane."""
    if dq is None:
        return {}
    return {bit.name: int(np.count_nonzero(dq & np.uint16(bit.value))) for bit in DQ}
