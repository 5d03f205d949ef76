"""Draws from populations, put where they are to be seen: all at once, and beside it one call for each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.measure import Row, cost
from lostlight.science.population.draw import draw
from lostlight.science.population.sanity import MJD, population_report

DRAWS, REPEATS, ONE_BY_ONE = 10_000, 5, 200
KINDS = ("tno", "mba", "nea", "interstellar")


def rows(folder: Path, full: bool) -> Iterator[Row]:
    drawn("tno", 1)
    for kind in KINDS:
        with cost() as naive:
            for _ in range(ONE_BY_ONE):
                drawn(kind, 1)
        peer = naive.cpu_s / ONE_BY_ONE * DRAWS
        yield Row(f"P12 draw {DRAWS:,} of {kind}, peer a call for each", best(kind), peer, "CPU s", "<= 0.5")
    with cost() as report:
        population_report(n=DRAWS, strict=True)
    yield Row(f"P12 report on {DRAWS:,} draws, strict", report.cpu_s, unit="CPU s")


def best(kind: str) -> float:
    spent = []
    for _ in range(REPEATS):
        with cost() as run:
            drawn(kind, DRAWS)
        spent.append(run.cpu_s)
    return min(spent)


def drawn(kind: str, n: int) -> None:
    draw(kind, n, np.random.default_rng(1), mjd=MJD, ra_deg=180.0, dec_deg=1.0, observer="W84")
