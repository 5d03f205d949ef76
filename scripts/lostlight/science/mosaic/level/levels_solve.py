"""How the levels of the frames compare: smooth surfaces that make the sky cells they share agree."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.solve import solve_bipartite
from lostlight.science.mosaic.level.star_nodes import Ties
from lostlight.science.mosaic.level.stats import FrameStats

log = logging.getLogger(__name__)

Doubles = NDArray[np.float64]

SLOPE = 10.0
"""How large the slopes of the sky between frames are expected to be, one sigma, in the noise of a sample."""
LOOSE = 1e-10
"""Weight that holds the level of all frames together, which nothing measures, relative to that of the data."""
DARKEST = 20.0
"""Percentile of the cells by which frames that share nothing are brought to one level."""


def solve_levels(
    stats: Sequence[FrameStats],
    ties: Ties,
    gain: Doubles,
    phi: Doubles,
    reference: int,
    component: NDArray[np.int64],
) -> Doubles:
    """Find the sky surface of every frame, in every channel.

    Of all solutions that make the overlaps agree it is the one with the smallest slopes: a plane under the
    whole mosaic is not measured by overlaps. The constant of the reference is 0.

    Parameters
    ----------
    stats, ties
        All frames, and the cells they share, as `sky_nodes.sky_ties` gives them.
    gain : ndarray, shape (n, C)
        Factors by which the levels are multiplied before they are compared.
    phi : ndarray, shape (m, B)
        Terms of the surfaces, see `surface.basis`.
    reference : int
        Frame whose level the others get.
    component : ndarray, shape (n,)
        Which frames hang together; others are brought to the level of the reference's by their darkest cells.

    Returns
    -------
    ndarray, shape (n, C, B), float64, adu of the reference
    """
    n, n_channels = gain.shape
    sky = np.zeros((n, n_channels, phi.shape[1]))
    scaled = np.array([np.asarray(s.sigma, np.float64) for s in stats]) * gain
    for channel in range(n_channels):
        seen = ties.weight[:, channel] > 0
        if not seen.any():
            continue
        mine = ties.only(seen)
        factor = gain[mine.image, channel]
        y, w = mine.y[:, channel] * factor, mine.weight[:, channel] / factor**2
        node = np.unique(mine.node, return_inverse=True)[1].astype(np.int64).ravel()
        prior = _prior(mine.image, w, n, phi.shape[1], scaled[:, channel])
        surfaces = solve_bipartite(mine.image, node, y, w, phi[seen], n, prior).coefficients
        surfaces[:, 0] -= surfaces[reference, 0]
        levelled = y - np.einsum("mb,mb->m", surfaces[mine.image], phi[seen])
        surfaces[:, 0] += _apart(levelled, mine.image, component, reference)
        surfaces[~np.isin(np.arange(n), mine.image)] = 0
        sky[:, channel] = surfaces
    return sky


def _prior(image, w: Doubles, n: int, n_basis: int, scaled: Doubles) -> tuple[Doubles, Doubles]:
    of_frame = np.bincount(image, w, n)
    typical = float(np.median(of_frame[of_frame > 0]))
    noise = float(np.median(scaled[np.isfinite(scaled)])) if np.isfinite(scaled).any() else 0.0
    weight = np.full((n, n_basis), max(1 / (SLOPE * noise) ** 2 if noise > 0 else 0.0, LOOSE * typical))
    weight[:, 0] = LOOSE * typical
    return np.zeros((n, n_basis)), weight


def _apart(levelled: Doubles, image, component, reference: int) -> Doubles:
    """What else to subtract from frames that share nothing with the reference."""
    more = np.zeros(len(component))
    mine = component[image] == component[reference]
    if not mine.any():
        return more
    dark = _darkest(levelled[mine])
    for other in np.unique(component[image][~mine]):
        more[component == other] = _darkest(levelled[component[image] == other]) - dark
    return more


def _darkest(levels: Doubles) -> float:
    return float(np.median(levels[levels <= np.percentile(levels, DARKEST)]))


def tell_apart(
    stats: Sequence[FrameStats], image: NDArray[np.int64], component: NDArray[np.int64], reference: int
) -> list[str]:
    """Name the frames that share no sky with the reference, a line for each group."""
    present, lines = np.unique(image), []
    for other in np.unique(component[present]):
        if other == component[reference]:
            continue
        names = ", ".join(stats[k].id for k in present if component[k] == other)
        lines.append(
            f"no sky in common with {stats[reference].id}: {names}; brought to its level by their darkest cells"
        )
        log.warning(lines[-1])
    return lines
