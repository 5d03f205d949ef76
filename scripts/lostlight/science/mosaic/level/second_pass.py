"""Lots levelled once more, each against all the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.photometry import PhotometryRules, solve_photometry
from lostlight.science.mosaic.level.stats import Cells, FrameStats
from lostlight.science.mosaic.level.surface import N_TERMS, basis

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class SecondPass:
    """What each lot is multiplied by, and what is subtracted from it then, after one more round.

    Attributes
    ----------
    gain : ndarray, shape (n, C)
    sky : ndarray, shape (n, C, B), adu
    centre : ndarray, shape (n, 2), canvas px
    half_px : float
        As in `photometry.Photometry`.
    before, after : float
        Residual of the overlaps (root mean square, in the noise of a sample) without and with it; it is worth
        applying where it drops.
    """

    gain: Doubles
    sky: Doubles
    centre: Doubles
    half_px: float
    before: float
    after: float


def level_again(stats: Sequence[FrameStats], rules: PhotometryRules, reference: int) -> SecondPass:
    """Level every lot against the others once more.

    To level each against the mosaic of all others, in turn and until nothing changes, leads to the solution of
    all at once, which is what is taken.

    Parameters
    ----------
    stats : sequence of FrameStats
        Lots that are levelled already, as `tiles.tile_stats` gives them.
    rules : PhotometryRules
        How they are levelled.
    reference : int
        Lot that stays as it is.

    Returns
    -------
    SecondPass
        What is to be done to the lots as they were given.
    """
    found = solve_photometry(stats, rules, reference)
    before, after = (found.diagnostics[f"overlap_residual_sigma{when}"]["rms"] for when in ("_before", ""))  # type: ignore[index]
    good = np.array([status == "ok" for status in found.status])
    gain, sky = np.where(good[:, None], found.gain, 1.0), np.where(good[:, None, None], found.sky, 0.0)
    return SecondPass(gain, sky, found.centre, found.half_px, float(before), float(after))


def levelled(stats: FrameStats, gain: Doubles, sky: Doubles, centre: Doubles, half_px: float) -> FrameStats:
    """Give the stars, cells and noise that a frame has once its gain and sky surface are applied.

    Parameters
    ----------
    stats : FrameStats
    gain : ndarray, shape (C,)
    sky : ndarray, shape (C, B), adu
    centre : ndarray, shape (2,), canvas px
    half_px : float
        As in `photometry.Photometry`.
    """
    stars = replace(stats.stars, flux=stats.stars.flux * gain, error=stats.stars.error * gain)
    cells = (_levelled(c, gain, sky, centre, half_px) for c in (stats.sky, stats.fine))
    grids = dict(zip(("sky", "fine"), cells, strict=True))
    return replace(stats, stars=stars, **grids, sigma=np.asarray(stats.sigma) * gain, median=None)


def _levelled(cells: Cells, gain: Doubles, sky: Doubles, centre: Doubles, half_px: float) -> Cells:
    order = {n: k for k, n in N_TERMS.items()}[sky.shape[1]]
    surface = basis(cells.u, cells.v, centre, half_px, order) @ sky.T
    value = (cells.value * gain - surface).astype(np.float32)
    return replace(cells, value=value, variance=(cells.variance * gain**2).astype(np.float32))
