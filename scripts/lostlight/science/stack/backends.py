"""Which engine works: NumPy, or compiled loops that give the same bits."""

from lostlight.core.errors import ConfigError
from lostlight.science.stack.engine import NUMPY, Engine
from lostlight.science.stack.rule import Rule

BACKENDS = ("auto", "numpy", "numba")
WORTH_COMPILING = 3e8
"""Samples from which compiled loops save more than the second that loading the compiler takes."""


def choose(backend: str, rule: Rule, n_samples: int) -> Engine:
    """Give the engine; auto takes compiled loops for winsorized and shrunk rejection and for large stacks."""
    if backend not in BACKENDS:
        raise ConfigError(f"no backend {backend}", f"choose from {', '.join(BACKENDS)}")
    small = rule.reject not in ("winsorized", "shrunk") and n_samples < WORTH_COMPILING
    if backend == "numpy" or (backend == "auto" and small):
        return NUMPY
    from lostlight.science.stack.compiled import NUMBA

    return NUMBA
