"""Stores of zarr 3 on disk: written whole or not at all, as a folder or packed into one file, of a named schema."""

import json
import math
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from lostlight import __version__
from lostlight.core.atomic import replacing
from lostlight.core.errors import ConfigError, ContractError
from lostlight.io.packed import PackedStore, pack

PACKED = ".zip"
DAMAGE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile)
"""What zarr makes of a store that is not whole."""
_CHUNK_PX, _SHARD_PX = 128, 2048
CODECS = (BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec())
"""Small, and with a sum by which damage shows."""


@contextmanager
def writing(path: Path) -> Iterator[zarr.Group]:
    """Give an empty group; on success it is at `path`, a folder or, where the name ends in .zip, one file.

    What was there is replaced, if it was a store.

    Raises
    ------
    ConfigError
        If there is something else at `path`.
    """
    if path.is_dir() and (path.suffix == PACKED or not (path / "zarr.json").is_file()):
        raise ConfigError(f"{path} is a folder, and not a store that could be replaced", hint="give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        staging = Path(folder) / "store"
        yield zarr.open_group(staging, mode="w", zarr_format=3)
        if path.suffix == PACKED:
            with replacing(path) as packed:
                pack(staging, packed)
            return
        if path.exists():
            path.rename(Path(folder) / "former")
        staging.rename(path)


def reading(path: Path, schema: str) -> zarr.Group:
    """Open a store to read.

    Raises
    ------
    ContractError
        If there is none, it cannot be read, or it is of another schema.
    """
    if not path.exists():
        raise ContractError(f"{path} does not exist", hint="check the name of the store")
    try:
        group = zarr.open_group(PackedStore(path) if path.is_file() else path, mode="r")
        found = dict(group.attrs).get("schema")
    except DAMAGE as error:
        raise ContractError(f"{path.name} is not a store of zarr, or damaged: {error}", hint="make it again") from error
    if found != schema:
        raise ContractError(
            f"{path.name} holds {found or 'no schema that is known here'}, not {schema}",
            hint="make it again with this version, or name another store",
            found=str(found),
        )
    return group


def add(
    group: zarr.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    fill: float = 0,
    *,
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
    dimensions: tuple[str, ...] | None = None,
    is_needed: bool = False,
) -> zarr.Array:
    """Add an array to a group; chunks of nothing but `fill` take no room, unless all are needed: see `is_whole`."""
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks or tuple(max(side, 1) for side in shape),
        shards=shards,
        fill_value=math.nan if fill != fill else fill,
        compressors=CODECS,
        dimension_names=dimensions,
        config={"write_empty_chunks": is_needed},
    )


def is_whole(array: zarr.Array) -> bool:
    """Say whether all shards of an array are there; zarr takes one that is lost for empty."""
    shards = array.shards or array.chunks
    per_shard = math.prod(shard // chunk for shard, chunk in zip(shards, array.chunks, strict=True))
    n_shards = math.prod(-(-side // shard) for side, shard in zip(array.shape, shards, strict=True))
    return array.nchunks_initialized == per_shard * n_shards


def tiles(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the sides of the chunks and shards of an image: small ones, of which many are kept together."""
    chunk = tuple(min(_CHUNK_PX, side) for side in shape)
    shard = tuple(min(-(-side // part) * part, _SHARD_PX) for side, part in zip(shape, chunk, strict=True))
    return chunk, shard


def describe(group: zarr.Group, schema: str, attributes: Mapping[str, Any]) -> None:
    """Set the schema and further attributes of a group; raises ValueError for what is not plain JSON."""
    told = {**attributes, "schema": schema, "creator": f"lostlight {__version__}"}
    group.update_attributes(json.loads(json.dumps(told, allow_nan=False)))
