"""The command ``lostlight``: few verbs; everything heavy is imported by the verb that needs it."""

import json
import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from lostlight import __version__
from lostlight.core.errors import STORAGE, ConfigError, ContractError, LostlightError, StorageError
from lostlight.inject_cli import inject
from lostlight.library_cli import library
from lostlight.plan_cli import plan
from lostlight.search_cli import search
from lostlight.sky_cli import sky


class _Group(click.Group):
    """Turns errors the user can act on into messages and exit codes; bugs keep their traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except LostlightError as error:
            _leave(error)
        except OSError as error:
            if error.errno not in STORAGE:
                raise
            _leave(StorageError.of(error))


def _leave(error: LostlightError) -> NoReturn:
    click.echo(f"lostlight: {error}", err=True)
    sys.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Find the lights that went out."""
    from lostlight.core import threads

    threads.keep_to_one()


@cli.command()
@click.argument("step_id", metavar="STEP")
@click.option("--upstream", "-u", multiple=True, type=click.Path(path_type=Path), help="manifest of a step before")
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="manifest to write")
@click.option("--params", "-p", default="", help="parameters of the step as JSON; default: those of --config")
@click.option("--config", "-c", multiple=True, type=click.Path(path_type=Path), help="configuration files")
@click.option("--shard", default="", help="share of the units, such as 3-of-8")
@click.option("--workers", "-j", type=click.IntRange(min=0), default=1, help="processes; 0 means one per core")
@click.option("--policy", envvar="LOSTLIGHT_POLICY", default="{}", help="the run section as JSON")
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="write messages as JSON lines here")
def step(
    step_id: str,
    upstream: tuple[Path, ...],
    out: Path,
    params: str,
    config: tuple[Path, ...],
    shard: str,
    workers: int,
    policy: str,
    log_file: Path | None,
) -> None:
    """Run one step, or one shard of it: read manifests, write a manifest."""
    from lostlight import progress, runner
    from lostlight.core import log
    from lostlight.core.step import find
    from lostlight.sim import darkroom, local
    from lostlight.vocab.steps import FRAMES, MOVERS

    log.set_up(log_file)
    chosen = _params(step_id, params, config)
    job = runner.Job(
        step_id=step_id,
        params=chosen,
        out=out,
        upstream=upstream,
        shard=_parse_shard(shard),
        workers=workers,
        policy=_policy(policy),
    )
    find(step_id)
    text = chosen.model_dump_json()
    with log.place(run=job.run_id, step=step_id), local.skies_of(text), darkroom.frames_of(text):
        with progress.shown(f"{step_id} {shard}".strip()) as report:
            manifest = runner.run(job, report)
        _conclude(manifest)
    if step_id in (*FRAMES, *MOVERS):
        from lostlight.report import times  # their pages lead to it

        times.write(out)


@cli.command()
@click.argument("step_id", metavar="STEP")
@click.argument("shards", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="manifest to write")
@click.option("--policy", envvar="LOSTLIGHT_POLICY", default="{}", help="the run section as JSON")
def fold(step_id: str, shards: tuple[Path, ...], out: Path, policy: str) -> None:
    """Fold the manifests of all shards of a step into one."""
    from lostlight.core import fold as folding
    from lostlight.core import log

    log.set_up()
    with log.place(step=step_id):
        _conclude(folding.fold(step_id, shards, out, _policy(policy)))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
def show(run: Path) -> None:
    """Tell what happened in a run, in ten lines."""
    from lostlight.report.show import show as tell

    click.echo(tell(_run_folder(run)))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
def verify(run: Path) -> None:
    """Re-hash a run and name the first broken link."""
    from lostlight.report.verify import verify as check

    click.echo(check(_run_folder(run)))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--artifacts", type=click.Path(path_type=Path), help="folder for page, candidates and package")
@click.option("--dashboard", type=click.Path(path_type=Path), default=Path("dashboard"), show_default=True)
def deliver(run: Path, artifacts: Path | None, dashboard: Path) -> None:
    """Put the report and the package of a run where people look for them."""
    from lostlight.core.manifest import load
    from lostlight.io import archive
    from lostlight.report.dashboard import publish

    folder = _run_folder(run)
    name, products = folder.resolve().name, folder / "09_summary" / "products"
    for step_id in ("09_summary", "10_package"):
        manifest = folder / step_id / "manifest.json"
        if not manifest.is_file():
            raise ContractError(
                f"run {name} has no {step_id} to deliver",
                hint=f"let it run to the end; `lostlight show {name}` tells how far it is and which pages there are",
            )
        load(manifest)
    target = artifacts or Path("artifacts") / name
    publish(products, target, ("candidates.ecsv",))
    archive.publish(folder / "10_package" / "products" / "package.zip", target, name)
    click.echo(f"report: {publish(products, dashboard)}")


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--tiles", type=click.IntRange(min=1), default=1, show_default=True, help="how many tiles to compare")
def parity(run: Path, tiles: int) -> None:
    """Measure tiles with the other engine and tell how the two differ."""
    from lostlight.parity import told

    for line in told(_run_folder(run), tiles):
        click.echo(line)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
def score(run: Path) -> None:
    """Compare a run on the simulated sky with the truth."""
    from lostlight.demo import recovered

    for line in recovered(_run_folder(run)):
        click.echo(line)


@cli.command()
def demo() -> None:
    """Run all steps on seven tiles of the simulated sky, then compare with the truth."""
    from lostlight import demo as shown

    if status := shown.run():
        sys.exit(status)
    folder = Path("data/runs/demo")
    for line in (*shown.engines(folder), *shown.recovered(folder)):
        click.echo(line)
    click.echo(f"report: {folder / '09_summary/products/report.html'}")


cli.add_command(inject)
cli.add_command(library)
cli.add_command(plan)
cli.add_command(search)
cli.add_command(sky)


def _params(step_id: str, text: str, config: tuple[Path, ...]) -> Any:
    from lostlight.core import config as configuration
    from lostlight.core.step import find

    kind = find(step_id).params
    if not text:
        return configuration.check_section(kind, configuration.section(configuration.load(config), step_id), step_id)
    return configuration.check_section(kind, _json(text, "--params"), step_id)


def _policy(text: str) -> Any:
    from lostlight.core.config import check_section
    from lostlight.core.params import RunParams

    return check_section(RunParams, _json(text, "--policy"), "run")


def _json(text: str, option: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{option} is not JSON: {error}", hint="quote it for the shell") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{option} is not a JSON object: {text[:60]}", hint='give {"key": value}')
    return content


def _parse_shard(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    index, _, total = text.partition("-of-")
    if not (index.isdigit() and total.isdigit() and 1 <= int(index) <= int(total)):
        raise ConfigError(f"--shard {text!r} is not a share", hint="write it like 3-of-8")
    return int(index), int(total)


def _run_folder(run: Path) -> Path:
    """Accept a run's folder or its name."""
    for folder in (run, Path("data/runs") / run):
        if folder.is_dir():
            return folder
    known = sorted(path.name for path in Path("data/runs").glob("*") if path.is_dir())
    raise ConfigError(f"there is no run {run}", hint=f"known runs: {', '.join(known) or 'none yet; try `make demo`'}")


def _conclude(manifest: Any) -> None:
    logger = logging.getLogger("lostlight")
    counts = manifest.counts
    for unit in manifest.units:
        if unit.failure:
            logger.warning("%s failed: %s: %s", unit.id, unit.failure.type, unit.failure.message)
    logger.info("%d ok, %d skipped, %d failed", counts["ok"], counts["skipped"], counts["failed"])


def main() -> NoReturn:
    """Run the command line."""
    cli()
    sys.exit(0)
