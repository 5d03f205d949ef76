"""From the best paths through each pixel to one for each source: clipped, and joined where they share light."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.search.cap import capped, evened
from lostlight.science.search.cluster import independent, together
from lostlight.science.search.curves import Curves, along
from lostlight.science.search.rules import Paths, Peaks
from lostlight.science.search.sigma_g import SigmaG, unclipped
from lostlight.science.search.velocities import middle, shift_tables
from lostlight.science.search.vet import Vetting

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

Tracks = tuple[Doubles, Doubles]
"""Places of sources on each image, x and y of shape (n, T)."""
KNOWN = -1
NEAR = 0.5
"""Light curves of paths this little below the threshold are looked at as well: clipping may lift them."""


@dataclass(frozen=True)
class CandidateRules:
    """What makes a candidate.

    Parameters
    ----------
    threshold : float
        Least likelihood, after clipping.
    fwhm_px : float
        Width of a point source.
    min_epochs : int
        Images that a path must have, after clipping.
    cluster_fwhm : float
        Paths nearer than this at both ends of the arc are one.
    sigma_g : SigmaG or None
        How light curves are clipped; None clips nothing.
    vetting : Vetting
    cap : float
        Most that one image may contribute, in sigma; see `lostlight.science.search.cap`.
    """

    threshold: float
    fwhm_px: float
    min_epochs: int = 1
    cluster_fwhm: float = 2.0
    sigma_g: SigmaG | None = field(default_factory=SigmaG)
    vetting: Vetting = field(default_factory=Vetting)
    cap: float = np.inf


@dataclass(frozen=True, eq=False)
class Survivors:
    """Paths above the threshold, best first, and which of them are candidates.

    Parameters
    ----------
    paths : Paths
        (n,), with the likelihood that the search gives them.
    taken : bool, shape (n, T)
        Images on which another, better candidate is in the same place.
    lh : float64, shape (n,)
        After clipping, no image contributing more than the cap.
    leader : int64, shape (n,)
        Number of the path that each joined; its own where it leads, which makes it a candidate. -1 where it joined a
        source that was known.
    """

    paths: Paths
    taken: Bools
    lh: Doubles
    leader: NDArray[np.int64]

    @property
    def candidates(self) -> NDArray[np.int64]:
        """Give the numbers of those that lead."""
        return np.flatnonzero(self.leader == np.arange(len(self.leader)))

    def alone(self, which: NDArray[np.int64]) -> "Survivors":
        """Give some of the candidates, each as one that leads."""
        return Survivors(self.paths.take(which), self.taken[which], self.lh[which], np.arange(len(which)))


def survivors(
    psi: Floats,
    phi: Floats,
    days: ArrayLike,
    velocities: ArrayLike,
    peaks: Peaks,
    rules: CandidateRules,
    known: Tracks | None = None,
) -> Survivors:
    """Clip the light curves of the best paths, and join those that are one source.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    days : floating, shape (T,)
    velocities : floating, shape (V, 2)
    peaks : Peaks
        Of the search of the same planes.
    rules : CandidateRules
    known : Tracks, optional
        Sources that are known, where `peaks` has a part of the paths alone: they take the light that is theirs.

    Returns
    -------
    Survivors
    """
    paths = peaks.above(rules.threshold - (NEAR if rules.sigma_g else 0))
    curves = light_curves(psi, phi, paths, velocities, days, rules)
    lh, rank = curves.likelihood(), curves.rank()
    good = (lh >= rules.threshold) & (curves.keep.sum(axis=1) >= rules.min_epochs)
    order = np.flatnonzero(good)[np.argsort(-rank[good], kind="stable")]
    paths, lh, curves = paths.take(order), lh[order], curves.take(order)
    days = np.asarray(days, np.float64)
    v = np.asarray(velocities, np.float64)[paths.velocity].reshape(-1, 2)
    x, y = (at[:, None] + v[:, k, None] * (days - middle(days)) for k, at in enumerate((paths.x, paths.y)))
    radius = rules.cluster_fwhm * rules.fwhm_px
    leader = together(x[:, [0, -1]], y[:, [0, -1]], radius)
    first = np.flatnonzero(leader == np.arange(len(leader)))
    x, y, rivals = x[first], y[first], curves.take(first)
    if known is not None:
        place = [np.floor(each + 0.5).astype(np.int64) for each in known]
        rivals = rivals.joined(clipped(along(psi, *place), along(phi, *place), rules))
        x, y = (np.concatenate(both) for both in zip((x, y), known, strict=True))
    joined, taken_from = independent(x, y, rivals, rules.threshold, rules.min_epochs, radius)
    taken = np.zeros(curves.psi.shape, bool)
    taken[first] = taken_from[: len(first)]
    # What joined a source that is known, leads to none of these paths.
    leader[first] = np.append(first, np.full(len(x) - len(first), KNOWN))[joined[: len(first)]]
    return Survivors(paths, taken, lh, np.where(leader[leader] < 0, KNOWN, leader[leader]))


def light_curves(
    psi: Floats, phi: Floats, paths: Paths, velocities: ArrayLike, days: ArrayLike, rules: CandidateRules
) -> Curves:
    """Read the light curves of paths, and clip them; parameters as of `survivors`."""
    shown, weight = (along(planes, *places(paths, velocities, days)) for planes in (psi, phi))
    return clipped(shown, weight, rules)


def clipped(psi: Floats, phi: Floats, rules: CandidateRules) -> Curves:
    """Clip light curves, float32 of shape (n, T), by the rules; images with phi of zero never count."""
    keep = unclipped(psi, phi, rules.sigma_g) if rules.sigma_g else phi > 0
    return Curves(psi, phi, capped(psi, phi, rules.cap), evened(psi, phi), keep)


def places(paths: Paths, velocities: ArrayLike, days: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give the pixels of paths on each image, as the search has them: x and y, int32 of shape (n, T)."""
    numbers, which = np.unique(paths.velocity, return_inverse=True)
    dx, dy = shift_tables(np.asarray(velocities, np.float64)[numbers].reshape(-1, 2), days)
    return paths.x[:, None] + dx[which], paths.y[:, None] + dy[which]
