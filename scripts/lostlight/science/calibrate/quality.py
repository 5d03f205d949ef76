"""Which pixels may be used, as their data-quality bits say."""

import numpy as np
from numpy.typing import NDArray

from lostlight.vocab.bits import DO_NOT_USE, dq


def mask_of(quality: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Mark the pixels that must not be used.

    Hot and cold pixels are among them unless they were repaired.

    Parameters
    ----------
    quality : ndarray, uint16
        Bits of `lostlight.vocab.bits.DQ`.

    Returns
    -------
    ndarray of the same shape, bool
    """
    defective = (quality & dq("HOT", "COLD") != 0) & (quality & dq("INTERPOLATED") == 0)
    return (quality & DO_NOT_USE != 0) | defective
