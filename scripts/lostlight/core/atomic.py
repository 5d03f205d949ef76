"""Write whole or not at all, and know the sha256 of what was written."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

_SETTLED_S = 3.0
"""Clocks of file systems tick as slowly as this: a file changed since may look as before."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`, on failure it disappears.

    The temporary name keeps the suffixes of `path`, because writers choose their format by them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        staging = Path(folder) / path.name
        yield staging
        _flush(staging)
        staging.replace(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as staging:
        staging.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON with sorted keys, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """Hash a file; raises OSError where it cannot be read.

    A file that many units take is hashed once: what the system has not changed for some seconds is as it was.
    """
    state = path.stat()
    if abs(time.time() - state.st_ctime) < _SETTLED_S:
        return _sha256(path)
    return _sha256_of_state(path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _sha256_of_state(path: Path, *_: int) -> str:
    return _sha256(path)


def sha256_json(content: Any) -> str:
    """Hash plain data by its canonical JSON form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
