"""A newcomer's step passes every test on the day it is made."""

import shutil
import subprocess
import sys

import pytest

# Not the name in the guide, which a newcomer may have made by now.
NEW = "98_newcomer"
SKIPPED = shutil.ignore_patterns(".git", ".venv", ".snakemake", "__pycache__", "data", "logs", "artifacts", ".*_cache")


@pytest.fixture(scope="module")
def extended(project, tmp_path_factory):
    """A copy of the project with one step more."""
    copy = shutil.copytree(project, tmp_path_factory.mktemp("extended") / "project", ignore=SKIPPED)
    command = [sys.executable, "scripts/dev/new_step.py", NEW, "--after", "05_measure"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy


def run(copy, *command):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy / "scripts"), "HOME": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_passes_its_own_test_and_those_of_the_house(extended):
    tests = [f"tests/steps/test_s{NEW}.py", "tests/house/test_names.py", "tests/house/test_generated.py"]
    said = run(extended, "pytest", "-q", "-p", "no:cacheprovider", "-k", f"{NEW} or generated", *tests)
    assert "failed" not in said
    assert int(said.split(" passed")[0].split()[-1]) >= 10


def test_snakemake_runs_it(extended):
    said = run(extended, "snakemake", "step98", "--dry-run", "--cores", "1")
    assert "step98_shard" in said


def test_ruff_and_snakefmt_have_nothing_to_say(extended):
    files = f"scripts/lostlight/steps/s{NEW}.py", f"tests/steps/test_s{NEW}.py"
    run(extended, "ruff", "check", *files)
    run(extended, "ruff", "format", "--check", *files)
    run(extended, "snakefmt", "--check", "workflow")


@pytest.mark.parametrize("name", ["97-other", "97_Other", "05_other", "97_psf"])
def test_a_name_that_will_not_do_is_refused(extended, name):
    command = [sys.executable, "scripts/dev/new_step.py", name, "--after", "05_measure"]
    done = subprocess.run(command, cwd=extended, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert name in done.stderr
