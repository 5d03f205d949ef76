"""The knobs of step 11, calibration: one section per kind of frame, and none of them global.

Keys marked ``x-level: basic`` in the schema are those a beginner is shown; all others are ``advanced``.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from lostlight.core.params.base import Fraction, Params, Positive

BASIC: dict[str, Any] = {"x-level": "basic"}

Reject = Literal[
    "auto", "none", "minmax", "percentile", "sigma", "sigma_once", "kappa", "kappa_median", "mad", "winsorized",
    "linear_fit", "gesd", "noise_model", "avsigclip", "expression",
]  # fmt: skip
Threshold = Annotated[float, Field(ge=0.5, le=20)]


def mark_advanced(schema: dict[str, Any]) -> None:
    """Mark every key of a schema that is not marked basic."""
    for key in schema["properties"].values():
        if "$ref" not in key:
            key.setdefault("x-level", "advanced")


class _Levelled(Params):
    model_config = ConfigDict(json_schema_extra=mark_advanced)


class LinearFitParams(_Levelled):
    """How rejection linear_fit draws its line and its width."""

    fit: Literal["ols", "lad"] = "ols"
    """least squares, or least absolute deviations as PixInsight does"""
    scale: Literal["gauss", "siril", "pixinsight"] = "gauss"
    """width from the mean absolute residual: times sqrt(pi/2), 1 or 2"""


class StackParams(_Levelled):
    """How frames become a master: shared by all kinds, set for each alone."""

    combine: Literal["mean", "median", "aawa"] = Field("mean", json_schema_extra=BASIC)
    """mean, median, or auto-adaptive weighted average (Stetson 1989)"""
    reject: Reject = Field("auto", json_schema_extra=BASIC)
    """which samples are left out; auto is noise_model where gain and read noise are known, else winsorized or median"""
    low: Threshold | None = None
    """threshold below, in widths of the method; empty means its own: 3, or 4 and a little for noise_model"""
    high: Threshold | None = None
    """threshold above, in widths of the method; empty means its own: 3, or 4 and a little for noise_model"""
    iterations: int | None = Field(None, ge=1, le=50)
    """most passes; empty means until nothing changes, 5 for kappa and kappa_median, 1 for expression"""
    nlow: int = Field(1, ge=0)
    """lowest samples that minmax drops"""
    nhigh: int = Field(1, ge=0)
    """highest samples that minmax drops"""
    plow: Fraction = 0.2
    """percentile rejects below the median by more than this fraction of it"""
    phigh: Fraction = 0.1
    """percentile rejects above the median by more than this fraction of it"""
    gesd_fraction: float = Field(0.3, gt=0, le=0.5)
    """largest fraction of samples that gesd may reject"""
    gesd_alpha: float = Field(0.05, gt=0, lt=0.5)
    """significance of gesd"""
    minkeep: int = Field(3, ge=1)
    """fewest samples that rejection leaves; 2 of three frames"""
    linear_fit: LinearFitParams = LinearFitParams()
    """line and width of linear_fit"""
    weights: Literal["none", "noise", "exposure", "entropy", "user"] = "none"
    """weight of each frame: equal, inverse variance, exposure time, entropy, or column weight of the frames table"""
    entropy_tile_px: int = Field(21, ge=9, le=129)
    """side of the squares whose entropy is measured"""
    aawa_iterations: int = Field(5, ge=1, le=20)
    """passes of combine aawa"""
    expression: str = Field("", max_length=300)
    """rejects a sample where it holds, for reject expression, such as abs(x - median) > 4 * 1.4826 * mad"""
    min_frames: int = Field(5, ge=1, le=1000)
    """fewer frames are warned about; fewer than two need min_frames 1"""
    normalize: Literal["none", "median", "median_center", "mean3s", "per_cfa"] = "none"
    """what frames are scaled to before rejection: none, median of all or the central half, clipped mean, per colour"""
    overscan: Literal["auto", "off", "median", "mean3s", "row_median", "poly1", "poly2", "poly3"] = "auto"
    """level subtracted where the header names a bias section; auto is the median"""
    export: bool = False
    """keep the frames as they were combined: overscan, bias and level taken off"""


class SyntheticBias(_Levelled):
    """A bias without frames."""

    constant_adu: float | None = None
    """the level itself"""
    keyword: str = Field("", max_length=8)
    """header key that the level is a multiple of, such as OFFSET"""
    factor: float = 1
    """multiple of that key"""


class BiasParams(StackParams):
    """Master bias."""

    superbias: Literal["off", "shrink", "classic"] = "off"
    """shrink blends model and master by their noise; classic keeps smooth parts and column means alone"""
    superbias_layers: int = Field(7, ge=3, le=10)
    """structure finer than two to this power of pixels is not part of the model"""
    superbias_trim: float = Field(0.2, ge=0, le=0.4)
    """fraction trimmed from each end of the means of rows and columns"""
    superbias_axes: Literal["cols", "rows", "both"] = "both"
    """lines whose means the model keeps"""
    pca: int = Field(0, ge=0, le=3)
    """components of banding that changes from frame to frame; 0 switches it off"""
    synthetic: SyntheticBias = SyntheticBias()
    """level to take where there are no bias frames"""


class DarkParams(StackParams):
    """Master dark, and how it is fitted to a light."""

    mode: Literal["matched", "scaled", "rate"] = Field("matched", json_schema_extra=BASIC)
    """matched keeps the bias in the dark; scaled and rate take it off and multiply what is left"""
    scale: Literal["auto", "exposure", "temperature", "optimize", "fixed"] = "auto"
    """where the factor comes from; auto is optimize, or exposure and temperature where that fails"""
    factor: float = Field(1, ge=0, le=10)
    """the factor, for scale fixed"""
    temp_tolerance_c: float = Field(2, ge=0, le=20)
    """largest difference of temperature of a matched dark"""
    exp_tolerance: float = Field(0.02, ge=0, le=0.5)
    """largest relative difference of exposure of a matched dark, or 0.1 s"""
    doubling_c: float = Field(6, ge=4, le=10)
    """dark current doubles over this many degrees; darks at three temperatures tell it themselves"""
    exposures_s: tuple[Positive, ...] = ()
    """exposures that multipoint rates are fitted to; empty means all there are"""
    glow: Literal["matched", "two_component", "model", "off"] = "matched"
    """amplifier glow: left to a matched dark, scaled with a factor of its own, modelled as a surface, or ignored"""


class FlatParams(StackParams):
    """Master flat."""

    normalize: Literal["none", "median", "median_center", "mean3s", "per_cfa"] = "median_center"
    """what frames are scaled to before rejection: none, median of all or the central half, clipped mean, per colour"""
    min_value: float = Field(0.2, ge=0.01, le=0.9)
    """less sensitive pixels are not corrected but flagged"""
    max_error: float = Field(0.05, ge=0.001, le=0.5)
    """relative error beyond which a pixel is not corrected but flagged"""
    repair_hot: bool = True
    """replace hot pixels of the flat by their neighbours, as they repeat in every frame"""
    pedestal_from: Literal["auto", "flat_dark", "dark", "bias"] = "auto"
    """what is taken off a flat: the best there is, or this"""


class MatchParams(_Levelled):
    """Which master fits which frame."""

    good: Positive = 3
    """distance up to which a master fits well"""
    usable: Positive = 6
    """distance up to which it fits with a warning"""
    days: Positive = 180
    """days that count as one unit of distance, for biases and darks"""
    flat_days: Positive = 7
    """days that count as one unit of distance, for flats"""
    temp_bin_c: Positive = 1
    """darks within this of each other are one group"""


class CosmeticParams(_Levelled):
    """Hot and cold pixels."""

    hot_sigma: float | None = Field(6, ge=3, le=50)
    """pixels this far above their neighbours in a master are hot; empty switches it off"""
    cold_sigma: float | None = Field(6, ge=3, le=50)
    """pixels this far below their neighbours in a master are cold; empty switches it off"""
    method: Literal["none", "median5", "mean3", "flag_only"] = Field("median5", json_schema_extra=BASIC)
    """repair by the median of 5x5 or the mean of 3x3 good neighbours of the same colour, or flag alone"""
    masters: bool = False
    """repair hot and cold pixels of the masters too"""
    bpm: str = "auto"
    """map of bad pixels: auto makes one from darks and flats, none, or a FITS image, table or DS9 region file"""


class LacosmicParams(_Levelled):
    """Cosmic rays on single frames (van Dokkum 2001)."""

    enable: Literal["auto", "on", "off"] = "auto"
    """auto leaves them to stacking where three or more lights of a kind follow"""
    sigclip: float = Field(5, ge=2, le=20)
    """threshold in units of the noise"""
    sigfrac: float = Field(0.3, ge=0, le=1)
    """fraction of it for neighbours"""
    objlim: float | None = Field(None, ge=2, le=60)
    """contrast against stars; empty means 5 for stars of 3.5 pixels and more, rising to 20 at 2 pixels"""
    niter: int = Field(4, ge=1, le=10)
    """most passes"""


Stage = Literal["overscan", "trim", "bias", "dark", "flat", "cosmetic", "lacosmic"]


class LightParams(_Levelled):
    """What is done to a light."""

    overscan: Literal["auto", "off", "median", "mean3s", "row_median", "poly1", "poly2", "poly3"] = "auto"
    """level subtracted where the header names a bias section; auto is the median"""
    pedestal_adu: float = Field(0, ge=0, le=10000)
    """level added at the end, so that no pixel is negative; recorded as PEDESTAL"""
    unit: Literal["adu", "electron"] = Field("adu", json_schema_extra=BASIC)
    """unit of the pixels"""
    order: tuple[Stage, ...] = ("overscan", "trim", "bias", "dark", "flat", "cosmetic", "lacosmic")
    """what is done, in this order; what is left out is skipped and recorded"""
    debayer: Literal["auto", "off", "bilinear", "superpixel"] = "auto"
    """colour from a colour-filter array; auto is bilinear where the header names a pattern"""


class OutputParams(_Levelled):
    """What is written."""

    dtype: Literal["float32", "float64"] = "float32"
    """type of pixels"""
    planes: tuple[Literal["SCI", "UNCERT", "DQ"], ...] = ("SCI", "UNCERT", "DQ")
    """planes kept, SCI among them"""
    compress: Literal["none", "rice", "gzip2"] = "none"
    """tile compression; rice loses less than a sixteenth of the noise"""
    tiff: Literal["off", "16", "32"] = "off"
    """also a TIFF of 16 or 32 bits beside each light"""


class CameraParams(_Levelled):
    """What headers do not say, or say wrongly."""

    egain_e_adu: Positive | None = None
    """electrons per count"""
    rdnoise_e: float | None = Field(None, ge=0)
    """read noise in electrons"""
    saturate_adu: Positive | None = None
    """level of saturation; empty means that of the header, or of its number of bits"""
    nonlinear_adu: Positive | None = None
    """level from which pixels are flagged as not linear"""


class CalibrateParams(_Levelled):
    """Step 11: raw frames to masters and clean lights."""

    frames: str = Field("", json_schema_extra=BASIC)
    """folder of raw frames, or table of them with a column path; camera:<seed> makes simulated ones"""
    plan: str = ""
    """edited copy of 11_calibrate/products/plan.csv that says which frames and masters belong together"""
    infer_type: bool = Field(False, json_schema_extra=BASIC)
    """guess the type of a frame from its folder and name where the header does not say it"""
    on_bad_frame: Literal["fail", "skip"] = Field("fail", json_schema_extra=BASIC)
    """what becomes of the run when a frame cannot be used"""
    library: str = ""
    """folder with masters of earlier runs"""
    reuse: Literal["suggest", "use", "off"] = "suggest"
    """masters of the library that fit: told of, or used where the frames make none"""
    camera: CameraParams = CameraParams()
    """what headers do not say, or say wrongly"""
    match: MatchParams = MatchParams()
    """which master fits which frame"""
    bias: BiasParams = BiasParams()
    """master bias"""
    dark: DarkParams = DarkParams()
    """master dark"""
    flat_dark: StackParams = StackParams()
    """master dark of the flats"""
    flat: FlatParams = FlatParams()
    """master flat"""
    cosmetic: CosmeticParams = CosmeticParams()
    """hot and cold pixels"""
    lacosmic: LacosmicParams = LacosmicParams()
    """cosmic rays on single frames"""
    light: LightParams = LightParams()
    """what is done to a light"""
    output: OutputParams = OutputParams()
    """what is written"""

    @model_validator(mode="after")
    def _whole(self) -> "CalibrateParams":
        if "SCI" not in self.output.planes:
            raise ValueError("output.planes must contain SCI, the pixels themselves")
        for name in ("bias", "dark", "flat_dark", "flat"):
            part: StackParams = getattr(self, name)
            if part.reject == "expression" and not part.expression:
                raise ValueError(f"{name}.reject is expression, but {name}.expression is empty")
        return self
