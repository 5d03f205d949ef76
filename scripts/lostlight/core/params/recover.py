"""The knobs of step 14, recovery: the search for moving sources, and how complete it is."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from lostlight.core.params.base import Fraction, Params, Positive
from lostlight.core.params.calibrate import BASIC, mark_advanced


class _Levelled(Params):
    model_config = ConfigDict(json_schema_extra=mark_advanced)


class SearchGridParams(_Levelled):
    """The straight paths that are tried."""

    low: float = Field(0, ge=0, json_schema_extra=BASIC)
    """slowest motion, in arcsec per hour (without a sky solution in pixels per hour); 0 means what can be told from
    sources that stand still"""
    high: Positive | None = Field(None, json_schema_extra=BASIC)
    """fastest motion; empty means 5, or what stays on enough images if that is less"""
    angle: Literal["all", "ecliptic"] | float = Field("all", json_schema_extra=BASIC)
    """direction: all, westward along the ecliptic, or a position angle in degrees east of north"""
    half_width_deg: float | None = Field(None, gt=0, le=180)
    """directions tried to either side; empty means what orbits at this elongation allow"""
    step_fwhm: float = Field(1, gt=0, le=4)
    """neighbouring paths lie this far apart at the end of the arc"""

    @model_validator(mode="after")
    def _in_order(self) -> "SearchGridParams":
        if self.high is not None and self.low >= self.high:
            raise ValueError(f"grid.low ({self.low:g}) is not below grid.high ({self.high:g})")
        return self


class SigmaGParams(_Levelled):
    """Single images that do not go with the others, clipped."""

    mode: Literal["survivors", "off"] = "survivors"
    """tested for paths that come near the threshold"""
    low_percent: float = Field(25, gt=0, lt=50)
    """lower percentile of the light curve"""
    high_percent: float = Field(75, gt=50, lt=100)
    """upper percentile"""
    n_sigma: Positive = 2
    """clipped beyond"""
    high_only: bool = False
    """clip bright ones alone"""


class VettingParams(_Levelled):
    """Candidates that are no moving source."""

    mask_static: bool = True
    """pixels on static sources are not used"""
    steady: bool = True
    """as bright on all images as a turning body is"""
    halves: bool = True
    """each half of the images must show it"""
    negatives: bool = True
    """no hole of its size beside it"""
    shape: bool = True
    """as wide as a point"""


class RecoverParams(Params):
    """Step 14: search the stacks, and the planted sources in them; tell what is found, and why the rest is not."""

    grid: SearchGridParams = SearchGridParams()
    """paths that are tried"""
    min_epochs: float = Field(0.5, gt=0)
    """images that a path must have, as a fraction of all; their number if above 1"""
    threshold: Positive | None = None
    """least likelihood of a candidate, in sigma; empty means that of false_alarms"""
    false_alarms: Positive = 1
    """expected of noise alone, for each stack"""
    top: int = Field(1, ge=1, le=16)
    """paths kept for each pixel"""
    sigma_g: SigmaGParams = SigmaGParams()
    """clipping of single images"""
    cluster_fwhm: Positive = 2
    """candidates nearer than this at both ends of the arc are one"""
    vetting: VettingParams = VettingParams()
    """tests that a candidate must pass"""
    mode: Literal["local", "full"] = "local"
    """planted sources are searched for in a window around each, or in the whole stack"""
    match_fwhm: Positive = 2
    """a candidate this near to a planted source at both ends and in the middle is that source"""
    max_chance: Fraction = 1e-3
    """and no candidate is where one would be by chance with a probability above this"""
    mag_bin: Positive = 0.25
    """width of the bins of magnitude"""
    rate_bins: tuple[float, ...] = (0, 0.5, 2, 4, 8, 15)
    """edges of the bins of rate, in arcsec per hour"""
    form: Literal["auto", "logistic", "double_tanh", "square"] = "auto"
    """curve fitted to the completeness; auto takes the best by Akaike's criterion"""
    nulls: tuple[Literal["negative", "shuffled"], ...] = ("negative", "shuffled")
    """searches that can find nothing real: of the sign turned, of the images out of order"""

    @model_validator(mode="after")
    def _rising(self) -> "RecoverParams":
        if len(self.rate_bins) < 2 or any(b <= a for a, b in zip(self.rate_bins, self.rate_bins[1:], strict=False)):
            raise ValueError("rate_bins must rise")
        return self
