"""One tile ready to be matched: detections on the frame of the catalogues, catalogues arranged for search."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import BadAstrometry, BadCatalogue, Fact
from lostlight.science.match.chance import chance_fraction
from lostlight.science.match.nearest import Sky
from lostlight.science.match.residual import Residual, fit_residual

TIE_ORDER = ("gaia", "own", "ps1", "usnob")
"""Catalogues by how well their positions hold at the plate's epoch; the first with enough ties sets the frame."""

Match = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Row of the counterpart of each detection (-1 for none) and its separation in arcsec (NaN for none)."""


@dataclass(frozen=True)
class Field:
    """Corrected detections (with `ra_plate_deg`, `dec_plate_deg` as they were), catalogues by name, and the radius."""

    detections: Table
    catalogs: Mapping[str, Table]
    skies: Mapping[str, Sky]
    frame: str
    residual: Residual
    radius_arcsec: float

    @property
    def sky(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corrected positions of the detections in degrees."""
        return np.asarray(self.detections["ra_deg"]), np.asarray(self.detections["dec_deg"])

    def match(self) -> dict[str, Match]:
        """Match every catalogue in process."""
        return {name: sky.nearest(*self.sky, self.radius_arcsec) for name, sky in self.skies.items()}

    def measures(self, found: Mapping[str, Match], chance_shift_arcsec: float) -> dict[str, Fact]:
        """Counts, residuals and chance-match fractions of a match."""
        fit = self.residual
        measures: dict[str, Fact] = {
            "n_detections": len(self.detections),
            "n_ties": fit.n_ties,
            "frame": self.frame,
            "residual_degree": fit.degree,
            "residual_shift_arcsec": round(fit.shift_arcsec, 4),
            "scatter_ra_arcsec": round(fit.scatter_ra_arcsec, 4),
            "scatter_dec_arcsec": round(fit.scatter_dec_arcsec, 4),
            "radius_arcsec": round(self.radius_arcsec, 4),
        }
        for name, (index, _) in found.items():
            by_chance = chance_fraction(*self.sky, self.skies[name], self.radius_arcsec, chance_shift_arcsec)
            measures[f"n_{name}"] = len(self.skies[name])
            measures[f"n_matched_{name}"] = int((index >= 0).sum())
            measures[f"chance_fraction_{name}"] = round(by_chance, 5)
        return measures


def make_field(
    detections: Table, catalogs: Mapping[str, Table], *, degree: int, min_ties: int, max_scatter_arcsec: float,
    radius_arcsec: float, n_sigma: float | None = None,
) -> Field:  # fmt: skip
    """Correct the positions of a tile's detections by its catalogues and choose the match radius.

    Parameters
    ----------
    detections : Table
        `ra_deg`, `dec_deg` by the plate solution; not changed.
    catalogs : mapping of name to Table
        Schema REFERENCE, at the epoch of the plate.
    degree, min_ties, max_scatter_arcsec
        See `fit_residual`.
    radius_arcsec : float
        Match radius.
    n_sigma : float, optional
        Take this multiple of the measured scatter per axis as the match radius instead.

    Raises
    ------
    BadCatalogue
        Without any catalogue, with positions in another unit than degrees, or with a row without position.
    BadAstrometry
        With too few ties, or too large a scatter.
    """
    if not catalogs:
        raise BadCatalogue(
            "there is no reference catalogue for this tile, so nothing can be said to have vanished",
            hint="switch on at least one of reference.usnob, gaia, ps1 or own",
        )
    skies = {name: sky_of(table, name) for name, table in catalogs.items()}
    plate = sky_of(detections, "detections")
    lasting = {
        name: Sky(skies[name].ra_deg[keep], skies[name].dec_deg[keep], name)
        for name, keep in ((name, np.asarray(table["is_second_epoch"], bool)) for name, table in catalogs.items())
    }
    frame, residual = _fit_to_best(plate, lasting, degree, min_ties, max_scatter_arcsec)
    corrected = detections.copy(copy_data=False)
    corrected["ra_plate_deg"], corrected["dec_plate_deg"] = plate.ra_deg, plate.dec_deg
    corrected["ra_deg"], corrected["dec_deg"] = residual.apply(plate.ra_deg, plate.dec_deg)
    if n_sigma is not None:
        radius_arcsec = n_sigma * max(residual.scatter_ra_arcsec, residual.scatter_dec_arcsec)
    return Field(corrected, catalogs, skies, frame, residual, radius_arcsec)


def sky_of(table: Table, name: str) -> Sky:
    """Arrange the positions of a table for matching.

    Raises
    ------
    BadCatalogue
        If they are missing, declared in another unit than degrees, or a row has none.
    """
    for column in ("ra_deg", "dec_deg"):
        if column not in table.colnames:
            raise BadCatalogue(
                f"{name} has no column {column}; it has {', '.join(table.colnames)}",
                hint="rename the column that holds it, in degrees", catalog=name,
            )  # fmt: skip
        unit = table[column].unit
        if unit is not None and unit != "deg":
            raise BadCatalogue(
                f"{name}: column {column} is in {unit}, not in degrees",
                hint="convert the column, or state its unit where the catalogue is configured",
                catalog=name, unit=str(unit),
            )  # fmt: skip
    return Sky(table["ra_deg"], table["dec_deg"], name)


def _fit_to_best(
    plate: Sky, skies: Mapping[str, Sky], degree: int, min_ties: int, max_scatter_arcsec: float
) -> tuple[str, Residual]:
    """Fit to the first catalogue, in the order of trust, that has enough ties.

    Only rows seen at a later epoch come here: a row of the first plates alone may be gone, or an artefact of them.
    """
    failures = []
    for name in (name for name in TIE_ORDER if name in skies):
        try:
            return name, fit_residual(plate.ra_deg, plate.dec_deg, skies[name], degree, min_ties, max_scatter_arcsec)
        except BadAstrometry as error:
            if "scatter_arcsec" in error.facts:
                raise
            failures.append(error)
    raise failures[0]
