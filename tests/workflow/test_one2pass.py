"""The front ends: what they ask of the workflow, how they end, and one real run from a position to the report."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.mosaic_run import take

from lostlight.core.atomic import sha256_file
from lostlight.core.manifest import load
from lostlight.report.verify import verify
from lostlight.sim.camera_frames import write_frames

TILE = {
    "run": {"shards": 1},
    "tiles": {"mode": "single", "rings": 0, "width_arcmin": 14, "height_arcmin": 12},
    "reference": {"bright_margin_arcmin": 5},
    "completeness": {"n_per_tile": 12},
    "calibrate": {"frames": ""},
}
"""One tile and no frames, which have tests of their own."""


@pytest.fixture
def one2pass(project, tmp_path, monkeypatch):
    """The front end, in an empty folder."""
    monkeypatch.syspath_prepend(project / "scripts")
    monkeypatch.chdir(tmp_path)
    import one2pass

    return one2pass


@pytest.fixture
def planned(one2pass, monkeypatch):
    """What the front end would start: the command, and the configuration it was given."""
    seen = {}

    def note(command, run_id):
        seen["command"] = command
        seen["config"] = yaml.safe_load(Path(command[command.index("--configfile") + 1]).read_text())
        seen["run_id"] = run_id
        return 0

    monkeypatch.setattr(one2pass, "_watch", note)
    monkeypatch.setattr(one2pass, "_conclude", lambda folder, status: status)

    def call(*arguments, status=0):
        done = CliRunner().invoke(one2pass.main, [str(argument) for argument in arguments])
        assert done.exit_code == status, done.output
        seen["output"] = done.output
        return seen

    return call


def test_a_position_replaces_those_of_the_configuration(planned):
    asked = planned("--ra", 10.5, "--dec", -3)["config"]["tiles"]
    assert asked["positions"] == [{"ra_deg": 10.5, "dec_deg": -3.0}]
    assert not (asked["positions_csv"] or asked["random_n"] or asked["region"] or asked["images"])


def test_a_table_of_positions_replaces_them_too(planned):
    asked = planned("--positions", "mine.csv")["config"]["tiles"]
    assert (asked["positions"], asked["positions_csv"]) == ([], "mine.csv")


def test_own_images_and_an_own_catalogue(planned, tmp_path):
    (tmp_path / "mine.csv").touch()
    asked = planned("--images", "plates", "--reference", "mine.csv", "--engine", "embedded")["config"]
    assert asked["tiles"]["images"] == asked["download"]["folder"] == "plates"
    assert (asked["download"]["source"], asked["download"]["survey"]) == ("folder", "any")
    assert asked["reference"]["own"]["path"] == "mine.csv"
    assert asked["engine"] == "embedded"
    assert not (asked["reference"]["gaia"] or asked["reference"]["usnob"])


def test_an_own_catalogue_is_the_veto_whatever_a_preset_names(planned, tmp_path):
    (tmp_path / "mine.csv").touch()
    asked = planned("--images", "plates", "--reference", "mine.csv", "--preset", "mnras2022")["config"]
    assert asked["filter"]["catalogs"] == ["own"]
    assert asked["filter"]["gates"] == "mnras2022"


def test_a_position_on_own_images_is_one_tile(planned):
    assert planned("--images", "plates", "--ra", 1, "--dec", 2)["config"]["tiles"]["rings"] == 0


def test_a_simulated_sky_is_called_one(planned):
    assert "simulated sky" in planned("--ra", 1, "--dec", 2)["output"]
    assert "simulated sky" not in planned("--ra", 1, "--dec", 2, "--preset", "dss1_red")["output"]


def test_real_images_are_never_held_against_the_simulated_sky(planned):
    assert "sky:" in str(planned("--ra", 1, "--dec", 2)["config"])
    asked = planned("--images", "plates")["config"]
    assert "sky:" not in str(asked)
    assert not asked["filter"]["skybot"]
    assert "sky:" not in str(planned("--preset", "dss1_red")["config"])


@pytest.mark.parametrize("preset", ["frames", "sds", "grid"])
def test_simulated_frames_are_held_against_the_sky_they_show(planned, preset):
    asked = planned("--preset", preset)["config"]
    assert asked["reference"]["url"] == asked["filter"]["skybot_url"] == "sky:20"
    kind = "calibrate.frames=camera:7" if preset == "frames" else "mosaic.frames=tiles:7"
    asked = planned("--preset", preset, "--set", kind)["config"]
    assert asked["reference"]["url"] == asked["filter"]["vsx_url"] == "sky:7"
    assert asked["filter"]["skybot"]


@pytest.mark.parametrize("source", [["--images", "plates"], ["--preset", "dss1_red"]])
def test_simulated_frames_are_left_alone_where_real_plates_are_searched(planned, source):
    asked = planned("--preset", "sds", *source)["config"]
    assert (asked["calibrate"]["frames"], asked["mosaic"]["frames"]) == ("", "")


def test_a_run_is_named_by_the_time_and_keeps_its_configuration(planned, tmp_path):
    import re

    asked = planned()
    assert re.fullmatch(r"run-\d{8}_\d{6}", asked["run_id"])
    kept = yaml.safe_load((tmp_path / "data/runs" / asked["run_id"] / "config.yaml").read_text())
    assert kept == asked["config"]


def test_a_run_that_is_worked_on_keeps_its_configuration(planned, tmp_path):
    import fcntl

    planned("--run-id", "mine", "--ra", 1, "--dec", 2)
    kept = (tmp_path / "data/runs/mine/config.yaml").read_text()
    with (tmp_path / "data/runs/mine/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asked = planned("--run-id", "mine", "--ra", 3, "--dec", 4, status=2)
    assert "worked on by another process" in asked["output"]
    assert (tmp_path / "data/runs/mine/config.yaml").read_text() == kept


def test_failures_of_an_earlier_attempt_are_forgotten(planned, tmp_path):
    failed = tmp_path / "data/runs/mine/06_reference/manifest.failed.json"
    failed.parent.mkdir(parents=True)
    failed.touch()
    planned("--run-id", "mine")
    assert not failed.exists()


def test_a_mode_ends_with_the_mosaic_unless_told_to_go_on(planned):
    asked = planned("--preset", "sds", "--mode", "grid")
    assert asked["command"][3] == "step12"
    assert (asked["config"]["mosaic"]["mode"], asked["config"]["mosaic"]["frames"]) == ("grid", "tiles:20")
    assert planned("--preset", "sds", "--mode", "grid", "--to-step", 10)["command"][3] == "step10"
    assert planned("--preset", "sds", "--mode", "grid", "--until", "step05")["command"][3] == "step05"
    assert planned("--preset", "sds")["command"][3] == "all"


def test_frames_are_calibrated_where_there_is_need(planned, tmp_path):
    ready = take(tmp_path / "fields", layout=(1, 1), n_per_tile=1)
    raw = tmp_path / "night"
    write_frames(raw, 5, shape=(61, 83), n_bias=1, n_dark=0, n_flat=0, n_flat_dark=0, n_light=1)
    for frames, sections in ((ready, ("", str(ready))), (raw, (str(raw), ""))):
        asked = planned("--frames", frames, "--mode", "stack", "--preset", "sds")["config"]
        assert (asked["calibrate"]["frames"], asked["mosaic"]["frames"]) == sections
        assert (asked["download"]["source"], asked["mosaic"]["mode"]) == ("mosaic", "stack")
        assert "sky:" not in str(asked)
    asked = planned("--frames", raw, "--preset", "sds")["config"]
    assert (asked["calibrate"]["frames"], asked["mosaic"]["frames"]) == (str(raw), "")
    assert asked["download"]["source"] == "frames"
    assert (
        "mosaic.frames names 'absent', which does not exist"
        in planned("--frames", "absent", "--mode", "sds", status=2)["output"]
    )


def test_presets_are_laid_over_in_order(planned):
    asked = planned("--preset", "dss1_red", "--preset", "mnras2022")["config"]
    assert asked["download"]["source"] == "stsci"
    assert asked["filter"]["gates"] == "mnras2022"


def test_the_last_step_becomes_the_target_and_the_first_is_done_again(planned, tmp_path):
    assert planned()["command"][3] == "all"
    assert planned("--to-step", "5")["command"][3] == "step05"
    assert planned("--until", "planted04")["command"][3] == "planted04"
    for step_id in ("00_tiles", "01_download", "02_masks"):
        manifest = tmp_path / "data/runs/mine" / step_id / "manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
    command = planned("--run-id", "mine", "--from-step", "detect", "--to-step", "05_measure")["command"]
    assert command[3:6] == ["step05", "--forcerun", "step03_shard"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--ra", 400, "--dec", 0], 2, "tiles.positions.0.ra_deg = 400.0"),
        (["--ra", 4], 2, "--ra and --dec belong together"),
        (["--preset", "dss1"], 2, "dss1_red"),
        (["--to-step", "99"], 2, "there is no step '99'"),
        (["--from-step", "5", "--to-step", "3"], 2, "comes after"),
        (["--from-step", "5", "--run-id", "never"], 3, "has no manifest"),
        (["--run-id", "../elsewhere"], 2, "run.id"),
        (["--until", "step55"], 2, "no such rule"),
        (["--reference", "absent.csv"], 2, "absent.csv: there is no such file"),
        (["--config", "absent.yaml"], 2, "absent.yaml"),
    ],
)
def test_a_mistake_ends_before_anything_starts(planned, tmp_path, arguments, status, says):
    asked = planned(*arguments, status=status)
    assert says in asked["output"]
    assert "command" not in asked
    assert not (tmp_path / "data").exists()


def start(project, folder, script, *arguments, **overlay):
    (folder / "tile.yaml").write_text(yaml.safe_dump(TILE | overlay))
    command = [sys.executable, project / "scripts" / script, "--config", "tile.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_dry_run_leaves_nothing_behind(project, tmp_path):
    done = start(project, tmp_path, "run_random.py", "-n", "3", "--seed", "5", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "step10" in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_fetched_ends_with_the_code_for_a_remote_service(project, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "nothing cached"))
    done = start(project, tmp_path, "one2pass.py", "--run-id", "off", "--to-step", "1", download={"offline": True})
    assert done.returncode == 6, done.stderr
    assert "offline is set" in done.stderr
    assert "logs/off/snakemake.log" in done.stderr
    assert (tmp_path / "data/runs/off/01_download/manifest.failed.json").is_file()


def test_a_python_without_the_project_is_told_what_to_do(project, tmp_path):
    (tmp_path / "scripts").mkdir()
    for name in ("one2pass.py", "environment.py"):
        shutil.copy(project / "scripts" / name, tmp_path / "scripts" / name)
    bare = f"import sys; sys.path.insert(0, {str(tmp_path / 'scripts')!r}); sys.argv = ['one2pass.py']; import one2pass"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", bare], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run `make demo` once" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def smoke(project, tmp_path_factory):
    """A real run of one small tile from position to report, in process."""
    folder = tmp_path_factory.mktemp("smoke")
    arguments = ["--ra", "150", "--dec", "20", "--run-id", "smoke", "--engine", "embedded"]
    return folder, start(project, folder, "one2pass.py", *arguments), arguments


def test_from_a_position_to_the_report(smoke):
    folder, done, _ = smoke
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report: data/runs/smoke/09_summary/products/report.html" in done.stdout
    assert "100 %" in done.stderr
    package = folder / "artifacts/smoke/smoke.zip"
    assert package.with_name("smoke.zip.sha256").read_text().split() == [sha256_file(package), "smoke.zip"]
    assert {path.name for path in (folder / "dashboard").iterdir()} == {"report.html", "anomalies_minimal.csv"}
    for manifest in folder.glob("data/runs/smoke/**/manifest.json"):
        assert load(manifest).counts["failed"] == 0, manifest
    verify(folder / "data/runs/smoke")


def test_a_manifest_holds_no_absolute_path(smoke):
    folder, _, _ = smoke
    found = [str(path) for path in folder.glob("data/runs/smoke/**/manifest.json") if str(folder) in path.read_text()]
    assert not found


def test_the_second_run_has_nothing_to_do(project, smoke):
    folder, _, arguments = smoke
    before = {path: path.stat().st_mtime_ns for path in folder.glob("data/runs/smoke/**/manifest.json")}
    done = start(project, folder, "one2pass.py", *arguments)
    assert done.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_snakemake_can_report_on_the_run(project, smoke):
    folder, _, _ = smoke
    command = [sys.executable, "-m", "snakemake", "--snakefile", project / "Snakefile", "--report", "report.zip"]
    kept = ["--configfile", "data/runs/smoke/config.yaml"]
    done = subprocess.run([*command, *kept], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "report.zip").stat().st_size > 100_000
