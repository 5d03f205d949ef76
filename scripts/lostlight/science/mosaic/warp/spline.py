"""Coefficients of the cubic B-spline through the pixels of an image.

The inverse of the spline's samples 1/6, 4/6, 1/6 is an exponential on both sides, sqrt(3) (sqrt(3) - 2)^|k|
(Unser, Aldroubi & Eden 1993, IEEE Trans. Signal Processing 41, 821). It is cut off where float32 ends, which makes a
coefficient a matter of its surroundings alone: the same bits whatever part of an image is filtered.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

REACH = 12
"""Pixels on each side that a coefficient depends on; what is beyond weighs 1e-7."""


def _inverse() -> NDArray[np.float32]:
    c = np.sqrt(3) * (np.sqrt(3) - 2) ** np.arange(REACH + 1)
    return np.asarray(c / (c[0] + 2 * c[1:].sum()), np.float32)


INVERSE = _inverse()
"""Factor of a pixel and of those at distance 1 to 12 on both sides; they add up to 1."""


def coefficients(image: Any, xp: Any = np) -> Any:
    """Filter an image for the cubic kernel.

    Parameters
    ----------
    image : array, shape (C, h + 24, w + 24), float32
        Of the array namespace, without NaN: 12 pixels more on each side than wanted.
    xp : module
        Array namespace.

    Returns
    -------
    array, shape (C, h, w), float32
    """
    return _along_x(_along_y(image, xp), xp)


def _along_y(image: Any, xp: Any) -> Any:
    n = image.shape[1] - 2 * REACH
    total = xp.asarray(INVERSE[0]) * image[:, REACH : REACH + n, :]
    for k in range(1, REACH + 1):
        total = total + xp.asarray(INVERSE[k]) * (
            image[:, REACH - k : REACH - k + n, :] + image[:, REACH + k : REACH + k + n, :]
        )
    return total


def _along_x(image: Any, xp: Any) -> Any:
    n = image.shape[2] - 2 * REACH
    total = xp.asarray(INVERSE[0]) * image[:, :, REACH : REACH + n]
    for k in range(1, REACH + 1):
        total = total + xp.asarray(INVERSE[k]) * (
            image[:, :, REACH - k : REACH - k + n] + image[:, :, REACH + k : REACH + k + n]
        )
    return total
