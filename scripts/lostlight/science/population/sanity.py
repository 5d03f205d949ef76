"""Whether what is drawn from a population is what was declared: a report for people and programs."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.motion.earth import GEOCENTRE
from lostlight.science.population.check import KBO, Check, Declared, Frames
from lostlight.science.population.classes import CLASSES, TNO, Class
from lostlight.science.population.draw import Draws, draw
from lostlight.science.population.laws import Flat
from lostlight.science.population.legacy import LEGACY, SNR
from lostlight.science.population.prior_checks import prior_checks
from lostlight.science.population.sight import along_ecliptic
from lostlight.science.population.strict_checks import fingerprint, strict_checks
from lostlight.vocab.movers import MOVING

FloatArray = NDArray[np.float64]

SCHEMA = "sanity/1"
MJD = 60754.376
"""Of a report that is told no time: the Earth is then near its mean distance from the Sun."""
STACK_SNR = Flat(2, 15)
MODES = ("auto", KBO, "general")
GOLDEN: Mapping[tuple[str, int, int], str] = {
    ("tno", 10_000, 0): "715930ef5d6332822a9d4fb5055ae9000fe211d9c2f5c983eecc4930fd86de60",
    ("tno", 10_000, 20260101): "74c077e13ed69c5991b046d1f93b3f84014fb152780470fc086d0bbf396df2b2",
    ("tno:legacy", 10_000, 0): "dc308df7d3767f9fde9d50e12e8eeb702f5eb80e00ad3ca7a86c35e8b9395640",
}
"""Fingerprints on record: of a sample type, a number of draws and a seed, at opposition at `MJD`."""
_BINS = 40


@dataclass(frozen=True, eq=False)
class Report:
    """What was asked of a population, and what the answers are.

    Parameters
    ----------
    declared : Declared
    n, seed : int
    checks : list of Check
        The five, and those of the strict set where they were asked for.
    sha256 : str
        Of what was drawn, to four decimals.
    seconds : float
        Processor time of the draw.
    histograms : mapping
        By name: edges, counts and unit; counts by name for classes.
    """

    declared: Declared
    n: int
    seed: int
    checks: list[Check]
    sha256: str
    seconds: float
    histograms: Mapping[str, Any]

    @property
    def is_passed(self) -> bool:
        """Whether all checks are."""
        return all(check.is_passed for check in self.checks)

    def lines(self) -> list[str]:
        """Say it in words: one line for each check, and one for all."""
        told = self.declared
        where = (
            f"{self.n} draws of {told.priors}, mode {told.mode}, elongation {told.elong_deg:.1f} deg, seed {self.seed}"
        )
        asked = [
            f"{_word(check)}  {check.name:<22} {_number(check.measured):>10}  {check.allowed:<30} {check.why}"
            for check in self.checks
        ]
        failed = [check.name for check in self.checks if not check.is_passed]
        return [where, *asked, f"failed: {', '.join(failed)}" if failed else f"all {len(self.checks)} checks pass"]

    def record(self) -> dict[str, Any]:
        """Give it in plain JSON values."""
        told = self.declared
        return {
            "schema": SCHEMA,
            "priors": told.priors,
            "mode": told.mode,
            "n": self.n,
            "seed": self.seed,
            "mjd": told.mjd,
            "ra_deg": told.ra_deg,
            "dec_deg": told.dec_deg,
            "elong_deg": told.elong_deg,
            "observer": told.observer,
            "frames": asdict(told.frames),
            "is_passed": self.is_passed,
            "checks": [check.record() for check in self.checks],
            "sha256": self.sha256,
            "seconds": self.seconds,
            "numpy": np.__version__,
            "histograms": dict(self.histograms),
        }


def population_report(
    priors: str = "tno",
    mode: str = "auto",
    n: int = 10_000,
    seed: int = 0,
    *,
    strict: bool = False,
    elongation_deg: float = 180.0,
    mjd: float = MJD,
    pointing: tuple[float, float] | None = None,
    observer: str = GEOCENTRE,
    frames: Frames | None = None,
    classes: Mapping[str, Class] = CLASSES,
) -> Report:
    """Draw from a population, and check what comes.

    Parameters
    ----------
    priors : str
        Sample type of moving sources.
    mode : {"auto", "kbo", "general"}
        With the windows of trans-Neptunian objects, or by celestial mechanics alone; auto goes by the sample type.
    n, seed : int
        How many draws, and of which stream.
    strict : bool
        Ask the questions of the strict set too.
    elongation_deg : float
        Of a point on the ecliptic, to the east of the Sun; not used where `pointing` is given.
    mjd : float
        UTC.
    pointing : (float, float) or None
        Right ascension and declination, degrees.
    observer : str
        As for `lostlight.science.motion.earth.observer_position`.
    frames : Frames or None
        Images on which the paths are followed; None takes five in four hours.
    classes : mapping
        Populations by name.

    Raises
    ------
    ConfigError
        If there is no such sample type or mode, or nothing to draw.
    """
    _ask(priors, mode, n)
    ra, dec = pointing or along_ecliptic(mjd, elongation_deg, observer)
    told = Declared(priors, _mode(priors, mode), mjd, ra, dec, observer, classes, frames or Frames())
    rng, rng_brightness = np.random.default_rng(seed).spawn(2)
    law = SNR if priors == LEGACY else STACK_SNR
    _draw(told, 1, np.random.default_rng(0))  # tables of the Earth are read once
    before = time.process_time()
    draws = _draw(told, n, rng)
    brightness = law.at(rng_brightness.random(n))
    seconds = time.process_time() - before
    checks = prior_checks(draws, told)
    if strict:
        is_plain = (mjd, elongation_deg, pointing, observer) == (MJD, 180.0, None, GEOCENTRE) and classes is CLASSES
        golden = GOLDEN.get((priors, n, seed)) if is_plain else None
        checks += strict_checks(draws, told, brightness, law, seconds, golden)
    return Report(told, n, seed, checks, fingerprint(draws), seconds, histograms(draws, told, brightness))


def histograms(draws: Draws, told: Declared, brightness: FloatArray) -> dict[str, Any]:
    """Count what was drawn, for pictures: rates, directions, distances, brightness, classes; plain JSON values."""
    names, counts = np.unique(draws.subclass, return_counts=True)
    columns = {
        "mu": (draws.rate_arcsec_h, "arcsec/h"),
        "phi": (told.angle_from_west(draws), "deg"),
        "R": (draws.r_helio_au, "au"),
        "brightness": (brightness, "signal to noise"),
    }
    counted = {name: _histogram(values, unit) for name, (values, unit) in columns.items()}
    return counted | {"class": dict(zip(names.tolist(), counts.tolist(), strict=True))}


def _word(check: Check) -> str:
    return "PASS" if check.is_passed else "FAIL"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _histogram(values: FloatArray, unit: str) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    # a few bodies far away shall not squeeze all others into one bar
    ends = (float(np.min(known)), float(np.percentile(known, 99.5))) if known.size else (0.0, 1.0)
    counts, edges = np.histogram(known, _BINS, ends)
    above = int(np.count_nonzero(known > edges[-1]))
    return {"edges": edges.tolist(), "counts": counts.tolist(), "above": above, "unit": unit}


def _draw(told: Declared, n: int, rng: np.random.Generator) -> Draws:
    return draw(
        told.priors, n, rng, mjd=told.mjd, ra_deg=told.ra_deg, dec_deg=told.dec_deg, observer=told.observer,
        classes=told.classes,
    )  # fmt: skip


def _mode(priors: str, mode: str) -> str:
    if mode != "auto":
        return mode
    return KBO if priors in ("tno", "kbo", LEGACY) else "general"


def _ask(priors: str, mode: str, n: int) -> None:
    known = (*MOVING, *TNO, "kbo", LEGACY)
    if priors not in known:
        raise ConfigError(
            f"priors: {priors!r} is no moving sample type", f"choose from {', '.join(known)}", priors=priors
        )
    if mode not in MODES:
        raise ConfigError(f"mode: {mode!r} is none", f"choose from {', '.join(MODES)}", mode=mode)
    if n < 100:
        raise ConfigError(f"n: {n} draws are too few to check", "give 100 or more", n=n)
