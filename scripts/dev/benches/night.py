"""A whole night, from a folder of raw frames to masters and lights: step 11 beside Siril's own script, both processes.

Siril makes 32-bit pixels alone; step 11 adds uncertainty, quality, pictures and diagnostics. Both subtract, divide and
repair hot pixels; the lights are compared where nothing was repaired.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from benches.measure import Row, cost
from lostlight.sim.camera_frames import write_frames

SIDE, FRAMES, LIGHTS = 2048, 20, 20
SCRIPT = """requires 1.0.0
setext fits
setcompress 0
set32bits
cd {folder}/bias
convert bias -out=../process
cd ../process
stack bias rej 3 3 -nonorm -out=bias_stacked
cd ../dark
convert dark -out=../process
cd ../process
stack dark rej 3 3 -nonorm -out=dark_stacked
cd ../flat
convert flat -out=../process
cd ../process
preprocess flat -bias=bias_stacked
stack pp_flat rej 3 3 -norm=mul -out=flat_stacked
cd ../light
convert light -out=../process
cd ../process
preprocess light -dark=dark_stacked -flat=flat_stacked -cc=dark
"""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    raw = folder / "night"
    n_lights = LIGHTS if full else LIGHTS // 2
    counts = {"n_bias": FRAMES, "n_dark": FRAMES, "n_flat": FRAMES, "n_flat_dark": 0, "n_light": n_lights}
    write_frames(raw, 5, shape=(SIDE, SIDE), overscan_px=0, dark_s=(120.0,), filters=("R",), drift_adu=0.0, **counts)
    ours_s, units = _ours(folder, raw)
    peer_s = _siril(folder, raw) if shutil.which("siril-cli") else None
    if peer_s is not None:
        _agree(folder / "run/11_calibrate/products", raw / "process")
    title = f"{3 * FRAMES} frames to masters and {n_lights} lights, 4 Mpx"
    yield Row(f"{title}, peer Siril" if peer_s else title, ours_s, peer_s, "CPU s")
    for kind, name in (("bias", "master bias"), ("dark", "master dark"), ("flat", "master flat")):
        (spent,) = (each["cpu_s"] for unit, each in units.items() if unit.startswith(f"master_{kind}"))
        yield Row(f"  {name} of {FRAMES} frames, with diagnostics and pictures", spent, unit="CPU s")
    yield Row("  map of bad pixels", units["bad_pixels"]["cpu_s"], unit="CPU s")
    lights = [each["cpu_s"] for unit, each in units.items() if unit.startswith("light")]
    yield Row("  one light, with diagnostics and pictures", 1000 * float(np.median(lights)), unit="CPU ms")
    yield Row("  largest process", max(each["peak_mb"] for each in units.values()), unit="MB")


def _ours(folder: Path, raw: Path) -> tuple[float, dict[str, dict[str, float]]]:
    out = folder / "run/11_calibrate/manifest.json"
    params = json.dumps({"frames": str(raw)})
    command = [sys.executable, "-m", "lostlight", "step", "11_calibrate", f"--out={out}", f"--params={params}"]
    with cost() as used:
        subprocess.run(command, check=True, capture_output=True)
    return used.cpu_s, json.loads(out.with_name("timings.json").read_text())


def _siril(folder: Path, raw: Path) -> float:
    (folder / "night.ssf").write_text(SCRIPT.format(folder=raw))
    with cost() as used:
        subprocess.run(["siril-cli", "-s", str(folder / "night.ssf")], check=True, capture_output=True)
    return used.cpu_s


def _agree(products: Path, process: Path) -> None:
    """Stop where lights differ, up to their scale, by more than a part of their noise: rejection and repair differ."""
    path = sorted(products.glob("light*.fits"))[0]
    with fits.open(path) as ours:
        good, sigma, pixels = ours["DQ"].data == 0, ours["UNCERT"].data, ours[0].data
    theirs = fits.getdata(process / "pp_light_00001.fits")[0 if pixels.ndim == 3 else ...].astype(np.float32)
    scale = np.median(pixels[good]) / np.median(theirs[good])
    apart = np.abs(pixels - scale * theirs)[good] / sigma[good]
    if not np.quantile(apart, 0.99) < 0.3:
        raise SystemExit(f"{path.name} differs from Siril's: {np.quantile(apart, 0.99):.2f} sigma in one pixel of 100")
