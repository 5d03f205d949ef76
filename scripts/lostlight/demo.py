"""The demo: a whole run on the simulated sky, then what was recovered, and what the two engines make of one tile."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lostlight.core import config as configuration
from lostlight.core.errors import ConfigError, ToolMissing

ROOT = Path(__file__).resolve().parents[2]
SEED = re.compile(r"sky:(\d+)")


def run() -> int:
    """Run the demo preset through the workflow with the embedded engine; gives the exit code.

    Raises
    ------
    ConfigError
        If the package was installed without its checkout, where the workflow is.
    """
    script = ROOT / "scripts" / "one2pass.py"
    if not script.is_file():
        raise ConfigError("the workflow is not part of the installed package", hint="run `make demo` in a checkout")
    options = ["--preset", "demo", "--run-id", "demo", "--engine", "embedded"]
    return subprocess.call([sys.executable, str(script), *options])


def recovered(run_folder: Path) -> Iterator[str]:
    """Tell, line by line, what a run on the simulated sky found of what was planted there.

    Raises
    ------
    ConfigError
        If the run was not made on the simulated sky.
    """
    from lostlight.sim import scorecard

    url = configuration.load([run_folder / "config.yaml"]).download.url
    found = SEED.fullmatch(url)
    if not found:
        raise ConfigError(f"{run_folder} was not made on the simulated sky", hint="only there the truth is known")
    scores = scorecard.score(run_folder, int(found[1]))
    yield f"{'what the sky holds':20} {'planted':>8} {'to be found':>12} {'recovered':>10} {'reported':>9}"
    for row in scores:
        expected, got = (str(row.n_expected), str(row.n_recovered)) if row.n_expected else ("-", "-")
        yield f"{row.label:20} {row.n_planted:8} {expected:>12} {got:>10} {row.n_found:9}"
    n_recovered, n_expected = scorecard.recovered_fraction(scores)
    yield f"recovered {n_recovered} of {n_expected} planted sources with S/N > {scorecard.SNR_MIN:g} outside masks"


def engines(run_folder: Path) -> Iterator[str]:
    """Tell how the two engines differ on the first tile, where the programs are installed."""
    from lostlight import parity

    try:
        yield from parity.told(run_folder)
    except ToolMissing as missing:
        yield f"engines not compared: {missing.message} ({missing.hint})"
