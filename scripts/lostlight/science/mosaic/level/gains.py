"""How the scales of the frames compare: from their stars, the structure of the sky, and their exposures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.solve import Solution, solve_bipartite
from lostlight.science.mosaic.level.star_nodes import Ties, star_ties
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.structure import structure_ties
from lostlight.science.mosaic.level.twins import Twins, ratio_ties

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Gains:
    """Gains to a common factor.

    Attributes
    ----------
    log : ndarray, shape (n, C)
        Natural logarithms of the gains.
    solutions : list of Solution
        One for each channel; empty where nothing was solved.
    fallback : list of str
        For each frame why its gain is not measured; empty where it is.
    n_stars, n_pairs : int
        Stars seen by several frames, and pairs of frames compared by structure.
    """

    log: Doubles
    solutions: list[Solution]
    fallback: list[str]
    n_stars: int = 0
    n_pairs: int = 0

    @classmethod
    def ones(cls, stats: Sequence[FrameStats]) -> "Gains":
        """Give gain 1 to all."""
        return cls(np.zeros((len(stats), stats[0].n_channels)), [], [""] * len(stats))

    @property
    def is_measured(self) -> bool:
        """Whether stars and structure were asked."""
        return bool(self.solutions)

    @property
    def scale(self) -> list[float]:
        """Width of the residuals in units of their expected width, for each channel."""
        return [round(s.scale, 4) for s in self.solutions]

    def but_for(self, others: NDArray[np.bool_], found: "Gains", reference: int) -> "Gains":
        """Take the gains of these for some frames, and what was found without those for the rest."""
        shift = found.log[reference] - self.log[reference]
        return replace(found, log=np.where(others[:, None], self.log + shift, found.log), fallback=self.fallback)

    def relative(self, reference: int) -> tuple[Doubles, Doubles]:
        """Give gains and their errors in the units of one frame, both of shape (n, C); never NaN, never infinite."""
        gain = np.exp(self.log - self.log[reference])
        sigma = np.zeros_like(gain)
        for channel, solution in enumerate(self.solutions):
            sigma[:, channel] = solution.sigma(reference) * gain[:, channel]
        good = np.isfinite(gain) & (gain > 0)
        return np.where(good, gain, 1.0), np.where(good & np.isfinite(sigma), sigma, 0.0)


def exposure_logs(stats: Sequence[FrameStats]) -> Doubles:
    """Give ln gain as the exposures say, relative to the typical one; shape (n,), 0 where an exposure is not known."""
    exposure = np.array([s.exptime_s for s in stats], np.float64)
    known = np.isfinite(exposure) & (exposure > 0)
    if not known.any():
        return np.zeros(len(stats))
    return np.where(known, np.log(np.median(exposure[known]) / np.where(known, exposure, 1)), 0.0)


def solve_gains(
    stats: Sequence[FrameStats],
    prior_sigma: float,
    match_px: float,
    used: NDArray[np.bool_],
    twins: Sequence[Twins] = (),
) -> Gains:
    """Find the gains of all frames at once, for each channel on the same stars and pairs.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.
    prior_sigma : float
        How far ln gain is expected to lie from that of the exposures.
    match_px : float
        Canvas pixels within which stars are one.
    used : ndarray, shape (n,), bool
        Frames that are asked.
    twins : sequence of Twins
        Frames that are the same pixels where they overlap.

    Returns
    -------
    Gains
    """
    n, n_channels = len(stats), stats[0].n_channels
    expected = exposure_logs(stats)
    stars, pairs = star_ties(stats, match_px), structure_ties(stats)
    stars, pairs = stars.only(used[stars.image]), pairs.only(used[pairs.image])
    ties = stars.with_more(pairs)
    same = ratio_ties(twins, n_channels)
    ties = ties.with_more(same.only(used[same.image]))
    prior = (-expected[:, None], np.full((n, 1), 1 / prior_sigma**2))
    solutions = [_channel(ties, k, n, prior) for k in range(n_channels)]
    log = np.stack([-s.coefficients[:, 0] for s in solutions], axis=1)
    fallback = [_why_not_measured(ties, k) for k in range(n)]
    n_pairs = len(np.unique(pairs.node))
    return Gains(log, solutions, fallback, len(np.unique(stars.node)), n_pairs)


def _channel(ties: Ties, channel: int, n: int, prior: tuple[Doubles, Doubles]) -> Solution:
    seen = ties.weight[:, channel] > 0
    node = np.unique(ties.node[seen], return_inverse=True)[1].astype(np.int64).ravel()
    y, w = ties.y[seen, channel], ties.weight[seen, channel]
    return solve_bipartite(ties.image[seen], node, y, w, np.ones((len(y), 1)), n, prior)


def _why_not_measured(ties: Ties, frame: int) -> str:
    if np.any(ties.image == frame):
        return ""
    return "no star and no structure in common with another frame: gain from the exposures"


def gains_of_medians(stats: Sequence[FrameStats]) -> Gains:
    """Take the ratio of the frames' medians for their gains, as other programs do: right for flat fields alone.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames, with the median of everything they cover.

    Returns
    -------
    Gains
        Relative to any frame gain_i is median_ref / median_i; 1 where a median is not above 0.
    """
    medians = np.array([s.middle_value() for s in stats])
    good = np.isfinite(medians) & (medians > 0)
    log = np.where(good, -np.log(np.where(good, medians, 1)), np.nan)
    reason = "median_ratio: median is not above 0; gain 1"
    return replace(Gains.ones(stats), log=log, fallback=["" if g.all() else reason for g in good])
