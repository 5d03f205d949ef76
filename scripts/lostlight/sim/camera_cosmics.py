"""Cosmic rays on a simulated camera: spots of one pixel, and tracks."""

import numpy as np
from numpy.typing import NDArray

_SPOTS = 0.5
_MEDIAN_E, _SPREAD = 1500.0, 0.8
_TRACK_PX = (3.0, 25.0)


def cosmic_rays(rng: np.random.Generator, shape: tuple[int, int], expected: float) -> NDArray[np.float64]:
    """Draw the electrons that cosmic rays leave on one frame.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (ny, nx).
    expected : float
        Mean number of hits; that of one frame follows Poisson.

    Returns
    -------
    ndarray of float64, (ny, nx)
        Whole electrons; 0 where no ray went.
    """
    electrons = np.zeros(shape)
    for _ in range(rng.poisson(expected)):
        y, x, angle = rng.uniform([0, 0, 0], [*shape, 2 * np.pi])
        length = 0.0 if rng.random() < _SPOTS else np.exp(rng.uniform(*np.log(_TRACK_PX)))
        along = np.arange(0, length + 0.5, 0.5)
        rows, columns = (y + along * np.sin(angle)).astype(int), (x + along * np.cos(angle)).astype(int)
        track = {(j, i) for j, i in zip(rows, columns, strict=True) if 0 <= j < shape[0] and 0 <= i < shape[1]}
        energy = _MEDIAN_E * np.exp(_SPREAD * rng.standard_normal())
        for pixel in sorted(track):
            electrons[pixel] += np.ceil(energy * rng.uniform(0.5, 1.5))
    return electrons
