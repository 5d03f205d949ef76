"""A tiny run on the simulated sky, made once and shared: two tiles, embedded engine, every step, with its twin."""

import shutil
from pathlib import Path

import pytest

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.vocab.steps import SURVEY

SKY = "sky:20"
TINY = {
    "engine": "embedded",
    "tiles": {
        "mode": "single",
        "positions": [{"ra_deg": 150.0, "dec_deg": 20.0}, {"ra_deg": 150.3, "dec_deg": 20.1}],
        "width_arcmin": 14,
        "height_arcmin": 12,
    },
    "download": {"source": "sky", "url": SKY, "min_interval_s": 0},
    "masks": {"url": SKY},
    "reference": {"url": SKY, "gaia": True, "min_interval_s": 0, "bright_margin_arcmin": 5},
    "filter": {"skybot_url": SKY, "vsx_url": SKY},
    "completeness": {"n_per_tile": 12},
}


def tiny_config(**changes):
    """The tiny run's configuration, changed section by section."""
    return configuration.check(configuration.merge(TINY, changes))


def walk(run: Path, config=None, steps=SURVEY, workers=1):
    """All manifests of a run, by step; those of the twin under their path."""
    manifests = list(chain.walk(config or tiny_config(), run, steps=steps, workers=workers))
    return {str(manifest.path.parent.relative_to(run)): manifest for manifest in manifests}


def products(folder: Path) -> dict[str, bytes]:
    """Every file of a run that is promised to be the same bytes."""
    of_times = ("timings.json", "times.html")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(of_times))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Path:
    """A finished tiny run; not to be changed."""
    run = tmp_path_factory.mktemp("tiny") / "run"
    walk(run)
    return run


@pytest.fixture
def tiny_copy(tiny_run, tmp_path) -> Path:
    """A finished tiny run of one's own."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))
