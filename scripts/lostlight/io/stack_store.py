"""Stacks of images in a zarr store: pixels as they are, noise, mask and sky of each image, and what is known of it.

Schema stack/1. Arrays of (T, H, W): science (float32, adu), variance (float32, NaN where there is none), bad (uint32,
bits of `lostlight.vocab.bits.STACK`). Arrays of (T,): one for each of `NUMBERS`. Groups with an array for each image,
of any shape: `extra/<name>/<number of the image>`. Attributes: schema, images (a record for each), and what the maker
adds. Chunks are small and of one image: a stack is written image by image, and a window of all images soon read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from lostlight.core.errors import ContractError
from lostlight.io import zarr_files
from lostlight.vocab.bits import STACK, stack

SCHEMA = "stack/1"
NUMBERS = ("mjd_mid", "exptime_s", "sigma_adu", "gain_e_adu", "zero_mag", "scale", "fwhm_px")
"""Numbers of each image; NaN where unknown."""
PLANES = {"science": "float32", "variance": "float32", "bad": "uint32"}

_AXES = ("image", "y", "x")


class StackWriter:
    """A store that is being written; see `writing`."""

    def __init__(self, group: zarr.Group, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._group = group
        chunk, shard = ((1, *sides) for sides in zarr_files.tiles(shape[1:]))
        self._planes = {
            name: zarr_files.add(
                group,
                name,
                shape,
                dtype,
                0 if name == "bad" else np.nan,
                chunks=chunk,
                shards=shard,
                dimensions=_AXES,
                is_needed=name == "science",
            )
            for name, dtype in PLANES.items()
        }
        self._numbers = {name: np.full(shape[0], np.nan) for name in NUMBERS}
        self._images: list[dict[str, Any]] = [{} for _ in range(shape[0])]

    def put(
        self,
        number: int,
        science: NDArray[np.float32],
        bad: NDArray[np.uint32],
        *,
        variance: NDArray[np.float32] | None = None,
        numbers: Mapping[str, float],
        record: Mapping[str, Any],
        extra: Mapping[str, NDArray] | None = None,
    ) -> None:
        """Write an image; the order does not matter.

        Parameters
        ----------
        number : int
            Of the image in order of time, from 0.
        science, bad, variance : (ny, nx)
            Of no more rows and columns than the stack; where they are fewer, the rest is NO_DATA.
        numbers : mapping of str to float
            Of those in `NUMBERS`; others are an error.
        record : mapping
            Plain JSON: id, wcs (text), psf, filter and whatever else is known.
        extra : mapping of str to array
            Further arrays, such as the mesh of the sky.

        Raises
        ------
        ContractError
            If the image is larger than the stack.
        """
        ny, nx = science.shape
        _, height, width = self.shape
        if ny > height or nx > width:
            raise ContractError(f"an image of {nx} x {ny} pixels does not fit a stack of {width} x {height}")
        whole = np.full((height, width), stack("NO_DATA"), np.uint32)
        whole[:ny, :nx] = bad
        self._planes["bad"][number] = whole
        for name, plane in (("science", science), ("variance", variance)):
            if plane is not None:
                self._planes[name][number, :ny, :nx] = plane
        for name, value in numbers.items():
            self._numbers[name][number] = value
        self._images[number] = dict(record)
        for name, values in (extra or {}).items():
            place = f"extra/{name}/{number:04d}"
            zarr_files.add(self._group, place, values.shape, values.dtype.str)[...] = values

    def finish(self, attributes: Mapping[str, Any]) -> None:
        """Write what is known of the images, and attributes of the stack."""
        for name, values in self._numbers.items():
            zarr_files.add(self._group, name, values.shape, "float64", np.nan, dimensions=_AXES[:1])[...] = values
        bits = {bit.name: [bit.value, bit.text] for bit in STACK}
        told = {"bad_bits": bits, "unit": "adu", "images": self._images}
        zarr_files.describe(self._group, SCHEMA, {**attributes, **told})


@contextmanager
def writing(
    path: Path, shape: tuple[int, int, int], attributes: Mapping[str, Any] | None = None
) -> Iterator[StackWriter]:
    """Write a store, whole or not at all: a folder, or one file if the name ends in .zip.

    Parameters
    ----------
    path : Path
    shape : (T, H, W)
    attributes : mapping, optional
        Plain JSON that tells of the stack; it may be changed until the end.

    Raises
    ------
    ConfigError
        If there is something else than a store at `path`.
    """
    with zarr_files.writing(path) as group:
        writer = StackWriter(group, shape)
        yield writer
        writer.finish(attributes or {})


@dataclass(frozen=True, eq=False)
class Stack:
    """A store that is open to be read; pixels are read when they are asked for.

    Parameters
    ----------
    shape : (T, H, W)
    numbers : mapping of str to (T,) float64
    images : sequence of mapping
        The record of each image.
    attributes : mapping
        Those of the stack.
    """

    shape: tuple[int, int, int]
    numbers: Mapping[str, NDArray[np.float64]]
    images: tuple[Mapping[str, Any], ...]
    attributes: Mapping[str, Any]
    _group: zarr.Group = field(repr=False)

    def read(
        self,
        plane: str,
        images: int | slice = slice(None),
        rows: slice = slice(None),
        columns: slice = slice(None),
    ) -> NDArray:
        """Read science, variance or bad; shape (ny, nx) of one image, (n, ny, nx) of several."""
        try:
            return np.asarray(self._group[plane][images, rows, columns])
        except zarr_files.DAMAGE as error:
            raise _damaged(plane, error) from error

    def extra(self, name: str, image: int) -> NDArray | None:
        """Read a further array of an image; None if it has none of that name."""
        place = f"extra/{name}/{image:04d}"
        return np.asarray(self._group[place][...]) if place in self._group else None


def is_store(path: Path) -> bool:
    """Say whether there is a store, of whatever schema, at a path, by its name and its files."""
    return path.name.endswith(".zarr.zip") or (path / "zarr.json").is_file()


def open_store(path: Path) -> Stack:
    """Open a store, a folder or packed, to read.

    Raises
    ------
    ContractError
        If there is none, it is damaged, or of another schema.
    """
    group = zarr_files.reading(path, SCHEMA)
    attributes = dict(group.attrs)
    try:
        shape = group["science"].shape
        wrong = [
            name for name, dtype in PLANES.items() if (group[name].shape, str(group[name].dtype)) != (shape, dtype)
        ]
        numbers = {name: np.asarray(group[name][...], np.float64) for name in NUMBERS}
        images = tuple(attributes.pop("images"))
    except zarr_files.DAMAGE as error:
        raise _damaged(path.name, error) from error
    wrong += [name for name, values in numbers.items() if values.shape != shape[:1]]
    if not zarr_files.is_whole(group["science"]):
        raise _damaged(path.name, "images are missing")
    if wrong or len(shape) != 3 or len(images) != shape[0]:
        raise _damaged(path.name, f"{', '.join(wrong) or 'images'} have other shapes or types than {SCHEMA} asks for")
    return Stack(shape, numbers, images, attributes, group)


def _damaged(what: str, error: object) -> ContractError:
    return ContractError(f"{what} of the store cannot be read: {error}", hint="make the store again")
