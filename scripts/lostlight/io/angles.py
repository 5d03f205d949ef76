"""Angles that tables hold as text: decimal or sexagesimal, to degrees."""

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column

from lostlight.core.errors import BadCatalogue


def as_degrees(column: Column, *, is_ra: bool) -> Column:
    """Give a column of angles as numbers.

    Numbers stay as they are, with their unit; text that holds decimal numbers becomes numbers of the same unit; text
    that holds sexagesimal angles becomes degrees, right ascension being in hours unless the unit says degrees.

    Raises
    ------
    BadCatalogue
        If some text is no angle; names column and row.
    """
    if column.dtype.kind not in "SUO":
        return column
    texts = [str(value).strip() for value in np.ma.filled(np.ma.asarray(column).astype(object), "")]
    try:
        return Column([float(text or "nan") for text in texts], name=column.name, unit=column.unit)
    except ValueError:
        # a VOTable says "h:m:s" or "d:m:s"; a plain table says nothing
        in_hours = is_ra and not str(column.unit or "").strip('"').startswith("d")
        unit = u.hourangle if in_hours else u.deg
        values = [_angle(text, unit, column.name, row) for row, text in enumerate(texts, start=1)]
        return Column(values, name=column.name, unit=u.deg)


def _angle(text: str, unit: u.Unit, name: str, row: int) -> float:
    if not text:
        return float("nan")
    try:
        return float(Angle(text, unit).deg)
    except ValueError as error:
        raise BadCatalogue(
            f"column {name}, row {row}: {text!r} is not an angle",
            hint="write degrees as numbers, or hours and degrees as 10 00 12.3",
            column=name,
            row=row,
        ) from error
