"""Stacking frames: ours, Siril and ccdproc on the same files, results compared; what a sample costs, and memory.

Siril stacks without normalisation into 32 bits and takes 0 for no data, so the simulated frames have none. A process of
ours keeps its byte code, as every installed Python does, even where the environment says not to write any.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from benches.measure import Row, cost
from lostlight.io.rows import RowReader
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Combined, Rule

SIDE, FRAMES, MANY, REPEATS = 2048, 30, 120, 3
FULL_SCALE = 65535
METHODS = {
    "median": (Rule("median"), "median", 5.0, 3.0),
    "sigma": (Rule(reject="sigma"), "rej s 3 3", 5.0, 2.5),
    "winsorized": (Rule(reject="winsorized"), "rej w 3 3", 5.0, 1.5),
    "shrunk": (Rule(reject="shrunk"), "rej w 3 3", 5.0, 1.5),
}
"""Our rule, Siril's words, and the bars compiled and in NumPy."""
READ_NOISE, DARK = 8.0, 50.0
NOISE = 10.7
"""Of a frame, where nothing glows: what shrunk rejection is told."""
RATES = {"median": (Rule("median"), 250), "sigma": (Rule(reject="sigma"), 250), "shrunk": (Rule(reject="shrunk"), 150)}
"""Millions of samples per second that two threads are to combine."""
BUDGET_MB, FIXED_MB = 256, 300
WHOLE = """
import sys, numpy as np
from lostlight.io.rows import RowReader
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule
with RowReader(sys.argv[4:]) as read:
    n, rule = len(sys.argv) - 4, Rule(*sys.argv[1:3])
    known = {"noises": [10.7] * n} if rule.reject == "shrunk" else {}
    np.save(sys.argv[3], combine(n, read.shape, read, rule, **known).data)
"""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    files = simulate(folder)
    many = [_link(folder, files[i % FRAMES], i) for i in range(MANY)]
    siril = {name: _siril(folder, "few", name) for name in METHODS} if shutil.which("siril-cli") else {}
    for name, (rule, _, bar, bar_numpy) in METHODS.items():
        peer, theirs = siril.get(name, (None, None))
        for backend, least in (("numba", bar), ("numpy", bar_numpy)):
            ours_s, result = best(lambda rule=rule, backend=backend: stack(files, rule, backend))
            _agree(result.data, theirs, name)
            yield Row(f"stack 30 x 4 Mpx, {name}, {backend}, peer Siril", ours_s, peer, "CPU s", f">= {least:g}x")
        if name == "shrunk":
            yield from _cleaner(folder, result.data, theirs, "Siril winsorized")
        whole_s, _ = best(lambda rule=rule: whole(folder, files, rule))
        yield Row(f"  whole process, {name}, peer Siril", whole_s, peer, "CPU s", ">= 2x")
    if siril:
        ours_s, _ = best(lambda: stack(many, Rule(reject="winsorized"), "numba"))
        yield Row("stack 120 x 4 Mpx, winsorized", ours_s, _siril(folder, "many", "winsorized")[0], "CPU s", ">= 4x")
    yield from _ccdproc(folder, files)
    yield from _rates()
    for number in (10, 200):
        peak = peak_mb(folder, (files * 7)[:number], Rule(reject="shrunk"))
        yield Row(f"stack {number} frames, shrunk, peak memory", peak, unit="MB", bar=f"<= {BUDGET_MB + FIXED_MB}")
    few, more = (peak_mb(folder, paths, Rule(reject="winsorized")) for paths in (files, many))
    planes = 7 * 4 * SIDE * SIDE / 1e6
    yield Row("stack 30 frames, peak memory", few, unit="MB", bar=f"<= {300 + planes:.0f}")
    yield Row("stack 120 frames, peak memory, peer 30 frames", more, few, "MB", ">= 0.95x")


def simulate(folder: Path) -> list[Path]:
    """Write dark frames: bias with its pattern, glow, hot pixels, Poisson and read noise, cosmic rays."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE]
    bias = 1000 + rng.normal(0, 3, (SIDE, SIDE))
    glow = 200 * np.exp(-((x - SIDE) ** 2 + (y - SIDE) ** 2) / (2 * 300.0**2))
    light = DARK + glow + np.where(rng.random((SIDE, SIDE)) < 1e-3, rng.exponential(2000, (SIDE, SIDE)), 0)
    np.save(folder / "truth.npy", bias + light)
    paths = []
    (folder / "few").mkdir()
    (folder / "many").mkdir()
    for i in range(FRAMES):
        frame = bias + rng.poisson(light) + rng.normal(0, READ_NOISE, (SIDE, SIDE))
        struck = rng.random((SIDE, SIDE)) < 5600 / SIDE**2
        frame[struck] += np.exp(rng.uniform(np.log(50), np.log(20_000), struck.sum()))
        paths.append(folder / "few" / f"f_{i + 1:05d}.fit")
        fits.PrimaryHDU(np.clip(np.rint(frame), 1, FULL_SCALE - 1).astype(np.uint16)).writeto(paths[-1])
    return paths


def stack(files: list[Path], rule: Rule, backend: str, threads: int = 1) -> Combined:
    with RowReader(files) as read:
        noises = np.full(len(files), NOISE) if rule.reject == "shrunk" else None
        return combine(len(files), read.shape, read, rule, noises=noises, threads=threads, backend=backend)


def whole(folder: Path, files: list[Path], rule: Rule) -> None:
    """Stack in a process of its own, from start to the file saved."""
    command = [sys.executable, "-c", WHOLE, rule.combine, rule.reject, folder / "whole.npy", *files]
    kept = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([*map(str, command)], check=True, env=kept)


def best(work: Callable[[], object]) -> tuple[float, object]:
    """Least CPU seconds of several times, and what came out; the first, which compiles, does not count."""
    spent = []
    for _ in range(REPEATS + 1):
        with cost() as used:
            result = work()
        spent.append(used.cpu_s)
    return min(spent[1:]), result


def wall(work: Callable[[], object]) -> float:
    """Least seconds that pass, of several times."""
    passed = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        passed.append(time.perf_counter() - start)
    return min(passed)


def peak_mb(folder: Path, files: list[Path], rule: Rule) -> float:
    """Stack in a process of its own, and ask it for its high-water mark."""
    code = WHOLE + "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    command = [sys.executable, "-c", code, rule.combine, rule.reject, folder / "peak.npy", *files]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6


def _link(folder: Path, file: Path, i: int) -> Path:
    link = folder / "many" / f"f_{i + 1:05d}.fit"
    link.hardlink_to(file)
    return link


def _siril(folder: Path, frames: str, name: str) -> tuple[float, np.ndarray]:
    script, result = folder / "stack.ssf", folder / f"siril_{name}.fit"
    words = METHODS[name][1]
    command = f"stack f_ {words} -nonorm -out={result.with_suffix('')}"
    script.write_text(f"requires 1.0.0\nsetext fit\nset32bits\ncd {folder / frames}\n{command}\n")
    spent, _ = best(lambda: subprocess.run(["siril-cli", "-s", str(script)], check=True, capture_output=True))
    return spent, fits.getdata(result).astype(np.float64) * FULL_SCALE


def _agree(ours: np.ndarray, theirs: np.ndarray | None, name: str) -> None:
    """Stop where results differ by more than Siril's scale is rounded; its winsorizing bounds are whole numbers."""
    if theirs is None or name == "shrunk":
        return
    differ = (abs(ours - theirs) > 1e-2).mean()
    if differ > (0.02 if name == "winsorized" else 0):
        raise SystemExit(f"{name}: {differ:.2%} of the pixels differ from Siril's")


def _cleaner(folder: Path, ours: np.ndarray, theirs: np.ndarray | None, peer: str) -> Iterator[Row]:
    """Give the error of each, which is noise and what is left of cosmic rays."""
    truth = np.load(folder / "truth.npy")
    errors = [None if image is None else float(np.sqrt(np.mean((image - truth) ** 2))) for image in (ours, theirs)]
    yield Row(f"  rms error, shrunk, peer {peer}", *errors, "adu", ">= 0.99x")


def _rates() -> Iterator[Row]:
    """Combine frames that are in memory already, by two threads."""
    rng = np.random.default_rng(4)
    cube = rng.standard_normal((FRAMES, SIDE, SIDE), np.float32) * 7 + 300

    def read_rows(frame: int, y0: int, y1: int, out: np.ndarray) -> None:
        out[:] = cube[frame, y0:y1]

    for name, (rule, bar) in RATES.items():
        noises = np.linspace(6, 8, FRAMES) if name == "shrunk" else None
        walls, cpus = [], []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            with cost() as used:
                combine(FRAMES, cube.shape[1:], read_rows, rule, noises=noises, threads=2, backend="numba")
            walls.append(time.perf_counter() - start)
            cpus.append(used.cpu_s)
        yield Row(f"combine 30 x 4 Mpx in memory, {name}", cube.size / min(walls) / 1e6, unit="Ms/s", bar=f">= {bar}")
        yield Row("  of one core", min(cpus) / cube.size * 1e9, unit="ns", bar=f"<= {2000 / bar:.3g}")


def _ccdproc(folder: Path, files: list[Path]) -> Iterator[Row]:
    try:
        from ccdproc import combine as peer
    except ImportError:
        return
    frames = [str(file) for file in files]
    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 3, "sigma_clip_high_thresh": 3}
    robust = {"sigma_clip_func": "median", "sigma_clip_dev_func": "mad_std"}
    for name, options, rule, bar in (
        ("median", {"method": "median"}, Rule("median"), 20),
        ("sigma once", {"method": "average", **clip}, Rule(reject="sigma_once", minkeep=1), 10),
        ("shrunk", {"method": "average", **clip, **robust}, Rule(reject="shrunk"), 10),
    ):
        with cost() as used:
            theirs = peer(frames, unit="adu", dtype=np.float32, **options).data
        ours_s, result = best(lambda rule=rule: stack(files, rule, "numba"))
        if rule.reject == "shrunk":
            yield from _cleaner(folder, result.data, theirs, "ccdproc, MAD")
            peer_s = wall(lambda: peer(frames, unit="adu", dtype=np.float32, method="average", **clip, **robust))
            two_s = wall(lambda: stack(files, RATES["shrunk"][0], "numba", threads=2))
            yield Row("stack 30 x 4 Mpx, shrunk, two cores, peer ccdproc", two_s, peer_s, "s", ">= 20x")
        elif (abs(result.data - theirs) > 1e-5 * abs(theirs)).mean() > 1e-5:
            raise SystemExit(f"{name} differs from ccdproc's")
        yield Row(f"stack 30 x 4 Mpx, {name}, peer ccdproc", ours_s, used.cpu_s, "CPU s", f">= {bar}x")
