"""What is no tile's fault: a missing program, a full disk, a silent network, a folder that may not be written."""

import json
import os
import subprocess
import sys

import pytest
from tests.steps.conftest import products, tiny_config

from lostlight.chain import manifest_path
from lostlight.core import config as configuration
from lostlight.core.step import find


def step(run, step_id, *, shell="exec", env=None, **changes):
    """Run one step as the workflow does, in a process of its own."""
    upstream = [word for before in find(step_id).after for word in ("--upstream", str(manifest_path(run, before)))]
    params = json.dumps(configuration.section(tiny_config(**changes), step_id))
    command = [sys.executable, "-m", "lostlight", "step", step_id, "--out", str(manifest_path(run, step_id))]
    return subprocess.run(
        ["/bin/bash", "-c", f'{shell} "$@"', "bash", *command, *upstream, "--params", params],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )


def says(done, code, *words):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "→" in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_missing_program_is_named_with_what_to_install(tiny_copy, tmp_path):
    done = step(tiny_copy, "03_detect", env={"PATH": str(tmp_path)}, shell="exec", detect={"engine": "reference"})
    says(done, 5, "source-extractor", "make tools")


def test_a_full_disk_loses_nothing(tiny_copy):
    before = products(tiny_copy)
    (tiny_copy / "02_masks/manifest.json").unlink()
    for product in (tiny_copy / "02_masks/products").iterdir():
        product.unlink()
    done = step(tiny_copy, "02_masks", shell="ulimit -f 100; exec")
    says(done, 1, "run again")
    assert not (tiny_copy / "02_masks/manifest.json").exists()
    assert not list((tiny_copy / "02_masks/products").glob("*.fits"))
    assert step(tiny_copy, "02_masks").returncode == 0
    assert products(tiny_copy) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tiny_copy):
    folder = tiny_copy / "03_detect"
    (folder / "manifest.json").unlink()
    folder.chmod(0o500)
    try:
        says(step(tiny_copy, "03_detect", detect={"min_area_px": 6}), 1, "permission")
    finally:
        folder.chmod(0o700)


def test_no_network_is_a_remote_service_that_is_down(tiny_copy, monkeypatch, tmp_path):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "nothing cached"))
    silent = {"url": "http://127.0.0.1:9", "retries": 1, "backoff": 1.0, "timeout_s": 2}
    done = step(tiny_copy, "01_download", download={"source": "stsci", **silent})
    says(done, 6, "2 of 2 units failed", "127.0.0.1:9")
    failed = json.loads((tiny_copy / "01_download/manifest.failed.json").read_text())
    assert {unit["failure"]["type"] for unit in failed["units"]} == {"RemoteDown"}


def test_a_port_in_use_is_said_plainly():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "lostlight", "sky", "serve", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    says(done, 1, "port")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("step", "03_detct", "--out", "x/03/manifest.json"), ("03_detct", "known steps")),
        (("step", "02_masks", "--out", "x/02_masks/manifest.json", "--params", "{broken"), ("--params", "JSON")),
        (("step", "02_masks", "--out", "x/02_masks/m.json", "--params", '{"edge_pix": 3}'), ("edge_pix", "edge_px")),
        (("step", "02_masks", "--out", "x/02_masks/m.json", "-u", "no/such/manifest.json"), ("no/such/manifest.json",)),
        (("show", "no-such-run"), ("no-such-run", "known runs")),
    ],
)
def test_a_slip_of_the_hand_ends_with_the_next_step(tmp_path, arguments, words):
    command = [sys.executable, "-m", "lostlight", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr
    assert "→" in done.stderr
    for word in words:
        assert word in done.stderr
