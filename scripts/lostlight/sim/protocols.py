"""How archives and services write their answers: FITS cutouts, VizieR's VOTable and TSV, SkyBoT's VOTable."""

import re
from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.table import Column, Table

from lostlight.sim.faults import Fault

DEFAULT_ROWS = 50
"""VizieR's answer to a query that does not say how many rows it wants."""

_RA_NAMES = ("RAJ2000", "RA_ICRS", "RAmdeg", "RAdeg", "ra")
_DEC_NAMES = ("DEJ2000", "DE_ICRS", "DEmdeg", "DEdeg", "de")
_SKYBOT_NAMES = {
    "Num": "num",
    "Name": "name",
    "class": "class",
    "Mv": "magV",
    "pmRA": "dracosdec",
    "pmDEC": "ddec",
}
_DSS_POLYNOMIAL = re.compile(r"AMD[XY]\d+|PPO\d|CNPIX\d|PLT(RA[HMS]|DEC(SN|D|M|S))")
_TAN = ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


def image(data: np.ndarray, header: fits.Header, faults: Mapping[str, Fault]) -> bytes:
    """Write a cutout, shape (ny, nx), int16, as FITS, with the faults of images."""
    data, header = data.copy(), header.copy()
    if "small" in faults:
        data = data[:, : data.shape[1] // 2]
    if "blank_wedge" in faults:
        ny, nx = data.shape
        data[np.add.outer(np.arange(ny) / ny, np.arange(nx) / nx) < 0.5] = 0
    if "all_blank" in faults:
        data[:] = 0
    if "changed" in faults:
        data += 1
    if "wrong_survey" in faults:
        header["SURVEY"], header["REGION"], header["BANDPASS"] = "POSSII-F", "XP270", 35
    if "date_overflow" in faults:
        header["DATE-OBS"] = f"{str(header['DATE-OBS'])[:10]}T04:65:00"
    if "partial_dss" in faults:
        _drop(header, [name for name in header if _DSS_POLYNOMIAL.fullmatch(name)])
    if "no_wcs" in faults:
        _drop(header, [name for name in header if _DSS_POLYNOMIAL.fullmatch(name)])
        _drop(header, [*_TAN, "XPIXELSZ", "YPIXELSZ"])
    stream = BytesIO()
    fits.PrimaryHDU(data, header).writeto(stream, output_verify="ignore")
    content = stream.getvalue()
    return content[: len(content) * 2 // 3] if "truncated" in faults else content


def select(table: Table, query: Mapping[str, str], faults: Mapping[str, Fault]) -> tuple[Table, bool]:
    """Apply the constraints, columns and row limit of a VizieR query; says whether rows were cut off openly."""
    for name, constraint in query.items():
        if name in table.colnames:
            table = table[_satisfied(np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan), constraint)]
    wanted = [name for name in query.get("-out", "").split(",") if name in table.colnames]
    table = table[wanted or table.colnames]
    table = _spoiled(table, faults)
    if "fifty_rows" in faults:
        return table[:DEFAULT_ROWS], False
    if "capped" in faults:
        return table[: int(faults["capped"].value)], False
    limit = query.get("-out.max", str(DEFAULT_ROWS))
    if limit == "unlimited" or len(table) <= int(limit):
        return table, False
    return table[: int(limit)], True


def votable(table: Table, name: str, *, is_cut: bool = False, is_bare: bool = False) -> bytes:
    """Write a table as VizieR and SkyBoT do: VOTable 1.4 with TABLEDATA; `is_bare` leaves the table out."""
    fields = "".join(_field(table, column) for column in table.colnames)
    rows = "".join(
        f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>\n"
        for row in zip(*(_cells(table[column], escape) for column in table.colnames), strict=True)
    )
    data = f"{fields}<DATA><TABLEDATA>\n{rows}</TABLEDATA></DATA>"
    found = "" if is_bare else f'<TABLE name="{escape(name)}">\n{data}</TABLE>\n'
    status = "OVERFLOW" if is_cut else "OK"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
        f'<RESOURCE type="results" name="{escape(name)}">\n<INFO name="QUERY_STATUS" value="{status}"/>\n'
        f"{found}</RESOURCE>\n</VOTABLE>\n"
    ).encode()


def tsv(table: Table, name: str) -> bytes:
    """Write a table as VizieR's asu-tsv: comments, header, units, dashes, rows."""
    lines = ["#", "#   VizieR Astronomical Server", f"#Name: {name}", ""]
    lines.append("\t".join(table.colnames))
    lines.append("\t".join(_unit(table, column) or " " for column in table.colnames))
    lines.append("\t".join("-" * 8 for _ in table.colnames))
    columns = (_cells(table[column], str) for column in table.colnames)
    lines.extend("\t".join(row) for row in zip(*columns, strict=True))
    return ("\n".join(lines) + "\n#END#\n").encode()


def bodies(table: Table) -> Table:
    """Give solar-system bodies the columns and sexagesimal positions of SkyBoT."""
    written = Table({theirs: table[ours] for ours, theirs in _SKYBOT_NAMES.items()})
    written["errpos"] = np.full(len(table), 0.1)
    for name, ours, unit in (("ra", "RA", u.hourangle), ("de", "DEC", u.deg)):
        angles = Angle(np.asarray(table[ours], dtype=float), u.deg)
        texts = angles.to_string(unit=unit, sep=" ", precision=4, pad=True, alwayssign=name == "de")
        written[name] = np.asarray(texts, dtype="U")
    return written


def position(text: str) -> tuple[float, float]:
    """Read VizieR's ``-c``: right ascension and declination in degrees, a sign or a blank between them."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([+-]?\s*[\d.]+)\s*", text)
    if found is None:
        raise ValueError(f"cannot read the position {text!r}")
    return float(found[1]), float(found[2].replace(" ", ""))


def extent_deg(query: Mapping[str, str]) -> dict[str, float | tuple[float, float]]:
    """Read VizieR's ``-c.r`` or ``-c.b`` with its unit letter d, m or s (arcminutes where there is none)."""
    for key, word in (("-c.r", "radius_deg"), ("-c.b", "box_deg")):
        for letter, per_degree in (("d", 1), ("m", 60), ("s", 3600), ("", 60)):
            if text := query.get(key + letter):
                sizes = tuple(float(part) / per_degree for part in text.split("x"))
                return {word: sizes[0] if word == "radius_deg" else (sizes * 2)[:2]}
    raise ValueError("a cone or box is needed: -c.r or -c.b")


def _spoiled(table: Table, faults: Mapping[str, Fault]) -> Table:
    ra, dec = (next((n for n in names if n in table.colnames), "") for names in (_RA_NAMES, _DEC_NAMES))
    rows = np.arange(len(table))
    if "empty" in faults or "header_only" in faults:
        rows = rows[:0]
    if "changed" in faults:
        rows = rows[:-1]
    if "duplicate_rows" in faults:
        rows = np.repeat(rows, 2)
    if "half_coverage" in faults and len(rows):
        rows = rows[np.asarray(table[ra])[rows] < np.median(table[ra])]
    table = _spoil_magnitudes(table[rows], faults)
    if "nan_coordinates" in faults and len(table):
        table[ra] = np.where(np.arange(len(table)) == len(table) // 2, np.nan, np.asarray(table[ra], dtype=float))
    if "sexagesimal" in faults:
        for name, unit, written in ((ra, u.hourangle, '"h:m:s"'), (dec, u.deg, '"d:m:s"')):
            angles = Angle(np.asarray(table[name], dtype=float), u.deg)
            table[name] = angles.to_string(unit=unit, sep=" ", precision=4, pad=True, alwayssign=name == dec)
            table[name].meta["unit"] = written
    return table


def _spoil_magnitudes(table: Table, faults: Mapping[str, Fault]) -> Table:
    magnitudes = [name for name in table.colnames if name.endswith("mag")]
    if "nan_mags" in faults:
        for name in magnitudes:
            table[name] = np.nan
            table[name].meta["missing"] = "NaN"
    if "sentinel_mags" in faults:
        for number, name in enumerate(magnitudes):
            values = np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan)
            table[name] = np.where(np.isnan(values), (99.99, -999.0)[number % 2], values)
    return table


def _satisfied(values: np.ndarray, constraint: str) -> np.ndarray:
    """Evaluate a VizieR constraint: ``<12``, ``<=12``, ``>12``, ``>=12``, ``11..12`` or a value."""
    if ".." in constraint:
        low, high = (float(part) for part in constraint.split(".."))
        return (values >= low) & (values <= high)
    operator, number = re.fullmatch(r"\s*([<>]?=?)\s*(\S+)\s*", constraint).groups()
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}.get(operator, np.equal)
    return compare(values, float(number))


def _unit(table: Table, name: str) -> str:
    return str(table[name].meta.get("unit") or table[name].unit or "").replace(" ", "")


def _field(table: Table, name: str) -> str:
    kind, unit = _votable_type(table[name].dtype), _unit_attribute(table, name)
    return f'<FIELD ID="{_identifier(name)}" name="{escape(name)}" {kind}{unit}/>\n'


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def _unit_attribute(table: Table, name: str) -> str:
    unit = _unit(table, name)
    return f' unit="{escape(unit)}"' if unit else ""


def _votable_type(dtype: np.dtype) -> str:
    return {"f": 'datatype="double"', "i": 'datatype="long"', "u": 'datatype="long"', "b": 'datatype="boolean"'}.get(
        dtype.kind, 'datatype="char" arraysize="*"'
    )


def _cells(column: Column, quote: Callable[[str], str]) -> list[str]:
    values, hidden = np.ma.getdata(column), np.ma.getmaskarray(np.ma.asarray(column))
    if column.dtype.kind != "f":
        return ["" if blank else quote(str(value)) for value, blank in zip(values, hidden, strict=True)]
    # VizieR leaves a missing number blank; a service that writes NaN is one of the faults.
    missing = str(column.meta.get("missing", ""))
    return [
        missing if blank else f"{value:.10g}" for value, blank in zip(values, hidden | np.isnan(values), strict=True)
    ]


def _drop(header: fits.Header, names: list[str]) -> None:
    for name in names:
        header.remove(name, ignore_missing=True, remove_all=True)
