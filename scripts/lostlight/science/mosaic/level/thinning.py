"""Of very many cells a part is enough: the same part in every frame, spread over the canvas."""

from collections.abc import Sequence

from lostlight.science.mosaic.level.stats import Cells

MOST = 500_000
"""Cells of all frames together that are enough."""


def thinned(cells: Sequence[Cells], most: int = MOST) -> list[Cells]:
    """Keep every second, third, … place of the canvas, as needed.

    Parameters
    ----------
    cells : sequence of Cells
        Of all frames, on one grid.
    most : int
        About so many cells are kept; all where there are no more.

    Returns
    -------
    list of Cells
        The same places of the canvas in every frame.
    """
    total = sum(len(c.index) for c in cells)
    return [one_in(c, total, most) for c in cells]


def one_in(cells: Cells, total: int, most: int = MOST) -> Cells:
    """Keep of the cells of one frame the places that all frames keep, which have `total` cells together."""
    step = -(-total // most)
    if step <= 1:
        return cells
    # A multiplicative hash (Knuth 6.4): no pattern of rows or columns is left out.
    return cells.only(cells.index * 2654435761 % 2**32 // 2**16 % step == 0)
