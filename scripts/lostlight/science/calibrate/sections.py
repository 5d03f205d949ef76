"""Sections of a frame as headers write them, such as ``[17:528,1:520]``, and what trimming does to a header."""

import re
from dataclasses import dataclass

from astropy.io.fits import Header

from lostlight.science.calibrate.cfa import PATTERNS, stored_pattern
from lostlight.science.calibrate.trouble import refuse

_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")


@dataclass(frozen=True)
class Section:
    """Part of a frame: columns x0 to x1 and rows y0 to y1, zero-based, the last ones excluded."""

    x0: int
    x1: int
    y0: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array (ny, nx) with."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.y1 - self.y0, self.x1 - self.x0

    def __str__(self) -> str:
        return f"[{self.x0 + 1}:{self.x1},{self.y0 + 1}:{self.y1}]"


def read(text: str, shape: tuple[int, int] | None = None, where: str = "") -> Section:
    """Read a section in the FITS convention: columns first, from 1, the last ones included.

    Parameters
    ----------
    text : str
        ``[x1:x2,y1:y2]``; blanks do not matter.
    shape : tuple of int, optional
        (ny, nx) of the frame that must hold it.
    where : str
        Frame and key, for the message.

    Raises
    ------
    LostlightError
        CAL109 if it is no section, runs backwards or leaves the frame.
    """
    said = f"{where + ': ' if where else ''}section {text!r}"
    found = _SECTION.fullmatch(text.strip())
    if not found:
        raise refuse("CAL109", f"{said} is not of the form [x1:x2,y1:y2]", "correct the header, or overscan: off")
    x1, x2, y1, y2 = map(int, found.groups())
    if x1 < 1 or y1 < 1 or x2 < x1 or y2 < y1:
        raise refuse("CAL109", f"{said} runs backwards or begins before 1", "correct the header, or overscan: off")
    if shape is not None and (x2 > shape[1] or y2 > shape[0]):
        raise refuse(
            "CAL109",
            f"{said} leaves the frame, which has {shape[1]} columns and {shape[0]} rows",
            "correct the header, or overscan: off",
        )
    return Section(x1 - 1, x2, y1 - 1, y2)


def parse(text: str, shape: tuple[int, int] | None = None, where: str = "") -> tuple[slice, slice]:
    """Read a section as slices of rows and columns; see `read`."""
    return read(text, shape, where).slices


def shifted(header: Header, y0: int, x0: int) -> Header:
    """Give the header of a frame whose first `y0` rows and `x0` columns were trimmed.

    The sky stays where it was: CRPIX moves, and so do the physical coordinates (LTV) and the colour-filter pattern.
    Sections of the whole frame are removed, as they mean nothing now. Where pixels were binned by LTM, LTV counts
    binned ones, as IRAF has it: physical = (image - LTV) / LTM.

    Parameters
    ----------
    header : Header
        Header of the whole frame; not changed.
    y0, x0 : int
        Zero-based row and column of the whole frame that is the first one now.
    """
    trimmed = header.copy()
    for name in ("BIASSEC", "TRIMSEC", "DATASEC"):
        trimmed.remove(name, ignore_missing=True, remove_all=True)
    # even where no first row is cut: rows cut at the end change what BOTTOM-UP means
    _shift_colours(trimmed, y0, x0)
    if not (y0 or x0):
        return trimmed
    # a header may hold several solutions: CRPIX1, CRPIX1A ... CRPIX1Z
    for name in [card.keyword for card in trimmed.cards if re.fullmatch(r"CRPIX[12][A-Z]?", card.keyword)]:
        if isinstance(trimmed[name], int | float):
            trimmed[name] = trimmed[name] - (x0 if name[5] == "1" else y0)
    for name, by in (("LTV1", x0), ("LTV2", y0)):
        trimmed[name] = _number(trimmed, name) - by
    return trimmed


def _shift_colours(header: Header, y0: int, x0: int) -> None:
    """Write the pattern as it is stored now, so that no offset and no order of rows must be known any more."""
    pattern = str(header.get("BAYERPAT", "")).strip().upper()
    if pattern not in PATTERNS:
        return
    order = str(header.get("ROWORDER", "")).strip().upper()
    header["BAYERPAT"] = stored_pattern(
        pattern,
        order if order in ("TOP-DOWN", "BOTTOM-UP") else "",
        *(int(_number(header, name)) for name in ("NAXIS2", "XBAYROFF", "YBAYROFF")),
        x0,
        y0,
    )
    for name in ("XBAYROFF", "YBAYROFF", "ROWORDER"):
        header.remove(name, ignore_missing=True, remove_all=True)


def _number(header: Header, key: str) -> float:
    """Give a number of a header; zero where there is none, or a word."""
    value = header.get(key, 0.0)
    return value if isinstance(value, int | float) else 0.0
