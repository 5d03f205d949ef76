"""The five questions asked of any drawn population: fastest, mean rate, direction, mean distance, clipping."""

import numpy as np

from lostlight.science.population.check import KBO, Check, Declared, about, phi_check, phi_limit, within
from lostlight.science.population.classes import MAIN
from lostlight.science.population.draw import Draws
from lostlight.science.population.motions import motion_of
from lostlight.science.sky.separation import TangentPlane

KBO_FASTEST_ARCSEC_H, KBO_RATE_ARCSEC_H, KBO_DISTANCE_AU, KBO_PHI_DEG = 4.5, (2.5, 3.5), (40.0, 46.0), 35.0
"""Windows of trans-Neptunian objects; those of rate and direction hold near opposition."""

_HEADROOM = 1.05
_MAX_CLIPPED = 0.05


def prior_checks(draws: Draws, told: Declared) -> list[Check]:
    """Ask the five questions.

    Parameters
    ----------
    draws : Draws
        Of the sample type that is declared, where it is declared.
    told : Declared

    Returns
    -------
    list of Check
        ``mu_max``, ``mu_mean``, ``phi_p95``, ``R_mean``, ``clipping``.
    """
    return [ask(draws, told) for ask in (_fastest, _mean_rate, _direction, _mean_distance, _clipping)]


def _fastest(draws: Draws, told: Declared) -> Check:
    limit = _HEADROOM * max(part.rate_max_arcsec_h if part else np.inf for part in told.expected.values())
    why = "5 % above the fastest of a lattice of orbits" if np.isfinite(limit) else "nothing is declared that limits it"
    if told.mode == KBO and not np.isfinite(limit):
        limit, why = KBO_FASTEST_ARCSEC_H, "no trans-Neptunian object is faster"
    elif told.has_windows:
        limit, why = max(limit, KBO_FASTEST_ARCSEC_H), f"{why}, and not less than {KBO_FASTEST_ARCSEC_H}"
    fastest = float(np.max(draws.rate_arcsec_h))
    return Check("mu_max", fastest <= limit, fastest, f"<= {limit:.3f} arcsec/h", why)


def _mean_rate(draws: Draws, told: Declared) -> Check:
    low, high, why = about(draws.rate_arcsec_h, told.mean("rate_arcsec_h"))
    if told.has_windows:
        low, high = max(low, KBO_RATE_ARCSEC_H[0]), min(high, KBO_RATE_ARCSEC_H[1])
        why += "; 2.5 to 3.5 at opposition"
    return within("mu_mean", draws.rate_arcsec_h, low, high, "arcsec/h", why)


def _direction(draws: Draws, told: Declared) -> Check:
    if told.has_windows:
        return phi_check("phi_p95", draws, told, KBO_PHI_DEG, "at opposition all move west along the ecliptic")
    return phi_check("phi_p95", draws, told, *phi_limit(told))


def _mean_distance(draws: Draws, told: Declared) -> Check:
    r = draws.r_helio_au
    if not np.isfinite(r).any():
        return Check("R_mean", True, None, "any", "no distances are drawn")
    if told.mode != KBO:
        low, high, why = about(r, told.mean("r_au"))
        return within("R_mean", r, low, high, "au", why)
    main = np.isin(draws.subclass, MAIN)
    which = "the main Kuiper belt" if main.any() else "all"
    return within("R_mean", r[main] if main.any() else r, *KBO_DISTANCE_AU, "au", f"{which}, in mode kbo")


def _clipping(draws: Draws, told: Declared) -> Check:
    frames = told.frames
    days = np.linspace(-0.5, 0.5, frames.n) * frames.arc_h / 24
    motion = motion_of(draws, "abg", told.mjd, told.ra_deg, told.dec_deg, told.observer)
    offsets = TangentPlane(told.ra_deg, told.dec_deg).project(*motion.at(told.mjd + days))
    half = frames.patch_px / 2 * frames.pixel_arcsec
    inside = np.all([np.abs(offset) <= half for offset in offsets], axis=0)
    lost = float(np.mean(np.sum(inside, axis=1) < np.ceil(frames.min_epochs * frames.n - 1e-9)))
    why = (
        f"part of the paths that leave {frames.patch_px} px of {frames.pixel_arcsec:g} arcsec before"
        f" {frames.min_epochs:.0%} of {frames.n} images in {frames.arc_h:g} h"
    )
    return Check("clipping", lost <= _MAX_CLIPPED, lost, f"<= {_MAX_CLIPPED:g}", why)
