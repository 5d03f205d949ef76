"""What the helpers for tiles take: arrays of NumPy, mono or colour, and no others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError


class NotNumpy(ConfigError, TypeError):
    """An array lies on a GPU, or is none."""


def planes(tile: Any, name: str) -> NDArray[np.float32]:
    """Give a tile as planes, shape (C, H, W), float32; the tile itself is not changed.

    Parameters
    ----------
    tile : ndarray, shape (C, H, W) with C 1 or 3, or (H, W)
        Pixels; NaN where there is none.
    name : str
        What it is called in a message.

    Raises
    ------
    NotNumpy
        For an array of CuPy or anything that is no array of NumPy.
    ConfigError
        For another shape.
    """
    numpy_only(tile, name)
    if tile.ndim == 2:
        return tile[None].astype(np.float32, copy=False)
    if tile.ndim != 3 or tile.shape[0] not in (1, 3):
        raise ConfigError(f"{name} has shape {tile.shape}", "mono tiles are (H, W) or (1, H, W), colour ones (3, H, W)")
    return tile.astype(np.float32, copy=False)


def numpy_only(array: Any, name: str) -> None:
    """Refuse what is not an array of NumPy, with what to do about it."""
    if type(array).__module__.split(".")[0] == "cupy":
        raise NotNumpy(f"{name} is a CuPy array; photometry works on the host", "pass cupy.asnumpy(array)")
    if not isinstance(array, np.ndarray):
        raise NotNumpy(f"{name} is a {type(array).__name__}, not a NumPy array", "pass a numpy.ndarray")
