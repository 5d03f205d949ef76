"""Step 08: what vanished. Every detection keeps its row and is told which cuts it fails."""

import numpy as np
from astropy.table import Table

from lostlight.core import atomic
from lostlight.core.manifest import Check
from lostlight.core.params import FilterParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import tables
from lostlight.science.vet import catalogues, ledger
from lostlight.science.vet.dedupe import duplicates
from lostlight.science.vet.gates_mnras2022 import published_cuts
from lostlight.science.vet.locus import locus_cuts
from lostlight.science.vet.spikes import spike_rule
from lostlight.vocab import bits, columns

CATALOGS = ("usnob", "gaia", "ps1", "own")


@step(
    "08_filter", after=("06_reference", "07_xmatch"), needs=("detections", "matches"), wants=CATALOGS,
    makes={"flags": "{unit}.flags.fits", "survivors": "{unit}.survivors.fits", "ledger": "{unit}.ledger.json"},
    params=FilterParams, version=1, cites=("mnras2022",),
)  # fmt: skip
def filter_(unit: Unit, params: FilterParams, out: Outputs) -> Result:
    """Hold the match of one tile to account, then label every detection with the cuts it fails."""
    detections, matches = tables.read(unit["detections"]), tables.read(unit["matches"])
    catalogs = {name: tables.read(unit[name]) for name in CATALOGS if name in unit}
    radius = float(matches.meta["RADIUS"])
    worst, n_edge = catalogues.validate_matches(
        detections, matches, catalogs, params.within_arcsec or radius, params.within_tolerance_arcsec
    )
    marks, detections["separation_arcsec"] = catalogues.catalogue_marks(
        detections, matches, catalogs, vetoing=params.catalogs, radius_arcsec=radius, epoch_logic=params.epoch_logic,
        high_pm_radius_arcsec=params.high_pm_radius_arcsec, high_pm_match_arcsec=params.high_pm_match_arcsec,
    )  # fmt: skip
    marks["MASKED"] = (np.asarray(detections["mask_bits"]) & bits.mask(*params.masked)) != 0
    marks["DUPLICATE"] = duplicates(
        detections["ra_deg"],
        detections["dec_deg"],
        detections["plate_id"],
        detections["object_id"],
        params.dedupe_arcsec,
    )
    cuts, measures = _gates(detections, catalogs, ~marks["MASKED"], radius, params)
    marks |= cuts
    flags = ledger.combine(marks, len(detections))
    detections["flags"], detections["n_plates"] = flags, np.ones(len(flags), np.int16)
    vetoing = ", ".join(name for name in params.catalogs if name in catalogs)
    detections["reason"] = ledger.reasons(flags, f"no lasting counterpart in {vetoing}")
    survivors = detections[ledger.survives(flags)]
    for role, table in (("flags", detections), ("survivors", survivors)):
        tables.write(table, out[role], columns.FLAGGED)
        out.sizes[role] = [len(table)]
    atomic.write_json(out["ledger"], {"unit": unit.id, "gates": params.gates, **ledger.count(flags)})
    measures |= {"n_detections": len(flags), "n_survivors": len(survivors), "n_edge": n_edge}
    measures |= {f"n_{bit.name.lower()}": int(((flags & bit.value) != 0).sum()) for bit in bits.FILTER}
    check = Check(name="within_arcsec", value=worst, threshold=params.within_tolerance_arcsec, passed=True)
    return Result(measures, [check])


def _gates(
    detections: Table, catalogs: dict[str, Table], usable: np.ndarray, radius_arcsec: float, params: FilterParams
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    if params.gates == "locus":
        return locus_cuts(detections, usable, **params.locus.model_dump())
    cuts = published_cuts(detections, float(detections.meta["PIXSCALE"]), **params.mnras2022.model_dump())
    cuts["SPIKE_RULE"] = spike_rule(
        detections["ra_deg"], detections["dec_deg"], *catalogues.red_magnitudes(catalogs),
        radius_arcsec=params.spike_radius_arcsec, mag=params.spike_mag, slope_mag_arcsec=params.spike_slope_mag_arcsec,
        zero_mag=params.spike_zero_mag, own_arcsec=radius_arcsec,
    )  # fmt: skip
    return cuts, {}
