"""A packed stack brought to where people want it: unpacked into a folder, or packed again with more attributes."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr

from lostlight.io import zarr_files
from lostlight.io.stack_store import SCHEMA, open_store


def copy(packed: Path, out: Path, attributes: Mapping[str, Any]) -> None:
    """Copy a packed stack, whole or not at all, and add attributes.

    Parameters
    ----------
    packed : Path
        One file, as step 13 makes it.
    out : Path
        A folder, or one file if the name ends in .zip; a store that is there is replaced.
    attributes : mapping
        Plain JSON.

    Raises
    ------
    ConfigError
        If there is something else than a store at `out`.
    ContractError
        If `packed` is no stack.
    """
    open_store(packed)
    with zarr_files.writing(out) as group:
        folder = Path(str(group.store.root))  # type: ignore[attr-defined]
        with zipfile.ZipFile(packed) as archive:
            for entry in archive.infolist():
                place = folder / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, place.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 22)
        zarr_files.describe(zarr.open_group(folder, mode="r+"), SCHEMA, attributes)
