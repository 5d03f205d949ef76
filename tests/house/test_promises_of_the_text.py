"""No dead ends in the code, no absent command in the documents."""

import re
import subprocess
import sys

import pytest

TEXT = (".py", ".smk", ".md", ".yaml", ".yml", ".toml", ".cff", ".sh", ".html", ".rst", "")


def tracked(project):
    """Files that belong to the project."""
    if not (project / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True).stdout
    return [project / name for name in listed.splitlines() if (project / name).is_file()]


@pytest.mark.parametrize("word", ["NotImplementedError", "TODO", "FIXME", "XXX", "pdb.set_trace", "except: pass"])
def test_no_dead_ends(project, word):
    found = [
        str(path.relative_to(project))
        for path in tracked(project)
        if path.suffix in TEXT
        and path.name != "test_promises_of_the_text.py"
        and word in path.read_text(errors="replace")
    ]
    assert not found


def test_the_lock_names_hashes_and_no_host(project):
    text = (project / "requirements.lock").read_text()
    assert "http" not in text
    packages = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
    assert len(packages) > 40
    assert text.count("--hash=sha256:") >= len(packages)


def test_every_dependency_is_in_the_lock(project):
    import tomllib

    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    wanted = (
        declared["dependencies"] + declared["optional-dependencies"]["test"] + declared["optional-dependencies"]["dev"]
    )
    locked = re.findall(r"^([a-z0-9][a-z0-9.-]*)==", (project / "requirements.lock").read_text(), re.MULTILINE)
    names = {re.split(r"[<>=;\[ ]", item)[0].lower().replace("_", "-") for item in wanted}
    assert names - set(locked) == set()


def commands(project):
    """Every command that the documents tell people to type."""
    for name in ("README.md", "CONTRIBUTING.md", "config/README.md", "docs/mosaic.md", "docs/movers.md"):
        for line in (project / name).read_text().splitlines():
            for found in re.findall(r"(?:^ {4}|`)((?:make|lostlight|snakemake|python scripts/)[^`#]*)", line):
                yield name, found.strip()


def test_documents_name_commands_that_exist(project):
    targets = set(re.findall(r"^([a-z-]+):", (project / "Makefile").read_text(), re.MULTILINE))
    helped = subprocess.run(
        [sys.executable, "-m", "lostlight", "--help"], capture_output=True, text=True, check=True
    ).stdout
    verbs = set(re.findall(r"^  ([a-z-]+)  ", helped, re.MULTILINE))
    wrong, seen = [], 0
    for name, command in commands(project):
        program, *rest = command.split()
        seen += 1
        first = rest[0] if rest else ""
        known = {
            "make": first in targets,
            "lostlight": not first or first in verbs,
            "python": (project / first).is_file(),
            "snakemake": all((project / word).exists() for word in rest if word.startswith(("config/", "workflow/"))),
        }
        if not known[program]:
            wrong.append(f"{name}: {command}")
    assert seen >= 10
    assert not wrong


@pytest.mark.parametrize("option", ["--images", "--reference", "--run-id", "--from-step", "--to-step", "--workers"])
def test_the_front_end_knows_its_options(project, option):
    helped = subprocess.run(
        [sys.executable, project / "scripts" / "one2pass.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert option in helped
