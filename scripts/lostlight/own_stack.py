"""A stack of own images made outside of a run: by step 13, in a hidden folder beside the result."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight import runner
from lostlight.core import config as configuration
from lostlight.core.errors import BadImage, ConfigError, LostlightError
from lostlight.core.manifest import Manifest, products
from lostlight.core.params import InjectParams, RunParams
from lostlight.core.step import find
from lostlight.io import stack_copy, stack_store
from lostlight.io.stack_store import Stack
from lostlight.science.epochs.patches import patch_corners
from lostlight.sim import darkroom
from lostlight.steps.injecting import gridding
from lostlight.steps.injecting.images import fields

STEP = "13_inject"
Progress = Callable[[float, int, str], None]


def make(
    params: InjectParams, out: Path, progress: Progress, *, is_registered: bool = False, workers: int = 1
) -> tuple[Stack, list[str]]:
    """Make a stack of the images that parameters name, and of nothing else that they ask for.

    What was measured before an interruption is not measured again: the hidden folder stays until the stack is there.

    Parameters
    ----------
    params : InjectParams
        `cases.patch_px` and `cases.stride_px` are kept with the stack.
    out : Path
        A folder that ends in .zarr, or a file that ends in .zarr.zip.
    progress : callable
    is_registered : bool
        Bring all images to the pixels of the earliest.
    workers : int
        Processes; 0 means one for each core.

    Returns
    -------
    Stack
        Open, to be read.
    list of str
        What to be warned of.

    Raises
    ------
    ConfigError
        If the name is that of no store, there are too few images or those of several fields, or none can be used, or
        patches are larger than the images.
    """
    _check_name(out)
    work = out.parent / f".{out.name}.work"
    with darkroom.frames_of(params.model_dump_json()):
        _check_images(params)
        try:
            manifest = _run(params, work, progress, workers)
            made = _made(manifest, work)
            _check_patches(made, params)
            _put(made, out, params, progress, is_registered)
        except LostlightError:
            shutil.rmtree(work, ignore_errors=True)
            raise
    shutil.rmtree(work)
    return stack_store.open_store(out), _said(manifest)


def params_of(overlay: dict[str, Any], config: tuple[Path, ...] = ()) -> InjectParams:
    """Read the section of step 13 from configuration files, with other values laid over it; raises ConfigError."""
    return configuration.load(config, overlay).inject


def told(made: Stack, out: Path) -> list[str]:
    """Tell in a few lines what a stack is."""
    n, height, width = made.shape
    numbers, about = made.numbers, made.attributes
    arc_h = 24 * (numbers["mjd_mid"][-1] - numbers["mjd_mid"][0])
    sources = sorted({str(image.get("psf_source", "")) for image in made.images})
    size = (about["patch_px"], about["stride_px"])
    lines = [
        f"stack: {out}",
        f"images: {n} of {width} x {height} px, {arc_h:.2f} hours from first to last",
        f"width of a point: {_range(numbers['fwhm_px'])} px ({', '.join(sources)})",
        f"noise of a pixel: {_range(numbers['sigma_adu'])} adu",
        f"patches: {len(patch_corners((height, width), *size))} of {size[0]} px, {size[1]} px apart",
    ]
    if "registered" in about:
        gains = np.array([image["noise_gain"] for image in made.images])
        lines.append(f"registered: without sky, {about['registered']['kernel']}; noise gain {_range(gains)}")
    return lines


def _range(values: NDArray[np.float64]) -> str:
    return f"{np.median(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"


def _check_name(out: Path) -> None:
    if not out.name.endswith((".zarr", ".zarr.zip")):
        raise ConfigError(f"{out.name} is no name of a store", hint="let it end with .zarr, or with .zarr.zip")
    is_other = out.is_file() if out.name.endswith(".zarr") else out.is_dir()
    if is_other or (out.is_dir() and not stack_store.is_store(out)):
        raise ConfigError(f"there is something else than a store at {out}", hint="give another name")


def _check_images(params: InjectParams) -> None:
    found = fields([], params)
    if len(found) > 1:
        names = ", ".join(each.id for each in found)
        raise ConfigError(f"{params.images} holds {len(found)} fields: {names}", hint="name the folder of one of them")


def _run(params: InjectParams, work: Path, progress: Progress, workers: int) -> Manifest:
    find(STEP)
    plain = params.model_copy(update={"n": 0, "cases": params.cases.model_copy(update={"n": 0})})
    policy = RunParams(max_failed_fraction=1.0)
    return runner.run(runner.Job(STEP, plain, work / STEP / "manifest.json", workers=workers, policy=policy), progress)


def _made(manifest: Manifest, work: Path) -> Path:
    stacks = list(products([manifest], "stack"))
    if not stacks:
        why = next((unit.failure for unit in manifest.units if unit.failure), None)
        raise ConfigError(f"no stack could be made: {why.message if why else work}", hint=why.hint if why else "")
    return stacks[0]


def _check_patches(made: Path, params: InjectParams) -> None:
    try:
        patch_corners(stack_store.open_store(made).shape[1:], params.cases.patch_px, params.cases.stride_px)
    except BadImage as error:
        raise ConfigError(error.message, hint=error.hint) from error


def _put(made: Path, out: Path, params: InjectParams, progress: Progress, is_registered: bool) -> None:
    patches = {"patch_px": params.cases.patch_px, "stride_px": params.cases.stride_px}
    if not is_registered:
        stack_copy.copy(made, out, patches)
        return
    gridding.write_registered(made, out, params.registration.kernel, patches, progress)


def _said(manifest: Manifest) -> list[str]:
    """Give warnings of images and of the stack; what holds for many images is said once."""
    said: dict[str, list[str]] = {}
    for unit in manifest.units:
        image = str(unit.facts.get("image", ""))
        for text in unit.warnings:
            plain = re.sub(rf"^{re.escape(image)}[^ ]*: ", "", text) if image else text
            said.setdefault(plain, []).append(image)
    return [_of_images(names, text) for text, names in said.items()]


def _of_images(names: list[str], text: str) -> str:
    if not names[0]:
        return text
    return f"{names[0]}: {text}" if len(names) == 1 else f"{len(names)} images, {names[0]} first: {text}"
