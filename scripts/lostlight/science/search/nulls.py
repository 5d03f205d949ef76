"""Searches that can find nothing real, on the same images: what they find are false alarms."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError

Floats = NDArray[np.float32]


class Negative:
    """Planes with their sign turned, made plane by plane as they are read; for psi that is a memory map."""

    def __init__(self, planes: Floats) -> None:
        self.planes, self.shape, self.dtype, self.ndim = planes, planes.shape, planes.dtype, planes.ndim

    def __len__(self) -> int:
        return len(self.planes)

    def __getitem__(self, key: int) -> Floats:
        return -self.planes[key]

    def __iter__(self) -> Iterator[Floats]:
        return (self[t] for t in range(len(self)))


def shuffled(days: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the images each other's times: what is an artefact of one image stays, what moves does not.

    Orders in which too many images keep their places are drawn again; the search is told these times, the planes stay.

    Parameters
    ----------
    days : floating, shape (T,)
    rng : Generator

    Returns
    -------
    float64, shape (T,)

    Raises
    ------
    ConfigError
        Fewer than three images have no other order that matters.
    """
    days = np.asarray(days, np.float64)
    if len(days) < 3:
        raise ConfigError(f"{len(days)} images cannot be shuffled", "leave this null search out")
    linear = np.arange(len(days))
    orders = [rng.permutation(len(days)) for _ in range(64)]
    # The order that is least like the true one or its reverse, of some drawn by chance.
    alike = [abs(np.corrcoef(order, linear)[0, 1]) for order in orders]
    return days[orders[int(np.argmin(alike))]]
