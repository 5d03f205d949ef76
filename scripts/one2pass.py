#!/usr/bin/env python3
"""From a list of positions, or your own plates, to the report: the familiar front end to the workflow.

Exit codes: 0 done; 1 a bug, or the disk; 2 configuration; 3 a broken manifest; 4 the data: too many tiles failed, or a
frame cannot be read; 5 a program is missing; 6 a remote service is down.
"""

from environment import enter

enter()  # before anything that only the environment has

import fcntl
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import yaml

from lostlight import plan_cli, progress
from lostlight.core import config
from lostlight.core.errors import ConfigError, ContractError, LostlightError
from lostlight.vocab.steps import FRAMES, MOVERS, STEPS, SURVEY, WHOLE, rule

ROOT = Path(__file__).resolve().parents[1]
DONE = re.compile(r"^(\d+) of (\d+) steps")
JOBS = re.compile(r"^total +(\d+)$")
PART = re.compile(r"^1[1-4]_[a-z]+: +\d+ % \((\d+) of (\d+)\) ?(.*)")
STATUS = re.compile(r"non-zero exit status (\d+)")
ORDER = (*FRAMES, *MOVERS, *SURVEY)
"""The steps in the order of work: own frames are made ready before they are searched."""
NOWHERE = {"positions": [], "positions_csv": "", "region": None, "random_n": 0, "all_sky": False, "images": ""}
"""What a front end clears before it says where to search, so that the configuration's own positions do not mix in."""
RULES = {
    "all",
    "deliver",
    "plant",
    *(rule(step).replace("step", kind) for step in STEPS for kind in ("step", "planted")),
}
SIMULATED = ("camera:", "tiles:", "movers:")
"""How the names of simulated frames begin; a seed follows, which is that of their sky."""
VETOES = (("filter", "skybot_url", "skybot"), ("filter", "vsx_url", "vsx"))


def launch(
    overlay: Mapping[str, Any],
    layers: Sequence[Path] = (),
    *,
    from_step: str = "",
    to_step: str = "",
    until: Sequence[str] = (),
    dry_run: bool = False,
) -> int:
    """Lay `overlay` over config/pipeline.yaml and `layers`, run the workflow, tell the outcome; gives the exit code.

    Raises
    ------
    ConfigError, ContractError
        Before anything is started: a wrong key or value, or a first step whose upstream manifests are not there.
    """
    content: dict[str, Any] = {}
    for path in (ROOT / "config" / "pipeline.yaml", *layers):
        content = config.merge(content, config.read_yaml(path))
    content = _of_one_sky(config.merge(content, overlay))
    settings = config.check(content)
    if settings.download.source == "sky":
        click.echo("the plates are those of the simulated sky; for real ones add --preset dss1_red, or give --images")
    folder = Path("data/runs") / settings.run.id
    searched = config.searched_frames(settings)
    apart = [step_id for step_id in (*FRAMES, *MOVERS) if step_id != searched]
    targets = _targets(folder, apart, from_step, to_step, until)
    command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "workflow" / "profiles" / "local")]
    command.append("--nolock")  # the run has a lock of its own, which no kill leaves behind
    if settings.run.workers:
        command += ["--cores", str(settings.run.workers)]
    if dry_run:
        if config.frame_steps(settings):
            click.echo(plan_cli.told(settings))
        with tempfile.TemporaryDirectory() as scratch:
            laid = _write(content, Path(scratch))
            return subprocess.call([*command, "--configfile", str(laid), "--dry-run", "--quiet", "rules"])
    with _alone(folder):
        for failed in folder.glob("**/manifest.failed.json"):
            failed.unlink()  # what an earlier attempt died of is no news of this one
        laid = _write(content, folder)
        return _conclude(folder, _watch([*command, "--configfile", str(laid)], settings.run.id))


def _write(content: Mapping[str, Any], folder: Path) -> Path:
    """Keep the configuration with the run that is made with it."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return path


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run; raises ConfigError if another process works on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"run {folder.name} is being worked on by another process", hint="wait for it, or give another --run-id"
            ) from error
        yield


def _of_one_sky(content: dict[str, Any]) -> dict[str, Any]:
    """Hold simulated images against the catalogues of their own sky, and keep those away from real ones."""
    source = content.get("download", {}).get("source")
    if source == "sky":
        return content
    sky = _sky_of_frames(content, source)
    for section, key in (("calibrate", "frames"), ("mosaic", "frames"), ("inject", "images")):
        if not sky and str(content.get(section, {}).get(key, "")).startswith(SIMULATED):
            content = config.merge(content, {section: {key: ""}})
    for section, key, veto in (("masks", "url", ""), ("reference", "url", ""), *VETOES):
        if str(content.get(section, {}).get(key, "")).startswith("sky:"):
            off = {veto: False} if veto and not sky else {}
            content = config.merge(content, {section: {key: sky, **off}})
    return content


def _sky_of_frames(content: Mapping[str, Any], source: str) -> str:
    """Name the simulated sky whose frames are searched, or their mosaic; empty where they are real, or none are."""
    raw, calibrated = (str(content.get(section, {}).get("frames") or "") for section in ("calibrate", "mosaic"))
    frames = {"frames": raw, "mosaic": calibrated or raw}.get(source, "")
    return f"sky:{frames.partition(':')[2]}" if frames.startswith(SIMULATED) else ""


def _targets(folder: Path, apart: Sequence[str], from_step: str, to_step: str, until: Sequence[str]) -> list[str]:
    """Choose what to ask of the workflow; steps `apart` may be made on the way."""
    first, last = _position(from_step or ORDER[0]), _position(to_step or ORDER[-1])
    if first > last:
        raise ConfigError(f"--from-step {from_step} comes after --to-step {to_step}", hint="swap them")
    for step_id in ORDER[:first]:
        if step_id not in apart and not (folder / step_id / "manifest.json").is_file():
            raise ContractError(
                f"--from-step {from_step}: {folder / step_id} has no manifest",
                hint=f"run the steps before it first, or name a finished run with --run-id (from {step_id} on)",
            )
    for name in until:
        if name.removesuffix("_shard") not in RULES:
            raise ConfigError(f"--until {name}: there is no such rule", hint="write it like step05")
    chosen = [*([rule(ORDER[last])] if to_step else []), *until] or ["all"]
    again = ["--forcerun", _worker_rule(ORDER[first])] if from_step else []
    return [*chosen, *again]


def _worker_rule(step_id: str) -> str:
    return rule(step_id) if step_id in WHOLE else f"{rule(step_id)}_shard"


def _position(name: str) -> int:
    """Find a step in the order of work by id, number or word: 03_detect, 3, 03 or detect."""
    for index, step_id in enumerate(ORDER):
        number, word = step_id.split("_", 1)
        if name in (step_id, word) or (name.isdigit() and int(name) == int(number)):
            return index
    raise ConfigError(f"there is no step {name!r}", hint=f"steps: {', '.join(ORDER)}")


def _watch(command: Sequence[str], run_id: str) -> int:
    """Run Snakemake, show how far it is, keep all it says in the log; gives the exit code of the first failed job."""
    log = Path("logs") / run_id / "snakemake.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    status, done, total, part = 0, 0, 1, 0.0
    with (
        log.open("w") as kept,
        progress.shown(run_id) as report,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            kept.write(line)
            if found := JOBS.match(line):
                total = int(found[1])
            elif found := DONE.match(line):
                done, total = int(found[1]), int(found[2])
                part %= 1
                report(done + part, total, "")
            elif found := PART.match(line):
                units, of_units = int(found[1]), int(found[2])
                part = units / of_units
                # Of a single job its units tell more.
                report(*((units, of_units) if total == 1 else (done + part, total)), found[3])
            elif found := STATUS.search(line):
                status = status or int(found[1])
            elif line.lstrip().startswith(("lostlight: ", "→", "LockException", "snakemake --unlock")):
                click.echo(line.strip(), err=True)
    if process.returncode:
        click.echo(f"the workflow stopped; everything it said is in {log}", err=True)
    return process.returncode and (status or process.returncode)


def _conclude(folder: Path, status: int) -> int:
    from lostlight.report.show import show

    if any(folder.glob("*/manifest*.json")):
        click.echo(show(folder))
    return status


def new_run_id() -> str:
    """Name a run by the time it starts."""
    return datetime.now().strftime("run-%Y%m%d_%H%M%S")


def presets(names: Sequence[str]) -> list[Path]:
    """Find presets by name; raises ConfigError with the known names."""
    known = {path.stem: path for path in sorted((ROOT / "config" / "presets").glob("*.yaml"))}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no preset {name!r}", hint=f"presets: {', '.join(known)}")
    return [known[name] for name in names]


def exit_with(start: Any) -> None:
    """Call `start` and leave with its exit code, or with that of the error a user can act on."""
    try:
        sys.exit(start())
    except LostlightError as error:
        click.echo(f"{Path(sys.argv[0]).name}: {error}", err=True)
        sys.exit(error.exit_code)


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=(__doc__ or "").partition("\n\n")[2])
@click.option("--ra", type=float, help="right ascension in degrees")
@click.option("--dec", type=float, help="declination in degrees")
@click.option("--positions", type=click.Path(path_type=Path), help="CSV with columns ra_deg and dec_deg")
@click.option("--images", type=click.Path(path_type=Path), help="your own plates: a FITS file or a folder of them")
@click.option("--frames", help="your own frames: a folder of them, or a table with a column path")
@click.option("--mode", type=click.Choice(plan_cli.MODES), help="join own frames: plainly, by lots, in tiles")
@click.option("--reference", type=click.Path(path_type=Path), help="your own catalogue: CSV, FITS, VOTable or ECSV")
@click.option("--preset", multiple=True, help="configuration of config/presets to lay over; repeatable")
@click.option("--config", "layers", multiple=True, type=click.Path(path_type=Path), help="the same, from a file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="any key of the configuration; repeatable")
@click.option("--engine", type=click.Choice(["auto", "reference", "embedded"]), help="programs, or in process")
@click.option("--run-id", default="", help="name of the run; default run-YYYYMMDD_HHMMSS")
@click.option("--from-step", default="", help="do this step and what follows again")
@click.option("--to-step", default="", help="stop after this step")
@click.option("--until", multiple=True, help="stop after this rule of the workflow; repeatable")
@click.option("--workers", type=int, help="processes; default: all cores")
@click.option("--dry-run", "-n", is_flag=True, help="say what would be done")
def main(**options: Any) -> None:
    """Search positions, your own plates or your own frames for what vanished: positions or frames in, report out."""

    def start() -> int:
        return launch(
            _overlay(options),
            [*presets(options["preset"]), *options["layers"]],
            from_step=options["from_step"],
            to_step=options["to_step"] or (FRAMES[-1] if options["mode"] and not options["until"] else ""),
            until=options["until"],
            dry_run=options["dry_run"],
        )

    exit_with(start)


def _overlay(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the options into configuration."""
    overlay: dict[str, Any] = {"run": {"id": options["run_id"] or new_run_id()}}
    if (options["ra"] is None) != (options["dec"] is None):
        raise ConfigError("--ra and --dec belong together", hint="give both, in degrees")
    if options["ra"] is not None or options["positions"] or options["images"] or options["frames"]:
        overlay["calibrate"] = {"frames": options["frames"] or ""}
        here = options["ra"] is not None
        overlay["tiles"] = {
            **NOWHERE,
            "positions": [{"ra_deg": options["ra"], "dec_deg": options["dec"]}] if here else [],
            "positions_csv": str(options["positions"] or ""),
            "images": str(options["images"] or ""),
        }
        # Own plates rarely show the tiles around a position as well.
        overlay["tiles"] |= {"rings": 0} if options["images"] else {}
    if options["frames"] or options["mode"]:
        overlay = config.merge(overlay, _frames(options["frames"] or "", options["mode"] or ""))
    if options["images"]:
        overlay["download"] = {"source": "folder", "folder": str(options["images"]), "survey": "any", "url": ""}
    if options["reference"]:
        if not options["reference"].is_file():
            raise ConfigError(f"--reference {options['reference']}: there is no such file", hint="correct the path")
        own = {"path": str(options["reference"])}
        overlay["reference"] = {"own": own, "usnob": False, "gaia": False, "ps1": False}
        overlay["filter"] = {"catalogs": ["own"]}  # a preset may name catalogues that are now switched off
    if options["engine"]:
        overlay["engine"] = options["engine"]
    if options["workers"]:
        overlay["run"]["workers"] = options["workers"]
    for setting in options["settings"]:
        overlay = config.merge(overlay, config.parse_setting(setting))
    return overlay


def _frames(frames: str, mode: str) -> dict[str, Any]:
    """Configure a search of own frames, or of their mosaic."""
    overlay: dict[str, Any] = {"download": {"source": "frames", "survey": "any", "url": ""}}
    if frames:
        overlay["mosaic"] = {"frames": ""}
    return config.merge(overlay, plan_cli.joined(frames, mode)) if mode else overlay


if __name__ == "__main__":
    main()
