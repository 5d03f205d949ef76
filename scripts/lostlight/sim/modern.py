"""The later catalogues as they would describe the simulated sky: Gaia DR3, Pan-STARRS1, Tycho-2 and VSX."""

import numpy as np
from numpy.typing import NDArray

from lostlight.sim.cells import stream
from lostlight.sim.sources import KINDS, at_epoch, offset
from lostlight.sim.truth import Truth

GAIA = np.dtype(
    [
        ("Source", "i8"),
        *((name, "f8") for name in ("RA_ICRS", "DE_ICRS", "Plx", "pmRA", "pmDE", "Gmag", "BPmag", "RPmag")),
    ]
)
PS1 = np.dtype(
    [
        ("objID", "i8"),
        ("RAJ2000", "f8"),
        ("DEJ2000", "f8"),
        ("Nd", "i2"),
        *((name, "f8") for name in ("gmag", "rmag", "imag", "zmag", "ymag")),
    ]
)
TYCHO = np.dtype(
    [
        *((name, "i4") for name in ("TYC1", "TYC2", "TYC3")),
        *((name, "f8") for name in ("RAmdeg", "DEmdeg", "pmRA", "pmDE", "BTmag", "VTmag")),
    ]
)
VSX = np.dtype(
    [
        ("OID", "i4"),
        ("Name", "U30"),
        ("RAJ2000", "f8"),
        ("DEJ2000", "f8"),
        ("Type", "U8"),
        ("max", "f8"),
        ("min", "f8"),
    ]
)

MISSING_MAG = -999.0
"""What the PS1 catalogue writes for a band without a measurement."""
_GAIA_LIMIT, _GAIA_WITHOUT_PM, _GAIA_MISSING = 21.0, 0.01, 0.003
_GAIA_GALAXIES, _GAIA_GALAXY_LIMIT = 0.15, 19.0
_PS1_LIMIT, _PS1_SATURATED, _PS1_SOUTH_DEG = 22.0, 13.0, -30.0
_TYCHO_LIMIT = 11.5
_VSX_KNOWN = 0.8

Rows = NDArray[np.void]


def _later(truth: Truth, layer: int, cell: int) -> Rows:
    """Give the objects of a cell that exist today."""
    sources = truth.cell(layer, cell)
    return sources[np.isfinite(sources["mag_later"])]


def _is(sources: Rows, kind: str) -> NDArray[np.bool_]:
    return sources["kind"] == KINDS.index(kind)


def gaia_rows(truth: Truth, layer: int, cell: int) -> Rows:
    """Make Gaia's rows of one cell: G < 21, J2016, one star in a hundred without proper motion, few galaxies."""
    rng = stream(truth.seed, "gaia", layer, cell)
    sources = _later(truth, layer, cell)
    n = len(sources)
    rows = np.zeros(n, GAIA)
    mag, colour = sources["mag_later"], sources["colour"]
    g = mag + 0.02 + 0.18 * colour + 0.01 * rng.standard_normal(n)
    error_mas = 0.03 * 10 ** (0.25 * np.maximum(g - 14, 0))
    ra, dec = at_epoch(sources, 2016.0)
    rows["RA_ICRS"], rows["DE_ICRS"] = offset(ra, dec, *(error_mas / 1000 * rng.standard_normal((2, n))))
    pm = np.stack([sources["pm_ra_mas_yr"], sources["pm_dec_mas_yr"]]) + error_mas * rng.standard_normal((2, n))
    parallax = np.hypot(*pm) / 30 + error_mas * rng.standard_normal(n)
    is_galaxy = _is(sources, "galaxy")
    is_poor = (rng.random(n) < _GAIA_WITHOUT_PM) | is_galaxy
    for name, value in (("pmRA", pm[0]), ("pmDE", pm[1]), ("Plx", parallax)):
        rows[name] = np.where(is_poor, np.nan, np.round(value, 4))
    rows["Source"] = sources["truth_id"] * 4096 + 1
    spread = 0.6 * colour + 0.05
    rows["Gmag"], rows["BPmag"], rows["RPmag"] = (np.round(m, 4) for m in (g, g + 0.5 * spread, g - 0.6 * spread))
    is_point = rng.random(n) < np.where(is_galaxy & (mag < _GAIA_GALAXY_LIMIT), _GAIA_GALAXIES, 1 - _GAIA_MISSING)
    return rows[(g < _GAIA_LIMIT) & is_point & ~(is_galaxy & (mag >= _GAIA_GALAXY_LIMIT))]


def ps1_rows(truth: Truth, layer: int, cell: int) -> Rows:
    """Make the PS1 rows of one cell: r < 22 north of -30 degrees, mean epoch about 2013, no proper motions."""
    rng = stream(truth.seed, "ps1", layer, cell)
    sources = _later(truth, layer, cell)
    n = len(sources)
    rows = np.zeros(n, PS1)
    r, colour = sources["mag_later"] + 0.2, sources["colour"]
    steps = np.array([0.6, 0.0, -0.25, -0.4, -0.5])
    mags = r[:, None] + colour[:, None] * steps + 0.02 * rng.standard_normal((n, 5))
    limits = np.array([23.0, 22.8, 22.5, 21.7, 20.8])
    is_lost = (mags > limits) | (rng.random((n, 5)) < 0.02)
    epoch = 2013 + rng.normal(0, 0.8, n)
    ra, dec = at_epoch(sources, epoch)
    rows["RAJ2000"], rows["DEJ2000"] = offset(ra, dec, *(0.03 * rng.standard_normal((2, n))))
    rows["objID"] = 100_000_000_000_000_000 + sources["truth_id"]
    rows["Nd"] = rng.integers(5, 70, n)
    for name, mag in zip(("gmag", "rmag", "imag", "zmag", "ymag"), np.where(is_lost, MISSING_MAG, mags).T, strict=True):
        rows[name] = np.round(mag, 3)
    is_saturated = rng.random(n) < np.clip((_PS1_SATURATED + 1 - r) / 2, 0, 1)
    return rows[(r < _PS1_LIMIT) & (sources["dec_deg"] > _PS1_SOUTH_DEG) & ~is_saturated & (rng.random(n) > 0.005)]


def tycho_rows(truth: Truth, layer: int, cell: int) -> Rows:
    """Make the Tycho-2 rows of one cell: stars brighter than VT = 11.5 at J2000."""
    rng = stream(truth.seed, "tycho", layer, cell)
    sources = _later(truth, layer, cell)
    visual = sources["mag_later"] + 0.4 * sources["colour"]
    sources, visual = (values[(visual < _TYCHO_LIMIT) & _is(sources, "star")] for values in (sources, visual))
    n = len(sources)
    rows = np.zeros(n, TYCHO)
    rows["TYC1"], rows["TYC2"], rows["TYC3"] = cell % 9537 + 1, layer * 5000 + np.arange(1, n + 1), 1
    ra, dec = at_epoch(sources, 2000.0)
    rows["RAmdeg"], rows["DEmdeg"] = offset(ra, dec, *(0.06 * rng.standard_normal((2, n))))
    rows["pmRA"], rows["pmDE"] = np.round(
        np.stack([sources["pm_ra_mas_yr"], sources["pm_dec_mas_yr"]]) + 2 * rng.standard_normal((2, n)), 1
    )
    rows["VTmag"] = np.round(visual, 3)
    rows["BTmag"] = np.round(visual + 0.6 * sources["colour"], 3)
    return rows


def vsx_rows(truth: Truth, layer: int, cell: int) -> Rows:
    """Make the VSX rows of one cell: four variables in five are known."""
    rng = stream(truth.seed, "vsx", layer, cell)
    sources = truth.cell(layer, cell)
    sources = sources[_is(sources, "variable")]
    sources = sources[rng.random(len(sources)) < _VSX_KNOWN]
    n = len(sources)
    rows = np.zeros(n, VSX)
    rows["OID"] = sources["truth_id"] % 2_000_003
    rows["Name"] = [f"Sim V{number}" for number in rows["OID"]]
    ra, dec = at_epoch(sources, 2000.0)
    rows["RAJ2000"], rows["DEJ2000"] = offset(ra, dec, *(0.3 * rng.standard_normal((2, n))))
    rows["Type"] = np.array(["M", "UG", "UV", "RRAB"])[rng.integers(0, 4, n)]
    rows["max"], rows["min"] = np.round(sources["mag_r"], 2), np.round(sources["mag_later"], 2)
    return rows
