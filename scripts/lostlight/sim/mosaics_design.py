"""What can be chosen of a simulated mosaic: the field, the pointings, the camera, and what goes wrong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["blurred", "trailed", "noisy", "cloudy", "starless", "empty"]
"""Stars three times as wide, three times as long as wide, five times the noise, a tenth of the light, no star, NaN."""


@dataclass(frozen=True)
class MosaicDesign:
    """Every choice has its own random stream, so that changing one leaves the rest of the scene as it was."""

    layout: tuple[int, int] = (3, 3)
    """rows and columns of tiles"""
    tile_px: tuple[int, int] = (600, 600)
    """rows and columns of a frame"""
    overlap: float = 0.25
    """part of a tile that its neighbour shows too"""
    n_per_tile: int = 1
    """frames of each tile and filter"""
    filters: tuple[str, ...] = ("",)
    """empty: no filter in the headers; not used with three channels"""
    channels: int = 1
    """1, or 3 for red, green and blue"""
    nights: int = 1
    """over which the frames are spread, in order"""
    exptimes_s: tuple[float, ...] = (60.0,)
    """taken in turn by repeated frames of a tile; light and sky grow with them, 1 at the first"""

    centre: tuple[float, float] = (150.0, 20.0)
    """right ascension and declination, degrees"""
    scale_arcsec: float = 1.5
    angle_deg: float = 0.0
    """of the whole layout against north, eastwards"""
    rotation_deg: float = 0.0
    """how far the field turns from the first frame to the last, as on a mount with altitude and azimuth"""
    dither_px: float = 0.0
    """farthest that a frame is off its tile along each axis"""
    scales: tuple[float, ...] = (1.0,)
    """sizes of a pixel over `scale_arcsec`, taken in turn by the frames"""
    distortion_px: float = 0.0
    """how far distortion shifts a corner of a frame"""
    distortion: Literal["SIP", "TPV"] = "SIP"
    """how the header tells it"""
    flipped: Collection[int] = ()
    """numbers of the frames with columns in reverse: the image of a mirror"""
    turned: Collection[int] = ()
    """numbers of the frames upside down: the mount on the other side of its pier"""
    has_wcs: bool = True
    without_wcs: Collection[int] = ()
    """numbers of frames whose header tells no place on the sky"""

    sky: int | None = None
    """seed of the simulated sky whose stars are shown; None scatters some at random"""
    zero_mag: float = 24.4
    """magnitude of a star of that sky that gives one adu"""
    n_stars: int = 2500
    """stars scattered at random over the whole field"""
    flux: tuple[float, float] = (300.0, 300_000.0)
    """of the faintest and the brightest of them, adu; counts rise twofold for every magnitude"""
    n_saturated: int = 0
    """stars more, each three times as bright as saturates"""
    nebula: float = 150.0
    """brightest place of the nebula, adu per pixel of `scale_arcsec`; the darkest is 0"""
    fwhm_px: float = 2.6
    """width of a star in pixels of `scale_arcsec`"""
    moffat_beta: float | None = None
    """exponent of Moffat's profile; None is a Gaussian"""
    seeing: float = 0.0
    """scatter of the widths from frame to frame: standard deviation of the natural logarithm"""

    gains: float = 0.25
    """throughputs lie evenly between 1 - gains and 1 + gains"""
    offsets: tuple[float, float] = (200.0, 600.0)
    """between which the sky of a frame lies, adu"""
    slopes: float = 0.0
    """most by which the sky rises along each axis from edge to edge of a frame, adu"""
    curves: float = 0.0
    """most by which it bends up along each axis at the edges, adu"""
    sigma: float = 5.0
    """noise of a pixel, adu"""
    noises: float = 0.0
    """its scatter from frame to frame: standard deviation of the natural logarithm"""
    gain_e_adu: float = 0.0
    """electrons per adu, for shot noise on top of `sigma`; 0 leaves it out"""
    saturate: float = 60_000.0
    """no value is higher"""

    trails: int = 0
    """satellites, each on another frame as long as there is one"""
    trail_adu: float = 400.0
    """brightness of the middle of a trail"""
    cosmics: float = 0.0
    """mean number of cosmic rays on a frame"""
    hot_px: int = 0
    """pixels of the detector that are too bright on all frames"""
    nan_border_px: int = 0
    """rows and columns on all sides that hold no value"""
    bad: Mapping[int, Fault] = field(default_factory=dict)
    """what is wrong with frames, by their numbers"""

    @property
    def n_frames(self) -> int:
        """Frames of all tiles and filters."""
        rows, columns = self.layout
        return rows * columns * self.n_per_tile * len(self.bands_of_filters)

    @property
    def bands_of_filters(self) -> tuple[tuple[str, ...], ...]:
        """Bands of the channels behind each filter."""
        return (("R", "G", "B"),) if self.channels == 3 else tuple((name,) for name in self.filters)

    @property
    def step_px(self) -> tuple[float, float]:
        """From one tile to the next along rows and columns."""
        ny, nx = self.tile_px
        return ny * (1 - self.overlap), nx * (1 - self.overlap)
