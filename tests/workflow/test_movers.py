"""What moves in images of one field, by the commands of the guide; and what is left of them after a kill."""

import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner
from tests.movers_run import PLANT, RECOVER, make, small

from lostlight.cli import cli
from lostlight.core.manifest import load
from lostlight.report.verify import verify
from lostlight.vocab.movers import MOVERS

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")

NAMED = ("stack_id", "x_px", "y_px", "vx_px_day", "vy_px_day", "flux", "lh", "n_obs")
"""Columns of candidates that other programs look for."""
QUICK = {"recover.grid.high": 4, "recover.nulls": "[]", "recover.rate_bins": "[0, 5]"}
SET = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Six images of one night with three bodies; not to be changed."""
    folder = tmp_path_factory.mktemp("own") / "my field"
    small().write(folder)
    return folder


def search(images, out, *words):
    """Be the command; gives what it says."""
    done = CliRunner().invoke(cli, ["search", "--images", str(images), "--out", str(out), "-j", "2", *SET, *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def searched(images):
    """The folder searched; not to be changed."""
    out = images.parent / "found"
    return out, search(images, out, "--planted", "30")


def test_a_folder_of_images_becomes_a_list_of_candidates(searched):
    out, said = searched
    found = Table.read(out / "candidates.ecsv", format="ascii.ecsv")
    assert found.colnames == list(MOVERS)
    assert set(NAMED) <= set(found.colnames)
    assert np.all(np.diff(np.asarray(found["lh"])) <= 0)
    assert len(found) >= 3
    best = found[~np.asarray(found["is_vetted_out"], bool)]
    for row in small().truth:
        assert np.hypot(best["x_px"] - row["x_px"], best["y_px"] - row["y_px"]).min() < 1
    assert f"candidates: {out / 'candidates.ecsv'} ({len(found)})" in said
    (page,) = re.findall(r"page: (\S.*)$", said, re.M)
    assert "<html" in Path(page).read_text().lower()
    verify(out)


def test_the_same_command_again_does_nothing_and_says_the_same(searched, images):
    out, said = searched
    before = {path: path.stat().st_mtime_ns for path in out.rglob("products/*")}
    again = search(images, out, "--planted", "30")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("products/*")} == before
    last = [line for line in said.splitlines() if line.startswith(("page", "candidates"))]
    assert [line for line in again.splitlines() if line.startswith(("page", "candidates"))] == last


def test_a_store_is_searched_too(searched, images, tmp_path):
    done = CliRunner().invoke(
        cli, ["inject", "stack", "--images", str(images), "--out", str(tmp_path / "s.zarr"), "--native"]
    )
    assert done.exit_code == 0, done.output
    search(tmp_path / "s.zarr", tmp_path / "found", "--planted", "0")
    one, other = (Table.read(out / "candidates.ecsv") for out in (searched[0], tmp_path / "found"))
    assert [*one["lh"]] == [*other["lh"]]


SETTINGS = {"n": 40, "classes": {"drift": 1.0}}
OPTIONS = {"rate_bins": (0, 5), "grid": {"high": 4.0}}


def run_alone(images, run):
    """Be a process with a group of its own, as one that was started from a shell."""
    os.setsid()
    make(images, run, workers=2, recover=OPTIONS, **SETTINGS)


def n_receipts(run):
    """Count the units that are done."""
    return len(list(run.glob("*/units/*.json")))


@pytest.fixture(scope="module")
def untouched(images):
    """A run that was left alone."""
    return make(images, images.parent / "whole/run", workers=2, recover=OPTIONS, **SETTINGS)


def check_kill(images, untouched, run, n, delay_s=0.0):
    """Kill a run and all its workers a while after so many units are done, and run the same again."""
    process = get_context("fork").Process(target=run_alone, args=(images, run))
    process.start()
    while process.is_alive() and n_receipts(run) < n:
        time.sleep(0.002)
    time.sleep(delay_s)
    assert process.is_alive(), "it was done before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    again = make(images, run, workers=2, recover=OPTIONS, **SETTINGS)
    assert again.products() == untouched.products()
    for step in (PLANT, RECOVER):
        theirs, ours = ((each / step / "manifest.json").read_bytes() for each in (untouched.run, run))
        assert ours == theirs
        assert not [path for path in (run / step / ".staging").rglob("*") if path.is_file()]


@pytest.mark.parametrize("n", [3, 8, 11])
def test_a_killed_search_resumes_to_the_same_bytes(images, untouched, tmp_path, n):
    check_kill(images, untouched, tmp_path / "run", n)


@pytest.mark.soak
@pytest.mark.parametrize("n", range(13))
def test_a_kill_at_every_unit(images, untouched, tmp_path, n):
    check_kill(images, untouched, tmp_path / "run", n, 0.03 * (n * 7 % 5))


def one2pass(project, folder, *arguments):
    command = [sys.executable, project / "scripts" / "one2pass.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_preset_runs_both_steps_on_own_images(project, images, tmp_path):
    asked = [
        "--preset",
        "injection",
        "--run-id",
        "mine",
        "--set",
        f"inject.images={images}",
        "--set",
        "inject.n=20",
        *SET,
    ]
    done = one2pass(project, tmp_path, *asked, "--to-step", "14")
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "data/runs/mine"
    assert sorted(path.parent.name for path in run.glob("*/manifest.json")) == [PLANT, RECOVER]
    assert len(Table.read(run / RECOVER / "products/field.candidates.ecsv", format="ascii.ecsv")) >= 3
    verify(run)
    before = {path: path.stat().st_mtime_ns for path in run.glob("*/manifest.json")}
    assert one2pass(project, tmp_path, *asked, "--to-step", "14").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.soak
def test_snakemake_makes_step_14_in_a_copy_of_the_project(project, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", project / "Snakefile", "--cores", "2", "step14"]
    kept = ["--configfile", project / "config/pipeline.yaml", project / "config/presets/injection.yaml"]
    done = subprocess.run([*command, *kept], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "data/runs").iterdir()
    assert load(run / RECOVER / "manifest.json").status == "ok"
    verify(run)


@pytest.mark.parametrize("n", [12, pytest.param(200, marks=pytest.mark.soak)])
def test_the_files_of_kbmod_from_images_to_the_page(shared_data, tmp_path, n):
    """A21: built, sources planted, searched, told of; its time is measured by scripts/dev/bench.py."""
    made = make(shared_data / "kbmod-small", tmp_path / "run", workers=2, n=n, classes={"drift": 1.0})
    found = made.table("candidates")
    best = found[~np.asarray(found["is_vetted_out"], bool)][0]
    assert (best["x_px"], best["y_px"]) == pytest.approx((11, 26), abs=1)
    planted = made.table("recoveries")
    assert len(planted) == n
    bright = np.asarray(planted["lh_expected"]) > made.metrics("search_field_000")["threshold"] + 3
    assert np.asarray(planted["is_recovered"], bool)[bright].mean() > 0.7
    assert made.path("page").read_text().count("data:image/") >= 2
    verify(made.run)


def test_images_of_a_few_minutes_show_no_motion_and_that_is_said(tmp_path):
    small(n_epochs=4, nights=1, cadence_min=2.0).write(tmp_path / "burst")
    done = CliRunner().invoke(
        cli, ["search", "--images", str(tmp_path / "burst"), "--out", str(tmp_path / "out"), "--planted", "0"]
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"the images span 0\.1 h: only what moves faster than [\d.]+ arcsec per hour", done.output)
    assert done.output.endswith("nothing was searched\n")
    assert not (tmp_path / "out" / "candidates.ecsv").exists()
    manifest = load(tmp_path / "out" / "14_recover" / "manifest.json")
    assert {unit.status for unit in manifest.units} == {"skipped"}
