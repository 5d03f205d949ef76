"""What can be chosen of a simulated field of movers: the field, the nights, the camera, and who moves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    """One moving object: on a circular orbit around the Sun."""

    delta_au: float
    """distance from the Earth"""
    inc_deg: float
    """how far its orbit is tilted out of the ecliptic where it is seen; negative moves it south"""
    snr: float
    """signal to noise on a typical image, matched filter"""
    at: tuple[float, float]
    """where it is in the middle of the arc, parts of the height and width (y, x) of the first image"""


@dataclass(frozen=True)
class MoversDesign:
    """Every choice has its own random stream, so that changing one leaves the rest of the scene as it was."""

    shape: tuple[int, int] = (256, 320)
    """rows and columns of an image"""
    n_epochs: int = 10
    nights: int = 2
    """over which the images are spread, in order"""
    cadence_min: float = 50.0
    """from one image of a night to the next"""
    exptime_s: float = 180.0

    centre: tuple[float, float] = (180.0, 1.0)
    """right ascension and declination, degrees; opposite to the Sun at the time of `first_mjd`"""
    first_mjd: float = 60388.95
    """start of the first exposure, MJD, UTC"""
    scale_arcsec: float = 1.0
    angle_deg: float = 0.0
    """of the rows against north, eastwards"""
    rotation_deg: float = 0.0
    """how far the field turns from the first image to the last"""
    dither_px: float = 4.0
    """farthest that an image is off the first along each axis"""

    bodies: tuple[Body, ...] = (
        Body(delta_au=42.0, inc_deg=2.0, snr=12.0, at=(0.30, 0.35)),
        Body(delta_au=31.0, inc_deg=-9.0, snr=7.0, at=(0.62, 0.62)),
        Body(delta_au=55.0, inc_deg=20.0, snr=4.5, at=(0.80, 0.25)),
    )
    n_stars: int = 60
    """scattered at random over the field of all images"""
    flux: tuple[float, float] = (3_000.0, 120_000.0)
    """of the faintest and the brightest of them, adu; counts rise twofold for every magnitude"""
    n_saturated: int = 1
    """stars more, three times as bright as saturates"""
    n_galaxies: int = 0
    """round blurs, two to four times as wide as a star and as bright as the brighter half of the stars"""
    fwhm_px: float = 2.6
    """width of a star before the integration over pixels"""
    beta: float = 3.0
    """exponent of Moffat's profile"""
    seeing: float = 0.08
    """scatter of the widths from image to image: standard deviation of the natural logarithm"""
    throughput: float = 0.1
    """that of an image lies between 1 - throughput and 1 + throughput; 1 on the first"""
    zero_mag: float = 28.0
    """magnitude of one adu in an exposure of throughput 1"""

    sky_adu: float = 300.0
    slopes: float = 40.0
    """most by which the sky rises along each axis from edge to edge of an image, adu"""
    gain_e_adu: float = 1.5
    """electrons per adu"""
    read_adu: float = 4.0
    """noise of reading a pixel"""
    saturate: float = 40_000.0
    """no value is higher"""
    cosmics: float = 0.5
    """mean number of cosmic rays on an image"""
    hot_px: int = 6
    """pixels of the detector that are too bright on all images"""
