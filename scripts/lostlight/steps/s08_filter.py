"""Step 08: what vanished. Every detection keeps its row and is told which cuts it fails."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from lostlight.core import atomic
from lostlight.core.manifest import Check
from lostlight.core.params import FilterParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import http, own_catalogue, plates, skybot, tables, vizier
from lostlight.science.match.field import sky_of
from lostlight.science.match.nearest import Sky
from lostlight.science.plate.cutout import circle_around
from lostlight.science.sky.epoch import plate_epoch
from lostlight.science.vet import catalogues, ledger
from lostlight.science.vet.dedupe import duplicates
from lostlight.science.vet.gates_mnras2022 import published_cuts
from lostlight.science.vet.locus import locus_cuts
from lostlight.science.vet.second import list_answer
from lostlight.science.vet.spikes import spike_rule
from lostlight.science.vet.trail import distance_to_trails
from lostlight.vocab import bits, columns

CATALOGS = ("usnob", "gaia", "ps1", "own")


def _versions(params: FilterParams) -> dict[str, str]:
    """The content of the second catalogues decides the result as a program's version would."""
    paths = (Path(name) for name in params.second_catalogs)
    return {f"second catalogue {path.name}": atomic.sha256_file(path)[:16] for path in paths if path.is_file()}


@step(
    "08_filter", after=("02_masks", "06_reference", "07_xmatch"), needs=("clean", "detections", "matches"),
    wants=CATALOGS,
    makes={"flags": "{unit}.flags.fits", "survivors": "{unit}.survivors.fits", "ledger": "{unit}.ledger.json"},
    params=FilterParams, version=1, cites=("mnras2022", "skybot", "vsx"), engines=_versions,
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
    marks |= cuts | _vetoes(unit, detections, radius, params)
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


def _vetoes(unit: Unit, detections: Table, radius_arcsec: float, params: FilterParams) -> dict[str, np.ndarray]:
    """Ask the optional vetoes: a match cuts, and where one has not looked the row says so."""
    position = np.asarray(detections["ra_deg"]), np.asarray(detections["dec_deg"])
    header, policy = plates.header_of(unit["clean"]), http.Policy(offline=params.offline)
    circle, not_covered = circle_around(header, margin_arcmin=5), np.zeros(len(detections), bool)
    marks = {}
    if params.skybot:
        epoch = plate_epoch(header)
        bodies = skybot.cone(*circle, epoch.mjd + 2400000.5, url=params.skybot_url, policy=policy)
        rates = (np.asarray(bodies[name]) / 60 for name in ("rate_ra_arcsec_h", "rate_dec_arcsec_h"))
        is_timed = np.isfinite(epoch.half_exposure_min)
        exposure_min = 2 * epoch.half_exposure_min if is_timed else 0.0
        distance = distance_to_trails(*position, bodies["ra_deg"], bodies["dec_deg"], *rates, exposure_min)
        marks["SKYBOT"] = distance <= params.skybot_arcsec
        # without an exposure there is a point and no trail, and a miss means nothing
        not_covered |= ~marks["SKYBOT"] & (not is_timed)
    if params.vsx:
        stars = vizier.cone(
            "B/vsx/vsx", *circle, ("RAJ2000", "DEJ2000"), url=params.vsx_url, policy=policy, may_be_empty=True
        )
        variables = Sky(stars["RAJ2000"], stars["DEJ2000"], "VSX") if len(stars) else Sky([], [])
        marks["VSX"] = variables.nearest(*position, params.vsx_arcsec)[0] >= 0
    for path in params.second_catalogs:
        listed = sky_of(own_catalogue.read(path, {}, row_cap=0), Path(path).name)
        is_match, is_covered = list_answer(*position, listed, radius_arcsec)
        marks["SECOND_CATALOG"] = marks.get("SECOND_CATALOG", False) | is_match
        not_covered |= ~is_covered
    return marks | {"NOT_COVERED": not_covered}
