"""Step 06: the reference catalogues around a tile, moved to the epoch of its plate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from lostlight.core import atomic
from lostlight.core.params import ReferenceParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import http, own_catalogue, plates, tables, vizier
from lostlight.io.cells import rows_around
from lostlight.science.match.catalogue import CATALOGUES, Catalogue, normalise, recognise, unique
from lostlight.science.match.cover import is_near, near, refuse_lost_bright
from lostlight.science.plate.cutout import Circle, circle_around
from lostlight.science.sky.epoch import plate_epoch
from lostlight.vocab import columns

_REACH_DEG = 0.2
"""How far the fastest stars have moved since the plates."""

_BRIGHT_DEG2 = 20.0
"""Stars brighter than magnitude 12.4 per square degree where they are fewest, at the galactic poles."""

_SURELY = 15.0
"""Where so many stars are expected, none is a wrong answer."""


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
        table, is_changed = _rows(catalogue, circle, epoch_yr, params)
        if is_changed:
            warnings.append(f"{name}: the service gives other rows than before")
        metrics |= _write(table, name, out)
    if params.own.path:
        metrics |= _write(_own(circle, params, epoch_yr, warnings), "own", out)
    return Result(metrics, warnings=warnings)


def _rows(catalogue: Catalogue, circle: Circle, epoch_yr: float, params: ReferenceParams) -> tuple[Table, bool]:
    """Fetch all stars of the tile, and the bright ones from further around, whose spikes reach into it."""
    policy, url = http.Policy.of(params), params.url or vizier.SERVICE
    question = vizier.Question(url, catalogue.vizier_id, *circle, catalogue.columns, {}, policy, params.row_cap)
    is_everywhere = circle.dec_deg - circle.radius_deg > catalogue.dec_min_deg + 1
    raw = rows_around(question, _REACH_DEG, is_everywhere=is_everywhere)
    table = normalise(raw, catalogue, epoch_yr)
    parts, is_changed = [table[is_near(table["ra_deg"], table["dec_deg"], circle)]], raw.meta["is_changed"]
    tile = raw[is_near(raw[catalogue.ra], raw[catalogue.dec], circle)]
    far = replace(question, radius_deg=circle.radius_deg + params.bright_margin_arcmin / 60)
    expected = _BRIGHT_DEG2 * np.pi * far.radius_deg**2 * 10 ** (0.45 * (params.bright_limit_mag - 12.4))
    for name in catalogue.bright:
        bright = replace(far, filters={name: f"<={params.bright_limit_mag:g}"})
        raw = vizier.answer(bright, may_be_empty=expected < _SURELY)
        refuse_lost_bright(tile, raw, catalogue, name, params.bright_limit_mag)
        is_changed |= raw.meta["is_changed"]
        parts += [normalise(raw, catalogue, epoch_yr)] if len(raw) else []
    return unique(vstack(parts)), is_changed


def _own(circle: Circle, params: ReferenceParams, epoch_yr: float, warnings: list[str]) -> Table:
    raw = own_catalogue.read(params.own.path, params.own.units, params.row_cap)
    if len(raw) == vizier.DEFAULT_ROWS:
        warnings.append(f"own: exactly {len(raw)} rows, the default limit of catalogue services: is it whole?")
    catalogue = recognise(raw, params.own.columns, params.own.epoch_yr)
    tidy = normalise(own_catalogue.decimal(raw, {catalogue.ra: True, catalogue.dec: False}), catalogue, epoch_yr)
    return near(tidy, circle, Path(params.own.path).name, catalogue.ra)


def _write(table: Table, name: str, out: Outputs) -> dict[str, float]:
    schema = columns.USNOB if name == "usnob" else columns.REFERENCE
    tables.write(table, out[name], schema)
    out.sizes[name] = [len(table)]
    return {
        f"n_{name}": len(table),
        f"n_{name}_moving": int(np.sum(table["has_pm"])),
        f"n_{name}_first_epoch_only": int(np.sum(~table["is_second_epoch"])),
    }
