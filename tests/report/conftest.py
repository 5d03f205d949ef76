"""Runs on disk for the report to read, and a browser to look at its pages."""

import shutil

import pytest
from tests.small_run import SmallRun

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A run of four tiles with its planted twin: two good, one of the wrong survey, one without a PSF."""
    return SmallRun(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="session")
def browser():
    """Chromium, as people have it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        yield chromium
        chromium.close()
