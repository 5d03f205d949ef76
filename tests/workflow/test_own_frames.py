"""Own raw frames: from the front end to the page, the report and the package."""

import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from tests.small_run import SmallRun

from lostlight import chain, runner
from lostlight.core import config
from lostlight.core.manifest import load
from lostlight.core.params import PackageParams, SummaryParams
from lostlight.report.show import show
from lostlight.report.verify import verify
from lostlight.sim.camera_frames import write_frames
from lostlight.vocab.steps import FRAMES

NIGHT = {"shape": (91, 113), "n_bias": 5, "n_dark": 5, "n_flat": 5, "n_flat_dark": 0, "n_light": 2, "dark_s": (60.0,)}
MADE = "2 lights were calibrated with one master bias, one master dark and one master flat."


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("camera") / "my night"
    write_frames(folder, 5, light_s=60.0, filters=("R",), **NIGHT)
    return folder


def one2pass(project, folder, *arguments):
    command = [sys.executable, project / "scripts" / "one2pass.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def calibrated(project, night, tmp_path_factory):
    """A run of step 11 alone, by the command of the guide."""
    folder = tmp_path_factory.mktemp("calibrated")
    asked = ["--frames", night, "--to-step", 11, "--run-id", "mine", "--set", "calibrate.light.unit=electron"]
    return folder, one2pass(project, folder, *asked)


def test_a_folder_of_frames_becomes_masters_and_lights(calibrated):
    folder, done = calibrated
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"run mine: {MADE}" in done.stdout
    assert "calibration: data/runs/mine/11_calibrate/products/calibration.html" in done.stdout
    products = folder / "data/runs/mine/11_calibrate/products"
    assert {path.name for path in products.glob("light_*.fits")} == {"light_R_60s_000.fits", "light_R_60s_001.fits"}
    verify(folder / "data/runs/mine")


def test_the_bar_counts_frames_and_masters(calibrated):
    folder, done = calibrated
    said = (folder / "logs/mine/11_calibrate.log").read_text()
    n_units = len(load(folder / "data/runs/mine/11_calibrate/manifest.json").units)
    assert f"11_calibrate: 100 % ({n_units} of {n_units}) calibration" in said
    shown = re.findall(rf"^mine: +(\d+) % \(\d+ of {n_units}\) (\S+)$", done.stderr, re.M)
    assert {"master_dark_60s_-10C_g100", "bad_pixels", "light_R_60s_001"} <= {name for _, name in shown}
    percents = [int(percent) for percent, _ in shown]
    assert percents == sorted(percents) and percents[0] < 20


def test_a_setting_is_a_key_of_the_configuration(calibrated):
    folder, _ = calibrated
    assert load(folder / "data/runs/mine/11_calibrate/manifest.json").params["light"]["unit"] == "electron"


def test_a_dry_run_shows_the_plan_and_leaves_nothing(project, night, tmp_path):
    done = one2pass(project, tmp_path, "--frames", night, "--to-step", 11, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^master_flat_R_\S+ +5 +\S+ +2$", done.stdout, re.M), done.stdout
    assert re.search(r"^light_\S*_R_60s +2 ", done.stdout, re.M)
    assert not (tmp_path / "data").exists()


def test_a_broken_frame_ends_the_run_with_what_to_do_and_may_be_left_out(project, night, tmp_path):
    frames = shutil.copytree(night, tmp_path / "frames")
    light = next((frames / "light").iterdir())
    light.write_bytes(light.read_bytes()[:9000])
    asked = ["--frames", frames, "--to-step", 11, "--run-id", "mine"]
    done = one2pass(project, tmp_path, *asked)
    assert done.returncode == 4
    assert f"{light.name} breaks off at byte 9000" in done.stderr
    assert "→ copy the file again, or set calibrate.on_bad_frame: skip" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("data/runs/mine/11_calibrate/products/*"))
    done = one2pass(project, tmp_path, *asked, "--set", "calibrate.on_bad_frame=skip")
    assert done.returncode == 0, done.stderr
    assert "1 light was calibrated" in done.stdout


@pytest.fixture(scope="module")
def told(night, tmp_path_factory):
    """A survey that has calibrated and joined frames too, told and packed."""
    run = SmallRun(tmp_path_factory.mktemp("runs") / "small")
    settings = config.check({"calibrate": {"frames": str(night)}})
    list(chain.walk(settings, run.folder, steps=FRAMES))
    paths = [*run.manifests.values(), *(run.folder / step_id / "manifest.json" for step_id in FRAMES)]
    for step_id, params in (("09_summary", SummaryParams()), ("10_package", PackageParams())):
        out = run.folder / step_id / "manifest.json"
        runner.run(runner.Job(step_id=step_id, params=params, out=out, upstream=paths))
        paths.append(out)
    return run.folder


def test_the_report_tells_of_the_calibration_and_leads_to_its_page(told):
    products = told / "09_summary" / "products"
    page = (products / "report.html").read_text()
    (link,) = re.findall(rf'Calibration: {MADE}[^<]* <a href="([^"]+)">', page)
    assert (products / link).resolve() == (told / "11_calibrate/products/calibration.html").resolve()
    assert f"Own frames: {MADE}" in (products / "summary.md").read_text()
    assert "CAL2" not in page.partition('id="provenance"')[0]


def test_the_report_tells_of_the_mosaic_and_leads_to_its_page(told):
    products = told / "09_summary" / "products"
    (link,) = re.findall(r'2 frames make a mosaic of [^<]*<a href="([^"]+)">', (products / "report.html").read_text())
    assert (products / link).resolve() == (told / "12_mosaic/products/mosaic.html").resolve()
    assert "2 frames make a mosaic of" in (products / "summary.md").read_text()


def test_show_tells_of_tiles_and_frames(told):
    lines = show(told).splitlines()
    assert lines[0].startswith("run small: 4 tiles")
    assert lines[1].startswith(MADE)
    assert lines[2].startswith("2 frames make a mosaic of")
    assert lines[-1].endswith("report.html")
    assert len(lines) <= 10


def test_the_package_holds_what_calibration_says_and_pictures_on_request(told, tmp_path):
    names = set(zipfile.ZipFile(told / "10_package/products/package.zip").namelist())
    held = {name.partition("products/")[2] for name in names if name.startswith("11_calibrate/products/")}
    assert {"calibration.html", "calibration_report.json", "plan.csv", "plan.frames.csv"} <= held
    assert not [name for name in held if name.endswith((".fits", ".png"))]
    joined = {name.partition("products/")[2] for name in names if name.startswith("12_mosaic/products/")}
    assert {"mosaic.html", "mosaic.metrics.json", "canvas.json", "photometry.photometry.json"} == joined
    readme = zipfile.ZipFile(told / "10_package/products/package.zip").read("README.txt").decode()
    assert "11_calibrate/products/calibration.html" in readme
    assert "12_mosaic/products/mosaic*.html" in readme
    paths = [path for path in sorted(told.glob("[01]*/manifest.json")) if path.parent.name != "10_package"]
    out = tmp_path / "small" / "10_package" / "manifest.json"
    shutil.copytree(told, tmp_path / "small", ignore=shutil.ignore_patterns("10_package"))
    paths = [tmp_path / "small" / path.relative_to(told) for path in paths]
    runner.run(runner.Job(step_id="10_package", params=PackageParams(images=True), out=out, upstream=paths))
    names = zipfile.ZipFile(out.parent / "products/package.zip").namelist()
    assert {"11_calibrate/products/light_R_60s_000.fits", "12_mosaic/products/mosaic.fits"} <= set(names)


@pytest.mark.soak
def test_own_frames_are_searched_like_any_plate(project, tmp_path):
    """The simulated camera under the simulated sky, from raw frames to the archive of the run."""
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump({"completeness": {"n_per_tile": 10}}))
    preset = ["--preset", "frames", "--config", "whole.yaml", "--engine", "embedded", "--run-id", "mine"]
    done = one2pass(project, tmp_path, *preset)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "run mine: 10 tiles (10 done)" in done.stdout
    run = tmp_path / "data/runs/mine"
    assert load(run / "09_summary/manifest.json").metrics["n_detections"] > 500
    assert "Calibration: 10 lights were calibrated" in (run / "09_summary/products/report.html").read_text()
    verify(run)
