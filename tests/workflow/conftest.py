"""A workflow whose steps only write down how they were called: what runs, and when again, without the science."""

import os
import shutil
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
import yaml
from snakemake.cli import main as snakemake_command

from lostlight.core import config

STAND_IN = '''
"""Stands in for the command: writes its arguments where the manifest should be."""
import sys
from pathlib import Path

arguments = sys.argv[1:]
if arguments[0] == "deliver":
    out = Path(arguments[arguments.index("--artifacts") + 1])
    run = Path(arguments[1]).name
    written = [out / name for name in ("report.html", "candidates.ecsv", f"{run}.zip", f"{run}.zip.sha256")]
else:
    written = [Path(arguments[arguments.index("--out") + 1])]
for path in written:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\\n".join(arguments))
'''


def _snakemake(arguments: list[str], folder: Path, said: Path) -> None:
    """Be the command snakemake, in `folder`, speaking to the file `said`."""
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(("PYTHONPATH", "LOSTLIGHT"))]:
        del os.environ[name]
    with said.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    snakemake_command(arguments)


class Workshop:
    """A copy of the workflow in a folder of its own, with the configuration that comes with the project."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "config", "envs"):
            source = project / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        package = folder / "scripts" / "lostlight"
        package.mkdir(parents=True)
        for part in ("__init__.py", "core", "vocab", "steps"):
            (package / part).symlink_to(project / "scripts" / "lostlight" / part)
        (package / "__main__.py").write_text(STAND_IN)

    def snakemake(self, *arguments: str, status: int = 0, **overlay: object) -> str:
        """Run Snakemake with sections laid over the configuration; gives all it says."""
        content = config.read_yaml(self.folder / "config" / "pipeline.yaml")
        changed = config.merge(content, {"run": {"shards": 2}, **({"completeness": {"n_per_tile": 5}} | overlay)})
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(changed))
        said = self.folder / "said.txt"
        common = ["--cores", "2", "--scheduler", "greedy", "--configfile", "overlay.yaml"]
        # A fork of this process, where Snakemake is already imported, spares more than half of every call.
        process = get_context("fork").Process(target=_snakemake, args=([*arguments, *common], self.folder, said))
        process.start()
        process.join()
        assert process.exitcode == status, said.read_text()
        return said.read_text()

    def plan(self, *arguments: str, **overlay: object) -> dict[str, int]:
        """Give how many jobs of each rule would run."""
        said = self.snakemake(*arguments, "--dry-run", "--quiet", "rules", **overlay)
        rows = [line.split() for line in said.splitlines()]
        counts = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
        counts.pop("total", None)
        return counts


@pytest.fixture(scope="module")
def workshop(project, tmp_path_factory):
    """A workflow where nothing has run yet."""
    return Workshop(project, tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def own_workshop(project, tmp_path):
    """A workflow where nothing has run yet, to be changed at will."""
    return Workshop(project, tmp_path)


@pytest.fixture(scope="module")
def finished(project, tmp_path_factory):
    """A workflow where everything has run."""
    made = Workshop(project, tmp_path_factory.mktemp("finished"))
    made.snakemake()
    return made
