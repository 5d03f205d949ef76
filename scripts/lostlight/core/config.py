"""Read, merge and check the configuration; say in two lines what is wrong with it."""

import difflib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lostlight.core.errors import ConfigError
from lostlight.core.params import Params, PipelineConfig
from lostlight.vocab.steps import FRAMES, MOVERS, PLANT, word

SEARCHED = dict(zip(("frames", "mosaic"), FRAMES, strict=True))
"""Source of images to the step that makes them of own frames."""
LIGHTS = "lights"
"""Word of ``inject.images`` for the calibrated frames of the run itself."""
_PROGRAMS = (("source-extractor", "sex", "sextractor"), ("psfex",), ("stilts",))


def load(paths: Iterable[Path], overrides: Mapping[str, Any] | None = None) -> PipelineConfig:
    """Read configuration files, later ones over earlier ones, and check the whole.

    Raises
    ------
    ConfigError
        For a file that cannot be read, an unknown key (the nearest one is suggested) or a value out of range.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_yaml(path))
    return check(merge(merged, overrides or {}))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML file; raises ConfigError with the line where it breaks."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}", hint="check the path") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"{path} is broken{line}: {problem}", hint="check indentation, colons and quotes") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, not sections", hint="see config/pipeline.yaml")
    return content


def parse_setting(text: str) -> dict[str, Any]:
    """Turn ``calibrate.dark.mode=scaled`` into a configuration of one key; raises ConfigError."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ConfigError(f"{text!r} is not a setting", hint="write it like calibrate.dark.mode=scaled")
    try:
        content: Any = yaml.safe_load(value) if value else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"{text!r}: the value is not YAML", hint="quote it for the shell") from error
    for name in reversed(path.strip().split(".")):
        content = {name: content}
    return dict(content)


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another, section by section."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def check(content: Mapping[str, Any]) -> PipelineConfig:
    """Check a configuration held in memory and settle engine, addresses and own frames; raises ConfigError."""
    try:
        return _settle_frames(_settle_sky(_settle_engine(_suits_mode(PipelineConfig.model_validate(content)))))
    except ValidationError as error:
        raise _explain(error, PipelineConfig, "") from error


def check_section(kind: type[Params], content: Mapping[str, Any], name: str) -> Params:
    """Check one section held in memory; raises ConfigError."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise _explain(error, kind, name) from error


def section(config: PipelineConfig, step_id: str) -> dict[str, Any]:
    """Give the resolved parameters of a step as plain data."""
    name = "completeness" if step_id == PLANT else word(step_id)
    params: Params = getattr(config, name)
    return params.model_dump(mode="json")


def frame_steps(config: PipelineConfig) -> tuple[str, ...]:
    """Give the steps that own frames go through: raw ones are calibrated; calibrated ones are joined."""
    calibrate, mosaic = FRAMES
    has_raw = bool(config.calibrate.frames)
    return (calibrate,) * has_raw + (mosaic,) * (has_raw or bool(config.mosaic.frames))


def own_steps(config: PipelineConfig) -> tuple[str, ...]:
    """Give the steps besides the survey: those of own frames, and those of what moves in a stack of images."""
    return frame_steps(config) + MOVERS * bool(config.inject.images)


def planted_frames(config: PipelineConfig) -> tuple[str, ...]:
    """Give the steps whose frames sources are planted in: those of own frames, where ``inject.images`` is lights."""
    return frame_steps(config) if config.inject.images == LIGHTS else ()


def searched_frames(config: PipelineConfig) -> str:
    """Give the step whose images the survey searches in the place of plates; empty where it searches plates."""
    return SEARCHED.get(config.download.source, "")


def programs_found() -> bool:
    """Tell whether all programs of the reference engine are installed."""
    return all(any(shutil.which(name) for name in names) for names in _PROGRAMS)


def _settle_engine(config: PipelineConfig) -> PipelineConfig:
    common = config.engine
    if common == "auto":
        common = "reference" if programs_found() else "embedded"
    sections = {
        name: value.model_copy(update={"engine": common})
        for name, value in config
        if isinstance(value, Params) and getattr(value, "engine", "") == "auto"
    }
    return config.model_copy(update={"engine": common, **sections})


def _settle_sky(config: PipelineConfig) -> PipelineConfig:
    """Ask the simulated sky for everything where the plates come from it: the real catalogues know other stars."""
    if config.download.source != "sky":
        return config
    sky = config.download.url or f"sky:{config.download.sky_seed}"
    empty = (
        ("download", "url"),
        ("masks", "url"),
        ("reference", "url"),
        ("filter", "skybot_url"),
        ("filter", "vsx_url"),
    )
    for name, key in empty:
        part: Params = getattr(config, name)
        config = config.model_copy(update={name: part.model_copy(update={key: getattr(part, key) or sky})})
    return config


def _suits_mode(config: PipelineConfig) -> PipelineConfig:
    """Refuse a plan of lots, or a scope of photometry, that the mode of the mosaic does not have."""
    scope, mode = config.mosaic.photometry.scope, config.mosaic.mode
    if scope != "global" and (scope, mode) not in (("tile", "grid"), ("both", "sds")):
        raise ConfigError(
            f"mosaic.photometry.scope = {scope}, but mosaic.mode = {mode}",
            hint="scope tile belongs to mode grid, both to mode sds, global to all",
        )
    if config.mosaic.plan and mode != "sds":
        raise ConfigError(
            f"mosaic.plan names {config.mosaic.plan!r}, but mosaic.mode = {mode} has no lots",
            hint="set mode: sds, or leave mosaic.plan empty",
        )
    if config.mosaic.rgb_equalize == "tile" and scope != "tile":
        raise ConfigError(
            f"mosaic.rgb_equalize = tile, but mosaic.photometry.scope = {scope}: colours would jump between tiles",
            hint="set rgb_equalize: reference, or mode: grid with photometry.scope: tile",
        )
    return config


def _settle_frames(config: PipelineConfig) -> PipelineConfig:
    """Search calibrated frames, or the mosaic of them, where they are: one tile for each."""
    source = config.download.source
    if (source in SEARCHED) != (config.tiles.mode == "frames"):
        source = source if source in SEARCHED else "frames"
        tiles = config.tiles.model_copy(update={"mode": "frames"})
        download = config.download.model_copy(update={"source": source})
        config = config.model_copy(update={"tiles": tiles, "download": download})
    if source == "frames" and not config.calibrate.frames:
        raise ConfigError(
            "download.source = frames, but calibrate.frames is empty", hint="name the folder of raw frames there"
        )
    if config.inject.images == LIGHTS and not frame_steps(config):
        raise ConfigError(
            "inject.images = lights, but neither mosaic.frames nor calibrate.frames names any frames",
            hint="name a folder of images in inject.images, or frames in one of those",
        )
    if source == "mosaic" and not frame_steps(config):
        raise ConfigError(
            "download.source = mosaic, but neither mosaic.frames nor calibrate.frames names any frames",
            hint="name a folder of calibrated frames in the first, or of raw ones in the second",
        )
    return config


def _explain(error: ValidationError, kind: type[BaseModel], prefix: str) -> ConfigError:
    lines = [_line(dict(problem), kind, prefix) for problem in error.errors()]
    head = lines[0] if len(lines) == 1 else f"{len(lines)} mistakes:\n    " + "\n    ".join(lines)
    return ConfigError(f"configuration: {head}", hint="config/README.md explains every key", n_mistakes=len(lines))


def _line(problem: dict[str, Any], kind: type[BaseModel], prefix: str) -> str:
    path: Sequence[str | int] = problem["loc"]
    key = ".".join(str(part) for part in (*filter(None, [prefix]), *path))
    if problem["type"] == "extra_forbidden":
        known = list(_fields(kind, path[:-1]))
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        return f"there is no key {key!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}")
    meant = _near_word(problem) if problem["type"] == "literal_error" else ""
    return f"{key} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}{meant}"


def _near_word(problem: dict[str, Any]) -> str:
    """Suggest a word that is allowed where another was written."""
    allowed = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    near = difflib.get_close_matches(str(problem["input"]), allowed, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _fields(kind: type[BaseModel], path: Sequence[str | int]) -> Iterable[str]:
    for part in path:
        if isinstance(part, int):
            continue
        annotation = kind.model_fields[part].annotation
        models = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not models:
            return ()
        kind = models[0]
    return kind.model_fields
