"""The reference catalogues of the simulated sky: the same truth, seen with each survey's errors and blind spots."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.sim import modern, usnob
from lostlight.sim.sources import offset, separation_deg
from lostlight.sim.truth import BRIGHT_LAYER, FAINT_LAYER, MOVING_LAYER, Truth

Rows = NDArray[np.void]

_MAKERS: dict[str, tuple[Callable[[Truth, int, int], Rows], tuple[int, ...]]] = {
    "I/284/out": (usnob.cell_rows, (BRIGHT_LAYER, FAINT_LAYER)),
    "I/355/gaiadr3": (modern.gaia_rows, (BRIGHT_LAYER, FAINT_LAYER)),
    "II/389/ps1_dr2": (modern.ps1_rows, (BRIGHT_LAYER, FAINT_LAYER)),
    "I/259/tyc2": (modern.tycho_rows, (BRIGHT_LAYER, FAINT_LAYER)),
    "B/vsx/vsx": (modern.vsx_rows, (FAINT_LAYER,)),
}
"""VizieR name: how to make the rows of one cell, and the layers of the truth that it sees."""

_POSITIONS = (("RAJ2000", "DEJ2000"), ("RA_ICRS", "DE_ICRS"), ("RAmdeg", "DEmdeg"))
_DAYS = 1.0
_REACH_DEG = 0.5  # farther than any body moves in that time
_KNOWN_ASTEROIDS = 0.95


class Catalogues:
    """All catalogues of one sky."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._rows = lru_cache(maxsize=256)(self._make)

    def query(
        self,
        name: str,
        ra_deg: float,
        dec_deg: float,
        radius_deg: float | None,
        box_deg: float | tuple[float, float] | None,
    ) -> Table:
        """Give the rows of a catalogue in a cone, or in a box of full width and height; see `Sky.catalogue`."""
        if name not in _MAKERS:
            raise KeyError(f"no catalogue {name!r} in the simulated sky; there are {', '.join(_MAKERS)}")
        width, height = np.broadcast_to(np.zeros(2) if box_deg is None else np.asarray(box_deg, float), 2)
        reach = float(np.hypot(width, height) / 2) if radius_deg is None else radius_deg
        cells = self._truth.cells(ra_deg, dec_deg, reach, _MAKERS[name][1])
        rows = np.concatenate([self._rows(name, *cell) for cell in cells])
        ra, dec = next((rows[a], rows[b]) for a, b in _POSITIONS if a in rows.dtype.names)
        if radius_deg is None:
            inside = _in_box(ra, dec, ra_deg, dec_deg, width, height)
        else:
            inside = separation_deg(ra, dec, ra_deg, dec_deg) <= radius_deg
        units = {column: unit for column in rows.dtype.names if (unit := _unit(column))}
        return Table(rows[inside], units=units)

    def solar_system(self, ra_deg: float, dec_deg: float, radius_deg: float, jd: float) -> Table:
        """List the known bodies in a cone at a Julian date; each is computed within a day of its own plate."""
        found = self._truth.around(ra_deg, dec_deg, radius_deg + _REACH_DEG, (MOVING_LAYER,))
        bodies = found[_hash(found["truth_id"]) < _KNOWN_ASTEROIDS]
        days = np.array([jd - self._truth.layout.plate(int(home)).jd for home in bodies["home"]])
        bodies, minutes = bodies[np.abs(days) < _DAYS], days[np.abs(days) < _DAYS] * 1440
        east, north = bodies["rate_ra_arcsec_min"], bodies["rate_dec_arcsec_min"]
        ra, dec = offset(bodies["ra_deg"], bodies["dec_deg"], east * minutes, north * minutes)
        inside = separation_deg(ra, dec, ra_deg, dec_deg) <= radius_deg
        number = (bodies["truth_id"] % 899_981 + 1)[inside]
        return Table(
            {
                "Num": number,
                "Name": np.array([f"Sim {n}" for n in number], dtype="U16"),
                "RA": ra[inside],
                "DEC": dec[inside],
                "class": np.array(["MB"] * len(number), dtype="U8"),
                "Mv": np.round(bodies["mag_r"][inside] + 0.4, 1),
                "pmRA": np.round(60 * east[inside], 3),
                "pmDEC": np.round(60 * north[inside], 3),
            },
            units={"RA": "deg", "DEC": "deg", "Mv": "mag", "pmRA": "arcsec / h", "pmDEC": "arcsec / h"},
        )

    def _make(self, name: str, layer: int, cell: int) -> Rows:
        return _MAKERS[name][0](self._truth, layer, cell)


def _unit(column: str) -> str:
    """Give the unit of a column by its name, as all these catalogues spell it."""
    if column in {name for pair in _POSITIONS for name in pair}:
        return "deg"
    if column.endswith("mag") or column in {"max", "min"}:
        return "mag"
    return {
        "pmRA": "mas / yr",
        "pmDE": "mas / yr",
        "e_RAJ2000": "mas",
        "e_DEJ2000": "mas",
        "Plx": "mas",
        "Epoch": "yr",
    }.get(column, "")


def _in_box(
    ra: NDArray[np.float64], dec: NDArray[np.float64], ra0: float, dec0: float, width: float, height: float
) -> NDArray[np.bool_]:
    """Choose by offsets along and across the hour circle of the centre, as VizieR's boxes do away from the poles."""
    east = ((ra - ra0 + 180) % 360 - 180) * np.cos(np.radians(dec))
    return (np.abs(east) <= width / 2) & (np.abs(dec - dec0) <= height / 2)


def _hash(number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Spread identifiers evenly over 0 to 1."""
    mixed = (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
