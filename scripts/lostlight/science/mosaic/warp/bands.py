"""Rows of a frame with some of its pixels changed: looked for once, a band of rows at a time."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = Callable[[int, int], Floats]
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
Changes = tuple[Places, Floats]

BAND = 64
"""Rows that are searched at once: few stay in cache. They are searched once, however often they are asked for."""


def changed(rows: Rows, n_rows: int, margin: int, find: Callable[[Floats], Iterable[Changes]]) -> Rows:
    """Give the rows of a frame with the changes that a search proposes.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid.
    n_rows : int
        Rows of the frame.
    margin : int
        Rows beyond a band that the search looks at.
    find : callable
        Takes some rows, (C, n, nx), and gives for each colour the places (y, x) to change, and their new values.

    Returns
    -------
    callable
        As `rows`; the same pixels are changed whatever rows are asked for.
    """
    known: dict[int, list[Changes]] = {}

    def of_band(band: int) -> list[Changes]:
        first, last = BAND * band, min(BAND * (band + 1), n_rows)
        top = max(first - margin, 0)
        found = []
        for (y, x), values in find(rows(top, min(last + margin, n_rows))):
            here = (y >= first - top) & (y < last - top)
            found.append(((y[here] + top, x[here]), values[here]))
        return found

    def new(y0: int, y1: int) -> Floats:
        data = rows(y0, y1)
        for band in range(y0 // BAND, -(-y1 // BAND)):
            if band not in known:
                known[band] = of_band(band)
            for plane, ((y, x), values) in zip(data, known[band], strict=True):
                here = (y >= y0) & (y < y1)
                plane[y[here] - y0, x[here]] = values[here]
        return data

    return new
