"""Arrays for the length of a piece of work: in memory while they are small, in a file without a name otherwise."""

import ctypes
import mmap
import os
import tempfile
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

SMALL = 16 << 20
"""Bytes that are kept in memory."""


def scratch(shape: tuple[int, ...], dtype: DTypeLike, folder: Path | None = None, small: int = SMALL) -> NDArray:
    """Make an array of zeros that needs no more memory than what is being worked on.

    Parameters
    ----------
    shape, dtype
        As of `numpy.zeros`.
    folder : Path, optional
        Where the file is made; it has no name there, and vanishes with the array, even if the process is killed.
    small : int
        Arrays of fewer bytes stay in memory.

    Raises
    ------
    OSError
        If the disk has no room for it: that is known now, and not when it is half full.
    """
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if n_bytes < small or n_bytes == 0:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.memmap(file, dtype, "r+", shape=shape)


def release(array: NDArray) -> None:
    """Let the system take back the memory of an array from `scratch`; its values stay in its file.

    Nothing is done to any other array.
    """
    while isinstance(array.base, np.ndarray):
        array = array.base
    # what was changed in a private map would be lost
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.mode == "r+":
        array.base.madvise(mmap.MADV_DONTNEED)


def trim() -> None:
    """Let the system take back what was freed and is kept for arrays to come; only some systems have a word for it."""
    if give_back := getattr(ctypes.CDLL(None), "malloc_trim", None):
        give_back(0)
