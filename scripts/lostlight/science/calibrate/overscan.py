"""The level of a frame where no light falls: the strip that is read out beyond the last pixel."""

import warnings

import numpy as np
from astropy.stats import sigma_clip
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from lostlight.science.calibrate.sections import Section
from lostlight.science.calibrate.trouble import refuse

SMOOTH_LINES = 31
"""Lines of the running median that smooths medians of single lines."""

_FLAT_ADU = 1e-6
"""Residuals of a polynomial below this are those of the arithmetic."""

_POLYNOMIALS = {"poly1": 1, "poly2": 2, "poly3": 3}


def lies_above(section: Section, shape: tuple[int, int]) -> bool:
    """Say whether the strip lies above or below the pixels, not beside them.

    A strip beside them covers more of the height than of the width of the frame, and has a value for each row.
    """
    rows, columns = section.shape
    return columns * shape[0] > rows * shape[1]


def level(strip: NDArray, how: str, above: bool = False) -> tuple[NDArray[np.float64], float, float]:
    """Measure the level of the overscan.

    Parameters
    ----------
    strip : ndarray, shape (ny, nx), adu
        Pixels of the section; NaN ones are left out.
    how : str
        ``median``, ``mean3s`` (mean of pixels within 3 standard deviations), ``row_median`` (median of each line,
        smoothed by a running median of 31 lines) or ``poly1`` to ``poly3`` (polynomial through the medians of lines).
        Medians of whole counts are those of grouped data: see `_medians`.
    above : bool
        The strip lies above or below the pixels: its lines are columns; see `lies_above`.

    Returns
    -------
    correction : ndarray, adu, float64
        To be subtracted: shape () for median and mean3s, (ny, 1) for lines beside the pixels, (1, nx) for those above.
    level_adu : float
        Median of the correction.
    rms_adu : float
        Standard deviation of the pixels of the strip, 5-sigma clipped, once the correction is taken off.

    Raises
    ------
    LostlightError
        CAL108 if the strip holds no valid pixel.
    """
    lines = np.asarray(strip, dtype=np.float64)
    lines = lines.T if above else lines
    valid = np.isfinite(lines)
    if not valid.any():
        raise refuse("CAL108", "the overscan holds no valid pixel", "correct BIASSEC, or set overscan: off")
    if how in ("median", "mean3s"):
        found = _medians(lines.reshape(1, -1))[0] if how == "median" else _clipped(lines[valid], 3).mean()
        correction = np.asarray(found)
    elif how == "row_median" or how in _POLYNOMIALS:
        correction = _along(lines, how)[:, None]
    else:
        raise refuse("CAL109", f"overscan is {how!r}", "median, mean3s, row_median, poly1, poly2 or poly3")
    # clipped at 3 the noise would come out 1.4 % low
    rms = float(_clipped((lines - correction)[valid], 5).std())
    return (correction.T if above else correction), float(np.median(correction)), rms


def _along(lines: NDArray[np.float64], how: str) -> NDArray[np.float64]:
    """Give one value for each line; lines without valid pixels take it from the lines about them."""
    medians = _medians(lines)
    number = np.arange(len(medians), dtype=np.float64)
    known = np.isfinite(medians)
    if how == "row_median":
        filled = np.interp(number, number[known], medians[known])
        return median_filter(filled, min(SMOOTH_LINES, len(filled)), mode="nearest")
    degree = min(_POLYNOMIALS[how], int(known.sum()) - 1)
    kept = np.ones(int(known.sum()), bool)
    x, y = number[known], medians[known]
    for _ in range(3):  # a bright star that bleeds into the strip must not tilt the line
        line = np.polynomial.Polynomial.fit(x[kept], y[kept], degree)
        residual = y - line(x)
        within = np.abs(residual) <= 3 * max(1.4826 * float(np.median(np.abs(residual[kept]))), _FLAT_ADU)
        if within.sum() <= degree:
            break
        kept = within
    return line(number)


def _medians(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the median of every line, as of grouped data where pixels are whole counts.

    A median of whole counts is one itself, up to half a count beside the level, however many pixels there are. Counts
    that are equal to it came from a level within half a step of it: L - s/2 + s (n/2 - F) / f, with F of the n counts
    below L, f equal to L, and s the step between counts.
    """
    valid = np.isfinite(lines)
    values = np.unique(lines[valid])
    if values.size < 2 or (values != np.rint(values)).any():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            return np.asarray(np.nanmedian(lines, axis=1))
    step, count = np.diff(values).min(), valid.sum(axis=1)
    middle = np.minimum(count // 2, lines.shape[1] - 1)[:, None]
    level = np.take_along_axis(np.sort(lines, axis=1), middle, axis=1)  # NaN last
    below, equal = (lines < level).sum(axis=1), np.maximum((lines == level).sum(axis=1), 1)
    return level[:, 0] + step * ((count / 2 - below) / equal - 0.5)


def _clipped(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    return np.asarray(sigma_clip(values, sigma=sigma, maxiters=10, masked=False, copy=True))
