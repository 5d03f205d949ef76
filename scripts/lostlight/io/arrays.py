"""Arrays by name in one file, for what one unit of a step leaves to another."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lostlight.core import atomic
from lostlight.core.errors import ContractError


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, whole or not at all; equal arrays give equal bytes."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **dict(sorted(arrays.items())))
    atomic.write_bytes(path, content.getvalue())


def read(path: Path) -> dict[str, np.ndarray]:
    """Read what `write` wrote; raises ContractError where the file is not that."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
        hint = "delete it and run its step again"
        raise ContractError(f"{path.name} cannot be read: {error}", hint=hint) from error
