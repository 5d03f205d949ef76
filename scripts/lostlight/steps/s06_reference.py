"""Step 06: the reference catalogues around a tile, moved to the epoch of its plate."""

from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from lostlight.core import atomic
from lostlight.core.errors import BadCatalogue
from lostlight.core.params import ReferenceParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import http, own_catalogue, plates, tables, vizier
from lostlight.science.match.catalogue import CATALOGUES, Catalogue, normalise, recognise
from lostlight.science.plate.cutout import Circle, circle_around
from lostlight.science.sky.epoch import plate_epoch
from lostlight.science.sky.separation import separation_arcsec
from lostlight.vocab import columns


def _versions(params: ReferenceParams) -> dict[str, str]:
    """The content of an own catalogue decides the result as a program's version would."""
    path = Path(params.own.path)
    return {"own catalogue": atomic.sha256_file(path)[:16]} if params.own.path and path.is_file() else {}


@step(
    "06_reference",
    after=("01_download",),
    needs=("image",),
    makes={name: f"{{unit}}.{name}.fits" for name in ("usnob", "gaia", "ps1", "own")},
    optional=("usnob", "gaia", "ps1", "own"),
    params=ReferenceParams,
    version=1,
    cites=("vizier", "usnob", "gaia", "ps1"),
    engines=_versions,
)
def reference(unit: Unit, params: ReferenceParams, out: Outputs) -> Result:
    """Fetch every catalogue that is switched on, whole, and say where each star was when the plate was exposed."""
    header = plates.header_of(unit["image"])
    epoch_yr = plate_epoch(header).year
    circle = circle_around(header, params.margin_arcmin)
    metrics: dict[str, float] = {"epoch_yr": round(epoch_yr, 5), "radius_deg": round(circle.radius_deg, 5)}
    warnings: list[str] = []
    for name, catalogue in CATALOGUES.items():
        if not getattr(params, name):
            continue
        if circle.dec_deg + circle.radius_deg < catalogue.dec_min_deg:
            warnings.append(f"{name} does not cover declination {circle.dec_deg:+.2f}")
            continue
        raw = _rows(catalogue, circle, params)
        if raw.meta["is_changed"]:
            warnings.append(f"{name}: the service gives other rows than before")
        metrics |= _write(normalise(raw, catalogue, epoch_yr), name, out)
    if params.own.path:
        metrics |= _write(_own(circle, params, epoch_yr), "own", out)
    return Result(metrics, warnings=warnings)


def _rows(catalogue: Catalogue, circle: Circle, params: ReferenceParams) -> Table:
    """Fetch all stars of the tile, and the bright ones from further around, whose spikes reach into it."""
    shared = {"url": params.url, "policy": http.Policy.of(params), "row_cap": params.row_cap}
    is_everywhere = circle.dec_deg - circle.radius_deg > catalogue.dec_min_deg + 1
    position = (circle.ra_deg, circle.dec_deg)
    parts = [
        vizier.rows_around(
            catalogue.vizier_id, *position, circle.radius_deg, catalogue.columns, is_everywhere=is_everywhere, **shared
        )
    ]
    radius_deg = circle.radius_deg + params.bright_margin_arcmin / 60
    for magnitude in catalogue.bright:
        bright = {magnitude: f"<={params.bright_limit_mag:g}"}
        found = vizier.cone(
            catalogue.vizier_id, *position, radius_deg, catalogue.columns, filters=bright, may_be_empty=True, **shared
        )
        parts += [found] if len(found) else []
    stacked = vstack(parts, metadata_conflicts="silent")
    stacked.meta["is_changed"] = any(part.meta["is_changed"] for part in parts)
    return stacked


def _own(circle: Circle, params: ReferenceParams, epoch_yr: float) -> Table:
    raw = own_catalogue.read(params.own.path, params.own.units)
    name = Path(params.own.path).name
    if len(raw) == params.row_cap:
        raise BadCatalogue(
            f"{name} has exactly {len(raw)} rows, the limit reference.row_cap: it was cut short",
            hint="export it without a limit on rows, or raise reference.row_cap",
            rows=len(raw),
        )
    catalogue = recognise(raw, params.own.columns, params.own.epoch_yr)
    tidy = normalise(own_catalogue.decimal(raw, {catalogue.ra: True, catalogue.dec: False}), catalogue, epoch_yr)
    near = _is_near(tidy["ra_deg"], tidy["dec_deg"], circle)
    if not near.any():
        in_hours = _is_near(15 * tidy["ra_deg"] % 360, tidy["dec_deg"], circle).any()
        where = f"RA {circle.ra_deg:.4f} Dec {circle.dec_deg:+.4f}"
        raise BadCatalogue(
            f"{name}: none of its {len(tidy)} rows lies within {circle.radius_deg:.2f} deg of {where}",
            hint=f"set reference.own.units to {{{catalogue.ra}: hourangle}}" if in_hours else "does it cover the tile?",
            column=catalogue.ra,
        )
    return tidy[near]


def _is_near(ra_deg: np.ndarray, dec_deg: np.ndarray, circle: Circle) -> np.ndarray:
    return separation_arcsec(ra_deg, dec_deg, circle.ra_deg, circle.dec_deg) <= circle.radius_deg * 3600


def _write(table: Table, name: str, out: Outputs) -> dict[str, float]:
    schema = columns.USNOB if name == "usnob" else columns.REFERENCE
    tables.write(table, out[name], schema)
    out.sizes[name] = [len(table)]
    return {
        f"n_{name}": len(table),
        f"n_{name}_moving": int(np.sum(table["has_pm"])),
        f"n_{name}_first_epoch_only": int(np.sum(~table["is_second_epoch"])),
    }
