"""Motion as a table of positions tells it, between its rows by cubic splines."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from lostlight.core.errors import ConfigError
from lostlight.science.sky.separation import positions_deg, unit_vectors

FloatArray = NDArray[np.float64]

_LEAST_ROWS = 4
_TOO_FAR_APART_DEG = 60
"""Between two rows: no spline tells where a body was then."""


@dataclass(frozen=True, eq=False)
class TableMotion:
    """Bodies whose positions are known at times of their own.

    Parameters
    ----------
    mjd : sequence of n ndarrays, each (m,), float64
        MJD, UTC; of each body its own, four at least, rising.
    ra_deg, dec_deg : sequence of n ndarrays, each (m,), float64
        Degrees.
    names : sequence of n str
        What the bodies are called; may be empty.

    Raises
    ------
    ConfigError
        If a body has fewer than four rows, rows out of order, two at one time, values that are no positions, or rows
        too far apart on the sky.
    """

    mjd: Sequence[FloatArray]
    ra_deg: Sequence[FloatArray]
    dec_deg: Sequence[FloatArray]
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        for body, rows in enumerate(zip(self.mjd, self.ra_deg, self.dec_deg, strict=True)):
            wrong = _wrong_with(*(np.asarray(column, np.float64) for column in rows))
            if wrong:
                name = self.names[body] if self.names else body
                raise ConfigError(
                    f"body {name} of the table of positions: {wrong}",
                    hint="give at least four rows for each body, in order of time, close enough to follow it",
                    body=name,
                )

    @classmethod
    def from_rows(cls, ids: Sequence[str], mjd: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike) -> "TableMotion":
        """Take the rows of a table, of all bodies and in any order; bodies come as they first occur.

        Parameters
        ----------
        ids : sequence of str, (rows,)
            Names of the bodies.
        mjd, ra_deg, dec_deg : array_like, (rows,)
        """
        columns = [np.asarray(column, np.float64) for column in (mjd, ra_deg, dec_deg)]
        rows = defaultdict(list)
        for row in np.argsort(columns[0], kind="stable"):
            rows[ids[row]].append(row)
        names = list(dict.fromkeys(ids))
        return cls(*([column[rows[name]] for name in names] for column in columns), names)

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the bodies are.

        Parameters
        ----------
        mjd : array_like, any shape S
            Times, MJD, UTC.

        Returns
        -------
        ra_deg, dec_deg : ndarray, (n, *S), float64
            NaN before the first and after the last row of a body.
        """
        mjd = np.asarray(mjd, np.float64)
        ra, dec = np.full((2, len(self.mjd), *mjd.shape), np.nan)
        for bodies in self._with_same_times():
            nodes = np.asarray(self.mjd[bodies[0]], np.float64)
            ways = unit_vectors([self.ra_deg[b] for b in bodies], [self.dec_deg[b] for b in bodies])
            ra[bodies], dec[bodies] = positions_deg(CubicSpline(nodes, ways, axis=1, extrapolate=False)(mjd))
        return ra, dec

    def _with_same_times(self) -> list[list[int]]:
        bodies = defaultdict(list)
        for body, times in enumerate(self.mjd):
            bodies[np.asarray(times, np.float64).tobytes()].append(body)
        return list(bodies.values())


def _wrong_with(mjd: FloatArray, ra_deg: FloatArray, dec_deg: FloatArray) -> str:
    if not np.isfinite([mjd, ra_deg, dec_deg]).all() or (np.abs(dec_deg) > 90).any():
        return "a value is no position or no time"
    if len(mjd) < _LEAST_ROWS:
        return f"{len(mjd)} rows, where {_LEAST_ROWS} are needed"
    if (np.diff(mjd) <= 0).any():
        return "rows are out of order, or two have the same time"
    ways = unit_vectors(ra_deg, dec_deg)
    if (np.sum(ways[1:] * ways[:-1], axis=-1) < np.cos(np.radians(_TOO_FAR_APART_DEG))).any():
        return f"rows are more than {_TOO_FAR_APART_DEG} degrees apart on the sky"
    return ""
