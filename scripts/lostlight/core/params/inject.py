"""The knobs of step 13, injection: stacks of images built, and synthetic moving sources planted in them."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from lostlight.core.errors import instead_of
from lostlight.core.params.base import Fraction, Params, Positive
from lostlight.core.params.calibrate import BASIC, mark_advanced
from lostlight.vocab.movers import SAMPLE_TYPES


class _Levelled(Params):
    model_config = ConfigDict(json_schema_extra=mark_advanced)


class PlanesParams(_Levelled):
    """Which HDU of an image file holds what: a name or a number; empty means by names, else by content."""

    science: int | str = ""
    """the image itself"""
    mask: int | str = ""
    """the mask; none means that there is none"""
    variance: int | str = ""
    """the variance; none means that there is none"""
    bad_bits: tuple[int, ...] | None = None
    """bits of the mask that make a pixel bad, from 0; empty means all that its header does not explain otherwise"""


class StackBackgroundParams(_Levelled):
    """Sky taken off every image."""

    mesh_px: int = Field(64, ge=0, le=4096)
    """side of the cells of the sky; 0 takes nothing off"""
    detect_sigma: float = Field(3, ge=1, le=100)
    """sources brighter than this are kept out of it"""


class StackPsfParams(_Levelled):
    """The profile of a point on every image."""

    model: Literal["moffat", "gaussian", "psfex"] = "moffat"
    """fitted to the stars of each image, or read from the files of PSFEx in `files`"""
    files: str = ""
    """folder of PSFEx models, found by the names of the images"""
    fwhm_px: Positive | None = None
    """width where it cannot be measured; empty means 2.5, with a warning"""


class StackRegistrationParams(_Levelled):
    """Images brought to the pixel grid of the first, for registered stacks alone; a search resamples no image."""

    kernel: Literal["lanczos3", "cubic", "linear"] = "lanczos3"
    """how pixels are interpolated"""


class RatesParams(_Levelled):
    """How fast sources without an orbit move: those of sample type drift; fast too, where both limits are given."""

    low: Positive | None = None
    """slowest, in arcsec per hour (without a sky solution in pixels per hour); empty means two widths of a point
    from the first image to the last"""
    high: Positive | None = None
    """fastest; empty means what stays on enough images, 5 arcsec per hour at most"""

    @model_validator(mode="after")
    def _in_order(self) -> "RatesParams":
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"rates.low ({self.low:g}) is above rates.high ({self.high:g})")
        return self


class BrightnessParams(_Levelled):
    """How bright the sources are."""

    mode: Literal["snr_stack", "snr_frame_ref", "snr_frame_each", "mag", "flux", "legacy_total", "legacy_peak"] = Field(
        "snr_stack", json_schema_extra=BASIC
    )
    """what is drawn: signal to noise of all images together, of the first, of each; magnitude; flux in adu"""
    low: float = Field(2, json_schema_extra=BASIC)
    """least of it"""
    high: float = Field(15, json_schema_extra=BASIC)
    """most of it"""

    @model_validator(mode="after")
    def _in_order(self) -> "BrightnessParams":
        if self.low > self.high:
            raise ValueError(f"brightness.low ({self.low:g}) is above brightness.high ({self.high:g})")
        return self


class PlacementParams(_Levelled):
    """Where the sources go."""

    strategy: Literal[
        "uniform", "center", "grid", "fixed", "mid", "visible", "sky", "near_star", "edge", "gap", "density"
    ] = Field("visible", json_schema_extra=BASIC)
    """visible draws anew until enough images show the source; the fraction that did is recorded"""
    min_epochs: Fraction = 0.8
    """visible: fraction of the images that must show it"""
    x_px: float | None = None
    """fixed: where, zero-based"""
    y_px: float | None = None
    """fixed: where, zero-based"""
    min_separation_fwhm: float = Field(20, ge=0, le=1000)
    """distance of two sources planted in the same copy of the images"""
    max_coverage: float = Field(0.01, gt=0, le=1)
    """fraction of an image that planted sources may touch; the rest goes to further copies"""

    @model_validator(mode="after")
    def _with_a_place(self) -> "PlacementParams":
        if self.strategy == "fixed" and (self.x_px is None or self.y_px is None):
            raise ValueError("placement.strategy is fixed, but placement.x_px and placement.y_px are not both given")
        return self


class PhotonsParams(_Levelled):
    """Noise of the light that is added."""

    poisson: bool = True
    """photon noise, where the gain is known"""
    gain_e_adu: Positive | None = None
    """gain; empty means that of the header"""
    dropout: Fraction = 0
    """chance that a source is left out of an image"""


class CasesParams(_Levelled):
    """Small cut-outs with one source each, for machine learning."""

    n: int = Field(0, ge=0, le=10_000_000, json_schema_extra=BASIC)
    """how many; 0 makes none"""
    patch_px: int = Field(64, ge=8, le=1024)
    """side of a cut-out"""
    stride_px: int = Field(32, ge=1, le=1024)
    """distance of two cut-outs"""
    store_x: bool = False
    """store image plus source too; it is the sum of what is stored"""


class InjectParams(Params):
    """Step 13: build stacks of images of one field, and plant sources in them."""

    images: str = ""
    """folder of images of one field, or of such folders; a WorkUnit file; a store; lights: those of this run;
    movers:<seed> simulates some"""
    n_images: int = Field(0, ge=0)
    """images taken of each field, the first by name; 0 takes all"""
    planes: PlanesParams = PlanesParams()
    """planes of a file"""
    time_ref: Literal["auto", "start", "mid", "end"] = "auto"
    """what the time in a header is; auto goes by its keyword"""
    plate_scale_arcsec: Positive = 1
    """side of a pixel of images without a sky solution"""
    background: StackBackgroundParams = StackBackgroundParams()
    """sky"""
    spikes_sigma: float | None = Field(8, ge=4, le=1000)
    """pixels that stand out by so many sigma and are sharper than any star are not used; empty keeps them"""
    psf: StackPsfParams = StackPsfParams()
    """profile of a point"""
    registration: StackRegistrationParams = StackRegistrationParams()
    """registered stacks"""
    seed: int = Field(20260101, ge=0)
    """of everything that is drawn"""
    n: Annotated[int, Field(ge=0, le=1_000_000)] | Literal["auto"] = "auto"
    """sources planted in each stack; auto takes as many as m50_error_mag asks for, 0 plants none"""
    m50_error_mag: Positive = 0.05
    """precision asked of the magnitude at which half are found"""
    classes: dict[str, float] = Field({})
    """sample types and how often each is drawn; empty means tno alone"""
    rates: RatesParams = RatesParams()
    """motion of sources without an orbit"""
    stage: Literal["native", "registered"] = "native"
    """native plants in the images as they are, before the sky is taken off; registered after"""
    motion: Literal["linear", "abg", "kepler", "table"] = "abg"
    """straight at a constant rate; orbits, for distant ones; orbits of two bodies; positions of a table"""
    table: str = ""
    """motion: table: file of positions against time (sorcha, Horizons, or columns id mjd ra dec mag)"""
    observer: str = "geocentre"
    """geocentre, a code of the Minor Planet Center, or longitude,latitude,height (degrees, metres)"""
    brightness: BrightnessParams = BrightnessParams()
    """brightness of the sources"""
    light_curve: Literal["none", "sinusoid", "sawtooth", "drawn"] = "none"
    """drawn takes amplitudes and periods of the class"""
    colours: dict[str, float] = Field({})
    """magnitude in a filter minus that in the first image's"""
    placement: PlacementParams = PlacementParams()
    """where they go"""
    photons: PhotonsParams = PhotonsParams()
    """noise of the added light"""
    cases: CasesParams = CasesParams()
    """cut-outs for machine learning"""

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: dict[str, float]) -> dict[str, float]:
        for name, part in classes.items():
            if name not in SAMPLE_TYPES:
                raise ValueError(f"there is no sample type {name!r}; {instead_of(name, SAMPLE_TYPES)}")
            if part < 0:
                raise ValueError(f"classes.{name} is negative")
        if classes and not sum(classes.values()) > 0:
            raise ValueError("no sample type has a share above zero")
        return classes

    @model_validator(mode="after")
    def _with_table(self) -> "InjectParams":
        if self.motion == "table" and not self.table:
            raise ValueError("motion is table, but no table is named")
        return self
