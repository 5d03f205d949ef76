"""What calibration says it did: every master and light, its inputs, numbers, warnings; no clock, no absolute path."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from lostlight.core import atomic
from lostlight.core.errors import Fact

SCHEMA = "calibration/1"
KINDS = ("bias", "dark", "flat_dark", "flat", "bpm", "light")


def _finite(value: object) -> object:
    # JSON has no word for NaN or infinity; a value that is not known is null.
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
Facts = dict[str, Annotated[Fact | None, BeforeValidator(_finite)]]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stats(_Record):
    """Numbers of one image, in its own unit."""

    n: int
    n_invalid: int
    min: Number
    max: Number
    mean: Number
    median: Number
    std: Number
    mad: Number
    noise: Number
    snr: Number
    n_negative: int
    n_levels: int
    n_at_min: int
    n_at_max: int


class Histogram(_Record):
    """Counts in bins whose edges are center + scale sinh(u), u in equal steps from low to high."""

    center: Number
    scale: Number
    low: Number
    high: Number
    step: int = 0
    counts: tuple[int, ...]
    under: int
    over: int


class Alert(_Record):
    """A coded warning."""

    code: str
    where: str
    said: str
    value: Number = None
    threshold: Number = None
    hint: str = ""


class Input(_Record):
    """One raw frame: what it is, how much of it was used, and with which weight."""

    id: str
    path: str = ""
    sha256: str = ""
    role: str = ""
    weight: Number = 1.0
    kept_fraction: Number = 1.0
    stats: Stats | None = None
    flags: tuple[str, ...] = ()


class Uncertainty(_Record):
    """Median one-sigma by the noise model and by the scatter of the frames, and the former over the latter."""

    model: Number = None
    empirical: Number = None
    ratio: Number = None


class Illumination(_Record):
    """A quadratic through a flat."""

    corner_over_center: Number
    tilt: Number
    tilt_angle_deg: Number
    center_x_px: Number
    center_y_px: Number
    coefficients: tuple[Number, ...]
    residual_rms: Number


class Dust(_Record):
    """One shadow."""

    x_px: float
    y_px: float
    r_px: float
    depth: float


class Flat(_Record):
    """What is told of a flat."""

    level: Number
    saturated_fraction: Number
    snr: Number
    illumination: Illumination
    dust: tuple[Dust, ...]
    banding_rows: Number
    banding_columns: Number
    shape_changes: dict[str, Number]
    tiles: tuple[tuple[Literal["good", "fair", "poor"], ...], ...]
    tile_px: int
    advice: tuple[str, ...]


class Correction(_Record):
    """How the background of a light follows its flat."""

    slope: Number
    slope_error: Number
    n_tiles: int
    background: Number
    is_wrong: bool


class Scale(_Record):
    """Factor of the dark with its error."""

    factor: Number = None
    error: Number = None


class UnitRecord(_Record):
    """Diagnostics of one master, map or light: the content of its ``.json`` file."""

    id: str
    kind: Literal["bias", "dark", "flat_dark", "flat", "bpm", "light"]
    shape: tuple[int, ...]
    unit: str = ""
    method: Facts = {}
    facts: Facts = {}
    inputs: tuple[Input, ...] = ()
    masters: dict[str, str] = {}
    stats: Stats
    stats_before: Stats | None = None
    histogram: Histogram
    uncertainty: Uncertainty | None = None
    dq_counts: dict[str, int] = {}
    rejected_low: Number = None
    rejected_high: Number = None
    scale: Scale | None = None
    flat: Flat | None = None
    correction: Correction | None = None
    warnings: tuple[Alert, ...] = ()


class Group(_Record):
    """Frames that belong together."""

    id: str
    kind: str
    source: str = "frames"
    frames: tuple[str, ...] = ()
    n_frames: int = 0


class Candidate(_Record):
    """A master that was looked at for a group of frames."""

    id: str
    distance: Number = None
    terms: Facts = {}
    reason: str = ""


class Match(_Record):
    """Which master a group of frames gets, and why."""

    target: str
    role: str
    chosen: str = ""
    distance: Number = None
    verdict: str = ""
    reason: str = ""
    terms: Facts = {}
    candidates: tuple[Candidate, ...] = ()


class Output(_Record):
    """A file of the run, its path relative to the run folder."""

    path: str
    sha256: str


class CalibrationReport(_Record):
    """Everything: ``calibration_report.json``."""

    schema_: str = SCHEMA
    report_id: str = ""
    software: dict[str, str]
    params: dict[str, Any]
    groups: tuple[Group, ...]
    matches: tuple[Match, ...]
    masters: tuple[UnitRecord, ...]
    bad_pixels: tuple[UnitRecord, ...]
    lights: tuple[UnitRecord, ...]
    warnings: tuple[Alert, ...]
    outputs: tuple[Output, ...]

    def dump(self) -> dict[str, Any]:
        """Plain data under the names of the file."""
        return plain(self)


def plain(report: BaseModel) -> dict[str, Any]:
    """Turn a report into plain data; `report_id` is the first 16 digits of the sha256 of all the rest."""
    content = report.model_dump(mode="json", exclude={"report_id"})
    content = {"schema": content.pop("schema_"), **content}
    return {**content, "report_id": atomic.sha256_json(content)[:16]}
