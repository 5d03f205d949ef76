"""The colour-filter array: which colour a stored pixel saw."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.trouble import refuse

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
"""Colours of a 2 x 2 cell, row by row."""

COLOURS = "RGB"
"""Order of the planes of a colour image."""


def stored_pattern(
    pattern: str, roworder: str = "", n_rows: int = 0, x_offset: int = 0, y_offset: int = 0, x0: int = 0, y0: int = 0
) -> str:
    """Say which colours the first two stored rows have.

    A header gives the pattern as seen in the picture, from its top left corner. With ROWORDER ``TOP-DOWN``, and where
    the header does not say, the first stored row is the top one. With ``BOTTOM-UP`` it is the bottom one: counted
    from it, rows of the pattern swap if their number is even, and stay if it is odd.

    Parameters
    ----------
    pattern : str
        BAYERPAT of the header: RGGB, BGGR, GRBG or GBRG.
    roworder : str
        ROWORDER of the header.
    n_rows : int
        Rows of the whole frame, before it is trimmed.
    x_offset, y_offset : int
        XBAYROFF and YBAYROFF of the header: the picture starts at this place of the pattern.
    x0, y0 : int
        First column and stored row that trimming keeps, from 0.

    Raises
    ------
    LostlightError
        CAL109 for another pattern or order of rows.
    """
    if pattern not in PATTERNS:
        raise refuse("CAL109", f"the colour-filter pattern is {pattern!r}, not one of {', '.join(PATTERNS)}")
    if roworder not in ("", "TOP-DOWN", "BOTTOM-UP"):
        raise refuse("CAL109", f"ROWORDER is {roworder!r}, neither TOP-DOWN nor BOTTOM-UP")
    cell = np.array(list(pattern)).reshape(2, 2)
    flipped = roworder == "BOTTOM-UP" and n_rows % 2 == 0
    cell = np.roll(cell, (-(y_offset + y0 + flipped), -(x_offset + x0)), (0, 1))
    return "".join(cell.ravel())


def colour_masks(pattern: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels of each colour.

    Parameters
    ----------
    pattern : str
        Colours of the first stored cell, from `stored_pattern`.
    shape : tuple of int
        (ny, nx)

    Returns
    -------
    ndarray, shape (3, ny, nx), bool
        Red, green and blue pixels.
    """
    cell = np.array(list(pattern)).reshape(2, 2)
    letters = cell[np.ix_(np.arange(shape[0]) % 2, np.arange(shape[1]) % 2)]
    return np.array([letters == colour for colour in COLOURS])
