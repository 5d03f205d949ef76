"""The knobs of step 12, stack and mosaic: what each of its stages needs, in the order of the work."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from lostlight.core.params.base import Fraction, Params, Positive
from lostlight.core.params.calibrate import BASIC, LinearFitParams, Threshold, mark_advanced

MosaicReject = Literal[
    "shrunk", "none", "minmax", "percentile", "sigma", "sigma_once", "kappa", "mad", "winsorized", "linear_fit", "gesd",
]  # fmt: skip


class _Levelled(Params):
    model_config = ConfigDict(json_schema_extra=mark_advanced)


class RegistrationParams(_Levelled):
    """Frames without a sky solution: registered to each other by their stars."""

    min_stars: int = Field(8, ge=4, le=1000)
    """stars in common with the other frames that a frame must have"""
    solve: Literal["auto", "off"] = "auto"
    """auto asks astrometry.net for the place on the sky where it is installed"""


class CanvasParams(_Levelled):
    """The pixel grid of the result."""

    orientation: Literal["auto_rotate", "north_up"] = "auto_rotate"
    """auto_rotate turns the grid so that the frames fill it best"""
    scale_arcsec: Positive | None = None
    """size of a pixel; empty means the median of the frames"""
    pad_px: int = Field(16, ge=0, le=1000)
    """margin around the frames"""
    max_mpx: float = Field(400, gt=0, le=100000)
    """largest grid, in millions of pixels; more is most often one wrong sky solution"""


class LotsParams(_Levelled):
    """Mode sds: how many frames go into a lot."""

    min: int = Field(8, ge=1, le=1000, json_schema_extra=BASIC)
    """fewest frames of a lot"""
    target: int = Field(40, ge=1, le=5000, json_schema_extra=BASIC)
    """frames of a lot"""
    coverage: float = Field(0.92, ge=0.1, le=1)
    """a lot with enough frames is closed once it covers this fraction of all that the frames cover"""
    by: Literal["auto", "pointing"] = "auto"
    """auto keeps filter, exposure, gain and night apart; pointing also the fields a telescope was pointed at"""

    @model_validator(mode="after")
    def _in_order(self) -> "LotsParams":
        if self.target < self.min:
            raise ValueError(f"lots.target ({self.target}) is less than lots.min ({self.min})")
        return self


class GridParams(_Levelled):
    """Mode grid: the canvas in tiles."""

    tile_px: int = Field(0, ge=0, le=16384)
    """side of a tile; 0 takes 512 to 2048, less for more frames"""
    overlap: float = Field(0.1, ge=0, le=0.5)
    """margin of a tile that its neighbours share, as a fraction of its side; of scope tile"""


class QualityParams(_Levelled):
    """Frames that are left out, by how they compare with the median of all."""

    min_stars: float = Field(0.3, ge=0, le=1)
    """fewer stars than this fraction"""
    max_fwhm: float = Field(1.6, ge=1, le=100)
    """stars wider by this factor"""
    max_elongation: float = Field(1.6, ge=1, le=100)
    """stars more elongated by this factor"""
    max_noise: float = Field(3, ge=1, le=1000)
    """noisier by this factor, after the gains are applied"""


class WarpParams(_Levelled):
    """One resampling of every raw pixel, straight onto the canvas."""

    kernel: Literal["cubic", "lanczos3", "linear", "nearest", "drizzle"] = Field("cubic", json_schema_extra=BASIC)
    """cubic spline, Lanczos of three lobes, bilinear, nearest pixel, or drizzle (needs the package of that name)"""
    step_px: int = Field(32, ge=4, le=256)
    """distance of the points where the coordinates are computed; less where that is not exact enough"""
    edge_px: int = Field(4, ge=0, le=500)
    """margin of every frame that is not used"""
    spikes_sigma: float | None = Field(8, ge=4, le=1000)
    """pixels that stand out by so many sigma and are sharper than any star are not used; empty keeps them"""
    jacobian: Literal["fixed", "variable", "none"] = "fixed"
    """fluxes kept by one factor for a frame, by the local area of a pixel, or surface brightness kept"""
    pixfrac: float = Field(0.8, gt=0, le=1)
    """size of the drop of drizzle, in pixels"""


class PhotometryParams(_Levelled):
    """One level and one scale for all frames."""

    method: Literal["overlap", "median_ratio", "offset", "none"] = "overlap"
    """gains from stars and structure, levels from the sky; ratios of medians as others do it; levels alone; nothing"""
    scope: Literal["global", "tile", "both"] = "global"
    """frames levelled before they are grouped; tiles after (grid); or frames before and lots again after (sds)"""
    reference: int | str = "auto"
    """frame whose level and scale the result has: auto, central, first, a number from 0, or its id"""
    gain_prior: float = Field(0.3, gt=0, le=5)
    """how far the logarithm of a gain is expected to lie from that of the exposures, one sigma"""
    sky_order: int = Field(1, ge=0, le=2)
    """sky differences are constants, planes or quadratic"""
    cell_px: int = Field(64, ge=8, le=1024)
    """side of the cells whose sky is compared"""


class WeightsParams(_Levelled):
    """How much a frame counts at a pixel."""

    frame: Literal["noise", "noise_fwhm", "none"] = "noise"
    """inverse variance, the same times the sharpness squared (best for point sources), or all alike"""
    feather_px: float | None = Field(None, ge=0, le=10000)
    """distance over which a frame fades in from its edge; empty means 3 % of its short side"""


class CombineParams(_Levelled):
    """Which samples of a pixel are left out, and what becomes of the others."""

    statistic: Literal["mean", "median"] = Field("mean", json_schema_extra=BASIC)
    """mean by weight, or median"""
    reject: MosaicReject = Field("shrunk", json_schema_extra=BASIC)
    """shrunk compares with the known noise and the scatter together; the others are those of calibration"""
    low: Threshold | None = None
    """threshold below, in widths of the method; empty means 3.5 for shrunk, 3 for the others"""
    high: Threshold | None = None
    """threshold above, in widths of the method; empty means 3.5 for shrunk, 3 for the others"""
    iterations: int | None = Field(None, ge=1, le=50)
    """most passes; empty means until nothing changes, 5 for kappa"""
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
    linear_fit: LinearFitParams = LinearFitParams()
    """line and width of linear_fit"""
    grow: int = Field(0, ge=0, le=1)
    """1 leaves out the neighbours of a rejected sample too"""
    lots_reject: Literal["shrunk", "none"] = "shrunk"
    """rejection between lots, with thresholds of 5"""


class CropParams(_Levelled):
    """What is cut off around the result."""

    mode: Literal["bbox", "inscribed", "none"] = "bbox"
    """smallest box around all pixels, largest box full of pixels, or nothing"""
    margin_px: int = Field(0, ge=0, le=1000)
    """pixels left around the box"""
    noise: float | None = Field(2, ge=1, le=100)
    """outer rows and columns noisier than the centre by this factor go; empty keeps them"""


class PolishParams(_Levelled):
    """What is done to the finished mosaic; nothing is painted in."""

    min_rel: float = Field(0.15, ge=0, le=1)
    """pixels with less weight than this fraction of the median go"""
    min_abs: int = Field(1, ge=0, le=65535)
    """pixels of fewer frames go"""
    second_pass: Literal["off", "on"] = "off"
    """lots levelled once more against the mosaic of the others, if that makes the overlaps agree better"""
    open_px: int = Field(3, ge=0, le=100)
    """ragged edges of turning frames narrower than this go"""
    erode_px: int = Field(2, ge=0, le=100)
    """margin taken off everywhere"""
    crop: CropParams = CropParams()
    """what is cut off around the result"""


class MosaicOutputParams(_Levelled):
    """What is written beside the mosaic itself."""

    rejected: bool = True
    """extension REJ: how many samples were left out"""
    jpg: bool = False
    """a JPEG beside the PNG"""


class MosaicParams(_Levelled):
    """Step 12: calibrated frames to one level, clean image."""

    frames: str = Field("", json_schema_extra=BASIC)
    """folder of calibrated frames, or table with a column path; empty: those of step 11; tiles:<seed> simulates some"""
    mode: Literal["stack", "sds", "grid"] = Field("stack", json_schema_extra=BASIC)
    """plain stack, stack of stacks by lots, or tiles"""
    plan: str = ""
    """edited copy of 12_mosaic/products/lots.csv that says which frame goes into which lot"""
    on_bad_frame: Literal["fail", "skip"] = "skip"
    """what becomes of the run when a frame cannot be used"""
    rgb_equalize: Literal["off", "reference", "tile"] = "off"
    """medians of the colours made equal: not, by one factor for all, or in each tile of a grid"""
    registration: RegistrationParams = RegistrationParams()
    """frames without a sky solution"""
    canvas: CanvasParams = CanvasParams()
    """the pixel grid of the result"""
    lots: LotsParams = LotsParams()
    """lots of mode sds"""
    grid: GridParams = GridParams()
    """tiles of mode grid"""
    quality: QualityParams = QualityParams()
    """frames that are left out"""
    warp: WarpParams = WarpParams()
    """resampling"""
    photometry: PhotometryParams = PhotometryParams()
    """levels and gains"""
    weights: WeightsParams = WeightsParams()
    """weights"""
    combine: CombineParams = CombineParams()
    """rejection and combination"""
    polish: PolishParams = PolishParams()
    """the finished mosaic"""
    output: MosaicOutputParams = MosaicOutputParams()
    """what is written"""
