"""kill -9 in the middle of a mosaic, then the same command: the same bytes as a run that was left alone."""

import contextlib
import os
import random
import signal
import time
from multiprocessing import get_context

import pytest
from tests.mosaic_run import STEP, copied, make, take

SETTINGS = {"mode": "sds", "lots": {"min": 2, "target": 2}, "output": {"jpg": True}}


@pytest.fixture(scope="module")
def lights(tmp_path_factory):
    """Six frames of two fields; not to be changed."""
    return take(tmp_path_factory.mktemp("lights") / "frames")


@pytest.fixture(scope="module")
def untouched(lights):
    """A run that was left alone."""
    with contextlib.chdir(lights.parent):
        outcome = make("frames", lights.parent / "run", **SETTINGS)
    assert outcome.error is None
    return outcome


def run_alone(folder):
    """Be a process with a group of its own, as one that was started from a shell."""
    os.setsid()
    os.chdir(folder)
    make("frames", folder / "run", workers=2, **SETTINGS)


def check_kill(lights, untouched, folder, n_receipts, delay_s=0.0):
    """Kill a run and all its workers a while after so many units are done, and run the same again."""
    copied(lights, folder / "frames")
    # a fork spares the imports, which take longer than the mosaic
    process = get_context("fork").Process(target=run_alone, args=(folder,))
    process.start()
    while process.is_alive() and len(list((folder / "run" / STEP / "units").glob("*.json"))) < n_receipts:
        time.sleep(0.002)
    time.sleep(delay_s)
    assert process.is_alive(), "it was done before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    with contextlib.chdir(folder):
        assert make("frames", folder / "run", workers=2, **SETTINGS).error is None
    made, expected = (each / STEP for each in (folder / "run", untouched.run))
    products = {path.name: path.read_bytes() for path in (made / "products").iterdir()}
    assert sorted(products) == sorted(untouched.products)
    assert [name for name, content in untouched.products.items() if products[name] != content] == []
    assert (made / "manifest.json").read_bytes() == (expected / "manifest.json").read_bytes()
    assert not [path for path in (made / ".staging").rglob("*") if path.is_file()]


@pytest.mark.parametrize("n_receipts", [2, 9, 17])
def test_a_killed_mosaic_resumes_to_the_same_bytes(lights, untouched, tmp_path, n_receipts):
    check_kill(lights, untouched, tmp_path, n_receipts)


@pytest.mark.soak
@pytest.mark.parametrize("n_receipts", range(18))
def test_a_kill_at_every_unit(lights, untouched, tmp_path, n_receipts):
    check_kill(lights, untouched, tmp_path, n_receipts, random.Random(n_receipts).uniform(0, 0.03))
