"""Frames laid over each other by their stars: all at once by ours, each on its neighbour by astroalign."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import astroalign
import numpy as np

from benches.measure import Row, cost
from lostlight.science.mosaic.register.register import register
from lostlight.science.mosaic.register.star_match import StarList

SHAPE = (2000, 2000)


def rows(folder: Path, full: bool) -> Iterator[Row]:
    n_frames = 100 if full else 20
    lists = _lists(n_frames)
    shapes = dict.fromkeys(lists, SHAPE)
    with cost() as ours:
        found = register(lists, shapes)
    if len(found.transforms) != n_frames:
        raise SystemExit(f"only {len(found.transforms)} of {n_frames} frames were registered")
    points = [np.column_stack([stars.x, stars.y]) for stars in lists.values()]
    with cost() as theirs:
        for first, second in pairwise(points):
            astroalign.find_transform(first, second)
    yield Row(
        f"register {n_frames} frames of 220 stars, peer astroalign",
        ours.cpu_s,
        theirs.cpu_s,
        "CPU s",
    )


def _lists(n: int) -> dict[str, StarList]:
    """Stars of a sky that drifts by 10 px a frame and turns; positions to 0.1 px, fluxes to a tenth."""
    rng = np.random.default_rng(11)
    sky, flux = rng.uniform(-3000, 3000, (2, 2000)), 100 * rng.pareto(1.2, 2000) + 10
    lists = {}
    for k in range(n):
        cos, sin = np.cos(np.radians(0.1 * k)), np.sin(np.radians(0.1 * k))
        x, y = np.array([[cos, sin], [-sin, cos]]) @ (sky - [[10 * k - 5 * n], [0]]) + 1000
        seen = (x > 0) & (x < 2000) & (y > 0) & (y < 2000)
        error = rng.normal(0, 0.1, (2, seen.sum()))
        bright = flux[seen] * rng.lognormal(0, 0.1, seen.sum())
        order = np.argsort(-bright)
        lists[f"{k:03d}"] = StarList((x[seen] + error[0])[order], (y[seen] + error[1])[order], bright[order])
    return lists
