"""Planes that travel together: pixels, their uncertainty, and what is known of their quality."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Planes:
    """An image with its uncertainty and data-quality bits, and further planes by the name of their FITS extension.

    Attributes
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx), float32
        Pixels, adu or electron.
    uncert : ndarray of the same shape, float32, or None
        One standard deviation, in the unit of `data`.
    dq : ndarray of the same shape as a plane, uint16, or None
        Bits of `lostlight.vocab.bits.DQ`.
    extra : mapping of str to ndarray
        NUSED (uint16), REJLOW and REJHIGH (uint8, samples rejected) of masters.
    """

    data: NDArray[np.float32]
    uncert: NDArray[np.float32] | None = None
    dq: NDArray[np.uint16] | None = None
    extra: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
