"""The graphics card, where there is one."""

import logging
from functools import cache
from types import ModuleType

from lostlight.core.errors import ConfigError

_INSTALL = 'pip install "lostlight[gpu]" where there is an NVIDIA card and its driver, or set run.device to cpu or auto'
_log = logging.getLogger(__name__)


def card(device: str) -> ModuleType | None:
    """Give CuPy where a card is wanted and is there; None means the processor.

    Raises
    ------
    ConfigError
        Where a card must be used and there is none.
    """
    if device == "cpu":
        return None
    found, why = _look()
    if found is None and device == "gpu":
        raise ConfigError(f"run.device is gpu, but {why}", _INSTALL)
    _log.info("computing on %s", "a graphics card" if found else f"the processor: {why}")
    return found


@cache
def _look() -> tuple[ModuleType | None, str]:
    try:
        import cupy
    except ImportError:
        return None, "CuPy is not installed"
    try:
        n_cards = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return None, f"CuPy finds no card ({error})"
    return (cupy, "") if n_cards else (None, "CuPy finds no card")
