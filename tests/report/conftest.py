"""Runs on disk for the report to read."""

import pytest
from tests.small_run import SmallRun


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A run of four tiles with its planted twin: two good, one of the wrong survey, one without a PSF."""
    return SmallRun(tmp_path_factory.mktemp("runs") / "small")
