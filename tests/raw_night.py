"""A tiny night of raw frames that tests spoil, and what step 11 says of it."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.errors import LostlightError
from lostlight.core.manifest import Manifest, load
from lostlight.sim.camera_frames import write_frames

STEP = "11_calibrate"
SMALL = {
    "shape": (41, 53), "overscan_px": 8, "n_bias": 3, "n_dark": 3, "n_flat": 3, "n_flat_dark": 0, "n_light": 2,
    "dark_s": (60.0,), "light_s": 60.0, "filters": ("R",),
}  # fmt: skip
KINDS = ("bias", "dark", "flat", "light")


def take(folder: Path, seed: int = 5, **changes) -> Path:
    """Write a night; gives its folder."""
    write_frames(folder, seed, **(SMALL | changes))
    return folder


def copied(night: Path, folder: Path) -> Path:
    """Give a night of one's own to spoil."""
    return Path(shutil.copytree(night, folder))


def edit(path: Path, change=None, **cards) -> None:
    """Change the pixels of a frame, and cards of its header; None takes a card away, an underscore is a hyphen."""
    with fits.open(path, uint=True) as hdus:
        data, header = hdus[0].data.copy(), hdus[0].header.copy()
    for key in ("BZERO", "BSCALE"):
        header.remove(key, ignore_missing=True)
    for key, value in cards.items():
        if value is None:
            header.remove(key.replace("_", "-"), ignore_missing=True)
        else:
            header[key.replace("_", "-")] = value
    fits.PrimaryHDU(data if change is None else change(data), header).writeto(path, overwrite=True)


def edit_all(folder: Path, *kinds: str, change=None, **cards) -> None:
    """Edit all frames of some kinds; `change` is given pixels and the number of the frame."""
    for kind in kinds or KINDS:
        for number, path in enumerate(sorted((folder / kind).glob("*.fits"))):
            edit(path, change and (lambda data, number=number: change(data, number)), **cards)


@dataclass
class Outcome:
    """What came of a run."""

    run: Path
    error: LostlightError | None = None
    manifest: Manifest | None = None
    report: dict = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """Messages of units that failed; none of them may be a traceback."""
        units = self.manifest.units if self.manifest else ()
        for unit in units:
            assert not (unit.failure and unit.failure.traceback), unit.failure.traceback
        return [unit.failure.message for unit in units if unit.failure]

    @property
    def warnings(self) -> list[str]:
        """All that units warn of."""
        return [said for unit in self.manifest.units for said in unit.warnings] if self.manifest else []

    @property
    def products(self) -> dict[str, bytes]:
        """Every product by name."""
        folder = self.run / STEP / "products"
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}

    def unit(self, name: str):
        """Give the record of a unit."""
        return next(unit for unit in self.manifest.units if unit.id == name)


def calibrate(frames: Path | str, run: Path, workers: int = 1, policy: dict | None = None, **settings) -> Outcome:
    """Run step 11 as a user would; an error ends it, anything else that is raised is a bug."""
    overlay = {"calibrate": {"frames": str(frames), **settings}, "run": {"max_failed_fraction": 1.0, **(policy or {})}}
    outcome = Outcome(run)
    try:
        list(chain.walk(configuration.check(overlay), run, steps=(STEP,), workers=workers))
    except LostlightError as error:
        assert "a bug stopped" not in error.message, f"{error}\n{_bugs(run)}"
        outcome.error = error
    for name in ("manifest.json", "manifest.failed.json"):
        if (path := run / STEP / name).is_file():
            outcome.manifest = load(path)
    report = run / STEP / "products/calibration_report.json"
    outcome.report = json.loads(report.read_bytes()) if report.is_file() else {}
    return outcome


def _bugs(run: Path) -> str:
    failed = load(run / STEP / "manifest.failed.json")
    return "\n".join(unit.failure.traceback or "" for unit in failed.units if unit.failure)
