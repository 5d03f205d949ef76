"""The verb ``lostlight plan``: what would become of own frames, told before anything is done."""

import json
from pathlib import Path
from typing import Any

import click

from lostlight.core import config as configuration
from lostlight.core.errors import ConfigError
from lostlight.core.params import MosaicParams, PipelineConfig

MODES = ("stack", "sds", "grid")
"""Ways to join frames."""


@click.command()
@click.option("--frames", help="folder of frames, or table with a column path; default: that of the configuration")
@click.option("--mode", type=click.Choice(MODES), help="also how they would be joined: plainly, by lots, in tiles")
@click.option("--config", "-c", multiple=True, type=click.Path(path_type=Path), help="configuration files")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="any key of the configuration; repeatable")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="also write the plan as CSV, to be edited")
def plan(
    frames: str | None, mode: str | None, config: tuple[Path, ...], settings: tuple[str, ...], out: Path | None
) -> None:
    """Say how frames would be calibrated, and what would be stacked with what; do nothing."""
    overlay: dict[str, Any] = {"calibrate": {"frames": frames}} if frames else {}
    if mode:
        overlay = configuration.merge(overlay, joined(frames or "", mode))
    for setting in settings:
        overlay = configuration.merge(overlay, configuration.parse_setting(setting))
    click.echo(told(configuration.load(config, overlay), out))


def joined(frames: str, mode: str) -> dict[str, Any]:
    """Configure the mosaic of own frames; raw ones are calibrated first, those that are calibrated are not again."""
    overlay: dict[str, Any] = {"download": {"source": "mosaic"}, "mosaic": {"mode": mode}}
    if not frames:
        return overlay
    from lostlight.sim import darkroom
    from lostlight.steps.mosaicking.frames import are_raw

    with darkroom.frames_of(json.dumps([frames])):
        is_raw = are_raw(frames)
    places = {"mosaic": {"frames": ""}} if is_raw else {"mosaic": {"frames": frames}, "calibrate": {"frames": ""}}
    return configuration.merge(overlay, places)


def told(config: PipelineConfig, out: Path | None = None) -> str:
    """Tell what would be done with own frames, and write what of it can be edited where `out` says.

    Raises
    ------
    ConfigError
        For frames that are not there, and as the steps do.
    """
    from lostlight.sim import darkroom

    is_joined = bool(config.mosaic.frames) or config.download.source == "mosaic"
    with darkroom.frames_of(config.model_dump_json()):
        if is_joined and config.mosaic.frames:
            return _told_of_calibrated(config.mosaic, out)
        return _told_of_raw(config, is_joined, out)


def _told_of_raw(config: PipelineConfig, is_joined: bool, out: Path | None) -> str:
    from lostlight.steps.calibrating import planning
    from lostlight.steps.mosaicking import planning as stacking

    done = planning.planned(config.calibrate)
    parts = [planning.told(done)]
    if is_joined:
        lights = [done.frames[row.id] for row in done.plan.rows if row.kind == "light" and row.id in done.frames]
        parts.append(stacking.told(stacking.planned_raw(config.mosaic, lights, done.found.paths), config.mosaic))
    if out:
        planning.write(done, out)
        parts.append(f"plan: {out}; edit it, and name it in calibrate.plan")
    return "\n".join(parts)


def _told_of_calibrated(params: MosaicParams, out: Path | None) -> str:
    from lostlight.steps.mosaicking import planning

    done = planning.planned(params)
    parts = [planning.told(done, params)]
    if out:
        if not done.lots:
            raise ConfigError(f"mode {params.mode} has no plan to be edited", hint="lots are those of mode sds")
        planning.write(done, out)
        parts.append(f"lots: {out}; edit them, and name the file in mosaic.plan")
    return "\n".join(parts)
