"""A night of a very small camera, calibrated as often as tests like: runs are kept, pages and pictures left out."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.report import calibration_page, calibration_pictures
from lostlight.sim.camera_frames import write_frames
from lostlight.steps.calibrating import planning
from lostlight.steps.calibrating.ingest import ingest

SHAPE, OVERSCAN = (65, 83), 10
STACKS = ("bias", "dark", "flat_dark", "flat")


@contextmanager
def no_pictures():
    """Leave out what no option of calibration changes, and what takes most of the time; read headers once a run."""
    with pytest.MonkeyPatch.context() as patch:
        known = []
        patch.setattr(planning, "ingest", lambda params: (known or known.append(ingest(params)) or known)[0])
        patch.setattr(calibration_page, "html", lambda *_: "")
        patch.setattr(calibration_pictures, "draw", lambda *_: {})
        yield


class Products:
    """What a run of step 11 left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "11_calibrate" / "products"
        self.report = json.loads((self.folder / "calibration_report.json").read_text())
        units = json.loads((self.folder.parent / "manifest.json").read_text())["units"]
        self.failures = [unit["failure"]["message"] for unit in units if unit.get("failure")]

    def path(self, start: str, ending: str = ".fits") -> Path:
        return min(path for path in self.folder.iterdir() if path.name.startswith(start) and path.name.endswith(ending))

    def planes(self, start: str, ending: str = ".fits") -> dict[str, np.ndarray]:
        with fits.open(self.path(start, ending)) as hdus:
            found = {
                hdu.name: hdu.data.astype(hdu.data.dtype.newbyteorder("=")) for hdu in hdus if hdu.data is not None
            }
        return {("SCI" if name in ("PRIMARY", "") else name): data for name, data in found.items()}

    def data(self, start: str) -> np.ndarray:
        return self.planes(start)["SCI"]

    def header(self, start: str) -> fits.Header:
        with fits.open(self.path(start)) as hdus:
            return hdus["SCI" if "SCI" in hdus else 0].header.copy()

    def told(self, start: str) -> dict:
        return json.loads(self.path(start, ".json").read_text())

    def codes(self) -> set[str]:
        return {warning["code"] for warning in self.report["warnings"]}

    def names(self, ending: str) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name.endswith(ending))


class Night:
    """Raw frames, and runs over them by their settings."""

    def __init__(self, folder: Path, **switches) -> None:
        self.folder, self.raw, self._runs = folder, folder / "raw", {}
        known = {"shape": SHAPE, "overscan_px": OVERSCAN, "n_bias": 6, "n_dark": 5, "dark_s": (120.0,), "n_flat": 5}
        known |= {"n_flat_dark": 5, "n_light": 2, "filters": ("R",), "cosmics_s_mpx": 0.0}
        self.camera = write_frames(self.raw, 3, **(known | switches)).camera

    def run(self, **settings) -> Products:
        settings = {"frames": str(self.raw), **settings}
        key = json.dumps(settings, sort_keys=True)
        if key not in self._runs:
            place = self.folder / f"run{len(self._runs)}"
            config = configuration.check({"calibrate": settings})
            with no_pictures():
                list(chain.walk(config, place, steps=("11_calibrate",), workers=1))
            self._runs[key] = Products(place)
        return self._runs[key]

    def cube(self, kind: str) -> np.ndarray:
        """Raw frames of a kind, without their overscan columns."""
        return np.stack([fits.getdata(path)[:, OVERSCAN:] for path in self.files(kind)]).astype(np.float32)

    def files(self, kind: str) -> list[Path]:
        return sorted((self.raw / kind).iterdir())


def spoil(night: Night) -> None:
    """Give every calibration frame outliers of three to forty sigma on either side, and one frame more noise."""
    rng = np.random.default_rng(7)
    for kind in STACKS:
        for number, path in enumerate(night.files(kind)):
            with fits.open(path, mode="update") as hdus:
                data = hdus[0].data.astype(float)
                scatter = 3.4 if kind != "flat" else 130.0
                off = rng.uniform(3, 40, data.shape) * rng.choice([-1, 1], data.shape) * scatter
                data += np.where(rng.random(data.shape) < 0.03, off, 0)
                data[:, :OVERSCAN] = hdus[0].data[:, :OVERSCAN]
                data += rng.normal(0, scatter, data.shape) * (number == 1)
                hdus[0].data = np.rint(data).clip(0, 65535).astype(np.uint16)
