"""How noisy a frame is, from what changes between neighbouring pixels."""

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage


def frame_noise(image: NDArray[np.floating]) -> float:
    """Measure the noise of a frame: the median absolute difference of neighbours along x, as a standard deviation.

    Fixed pattern that is as rough as the noise counts too; gradients, stars and hot pixels hardly do.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Pixels; NaN where invalid.

    Returns
    -------
    float
        One standard deviation, in the unit of `image`.

    Raises
    ------
    BadImage
        No two neighbours are valid.
    """
    steps = np.diff(np.asarray(image, np.float64), axis=1)
    steps = steps[np.isfinite(steps)]
    if not steps.size:
        raise BadImage("no two neighbouring pixels are valid", "leave this frame out")
    return float(1.4826 * np.median(abs(steps - np.median(steps))) / np.sqrt(2))


def noise_weights(noise: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give inverse-variance weights with mean one for frames of these noises, in the unit of the samples combined."""
    # Frames without any noise that can be measured are not worth infinitely more than others.
    noise = np.maximum(np.asarray(noise, np.float64), np.finfo(np.float32).tiny)
    weights = (noise.min() / noise) ** 2
    return weights / weights.mean()
