"""Nearest catalogue row of every detection: ours, astropy and STILTS on the same random sky, splits compared."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord, match_coordinates_sky

from benches.measure import Row, cost
from lostlight.io import stilts, tools
from lostlight.science.match.nearest import Sky

RADIUS_ARCSEC = 5.0


def rows(folder: Path, full: bool) -> Iterator[Row]:
    sizes = [(3_000, 30_000), (300_000, 300_000)] if full else [(3_000, 30_000)]
    for n_detections, n_catalogue in sizes:
        rng = np.random.default_rng(7)
        side = 1.0 if n_detections < 10_000 else 10.0
        catalogue = _patch(rng, n_catalogue, side)
        detections = _patch(rng, n_detections, side)
        title = f"match {n_detections:,} with {n_catalogue:,}"
        with cost() as ours:
            index, _ = Sky(*catalogue).nearest(*detections, RADIUS_ARCSEC)
        with cost() as astropy:
            _, separation, _ = match_coordinates_sky(_coord(detections), _coord(catalogue))
        _agree(int((index >= 0).sum()), int((separation.arcsec <= RADIUS_ARCSEC).sum()), "astropy")
        yield Row(f"{title}, peer astropy", ours.cpu_s, astropy.cpu_s, "CPU s")
        if tools.find("stilts"):
            with cost() as program:
                [(other, _)] = stilts.match_groups([stilts.Group(*detections, *catalogue, RADIUS_ARCSEC)], 600)
            _agree(int((index >= 0).sum()), int((other >= 0).sum()), "STILTS")
            yield Row(f"{title}, peer STILTS", ours.cpu_s, program.cpu_s, "CPU s")


def _patch(rng: np.random.Generator, n: int, side_deg: float) -> tuple[np.ndarray, np.ndarray]:
    return 150 + side_deg * rng.random(n), 20 + side_deg * rng.random(n)


def _coord(positions: tuple[np.ndarray, np.ndarray]) -> SkyCoord:
    return SkyCoord(*positions, unit="deg")


def _agree(ours: int, theirs: int, peer: str) -> None:
    if ours != theirs:
        raise SystemExit(f"the match disagrees with {peer}: {ours} against {theirs} pairs")
