"""The map of hot pixels beside SciPy's filter, repair, a rejection rule beside hand-written NumPy, cosmic rays."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from astroscrappy import detect_cosmics
from scipy.ndimage import median_filter

from benches.measure import Row, cost
from lostlight.science.calibrate.cosmics import find_cosmics
from lostlight.science.calibrate.hot import map_of_master
from lostlight.science.calibrate.local_median import local_median
from lostlight.science.calibrate.repair import repair
from lostlight.science.stack.expression import compile_expression

RULE = "abs(x - median) > 4 * 1.4826 * mad"


def rows(folder: Path, full: bool) -> Iterator[Row]:
    side = 4096 if full else 2048
    rng = np.random.default_rng(7)
    frame = rng.normal(300, 18, (side, side)).astype(np.float32)
    frame[rng.random(frame.shape) < 1e-3] += 900
    local_median(frame[:64, :64], backend="numba")
    title = f"{side}x{side}"
    theirs = _least(lambda: median_filter(frame, 5), 2)
    yield Row(f"local median {title}, peer SciPy", _least(lambda: local_median(frame)), theirs)
    numpy_s = _least(lambda: local_median(frame, backend="numpy"))
    yield Row(f"local median {title}, NumPy alone, peer SciPy", numpy_s, theirs)
    yield Row(f"map of hot pixels, columns and rows {title}", _least(lambda: map_of_master(frame)))
    none, found = np.zeros(frame.shape, np.uint16), map_of_master(frame)
    yield Row(f"repair of {np.count_nonzero(found)} pixels {title}", _least(lambda: repair(frame, frame, none, found)))
    yield from _rule(rng)
    part = frame[:512, :512]
    sigma = np.full_like(part, 18)
    usual = _least(lambda: detect_cosmics(part, readnoise=5.0), 2)
    yield Row("cosmic rays 512x512, peer astroscrappy as it comes", _least(
        lambda: find_cosmics(part, sigma, none[:512, :512], "light"), 2
    ), usual)  # fmt: skip


def _rule(rng: np.random.Generator) -> Iterator[Row]:
    x = rng.normal(100, 5, (30, 8192)).astype(np.float32)
    median = np.median(x, axis=0)
    mad = np.median(np.abs(x - median), axis=0)
    rule = compile_expression(RULE)
    ours = _least(lambda: rule.reject(x, {"median": median, "mad": mad}, {}), 50)
    by_hand = _least(lambda: np.abs(x - median) > 4 * 1.4826 * mad, 50)
    yield Row(
        "rejection rule, 30 frames of 8192 pixels, peer by hand", 1000 * ours, 1000 * by_hand, "CPU ms", "about 1x"
    )


def _least(work: Callable[[], object], times: int = 3) -> float:
    spent = []
    for _ in range(times):
        with cost() as used:
            work()
        spent.append(used.cpu_s)
    return min(spent)
