"""What the mosaic is accepted by, and the rows that no other test of the whole step holds.

===  ====================================================
 #   what, and the test that holds it
===  ====================================================
 1   overlaps agree to 0.1 sigma:
     test_mosaic_truth.test_overlaps_agree
 2   gains to 0.5 %:
     test_mosaic_truth.test_gains_are_those_planted
 3   levels of tiles ten times nearer the truth:
     test_mosaic_truth.test_tiles_come_to_the_level_of_the_truth
 4   star fluxes to 0.2 % in every part:
     test_mosaic_truth.test_stars_are_as_bright_in_every_part
 5   gains from few stars and a nebula:
     test_mosaic_truth.test_few_stars_and_a_nebula_are_enough_for_gains
 6   the nebula to 0.2 sigma:
     test_mosaic_truth.test_the_nebula_is_that_of_the_sky
 7   the reference is a gauge:
     test_mosaic_truth.test_the_reference_is_a_matter_of_units_only
 8   tiles of any size:
     test_s12_mosaic.test_tiles_of_any_size_make_the_same_mosaic
 9   lots without rejection are the flat stack:
     test_s12_mosaic.test_lots_without_rejection_are_the_flat_stack
 10  workers, memory, blocks, order:
     test_s12_mosaic.test_the_same_bytes_for_any_workers
     test_s12_mosaic.test_the_same_bytes_for_small_blocks_without_a_compiler
     test_s12_mosaic.test_the_same_bytes_for_another_folder_and_order
 11  flux and place of stars after the warp:
     test_mosaic_warp.test_stars_keep_their_flux_and_place
 12  coordinates between nodes:
     test_mosaic_nodes.test_positions_agree_with_those_of_every_pixel
 13  efficiency of rejection, and what outliers leave:
     test_stack_shrunk.test_the_table_of_the_method
 14  star fluxes when the seeing changes:
     test_stack_shrunk.test_star_flux_where_seeing_scatters
     test_mosaic_truth.test_stars_keep_their_light_when_the_seeing_changes
 15  a satellite:
     test_mosaic_truth.test_a_satellite_leaves_nothing
     test_stack_shrunk.test_a_satellite_of_one_of_ten_frames_leaves_nothing
 16  the default polish keeps the area:
     test_mosaic_acceptance.test_the_default_polish_keeps_the_area
 17  the cropped sky solution:
     test_mosaic_acceptance.test_a_cropped_sky_solution_is_that_of_the_canvas
 18  weights are the noise that is there, not resampled:
     test_mosaic_acceptance.test_weights_are_the_scatter_of_pixels
 19  memory of ten frames and of two hundred:
     test_mosaic_acceptance.test_memory_is_the_budget_and_little_more
 20  speed of combining: dev/benches/stack.py
 21  speed of warping and adding up: dev/benches/warp.py
 22  the same on a graphics card:
     test_stack_raw_kernel.test_it_agrees_with_the_twin
     test_mosaic_warp_raw.test_the_kernel_for_cards_gives_what_the_twin_gives
===  ====================================================

On real frames: test_mosaic_real.
"""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from tests.mosaic_scene import plane_removed, step
from tests.steps.test_mosaic_step_truth import off_truth

from lostlight.science.mosaic.canvas import Canvas
from lostlight.sim.mosaics import scene, write
from lostlight.steps.mosaicking import given

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix", "ignore:.*All-NaN slice", "ignore:.*empty slice")

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 6))]
UNTOUCHED = {"min_rel": 0, "open_px": 0, "erode_px": 0, "crop": {"mode": "none", "noise": None}}
FIXED_MB = 300
"""What the programs themselves take."""


def test_every_row_is_held(project):
    named = re.findall(r"(test_[a-z0-9_]+)\.(test_[a-z0-9_]+)", __doc__)
    assert len(named) == 25
    for module, name in named:
        (path,) = (project / "tests").rglob(f"{module}.py")
        assert f"def {name}(" in path.read_text(), name
    for bench in re.findall(r"dev/benches/\w+\.py", __doc__):
        assert (project / "scripts" / bench).is_file()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_per_tile", [1, pytest.param(8, marks=pytest.mark.soak)])
def test_the_default_polish_keeps_the_area(seed, n_per_tile, tmp_path):
    """Where four tiles meet there is four times the weight; what one tile covers is no less worth keeping."""
    made = scene(seed, layout=(2, 2), overlap=0.33, tile_px=(401, 480), n_per_tile=n_per_tile, n_stars=700)
    write(tmp_path / "frames", made)
    (polished,) = step(tmp_path / "run", tmp_path / "frames").values()
    depth = polished.wht[polished.wht > 0] / np.median(polished.wht[polished.wht > 0])
    assert depth.max() > 2.5
    (whole,) = step(tmp_path / "run", tmp_path / "frames", polish=UNTOUCHED).values()
    assert np.isfinite(polished.sci).sum() > 0.97 * np.isfinite(whole.sci).sum()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", ["bbox", "inscribed"])
def test_a_cropped_sky_solution_is_that_of_the_canvas(seed, mode, tmp_path):
    knobs = {"centre": (0.02, 71.0), "rotation_deg": 20.0, "dither_px": 9.0, "distortion_px": 2.0}
    write(tmp_path / "frames", scene(seed, layout=(1, 2), tile_px=(241, 300), n_stars=300, **knobs))
    (product,) = step(tmp_path / "run", tmp_path / "frames", polish={"crop": {"mode": mode}}).values()
    y0, x0, height, width = product.metrics["polish"]["crop"]
    assert (height, width) == product.sci.shape[-2:]
    assert y0 > 0 and x0 > 0
    places = tmp_path / "run/12_mosaic/products/canvas.json"
    canvas: Canvas = given.Places(json.loads(places.read_bytes())).canvas
    y, x = (v.ravel() for v in np.mgrid[0:height:17, 0:width:23])
    sky = product.wcs.all_pix2world(x, y, 0)
    back = np.array(product.wcs.all_world2pix(*sky, 0))
    assert np.abs(back - [x, y]).max() < 1e-6
    there = np.array(canvas.wcs.all_world2pix(*sky, 0))
    assert np.abs(there - [x + x0, y + y0]).max() < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("reject", ["none", "shrunk"])
def test_weights_are_the_scatter_of_pixels(seed, reject, tmp_path):
    """Nearest pixels keep the noise they had; frames of different noise, gain and number meet."""
    knobs = {"layout": (1, 2), "tile_px": (301, 352), "n_per_tile": 4, "n_stars": 200, "flux": (5e3, 3e5)}
    made = scene(seed, **knobs, nebula=0.0, slopes=10.0, dither_px=6.0)
    write(tmp_path / "frames", made)
    settings = {"warp": {"kernel": "nearest"}, "combine": {"reject": reject}}
    (product,) = step(tmp_path / "run", tmp_path / "frames", **settings).values()
    pull = plane_removed(off_truth(made, product)) * np.sqrt(product.wht[0])
    assert np.isfinite(pull).sum() > 30_000
    assert product.header["CORRFACT"] == pytest.approx(1, abs=0.01)
    assert np.ptp(product.wht[product.wht > 0]) > 0.5 * np.median(product.wht[product.wht > 0])
    spread = np.diff(np.nanpercentile(pull, [15.8655, 84.1345]))[0] / 2
    assert spread == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("n", "side_px", "memory_mb", "mode"),
    [
        (8, 400, 64, "stack"),
        pytest.param(10, 2000, 256, "stack", marks=pytest.mark.soak),
        pytest.param(200, 2000, 256, "stack", marks=pytest.mark.soak),
        pytest.param(200, 2000, 256, "sds", marks=pytest.mark.soak),
        pytest.param(200, 2000, 256, "grid", marks=pytest.mark.soak),
    ],
)
def test_memory_is_the_budget_and_little_more(n, side_px, memory_mb, mode, tmp_path, project):
    frames = tmp_path / "frames"
    frames.mkdir()
    patience = _noisy_copies(frames, n, side_px)
    code = f"""
import resource
from pathlib import Path
from lostlight import chain
from lostlight.core import config
settings = {{"mosaic": {{"frames": {str(frames)!r}, "mode": {mode!r}}}, "run": {{"memory_mb": {memory_mb}}}}}
list(chain.walk(config.check(settings), Path({str(tmp_path / "run")!r}), steps=("12_mosaic",), workers=1))
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024)
"""
    # A process begins with the peak of the one that starts it: here a shell, and not this one.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True, timeout=patience)
    assert float(done.stdout.split()[-1]) <= memory_mb + FIXED_MB
    (made,) = (tmp_path / "run").rglob("mosaic.fits")
    with fits.open(made) as hdus:
        assert hdus["COV"].data.max() > 0.8 * n


def _noisy_copies(folder, n, side_px):
    """Write one field again and again, each time elsewhere and with other noise; gives seconds that are plenty."""
    (field,) = scene(3, layout=(1, 1), tile_px=(side_px, side_px + 7), n_stars=200 + side_px // 3, slopes=10.0).frames
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 5, (2 * side_px, side_px + 7)).astype(np.float32)
    for k in range(n):
        header, start = field.header.copy(), 37 * k % side_px
        dx, dy = (int(v) for v in rng.integers(-9, 10, 2))
        header["CRPIX1"] += dx
        header["CRPIX2"] += dy
        data = np.roll(field.data + noise[start : start + side_px], (dy, dx), (0, 1))
        fits.writeto(folder / f"light_{k:04}.fits", data, header)
    return 120 + 10 * n
