"""Step 07: which detections have a counterpart in a catalogue."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io.fits import Header
from astropy.table import vstack

from lostlight.core.errors import LostlightError
from lostlight.core.manifest import Check
from lostlight.core.params import XmatchParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import plates, stilts, tables, tools
from lostlight.science.match import join
from lostlight.science.match.field import Field, make_field
from lostlight.science.plate import wcs
from lostlight.vocab import columns

CATALOGS = ("usnob", "gaia", "ps1", "own")
CORRECTED = (*columns.DETECTIONS, "ra_plate_deg", "dec_plate_deg")
LEAST_MATCHED = 0.5
UNDETECTED = ("catalog", *columns.REFERENCE)


def load(unit: Unit, params: XmatchParams) -> Field:
    """Read the detections and catalogues of a tile and correct the detections' positions."""
    return make_field(
        tables.read(unit["p2"]), {name: tables.read(unit[name]) for name in CATALOGS if name in unit},
        degree=params.residual_degree, min_ties=params.min_ties, max_scatter_arcsec=params.max_scatter_arcsec,
        radius_arcsec=params.radius_arcsec, n_sigma=params.n_sigma if params.radius == "sigma" else None,
    )  # fmt: skip


def match_slice(units: Sequence[Unit], params: XmatchParams) -> Mapping[str, Any]:
    """Load and match a slice of tiles with one start of STILTS; a tile at fault gets its error instead."""
    if params.engine == "embedded":
        return {}
    fields: dict[str, Field] = {}
    errors: dict[str, LostlightError] = {}
    for unit in units:
        try:
            fields[unit.id] = load(unit, params)
        except LostlightError as error:
            errors[unit.id] = error
    asked = [(key, name) for key, field in fields.items() for name in field.catalogs]
    matches = stilts.match_groups([_group(fields[key], name) for key, name in asked], params.timeout_s)
    found: dict[str, dict[str, stilts.Match]] = {key: {} for key in fields}
    for (key, name), (index, separation) in zip(asked, matches, strict=True):
        # of rows at the same place the first counts, for both engines
        first = fields[key].skies[name].first_twin
        found[key][name] = np.where(index >= 0, first[index], -1), separation
    return errors | {key: (fields[key], found[key]) for key in fields}


@step(
    "07_xmatch", after=("02_masks", "05_measure", "06_reference"), needs=("p2", "clean"), wants=CATALOGS,
    makes={
        "detections": "{unit}.detections.fits", "matches": "{unit}.matches.fits", "unmatched": "{unit}.local.fits",
        "xmatch": "{unit}_xmatch.csv", "local": "{unit}_local.csv", "cdss": "{unit}_cdss.csv",
    },
    params=XmatchParams, version=1, cites=("stilts",), prepare=match_slice, slice_size=16,
    engines=lambda params: {"stilts": tools.version("stilts")} if params.engine == "reference" else {},
)  # fmt: skip
def xmatch(unit: Unit, params: XmatchParams, out: Outputs) -> Result:
    """Match the detections of one tile with every catalogue: the nearest row within the radius."""
    if params.engine == "embedded":
        field = load(unit, params)
        found = field.match()
    else:
        field, found = unit.prepared
    header = plates.header_of(unit["clean"])
    corners = field.residual.apply(*wcs.pix_to_sky(wcs.sky_wcs(header), *_corners_px(header)))
    matched, undetected = [], []
    for name, table in field.catalogs.items():
        matched.append(join.matched_rows(field.detections, table, name, *found[name], field.radius_arcsec))
        undetected.append(join.untaken_rows(table, name, found[name][0], *corners))
    unmatched = field.detections[np.logical_and.reduce([index < 0 for index, _ in found.values()])]
    matches, meta = (
        vstack(matched, metadata_conflicts="silent"),
        {"RADIUS": field.radius_arcsec, "PIXSCALE": wcs.pixel_scale_arcsec(header)},
    )
    for role, rows, schema in (
        ("detections", field.detections, CORRECTED), ("matches", matches, columns.MATCHES),
        ("unmatched", unmatched, CORRECTED), ("xmatch", matches, columns.MATCHES), ("local", unmatched, CORRECTED),
        ("cdss", vstack(undetected, join_type="inner", metadata_conflicts="silent"), UNDETECTED),
    ):  # fmt: skip
        tables.write(rows, out[role], schema, meta)
        out.sizes[role] = [len(rows)]
    n_matched = len(np.unique(matches["object_id"]))
    measures = field.measures(found, params.chance_shift_arcsec)
    measures |= {"n_matched": n_matched, "n_unmatched": len(unmatched)}
    scatter = max(field.residual.scatter_ra_arcsec, field.residual.scatter_dec_arcsec)
    checks = [
        Check(name="counts_add_up", value=n_matched + len(unmatched), threshold=len(field.detections),
              passed=n_matched + len(unmatched) == len(field.detections)),
        Check(name="scatter_arcsec", value=round(scatter, 4), threshold=params.max_scatter_arcsec, passed=True),
    ]  # fmt: skip
    return Result(measures, checks, _doubts(n_matched, len(field.detections)))


def _doubts(n_matched: int, n_detections: int) -> list[str]:
    """A catalogue that ends within the tile, or is shallower than the image, makes vanished sources of everything."""
    if n_matched >= LEAST_MATCHED * n_detections:
        return []
    share = 100 * n_matched / n_detections
    return [
        f"only {share:.0f} % of the detections have a counterpart: is the catalogue as wide and as deep as the image?"
    ]


def _group(field: Field, name: str) -> stilts.Group:
    return stilts.Group(*field.sky, field.skies[name].ra_deg, field.skies[name].dec_deg, field.radius_arcsec)


def _corners_px(header: Header) -> tuple[np.ndarray, np.ndarray]:
    right, top = header["NAXIS1"] - 0.5, header["NAXIS2"] - 0.5
    return np.array([-0.5, right, right, -0.5]), np.array([-0.5, -0.5, top, top])
