"""What a search says of itself: what it found, how complete it is, why the rest was missed, how often noise deceives.

The content of ``recovery.json`` of one stack; no time, no absolute path. Fractions have 68 % intervals `low` to `high`;
magnitudes are brighter the smaller; what is not known is null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from lostlight.core.calibration_report import Alert, Facts, Number, plain
from lostlight.vocab.movers import REASONS

SCHEMA = "recovery/1"
Numbers = tuple[Number, ...]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stack(_Record):
    """The images that were searched; `fwhm_px` and `sigma_adu` are medians over them."""

    id: str = ""
    n_images: int
    width_px: int
    height_px: int
    n_searched_px: int = 0
    """pixels that paths may start from"""
    area_deg2: Number = None
    arc_days: Number = None
    mjd_first: Number = None
    mjd_last: Number = None
    scale_arcsec: Number = None
    """side of a pixel"""
    fwhm_px: Number = None
    sigma_adu: Number = None
    zero_mag: Number = None
    filter: str = ""
    m50_predicted_mag: Number = None


class Search(_Record):
    """Which paths were tried, and from where on they count."""

    n_velocities: int
    n_trials: Number = None
    """independent ones"""
    threshold: float
    is_threshold_given: bool = False
    expected_false_alarms: Number = None
    rate_low_arcsec_h: Number = None
    rate_high_arcsec_h: Number = None
    speed_high_px_day: Number = None
    step_fwhm: Number = None
    min_epochs: int = 1
    backend: str = ""
    mode: str = "local"
    n_candidates: int = 0
    """above the threshold, one for each cluster"""
    n_kept: int = 0
    """those that vetting leaves"""
    vetted_out: dict[str, int] = {}
    """why, and how many"""


class Candidate(_Record):
    """One of the best candidates of the images as they are; its picture is ``candidate.<id>``."""

    id: int
    x_px: float
    y_px: float
    vx_px_day: float
    vy_px_day: float
    lh: float
    n_obs: int
    flux: Number = None
    flux_err: Number = None
    mag: Number = None
    ra_deg: Number = None
    dec_deg: Number = None
    rate_arcsec_h: Number = None
    pa_deg: Number = None
    is_vetted_out: bool = False
    why_vetted_out: str = ""
    expected_by_chance: Number = None
    """candidates as good as this that noise alone is expected to give"""


class Bin(_Record):
    """Planted sources between two edges, and how many came back."""

    lower: float
    upper: float
    n: int
    k: int
    low: float
    high: float
    predicted: Number = None


class Fit(_Record):
    """A curve fitted to single sources; `errors` by the curvature, `bootstrap` by drawing the sources anew."""

    form: str
    names: tuple[str, ...]
    values: Numbers
    errors: Numbers
    bootstrap: Numbers = ()
    covariance: tuple[Numbers, ...] = ()
    log_likelihood: Number = None
    aic: Number = None
    m50_mag: Number = None
    m50_err_mag: Number = None


class Curve(_Record):
    """Completeness against magnitude, of all rates or between two; `chosen` names the best of the fits."""

    rate_low_arcsec_h: Number = None
    rate_high_arcsec_h: Number = None
    n: int
    k: int
    bins: tuple[Bin, ...] = ()
    fits: tuple[Fit, ...] = ()
    chosen: str = ""
    line: tuple[tuple[Number, Number], ...] = ()
    """points (magnitude, fraction) of the best fit, to draw"""


class Cells(_Record):
    """Completeness in bins of magnitude (columns) and rate (rows)."""

    mag_edges: Numbers = ()
    rate_edges_arcsec_h: Numbers = ()
    n: tuple[tuple[int, ...], ...] = ()
    k: tuple[tuple[int, ...], ...] = ()
    low: tuple[Numbers, ...] = ()
    high: tuple[Numbers, ...] = ()


class Reason(_Record):
    """How many were missed for one reason; `example` was drawn, its picture is ``missed.<code>``."""

    code: str
    text: str = ""
    n: int
    n_also: int = 0
    """missed for another reason first"""
    example: str = ""


class Found(_Record):
    """Found against expected likelihood of one planted source; `reason` is empty where it was found."""

    expected: Number
    found: Number
    reason: str = ""


class Pull(_Record):
    """How much a measured quantity is off, in units of its error: 0 and 1 are right for mean and scatter."""

    name: str
    n: int
    mean: Number = None
    mean_err: Number = None
    scatter: Number = None
    median: Number = None
    beyond_3: int = 0
    edges: Numbers = ()
    counts: tuple[int, ...] = ()
    bias: Number = None
    """median offset in its own unit"""
    unit: str = ""


class Alarms(_Record):
    """Candidates of a search that can find nothing real."""

    kind: str
    n: int
    low: float
    high: float
    n_expected: Number = None
    per_deg2: Number = None
    per_deg2_low: Number = None
    per_deg2_high: Number = None
    per_1e9_trials: Number = None
    thresholds: Numbers = ()
    counts: tuple[int, ...] = ()
    expected: Numbers = ()


class RecoveryReport(_Record):
    """Everything on the search of one stack: ``recovery.json``."""

    schema_: str = SCHEMA
    report_id: str = ""
    name: str = ""
    stack: Stack
    search: Search
    candidates: tuple[Candidate, ...] = ()
    n_injected: int = 0
    n_recovered: int = 0
    n_realisations: int = 0
    is_instrumental: bool = False
    """magnitudes are those of one adu of the first image at zero: its true zero point is not known"""
    acceptance: Number = None
    """fraction of drawn places that enough images show"""
    curve: Curve | None = None
    """all rates together"""
    curves: tuple[Curve, ...] = ()
    """by rate"""
    by_snr: Curve | None = None
    """against expected signal to noise, `lower` and `upper` of its bins in place of magnitudes"""
    cells: Cells = Cells()
    reasons: tuple[Reason, ...] = ()
    found: tuple[Found, ...] = ()
    pulls: tuple[Pull, ...] = ()
    alarms: tuple[Alarms, ...] = ()
    frac_kept: Number = None
    """part of the light of a planted source that a sky measured with it in leaves: median"""
    n_wanted: int | None = None
    """sources that the precision asked for needs"""
    warnings: tuple[Alert, ...] = ()
    software: dict[str, str] = {}
    params: dict[str, Any] = {}
    facts: Facts = {}
    timings: str = "../timings.json"


def build(
    lost: Sequence[tuple[str, str]] = (), examples: Mapping[str, str] | None = None, **known: Any
) -> dict[str, Any]:
    """Put the report together and check it against its schema.

    Parameters
    ----------
    lost : sequence of (str, str)
        Columns `lost_because` and `also_because` of every planted source.
    examples : mapping of str to str, optional
        Reason to the planted source that stands for it in a picture.
    **known
        The other fields of `RecoveryReport`; numbers of sources and reasons follow from `lost`.

    Returns
    -------
    dict
        Plain data for ``recovery.json``.
    """
    first = [because for because, _ in lost]
    also = [word for _, words in lost for word in words.split()]
    reasons = tuple(
        Reason(
            code=code, text=text, n=first.count(code), n_also=also.count(code), example=(examples or {}).get(code, "")
        )
        for code, text in REASONS.items()
        if code in first
    )
    report = RecoveryReport(**{"n_injected": len(lost), "n_recovered": first.count(""), "reasons": reasons, **known})
    return plain(report)
