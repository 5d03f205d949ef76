"""Positions of moving bodies: orbits of six numbers and of two bodies, and their pixels through a distorted WCS."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from astropy.wcs import WCS

from benches.measure import Row, cost
from lostlight.science.motion.abg import AbgMotion
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.project import project, to_sky

BODIES, EPOCHS, REPEATS = 100_000, 20, 5
SITE, START = "W84", 57130.0
ONE_BY_ONE = 300
"""Sources of the naive way, a call for each."""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    low, high = [30, 0, 0, 0, 0, 0], [50, 0.3, 40, 360, 360, 360]
    elements = rng.uniform(low, high, (BODIES, 6)).T
    mjd = START + np.arange(EPOCHS) / 3
    made = AbgMotion.from_elements(*elements, START, SITE)
    what = f"{BODIES:.0e} bodies x {EPOCHS} epochs"
    yield Row(f"P12 abg, {what}", best(lambda: made.at(mjd)), unit="CPU s", bar="<= 2")
    yield Row("P12 abg, from elements", best(lambda: AbgMotion.from_elements(*elements, START, SITE)), unit="CPU s")
    yield Row(f"P12 kepler, {what}", best(lambda: KeplerMotion(*elements, START, SITE).at(mjd)), unit="CPU s")
    yield from _pixels(rng)


def _pixels(rng: np.random.Generator) -> Iterator[Row]:
    wcs = _distorted()
    x, y = rng.uniform(0, 2000, (2, BODIES))
    ra, dec = to_sky(wcs, x, y)
    ours = best(lambda: project([wcs], ra[:, None], dec[:, None])) / BODIES
    few = range(ONE_BY_ONE)
    peer = best(lambda: [wcs.all_world2pix(ra[k], dec[k], 0) for k in few]) / ONE_BY_ONE
    yield Row("P12 sky to pixels, TAN-SIP, peer a call for each", ours * 1e6, peer * 1e6, "us")


def _distorted() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN-SIP", "DEC--TAN-SIP"], [200.6, -7.8], [1000, 1000]
    wcs.wcs.cd = [[0, 7.3e-5], [-7.3e-5, 0]]
    header = wcs.to_header(relax=True)
    header.update(A_ORDER=2, B_ORDER=2, A_2_0=3e-6, B_0_2=4e-6)
    return WCS(header)


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        with cost() as used:
            work()
        seconds.append(used.cpu_s)
    return min(seconds)
