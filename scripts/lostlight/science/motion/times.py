"""Times of a stack of images: whether they can be used, and how well they tell where a source is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lostlight.core.errors import BadDate, ConfigError

FLOAT32_STEP_DAYS = 2.0**-8
"""Step of an MJD of today in 32 bits: 337.5 s."""

_EARLIEST, _LATEST = 15020.0, 88070.0
_SECONDS_PER_DAY = 86400


def check_times(
    mjd: ArrayLike, rate_arcsec_h: float = 3.0, names: Sequence[str] = (), written: ArrayLike | None = None
) -> list[str]:
    """Look whether times can be used, and tell what is doubtful about them.

    Parameters
    ----------
    mjd : array_like, (T,)
        Middles of the exposures, MJD, UTC.
    rate_arcsec_h : float
        Motion for which errors of position are told, arcsec an hour; 3 is that of the Kuiper belt.
    names : sequence of str
        What the images are called; their numbers where it is empty.
    written : array_like, (T,), or None
        Times as the headers have them, where those are not the middles.

    Returns
    -------
    list of str
        Warnings, a sentence each; empty where nothing is doubtful.

    Raises
    ------
    BadDate
        If a time is missing, or no MJD of 1900 to 2100.
    ConfigError
        If times do not rise.
    """
    mjd = np.asarray(mjd, np.float64)
    told = names or [f"image {epoch}" for epoch in range(mjd.size)]
    for epoch in np.flatnonzero(~((mjd >= _EARLIEST) & (mjd <= _LATEST)))[:1]:
        raise BadDate(
            f"{told[epoch]}: {mjd[epoch]:.12g} is no MJD of the years 1900 to 2100",
            hint="a Julian date is an MJD plus 2400000.5; mend the header, or leave the image out",
            epoch=int(epoch),
        )
    coarse = is_quantised(mjd if written is None else written)
    for epoch in np.flatnonzero(np.diff(mjd) <= 0)[:1]:
        same = mjd[epoch] == mjd[epoch + 1]
        raise ConfigError(
            f"{told[epoch]} and {told[epoch + 1]} {'have the same time' if same else 'are not in order of time'}:"
            f" MJD {mjd[epoch]:.8f} and {mjd[epoch + 1]:.8f}",
            hint="take times from a keyword of 64 bits: these are multiples of 337.5 s"
            if coarse
            else "give each image once, in order of time",
            epoch=int(epoch),
        )
    return _doubts(rate_arcsec_h) if coarse else []


def is_quantised(mjd: ArrayLike) -> bool:
    """Tell whether times were once kept in 32 bits: all are multiples of 1/256 day.

    One or two times may be so by chance, or because they were meant: that says nothing.
    """
    mjd = np.asarray(mjd, np.float64)
    return mjd.size > 2 and bool(np.all(mjd % FLOAT32_STEP_DAYS == 0) and np.any(mjd % 1 != 0))


def _doubts(rate_arcsec_h: float) -> list[str]:
    error_s = FLOAT32_STEP_DAYS * _SECONDS_PER_DAY / 2
    error_arcsec = rate_arcsec_h * error_s / 3600
    return [
        f"times are multiples of {2 * error_s:.1f} s, as if they had been kept in 32 bits: they may be wrong by"
        f" {error_s:.0f} s, and positions of sources of {rate_arcsec_h:g} arcsec/h by {error_arcsec:.2g} arcsec"
    ]
