"""The knobs of the survey, steps 00 to 10: one class per section of the configuration, one field per knob."""

from typing import Literal

from pydantic import Field

from lostlight.core.params.base import Engine, Fraction, Params, Positive


class Position(Params):
    """One position on the sky."""

    ra_deg: float = Field(ge=0, lt=360)
    """right ascension, ICRS"""
    dec_deg: float = Field(ge=-90, le=90)
    """declination, ICRS"""


class Region(Params):
    """A cone on the sky."""

    ra_deg: float = Field(ge=0, lt=360)
    """right ascension of the centre, ICRS"""
    dec_deg: float = Field(ge=-90, le=90)
    """declination of the centre, ICRS"""
    radius_deg: float = Field(gt=0, le=180)
    """radius"""


class TilesParams(Params):
    """Step 00: from positions to tiles."""

    mode: Literal["hex30", "plate", "single", "frames"] = "hex30"
    """lattice of 30 arcmin hexagons, grid in each plate's core, one tile per position, or one per frame or mosaic"""
    positions: tuple[Position, ...] = ()
    """positions given here in the configuration"""
    positions_csv: str = ""
    """table of positions with columns ra_deg and dec_deg (or ra and dec, in degrees)"""
    region: Region | None = None
    """cone to be filled with the lattice"""
    random_n: int = Field(0, ge=0, le=100_000)
    """number of random positions on the sky"""
    images: str = ""
    """file or folder of own images: one tile for each, at its own centre and of its own size"""
    all_sky: bool = False
    """the whole lattice"""
    dec_min_deg: float = Field(-90, ge=-90, le=90)
    """random and all-sky positions lie above this declination"""
    plates: str = ""
    """plates for mode plate and for plate candidates: a CSV of centres or an archive of header files"""
    plate_core_deg: Positive = 2.7
    """radius of a plate's astrometric core"""
    rings: int = Field(0, ge=0, le=5)
    """rings of neighbours around each position: 0 gives one tile, 1 gives seven"""
    width_arcmin: float = Field(60, gt=0, le=120)
    """width of a tile's image"""
    height_arcmin: float = Field(60, gt=0, le=120)
    """height of a tile's image"""
    seed: int = Field(0, ge=0)
    """seed of the random positions"""


class DownloadParams(Params):
    """Step 01: one image per tile."""

    source: Literal["stsci", "eso", "skyview", "folder", "sky", "frames", "mosaic"] = "stsci"
    """archive, own folder, simulated sky, calibrated frames, or mosaic"""
    allow_resampled: bool = False
    """permit skyview, whose pixels are resampled and unfit for photometry"""
    survey: Literal["poss1_red", "any"] = "poss1_red"
    """survey asked for; any accepts every image with a usable sky solution"""
    url: str = ""
    """address of the service; empty means the archive's own, or for sky a server started for the run"""
    folder: str = ""
    """file or folder with own plates, for source folder"""
    retries: int = Field(5, ge=0, le=20)
    """further attempts after a failed or invalid download"""
    backoff: float = Field(1.5, ge=1, le=10)
    """factor between the pauses of successive attempts"""
    timeout_s: Positive = 60
    """longest silence of the service"""
    min_interval_s: float = Field(0.5, ge=0)
    """shortest time between two requests"""
    max_connections: int = Field(4, ge=1, le=4)
    """connections at a time"""
    offline: bool = False
    """use the cache only; what is not there fails"""
    refresh: bool = False
    """ask again even where the cache has an answer, and say where it changed"""
    sky_seed: int = Field(20, ge=0)
    """seed of the simulated sky, for source sky"""


class MasksParams(Params):
    """Step 02: which pixels not to trust."""

    bright_stars: Literal["image", "tycho2", "gaia", "usnob"] = "image"
    """where bright stars come from: detected on the image itself, or a catalogue at the plate's epoch"""
    bright_limit_mag: float = 12.4
    """stars brighter than this are masked"""
    disc_scale: Positive = 1.0
    """factor on the radius of discs"""
    spike_scale: Positive = 1.0
    """factor on the length of spikes"""
    edge_px: int = Field(16, ge=0)
    """width of the margin along plate and image edges, at 1.7 arcsec a pixel"""
    clean_sigma: Positive = 12
    """single pixels this far from their neighbours are cosmetic flaws"""
    trail_sigma: Positive = 4
    """threshold of the trail finder in units of the background noise; raised where the tile is noisy"""
    trails: bool = True
    """look for scratches and trails"""
    mesh_px: int = Field(64, ge=8, le=1024)
    """mesh of the background map"""
    url: str = ""
    """address of the catalogue service; empty means VizieR, or the simulated sky where the plates come from it"""
    offline: bool = False
    """use the cache only"""


class ExtractionParams(Params):
    """What both passes of source extraction share."""

    engine: Engine = "auto"
    """reference runs source-extractor, embedded works in process"""
    threshold_sigma: Positive = 5
    """detection and analysis threshold in units of the background noise"""
    min_area_px: int = Field(5, ge=1)
    """fewest connected pixels above the threshold"""
    filter: bool = True
    """smooth with the 3x3 default kernel before detection"""
    deblend_levels: int = Field(32, ge=1, le=64)
    """number of deblending thresholds"""
    deblend_contrast: Fraction = 0.005
    """smallest flux fraction that makes a separate source"""
    clean: bool = True
    """remove detections that the wings of a neighbour explain"""
    mask_neighbours: bool = True
    """replace the pixels of neighbours by those opposite when light is summed"""
    mesh_px: int = Field(64, ge=8, le=1024)
    """mesh of the background map"""
    mesh_filter: int = Field(3, ge=1, le=15)
    """median filter over the background mesh"""
    aperture_px: Positive = 5
    """diameter of the fixed aperture"""
    gain: float = Field(1000, ge=0)
    """electrons per count; large because plate counts are densities; 0 means infinite"""
    zero_point_mag: float = 21.1
    """magnitude of one count"""
    seeing_arcsec: Positive = 4.5
    """stellar FWHM assumed by the extraction"""
    timeout_s: Positive = 600
    """longest run of the program on one tile"""


class DetectParams(ExtractionParams):
    """Step 03: first pass, for the PSF."""

    stamp_px: int = Field(35, ge=15, le=101)
    """side of the stamps handed to the PSF step; odd"""


class PsfParams(Params):
    """Step 04: the point spread function over the tile."""

    engine: Engine = "auto"
    """reference runs psfex, embedded works in process"""
    degree: int = Field(2, ge=0, le=3)
    """degree of the spatial variation, lowered where it does not hold"""
    size_px: int = Field(25, ge=11, le=51)
    """side of the model"""
    min_snr: Positive = 20
    """stars of lower signal to noise are not used"""
    max_ellipticity: Fraction = 0.3
    """stars more elliptical are not used"""
    fwhm_range_px: tuple[Positive, Positive] = (2, 10)
    """FWHM of the stars used, at 1.7 arcsec a pixel"""
    max_stars: int = Field(300, ge=30)
    """most stars used, evenly over their fluxes; more make the model slower, not better"""
    min_accepted: int = Field(30, ge=3)
    """fewest stars that make a model"""
    chi2_range: tuple[Positive, Positive] = (0.5, 2)
    """reduced chi-square of an acceptable model"""
    timeout_s: Positive = 300
    """longest run of the program on one tile"""


class MeasureParams(ExtractionParams):
    """Step 05: second pass, with the PSF."""

    spread: Literal["own", "native"] = "own"
    """own computes SPREAD_MODEL from the PSF for all sources at once; native leaves it to source-extractor (slow)"""


class OwnCatalogue(Params):
    """A catalogue of the user's own."""

    path: str = ""
    """CSV, FITS, VOTable or ECSV; empty means none"""
    columns: dict[str, str] = Field({})
    """our column name to theirs: ra_deg, dec_deg, pm_ra_mas_yr, pm_dec_mas_yr, mag_ref, ref_id"""
    units: dict[str, str] = Field({})
    """unit of a column of theirs where the file does not say it"""
    epoch_yr: float = Field(2016.0, ge=1800, le=2200)
    """epoch of the positions where the file does not say it"""


class ReferenceParams(Params):
    """Step 06: catalogues around the tile, moved to the plate's epoch."""

    usnob: bool = True
    """USNO-B1.0 (I/284)"""
    gaia: bool = False
    """Gaia DR3 (I/355)"""
    ps1: bool = False
    """Pan-STARRS DR2 (II/389)"""
    own: OwnCatalogue = OwnCatalogue()
    """a catalogue of the user's own"""
    margin_arcmin: float = Field(1, ge=0)
    """beyond the tile's corners"""
    bright_margin_arcmin: float = Field(45, ge=0)
    """beyond the tile's corners for stars bright enough to throw spikes"""
    bright_limit_mag: float = 12.4
    """faint limit of the bright stars"""
    row_cap: int = Field(2_000_000, ge=100)
    """an answer of exactly this many rows is taken as cut short"""
    url: str = ""
    """address of the catalogue service; empty means VizieR, or the simulated sky where the plates come from it"""
    retries: int = Field(5, ge=0, le=20)
    """further attempts after a failed or invalid answer"""
    backoff: float = Field(1.5, ge=1, le=10)
    """factor between the pauses of successive attempts"""
    timeout_s: Positive = 120
    """longest silence of the service"""
    min_interval_s: float = Field(0.5, ge=0)
    """shortest time between two requests"""
    offline: bool = False
    """use the cache only"""
    refresh: bool = False
    """ask again even where the cache has an answer, and say where it changed"""


class XmatchParams(Params):
    """Step 07: detections against catalogues."""

    engine: Engine = "auto"
    """reference runs stilts, embedded uses a KD-tree in process"""
    radius: Literal["fixed", "sigma"] = "fixed"
    """the radius below, or a multiple of the measured astrometric scatter"""
    radius_arcsec: float = Field(5, gt=0, le=60)
    """match radius"""
    n_sigma: Positive = 5
    """multiple of the scatter, for radius sigma"""
    residual_degree: int = Field(1, ge=0, le=3)
    """degree of the astrometric correction fitted to the catalogue"""
    min_ties: int = Field(20, ge=3)
    """fewest ties of that fit"""
    max_scatter_arcsec: Positive = 1.0
    """scatter per axis beyond which the tile fails"""
    chance_shift_arcsec: float = Field(45, ge=30, le=60)
    """shift of the four offset catalogues that measure chance matches"""
    slice_tiles: int = Field(16, ge=1, le=256)
    """tiles handed to one start of the program"""
    timeout_s: Positive = 900
    """longest run of the program on one slice"""


class Mnras2022Gates(Params):
    """The published cuts of MNRAS 515, 1380 (2022); pixel cuts are stated at 1.7 arcsec a pixel."""

    snr_min: float = 30
    """SNR_WIN above"""
    spread_min: float = -0.002
    """SPREAD_MODEL above"""
    fwhm_range_px: tuple[Positive, Positive] = (2, 7)
    """FWHM between"""
    elongation_max: float = 1.3
    """elongation below"""
    extent_difference_px: float = 2
    """width and height of the bounding box differ by less"""
    extent_min_px: float = 1
    """width and height of the bounding box above"""
    clip_sigma: Positive = 2
    """clip on FWHM and elongation about the stars of the tile, in MAD sigmas"""


class LocusGates(Params):
    """Gates relative to the stellar locus of the tile itself, in bins of flux."""

    k_sigma: Positive = 4
    """half width of the locus in robust sigmas"""
    snr_min: float = 10
    """SNR_WIN above"""
    n_bins: int = Field(12, ge=3, le=50)
    """flux bins"""


class FilterParams(Params):
    """Step 08: what vanished."""

    gates: Literal["locus", "mnras2022"] = "locus"
    """which set of gates decides"""
    locus: LocusGates = LocusGates()
    """the locus gates"""
    mnras2022: Mnras2022Gates = Mnras2022Gates()
    """the published gates"""
    catalogs: tuple[str, ...] = ("usnob", "gaia", "ps1", "own")
    """catalogues whose match is a veto, where they were fetched"""
    epoch_logic: bool = True
    """a USNO-B row seen only at the first epoch proves no persistence"""
    masked: tuple[str, ...] = ("BRIGHT_STAR", "SPIKE", "GHOST", "EDGE", "BLANK", "TRAIL", "DEFECT")
    """mask bits that cut a source; saturation is left to the gates, as bright stars of a plate all saturate"""
    spike_radius_arcsec: Positive = 90
    """reach of the spike rule around bright catalogue stars"""
    spike_mag: float = 12.4
    """stars at least this bright cut everything within that reach"""
    spike_slope_mag_arcsec: float = -0.09
    """slope of the spike rule for fainter stars"""
    spike_zero_mag: float = 15.3
    """zero point of the spike rule for fainter stars"""
    high_pm_radius_arcsec: Positive = 30
    """catalogue stars within this distance are moved to the plate's epoch and compared"""
    high_pm_match_arcsec: Positive = 5
    """radius of that comparison"""
    dedupe_arcsec: Positive = 0.25
    """rows of one plate closer than this are one source"""
    overlap_arcsec: Positive = 5
    """rows of overlapping plates closer than this are evidence for each other"""
    within_arcsec: float = Field(0, ge=0)
    """radius the validator holds every match to; 0 means the radius of the match"""
    within_tolerance_arcsec: Positive = 0.05
    """tolerance of the validator"""
    skybot: bool = False
    """veto known solar-system bodies along their trails (needs the network)"""
    skybot_url: str = ""
    """address of SkyBoT; empty means the service's own, or the simulated sky where the plates come from it"""
    skybot_arcsec: Positive = 10
    """reach beyond the trail"""
    vsx: bool = False
    """veto known variable stars (needs the network)"""
    vsx_url: str = ""
    """address of the catalogue service with VSX"""
    vsx_arcsec: Positive = 5
    """reach around a variable star"""
    second_catalogs: tuple[str, ...] = ()
    """files with ra_deg and dec_deg of sources that veto within the match radius"""
    offline: bool = False
    """use the cache only"""


class CompletenessParams(Params):
    """Artificial stars through the same steps."""

    n_per_tile: int = Field(0, ge=0, le=5000)
    """artificial stars per tile; 0 switches the twin off"""
    snr_range: tuple[Positive, Positive] = (5, 200)
    """signal to noise of the artificial stars, drawn evenly in magnitude"""
    min_separation_arcsec: Positive = 20
    """between artificial stars"""
    zero_point_mag: float = 21.1
    """magnitude of one count, as in step 05"""
    n_bins: int = Field(10, ge=3, le=40)
    """magnitude bins of the curve"""
    seed: int = Field(0, ge=0)
    """seed of the artificial stars"""


class SummaryParams(Params):
    """Step 09: the report."""

    max_stamps: int = Field(60, ge=0, le=2000)
    """candidates shown with a picture, the best first"""
    stamp_arcmin: float = Field(2, gt=0, le=10)
    """side of a picture"""
    title: str = ""
    """title of the page; empty means the run's name"""


class PackageParams(Params):
    """Step 10: the archive."""

    images: bool = False
    """include plates and masks, not only tables, manifests and report"""
