"""Steps 13 and 14 on real images, end to end: a stack, sources planted, the search, the page on both."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benches.measure import Row, cost
from lostlight import chain
from lostlight.core import config
from lostlight.vocab.steps import MOVERS

IMAGES = Path(os.environ.get("LOSTLIGHT_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "kbmod-small"
SOURCES, WORKERS = 200, 2


def rows(folder: Path, full: bool) -> Iterator[Row]:
    """Give the time on the clock, and that of the processor."""
    what = f"A21 ten files: stack, {SOURCES} sources, search, page"
    if not IMAGES.is_dir():
        yield Row(f"{what} (skipped: no real images here)", float("nan"))
        return
    inject = {"images": str(IMAGES), "n": SOURCES, "classes": {"drift": 1.0}}
    start = time.perf_counter()
    with cost() as used:
        made = list(chain.walk(config.check({"inject": inject}), folder / "run", steps=MOVERS, workers=WORKERS))
    spent = time.perf_counter() - start
    if any(unit.failure for manifest in made for unit in manifest.units):
        raise SystemExit("a unit of the ten files failed")
    yield Row(what, spent, unit="s", bar="<= 60")
    yield Row("A21 the same, of the processor", used.cpu_s, unit="CPU s")
