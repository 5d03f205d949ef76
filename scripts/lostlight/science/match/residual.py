"""What the plate solution missed: a smooth correction of detected positions, fitted to a catalogue.

Both lists hold stars the other lacks, and chance pairs are many in crowded fields, so the shift is found first, by vote
among all pairs; then pairs without a rival are fitted by a low-order polynomial, clipped robustly, twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import BadAstrometry
from lostlight.science.match.nearest import Sky
from lostlight.science.sky.separation import TangentPlane

SEARCH_ARCSEC = 15.0
"""Reach of the first search: no plate solution of a survey is further off."""

TIES_PER_TERM = 10
"""Ties asked for per coefficient; below that the degree is lowered."""

MAD_TO_SIGMA = 1.482602218505602

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Residual:
    """A fitted correction and how well it holds."""

    plane: TangentPlane
    half_width_arcsec: float
    degree: int
    coefficients: Floats
    n_ties: int
    shift_arcsec: float
    scatter_ra_arcsec: float
    scatter_dec_arcsec: float

    def apply(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Floats, Floats]:
        """Move positions (degrees) of the plate solution onto the catalogue's frame."""
        xi, eta = self.plane.project(ra_deg, dec_deg)
        terms = _terms(xi / self.half_width_arcsec, eta / self.half_width_arcsec, self.degree)
        return self.plane.deproject(*(np.stack([xi, eta]) + self.coefficients @ terms))


def fit_residual(
    ra_deg: ArrayLike, dec_deg: ArrayLike, catalogue: Sky, degree: int = 1, min_ties: int = 20,
    max_scatter_arcsec: float = 1.0, pair_arcsec: float = 5.0,
) -> Residual:  # fmt: skip
    """Fit the smooth difference between detected positions and a catalogue at the same epoch.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detected positions in degrees.
    catalogue : Sky
        Catalogued positions at the epoch of the plate.
    degree : int
        Largest degree of the polynomials in the tangent plane; lowered where ties are few.
    min_ties : int
        Fewest ties.
    max_scatter_arcsec : float
        Largest robust scatter per axis.
    pair_arcsec : float
        Largest separation of a tie once the shift is taken out.

    Returns
    -------
    Residual

    Raises
    ------
    BadAstrometry
        With too few ties, or a larger scatter.
    """
    ra, dec = np.asarray(ra_deg, float), np.asarray(dec_deg, float)
    if not len(ra) or not len(catalogue):
        raise _too_few(0, min_ties)
    plane = TangentPlane.about(ra, dec)
    position = np.stack(plane.project(ra, dec))
    width = max(float(np.abs(position).max()), 1.0)
    model = Residual(plane, width, 0, _vote(plane, position, ra, dec, catalogue), 0, 0.0, 0.0, 0.0)
    for _ in range(2):
        model = _refit(model, position, ra, dec, catalogue, degree, min_ties, pair_arcsec)
    worst = max(model.scatter_ra_arcsec, model.scatter_dec_arcsec)
    if worst > max_scatter_arcsec:
        raise BadAstrometry(
            f"positions scatter by {model.scatter_ra_arcsec:.2f} x {model.scatter_dec_arcsec:.2f} arcsec about the "
            f"catalogue ({model.n_ties} ties), more than {max_scatter_arcsec:g}",
            hint="check that plate solution and catalogue belong together, and the catalogue's epoch",
            scatter_arcsec=round(worst, 3), n_ties=model.n_ties,
        )  # fmt: skip
    return model


def _vote(plane: TangentPlane, position: Floats, ra: Floats, dec: Floats, catalogue: Sky) -> Floats:
    """Find the shift that most pairs agree on: mean shift from the highest bin of the offsets of all pairs."""
    detection, row, _ = catalogue.pairs(ra, dec, SEARCH_ARCSEC)
    if not len(detection):
        return np.zeros((2, 1))
    offset = np.stack(plane.project(catalogue.ra_deg[row], catalogue.dec_deg[row])) - position[:, detection]
    edges = np.arange(-SEARCH_ARCSEC, SEARCH_ARCSEC + 1)
    votes, _, _ = np.histogram2d(*offset, bins=(edges, edges))
    # four neighbouring bins together, so that a peak on a border is not split
    votes = votes[:-1, :-1] + votes[1:, :-1] + votes[:-1, 1:] + votes[1:, 1:]
    peak = np.unravel_index(votes.argmax(), votes.shape)
    shift = np.array([edges[peak[0] + 1], edges[peak[1] + 1]], float)[:, None]
    for _ in range(5):
        near = np.hypot(*(offset - shift)) < 2.0
        if near.any():
            shift = np.median(offset[:, near], axis=1, keepdims=True)
    return shift


def _refit(
    model: Residual, position: Floats, ra: Floats, dec: Floats, catalogue: Sky, degree: int, min_ties: int, reach: float
) -> Residual:
    detection, row = _ties(*model.apply(ra, dec), catalogue, reach)
    target = np.stack(model.plane.project(catalogue.ra_deg[row], catalogue.dec_deg[row]))
    offset = target - position[:, detection]
    unit_square = position / model.half_width_arcsec
    degree = _affordable_degree(len(detection), degree)
    terms = _terms(*unit_square[:, detection], degree)
    if len(detection) < min_ties:
        raise _too_few(len(detection), min_ties)
    coefficients, kept = _robust_fit(terms, offset)
    if kept.sum() < min_ties:
        raise _too_few(int(kept.sum()), min_ties)
    scatter = _mad_sigma(offset[:, kept] - coefficients @ terms[:, kept])
    shift = np.median(coefficients @ _terms(*unit_square, degree), axis=1)
    return Residual(
        model.plane, model.half_width_arcsec, degree, coefficients, int(kept.sum()), float(np.hypot(*shift)),
        float(scatter[0]), float(scatter[1]),
    )  # fmt: skip


def _ties(ra: Floats, dec: Floats, catalogue: Sky, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs within reach without a rival on either side.

    A rival is a second candidate less than twice as far away: a double star's fainter half must not decide.
    """
    detection, row, separation = catalogue.pairs(ra, dec, 2 * reach)
    if not len(detection):
        return detection, row
    alone = _clear_best(detection, separation, len(ra)) & _clear_best(row, separation, len(catalogue))
    alone &= separation <= reach
    return detection[alone], row[alone]


def _clear_best(group: NDArray[np.int64], separation: Floats, n_groups: int) -> Bools:
    """Mark the smallest separation of each group where the second smallest is at least twice as large."""
    order = np.lexsort((separation, group))
    sorted_group, sorted_separation = group[order], separation[order]
    first = np.r_[True, np.diff(sorted_group) != 0]
    second = np.full(n_groups, np.inf)
    is_second = np.r_[False, first[:-1]] & ~first
    second[sorted_group[is_second]] = sorted_separation[is_second]
    clear = np.empty(len(group), bool)
    clear[order] = first & (second[sorted_group] >= 2 * sorted_separation)
    return clear


def _robust_fit(terms: Floats, offset: Floats, clip_sigma: float = 3.0, rounds: int = 8) -> tuple[Floats, Bools]:
    """Least squares with rejection beyond `clip_sigma` robust sigmas in either axis, started from the median."""
    coefficients = np.zeros((2, len(terms)))
    coefficients[:, 0] = np.median(offset, axis=1)
    kept = np.zeros(offset.shape[1], bool)
    for _ in range(rounds):
        difference = offset - coefficients @ terms
        # 0.02 arcsec: a perfect catalogue must not make the clip reject rounding errors
        width = clip_sigma * np.maximum(_mad_sigma(difference[:, kept] if kept.any() else difference), 0.02)
        now = np.all(np.abs(difference) <= width[:, None], axis=0)
        if now.sum() < len(terms) or np.array_equal(now, kept):
            break
        kept = now
        coefficients = np.linalg.lstsq(terms[:, kept].T, offset[:, kept].T, rcond=None)[0].T
    return coefficients, kept


def _mad_sigma(values: Floats) -> Floats:
    centre = np.median(values, axis=1, keepdims=True)
    return MAD_TO_SIGMA * np.median(np.abs(values - centre), axis=1)


def _affordable_degree(n_ties: int, degree: int) -> int:
    while degree > 0 and n_ties < TIES_PER_TERM * (degree + 1) * (degree + 2) // 2:
        degree -= 1
    return degree


def _terms(u: Floats, v: Floats, degree: int) -> Floats:
    return np.stack([u**i * v**j for total in range(degree + 1) for i in range(total, -1, -1) for j in (total - i,)])


def _too_few(found: int, needed: int) -> BadAstrometry:
    return BadAstrometry(
        f"only {found} detections tie unambiguously to the catalogue, {needed} are needed",
        hint="check that image and catalogue show the same sky; for a sparse field lower xmatch.min_ties",
        n_ties=found, needed=needed,
    )  # fmt: skip
