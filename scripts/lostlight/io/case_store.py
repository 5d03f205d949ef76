"""Cases for machine learning in a zarr store: what was planted in each, and from where on the images it was cut.

Schema cases/1. y: (N, T, P, P), the light that was planted. base/<stack>: (T, H, W), the images without it, once.
truth: a group with a column for each fact of the cases, (N, ...); `stack`, `row` and `column` among them say where the
corner of the cut-out was. Text is kept as UTF-8 in rows of bytes. The sum of cut-out and y, in the precision of the
store, is what `Cases.x` gives, bit by bit; x itself is kept on demand alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError, ContractError
from lostlight.io import zarr_files

SCHEMA = "cases/1"
WHERE = ("stack", "row", "column")

_CHUNK, _SHARD = 16, 512
_AXES = ("case", "image", "y", "x")


class CaseWriter:
    """A store of cases that is being written, in order; see `writing`."""

    def __init__(self, group: zarr.Group, n_cases: int, shape: tuple[int, int, int], dtype: str, store_x: bool) -> None:
        self._group, self._n_cases, self._shape, self._dtype = group, n_cases, shape, np.dtype(dtype)
        chunk = min(_CHUNK, max(n_cases, 1))
        shard = min(_SHARD, -(-max(n_cases, 1) // chunk) * chunk)
        names = ("y", "x") if store_x else ("y",)
        self._arrays = {
            name: zarr_files.add(
                group,
                name,
                (n_cases, *shape),
                str(self._dtype),
                chunks=(chunk, *shape),
                shards=(shard, *shape),
                dimensions=_AXES,
                is_needed=True,
            )
            for name in names
        }
        # a shard is written once, and whole
        self._waiting = {name: np.empty((shard, *shape), self._dtype) for name in names}
        self._n_waiting = self._n_written = 0
        self._base: dict[str, tuple[int, int]] = {}
        self._columns: dict[str, list[NDArray]] = {}

    def base(self, stack: str, shape: tuple[int, int], images: Iterable[NDArray]) -> None:
        """Write the images of a stack, one after the other, that cases are cut from.

        Parameters
        ----------
        stack : str
        shape : (H, W)
        images : iterable of (H, W)

        Raises
        ------
        ConfigError
            If a cut-out is larger than an image.
        """
        n_images, *sides = self._shape
        if sides[0] > shape[0] or sides[1] > shape[1]:
            raise ConfigError(
                f"cut-outs of {sides[1]} x {sides[0]} pixels do not fit images of {shape[1]} x {shape[0]} ({stack})",
                hint="make cases.patch_px smaller",
            )
        chunk, shard = zarr_files.tiles(shape)
        array = zarr_files.add(
            self._group,
            f"base/{stack}",
            (n_images, *shape),
            str(self._dtype),
            np.nan,
            chunks=(1, *chunk),
            shards=(1, *shard),
            dimensions=_AXES[1:],
            is_needed=True,
        )
        for number, image in enumerate(images):
            array[number] = image
        self._base[stack] = shape

    def put(self, y: NDArray, truth: Mapping[str, Sequence[Any] | NDArray], x: NDArray | None = None) -> None:
        """Write the cases that follow those written before.

        Parameters
        ----------
        y : (n, T, P, P)
        truth : mapping of str to (n, ...) array
            Facts of each case, among them stack, row and column; the same in every call.
        x : (n, T, P, P), optional
            Cut-out and source together, where they are kept.

        Raises
        ------
        ContractError
            If there are more cases than the store is made for, or facts do not go with them.
        """
        given = {"y": y, "x": x} if "x" in self._arrays else {"y": y}
        self._check(y, truth)
        for name, values in truth.items():
            self._columns.setdefault(name, []).append(np.asarray(values))
        start = 0
        while start < len(y):
            room = len(self._waiting["y"]) - self._n_waiting
            stop = min(start + room, len(y))
            for name, values in given.items():
                self._waiting[name][self._n_waiting : self._n_waiting + stop - start] = values[start:stop]
            self._n_waiting += stop - start
            start = stop
            if self._n_waiting == len(self._waiting["y"]):
                self._flush()

    def finish(self, attributes: Mapping[str, Any]) -> None:
        """Write what waits, the truth, and attributes of the store."""
        self._flush()
        if self._n_written != self._n_cases:
            raise ContractError(f"{self._n_written} of {self._n_cases} cases were made", hint="this is a bug")
        for name, parts in self._columns.items():
            _add_column(self._group, name, np.concatenate(parts))
        told = {"shape": list(self._shape), "stacks": sorted(self._base)}
        zarr_files.describe(self._group, SCHEMA, {**attributes, **told})

    def _check(self, y: NDArray, truth: Mapping[str, Any]) -> None:
        wrong = [name for name, values in truth.items() if len(values) != len(y)]
        missing = [name for name in (*WHERE, *self._columns) if name not in truth]
        if wrong or missing or y.shape[1:] != self._shape or self._n_written + self._n_waiting + len(y) > self._n_cases:
            said = f"{len(y)} cases of {y.shape[1:]} do not go into a store of {self._n_cases} of {self._shape}"
            told = ", ".join((*wrong, *missing))
            raise ContractError(f"{said}{', or not with their ' + told if told else ''}", hint="this is a bug")
        unknown = {str(stack) for stack in truth["stack"]} - set(self._base)
        if unknown:
            raise ContractError(
                f"the images of {', '.join(sorted(unknown))} are not in the store", hint="this is a bug"
            )

    def _flush(self) -> None:
        first, last = self._n_written, self._n_written + self._n_waiting
        if last > first:
            for name, array in self._arrays.items():
                array[first:last] = self._waiting[name][: last - first]
        self._n_written, self._n_waiting = last, 0


@contextmanager
def writing(
    path: Path,
    n_cases: int,
    shape: tuple[int, int, int],
    attributes: Mapping[str, Any] | None = None,
    *,
    dtype: str = "float32",
    store_x: bool = False,
) -> Iterator[CaseWriter]:
    """Write a store of cases, whole or not at all: a folder, or one file if the name ends in .zip.

    Parameters
    ----------
    path : Path
    n_cases : int
    shape : (T, P, P)
    attributes : mapping, optional
        Plain JSON, such as the times of the images, arcsec per pixel, and widths of the PSF.
    dtype : str
        float32 or float64.
    store_x : bool
        Keep x too, though it is the sum of what is kept.
    """
    with zarr_files.writing(path) as group:
        writer = CaseWriter(group, n_cases, shape, dtype, store_x)
        yield writer
        writer.finish(attributes or {})


@dataclass(frozen=True, eq=False)
class Cases:
    """A store of cases that is open to be read.

    Parameters
    ----------
    shape : (N, T, P, P)
    truth : mapping of str to (N, ...) array
    attributes : mapping
    """

    shape: tuple[int, int, int, int]
    truth: Mapping[str, NDArray]
    attributes: Mapping[str, Any]
    _group: zarr.Group = field(repr=False)
    _held: dict[str, NDArray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.shape[0]

    def y(self, case: int | slice) -> NDArray:
        """Read the light that was planted: (T, P, P) of one case, (n, T, P, P) of several."""
        return self._read("y", case)

    def patch(self, case: int) -> NDArray:
        """Read the cut-out (T, P, P) without what was planted."""
        return self._cut(self._group[f"base/{self.truth['stack'][case]}"], case)

    def x(self, case: int | slice) -> NDArray:
        """Give cut-out and source together: (T, P, P) of one case, (n, T, P, P) of several.

        Of several, the images they are cut from are read whole, and held from then on.
        """
        if not isinstance(case, slice):
            return self.patch(case) + self.y(case)
        together = self.y(case)
        for number, cut in zip(range(len(self))[case], together, strict=True):
            stack = str(self.truth["stack"][number])
            if stack not in self._held:
                self._held[stack] = self._read(f"base/{stack}", ...)
            cut += self._cut(self._held[stack], number)
        return together

    def _cut(self, base: zarr.Array | NDArray, case: int) -> NDArray:
        height, width = self.shape[2:]
        row, column = int(self.truth["row"][case]), int(self.truth["column"][case])
        return np.asarray(base[:, row : row + height, column : column + width])

    def _read(self, name: str, place: Any) -> NDArray:
        try:
            return np.asarray(self._group[name][place])
        except zarr_files.DAMAGE as error:
            raise _damaged(name, error) from error


def open_cases(path: Path) -> Cases:
    """Open a store of cases to read.

    Raises
    ------
    ContractError
        If there is none, it is damaged, or of another schema.
    """
    group = zarr_files.reading(path, SCHEMA)
    try:
        shape = group["y"].shape
        truth = {name: _column(array) for name, array in sorted(group["truth"].arrays())}
        is_whole = all(
            zarr_files.is_whole(array) for array in (group["y"], *(each for _, each in group["base"].arrays()))
        )
    except zarr_files.DAMAGE as error:
        raise _damaged(path.name, error) from error
    if len(shape) != 4 or any(len(values) != shape[0] for values in truth.values()) or not set(WHERE) <= set(truth):
        raise _damaged(path.name, f"its arrays are not those of {SCHEMA}")
    if not is_whole:
        raise _damaged(path.name, "cases or images are missing")
    return Cases(shape, truth, dict(group.attrs), group)


def _add_column(group: zarr.Group, name: str, values: NDArray) -> None:
    is_text = values.dtype.kind == "U"
    if is_text:
        encoded = np.char.encode(values, "utf-8")
        width = max(encoded.dtype.itemsize, 1)
        values = np.frombuffer(encoded.astype(f"S{width}").tobytes(), np.uint8).reshape(len(values), width)
    elif values.dtype.kind == "b":
        values = values.astype(np.bool_)
    array = zarr_files.add(group, f"truth/{name}", values.shape, str(values.dtype))
    array[...] = values
    array.update_attributes({"text": is_text})


def _column(array: zarr.Array) -> NDArray:
    values = np.asarray(array[...])
    if not array.attrs.get("text"):
        return values
    return np.char.decode(np.ascontiguousarray(values).view(f"S{values.shape[1]}").ravel(), "utf-8")


def _damaged(what: str, error: object) -> ContractError:
    return ContractError(f"{what} of the store of cases cannot be read: {error}", hint="make the store again")
