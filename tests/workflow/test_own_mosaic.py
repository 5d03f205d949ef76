"""Own frames to a mosaic, by the commands of the guide, and the mosaic searched like any plate."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from tests.mosaic_run import take

from lostlight import chain
from lostlight.cli import cli
from lostlight.core import config
from lostlight.core.manifest import load
from lostlight.report.verify import verify
from lostlight.sim.camera_frames import write_frames
from lostlight.sim.mosaics_files import tiles

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")

SDS = ["--mode", "sds", "--set", "mosaic.lots.min=3", "--set", "mosaic.lots.target=3"]
PRODUCTS = "data/runs/mine/12_mosaic/products"


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Six calibrated frames."""
    return take(tmp_path_factory.mktemp("own") / "my fields")


def one2pass(project, folder, *arguments):
    command = [sys.executable, project / "scripts" / "one2pass.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def joined(project, frames, tmp_path_factory):
    """A run of step 12 alone, by the command of the guide."""
    folder = tmp_path_factory.mktemp("joined")
    return folder, one2pass(project, folder, "--frames", frames, "--run-id", "mine", *SDS)


def lots_of(path):
    return {row["frame"]: row["lot"] for row in csv.DictReader(path.open())}


def test_a_folder_of_frames_becomes_a_mosaic(joined):
    folder, done = joined
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^run mine: 6 frames make a mosaic of \d+ × \d+ px in 2 lots\.", done.stdout, re.M)
    assert f"mosaic: {PRODUCTS}/mosaic.html" in done.stdout
    with fits.open(folder / PRODUCTS / "mosaic.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "WHT", "COV", "REJ", "FRAMES", "LOTS"]
    assert not list(folder.glob("data/runs/mine/11_calibrate*"))
    verify(folder / "data/runs/mine")


def test_an_edited_copy_of_the_lots_is_carried_out_on_what_is_there(project, joined, frames):
    folder, _ = joined
    lots = lots_of(folder / PRODUCTS / "lots.csv")
    assert sorted(set(lots.values())) == ["L001", "L002"]
    (first, *_, last) = lots
    edited = lots | {first: "", last: "L001"}
    text = "".join(f"{name};{lot}\n" for name, lot in {"frame": "lot", **edited}.items())
    (folder / "mine.csv").write_text(text)
    asked = ["--frames", frames, "--run-id", "mine", *SDS, "--set", "mosaic.plan=mine.csv"]
    done = one2pass(project, folder, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lots_of(folder / PRODUCTS / "lots.csv") == edited
    told = json.loads((folder / PRODUCTS / "mosaic.metrics.json").read_text())
    assert {frame["id"]: frame["lot"] for frame in told["frames"]} == {k: v for k, v in edited.items() if v}
    reused = json.loads((folder / "data/runs/mine/12_mosaic/timings.json").read_text())
    assert all(reused[f"measure_{name}"]["reused"] for name in lots)
    (folder / "mine.csv").write_text(text.replace(last, "light_9"))
    done = one2pass(project, folder, *asked)
    assert done.returncode == 2
    assert "there is no frame 'light_9'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_tells_the_lots_and_leaves_nothing(project, frames, tmp_path):
    done = one2pass(project, tmp_path, "--frames", frames, *SDS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^L002 +- +60 s +2024-03-10 +3 +light_0003 +light_0005$", done.stdout, re.M), done.stdout
    assert re.search(r"^step12 +1$", done.stdout + done.stderr, re.M)
    assert not (tmp_path / "data").exists()


def plan(*arguments, status=0):
    """Be the command; gives what it says."""
    done = CliRunner().invoke(cli, ["plan", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


def test_the_plan_of_calibrated_frames_can_be_written_edited_and_followed(frames, tmp_path):
    said = plan("--frames", frames, *SDS, "--out", tmp_path / "lots.csv")
    assert "6 frames in 1 mosaic, by way of 2 lots" in said
    lots = lots_of(tmp_path / "lots.csv")
    assert list(lots.values()) == ["L001"] * 3 + ["L002"] * 3
    (tmp_path / "mine.csv").write_text(
        "frame,lot\n" + "".join(f"{name},{'A' * (name < 'light_0005')}\n" for name in lots)
    )
    said = plan("--frames", frames, *SDS, "--set", f"mosaic.plan={tmp_path / 'mine.csv'}")
    assert "5 frames in 1 mosaic, by way of 1 lot\n" in said
    assert "left out: light_0005: " in said


def test_without_lots_there_is_nothing_to_edit(frames, tmp_path):
    said = plan("--frames", frames, "--mode", "stack", "--out", tmp_path / "lots.csv", status=2)
    assert "mode stack has no plan to be edited" in said


def test_frames_of_no_use_are_named_with_the_reason(frames, tmp_path):
    take(tmp_path / "f", seed=6, has_wcs=False, layout=(1, 1))
    (tmp_path / "f/light_0001.fits").write_bytes(b"SIMPLE  =                    T")
    said = plan("--frames", tmp_path / "f", "--mode", "stack")
    assert "2 frames in 1 mosaic" in said
    assert "left out: light_0001.fits: " in said
    assert "2 frames without a sky solution: to be placed by their stars" in said


def test_the_plan_of_raw_frames_goes_on_to_the_mosaics_of_their_lights(tmp_path):
    write_frames(tmp_path, 5, shape=(61, 83), n_bias=3, n_dark=3, dark_s=(60.0,), light_s=60.0, n_flat=3, n_flat_dark=0,
                 n_light=4)  # fmt: skip
    said = plan("--frames", tmp_path, "--mode", "sds")
    assert re.search(r"^master_flat_R_\S+ +3 +\S+ +4$", said, re.M), said
    assert "8 frames in 2 mosaics, one of each filter, by way of 2 lots" in said
    assert re.search(r"^L001 +R +60 s +\S+ +4 +light_R_60s_000 +light_R_60s_003$", said, re.M)
    assert "mosaic" not in plan("--frames", tmp_path)


@pytest.fixture(scope="module")
def searched(project, tmp_path_factory):
    """The simulated tiles joined by lots, and the mosaic searched as far as the vetting."""
    run = tmp_path_factory.mktemp("searched") / "run"
    preset = config.read_yaml(project / "config/presets/sds.yaml")
    whole = config.merge(config.read_yaml(project / "config/pipeline.yaml"), preset)
    settings = config.check(config.merge(whole, {"engine": "embedded", "completeness": {"n_per_tile": 0}}))
    steps = ("12_mosaic", "00_tiles", "01_download", "02_masks", "03_detect", "04_psf", "05_measure", "06_reference",
             "07_xmatch", "08_filter")  # fmt: skip
    list(chain.walk(settings, run, steps=steps))
    return run


def test_the_mosaic_is_one_tile_of_its_own_size_and_epoch(searched):
    (tile,) = Table.read(searched / "00_tiles/products/tiles.fits")
    data = fits.getdata(searched / "12_mosaic/products/mosaic.fits")
    (image,) = (searched / "01_download/products").glob("*.fits")
    assert fits.getdata(image).shape == data.shape
    assert np.array_equal(np.isnan(fits.getdata(image)), np.isnan(data))
    assert tile["width_arcmin"] == pytest.approx(data.shape[1] * 2.5 / 60, rel=1e-3)
    assert load(searched / "06_reference/manifest.json").metrics["epoch_yr"] == pytest.approx(2024.19, abs=0.01)


def test_what_the_mosaic_shows_is_in_the_catalogues_and_nothing_vanished(searched):
    matched = load(searched / "07_xmatch/manifest.json").metrics
    assert matched["n_detections"] > 500
    assert matched["n_matched_gaia"] > 0.97 * matched["n_detections"]
    assert matched["scatter_ra_arcsec"] < 0.1
    assert load(searched / "08_filter/manifest.json").metrics["n_survivors"] <= 1


def test_stars_that_stand_out_of_the_noise_are_found(searched):
    made = tiles(20)
    (found,) = (Table.read(path) for path in (searched / "05_measure/products").glob("*.fits"))
    (x, y), stars = made.truth.frames[7].star_pixels(), made.truth.stars
    ny, nx = made.design.tile_px
    # Alone in 5 px, and 25 times the noise of a pixel of four frames at its peak.
    seen = (x > 40) & (x < nx - 40) & (y > 40) & (y < ny - 40) & (stars["flux"] > 500)
    others = np.nonzero(stars["flux"] > 50)[0]
    seen &= np.array(
        [np.count_nonzero(np.hypot(x[others] - a, y[others] - b) < 5) == 1 for a, b in zip(x, y, strict=True)]
    )
    apart = np.hypot((found["ra_deg"][:, None] - stars["ra_deg"][seen]) * np.cos(np.radians(20)),
                     found["dec_deg"][:, None] - stars["dec_deg"][seen]) * 3600  # fmt: skip
    assert seen.sum() > 30
    assert (apart.min(axis=0) < 2).mean() > 0.95
