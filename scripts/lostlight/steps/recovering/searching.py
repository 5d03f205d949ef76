"""The search of a stack, or of a band of it: the images as they are, or so that they can show nothing real."""

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.params import RecoverParams
from lostlight.core.step import Outputs, Result, Unit, seed_of
from lostlight.io import arrays, tables
from lostlight.science.motion.flat import is_flat
from lostlight.science.recover.cutouts import cutouts
from lostlight.science.search import nulls
from lostlight.science.search.candidates import candidates
from lostlight.science.search.rules import Peaks, Window
from lostlight.science.search.search import margin_of
from lostlight.science.search.survivors import Survivors, survivors
from lostlight.science.search.velocities import shift_tables
from lostlight.steps.recovering import evidence
from lostlight.steps.recovering import ground as grounds
from lostlight.steps.recovering.bench import Bench
from lostlight.steps.recovering.evidence import Evidence, Plates
from lostlight.steps.recovering.ground import Ground
from lostlight.vocab.movers import MOVERS

SHOWN = 24
"""Candidates that are cut out of the images."""
AS_IT_IS, NEGATIVE, SHUFFLED = "", "negative", "shuffled"
BACKEND = "BACKEND"
"""Keyword of the table of a band: what searched it."""


def search(unit: Unit, params: RecoverParams, out: Outputs) -> Result:
    """Search one band of a stack."""
    ground, bench = grounds.opened(unit["stack"], params), Bench(unit.lent)
    made = Plates(ground, out["movers"].parent).gathered()
    kind = str(unit.facts.get("null", AS_IT_IS))
    found = band(
        ground,
        made,
        evidence.capped(ground, made, out["movers"].parent),
        kind,
        (int(unit.facts["band"]), int(unit.facts["n_bands"])),
        bench,
    )
    tables.write(found, out["movers"], MOVERS, {BACKEND: " ".join(bench.used)})
    out.sizes["movers"] = [len(found)]
    if not kind:
        arrays.write(out["cutouts"], _cutouts(ground, found))
    kept = int(np.count_nonzero(~np.asarray(found["is_vetted_out"], bool)))
    return Result({"n_candidates": len(found), "n_kept": kept, **told(ground)}, warnings=bench.warnings)


def band(
    ground: Ground, made: Evidence, capped: NDArray[np.float32], kind: str, part: tuple[int, int], bench: Bench
) -> Table:
    """Search the paths that start in one of several bands of rows; what they find there are candidates."""
    days, psi, searched = turned(ground, made.psi, capped, kind)
    dx, dy = shift_tables(ground.velocities, days)
    window = rows_of(ground, dx, dy, part)
    peaks = bench.search(searched, made.phi, dx, dy, ground.search_rules, window)
    found = survivors(psi, made.phi, days, ground.velocities, peaks, ground.rules)
    return listed(ground, Evidence(psi, made.phi), days, peaks, found)


def _cutouts(ground: Ground, found: Table) -> dict[str, NDArray[np.float32]]:
    """Cut the best candidates out of the images, by where they are."""
    days = ground.epochs.days

    def image_of(number: int) -> NDArray[np.float32]:
        return evidence.science(ground, number) - evidence.sky(ground, number)

    known = {}
    for row in found[:SHOWN]:
        x = row["x_px"] - ground.grid.x0 + row["vx_px_day"] * days
        y = row["y_px"] - ground.grid.y0 + row["vy_px_day"] * days
        known[place_of(row)] = cutouts(image_of, ground.grid, ground.epochs.wcs, ground.epochs.sigma_adu, x, y)
    return known


def place_of(row: Table.Row) -> str:
    """Name a candidate by where it is and how it moves, which numbers of bands do not."""
    return ",".join(f"{row[name]:.4f}" for name in ("x_px", "y_px", "vx_px_day", "vy_px_day"))


def listed(ground: Ground, made: Evidence, days: NDArray[np.float64], peaks: Peaks, found: Survivors) -> Table:
    """List the candidates among the best paths."""
    epochs = ground.epochs
    sky = None if is_flat(epochs.wcs[0]) else epochs.wcs[0]
    return candidates(
        made.psi, made.phi, days, ground.velocities, peaks, ground.rules, ground.profile, found=found,
        stack_id=str(ground.store.attributes["id"]), origin=(ground.grid.x0, ground.grid.y0), wcs=sky,
        mjd_first=float(epochs.mjd_mid[0]), zero_mag=float(epochs.zero_mag[0]),
    )  # fmt: skip


def turned(
    ground: Ground, psi: NDArray[np.float32], capped: NDArray[np.float32], kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """Give times and psi, as it is and capped, of the search as it is, or of one that can find nothing real."""
    if kind == NEGATIVE:
        return ground.epochs.days, nulls.Negative(psi), nulls.Negative(capped)
    if kind == SHUFFLED:
        # the same order for all bands
        seed = seed_of(0, "14_recover", str(ground.store.attributes["id"]))
        return nulls.shuffled(ground.epochs.days, np.random.Generator(np.random.Philox(seed))), psi, capped
    return ground.epochs.days, psi, capped


def rows_of(ground: Ground, dx: NDArray[np.int32], dy: NDArray[np.int32], part: tuple[int, int]) -> Window:
    """Give the rows of a band, beyond the edges of the grid as far as paths can start."""
    margin = margin_of(dx, dy, ground.search_rules)
    ny, nx = (side + 2 * margin for side in ground.grid.shape)
    first, after = (ny * edge // part[1] for edge in (part[0], part[0] + 1))
    return Window(first - margin, -margin, (after - first, nx))


def told(ground: Ground) -> Mapping[str, float]:
    """What is told of a search in its metrics."""
    low, high = ground.rates
    return {"n_velocities": len(ground.velocities), "threshold": ground.threshold, "rate_low_arcsec_h": low,
            "rate_high_arcsec_h": high, "min_epochs": ground.min_epochs}  # fmt: skip
