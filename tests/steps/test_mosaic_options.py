"""Any settings of step 12 together: a mosaic whose planes agree, the same bytes for any blocks and kernels."""

import numpy as np
import pytest
from tests.mosaic_run import make, take

from lostlight.steps.mosaicking import assembling, lots

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
SMALL = {"layout": (1, 2), "n_per_tile": 3, "tile_px": (81, 96), "n_stars": 90, "cosmics": 2.0, "trails": 1}
SCENES = {
    "mono": {},
    "colour": {"channels": 3},
    "turning": {"scales": (1.0, 1.3), "rotation_deg": 20.0},
    "two filters": {"filters": ("R", "B")},
    "unsolved": {"layout": (1, 1), "has_wcs": False},
}
CHOICES = {
    "rgb_equalize": ["off", "reference"],
    "registration.min_stars": [4, 8],
    "canvas.orientation": ["auto_rotate", "north_up"],
    "canvas.scale_arcsec": [None, None, 1.0, 2.2],
    "canvas.pad_px": [0, 16],
    "lots.min": [1, 2],
    "lots.target": [2, 40],
    "lots.by": ["auto", "pointing"],
    "grid.tile_px": [0, 33, 77],
    "grid.overlap": [0.0, 0.1, 0.5],
    "warp.kernel": ["cubic", "lanczos3", "linear", "nearest"],
    "warp.step_px": [4, 32, 100],
    "warp.edge_px": [0, 4],
    "warp.spikes_sigma": [None, 8],
    "warp.jacobian": ["fixed", "variable", "none"],
    "photometry.method": ["overlap", "median_ratio", "offset", "none"],
    "photometry.reference": ["auto", "central", "first", 0, 1],
    "photometry.sky_order": [0, 1, 2],
    "photometry.cell_px": [8, 30, 64],
    "weights.frame": ["noise", "noise_fwhm", "none"],
    "weights.feather_px": [None, 0, 20],
    "combine.statistic": ["mean", "median"],
    "combine.reject": ["shrunk", "none", "minmax", "percentile", "sigma", "sigma_once", "kappa", "mad", "winsorized",
                       "linear_fit", "gesd"],
    "combine.low": [None, 2.0],
    "combine.grow": [0, 1],
    "combine.lots_reject": ["shrunk", "none"],
    "polish.min_rel": [0, 0.15],
    "polish.second_pass": ["off", "on"],
    "polish.open_px": [0, 3],
    "polish.crop.mode": ["bbox", "inscribed", "none"],
    "polish.crop.noise": [None, 2],
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folders of frames; not to be changed."""
    folder = tmp_path_factory.mktemp("scenes")
    return [take(folder / name.replace(" ", "_"), **SMALL | knobs) for name, knobs in SCENES.items()]


def chosen(rng):
    """Choose a value for every setting."""
    mode = str(rng.choice(["stack", "sds", "grid"]))
    settings = {"mode": mode, "registration": {"solve": "off"}, "polish": {"crop": {}}}
    for name, values in CHOICES.items():
        *sections, key = name.split(".")
        place = settings
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = values[rng.integers(len(values))]
    if rng.random() < 0.5:
        settings["photometry"]["scope"] = {"stack": "global", "sds": "both", "grid": "tile"}[mode]
    return settings


@pytest.mark.parametrize("seed", [1, 4, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(5, 105))])
def test_any_settings_make_a_mosaic_that_does_not_depend_on_its_blocks(scenes, tmp_path, monkeypatch, seed):
    monkeypatch.setattr("lostlight.report.mosaic_page.html", lambda *content, **more: "")
    rng = np.random.default_rng(seed)
    settings, frames = chosen(rng), scenes[rng.integers(len(scenes))]
    outcome = make(frames, tmp_path / "run", policy={"memory_mb": 512}, **settings)
    assert outcome.error is None
    assert outcome.failures == []
    for name in outcome.metrics:
        sci, wht, cov = (outcome.plane(plane, name) for plane in ("SCI", "WHT", "COV"))
        assert np.array_equal(wht > 0, np.isfinite(sci))
        assert np.array_equal(cov > 0, np.isfinite(sci).reshape(-1, *cov.shape).any(axis=0))
    for module in (assembling, lots):
        monkeypatch.setattr(module, "SHARE", 3e-4)
    again = make(frames, tmp_path / "again", policy={"memory_mb": 64, "backend": "numpy"}, **settings).products
    assert [name for name, content in outcome.products.items() if again[name] != content] == []
