"""kill -9 at a random moment, then the same command again: the same bytes as a run that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml
from tests.steps.conftest import TINY, products

from lostlight.core import config as configuration

SMALL = {
    "tiles": {"positions": TINY["tiles"]["positions"][:1], "positions_csv": "", "rings": 0},
    "completeness": {"n_per_tile": 0},
    "calibrate": {"frames": ""},
    "run": {"shards": 1},
}
"""One tile; runs of own frames are killed in tests of their own."""


def start(project, folder, run_id):
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration.merge(TINY, SMALL)))
    command = [sys.executable, project / "scripts/one2pass.py", "--config", "config.yaml", "--run-id", run_id]
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(
            [*map(str, command), "--workers", "2"],
            cwd=folder,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(project, folder, run_id):
    process = start(project, folder, run_id)
    assert process.wait(timeout=600) == 0, (folder / "said.txt").read_text()


@pytest.fixture(scope="module")
def untouched(project, tmp_path_factory):
    """The bytes of a run that was left alone, and how long it took."""
    folder = tmp_path_factory.mktemp("untouched")
    began = time.monotonic()
    finish(project, folder, "again")
    return products(folder / "data/runs/again"), time.monotonic() - began


def check_kill(project, folder, untouched, moment):
    expected, duration = untouched
    process = start(project, folder, "again")
    time.sleep(moment * duration)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finish(project, folder, "again")
    found = products(folder / "data/runs/again")
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.mark.parametrize("moment", [0.3, 0.55, 0.8])
def test_a_killed_run_resumes_to_the_same_bytes(project, tmp_path, untouched, moment):
    check_kill(project, tmp_path, untouched, moment)


@pytest.mark.soak
@pytest.mark.parametrize("moment", sorted(random.Random(3).uniform(0.05, 1.0) for _ in range(20)))
def test_twenty_kills(project, tmp_path, untouched, moment):
    check_kill(project, tmp_path, untouched, moment)


def test_a_run_is_worked_on_by_one_process_at_a_time(project, tmp_path):
    first = start(project, tmp_path, "busy")
    try:
        while not (tmp_path / "data/runs/busy/.lock").exists():
            time.sleep(0.05)
        time.sleep(0.2)
        second = start(project, tmp_path, "busy")
        assert second.wait(timeout=120) == 2
        assert "is being worked on by another process" in (tmp_path / "said.txt").read_text()
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
