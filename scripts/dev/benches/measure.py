"""CPU seconds and memory of a piece of work, children included."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Cost:
    """What a piece of work used."""

    cpu_s: float = 0.0


@contextmanager
def cost() -> Iterator[Cost]:
    used = Cost()
    before = _cpu_s()
    yield used
    used.cpu_s = _cpu_s() - before


@dataclass
class Row:
    """One line of the table."""

    what: str
    ours: float
    peer: float | None = None
    unit: str = "s"
    bar: str = ""

    def __str__(self) -> str:
        peer = f"{self.peer:10.3g}" if self.peer is not None else f"{'':10}"
        ratio = f"{self.peer / self.ours:7.1f}x" if self.peer is not None and self.ours else f"{'':8}"
        return f"{f'{self.what} [{self.unit}]':58} {self.ours:10.3g} {peer} {ratio}  {self.bar}"


def _cpu_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime for usage in map(_usage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _usage(who: int) -> resource.struct_rusage:
    return resource.getrusage(who)
