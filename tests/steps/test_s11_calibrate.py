"""The whole of step 11 on a small simulated camera."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from tests.raw_night import STEP, calibrate, copied, edit, edit_all, take

from lostlight.core import atomic
from lostlight.vocab.bits import DO_NOT_USE

NIGHT = {"shape": (65, 88), "n_bias": 5, "n_dark": 5, "n_flat": 5, "n_flat_dark": 3, "n_light": 2}
MASTERS = ("master_bias_g100_o50", "master_dark_60s_-10C_g100", "master_flat_dark_2s_-10C_g100")
FLAT = "master_flat_R_2024-03-10"
LIGHTS = ("light_R_60s_000", "light_R_60s_001")
PICTURED = {"master": {"preview", "rejected"}, "bpm": {"preview"}, "image": {"after", "before", "quality"}}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return take(tmp_path_factory.mktemp("whole") / "frames", **NIGHT)


@pytest.fixture(scope="module")
def finished(night):
    """A finished run; not to be changed."""
    with contextlib.chdir(night.parent):
        outcome = calibrate("frames", night.parent / "run")
    assert outcome.error is None
    assert outcome.manifest.status == "ok"
    return outcome


@pytest.fixture
def frames(night, tmp_path, monkeypatch):
    """Frames of one's own, named as those of the finished run are."""
    monkeypatch.chdir(tmp_path)
    return copied(night, tmp_path / "frames")


@pytest.fixture
def rerun(frames, finished):
    """Continue a copy of the finished run, and tell the units that are done again."""
    run = copied(finished.run, frames.parent / "run")

    def receipts():
        return {path.stem: path.stat().st_mtime_ns for path in (run / STEP / "units").glob("*.json")}

    def again(**settings):
        before = receipts()
        outcome = calibrate("frames", run, **settings)
        return outcome, {name for name, moment in receipts().items() if before.get(name) != moment}

    return again


def header(outcome, name):
    return fits.getheader(outcome.run / STEP / "products" / name)


def test_every_product_is_there(finished):
    made = {unit.id: set(unit.outputs) for unit in finished.manifest.units}
    assert made.pop("plan") == {"plan", "frames", "told"}
    assert made.pop("calibration") == {"report", "page"}
    assert made.pop("bad_pixels") == {"bpm", "diagnostics"} | PICTURED["bpm"]
    assert made.pop(FLAT) == {"master", "diagnostics", "overlay"} | PICTURED["master"]
    for name in MASTERS:
        assert made.pop(name) == {"master", "diagnostics"} | PICTURED["master"]
    for name in LIGHTS:
        assert made.pop(name) == {"image", "diagnostics"} | PICTURED["image"]
    assert not made
    stated = {product.path.rpartition("/")[2] for unit in finished.manifest.units for product in unit.outputs.values()}
    assert stated == set(finished.products)


@pytest.mark.parametrize("name", [f"{MASTERS[0]}.master.fits", f"{FLAT}.master.fits", f"{LIGHTS[0]}.fits"])
def test_ccddata_reads_it(finished, name):
    path = finished.run / STEP / "products" / name
    read = CCDData.read(path)
    assert str(read.unit) == ("" if "flat" in name else "adu")
    assert read.shape == NIGHT["shape"]
    assert isinstance(read.uncertainty, StdDevUncertainty)
    good = ~read.mask
    assert good.mean() > 0.95
    assert np.isfinite(read.data[good]).all()
    assert (read.uncertainty.array[good] > 0).all()
    with fits.open(path) as hdus:
        assert ((hdus["DQ"].data & DO_NOT_USE) > 0).tolist() == read.mask.tolist()
        assert hdus["DQ"].header["DQB00"]


def test_headers_tell_how_masters_and_lights_were_made(finished):
    bias = header(finished, f"{MASTERS[0]}.master.fits")
    told = {key: bias[key] for key in ("IMAGETYP", "NCOMBINE", "COMBMETH", "REJMETH", "REJLOW", "REJHIGH", "WEIGHTS")}
    assert told == {
        "IMAGETYP": "Master Bias", "NCOMBINE": 5, "COMBMETH": "mean", "REJMETH": "noise_model",
        "REJLOW": pytest.approx(4.277, abs=1e-3), "REJHIGH": pytest.approx(4.277, abs=1e-3), "WEIGHTS": "none",
    }  # fmt: skip
    assert 0 <= bias["FREJLOW"] < 0.01
    assert bias["RDNOISE"] == pytest.approx(5, rel=0.05)
    assert bias["OVERSCAN"] == pytest.approx(1000, abs=10)
    flat, light = header(finished, f"{FLAT}.master.fits"), header(finished, f"{LIGHTS[0]}.fits")
    assert (flat["IMAGETYP"], flat["BUNIT"], light["IMAGETYP"], light["BUNIT"]) == (
        "Master Flat", "", "Light Frame", "adu",
    )  # fmt: skip
    assert light["CALSTAT"] == "DF"
    assert (light["BIASSUB"], light["DARKMODE"], light["DARKSCAL"]) == (True, "matched", 1.0)
    for key, name in (("DARKID", f"{MASTERS[1]}.master.fits"), ("FLATID", f"{FLAT}.master.fits"),
                      ("BPMID", "bad_pixels.bpm.fits")):  # fmt: skip
        assert light[key] == atomic.sha256_file(finished.run / STEP / "products" / name)[:16]
    stages = [line for line in light["HISTORY"] if line.startswith("calibrate: ")]
    assert [line.split()[1] for line in stages][:7] == [
        "overscan", "trim", "bias", "dark", "flat", "cosmetic", "lacosmic",
    ]  # fmt: skip


def test_the_sky_stays_where_it_was(finished, night):
    raw, light = fits.getheader(night / "light/light_R_60s_000.fits"), header(finished, f"{LIGHTS[0]}.fits")
    assert (light["CRPIX1"], light["CRPIX2"]) == (raw["CRPIX1"] - 8, raw["CRPIX2"])
    assert "TRIMSEC" not in light


def test_the_report_keeps_its_schema_and_names_every_master(finished, project):
    schema = json.loads((project / "workflow/schemas/calibration_report.schema.json").read_bytes())
    jsonschema.validate(finished.report, schema)
    assert [each["id"] for each in finished.report["lights"]] == list(LIGHTS)
    assert {each["id"] for each in finished.report["masters"]} >= {*MASTERS, FLAT}
    roles = {(each["target"], each["role"]): each["chosen"] for each in finished.report["matches"]}
    assert {chosen for (target, role), chosen in roles.items() if role == "dark" and "light" in target} == {MASTERS[1]}
    assert roles[FLAT, "flat_dark"] == MASTERS[2]


def test_no_product_holds_a_path_or_the_time(finished, night):
    today = time.strftime("%Y-%m-%d").encode()
    for name, content in finished.products.items():
        for secret in (str(night.parent), str(finished.run.parent), os.path.expanduser("~"), today.decode()):
            assert secret.encode() not in content, f"{name} holds {secret}"
    assert str(night.parent) not in (finished.run / STEP / "manifest.json").read_text()


def test_a_second_run_does_nothing_but_sweep(rerun, frames):
    left = frames.parent / "run" / STEP / ".staging" / f"{LIGHTS[0]}@{2**22 + 1}"  # more than any process has
    left.mkdir(parents=True)
    outcome, redone = rerun()
    assert not left.exists()
    assert redone == set()
    assert outcome.manifest.status == "ok"


def test_one_more_light_makes_one_light(frames, rerun):
    _, redone = rerun(lacosmic={"enable": "on"})
    assert {*LIGHTS} < redone
    assert not {*MASTERS} & redone, "what is done to lights makes no master anew"
    for number in (2, 3):
        edit(
            shutil.copy(frames / "light/light_R_60s_001.fits", frames / f"light/new_{number}.fits"),
            DATE_OBS="2024-03-11",
        )
        rerun(lacosmic={"enable": "on"})
    edit(shutil.copy(frames / "light/light_R_60s_001.fits", frames / "light/another.fits"), lambda data: data + 1)
    _, redone = rerun(lacosmic={"enable": "on"})
    assert redone == {"another", "plan", "calibration"}


def test_a_master_without_one_of_its_frames_is_made_again_with_its_lights(frames, rerun):
    (frames / "dark/dark_60s_004.fits").unlink()
    outcome, redone = rerun()
    assert outcome.unit(MASTERS[1]).metrics["n_combined"] == 4
    assert redone == {MASTERS[1], "bad_pixels", *LIGHTS, "plan", "calibration"}


def test_a_light_that_is_gone_is_told_of_no_more(frames, rerun):
    (frames / "light/light_R_60s_001.fits").unlink()
    outcome, _ = rerun()
    assert "light_R_60s_001" not in {unit.id for unit in outcome.manifest.units}
    assert [each["id"] for each in outcome.report["lights"]] == ["light_R_60s_000"]


@pytest.mark.parametrize(
    ("workers", "policy"), [(4, {}), (1, {"backend": "numpy", "memory_mb": 64}), (3, {"backend": "numba"})]
)
def test_the_same_bytes_for_any_workers_and_backend(finished, frames, workers, policy):
    other = calibrate("frames", frames.parent / "run", workers=workers, policy=policy)
    assert sorted(other.products) == sorted(finished.products)
    assert [name for name, content in finished.products.items() if other.products[name] != content] == []
    assert (other.run / STEP / "manifest.json").read_bytes() == (finished.run / STEP / "manifest.json").read_bytes()


def test_a_master_that_fails_skips_its_lights_and_the_report_comes(frames, tmp_path):
    edit_all(frames, "flat", change=lambda data, number: np.full_like(data, 65535))
    outcome = calibrate(frames, tmp_path / "run")
    (failure,) = outcome.failures
    for name in LIGHTS:
        record = outcome.unit(name)
        assert record.status == "skipped"
        assert record.warnings == (f"needs {FLAT}: failed: {failure}",)
    assert {each["where"] for each in outcome.report["warnings"]} >= {FLAT, *LIGHTS}
    assert not [name for name in outcome.products if name.startswith(("light", FLAT))]
    jsonschema.validate(outcome.report["masters"], {"type": "array", "minItems": 3})


WALK = """
from pathlib import Path
from lostlight import chain
from lostlight.core import config
overlay = {"calibrate": {"frames": "frames"}, "run": {"max_failed_fraction": 1.0}}
list(chain.walk(config.check(overlay), Path("run").absolute(), steps=("11_calibrate",), workers=2))
"""


def check_kill(finished, folder, n_receipts):
    """Kill a run and all its workers once so many units are done; the same command again gives the same bytes."""
    process = subprocess.Popen([sys.executable, "-c", WALK], cwd=folder, start_new_session=True)
    run = folder / "run"
    while process.poll() is None and len(list((run / STEP / "units").glob("*.json"))) < n_receipts:
        time.sleep(0.002)
    assert process.poll() is None, "it was done before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    outcome = calibrate("frames", run)
    assert outcome.products == finished.products
    assert (run / STEP / "manifest.json").read_bytes() == (finished.run / STEP / "manifest.json").read_bytes()


@pytest.mark.parametrize("n_receipts", [1, 5, 8])
def test_a_killed_run_resumes_to_the_same_bytes(finished, frames, n_receipts):
    check_kill(finished, frames.parent, n_receipts)


@pytest.mark.soak
@pytest.mark.parametrize("n_receipts", range(9))
@pytest.mark.parametrize("attempt", range(3))
def test_many_kills(finished, frames, n_receipts, attempt):
    check_kill(finished, frames.parent, n_receipts)


def test_half_a_product_is_made_again(rerun, frames, finished):
    path = frames.parent / "run" / STEP / "products" / f"{LIGHTS[1]}.fits"
    path.write_bytes(path.read_bytes()[:4000])
    outcome, redone = rerun()
    assert redone == {LIGHTS[1]}
    assert outcome.products == finished.products


def test_the_plan_can_be_taken_as_it_is(rerun, finished):
    shutil.copy(finished.run / STEP / "products/plan.csv", "own.csv")
    outcome, _ = rerun(plan="own.csv")
    assert outcome.error is None
    pixels = [name for name in finished.products if re.search(r"\.(fits|png)$", name)]
    assert [name for name in pixels if outcome.products[name] != finished.products[name]] == []
