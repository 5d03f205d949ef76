"""Positions drawn evenly over the sky."""

import math

import numpy as np
from numpy.typing import NDArray

DECIMALS = 3
"""Positions are rounded to what a tile id can say."""


def random_positions(n: int, seed: int, dec_min_deg: float = -90.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw positions evenly over the sky north of a declination, no two with the same name.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        The same seed gives the same positions, and the first m of n are those drawn for n = m.
    dec_min_deg : float
        Southern limit.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (n,)
        Degrees, rounded to 0.001 degree.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    lowest = math.sin(math.radians(dec_min_deg))
    drawn: dict[tuple[float, float], None] = {}
    while len(drawn) < n:
        u, v = rng.random(2)
        ra = round(360.0 * float(u), DECIMALS) % 360.0
        dec = round(math.degrees(math.asin(lowest + (1 - lowest) * float(v))), DECIMALS)
        drawn[ra, max(dec, dec_min_deg)] = None
    positions = np.array(list(drawn), dtype=np.float64).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]
