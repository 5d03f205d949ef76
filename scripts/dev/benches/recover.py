"""The search around a planted source: its light as evidence, a window searched, all that tells why it was missed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.measure import Row, cost
from benches.triad import bandwidth
from lostlight.science.inject.mixture import gaussian
from lostlight.science.inject.render import stamps
from lostlight.science.recover.curves import fit_all, logistic
from lostlight.science.recover.forced import correlations
from lostlight.science.recover.light import Light, core, evidence, planted
from lostlight.science.recover.local import Ground, recover_planted, search_around
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.rules import SearchRules
from lostlight.science.search.survivors import CandidateRules
from lostlight.science.search.velocities import velocity_grid

IMAGES, SHAPE, MOTIONS = 20, (400, 431), 200
FWHM, ARC_DAYS, THRESHOLD = 2.5, 0.4, 6.5
SOURCES, REPEATS = 60, 5
PSF = gaussian(FWHM)
WEIGHT = np.ones((IMAGES, *SHAPE), np.float32)


def rows(folder: Path, full: bool) -> Iterator[Row]:
    yield from bandwidth()
    ground, sources = noise(), drawn()
    lit = [light(*source) for source in sources]
    made = best(lambda: [light(*source) for source in sources])

    def again() -> None:
        for (x, y, _), one in zip(sources, lit, strict=True):
            with planted(ground.psi, ground.phi, one):
                search_around(ground, float(x.mean()), float(y.mean()))

    searched = best(again)
    yield Row("P9 recover a source of 20 images, 200 motions", made + searched, unit="CPU ms", bar="<= 5")
    yield Row("P9 its light as evidence", made, unit="CPU ms")
    told = best(lambda: [recover_planted(ground, one, *path[:2]) for path, one in zip(sources, lit, strict=True)])
    yield Row("P9 searched, refined, vetted, and why if missed", told, unit="CPU ms")
    rng = np.random.default_rng(2)
    mag = rng.uniform(22, 26, 2000)
    is_found = rng.random(2000) < logistic(mag, 0.95, 24.2, 0.2)
    with cost() as spent:
        fit_all(mag, is_found)
    yield Row("P9 three curves of 2000 sources, 100 bootstraps", spent.cpu_s, unit="CPU s")


def noise() -> Ground:
    """Make a stack of white noise, as evidence."""
    rng = np.random.default_rng(0)
    both = [psi_phi(rng.standard_normal(SHAPE), 1.0, None, PSF) for _ in range(IMAGES)]
    psi, phi = (np.stack([each[k] for each in both]) for k in (0, 1))
    days = np.linspace(0, ARC_DAYS, IMAGES)
    lags = np.stack([correlations(PSF.kernel())] * IMAGES)
    v = velocity_grid(0, 2.1, ARC_DAYS, FWHM)[:MOTIONS]
    rules = CandidateRules(THRESHOLD, FWHM, IMAGES // 2)
    return Ground(psi, phi, days, v, SearchRules(IMAGES // 2), rules, PSF.kernel(), lags)


def drawn() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Draw paths, and signal to noise from 2 to 15."""
    rng, since = np.random.default_rng(1), np.linspace(-0.5, 0.5, IMAGES) * ARC_DAYS
    places = rng.uniform(90, SHAPE[0] - 90, (SOURCES, 2))
    motions = rng.uniform(-30, 30, (SOURCES, 2))
    return [
        (place[0] + motion[0] * since, place[1] + motion[1] * since, float(rng.uniform(2, 15)))
        for place, motion in zip(places, motions, strict=True)
    ]


def light(x: np.ndarray, y: np.ndarray, rho: float) -> Light:
    """Render a source and turn it into evidence."""
    flux = np.full((IMAGES, 1), rho * np.sqrt(PSF.n_eff / IMAGES))
    return evidence(*stamps(PSF, x[:, None], y[:, None], flux), WEIGHT, [core(PSF.kernel())] * IMAGES)


def best(work) -> float:
    """Give the CPU milliseconds of a source: the best of some runs, compiled before."""
    work()
    spent = []
    for _ in range(REPEATS):
        with cost() as one:
            work()
        spent.append(one.cpu_s)
    return min(spent) / SOURCES * 1e3
