"""Every code of calibration is provoked by frames or settings that deserve it, and says what, where and what to do."""

import csv
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from tests.raw_night import STEP, calibrate, copied, edit, edit_all, take

from lostlight.cli import cli
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.io import room
from lostlight.steps.calibrating.planning import planned, write
from lostlight.vocab.calibration import CODES, ERRORS, WARNINGS

PROVOKED = {}


@dataclass
class Case:
    """How to provoke a code: a function that spoils a night and gives settings, and what must be said then."""

    spoil: object
    says: str
    exit_code: int | None


def provokes(code, says, exit_code=None):
    """Register a way to provoke a code; `exit_code` is that of an error that ends the run."""

    def register(spoil):
        PROVOKED[code] = Case(spoil, says, exit_code)
        return spoil

    return register


@dataclass
class Place:
    """A night to spoil, and a folder beside it."""

    frames: Path
    beside: Path
    library: Path
    monkeypatch: object

    def first(self, kind):
        return sorted((self.frames / kind).glob("*.fits"))[0]

    def plan(self, change):
        """Write the plan of these frames, its text changed."""
        path = self.beside / "plan.csv"
        write(planned(CalibrateParams(frames=str(self.frames))), path)
        path.write_text(change(path.read_text()))
        return str(path)


@provokes("CAL101", r"CAL101: f holds no frames: no file ends with \.fits", 2)
def _(place):
    shutil.rmtree(place.frames)
    place.frames.mkdir()


@provokes("CAL102", r"CAL102: 1 of 11 frames are of unknown type: bias/bias_000\.fits: IMAGETYP is missing", 2)
def _(place):
    edit(place.first("bias"), IMAGETYP=None)


@provokes("CAL103", r"CAL103: plan\.csv, line \d+: .* 40x30 .* 53x41", 2)
def _(place):
    edit_all(place.frames, "bias", TRIMSEC=None, BIASSEC=None, change=lambda data, n: data[:30, :40] if n else data)
    edit(place.first("bias"), TRIMSEC="[9:61,1:41]", BIASSEC="[2:8,1:41]")
    return {"plan": place.plan(_into_one_group)}


@provokes("CAL104", r"CAL104: plan\.csv, line \d+: bias_00\d has gain \d+, bias_00\d of .* has \d+", 2)
def _(place):
    edit(place.first("bias"), GAIN=200)
    return {"plan": place.plan(_into_one_group)}


@provokes("CAL105", r"CAL105: no dark fits light_.* \(nearest dark: .*: exposure 300 s is not 60 s\)", 2)
def _(place):
    edit_all(place.frames, "dark", EXPTIME=300.0)


@provokes("CAL106", r"CAL106: light_R_60s_000: master_dark.* CALSTAT 'BD' says was done", 2)
def _(place):
    edit_all(place.frames, "light", CALSTAT="BD")


@provokes("CAL107", r"CAL107: master_flat_R.*: no flat dark, no dark of its exposure and no bias fits", 2)
def _(place):
    edit_all(place.frames, BIASSEC=None, TRIMSEC=None)
    shutil.rmtree(place.frames / "bias")
    shutil.rmtree(place.frames / "dark")


@provokes("CAL108", r"CAL108: light_R_60s_000: no pixel of it is a number")
def _(place):
    edit(place.first("light"), lambda data: np.full(data.shape, np.nan, np.float32))
    return {"light": {"overscan": "off"}}


@provokes("CAL109", r"CAL109: master_bias.*: minmax drops 2 \+ 1 of 3 samples", 2)
def _(place):
    return {"bias": {"reject": "minmax", "nlow": 2}}


@provokes("CAL110", r"CAL110: .*open", 2)
def _(place):
    return {"bias": {"reject": "expression", "expression": "open(x) > 1"}}


@provokes("CAL111", r"CAL111: dark_60s_000\.fits breaks off at byte 6000: HDU 0 needs \d+ bytes", 4)
def _(place):
    path = place.first("dark")
    path.write_bytes(path.read_bytes()[:6000])


@provokes("CAL112", r"CAL112: flat_R_2s_000: 100 percent of its pixels are saturated \(0\.01 may be\)")
def _(place):
    edit(place.first("flat"), lambda data: np.full_like(data, 65535))


@provokes("CAL113", r"CAL113: master_bias_g100_o50 needs 1 MB of disk, and 0 MB are free", 1)
def _(place):
    place.monkeypatch.setattr(room, "free_disk_bytes", lambda folder: 1000)


@provokes("CAL201", r"CAL201 light_.*: dark master_dark.*: 62\.5 s for 60 s")
def _(place):
    edit_all(place.frames, "dark", EXPTIME=62.5)
    return {"dark": {"exp_tolerance": 0.1}}


@provokes("CAL202", r"CAL202 light_.*: dark master_dark.*: 2\.5 C apart")
def _(place):
    edit_all(place.frames, "dark", CCD_TEMP=-12.5)
    return {"dark": {"temp_tolerance_c": 3}}


@provokes("CAL203", r"CAL203 .*: bias master_bias.*: \d{3} days apart")
def _(place):
    edit_all(place.frames, "bias", DATE_OBS="2023-06-10T17:00:00")
    shutil.rmtree(place.frames / "dark")


@provokes("CAL204", r"CAL204 master_bias.*: 3 frames, 5 are asked for")
def _(place):
    return {}


@provokes("CAL205", r"CAL205 bias_000: .* from ")
def _(place):
    edit(place.first("bias"), lambda data: data + np.uint16(500))
    return {"bias": {"overscan": "off"}}


@provokes("CAL206", r"CAL206 bias_000: its noise is \d+\.\d+ times the median of 3 frames")
def _(place):
    rng = np.random.default_rng(1)
    edit(place.first("bias"), lambda data: (data + rng.normal(0, 40, data.shape)).astype(np.uint16))


@provokes("CAL207", r"CAL207 bias_000: \d+\.\d % of its samples were rejected")
def _(place):
    edit(place.first("bias"), lambda data: np.where(np.arange(data.size).reshape(data.shape) % 5, data, data + 999))


@provokes("CAL208", r"CAL208 light_R_60s_000: 100\.00 % of the pixels are negative; noise alone makes 50\.00 %")
def _(place):
    edit(place.first("light"), lambda data: data.astype(np.int32) - 2000)
    return {"light": {"overscan": "off"}}


@provokes("CAL209", r"CAL209 master_bias.*: a read noise of 20 e is stated; differences of the frames say 4\.9")
def _(place):
    edit_all(place.frames, "bias", RDNOISE=20.0)


@provokes("CAL210", r"CAL210 master_dark.*: \d+ hot pixels, \d+ in the map before")
def _(place):
    def hotter(data, number):
        data[1::4, 10::4] += 2000
        return data

    edit_all(place.frames, "dark", change=hotter)
    return {"library": str(place.library)}


@provokes("CAL211", r"CAL211 light_R_60s_000: ")
def _(place):
    return {"dark": {"mode": "scaled", "glow": "off"}}


@provokes("CAL212", r"CAL212: light_R_60s_000: glow of .* adu at x \d+, y \d+ against sky noise")
def _(place):
    corner = np.zeros((41, 61))
    corner[:25, 30:] = 4000 * np.outer(np.linspace(1, 0, 25), np.linspace(0, 1, 31))
    edit_all(place.frames, "dark", change=lambda data, n: (data + corner).astype(np.uint16))
    return {"dark": {"mode": "scaled", "scale": "exposure"}}


@provokes("CAL213", r"CAL213 master_flat.*: a pixel has a signal to noise of \d+; lights will be noisier for it")
def _(place):
    edit_all(place.frames, "flat", change=_dimmed(0.01))


@provokes("CAL214", r"CAL214 master_flat.*: the level of the flats is [1-9] % of saturation: too low")
def _(place):
    edit_all(place.frames, "flat", change=_dimmed(0.2))


@provokes("CAL215", r"CAL215 master_flat.*: the illumination changes by \d+ % across the frame")
def _(place):
    slope = np.linspace(0.7, 1, 61)
    edit_all(place.frames, "flat", change=lambda data, n: (1000 + (data - 1000.0) * slope).astype(np.uint16))


@provokes("CAL216", r"CAL216 master_flat.*: \d+ shadows? of dust, the deepest \d+\.\d % at x \d+, y \d+")
def _(place):
    y, x = np.mgrid[:41, :61]
    shadow = 1 - 0.2 * (np.hypot(y - 20, x - 34) < 6)
    edit_all(place.frames, "flat", change=lambda data, n: (1000 + (data - 1000.0) * shadow).astype(np.uint16))


@provokes("CAL217", r"CAL217 light_R_60s_000: .*flat")
def _(place):
    shutil.rmtree(place.frames)
    take(place.frames, shape=(200, 256), n_light=1)

    def lifted(data, number):
        data[:, 8:] += 15000
        return data

    edit_all(place.frames, "flat", change=lifted)


@provokes("CAL218", r"CAL218 EGAIN: EGAIN is missing in 3 of 11 frames that need it: bias_000")
def _(place):
    edit_all(place.frames, "bias", EGAIN=None)


@provokes("CAL219", r"CAL219 master_bias.*: binned 2x2, and no light is")
def _(place):
    for path in sorted((place.frames / "bias").glob("*.fits")):
        edit(Path(shutil.copy(path, path.with_name(f"binned_{path.name}"))), XBINNING=2, YBINNING=2)


@provokes("CAL220", r"CAL220 master_bias.*: \d+\.\d % of the pixels differ by over 6 sigma from the master before")
def _(place):
    pattern = np.random.default_rng(3).integers(0, 400, (41, 61))
    edit_all(place.frames, "bias", change=lambda data, n: (data + pattern).astype(np.uint16))
    return {"library": str(place.library)}


@provokes("CAL221", r"CAL221 light_R_60s_000: 0 stars do not tell their width")
def _(place):
    return {"lacosmic": {"enable": "on"}}


@provokes("CAL222", r"CAL222 .*: .* of the pixels")
def _(place):
    shutil.rmtree(place.frames / "dark")
    take(place.frames, n_bias=0, n_flat=0, n_light=0, n_dark=9)
    rng = np.random.default_rng(4)
    rows, columns = rng.integers(0, 41, 30), 8 + rng.integers(0, 53, 30)

    def hopping(data, number):
        data[rows, columns] += (rng.integers(0, 2, 30) * 3000).astype(np.uint16)
        return data

    edit_all(place.frames, "dark", change=hopping)


@provokes("CAL223", r"CAL223 bias/copy\.fits: the same file as bias/bias_000\.fits")
def _(place):
    shutil.copy(place.first("bias"), place.frames / "bias/copy.fits")


@provokes(
    "CAL224", r"CAL105: no dark fits .* with calibrate\.reuse: use, library_\w+ fits where the frames make no dark", 2
)
def _(place):
    edit_all(place.frames, "dark", EXPTIME=300.0)
    return {"library": str(place.library)}


@provokes("CAL225", r"CAL225 master_bias.*: entropy grows with noise")
def _(place):
    return {"bias": {"weights": "entropy", "entropy_tile_px": 9}}


@provokes("CAL226", r"CAL226 master_dark.*: gain and read noise are not known: none, median")
def _(place):
    edit_all(place.frames, EGAIN=None, RDNOISE=None)


@provokes("CAL227", r"CAL227 flat: there are no frames for it, and no light is corrected for its flat")
def _(place):
    shutil.rmtree(place.frames / "flat")


def _into_one_group(text):
    """Put all biases of a plan into one group."""
    rows = list(csv.DictReader(text.splitlines()))
    home = next(row["id"] for row in rows if row["kind"] == "master_bias")
    for row in rows:
        row["group"] = home if row["kind"] == "bias" else row["group"]
    return "\n".join(",".join(each) for each in [rows[0].keys(), *(row.values() for row in rows)]) + "\n"


def _dimmed(by):
    rng = np.random.default_rng(6)

    def change(data, number):
        light = rng.poisson((data[:, 8:] - 1000.0).clip(0) * by)
        return np.concatenate([data[:, :8], (1000 + light).astype(np.uint16)], axis=1)

    return change


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return take(tmp_path_factory.mktemp("night") / "f")


@pytest.fixture(scope="module")
def library(night, tmp_path_factory):
    """Masters of the unspoilt night, kept."""
    folder = tmp_path_factory.mktemp("library")
    calibrate(night, folder / "run")
    said = CliRunner().invoke(cli, ["library", "--library", str(folder / "kept"), "add", str(folder / "run")])
    assert said.exit_code == 0, said.output
    return folder / "kept"


@pytest.fixture(autouse=True)
def _without_page(monkeypatch):
    """Draw no page for sixty runs: that of the whole step is looked at elsewhere."""
    monkeypatch.setattr("lostlight.report.calibration_page.html", lambda content, pictures: "")


def test_every_code_has_a_test():
    assert sorted(PROVOKED) == sorted(CODES)


@pytest.mark.parametrize("code", sorted(PROVOKED))
def test_a_code_is_provoked_and_says_what_to_do(code, night, library, tmp_path, monkeypatch):
    case = PROVOKED[code]
    place = Place(copied(night, tmp_path / "f"), tmp_path, library, monkeypatch)
    settings = case.spoil(place) or {}
    outcome = calibrate(place.frames, tmp_path / "run", **settings)
    told = outcome.failures + outcome.warnings + ([str(outcome.error)] if outcome.error else [])
    assert any(re.search(case.says, said, re.DOTALL) for said in told), told
    assert (outcome.error.exit_code if outcome.error else None) == case.exit_code
    assert not list((tmp_path / "run" / STEP).glob(".staging/*")), "nothing half-written stays"
    if outcome.error:
        assert outcome.error.hint
        assert not (tmp_path / "run" / STEP / "manifest.json").exists()
    elif code in {each.code for each in WARNINGS} and "CAL212" not in code:
        units = [*outcome.report["masters"], *outcome.report["lights"]]
        heard = [*outcome.report["warnings"], *(each for unit in units for each in unit["warnings"])]
        assert any(each["code"] == code and each["hint"] for each in heard)


def test_errors_and_warnings_are_told_apart_by_their_number():
    assert all(each.code < "CAL200" <= other.code for each in ERRORS for other in WARNINGS)
    assert all(each.hint and each.text for each in CODES.values())


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_a_frame_without_pixels_ends_its_master_or_is_left_out(kind, night, tmp_path):
    frames = copied(night, tmp_path / "f")
    edit_all(frames, kind, change=lambda data, n: (data if n else np.full(data.shape, np.nan)).astype(np.float32))
    bad = sorted((frames / kind).glob("*.fits"))[0].stem
    failing = calibrate(frames, tmp_path / "fail")
    (said,) = failing.failures
    assert re.match(rf"CAL108: {bad}: ", said)
    assert failing.report, "the report comes all the same"
    name = next(unit.id for unit in failing.manifest.units if unit.failure)
    skipping = calibrate(frames, tmp_path / "skip", on_bad_frame="skip")
    assert not skipping.failures
    made = skipping.unit(name)
    assert made.metrics["n_combined"] == 2
    assert made.warnings[0] == f"CAL223 {bad}: {said}"
    told = next(each for each in skipping.report["masters"] if each["id"] == name)
    assert [each["where"] for each in told["warnings"] if each["code"] == "CAL223"] == [bad]


def test_a_light_that_cannot_be_used_is_skipped_and_recorded(night, tmp_path):
    frames = copied(night, tmp_path / "f")
    edit(frames / "light/light_R_60s_000.fits", lambda data: np.full_like(data, 65535))
    outcome = calibrate(frames, tmp_path / "run", on_bad_frame="skip")
    record = outcome.unit("light_R_60s_000")
    assert record.status == "skipped"
    assert record.warnings == ("CAL223 light_R_60s_000: CAL108: light_R_60s_000: all of its pixels are saturated",)
    assert "light_R_60s_000" in {each["where"] for each in outcome.report["warnings"] if each["code"] == "CAL223"}
    assert not [name for name in outcome.products if name.startswith("light_R_60s_000")]
    assert "light_R_60s_001.fits" in outcome.products


def test_a_damaged_file_is_skipped_and_recorded_once(night, tmp_path):
    frames = copied(night, tmp_path / "f")
    (frames / "bias/bias_001.fits").write_bytes(b"")
    outcome = calibrate(frames, tmp_path / "run", on_bad_frame="skip")
    about = [said for said in outcome.warnings if "bias_001" in said]
    assert about == ["CAL223 bias/bias_001.fits: CAL111: bias_001.fits is empty"]
    assert outcome.unit("plan").metrics["n_skipped_files"] == 1
    heard = [each["where"] for each in outcome.report["warnings"]]
    assert heard.count("bias/bias_001.fits") == 1


def test_one_frame_left_of_many_makes_no_master(night, tmp_path):
    frames = copied(night, tmp_path / "f")
    edit_all(frames, "flat", change=lambda data, n: np.full_like(data, 65535) if n else data)
    outcome = calibrate(frames, tmp_path / "run", on_bad_frame="skip")
    (said,) = outcome.failures
    assert re.match("CAL108: master_flat.*: one of its frames is left, .* CAL112: flat_R_2s_002", said)


@pytest.mark.parametrize("what", ["disk", "memory"])
def test_too_little_room_is_told_before_anything_is_written(what, night, tmp_path, monkeypatch):
    monkeypatch.setattr(room, f"free_{what}_bytes", lambda *_: 10_000)
    outcome = calibrate(night, tmp_path / "run")
    assert outcome.error.facts["free_mb"] == 0
    assert f"MB of {what}" in outcome.error.message
    assert sorted(outcome.products) == []


def test_memory_that_runs_out_is_told(night, tmp_path, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError("Unable to allocate 1. TiB")

    monkeypatch.setattr("lostlight.steps.calibrating.bias.stack", greedy)
    outcome = calibrate(night, tmp_path / "run")
    assert outcome.error.message == "CAL113: master_bias_g100_o50: memory is full: Unable to allocate 1. TiB"


def test_the_command_says_codes_without_a_traceback(night, tmp_path):
    frames = copied(night, tmp_path / "f")
    fits.setval(frames / "bias/bias_000.fits", "IMAGETYP", value="selfie")
    said = CliRunner().invoke(cli, ["plan", "--frames", str(frames)])
    assert said.exit_code == 2
    assert "CAL102" in said.output
    assert "Traceback" not in said.output
