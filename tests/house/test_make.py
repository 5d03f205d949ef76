"""The contributor's interface: the Makefile and the script that installs programs."""

import re
import shutil
import subprocess
import sys

import pytest

PROGRAMS = ("source-extractor", "psfex", "stilts", "chromium", "siril-cli", "SWarp")


@pytest.fixture
def bare(tmp_path):
    """A folder of programs that holds next to nothing."""
    (tmp_path / "id").symlink_to(shutil.which("id"))
    return tmp_path


def install(project, folder):
    script = project / "scripts" / "dev" / "install_tools.sh"
    done = subprocess.run(["/bin/sh", script], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_where_programs_cannot_be_installed_it_says_what_to_do(project, bare):
    (bare / "psfex").touch(mode=0o755)
    said = install(project, bare)
    assert "apt-get install --no-install-recommends source-extractor stilts chromium siril" in said
    assert "conda" in said


def test_with_all_programs_there_is_nothing_to_do(project, bare):
    for name in PROGRAMS:
        (bare / name).touch(mode=0o755)
    assert install(project, bare).strip() == "all programs are installed"


def test_every_target_is_in_the_help(project):
    text = (project / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    done = subprocess.run(["make", "help"], cwd=project, capture_output=True, text=True, check=True)
    assert sorted(re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE)) == sorted(phony)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_make_the_environment_by_themselves(project, tmp_path, target):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(project / name, tmp_path)
    done = subprocess.run(["make", "--dry-run", target], cwd=tmp_path, capture_output=True, text=True, check=True)
    venv, lock, package = (done.stdout.index(word) for word in ("-m venv .venv", "--require-hashes", "--editable"))
    assert venv < lock < package


def test_what_a_test_machine_runs_is_make(project):
    said = (project / ".ci" / "run").read_text().splitlines()
    assert "set -eu" in said
    assert said[-2:] == ["make tools", "make test"]


def test_what_the_makefile_calls_exists(project):
    text = (project / "Makefile").read_text()
    said = subprocess.run(
        [sys.executable, "-m", "lostlight", "--help"], capture_output=True, text=True, check=True
    ).stdout
    verbs = re.findall(r"\$\(BIN\)/lostlight ([a-z-]+)", text)
    assert [verb for verb in verbs if not re.search(rf"^  {verb} ", said, re.MULTILINE)] == []
    scripts = re.findall(r"\$\(BIN\)/python (\S+\.py)", text)
    assert scripts and all((project / script).is_file() for script in scripts)
