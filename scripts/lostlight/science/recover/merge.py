"""Candidates of several parts of a search in one list: those found twice, at the seams, are one."""

import numpy as np
from astropy.table import Table

from lostlight.science.search.cluster import together


def merged(candidates: Table, arc_days: float, radius_px: float) -> Table:
    """Sort candidates, drop those that repeat a better one, and number them anew.

    Parameters
    ----------
    candidates : Table
        Columns ``MOVERS``.
    arc_days : float
        From the first image to the last.
    radius_px : float
        Candidates nearer than this at both are one.

    Returns
    -------
    Table
        Best first.
    """
    table = candidates[np.argsort(-np.asarray(candidates["lh"], float), kind="stable")]
    if len(table):
        x, y = (
            np.stack([table[f"{axis}_px"], table[f"{axis}_px"] + arc_days * table[f"v{axis}_px_day"]], axis=1)
            for axis in "xy"
        )
        table = table[together(x, y, radius_px) == np.arange(len(table))]
    table["cand_id"] = np.arange(1, len(table) + 1, dtype=np.int32)
    return table
