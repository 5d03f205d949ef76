"""The search made again around one planted source, and all that tells why it was found or was not."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.science.recover.forced import Forced, along
from lostlight.science.recover.light import Light, planted
from lostlight.science.recover.straight import distance, straight
from lostlight.science.search.candidates import candidates
from lostlight.science.search.curves import along as read
from lostlight.science.search.curves import likelihood
from lostlight.science.search.rules import Peaks, SearchRules, Window
from lostlight.science.search.static import n_moving
from lostlight.science.search.survivors import CandidateRules, Survivors, Tracks, clipped, survivors
from lostlight.science.search.tiles import Batch, batches, search_tile
from lostlight.science.search.velocities import middle, shift_tables

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]

HALF_PX = 24
"""Paths start this far to either side of a source at mid-arc."""
_NEAR_FWHM = 1.0
"""Paths of the grid this near at both ends and in the middle are near a source."""
_SLACK_PX = 3.0
"""How far refinement moves a path."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The images that are searched, as evidence, and how.

    Parameters
    ----------
    psi, phi : ndarray, (T, H, W), float32
        Of `lostlight.science.search.likelihood.psi_phi`, on one grid of pixels. To plant light, psi must be writable.
    days : ndarray, (T,), float64
        Since the first image.
    velocities : ndarray, (V, 2), float64
        Motions that are tried, pixels per day.
    search : SearchRules
    rules : CandidateRules
    profile : ndarray, (S, S), float64
        That of a point source, typical of the images.
    lags : ndarray, (T, 2, 3), float64
        Of `lostlight.science.recover.forced.correlations`, of the profile of each image.
    match_fwhm : float
        A candidate this near at both ends of the arc and in the middle is the source.
    searched : ndarray, (T, H, W), float32, optional
        Psi that paths are searched in, if not `psi`; see `lostlight.science.search.cap`.
    masks_static : bool
        Whether pixels on what stands still are not used; see `lostlight.science.search.static`.
    known : Tracks, optional
        Where the candidates of the images as they are, are on each image: what is theirs is no planted source's, near
        it or not.
    """

    psi: Floats
    phi: Floats
    days: FloatArray
    velocities: FloatArray
    search: SearchRules
    rules: CandidateRules
    profile: FloatArray
    lags: FloatArray
    match_fwhm: float = 2.0
    searched: Floats | None = None
    masks_static: bool = False
    known: Tracks | None = None

    @property
    def sight(self) -> Floats:
        """Psi as the search for paths sees it."""
        return self.psi if self.searched is None else self.searched

    @cached_property
    def parts(self) -> list[Batch]:
        """The motions, in batches that keep together."""
        return batches(*shift_tables(self.velocities, self.days))

    @cached_property
    def since(self) -> FloatArray:
        """Days since the middle of the arc."""
        return self.days - middle(self.days)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search makes of one planted source; numbers are NaN where there is nothing to measure.

    Parameters
    ----------
    lh_planted : float
        Likelihood of its light alone, without noise, along its true path.
    lh_true, lh_grid, lh_found : float
        Likelihood along its true path; along the best path of the grid near it; of its candidate.
    n_seen : int
        Images that measure it.
    is_clipped, is_path, is_candidate, is_vetted_out, is_static : bool
        As in `lostlight.science.recover.reasons.Evidence`.
    is_near : bool
        A candidate that vetting leaves is near enough, and the planted light is most of it.
    offset_px, radius_px : float
        Largest distance of the candidate at both ends and in the middle, and how large it might be.
    found : dict of str to float
        Of the candidate at mid-arc: x, y, vx, vy, flux; and their errors, x_err ...
    true : dict of str to float
        Of the source: x, y, vx, vy at mid-arc, of the straight line through its path.
    """

    lh_planted: float
    lh_true: float
    lh_grid: float
    lh_found: float
    n_seen: int
    is_clipped: bool
    is_path: bool
    is_candidate: bool
    is_vetted_out: bool
    is_near: bool
    offset_px: float
    radius_px: float
    is_static: bool = False
    found: dict[str, float] = field(default_factory=dict)
    true: dict[str, float] = field(default_factory=dict)


def search_around(ground: Ground, x: float, y: float, half_px: int = HALF_PX) -> Peaks:
    """Find the best paths through the pixels around a place at mid-arc, as a search of everything would.

    Parameters
    ----------
    ground : Ground
    x, y : float
        Zero-based pixels.
    half_px : int
        Pixels to either side.
    """
    side = 2 * half_px + 1
    window = Window(round(y) - half_px, round(x) - half_px, (side, side))
    lh = np.full((ground.search.top, side, side), -np.inf, np.float32)
    velocity = np.full(lh.shape, -1, np.int32)
    search_tile(ground.sight, ground.phi, ground.parts, window, ground.search.min_epochs, lh, velocity)
    return Peaks(lh, velocity, window)


def recover_planted(ground: Ground, light: Light, x: FloatArray, y: FloatArray) -> Outcome:
    """Plant the light of one source into the evidence, search around it, and take the light off again.

    Parameters
    ----------
    ground : Ground
    light : Light
    x, y : ndarray, (T,), float64
        Where the source is on each image; NaN where on none.
    """
    before = forced(ground, x, y)
    with planted(ground.psi, ground.phi, light):
        after = forced(ground, x, y)
        return recover(ground, x, y, after.lh - before.lh)


def forced(ground: Ground, x: FloatArray, y: FloatArray) -> Forced:
    """Follow the true path of a source; parameters as of `recover_planted`."""
    return along(ground.psi, ground.phi, x, y, ground.lags)


def recover(
    ground: Ground, x: FloatArray, y: FloatArray, lh_planted: float, seen: tuple[Peaks, Survivors] | None = None
) -> Outcome:
    """Search around a source whose light is in the evidence.

    Parameters
    ----------
    ground : Ground
    x, y : ndarray, (T,), float64
        Where the source is on each image; NaN where on none.
    lh_planted : float
        Likelihood of its light alone along its true path.
    seen : (Peaks, Survivors), optional
        Of a search of everything; by default a window around the source is searched.
    """
    along_truth = forced(ground, x, y)
    x, y = (np.where(along_truth.phi > 0, each, np.nan) for each in (x, y))
    nothing = Outcome(
        lh_planted, along_truth.lh, np.nan, np.nan, along_truth.n_obs, False, False, False, False, False, np.nan, np.nan
    )
    true = straight(ground.since, x, y)
    if true is None:
        return nothing
    n_left = n_moving(ground.sight, ground.phi, ground.days, x, y) if ground.masks_static else along_truth.n_obs
    if n_left < ground.rules.min_epochs <= along_truth.n_obs:
        return replace(nothing, is_static=True, true=true)
    if seen is None:
        peaks = search_around(ground, true["x"], true["y"])
        seen = (
            peaks,
            survivors(ground.psi, ground.phi, ground.days, ground.velocities, peaks, ground.rules, ground.known),
        )
    lh_grid, is_clipped = _near_paths(ground, true)
    outcome = replace(
        nothing, lh_grid=lh_grid, is_clipped=is_clipped, true=true, is_path=_is_path(ground, true, seen[0])
    )
    return _matched(ground, outcome, seen)


def _near_paths(ground: Ground, true: dict[str, float]) -> tuple[float, bool]:
    """Find the best path of the grid near the true one; tell whether clipping takes all above the threshold away."""
    near = _NEAR_FWHM * ground.rules.fwhm_px
    reach = int(np.ceil(near))
    off = np.arange(-reach, reach + 1)
    v = ground.velocities
    close = np.flatnonzero(distance({**true, "x": 0.0, "y": 0.0}, np.zeros(len(v)), np.zeros(len(v)), v) <= 2 * near)
    px = round(true["x"]) + np.tile(off, off.size)
    py = round(true["y"]) + np.repeat(off, off.size)
    far = distance(true, px[:, None].astype(float), py[:, None].astype(float), v[close][None])
    place, which = np.nonzero(far <= near)
    if not place.size:
        return float("nan"), False
    dx, dy = shift_tables(v[close], ground.days)
    x, y = px[place, None] + dx[which], py[place, None] + dy[which]
    curves = clipped(read(ground.psi, x, y), read(ground.phi, x, y), ground.rules)
    enough = (curves.phi > 0).sum(axis=1) >= ground.search.min_epochs
    lh = np.where(enough, likelihood(curves.capped, curves.phi), -np.inf)
    best, good = float(lh.max()), lh >= ground.rules.threshold
    is_left = (curves.likelihood() >= ground.rules.threshold) & (curves.keep.sum(axis=1) >= ground.rules.min_epochs)
    return best, bool(good.any() and not is_left[good].any())


def _is_path(ground: Ground, true: dict[str, float], peaks: Peaks) -> bool:
    """Tell whether one of the paths that the search keeps is near the source."""
    paths = peaks.above(ground.rules.threshold)
    far = distance(true, paths.x.astype(float), paths.y.astype(float), ground.velocities[paths.velocity].reshape(-1, 2))
    return bool((far <= ground.match_fwhm * ground.rules.fwhm_px + _SLACK_PX).any())


def _matched(ground: Ground, outcome: Outcome, seen: tuple[Peaks, Survivors]) -> Outcome:
    """Measure the candidates near the source, and take the best of them that is near enough once it is measured."""
    peaks, found = seen
    true, radius = outcome.true, ground.match_fwhm * ground.rules.fwhm_px
    leads = found.candidates
    paths = found.paths.take(leads)
    v = ground.velocities[paths.velocity].reshape(-1, 2)
    far = distance(true, paths.x.astype(float), paths.y.astype(float), v)
    which = leads[far <= 2 * radius + _SLACK_PX]
    if not which.size:
        return outcome
    table = candidates(
        ground.psi,
        ground.phi,
        ground.days,
        ground.velocities,
        peaks,
        ground.rules,
        ground.profile,
        found=found.alone(which),
    )
    return _best_of(ground, outcome, table, radius)


def _best_of(ground: Ground, outcome: Outcome, table: Table, radius: float) -> Outcome:
    first = ground.since[0]
    x, y = (np.asarray(table[f"{axis}_px"]) - first * np.asarray(table[f"v{axis}_px_day"]) for axis in "xy")
    v = np.c_[table["vx_px_day"], table["vy_px_day"]]
    far = distance(outcome.true, x, y, v)
    error = 3 * np.hypot(*(np.nan_to_num(np.asarray(table[f"{axis}_err_px"], float)) for axis in "xy"))
    radii = np.maximum(radius, np.minimum(error, 2 * radius))
    near = np.flatnonzero(far <= radii)
    if not near.size:
        return outcome
    kept = near[~np.asarray(table["is_vetted_out"])[near]]
    i = int((kept if kept.size else near)[0])
    row = table[i]
    # A candidate that would be there without it is another's.
    is_its_own = outcome.lh_planted >= 0.5 * row["lh"]
    return replace(
        outcome,
        lh_found=float(row["lh"]),
        is_candidate=bool(is_its_own),
        is_vetted_out=bool(is_its_own and not kept.size),
        is_near=bool(is_its_own and kept.size),
        offset_px=float(far[i]),
        radius_px=float(radii[i]),
        found=_measured(row, x[i], y[i]),
    )


def _measured(row: Table.Row, x: float, y: float) -> dict[str, float]:
    told = {"vx": "vx_px_day", "vy": "vy_px_day", "vx_err": "vx_err_px_day", "vy_err": "vy_err_px_day",
            "x_err": "x_err_px", "y_err": "y_err_px", "flux": "flux", "flux_err": "flux_err"}  # fmt: skip
    return {"x": float(x), "y": float(y)} | {short: float(row[name]) for short, name in told.items()}
