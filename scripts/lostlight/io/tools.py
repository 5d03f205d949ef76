"""The only place that starts other programs: found, versioned, timed out, their errors kept."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lostlight.core.errors import ConfigError, ToolFailed, ToolMissing, ToolTimeout

_SPELLINGS = {
    "source-extractor": ("source-extractor", "sex", "sextractor"),
    "psfex": ("psfex",),
    "stilts": ("stilts",),
}
_VERSION_ARGS = {"stilts": ("-version",)}
_CONFIG = Path(__file__).resolve().parents[3] / "config"


@cache
def find(program: str) -> Path | None:
    """Find a program under any of its usual names; None if it is not installed."""
    for name in _SPELLINGS.get(program, (program,)):
        if found := shutil.which(name):
            return Path(found)
    return None


def require(program: str) -> Path:
    """Find a program; raises ToolMissing with what to install."""
    found = find(program)
    if found is None:
        raise ToolMissing(
            f"the program {program} is not installed",
            hint="run `make tools`, or set `engine: embedded`, which needs no programs",
            program=program,
        )
    return found


def run(program: str, args: Sequence[str | Path], cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in the folder `cwd` and return what it said.

    Raises
    ------
    ToolMissing, ToolTimeout
        If it is not installed, or did not end in time.
    ToolFailed
        If it ended with an error; the message holds its last lines.
    """
    command = [str(require(program)), *map(str, args)]
    environment = {**os.environ, "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            timeout=timeout_s,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolTimeout(
            f"{program} did not end within {timeout_s:g} s", hint="raise timeout_s", program=program
        ) from error
    if done.returncode:
        tail = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ToolFailed(
            f"{program} ended with status {done.returncode}: {tail or 'without a word'}",
            hint="run the step alone with the same input to see more",
            program=program,
            returncode=done.returncode,
        )
    return done


@cache
def version(program: str) -> str:
    """Ask a program for its version number."""
    args = _VERSION_ARGS.get(program, ("--version",))
    done = run(program, args, Path.cwd(), timeout_s=60)
    found = re.search(r"\d+\.\d+(?:[.-]\d+)*", done.stdout + done.stderr)
    return found.group() if found else "unknown"


def config_file(name: str) -> Path:
    """Path of a native file of a program, such as ``sextractor/pass2.param``, in the project's config folder.

    Raises
    ------
    ConfigError
        If it is not there, as where the package was installed without its checkout.
    """
    path = _CONFIG / name
    if not path.is_file():
        raise ConfigError(
            f"{path} is not there",
            hint="run in a checkout (make demo sets it up), or set `engine: embedded`, which needs no such files",
        )
    return path
