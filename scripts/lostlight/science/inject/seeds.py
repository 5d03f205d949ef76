"""Random numbers that depend on nothing but the seed and on what they are for.

Each use has a stream of its own, so switching one off, another order, or more workers leave the others as they are.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from lostlight.core.errors import ConfigError

KINDS = ("class", "place", "prior", "brightness", "light_curve", "photons", "dropout", "artefact")
"""What is drawn; each has its own stream."""

Key = tuple[int, int, int]
RngOf = Callable[[str], np.random.Generator]
"""Gives the stream of random numbers of a kind, the same one each time it is asked."""


def spawn_key(stage: str, case: int, kind: str) -> Key:
    """Give the key of a stream; names are taken by their CRC-32, so that new ones need no table.

    Parameters
    ----------
    stage : str
        What draws: `inject`, `batch` or `plan`.
    case : int
        Number of the case, not negative.
    kind : str
        What is drawn: one of `KINDS`, or one of them with more after a colon (``prior:tno``).

    Raises
    ------
    ConfigError
        For another kind, or a negative case.
    """
    if kind.split(":")[0] not in KINDS:
        raise ConfigError(f"there is no stream of random numbers for {kind!r}", f"choose from {', '.join(KINDS)}")
    if case < 0:
        raise ConfigError(f"the number of a case is negative: {case}", "count cases from 0")
    return zlib.crc32(stage.encode()), int(case), zlib.crc32(kind.encode())


def stream(entropy: int, stage: str, case: int, kind: str) -> np.random.Generator:
    """Start the stream of random numbers of one use: Philox, seeded by NumPy's SeedSequence.

    Parameters
    ----------
    entropy : int
        The seed of the run, not negative.
    stage, case, kind
        See `spawn_key`.

    Raises
    ------
    ConfigError
        For a seed that is negative or no integer.
    """
    key = spawn_key(stage, case, kind)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(checked(entropy), spawn_key=key)))


def streams(seed: int, stage: str, case: int) -> RngOf:
    """Give streams of random numbers by their kind: the same one each time it is asked for."""
    started: dict[str, np.random.Generator] = {}

    def rng_of(kind: str) -> np.random.Generator:
        if kind not in started:
            started[kind] = stream(seed, stage, case, kind)
        return started[kind]

    return rng_of


def checked(entropy: int) -> int:
    """Give the seed as an integer; raises ConfigError where it is none, or negative."""
    if isinstance(entropy, bool) or not isinstance(entropy, int | np.integer) or entropy < 0:
        raise ConfigError(f"the seed is {entropy!r}", "give an integer, 0 or more")
    return int(entropy)


def fresh() -> int:
    """Draw a seed from the operating system, for callers that gave none."""
    return int(np.random.SeedSequence().entropy) & (2**63 - 1)  # type: ignore[arg-type]


def record(entropy: int, stage: str, case: int) -> dict[str, Any]:
    """Describe the streams of a case in plain JSON values; the last part of the key is that of each kind."""
    keys = {kind: list(spawn_key(stage, case, kind)) for kind in KINDS}
    return {"bit_generator": "Philox", "entropy": checked(entropy), "spawn_key": keys, "numpy": np.__version__}
