"""What can be chosen of a simulated camera, of what it looks at, and of one exposure."""

from dataclasses import dataclass

REFERENCE_C = -10.0
"""Temperature at which the dark current of a design is told."""


@dataclass(frozen=True)
class Design:
    """A camera as it was built; every flaw is a number, and 0 takes it away."""

    shape: tuple[int, int] = (384, 512)
    """rows and columns that see light"""
    overscan_px: int = 0
    """columns to the left of them that see none"""
    gain_e_adu: float = 1.5
    rdnoise_e: float = 5.0
    full_well_e: float = 100_000.0
    saturate_adu: int = 65535
    nonlinearity: float = 0.0
    """fraction of the charge of a full well that is lost; falls in proportion to the charge"""
    level_adu: float = 1000.0
    """mean of a bias frame"""
    pixel_pattern_adu: float = 1.5
    column_pattern_adu: float = 2.0
    row_pattern_adu: float = 1.0
    drift_adu: float = 0.0
    """amplitude by which the level swings slowly from frame to frame"""
    banding_adu: float = 0.0
    """strength, new in every frame, of a fixed pattern of rows"""
    dark_e_s: float = 0.05
    """median dark current at the reference temperature"""
    dark_spread: float = 0.4
    """its scatter from pixel to pixel: standard deviation of the natural logarithm"""
    doubling_c: float = 6.0
    hot_fraction: float = 1e-3
    hot_e_s: tuple[float, float] = (2.0, 100.0)
    """slowest and fastest hot pixel at the reference temperature"""
    rts_fraction: float = 2e-4
    """pixels that hop between two rates (random telegraph signal)"""
    rts_e_s: float = 5.0
    cold_fraction: float = 2e-4
    bad_columns: int = 1
    glow_e_s: float = 0.5
    """amplifier glow at its corner; it does not depend on temperature"""
    prnu: float = 0.01
    """scatter of the pixels' response"""
    vignetting: float = 0.25
    """light lost at the distance of a corner from the middle"""
    tilt: float = 0.02
    """difference of illumination between opposite sides"""
    n_dust: int = 5
    cosmics_s_mpx: float = 0.4
    """cosmic rays per second and million pixels"""
    cfa: str = ""
    """pattern of a colour-filter array as its header names it: RGGB, BGGR, GRBG, GBRG; empty for mono"""
    roworder: str = "TOP-DOWN"
    """TOP-DOWN: the first row of the array is the top one; BOTTOM-UP: it is the bottom one"""
    name: str = "Simulated camera"

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of a frame, those without light included."""
        return self.shape[0], self.shape[1] + self.overscan_px


@dataclass(frozen=True)
class Scene:
    """What the telescope points at, and how sharp it sees."""

    ra_deg: float = 150.0
    dec_deg: float = 20.0
    sky: int | None = None
    """seed of the simulated sky whose stars are shown; None scatters some at random"""
    n_stars: int = 60
    """stars scattered at random over the field"""
    epoch_yr: float = 2024.2
    scale_arcsec: float = 2.5
    rotation_deg: float = 1.2
    dither_px: float = 6.0
    """farthest that a light is shifted along each axis"""
    fwhm_px: float = 2.5
    moffat_beta: float | None = None
    """exponent of Moffat's profile; None is a Gaussian"""
    zero_mag: float = 21.0
    """magnitude of a star that gives one electron per second"""
    sky_e_s: float = 4.0
    """brightness of the sky per pixel"""
    gradient: float = 0.1
    """its change from one side of the field to the other, over its mean"""


@dataclass(frozen=True)
class Shot:
    """One exposure: everything that decides its bytes, with the camera."""

    kind: str
    """bias, dark, flat, flat_dark or light"""
    index: int = 0
    exptime_s: float = 0.0
    temp_c: float = REFERENCE_C
    filter: str = ""
    level_adu: float = 0.0
    """of a flat: its signal above the bias"""
