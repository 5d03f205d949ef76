"""The noise of an image: how large it is, whether its variance plane can be believed, what neighbours share of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.science.calibrate.statistics import MAD_TO_SIGMA
from lostlight.science.mosaic.frame.noise import grouped_median

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

AGREES = 0.2
"""A variance plane is believed if its noise is within this fraction of what the image shows."""
_FEW = 100
_CLIPPED_SIGMA = 4.0
_FAR = 3
"""Pixels so far apart share no noise, whatever an image was resampled by."""


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise of one image.

    Attributes
    ----------
    sigma_adu : float
        Typical noise of a pixel of the background.
    variance : ndarray, shape (ny, nx), float32, adu^2
        Of every pixel; NaN where there is no measurement.
    from_plane : bool
        Whether it is the variance plane that came with the image, not the scatter of the sky.
    lag_x, lag_y : float
        Correlation of neighbours along a row and along a column; 0 for white noise.
    note : str
        Why the variance plane was not believed; empty where it was, or where there is none.
    """

    sigma_adu: float
    variance: Floats
    from_plane: bool
    lag_x: float
    lag_y: float
    note: str


def noise_of(light: Floats, rms_map: Floats, bad: Mask, sources: Mask, variance: Floats | None = None) -> Noise:
    """Measure the noise of an image whose sky was taken off.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Image without its sky.
    rms_map : ndarray, shape (ny, nx), float32, adu
        How noise varies over the image; its size is set by the scatter about the median.
    bad, sources : ndarray, shape (ny, nx), bool
        Pixels without measurement, and those of sources.
    variance : ndarray, shape (ny, nx), float32, adu^2, optional
        Plane that came with the image; taken where it is positive and agrees with the scatter within 20 %.

    Raises
    ------
    BadImage
        If hardly any pixel of the sky is good, or they do not scatter.
    """
    bad = bad | ~np.isfinite(light)
    good = ~(bad | sources)
    if np.count_nonzero(good) < _FEW:
        good = ~bad
    if np.count_nonzero(good) < _FEW:
        raise BadImage(
            f"only {np.count_nonzero(good)} pixels of the image are good", hint="look at its mask; leave it out"
        )
    relative = scatter(light[good] / rms_map[good])
    sigma = scatter(light[good])
    if not (sigma > 0 and relative > 0):
        raise BadImage("nearly all pixels of the image are equal", hint="look at it; leave it out")
    note = "" if variance is None else _objection(variance, bad, good, sigma)
    believed = variance is not None and not note
    plane = np.array(variance if believed else (relative * rms_map) ** 2, np.float32)
    plane[bad] = np.nan
    return Noise(sigma, plane, believed, *correlation(light / rms_map, good), note)


def scatter(values: NDArray) -> float:
    """Give the standard deviation of values, most of which are normal: 1.4826 times the MAD about their median.

    Many may be equal, as whole counts are; if more than half are, it is that of the middle 98 % of them.
    """
    off = np.abs(values - np.median(values))
    mad = grouped_median(off)
    return MAD_TO_SIGMA * mad if mad > 0 else float(np.std(values[off <= np.percentile(off, 98)]))


def correlation(values: Floats, good: Mask) -> tuple[float, float]:
    """Give the correlation of the noise of neighbours along rows and along columns.

    Differences of neighbours are compared with those of pixels three apart, so that what is left of haloes and slopes
    does not count, for it is in both.

    Parameters
    ----------
    values : ndarray, shape (ny, nx)
        In units that have the same scatter everywhere.
    good : ndarray, shape (ny, nx), bool

    Returns
    -------
    along_x, along_y : float
        0 where there are hardly any neighbours.
    """
    along_x, along_y = (_shared(each, where) for each, where in ((values, good), (values.T, good.T)))
    return along_x, along_y


def _shared(values: Floats, good: Mask) -> float:
    near, far = (_power(values, good, lag) for lag in (1, _FAR))
    return 1 - near / far if near > 0 and far > 0 else 0.0


def _power(values: Floats, good: Mask, lag: int) -> float:
    """Give the variance of differences over some pixels, outliers left out; 0 of too few."""
    off = (values[:, lag:] - values[:, :-lag])[good[:, lag:] & good[:, :-lag]].astype(np.float64)
    if off.size < _FEW:
        return 0.0
    return float(np.mean(np.square(off[np.abs(off) <= _CLIPPED_SIGMA * scatter(off)])))


def _objection(variance: Floats, bad: Mask, good: Mask, sigma: float) -> str:
    usable = variance[~bad]
    if not (np.isfinite(usable).all() and (usable > 0).all()):
        lost = float(np.mean(~(usable > 0)))
        return f"the variance plane is not positive at {lost:.0%} of the good pixels: the scatter of the sky is used"
    claimed = float(np.sqrt(np.median(variance[good])))
    if abs(claimed / sigma - 1) > AGREES:
        return f"the variance plane says {claimed:.4g} adu, the sky scatters by {sigma:.4g} adu: the latter is used"
    return ""
