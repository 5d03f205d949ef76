"""Straight motion along the axes of an image, where nothing is known of the sky."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PixelMotion:
    """Sources that move straight and at constant rates in the pixels of an image.

    Parameters
    ----------
    x_px, y_px : ndarray, (n,), float64
        Positions at `mjd_ref`, zero-based pixels.
    mjd_ref : float
        MJD, UTC; or any other time in days, as long as `at` takes the same.
    vx_px_day, vy_px_day : ndarray, (n,), float64
        Motion, pixels a day.
    """

    x_px: FloatArray
    y_px: FloatArray
    mjd_ref: float
    vx_px_day: FloatArray
    vy_px_day: FloatArray

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the sources are.

        Parameters
        ----------
        mjd : array_like, any shape S
            Times, MJD, UTC.

        Returns
        -------
        x, y : ndarray, (n, *S), float64
            Zero-based pixels.
        """
        days = np.asarray(mjd, np.float64) - self.mjd_ref
        return _moved(self.x_px, self.vx_px_day, days), _moved(self.y_px, self.vy_px_day, days)


def _moved(place: ArrayLike, speed: ArrayLike, days: FloatArray) -> FloatArray:
    start = np.atleast_1d(np.asarray(place, np.float64)).reshape(-1, *(1,) * days.ndim)
    return start + np.multiply.outer(np.atleast_1d(np.asarray(speed, np.float64)), days)
