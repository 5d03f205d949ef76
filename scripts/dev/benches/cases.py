"""Cases for machine learning to disk: a store with their truth, and a file for each as programs of this kind write."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benches.measure import Row
from lostlight.io import case_store, stack_store

N, SHAPE, SIDES, BATCH = 4096, (5, 64, 64), (1024, 1024), 512
ONE_BY_ONE = 200
READS = 50


def rows(folder: Path, full: bool) -> Iterator[Row]:
    rng = np.random.default_rng(1)
    base = rng.normal(100, 5, (SHAPE[0], *SIDES)).astype(np.float32)
    y, truth = _sources(rng)
    npz_s = best(lambda: _npz(folder, base, y)) / ONE_BY_ONE
    for name in ("cases.zarr", "cases.zarr.zip"):
        ours_s = best(lambda name=name: _store(folder / name, base, y, truth)) / N
        what = f"P4 case 5x64x64 to {name[5:]}, y and truth, peer npz"
        yield Row(what, 1e6 * ours_s, 1e6 * npz_s, "us", f"<= 1000 ({1 / ours_s:.0f} cases/s)")
    cases = case_store.open_cases(folder / "cases.zarr.zip")
    picked = rng.integers(0, N, READS)
    yield Row("P4 read one, image and source", 1e3 * best(lambda: [cases.x(k) for k in picked]) / READS, unit="ms")
    yield Row("P4 read in bulk", 1e6 * best(lambda: cases.x(slice(0, 1024))) / 1024, unit="us")
    yield from _stack(folder, rng)


def best(work: Callable[[], object], repeats: int = 3) -> float:
    """Give the least time on the clock: it is the disk that is measured, and two cores that compress."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def _sources(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw sources of a Gaussian profile that move over the cut-outs."""
    grid = np.arange(SHAPE[1])
    x, y = (rng.uniform(10, 50, (N, 1)) + rng.normal(0, 2, (N, 1)) * np.arange(SHAPE[0]) for _ in "xy")
    profile = [np.exp(-((grid - place[..., None]) ** 2) / (2 * 1.1**2)) for place in (x, y)]
    light = 100 * profile[1][..., :, None] * profile[0][..., None, :]
    light[light < 1e-4] = 0
    truth = {
        "stack": np.full(N, "field"),
        "row": rng.integers(0, SIDES[0] - 64, N),
        "column": rng.integers(0, SIDES[1] - 64, N),
        "inj_id": np.array([f"i{number:06d}" for number in range(N)]),
        **{f"fact_{number}": rng.normal(size=N) for number in range(30)},
        "x_px": x,
        "y_px": y,
    }
    return light.astype(np.float32), truth


def _store(path: Path, base: np.ndarray, y: np.ndarray, truth: dict[str, np.ndarray]) -> None:
    with case_store.writing(path, N, SHAPE) as cases:
        cases.base("field", SIDES, base)
        for k in range(0, N, BATCH):
            part = slice(k, k + BATCH)
            cases.put(y[part], {name: values[part] for name, values in truth.items()})


def _npz(folder: Path, base: np.ndarray, y: np.ndarray) -> None:
    for number in range(ONE_BY_ONE):
        patch = base[:, :64, :64]
        np.savez(folder / f"{number}.npz", patch_stack=patch, X=patch + y[number], Y=y[number])


def _stack(folder: Path, rng: np.random.Generator) -> Iterator[Row]:
    """Write a stack image by image, and read windows of all its images."""
    shape, path = (20, 1024, 1024), folder / "stack.zarr.zip"
    images = rng.normal(100, 5, shape).astype(np.float32)
    bad = np.zeros(shape[1:], np.uint32)

    def write() -> None:
        with stack_store.writing(path, shape) as store:
            for number, image in enumerate(images):
                store.put(number, image, bad, numbers={}, record={"id": str(number)})

    mega = images.nbytes / 1e6
    yield Row("P4 stack 20 x 1 Mpx to one file", mega / best(write), unit="MB/s")
    stack = stack_store.open_store(path)
    yield Row("P4 stack read whole", mega / best(lambda: stack.read("science")), unit="MB/s")
    corners = rng.integers(0, 960, (READS, 2))

    def windows() -> None:
        for y0, x0 in corners:
            stack.read("science", slice(None), slice(y0, y0 + 64), slice(x0, x0 + 64))

    yield Row("P4 window of 64 x 64 of all images read", 1e3 * best(windows) / READS, unit="ms")
