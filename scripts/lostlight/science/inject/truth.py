"""The truth of what was planted: one row for each source, and one for each source and image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.movers import INJECTED, INJECTED_EPOCHS

_TYPES = {"str": np.str_}


def injected(columns: Mapping[str, Any], n: int) -> Table:
    """Make the table of sources.

    Parameters
    ----------
    columns : mapping of str to (n,) array or a single value
        By the names of `lostlight.vocab.movers.INJECTED`; what is not given is NaN, empty or 0.
    n : int
        Number of sources.
    """
    return _table(INJECTED, columns, (n,))


def injected_epochs(columns: Mapping[str, Any], inj_id: Sequence[str], n_images: int) -> Table:
    """Make the table of sources and images: all images of the first source, then those of the next.

    Parameters
    ----------
    columns : mapping of str to (n, T) or (T,) array or a single value
        By the names of `lostlight.vocab.movers.INJECTED_EPOCHS`; what is not given is NaN, empty or 0.
    inj_id : sequence of n str
    n_images : int
        T.
    """
    keys = {"inj_id": np.asarray(inj_id)[:, None], "epoch": np.arange(n_images)}
    return _table(INJECTED_EPOCHS, {**columns, **keys}, (len(inj_id), n_images))


def source_ids(stack_id: str, n: int, first: int = 0) -> NDArray[np.str_]:
    """Name sources by their stack and their number."""
    before = f"{stack_id}:" if stack_id else ""
    return np.array([f"{before}{i:06d}" for i in range(first, first + n)], dtype=np.str_)


def _table(schema: Sequence[str], columns: Mapping[str, Any], shape: tuple[int, ...]) -> Table:
    made = {}
    for name in schema:
        kind = COLUMNS[name].dtype
        absent = {"str": "", "f8": np.nan, "f4": np.nan}.get(kind, 0)
        values = np.broadcast_to(np.asarray(columns.get(name, absent)), shape).reshape(-1)
        made[name] = values.astype(_TYPES.get(kind, kind))
    return Table(made)
