"""Sources drawn: what each is, on what orbit, and how it moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import RngOf
from lostlight.science.motion.pixel import PixelMotion
from lostlight.science.motion.table import TableMotion
from lostlight.vocab.movers import NEGATIVES

Floats = NDArray[np.float64]
Rng = np.random.Generator

OPPOSITION = 60754.376, 180.0, 0.0
"""A time (MJD) and the position opposite to the Sun then: where sources are taken to be if nothing tells."""
NEAR = ("trojan", "mba", "nea", "interstellar")
"""Sample types that come too near for the six numbers of distant orbits: they move as two bodies do."""
NUMBERS = (
    "a_au", "ecc", "inc_deg", "node_deg", "peri_deg", "anomaly_deg", "r_helio_au", "delta_au", "elong_deg",
    "phase_deg", "rate_ra_arcsec_h", "rate_dec_arcsec_h", "rate_arcsec_h", "pa_deg", "weight",
)  # fmt: skip
"""What is drawn of each source, by the names of the columns; NaN where it has none."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What was drawn of n sources.

    Parameters
    ----------
    kind : (n,) str
        Sample types.
    subclass : (n,) str
    numbers : mapping of str to (n,) float64
        See `NUMBERS`.
    groups : sequence of (indices, motion)
        How they move: each motion has `at(mjd)`, and is that of the sources with these indices.
    on_sky : bool
        Whether motions give positions on the sky, not pixels.
    """

    kind: NDArray[np.str_]
    subclass: NDArray[np.str_]
    numbers: Mapping[str, Floats]
    groups: Sequence[tuple[NDArray[np.int64], Any]]
    on_sky: bool

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def label(self) -> NDArray[np.int64]:
        """1 for sources, 0 for artefacts."""
        return np.where(np.isin(self.kind, NEGATIVES), 0, 1)

    def at(self, mjd: ArrayLike) -> tuple[Floats, Floats]:
        """Give where all sources are, (n, *S) for times of shape S: sky in degrees, or pixels; see `on_sky`."""
        times = np.asarray(mjd, np.float64)
        first, second = np.empty((len(self), *times.shape)), np.empty((len(self), *times.shape))
        for which, motion in self.groups:
            first[which], second[which] = motion.at(times)
        return first, second


@dataclass(frozen=True, eq=False)
class Some:
    """Some of the sources of a motion, those where `which` is true."""

    motion: Any
    which: NDArray[np.bool_]

    def at(self, mjd: ArrayLike) -> tuple[Floats, Floats]:
        """Say where they are; see `Sources.at`."""
        first, second = self.motion.at(mjd)
        return first[self.which], second[self.which]


def sample_types(classes: Mapping[str, float], n: int, rng: Rng) -> NDArray[np.str_]:
    """Draw what each of `n` sources is; the order in which classes are written does not matter."""
    names = sorted(classes)
    shares = np.array([classes[name] for name in names], float)
    return np.asarray(names)[rng.choice(len(names), n, p=shares / shares.sum())]


def draw_sources(
    kind: NDArray[np.str_],
    rules: InjectionRules,
    rng_of: RngOf,
    mjd_ref: float,
    place: tuple[Floats, Floats],
    on_sky: bool,
) -> Sources:
    """Draw orbits and motions of sources that are at given places at a time.

    Parameters
    ----------
    kind : (n,) str
        Sample types.
    rules : InjectionRules
    rng_of : callable
    mjd_ref : float
        MJD, UTC.
    place : ((n,), (n,)) float64
        Right ascension and declination in degrees, or pixels; see `on_sky`.
    on_sky : bool
        Without a sky, orbits are those seen opposite to the Sun, east is along x and south along y.
    """
    from lostlight.science.population.classes import with_rates
    from lostlight.science.population.draw import draw
    from lostlight.science.population.motions import motion_of

    numbers = {name: np.full(len(kind), np.nan) for name in NUMBERS}
    numbers["weight"][:] = 1
    subclass = np.full(len(kind), "", "U32")
    groups: list[tuple[NDArray[np.int64], Any]] = []
    classes = with_rates(rules.rates)
    for name in np.unique(kind):
        which = np.flatnonzero(kind == name)
        mjd, ra, dec = (mjd_ref, place[0][which], place[1][which]) if on_sky else OPPOSITION
        drawn = draw(
            str(name), which.size, rng_of(f"prior:{name}"), mjd=mjd, ra_deg=ra, dec_deg=dec, observer=rules.observer,
            classes=classes,
        )  # fmt: skip
        for column in NUMBERS:
            numbers[column][which] = getattr(drawn, column)
        subclass[which] = drawn.subclass
        if on_sky:
            model = "kepler" if rules.motion == "abg" and name in NEAR else rules.motion
            groups.append((which, motion_of(drawn, model, mjd, ra, dec, rules.observer)))
        else:
            speed = 24 / rules.plate_scale
            vx, vy = drawn.rate_ra_arcsec_h * speed, -drawn.rate_dec_arcsec_h * speed
            groups.append((which, PixelMotion(place[0][which], place[1][which], mjd_ref, vx, vy)))
    return Sources(kind, subclass, numbers, groups, on_sky)


def joined(first: Sources, second: Sources, instead: NDArray[np.int64]) -> Sources:
    """Put the sources of `second` in place of those of `first` with the indices `instead`."""
    kind, subclass = first.kind.copy(), first.subclass.copy()
    kind[instead], subclass[instead] = second.kind, second.subclass
    numbers = {name: values.copy() for name, values in first.numbers.items()}
    for name, values in second.numbers.items():
        numbers[name][instead] = values
    groups = []
    for which, motion in first.groups:
        stays = ~np.isin(which, instead)
        if stays.any():
            groups.append((which[stays], Some(motion, stays)))
    groups += [(instead[which], motion) for which, motion in second.groups]
    return Sources(kind, subclass, numbers, groups, first.on_sky)


def tabled(motion: TableMotion, kind: str) -> Sources:
    """Make sources of the bodies of a table of positions; their names become the subclass.

    Parameters
    ----------
    motion : TableMotion
        Of n bodies.
    kind : str
        Sample type of all.
    """
    n = len(motion.mjd)
    names = motion.names or [""] * n
    numbers = {name: np.full(n, np.nan) for name in NUMBERS}
    numbers["weight"][:] = 1
    return Sources(np.full(n, kind), np.asarray(names, np.str_), numbers, [(np.arange(n), motion)], True)
