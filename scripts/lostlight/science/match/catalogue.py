"""Raw catalogue rows, from a service or a file, to one tidy reference table at the plate's epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from numpy.typing import NDArray

from lostlight.core.errors import BadCatalogue
from lostlight.science.sky.propagate import propagate

Floats = NDArray[np.float64]

MAGNITUDES = (-20.0, 50.0)
"""Open interval of what a magnitude can be; 99.99 and -999 mean that there is none."""

_MAS_YR = u.mas / u.yr

_SMALLEST_MAS_YR, _MIN_MOVING = 0.1, 20
"""The median motion of stars is some mas a year, and even that of quasars as measured is several tenths."""


@dataclass(frozen=True)
class Catalogue:
    """How one catalogue names and means its columns; a name left empty is one it lacks.

    `mags` are tried in order for the reference magnitude. `second_epoch` are magnitudes of which one must be there for
    a row to prove persistence; without any named, every row does. `bright` are the magnitudes that tell a bright star.
    """

    vizier_id: str = ""
    ra: str = ""
    dec: str = ""
    ref_id: str = ""
    pm_ra: str = ""
    pm_dec: str = ""
    epoch_yr: float = 2000.0
    epoch: str = ""
    mags: tuple[str, ...] = ()
    second_epoch: tuple[str, ...] = ()
    bright: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    is_zero_pm_unknown: bool = False
    is_zero_mag_missing: bool = False
    dec_min_deg: float = -90.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to ask for, position first."""
        names = (self.ra, self.dec, self.ref_id, self.pm_ra, self.pm_dec, *self.mags, *self.extra.values())
        return tuple(dict.fromkeys(name for name in names if name))


USNOB = Catalogue(
    vizier_id="I/284/out", ra="RAJ2000", dec="DEJ2000", ref_id="USNO-B1.0", pm_ra="pmRA", pm_dec="pmDE",
    epoch_yr=2000.0, mags=("R1mag", "R2mag", "Imag", "B2mag", "B1mag"), second_epoch=("B2mag", "R2mag", "Imag"),
    bright=("R1mag", "R2mag"), is_zero_pm_unknown=True, is_zero_mag_missing=True,
    extra={"mag_b1": "B1mag", "mag_r1": "R1mag", "mag_b2": "B2mag", "mag_r2": "R2mag", "mag_i": "Imag"},
)  # fmt: skip
"""USNO-B1.0 (Monet et al. 2003), made from both epochs of plates: positions at J2000, most motions unknown and zero."""

GAIA = Catalogue(
    vizier_id="I/355/gaiadr3", ra="RA_ICRS", dec="DE_ICRS", ref_id="Source", pm_ra="pmRA", pm_dec="pmDE",
    epoch_yr=2016.0, mags=("Gmag",), bright=("Gmag",),
)  # fmt: skip
"""Gaia DR3 (2022), positions at 2016.0."""

PS1 = Catalogue(
    vizier_id="II/389/ps1_dr2", ra="RAJ2000", dec="DEJ2000", ref_id="objID", epoch_yr=2012.0,
    mags=("rmag", "imag", "gmag"), dec_min_deg=-30.0,
)  # fmt: skip
"""Pan-STARRS1 DR2 (Chambers et al. 2016): mean positions, no motions, north of -30 degrees."""

CATALOGUES: Mapping[str, Catalogue] = {"usnob": USNOB, "gaia": GAIA, "ps1": PS1}

_USUAL_NAMES = {
    "ra": ("ra_deg", "ra", "RA_ICRS", "RAJ2000", "_RAJ2000", "_RA", "ALPHA_J2000", "ra_j2000", "RAdeg", "raMean"),
    "dec": ("dec_deg", "dec", "DE_ICRS", "DEJ2000", "_DEJ2000", "_DE", "DELTA_J2000", "dec_j2000", "DEdeg", "decMean"),
    "ref_id": ("ref_id", "source_id", "Source", "designation", "USNO-B1.0", "objID", "id", "name"),
    "pm_ra": ("pm_ra_mas_yr", "pmra", "pm_ra", "pmRA_cosDE"),
    "pm_dec": ("pm_dec_mas_yr", "pmdec", "pmde", "pm_dec"),
    "epoch": ("epoch_yr", "ref_epoch"),
    "mags": ("mag_ref", "phot_g_mean_mag", "Gmag", "rmag", "R1mag", "r_mag", "mag"),
}
_OUR_NAMES = {"ra_deg": "ra", "dec_deg": "dec", "pm_ra_mas_yr": "pm_ra", "pm_dec_mas_yr": "pm_dec", "ref_id": "ref_id",
              "mag_ref": "mags", "epoch_yr": "epoch"}  # fmt: skip


def recognise(table: Table, mapping: Mapping[str, str], epoch_yr: float) -> Catalogue:
    """Find out how a table of the user's own names its columns.

    Parameters
    ----------
    table : Table
        Any table with positions.
    mapping : mapping
        Our column name to theirs, where they are not among the usual ones.
    epoch_yr : float
        Epoch of the positions where the table does not say it.

    Raises
    ------
    BadCatalogue
        If there is no position, or a column named in `mapping` is absent; lists the columns there are.
    """
    given = {_OUR_NAMES.get(ours, ours): theirs for ours, theirs in mapping.items()}
    if unknown := sorted(set(given) - set(_USUAL_NAMES)):
        raise _bad_column(table, unknown[0], f"{unknown[0]!r} is no column of ours: {', '.join(_OUR_NAMES)}")
    for theirs in given.values():
        if theirs not in table.colnames:
            raise _bad_column(table, theirs, f"the table has no column {theirs!r}")
    by_lower = {name.lower(): name for name in reversed(table.colnames)}
    found = {
        role: given.get(role) or next((by_lower[name.lower()] for name in usual if name.lower() in by_lower), "")
        for role, usual in _USUAL_NAMES.items()
    }
    for role in ("ra", "dec"):
        if not found[role]:
            raise _bad_column(table, role, f"the table has no column that looks like {role}")
    mags = (found.pop("mags"),)
    return Catalogue(**found, mags=mags if mags[0] else (), epoch_yr=epoch_yr)


def normalise(table: Table, catalogue: Catalogue, to_yr: float) -> Table:
    """Check raw rows and bring them to the reference schema, moved to the epoch of the plate.

    Parameters
    ----------
    table : Table, n rows
        Rows as a service or file gives them; units are taken from the columns, degrees and mas a year where absent.
    catalogue : Catalogue
        What its columns mean.
    to_yr : float
        Epoch of the plate, Julian year.

    Returns
    -------
    Table
        The columns of schema REFERENCE, and for USNO-B its magnitudes; duplicates removed, sorted by `ref_id` and
        position, so that the order of the answer does not matter.

    Raises
    ------
    BadCatalogue
        For a missing column, a wrong unit, a position that is not a number or out of range; names column and row.
    """
    ra, dec = _within(table, catalogue.ra, u.deg, 0, 360), _within(table, catalogue.dec, u.deg, -90, 90)
    pm_ra, pm_dec, has_pm = _motion(table, catalogue)
    epoch = np.full(len(table), catalogue.epoch_yr)
    if catalogue.epoch:
        epoch = _within(table, catalogue.epoch, u.yr, 1800, 2200)
    ra_then, dec_then = propagate(ra, dec, pm_ra, pm_dec, epoch, to_yr)
    tidy = Table(
        {
            "ref_id": _text(table, catalogue.ref_id),
            "ra_deg": ra_then,
            "dec_deg": dec_then,
            "ra_catalog_deg": ra % 360,
            "dec_catalog_deg": dec,
            "epoch_yr": epoch,
            "pm_ra_mas_yr": pm_ra,
            "pm_dec_mas_yr": pm_dec,
            "has_pm": has_pm,
            "is_second_epoch": _is_second_epoch(table, catalogue),
            "mag_ref": _first_known(table, catalogue),
        }
    )
    for ours, theirs in catalogue.extra.items():
        tidy[ours] = magnitude(table, theirs, is_zero_missing=catalogue.is_zero_mag_missing)
    return unique(tidy)


def unique(table: Table) -> Table:
    """Sort a reference table by `ref_id` and catalogued position, and leave repeated rows out."""
    order = np.lexsort((table["dec_catalog_deg"], table["ra_catalog_deg"], table["ref_id"]))
    table = table[order]
    keys = [np.asarray(table[name]) for name in ("ref_id", "ra_catalog_deg", "dec_catalog_deg")]
    first = np.ones(len(table), dtype=bool)
    first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return table[first]


def magnitude(table: Table, name: str, *, is_zero_missing: bool = False) -> Floats:
    """Give a column of magnitudes, shape (n,), NaN where it is absent, masked or a sentinel such as 99.99 or -999."""
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    values = _number(table, name, u.mag)
    known = (values > MAGNITUDES[0]) & (values < MAGNITUDES[1]) & ~(is_zero_missing & (values == 0))
    return np.where(known, values, np.nan)


def _within(table: Table, name: str, unit: u.UnitBase, low: float, high: float) -> Floats:
    values = _number(table, name, unit)
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    if bad.size:
        value, row = float(values[bad[0]]), int(bad[0]) + 1
        hint = "leave such rows out, or check the unit"
        if (low, high) == (0, 360) and -360 <= value < 0:
            hint = "add 360 to negative right ascensions"
        raise BadCatalogue(
            f"column {name}, row {row}: {value:g} is not between {low:g} and {high:g} {unit} ({bad.size} such rows)",
            hint=hint,
            column=name,
            row=row,
            n_bad=int(bad.size),
        )
    return values


def _motion(table: Table, catalogue: Catalogue) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    if not (catalogue.pm_ra in table.colnames and catalogue.pm_dec in table.colnames):
        nothing = np.full(len(table), np.nan)
        return nothing, nothing, np.zeros(len(table), dtype=bool)
    pm_ra, pm_dec = (_number(table, name, _MAS_YR) for name in (catalogue.pm_ra, catalogue.pm_dec))
    has_pm = np.isfinite(pm_ra) & np.isfinite(pm_dec)
    _refuse_tiny(np.hypot(pm_ra, pm_dec)[has_pm], catalogue.pm_ra)
    if catalogue.is_zero_pm_unknown:
        has_pm &= (pm_ra != 0) | (pm_dec != 0)
    return np.where(has_pm, pm_ra, np.nan), np.where(has_pm, pm_dec, np.nan), has_pm


def _refuse_tiny(pm_mas_yr: Floats, name: str) -> None:
    """Refuse motions in arcsec or degrees a year passed off as mas a year: nothing would be moved."""
    moving = pm_mas_yr[pm_mas_yr > 0]
    if len(moving) >= _MIN_MOVING and np.median(moving) < _SMALLEST_MAS_YR:
        raise BadCatalogue(
            f"column {name}: half of {len(moving)} proper motions are below {np.median(moving):.2g} mas/yr",
            hint=f"say their unit in reference.own.units, such as {{{name}: arcsec/yr}}",
            column=name,
        )


def _is_second_epoch(table: Table, catalogue: Catalogue) -> NDArray[np.bool_]:
    if not catalogue.second_epoch:
        return np.ones(len(table), dtype=bool)
    mags = [magnitude(table, name, is_zero_missing=catalogue.is_zero_mag_missing) for name in catalogue.second_epoch]
    return np.isfinite(mags).any(axis=0)


def _first_known(table: Table, catalogue: Catalogue) -> Floats:
    found = np.full(len(table), np.nan)
    for name in catalogue.mags:
        mags = magnitude(table, name, is_zero_missing=catalogue.is_zero_mag_missing)
        found = np.where(np.isfinite(found), found, mags)
    return found


def _number(table: Table, name: str, unit: u.UnitBase) -> Floats:
    """Give a column as numbers in a unit, NaN where masked."""
    if name not in table.colnames:
        raise _bad_column(table, name, f"the table has no column {name!r}")
    column: Column = table[name]
    try:
        values = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        factor = u.Unit(column.unit).to(unit) if str(column.unit or "") else 1.0
    except (ValueError, TypeError) as error:
        said = f"unit {column.unit}" if column.unit is not None else f"{column.dtype} values such as {column[0]!r}"
        raise BadCatalogue(
            f"column {name} has {said}, where {unit} is needed",
            hint="name the right column in reference.own.columns, or its unit in reference.own.units",
            column=name,
            unit=str(column.unit),
        ) from error
    return np.asarray(values) * factor


def _text(table: Table, name: str) -> NDArray[np.str_]:
    if name not in table.colnames:
        return np.full(len(table), "", dtype="U1")
    values = np.ma.asarray(table[name])
    return np.char.strip(np.ma.filled(values.astype("U"), ""))


def _bad_column(table: Table, name: str, problem: str) -> BadCatalogue:
    return BadCatalogue(
        f"{problem}; it has {', '.join(table.colnames[:20]) or 'no columns'}",
        hint="name it in reference.own.columns",
        column=name,
    )
