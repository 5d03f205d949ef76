"""Which machinery sorts and clips: NumPy, or compiled loops that give the same bits."""

from typing import NamedTuple

from lostlight.core.errors import ConfigError
from lostlight.science.stack.network import sort_planes
from lostlight.science.stack.reject import Clip, clip_planes
from lostlight.science.stack.rule import Rule

BACKENDS = ("auto", "numpy", "numba")
WORTH_COMPILING = 3e8
"""Samples from which compiled loops save more than the second that loading the compiler takes."""


class Engine(NamedTuple):
    """How columns are sorted and clipped."""

    sort: object
    clip: Clip


def choose(backend: str, rule: Rule, n_samples: int) -> Engine:
    """Give the engine; auto takes compiled loops for winsorized rejection and for large stacks."""
    if backend not in BACKENDS:
        raise ConfigError(f"no backend {backend}", f"choose from {', '.join(BACKENDS)}")
    if backend == "numpy" or (backend == "auto" and rule.reject != "winsorized" and n_samples < WORTH_COMPILING):
        return Engine(sort_planes, clip_planes)
    from lostlight.science.stack import compiled

    return Engine(compiled.sort_planes, compiled.clip_planes)
