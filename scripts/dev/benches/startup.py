"""What a process costs before it does anything: the command line, a stack of small frames, the step of calibration."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benches.measure import Row, cost

STACK = """
import numpy as np
from lostlight.io.rows import RowReader
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule
def read(frame, y0, y1, out): out[:] = frame
combine(5, (8, 8), read, Rule(reject="winsorized"), backend="{}")
"""
REPEATS = 3


def rows(folder: Path, full: bool) -> Iterator[Row]:
    yield Row("start-up, lostlight --help", _least("-m", "lostlight", "--help"), unit="CPU s", bar="<= 0.3")
    for backend, bar in (("numpy", 0.4), ("numba", 1.2)):
        spent = _least("-c", STACK.format(backend))
        yield Row(f"start-up, stack of small frames, {backend}", spent, unit="CPU s", bar=f"<= {bar}")
    spent = _least("-c", "import lostlight.steps.s11_calibrate")
    yield Row("start-up, step 11_calibrate", spent, unit="CPU s")


def _least(*arguments: str) -> float:
    """CPU seconds of a process of its own; the first, which fills caches, does not count."""
    spent = []
    for _ in range(REPEATS + 1):
        with cost() as used:
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        spent.append(used.cpu_s)
    return min(spent[1:])
