"""Step 12 run on small folders of simulated frames that tests spoil, and what it says of them."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.errors import LostlightError
from lostlight.core.manifest import Manifest, load
from lostlight.sim.mosaics import scene, write

STEP = "12_mosaic"
SMALL = {"layout": (1, 2), "tile_px": (121, 150), "n_per_tile": 3, "n_stars": 150, "flux": (3e3, 3e5),
         "slopes": 20.0, "dither_px": 4.0}  # fmt: skip
"""Six frames of two fields that overlap."""


def take(folder: Path, seed: int = 5, **changes) -> Path:
    """Write frames; gives their folder."""
    write(folder, scene(seed, **(SMALL | changes)))
    return folder


def copied(frames: Path, folder: Path) -> Path:
    """Give frames of one's own to spoil."""
    return Path(shutil.copytree(frames, folder))


def edit(path: Path, change=None, **cards) -> Path:
    """Change the pixels of a frame, and cards of its header; None takes a card away, an underscore is a hyphen."""
    with fits.open(path) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header.copy()
    for key, value in cards.items():
        header.remove(key.replace("_", "-"), ignore_missing=True)
        if value is not None:
            header[key.replace("_", "-")] = value
    fits.PrimaryHDU(data if change is None else change(data), header).writeto(path, overwrite=True)
    return path


def without_sky(path: Path) -> Path:
    """Take the sky solution out of a header."""
    with fits.open(path) as hdus:
        keys = [key for key in hdus[0].header if key.startswith(("CTYPE", "CRVAL", "CRPIX", "CD", "PC", "CDELT", "A_"))]
    return edit(path, **dict.fromkeys(keys))


@dataclass
class Outcome:
    """What came of a run."""

    run: Path
    error: LostlightError | None = None
    manifest: Manifest | None = None
    metrics: dict[str, dict] = field(default_factory=dict)
    """Content of the metrics of each mosaic, by its name."""

    @property
    def folder(self) -> Path:
        """Where the products are."""
        return self.run / STEP / "products"

    @property
    def products(self) -> dict[str, bytes]:
        """Every product by name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*"))}

    @property
    def left_out(self) -> dict[str, str]:
        """Reasons by frame, of all mosaics together."""
        return {each["id"]: each["reason"] for told in self.metrics.values() for each in told["rejected"]}

    @property
    def warnings(self) -> list[str]:
        """All that units warn of."""
        return [said for unit in self.manifest.units for said in unit.warnings] if self.manifest else []

    @property
    def failures(self) -> list[str]:
        """Messages of units that failed."""
        return [unit.failure.message for unit in self.manifest.units if unit.failure] if self.manifest else []

    def unit(self, name: str):
        """Give the record of a unit."""
        return next(unit for unit in self.manifest.units if unit.id == name)

    def plane(self, name: str = "SCI", mosaic: str = "mosaic") -> np.ndarray:
        """Read a plane of a mosaic."""
        with fits.open(self.folder / f"{mosaic}.fits") as hdus:
            return hdus[0 if name == "SCI" else name].data.copy()


def make(frames: Path | str, run: Path, workers: int = 1, policy: dict | None = None, **settings) -> Outcome:
    """Run step 12 as a user would; an error ends it, anything else that is raised is a bug."""
    overlay = {"mosaic": {"frames": str(frames), **settings}, "run": {"max_failed_fraction": 1.0, **(policy or {})}}
    outcome = Outcome(run)
    try:
        list(chain.walk(configuration.check(overlay), run, steps=(STEP,), workers=workers))
    except LostlightError as error:
        outcome.error = error
    for name in ("manifest.json", "manifest.failed.json"):
        if (path := run / STEP / name).is_file():
            outcome.manifest = load(path)
    units = outcome.manifest.units if outcome.manifest else ()
    for unit in units:
        assert not (unit.failure and unit.failure.traceback), unit.failure.traceback
    assert "a bug stopped" not in str(outcome.error), f"{outcome.error}"
    outcome.metrics = {
        path.name.removesuffix(".metrics.json"): json.loads(path.read_bytes())
        for path in sorted(outcome.folder.glob("*.metrics.json"))
    }
    return outcome
