"""The further questions of the strict set: shares, brightness, distances and directions of each class, exactness."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest

from lostlight.science.motion.geometry import EARTH_RATE_ARCSEC_H
from lostlight.science.population.check import Check, Declared, about, phi_check, phi_limit, within
from lostlight.science.population.classes import MAIN
from lostlight.science.population.draw import Draws, members
from lostlight.science.population.laws import Law, cumulative
from lostlight.science.population.legacy import LEGACY

FloatArray = NDArray[np.float64]

MAX_SECONDS = 0.5
"""Processor time of 10 000 draws."""

_LEAST_P = 1e-3
_CIRCULAR, _PART_CIRCULAR = 0.15, 0.99
_ORBITS = ("a_au", "ecc", "inc_deg", "r_helio_au", "delta_au")
_SEEN = ("elong_deg", "rate_ra_arcsec_h", "rate_dec_arcsec_h", "weight")


def strict_checks(
    draws: Draws, told: Declared, brightness: FloatArray, law: Law, seconds: float, golden: str | None
) -> list[Check]:
    """Ask the questions of the strict set.

    Parameters
    ----------
    draws : Draws
    told : Declared
    brightness : ndarray, (n,)
        Numbers drawn for the brightness.
    law : Law
        What they should be distributed as.
    seconds : float
        Processor time of the draw.
    golden : str or None
        `fingerprint` that the draws should have; None where none is on record.
    """
    allowed = MAX_SECONDS * max(len(draws) / 1e4, 1)
    return [
        _shares(draws),
        _brightness(brightness, law),
        *_distances(draws, told),
        phi_check("phi_bound", draws, told, *phi_limit(told)),
        *_rate_law(draws, told),
        _finite(draws),
        _golden(draws, golden),
        Check("seconds", seconds <= allowed, seconds, f"<= {allowed:g} s", "processor time of the draw"),
    ]


def fingerprint(draws: Draws) -> str:
    """Give the SHA-256 of what was drawn, to four decimals: the same on all processors."""
    digest = hashlib.sha256("\n".join(draws.subclass).encode())
    for name in (*_ORBITS, *_SEEN):
        # adding zero turns -0 into 0
        digest.update((np.round(getattr(draws, name), 4) + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def _shares(draws: Draws) -> Check:
    names, shares = members(draws.sample_type)
    counts = np.array([np.count_nonzero(draws.subclass == name) for name in names])
    wanted = np.asarray(shares) / np.sum(shares) * len(draws)
    p = 0.0 if counts.sum() != len(draws) else float(chisquare(counts, wanted).pvalue) if len(names) > 1 else 1.0
    return Check("class_counts", p > _LEAST_P, p, f"p > {_LEAST_P:g}", "chi squared against the declared shares")


def _brightness(brightness: FloatArray, law: Law) -> Check:
    p = float(kstest(brightness, lambda values: cumulative(law, values)).pvalue)
    return Check("brightness", p > _LEAST_P, p, f"p > {_LEAST_P:g}", "Kolmogorov and Smirnov against the declared law")


def _distances(draws: Draws, told: Declared) -> list[Check]:
    checks = []
    for name, part in told.expected.items():
        r = draws.r_helio_au[draws.subclass == name]
        if part and r.size:
            low, high, why = about(r, part.r_au)
            checks.append(within(f"R_mean_{name}", r, low, high, "au", why))
    return checks


def _rate_law(draws: Draws, told: Declared) -> list[Check]:
    main = np.isin(draws.subclass, MAIN)
    if not (main.any() and told.has_windows):
        return []
    r = draws.r_helio_au[main]
    ratio = draws.rate_arcsec_h[main] * (r + np.sqrt(r)) / EARTH_RATE_ARCSEC_H
    part = float(np.mean(np.abs(ratio - 1) <= _CIRCULAR))
    why = "part of the main Kuiper belt within 15 % of the rates of circular orbits"
    return [Check("rate_law", part >= _PART_CIRCULAR, part, f">= {_PART_CIRCULAR:g}", why)]


def _finite(draws: Draws) -> Check:
    names = _SEEN if np.isnan(draws.a_au).all() else (*_ORBITS, *_SEEN)
    columns: Mapping[str, NDArray[np.generic]] = draws.columns()
    if draws.sample_type == LEGACY:
        names = ("r_helio_au", *_SEEN)
    bad = int(np.count_nonzero(~np.all([np.isfinite(columns[name]) for name in names], axis=0)))
    return Check("finite", bad == 0, bad, "0 draws", "draws with a number that is none")


def _golden(draws: Draws, golden: str | None) -> Check:
    found = fingerprint(draws)
    if golden is None:
        return Check("golden", True, None, "any", f"SHA-256 {found[:16]}…; none is on record for these arguments")
    return Check("golden", found == golden, None, f"{golden[:16]}…", f"SHA-256 {found[:16]}…, to four decimals")
