"""The verbs ``lostlight inject …``: stacks of own images, cases cut from them, a demonstration, and checks."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lostlight.core.errors import ConfigError

if TYPE_CHECKING:
    from lostlight.science.inject.batch import Batch
    from lostlight.science.population.check import Check
    from lostlight.steps.injecting.casing import Cutting

PATCH_PX, STRIDE_PX = 64, 32
_MJD = (15020, 88069)
"""Times for which priors are checked: 1900 to 2100."""

_config = click.option("--config", "-c", multiple=True, type=click.Path(path_type=Path), help="configuration files")
_settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="any key, such as inject.psf.model=gaussian; repeatable",
)
_patch = click.option("--patch", type=click.IntRange(min=1), help=f"side of cut-outs in pixels; default {PATCH_PX}")
_stride = click.option("--stride", type=click.IntRange(min=1), help=f"distance of two; default {STRIDE_PX}")


@click.group()
def inject() -> None:
    """Plant synthetic moving sources in stacks of images."""


@inject.command()
@click.option("--images", required=True, help="folder of images of one field, a WorkUnit, a store, or movers:<seed>")
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="store to make: .zarr or .zarr.zip")
@click.option("--epochs", type=click.IntRange(min=3), help="how many images, the first by name; default: all")
@_patch
@_stride
@click.option("--plate-scale", type=float, help="arcsec per pixel of images without a sky solution")
@click.option(
    "--registered/--native", default=True, show_default=True,
    help="images on the pixels of the earliest, without their sky; or each as it is",
)  # fmt: skip
@click.option(
    "--workers", "-j", type=click.IntRange(min=0), default=1, show_default=True, help="processes; 0: all cores"
)
@_config
@_settings
def stack(images: str, out: Path, registered: bool, workers: int, **words: Any) -> None:
    """Make a stack of the images of one field: pixels, sky, noise, mask and profile of each."""
    from lostlight import own_stack, progress

    asked = {
        "images": images,
        "n_images": words["epochs"],
        "plate_scale_arcsec": words["plate_scale"],
        "cases": {"patch_px": words["patch"], "stride_px": words["stride"]},
    }
    params = own_stack.params_of(_overlay(asked, words["settings"]), words["config"])
    with progress.shown("stack") as report:
        made, warnings = own_stack.make(params, out, report, is_registered=registered, workers=workers)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for line in own_stack.told(made, out):
        click.echo(line)


@inject.command()
@click.option("--stack", "store", required=True, type=click.Path(path_type=Path), help="store made by inject stack")
@click.option("--n", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="how many cases")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="new folder; default: beside the store")
@click.option("--format", "kind", type=click.Choice(("npz", "zarr", "both")), default="both", show_default=True)
@_patch
@_stride
@click.option("--type", "types", multiple=True, help="sample type; repeatable, then each is as frequent; default: tno")
@click.option("--seed", type=click.IntRange(min=0), help="of everything that is drawn")
@click.option("--store-x", is_flag=True, help="keep X in the store too, though it is the sum of what is kept")
@_config
@_settings
def cases(store: Path, out: Path | None, kind: str, **words: Any) -> None:
    """Cut cases for machine learning out of a stack: one source in each, with the truth."""
    from lostlight import own_stack
    from lostlight.io import stack_store
    from lostlight.steps.injecting import casing

    if not stack_store.is_store(store) or not store.exists():
        raise ConfigError(f"there is no stack {store}", hint="make one with lostlight inject stack")
    about = stack_store.open_store(store).attributes
    asked = {
        "seed": words["seed"],
        "classes": dict.fromkeys(words["types"], 1.0) or None,
        "cases": {
            "n": words["n"],
            "patch_px": words["patch"] or about.get("patch_px"),
            "stride_px": words["stride"] or about.get("stride_px"),
            "store_x": words["store_x"] or None,
        },
    }
    params = own_stack.params_of(_overlay(asked, words["settings"]), words["config"])
    out = out or store.with_name(f"{store.name.removesuffix('.zip').removesuffix('.zarr')}-cases")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty", hint="give a new folder with --out")
    cut = casing.cutting(store, params)
    n_sources, n_seen = _write_cases(cut, out, kind)
    shape = " x ".join(str(side) for side in (len(cut.ground.epochs), cut.side, cut.side))
    n_places = casing.n_patches(cut)
    places = f"{n_places} places" if n_places > 1 else "one place"
    click.echo(f"cases: {params.cases.n} of {shape} from {places}, {n_sources} with a source")
    click.echo(f"sources seen on {params.placement.min_epochs:.0%} of the images or more: {n_seen}")
    click.echo(f"in: {out}")


@inject.command()
@click.option("--out", "-o", type=click.Path(path_type=Path), help="folder for the case that is made, and for pictures")
@click.option("--case", "case_file", type=click.Path(path_type=Path), help="show a saved case (npz) instead")
@click.option("--plot/--no-plot", default=None, help="write a picture; default: with --out or --case")
def demo(out: Path | None, case_file: Path | None, plot: bool | None) -> None:
    """Show what the injector does, in five sections; or show a saved case."""
    from lostlight import injection_demo

    draws = plot if plot is not None else bool(out or case_file)
    lines = injection_demo.replayed(case_file, out, draws) if case_file else injection_demo.shown(out, draws)
    for line in lines:
        click.echo(line)


@inject.command()
@click.option("--priors", default="tno", show_default=True, help="sample type of moving sources")
@click.option(
    "--mode", default="auto", show_default=True, help="kbo: with the windows of the Kuiper belt; general; auto"
)
@click.option("--n", "-n", type=click.IntRange(min=1), default=10_000, show_default=True, help="how many are drawn")
@click.option("--strict", is_flag=True, help="ask the further questions too")
@click.option("--elongation", type=float, default=180.0, show_default=True, help="from the Sun, degrees")
@click.option("--mjd", type=float, help="time, UTC; default: near the mean distance of the Earth from the Sun")
@click.option("--pointing", metavar="RA,DEC", help="degrees; instead of --elongation")
@click.option(
    "--epochs", type=click.IntRange(min=2), default=5, show_default=True, help="images that paths are followed on"
)
@click.option("--hours", type=float, default=4.0, show_default=True, help="from the first of them to the last")
@click.option("--plate-scale", type=float, default=0.187, show_default=True, help="arcsec per pixel of them")
@click.option("--patch", type=click.IntRange(min=1), default=128, show_default=True, help="their side in pixels")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="also write the report here")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="also draw histograms: a PNG")
def sanity(priors: str, json_file: Path | None, plot_file: Path | None, **words: Any) -> None:
    """Check what is drawn from a population, and the injector; exit status 1 if a check fails."""
    from lostlight.core import atomic
    from lostlight.science.inject.checks import injection_checks
    from lostlight.science.population import sanity as population
    from lostlight.science.population.check import Frames

    report = population.population_report(
        _sample_type(priors),
        words["mode"],
        words["n"],
        words["seed"],
        strict=words["strict"],
        elongation_deg=_within("--elongation", words["elongation"], 0, 360),
        mjd=population.MJD if words["mjd"] is None else _within("--mjd", words["mjd"], *_MJD),
        pointing=_pointing(words["pointing"]),
        frames=Frames(
            words["epochs"],
            _within("--hours", words["hours"], 1e-3, 1e4),
            _within("--plate-scale", words["plate_scale"], 1e-4, 1e4),
            words["patch"],
        ),
    )
    checks = injection_checks(priors, words["seed"])
    told = report.declared
    click.echo(
        f"priors {priors}, {told.mode}: {report.n} draws, seed {report.seed}, MJD {told.mjd:.3f},"
        f" {told.elong_deg:.1f} deg from the Sun, {report.seconds:.2f} s"
    )
    passed = [_echo_checks("prior", report.checks), _echo_checks("injection", checks)]
    if json_file:
        record = {**report.record(), "is_passed": all(passed), "injection_checks": [each.record() for each in checks]}
        atomic.write_json(json_file, record)
    if plot_file:
        from lostlight.report.population_picture import picture

        atomic.write_bytes(plot_file, picture(report.record()))
    if not all(passed):
        sys.exit(1)


def _overlay(asked: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Lay words of a verb over settings of the configuration; those that were not given say nothing."""
    from lostlight.core import config as configuration

    overlay: dict[str, Any] = {}
    for setting in settings:
        overlay = configuration.merge(overlay, configuration.parse_setting(setting))
    return configuration.merge(overlay, {"inject": _given(asked)})


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    plain = {key: _given(value) if isinstance(value, dict) else value for key, value in asked.items()}
    return {key: value for key, value in plain.items() if value not in (None, {})}


def _write_cases(cut: "Cutting", out: Path, kind: str) -> tuple[int, int]:
    """Write cases in one or both forms, all or none of them; count those with a source, and those that show it."""
    import tempfile

    from lostlight import progress
    from lostlight.steps.injecting import casing

    n_sources = n_seen = 0
    enough = cut.params.placement.min_epochs * len(cut.ground.epochs)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=out.parent) as place, progress.shown("cases") as report:
        folder = Path(place) / "cases"
        folder.mkdir()

        def written() -> Iterator["Batch"]:
            nonlocal n_sources, n_seen
            done = 0
            for batch in cut.batches():
                if kind != "zarr":
                    casing.write_files(folder, cut, batch)
                is_source = batch.label > 0
                n_sources += int(is_source.sum())
                n_seen += int((is_source & (batch.sources["n_visible"] >= enough)).sum())
                done += len(batch.cases)
                yield batch
                report(done, cut.params.cases.n, "")

        if kind == "npz":
            for _ in written():
                pass
        else:
            casing.write_store(folder / "cases.zarr", cut, written())
        if out.exists():
            out.rmdir()
        folder.rename(out)
    return n_sources, n_seen


def _sample_type(name: str) -> str:
    """Give back a sample type of moving sources; raises ConfigError with the nearest one."""
    import difflib

    from lostlight.vocab.movers import MOVING, TNO_CLASSES

    known = (*MOVING, *TNO_CLASSES, "kbo", "tno:legacy")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
        raise ConfigError(f"--priors {name!r} is no sample type of moving sources", hint=hint)
    return name


def _within(option: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ConfigError(f"{option} {value:g} is not possible", hint=f"give {low:g} to {high:g}")
    return value


def _pointing(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        ra, dec = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--pointing {text!r} is no place", hint="write right ascension,declination: 200,-7"
        ) from error
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise ConfigError(f"--pointing {text!r} is not on the sky", hint="0 to 360, and -90 to 90 degrees")
    return ra, dec


def _echo_checks(of: str, checks: Iterable["Check"]) -> bool:
    """Print checks, one in a line; say whether all passed."""
    checks = list(checks)
    for check in checks:
        measured = "" if check.measured is None else f"{check.measured:.4g}"
        verdict = "PASS" if check.is_passed else "FAIL"
        click.echo(f"{verdict}  {of:<9}  {check.name:<20}  {measured:>10}  {check.allowed}  ({check.why})")
    n_passed = sum(check.is_passed for check in checks)
    click.echo(f"{n_passed} of {len(checks)} {of} checks passed")
    return n_passed == len(checks)
