"""One scale and one level for all frames: gains from stars and structure, levels from the sky between them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.level.components import components
from lostlight.science.mosaic.level.gains import Gains, exposure_logs, gains_of_medians, solve_gains
from lostlight.science.mosaic.level.levels_solve import solve_levels, tell_apart
from lostlight.science.mosaic.level.overlap import overlap_report
from lostlight.science.mosaic.level.reference import choose_reference, is_sound, middle
from lostlight.science.mosaic.level.sky_nodes import sky_ties
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.surface import N_TERMS, basis
from lostlight.science.mosaic.level.twins import Twins, find_twins, level_ties

log = logging.getLogger(__name__)

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

METHODS = ("overlap", "median_ratio", "offset", "none")
FARTHEST = np.log(5.0)
"""A gain farther from what the exposures say (ln) is no gain: the frame is left out."""


@dataclass(frozen=True)
class PhotometryRules:
    """How frames are levelled.

    Attributes
    ----------
    method : str
        overlap: gains and levels; median_ratio: gains as ratios of medians; offset: levels alone; none.
    gain_prior : float
        How far ln gain is expected to lie from that of the exposures, one sigma.
    sky_order : int
        Sky differences are constants (0), planes (1) or quadratic (2).
    match_px : float
        Canvas pixels within which stars of two frames are one.
    """

    method: str = "overlap"
    gain_prior: float = 0.3
    sky_order: int = 1
    match_px: float = 2.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"photometry method {self.method!r} is unknown", f"one of {', '.join(METHODS)}")
        if self.sky_order not in N_TERMS or not self.gain_prior > 0:
            raise ConfigError(f"{self} cannot be solved", "sky_order is 0, 1 or 2; gain_prior is above 0")


@dataclass(frozen=True)
class Photometry:
    """What each frame is multiplied by, and what is subtracted from it then: ``gain · data - surface``.

    Attributes
    ----------
    gain, gain_sigma : ndarray, shape (n, C), float64
        Factors and their one-sigma errors relative to the reference; 1 for the reference.
    sky : ndarray, shape (n, C, B), float64, adu of the reference
        Coefficients of the surface, see `surface.sky_surface`.
    centre : ndarray, shape (n, 2), float64, canvas px
        x and y of the middle of each frame.
    half_px : float
        Distance from the middle where the terms of the surface are 1.
    reference : int
        Number of the frame whose scale and level the others have.
    component : ndarray, shape (n,), int64
        Lowest number of the frames that each hangs together with.
    status : list of str
        ok; or excluded, or unlevelled, with the reason. A frame whose gain is only that of the exposures is ok.
    warnings : list of str
        What to tell the user.
    diagnostics : mapping
        Plain values for the report: stars and ties used, residuals of the overlaps, fallbacks, medians.
    """

    gain: Doubles
    gain_sigma: Doubles
    sky: Doubles
    centre: Doubles
    half_px: float
    reference: int
    component: NDArray[np.int64]
    status: list[str]
    warnings: list[str] = field(default_factory=list)
    diagnostics: Mapping[str, object] = field(default_factory=dict)


def solve_photometry(stats: Sequence[FrameStats], rules: PhotometryRules, reference: str | int = "auto") -> Photometry:
    """Find the gain and the sky surface of every frame, all at once.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames, of one number of channels; what comes out does not depend on their order.
    rules : PhotometryRules
        How they are levelled.
    reference : str or int
        auto, weight, central, first or a number: the frame whose scale and level the others get. It changes the
        units of the result and nothing else.

    Returns
    -------
    Photometry
        In the order of `stats`.

    Raises
    ------
    ConfigError
        For no frames at all, mono and colour frames together, or a reference that does not exist.
    """
    _check(stats)
    order = sorted(range(len(stats)), key=lambda k: stats[k].id)
    back = np.argsort(order)
    ranked = [stats[k] for k in order]
    asked = reference if isinstance(reference, str) else _asked(reference, back)
    if asked == "first":
        asked = int(back[0])
    return _reordered(_solve(ranked, rules, asked), order, back)


def _check(stats: Sequence[FrameStats]) -> None:
    if not stats:
        raise ConfigError("no frame to level", "give at least one")
    channels = {s.n_channels for s in stats}
    if len(channels) > 1:
        mono = [s.id for s in stats if s.n_channels == 1]
        raise ConfigError(
            f"mono and colour frames together; mono: {', '.join(mono)}", "make one mosaic of each", n_mono=len(mono)
        )


def _asked(reference: int, back: NDArray[np.int64]) -> int:
    return int(back[reference]) if 0 <= reference < len(back) else reference


def _reordered(found: Photometry, order: list[int], back: NDArray[np.int64]) -> Photometry:
    first = {int(c): min(order[k] for k in np.flatnonzero(found.component == c)) for c in set(found.component.tolist())}
    return Photometry(
        found.gain[back], found.gain_sigma[back], found.sky[back], found.centre[back], found.half_px,
        order[found.reference], np.array([first[int(c)] for c in found.component[back].tolist()], np.int64),
        [found.status[k] for k in back], found.warnings, found.diagnostics,
    )  # fmt: skip


def _solve(stats: list[FrameStats], rules: PhotometryRules, asked: str | int) -> Photometry:
    n, n_channels = len(stats), stats[0].n_channels
    warnings: list[str] = []
    sound = np.array([is_sound(s) for s in stats])
    twins = find_twins(stats)
    gains = _gains(stats, rules, sound, twins, warnings)
    reference, excluded = _reference_and_excluded(stats, asked, gains, sound)
    if excluded.any() and rules.method == "overlap":
        without = solve_gains(stats, rules.gain_prior, rules.match_px, sound & ~excluded, twins)
        gains = gains.but_for(excluded, without, reference)
    gain, gain_sigma = gains.relative(reference)
    gain[~sound] = 1.0
    centre, half_px = np.nan_to_num(np.array([middle(s) for s in stats])), _half(stats)
    ties, at, count = sky_ties(stats)
    used = (sound & ~excluded)[ties.image]
    ties, at, count = ties.only(used), at[used], count[used]
    component = components(n, ties.image, ties.node)
    phi = basis(at[:, 0], at[:, 1], centre[ties.image], half_px, rules.sky_order)
    sky = np.zeros((n, n_channels, phi.shape[1]))
    if rules.method in ("overlap", "offset"):
        same, places = level_ties(twins, n_channels)
        kept = (sound & ~excluded)[same.image]
        same, places = same.only(kept), places[kept]
        terms = basis(places[:, 0], places[:, 1], centre[same.image], half_px, rules.sky_order)
        sky = solve_levels(stats, ties.with_more(same), gain, np.concatenate([phi, terms]), reference, component)
        warnings += tell_apart(stats, ties.image, component, reference)
    status = _status(stats, sound, excluded, gain, warnings)
    report = overlap_report(stats, ties, count, gain, np.einsum("mcb,mb->mc", sky[ties.image], phi))
    diagnostics = {
        "reference": stats[reference].id, "components": len(set(component[sound & ~excluded].tolist())) or 1,
        "stars_used": gains.n_stars, "structure_pairs": gains.n_pairs, "twins": len(twins), "gain_scale": gains.scale,
        "fallbacks": _fallbacks(stats, status, gains), **report,
    }  # fmt: skip
    return Photometry(
        _rounded(gain), gain_sigma, _rounded(sky), centre, half_px, reference, component, status, warnings, diagnostics,
    )  # fmt: skip


def _gains(
    stats: list[FrameStats], rules: PhotometryRules, sound: Flags, twins: list[Twins], warnings: list[str]
) -> Gains:
    if rules.method == "overlap":
        return solve_gains(stats, rules.gain_prior, rules.match_px, sound, twins)
    if rules.method == "median_ratio":
        text = (
            "median_ratio scales by the level of the sky: the fluxes of stars come out wrong by the ratio of the skies"
        )
        log.warning(text)
        warnings.append(text)
        return gains_of_medians(stats)
    return Gains.ones(stats)


def _reference_and_excluded(stats: list[FrameStats], asked: str | int, gains: Gains, sound: Flags) -> tuple[int, Flags]:
    beyond = gains.log - exposure_logs(stats)[:, None]
    typical = np.median(beyond[sound], axis=0) if sound.any() else 0.0
    likely = sound & (np.abs(beyond - typical) <= FARTHEST).all(1)
    reference = choose_reference(stats, asked, np.exp(gains.log), likely if likely.any() else sound)
    far = (np.abs(beyond - beyond[reference]) > FARTHEST).any(1)
    return reference, far & sound if gains.is_measured else np.zeros(len(stats), bool)


def _status(
    stats: Sequence[FrameStats], sound: Flags, excluded: Flags, gain: Doubles, warnings: list[str]
) -> list[str]:
    status = []
    for k, frame in enumerate(stats):
        if excluded[k]:
            values = ", ".join(f"{g:.3g}" for g in gain[k])
            text = f"excluded: gain {values} is more than a factor of 5 from what the exposures say"
            log.warning("%s: %s", frame.id, text)
            warnings.append(f"{frame.id}: {text}")
        elif not sound[k]:
            text = "unlevelled: nothing valid in it; gain 1, offset 0"
            log.warning("%s: %s", frame.id, text)
        else:
            text = "ok"
        status.append(text)
    return status


def _fallbacks(stats: Sequence[FrameStats], status: Sequence[str], gains: Gains) -> list[str]:
    """Frames that were not levelled in the usual way, each with the reason."""
    lines = []
    for frame, text, fallback in zip(stats, status, gains.fallback, strict=True):
        why = fallback if text == "ok" else text
        if why:
            lines.append(f"{frame.id}: {why}")
            log.info("%s", lines[-1])
    return lines


def _half(stats: list[FrameStats]) -> float:
    """Half the side of a typical frame: the surfaces of all frames are held to the same scale."""
    sides = [max(np.ptp(s.sky.u), np.ptp(s.sky.v)) / 2 for s in stats if len(s.sky.u)]
    return max(float(np.round(np.median(sides))), 1.0) if sides else 1.0


def _rounded(values: Doubles) -> Doubles:
    """Ten digits: below that the order of sums in the linear algebra would show."""
    size = np.where(values == 0, 1, np.abs(values))
    unit = 10.0 ** (np.floor(np.log10(size)) - 9)
    return np.round(values / unit) * unit
