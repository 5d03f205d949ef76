"""Frames of simulated cameras at hand: written once for each seed, found by it."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lostlight.io import cache
from lostlight.sim.local import revision

VARIABLE = "LOSTLIGHT_CAMERA"
"""Environment variable that maps seeds to folders of frames, as JSON; it reaches every worker of a step."""


@contextmanager
def cameras_of(params_json: str) -> Iterator[None]:
    """Have the frames of every camera that parameters name as ``camera:<seed>``, unless they are there already."""
    known: dict[str, str] = json.loads(os.environ.get(VARIABLE, "{}"))
    missing = sorted(set(re.findall(r'"camera:(\d+)"', params_json)) - set(known))
    os.environ[VARIABLE] = json.dumps({**known, **{seed: str(frames(int(seed))) for seed in missing}}, sort_keys=True)
    try:
        yield
    finally:
        os.environ[VARIABLE] = json.dumps(known, sort_keys=True)


def frames(seed: int) -> Path:
    """Give the folder with the frames of a camera; they are written where this version has not done it before."""
    folder = cache.root().absolute() / "cameras" / f"{seed}-{revision()}"
    with cache.locked(f"camera {folder.name}"):
        if not folder.is_dir():
            _develop(seed, folder)
    return folder


def _develop(seed: int, folder: Path) -> None:
    from lostlight.sim.camera_frames import write_frames

    staging = folder.with_name(f".writing-{folder.name}")
    try:
        # What an interrupted run left behind goes first.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        write_frames(staging, seed)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
