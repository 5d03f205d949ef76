"""What a mosaic says of itself: frames, levels, overlaps, polish; no time (see timings.json), no absolute path.

The content of ``metrics.json``. Pixels of the canvas are zero-based (x, y); windows are (y0, x0, height, width);
what is per channel is a list of one value, or of three.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lostlight.core.calibration_report import Alert, Facts, Number, plain

SCHEMA = "mosaic/1"
Numbers = tuple[Number, ...]
Box = tuple[int, int, int, int]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Record):
    """Smallest, middle and largest value of a plane over the pixels that have one."""

    min: Number = None
    median: Number = None
    max: Number = None


class Rejected(_Record):
    """A frame that has no part in the mosaic, and why."""

    id: str
    path: str = ""
    reason: str


class Frame(_Record):
    """One frame: how it was levelled, how good it is, how much it counts.

    Noise `sigma` and `weight` are those once the gain is applied.
    """

    id: str
    path: str = ""
    filter: str = ""
    lot: str = ""
    status: Literal["used", "rejected", "failed"] = "used"
    reason: str = ""
    gain: Numbers = ()
    gain_sigma: Numbers = ()
    sky: tuple[Numbers, ...] = ()
    sigma: Numbers = ()
    fwhm_px: Number = None
    elongation: Number = None
    n_stars: int | None = None
    weight: Numbers = ()
    exptime_s: Number = None
    outline: tuple[tuple[Number, Number], ...] = ()


class Lot(_Record):
    """A lot of frames, or a tile of the grid: the part of the mosaic that was combined for itself."""

    id: str
    n: int
    coverage: Number = None
    window: Box | None = None
    gain: Numbers = ()
    offset: Numbers = ()
    median_before: Numbers = ()
    median_after: Numbers = ()
    n_rejected: int | None = None
    rejected_fraction: Number = None


class Canvas(_Record):
    """The grid of pixels: its shape, the window of it that was kept, and how it lies on the sky."""

    shape: tuple[int, int]
    scale_arcsec: Number = None
    crop: Box | None = None
    is_sky: bool = True
    wcs: Facts = {}
    covered_px: int = 0


class Reference(_Record):
    """The frame whose level and scale the mosaic has, by its place in the order of ids."""

    index: int | None = None
    id: str = ""
    rule: str = "auto"


class Pair(_Record):
    """Two frames or lots that overlap: median difference before and after levelling, and in one-pixel sigma after."""

    a: str
    b: str
    pixels: int
    before: Number = None
    after: Number = None
    sigma: Number = None


class Residual(_Record):
    """Largest and root mean square median difference of the overlaps, in sigma of a pixel."""

    max: Number = None
    rms: Number = None


class Photometry(_Record):
    """How frames were brought to one level; `pairs` may hold the worst of `n_pairs` only."""

    method: str = "overlap"
    scope: str = "global"
    stars_used: int = 0
    gain_sigma: Numbers = ()
    overlap_residual_sigma: Residual = Residual()
    overlap_pixels: int = 0
    n_pairs: int = 0
    pairs: tuple[Pair, ...] = ()
    fallbacks: tuple[str, ...] = ()


class BeforeAfter(_Record):
    """A number per channel before and after levelling."""

    before: Numbers = ()
    after: Numbers = ()


class Combination(_Record):
    """How samples became pixels; `low` and `high` are the fractions that were rejected below and above."""

    statistic: str = "mean"
    reject: str = "shrunk"
    kernel: str = "cubic"
    weights: str = "noise"
    n_samples: int = 0
    rejected_fraction: Number = None
    low: Number = None
    high: Number = None


class PolishStep(_Record):
    """One step of the polish and the pixels it changed."""

    name: str
    changed_px: int
    facts: Facts = {}


class Polish(_Record):
    """What was done to the finished mosaic, in order."""

    cut_px: int = 0
    altaz_px: int = 0
    crop: Box | None = None
    steps: tuple[PolishStep, ...] = ()


class Registered(_Record):
    """A frame that was registered by its stars: how many it shares with the others, and how well they agree."""

    id: str
    n_stars: int
    median_px: Number = None
    rms_px: Number = None


class Registration(_Record):
    """How the frames found their places: by their own sky solutions, by stars, by astrometry.net, or several."""

    method: str = "wcs"
    n_registered: int = 0
    median_px: Number = None
    rms_px: Number = None
    residuals: tuple[Registered, ...] = ()


class MosaicReport(_Record):
    """Everything on the mosaic of one filter: ``metrics.json``."""

    schema_: str = SCHEMA
    report_id: str = ""
    name: str = ""
    filter: str = ""
    mode: Literal["stack", "sds", "grid"]
    n_channels: Literal[1, 3] = 1
    unit: str = ""
    n_frames: int
    n_used: int
    rejected: tuple[Rejected, ...] = ()
    canvas: Canvas
    registration: Registration = Registration()
    frames: tuple[Frame, ...] = ()
    lots: tuple[Lot, ...] = ()
    reference: Reference = Reference()
    components: int = 1
    photometry: Photometry = Photometry()
    inter_tile_median_std: BeforeAfter = BeforeAfter()
    combine: Combination = Combination()
    polish: Polish = Polish()
    coverage: Spread = Spread()
    weight: Spread = Spread()
    device: str = "cpu"
    warnings: tuple[Alert, ...] = ()
    software: dict[str, str] = {}
    params: dict[str, Any] = {}
    timings: str = "../timings.json"


def build(frames: Iterable[Mapping[str, Any]], **known: Any) -> dict[str, Any]:
    """Put the report together and check it against its schema.

    Parameters
    ----------
    frames : iterable of mapping
        Every frame that was given, used or not, in any order: see `Frame`.
    **known
        The other fields of `MosaicReport`; numbers of frames and the list of those rejected follow from `frames`.

    Returns
    -------
    dict
        Plain data for ``metrics.json``.
    """
    told = sorted((Frame.model_validate(dict(frame)) for frame in frames), key=lambda frame: frame.id)
    left_out = [frame for frame in told if frame.status != "used"]
    report = MosaicReport(
        **known,
        n_frames=len(told),
        n_used=len(told) - len(left_out),
        rejected=tuple(Rejected(id=each.id, path=each.path, reason=each.reason) for each in left_out),
        frames=tuple(told),
    )
    return plain(report)
