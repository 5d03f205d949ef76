"""The profile of a point source, integrated over pixels."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Psf(Protocol):
    """What every model of a profile gives; see the makers `gaussian`, `moffat`, `elliptical`, `sampled`."""

    @property
    def fwhm_px(self) -> float:
        """Intrinsic full width at half maximum, the pixel not included."""

    @property
    def n_eff(self) -> float:
        """Noise pixels: 1 / sum(p^2) of the pixel-integrated, unit-sum profile centred on a pixel."""

    @property
    def sum_p3(self) -> float:
        """Sum of the cubes of the same."""

    def kernel(self) -> NDArray[np.float64]:
        """Give the profile centred on the middle pixel of an odd square, integrated over pixels, of unit sum."""

    def record(self) -> dict[str, Any]:
        """Describe it in plain JSON values, for `from_record`."""
