"""Simulated frames at hand: written once for each seed, found by their name."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lostlight.io import cache
from lostlight.io.frame_list import SIMULATED
from lostlight.sim.local import revision

_FOLDERS = {"camera": "cameras", "tiles": "tiles", "movers": "movers"}


@contextmanager
def frames_of(params_json: str) -> Iterator[None]:
    """Have all frames that parameters name as ``camera:<seed>``, ``tiles:<seed>`` or ``movers:<seed>``.

    An environment variable tells every worker of a step where they are.
    """
    known: dict[str, str] = json.loads(os.environ.get(SIMULATED, "{}"))
    missing = sorted(set(re.findall(r'"((?:camera|tiles|movers):\d+)"', params_json)) - set(known))
    os.environ[SIMULATED] = json.dumps({**known, **{name: str(frames(name)) for name in missing}}, sort_keys=True)
    try:
        yield
    finally:
        os.environ[SIMULATED] = json.dumps(known, sort_keys=True)


def frames(name: str) -> Path:
    """Give the folder with the frames of a name; they are written where this version has not done it before."""
    kind, _, seed = name.partition(":")
    folder = cache.root().absolute() / _FOLDERS[kind] / f"{seed}-{revision()}"
    with cache.locked(f"{kind} {folder.name}"):
        if not folder.is_dir():
            _develop(kind, int(seed), folder)
    return folder


def _develop(kind: str, seed: int, folder: Path) -> None:
    staging = folder.with_name(f".writing-{folder.name}")
    try:
        # What an interrupted run left behind goes first.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        _write(kind, seed, staging)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(kind: str, seed: int, folder: Path) -> None:
    from lostlight.sim import camera_frames, mosaics_files, movers

    if kind == "tiles":
        mosaics_files.write_tiles(folder, seed)
    elif kind == "movers":
        movers.Movers(seed).write(folder)
    else:
        camera_frames.write_frames(folder, seed)
