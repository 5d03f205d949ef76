"""Products of the columns of a large, mostly empty matrix with each other, the cheaper way."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ROWS_AT_ONCE = 4096


def gram(rows: sparse.csr_matrix) -> NDArray[np.float64]:
    """Multiply a matrix by itself, transposed times straight.

    Parameters
    ----------
    rows : scipy.sparse.csr_matrix, shape (m, k)

    Returns
    -------
    ndarray, shape (k, k), float64
    """
    filled = np.diff(rows.indptr).astype(np.float64)
    n_rows, n_columns = rows.shape
    if 20 * np.sum(filled**2) < n_rows * float(n_columns) ** 2:
        return (rows.T @ rows).toarray()
    products = np.zeros((n_columns, n_columns))
    for first in range(0, n_rows, ROWS_AT_ONCE):
        part = rows[first : first + ROWS_AT_ONCE].toarray()
        products += part.T @ part
    return products


def gram_of_sets(sets: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Count how many members each two sets share; float64, shape (n, n)."""
    members = np.concatenate(sets) if len(sets) else np.empty(0, np.int64)
    names, at = np.unique(members, return_inverse=True)
    which = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    shape = (len(names), len(sets))
    return gram(sparse.csr_matrix((np.ones(len(members)), (at.ravel(), which)), shape))
