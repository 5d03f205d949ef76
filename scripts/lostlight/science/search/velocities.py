"""Which motions are tried, and where each leads in whole pixels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError

Doubles = NDArray[np.float64]


def velocity_grid(
    low: float,
    high: float,
    arc_days: float,
    fwhm_px: float,
    *,
    step_fwhm: float = 1.0,
    jacobian: ArrayLike | None = None,
    angle_deg: float | None = None,
    half_width_deg: float = 180.0,
) -> Doubles:
    """List the motions to try: a square lattice that leaves no motion asked for further than half a step away.

    Parameters
    ----------
    low, high : float
        Slowest and fastest, in arcsec per hour; without `jacobian` in pixels per hour.
    arc_days : float
        From the first image to the last.
    fwhm_px : float
        Width of a point source.
    step_fwhm : float
        Neighbours lie this many FWHM apart at the end of the arc.
    jacobian : floating, shape (2, 2), optional
        Pixels (rows x, y) per arcsec to the east and to the north (columns).
    angle_deg : float, optional
        Direction in the middle of those tried: position angle on the sky, east of north; without `jacobian`
        counter-clockwise from x. None tries all.
    half_width_deg : float
        Directions to either side of it.

    Returns
    -------
    float64, shape (V, 2)
        Along x and y, in pixels per day, slowest first.

    Raises
    ------
    ConfigError
        Nothing can be listed: no arc, or limits out of order.
    """
    if not arc_days > 0:
        raise ConfigError(f"the images span {arc_days:g} days", "motion needs images of different times")
    if not 0 <= low <= high or not fwhm_px > 0 or not step_fwhm > 0:
        raise ConfigError(f"motions from {low:g} to {high:g} in steps of {step_fwhm:g} FWHM", "mend the grid")
    to_pixels = 24 * (np.eye(2) if jacobian is None else np.asarray(jacobian, np.float64))
    step = step_fwhm * fwhm_px / arc_days
    # The furthest pixel that the circle of fastest motions reaches.
    reach = int(np.ceil(high * np.linalg.norm(to_pixels, 2) / step)) + 1
    steps = np.arange(-reach, reach + 1) * step
    v = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    sky = np.linalg.solve(to_pixels, v.T).T
    rate = np.hypot(*sky.T)
    half = step / 2 * np.linalg.norm(np.linalg.inv(to_pixels), 2)
    keep = (rate >= low - half) & (rate <= high + half)
    if angle_deg is not None and half_width_deg < 180:
        angle = np.arctan2(*sky.T[::-1]) if jacobian is None else np.arctan2(*sky.T)
        off = abs((np.degrees(angle) - angle_deg + 180) % 360 - 180)
        # Half a step to the side of the cone counts as in it.
        aside = rate * np.sin(np.radians(np.clip(off - half_width_deg, 0, 90)))
        keep &= aside <= half
    v, rate = v[keep], rate[keep]
    return v[np.lexsort((v[:, 0], v[:, 1], rate.round(9)))]


def middle(days: ArrayLike) -> float:
    """Give the time in the middle of the arc, in days since the first image."""
    days = np.asarray(days, np.float64)
    return float((days.min() + days.max()) / 2)


def shift_tables(v: ArrayLike, days: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Round the paths to whole pixels: the pixel of each image that a path through pixel 0 at mid-arc comes nearest to.

    Parameters
    ----------
    v : floating, shape (V, 2)
        In pixels per day.
    days : floating, shape (T,)

    Returns
    -------
    dx, dy : int32, shape (V, T)
    """
    since = np.asarray(days, np.float64) - middle(days)
    paths = np.asarray(v, np.float64)[:, None, :] * since[:, None]
    x, y = np.moveaxis(np.floor(paths + 0.5).astype(np.int32), -1, 0)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)
