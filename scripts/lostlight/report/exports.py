"""The small text files beside the report: tiles and candidates for spreadsheets, regions for DS9."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from astropy.table import Table

from lostlight.report.gather import TILE_STEPS, Run
from lostlight.vocab.columns import ANOMALIES

_FORMATS = {"ra_deg": ".7f", "dec_deg": ".7f", "mag_auto": ".4f", "snr_win": ".2f", "fwhm_px": ".3f"}
_TILE_COLUMNS = ("tile_id", "outcome", "stopped_at", "failure", "n_detections", "n_candidates")
_MEASURES = ("n_ties", "scatter_ra_arcsec", "scatter_dec_arcsec", "residual_shift_arcsec")


def anomalies(run_id: str, candidates: Table) -> str:
    """Give the candidates with the fewest columns that name, place and describe each of them, as CSV."""
    rows = [[run_id, *(format(row[name], _FORMATS.get(name, "")) for name in ANOMALIES)] for row in candidates]
    return _csv(["run_id", *ANOMALIES], rows)


def tiles(run: Run, counts: Mapping[str, tuple[int, int]]) -> str:
    """Give one row per tile, as CSV: what became of it, where it stopped and why, and what was found on it.

    Parameters
    ----------
    run : Run
        The run.
    counts : mapping
        Tile to its number of detections and of candidates.
    """
    measured = {name: run.metrics("07_xmatch", name) for name in _MEASURES}
    failures = {unit.id: (step, unit.failure.type) for step in TILE_STEPS for unit in run.units(step, "failed")}
    rows = [
        [
            tile_id,
            run.outcome(tile_id),
            *failures.get(tile_id, ("", "")),
            *counts.get(tile_id, ("", "")),
            *(measured[name].get(tile_id, "") for name in _MEASURES),
        ]
        for tile_id in run.statuses
    ]
    return _csv([*_TILE_COLUMNS, *_MEASURES], rows)


def regions(candidates: Table, radius_arcsec: float = 5.0) -> str:
    """Give the candidates as circles for DS9."""
    lines = ["# Region file format: DS9", 'global color=orange width=2 font="helvetica 10"', "icrs"]
    for row in candidates:
        # Braces would end the label.
        name = str(row["src_id"]).translate({ord("{"): "(", ord("}"): ")", ord("\n"): " "})
        lines.append(f'circle({row["ra_deg"]:.7f},{row["dec_deg"]:.7f},{radius_arcsec:g}") # text={{{name}}}')
    return "\n".join(lines) + "\n"


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
