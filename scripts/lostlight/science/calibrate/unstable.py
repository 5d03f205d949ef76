"""Pixels whose dark current hops from frame to frame, told by the frames of one master dark."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, chdtri

from lostlight.science.calibrate.dark_rate import CHANCE, MAX_CHI2_NU
from lostlight.science.stack.rule import Combined


def hopping(combined: Combined) -> NDArray[np.bool_]:
    """Find the pixels whose frames differ by more than noise and cosmic rays would have them differ.

    A cosmic ray is one sample among many. Where so many samples of a pixel were rejected that, at the rate at which
    they are rejected anywhere, chance would do so in fewer than one of 100,000 pixels, the pixel itself hops. Smaller
    hops stay within the samples: their scatter, as chi squared over its degrees of freedom, is above 5, and so by
    chance in one of 100,000 pixels at most.

    Parameters
    ----------
    combined : Combined
        Darks of one exposure, combined by noise_model: the other methods reject samples of quiet pixels in clumps, and
        know nothing of the noise that a pixel should have.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    rejected = combined.n_low.astype(np.int64) + combined.n_high
    valid = rejected + combined.n_used
    # Of n samples none is rejected with (1 - p)^n and one with n p (1 - p)^(n - 1): no hopping pixel counts in these.
    odds = np.count_nonzero(rejected == 1) / max(int(valid[rejected == 0].sum()), 1)
    # one cosmic ray is no hop, however rare it is
    found = (rejected > 1) & (bdtrc(rejected - 1, valid, odds / (1 + odds)) < CHANCE)
    free = np.arange(1, int(combined.n_used.max(initial=2)))
    limits = np.concatenate([[np.inf, np.inf], np.maximum(MAX_CHI2_NU, chdtri(free, CHANCE) / free)])
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = np.square(combined.sigma_empirical.astype(np.float64) / combined.sigma)
    return found | (scatter > limits[combined.n_used])
