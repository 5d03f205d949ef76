"""Named cuts as bits, in words, and counted: each alone and one after the other."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.vocab import bits

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

CUTS: int = sum(bit.value for bit in bits.FILTER if bit.name not in bits.LABELS)
"""All bits that remove a row."""


def combine(marks: Mapping[str, Bools], n_rows: int) -> Integers:
    """Turn named marks (True where a cut fails or a label applies) into a column of bits, shape (n,), int64."""
    flags = np.zeros(n_rows, np.int64)
    for name, mark in marks.items():
        flags[mark] |= bits.filters(name)
    return flags


def survives(flags: ArrayLike) -> Bools:
    """Tell which rows no cut removes; labels remove nothing."""
    return (np.asarray(flags, np.int64) & CUTS) == 0


def reasons(flags: ArrayLike, survivor: str) -> NDArray[np.str_]:
    """Say of each row why it was cut, or why it was not.

    Parameters
    ----------
    flags : array_like, shape (n,)
        Filter bits.
    survivor : str
        What to say of rows that no cut removes; their labels are added.

    Returns
    -------
    ndarray, shape (n,), str
        Names of the bits, separated by semicolons.
    """
    values, inverse = np.unique(np.asarray(flags, np.int64), return_inverse=True)
    words = [_words(int(value), survivor) for value in values]
    return np.array(words, dtype=str)[inverse] if words else np.empty(0, "U1")


def revise(reason: ArrayLike, before: ArrayLike, after: ArrayLike) -> NDArray[np.str_]:
    """Bring reasons up to date where the flags changed; survivors keep their first words."""
    old, new = np.asarray(before, np.int64), np.asarray(after, np.int64)
    revised = np.asarray(reason, object).copy()
    for row in np.flatnonzero(old != new):
        revised[row] = _words(int(new[row]), str(revised[row]).split("; ")[0])
    return revised.astype(str)


def count(flags: ArrayLike) -> dict[str, object]:
    """Count the rows each cut removes: alone, and among those that the cuts before it (in order of declaration) left.

    Returns
    -------
    dict
        ``n_rows``, ``n_survivors``, ``cuts`` (name, n_alone, n_removed, n_left for each cut that some row fails or that
        is declared) and ``labels`` (name, n_rows, n_survivors).
    """
    values = np.asarray(flags, np.int64)
    left = np.ones(len(values), bool)
    cuts, labels = [], []
    for bit in bits.FILTER:
        marked = (values & bit.value) != 0
        if bit.name in bits.LABELS:
            labels.append({"name": bit.name, "n_rows": int(marked.sum())})
            labels[-1]["n_survivors"] = int((marked & survives(values)).sum())
            continue
        removed = int((left & marked).sum())
        left &= ~marked
        cuts.append({"name": bit.name, "n_alone": int(marked.sum()), "n_removed": removed, "n_left": int(left.sum())})
    return {"n_rows": len(values), "n_survivors": int(left.sum()), "cuts": cuts, "labels": labels}


def _words(value: int, survivor: str) -> str:
    named = bits.names(value, bits.FILTER)
    return "; ".join(named) if value & CUTS else "; ".join([survivor, *named])
