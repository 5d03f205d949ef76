"""What all tests share: the folder of real observations, and markers that skip by themselves."""

import os
import shutil
from pathlib import Path

import pytest

from lostlight.core.threads import keep_to_one

keep_to_one()  # before anything that starts threads is loaded

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = {
    "needs_sextractor": "source-extractor",
    "needs_psfex": "psfex",
    "needs_stilts": "stilts",
    "needs_chromium": "chromium",
    "needs_siril": "siril-cli",
    "needs_slurm": "sbatch",
}


def _observations() -> Path | None:
    folder = Path(os.environ.get("LOSTLIGHT_TEST_DATA", ROOT.parent / "shared" / "data"))
    return folder if (folder / "MANIFEST.tsv").is_file() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real observations; skips where it is absent."""
    folder = _observations()
    if folder is None:
        pytest.skip("the folder of real observations is absent (set LOSTLIGHT_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep the tests out of the user's cache."""
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def pytest_collection_modifyitems(config, items):
    soak = "soak" in (config.getoption("-m") or "")
    for item in items:
        for marker, program in PROGRAMS.items():
            if item.get_closest_marker(marker) and shutil.which(program) is None:
                item.add_marker(pytest.mark.skip(reason=f"{program} is not installed"))
        if item.get_closest_marker("soak") and not soak:
            item.add_marker(pytest.mark.skip(reason="full counts run in make soak"))
