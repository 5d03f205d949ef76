"""What every model of a point's profile has in common, from how it is drawn."""

import math
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian, in standard deviations."""


class Profile(ABC):
    """A profile that can be drawn; its sums follow."""

    @property
    @abstractmethod
    def fwhm_px(self) -> float:
        """Intrinsic full width at half maximum, the pixel not included."""

    @abstractmethod
    def half_width(self, lost: float = 1e-6) -> int:
        """Give how many pixels a stamp must reach to each side so that at most this fraction of the light is lost."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Describe it in plain JSON values, for `from_record`."""

    @abstractmethod
    def _draw(self, planes: NDArray[Any], x: Floats, y: Floats, flux: Floats) -> None:
        """Draw sources on one thread."""

    def draw(self, planes: NDArray[Any], x: Floats, y: Floats, flux: Floats, threads: int = 1) -> None:
        """Draw n sources, each on a plane of its own.

        Parameters
        ----------
        planes : (n, H, W) float32 or float64
            Empty planes; light is added up in float64 and rounded once.
        x, y : (n, K) float64
            Zero-based pixels of each source at K nodes of time; a node that is not finite adds nothing.
        flux : (n, K) float64
            Light of each node, adu.
        threads : int
            The planes are the same for any number.
        """
        # Of one layout, so that each loop is compiled once.
        x, y, flux = (np.array(each, np.float64, order="C") for each in (x, y, flux))
        bounds = np.linspace(0, len(planes), max(min(threads, len(planes)), 1) + 1).astype(int)
        parts = [slice(first, last) for first, last in pairwise(bounds)]
        if len(parts) == 1:
            self._draw(planes, x, y, flux)
            return
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: self._draw(planes[part], x[part], y[part], flux[part]), parts))

    def kernel(self) -> Floats:
        """Give the profile centred on the middle pixel of an odd square, integrated over pixels, of unit sum."""
        return self._kernel.copy()

    @property
    def n_eff(self) -> float:
        """Noise pixels: 1 / sum(p^2) of the pixel-integrated, unit-sum profile centred on a pixel."""
        return 1 / self._sums[0]

    @property
    def sum_p3(self) -> float:
        """Sum of the cubes of the same."""
        return self._sums[1]

    @cached_property
    def _kernel(self) -> Floats:
        half = self.half_width()
        planes, centre = np.zeros((1, 2 * half + 1, 2 * half + 1)), np.full((1, 1), float(half))
        self.draw(planes, centre, centre, np.ones((1, 1)))
        return planes[0] / planes[0].sum()

    @cached_property
    def _sums(self) -> tuple[float, float]:
        return float((self._kernel**2).sum()), float((self._kernel**3).sum())
