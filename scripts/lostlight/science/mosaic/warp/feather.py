"""How a frame fades in from its edge: weights change smoothly across it, data never change."""

from typing import Any

from lostlight.core.errors import ConfigError

SHARE = 0.03
"""Share of the short side over which a frame fades in, where nothing else is asked for."""
FLOOR = 1e-3
"""Least weight: what is the only data of its place still counts."""


def feather_width(feather_px: float | None, frame_shape: tuple[int, int]) -> float:
    """Give the distance over which a frame fades in, in its own pixels.

    Raises
    ------
    ConfigError
        If it is negative.
    """
    if feather_px is None:
        return SHARE * min(frame_shape)
    if not feather_px >= 0:
        raise ConfigError(f"feather_px is {feather_px}", hint="give 0 for none, or a distance in pixels")
    return float(feather_px)


def feather(distance: Any, width: float, xp: Any) -> Any:
    """Turn distances from the edge into weights: smootherstep, r^3 (6 r^2 - 15 r + 10).

    Parameters
    ----------
    distance : array of float64
        Pixels from the edge of the usable frame.
    width : float
        Distance where the weight reaches 1; 0 gives 1 everywhere.
    xp : module
        Array namespace.

    Returns
    -------
    array of float64, 0.001 to 1
    """
    if width == 0:
        return xp.ones_like(distance)
    r = distance / width
    r = xp.where(r > 0.0, xp.where(r < 1.0, r, 1.0), 0.0)
    weight = r * r * r * ((6.0 * r - 15.0) * r + 10.0)
    return xp.where(weight > FLOOR, weight, FLOOR)
