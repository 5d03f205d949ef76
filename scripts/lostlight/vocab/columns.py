"""Every column of every table, declared once: name, dtype, unit, UCD, meaning.

Units are VOUnit strings. Pixel coordinates are zero-based and angles are degrees unless the name says otherwise.
Missing numbers are NaN, never a sentinel.
"""

from lostlight.vocab import movers
from lostlight.vocab.column import Column, Schema

_ALL = (
    # identity
    Column("tile_id", "str", "", "meta.id;obs.field", "tile the row belongs to"),
    Column("src_id", "str", "", "meta.id;meta.main", "stable key: tile id, colon, object id"),
    Column("object_id", "i4", "", "meta.record", "running number of the detection on its tile, from 1"),
    Column("plate_id", "str", "", "meta.id;obs.image", "photographic plate (FITS REGION)"),
    # sky
    Column("ra_deg", "f8", "deg", "pos.eq.ra;meta.main", "right ascension, ICRS, at the plate's epoch"),
    Column("dec_deg", "f8", "deg", "pos.eq.dec;meta.main", "declination, ICRS, at the plate's epoch"),
    Column("ra_plate_deg", "f8", "deg", "pos.eq.ra", "right ascension by the plate solution alone"),
    Column("dec_plate_deg", "f8", "deg", "pos.eq.dec", "declination by the plate solution alone"),
    # tiles
    Column("width_arcmin", "f8", "arcmin", "phys.angSize", "width of the tile's image"),
    Column("height_arcmin", "f8", "arcmin", "phys.angSize", "height of the tile's image"),
    *(
        Column(f"{axis}{corner}_deg", "f8", "deg", f"pos.eq.{axis}", f"corner {corner} of the tile, counter-clockwise")
        for corner in range(1, 5)
        for axis in ("ra", "dec")
    ),
    Column("plates", "str", "", "meta.id;obs.image", "candidate plates, nearest centre first, separated by spaces"),
    # pixels
    Column("x_px", "f8", "pix", "pos.cartesian.x;instr.det", "isophotal barycentre, zero-based"),
    Column("y_px", "f8", "pix", "pos.cartesian.y;instr.det", "isophotal barycentre, zero-based"),
    Column("xwin_px", "f8", "pix", "pos.cartesian.x;instr.det", "Gaussian-windowed position, zero-based"),
    Column("ywin_px", "f8", "pix", "pos.cartesian.y;instr.det", "Gaussian-windowed position, zero-based"),
    Column("x_min_px", "i4", "pix", "pos.cartesian.x;stat.min", "bounding box, zero-based, inclusive"),
    Column("x_max_px", "i4", "pix", "pos.cartesian.x;stat.max", "bounding box, zero-based, inclusive"),
    Column("y_min_px", "i4", "pix", "pos.cartesian.y;stat.min", "bounding box, zero-based, inclusive"),
    Column("y_max_px", "i4", "pix", "pos.cartesian.y;stat.max", "bounding box, zero-based, inclusive"),
    Column("edge_distance_px", "f4", "pix", "pos.distance;instr.det", "distance to the nearest edge of plate or image"),
    Column("plate_radius_deg", "f4", "deg", "pos.angDistance", "distance to the plate centre"),
    # shape
    Column("area_px", "i4", "pix2", "phys.area", "isophotal area"),
    Column("a_px", "f4", "pix", "phys.angSize.smajAxis", "rms along the major axis"),
    Column("b_px", "f4", "pix", "phys.angSize.sminAxis", "rms along the minor axis"),
    Column("theta_deg", "f4", "deg", "pos.posAng", "position angle of the major axis, counter-clockwise from x"),
    Column("elongation", "f4", "", "src.ellipticity", "major over minor axis"),
    Column("fwhm_px", "f4", "pix", "phys.angSize;instr.det.psf", "full width at half maximum, Gaussian core"),
    Column("flux_radius_px", "f4", "pix", "phys.angSize", "radius that holds half of the automatic flux"),
    # light
    Column("flux_auto_adu", "f8", "adu", "phot.count", "Kron-like automatic flux"),
    Column("flux_auto_err_adu", "f8", "adu", "stat.error;phot.count", "its error"),
    Column("mag_auto", "f8", "mag", "phot.mag;em.opt.R;meta.main", "automatic magnitude, instrumental"),
    Column("mag_auto_err", "f4", "mag", "stat.error;phot.mag", "its error"),
    Column("flux_aper_adu", "f8", "adu", "phot.count", "flux in the fixed aperture"),
    Column("flux_aper_err_adu", "f8", "adu", "stat.error;phot.count", "its error"),
    Column("mag_aper", "f8", "mag", "phot.mag;em.opt.R", "fixed-aperture magnitude, instrumental"),
    Column("mag_aper_err", "f4", "mag", "stat.error;phot.mag", "its error"),
    Column("flux_psf_adu", "f8", "adu", "phot.count", "flux of the local PSF fitted at the source"),
    Column("flux_psf_err_adu", "f8", "adu", "stat.error;phot.count", "its error"),
    Column("mag_psf", "f8", "mag", "phot.mag;em.opt.R", "PSF magnitude, instrumental"),
    Column("mag_psf_err", "f4", "mag", "stat.error;phot.mag", "its error"),
    Column("flux_max_adu", "f4", "adu", "phot.count;stat.max", "peak above the background"),
    Column("background_adu", "f4", "adu", "instr.background", "background at the source"),
    Column("snr_win", "f4", "", "stat.snr", "Gaussian-windowed signal to noise"),
    Column(
        "spread_model", "f4", "", "src.class.starGalaxy", "zero for a star, positive for wider, negative for sharper"
    ),
    Column("spread_model_err", "f4", "", "stat.error;src.class.starGalaxy", "its error"),
    Column("chi2_psf", "f4", "", "stat.fit.chi2", "reduced chi-square of the PSF fit"),
    # quality
    Column("extraction_flags", "i2", "", "meta.code.qual", "SExtractor's extraction flags"),
    Column("mask_bits", "i4", "", "meta.code.qual", "mask bits under the source"),
    Column(
        "flags", "i4", "", "meta.code.qual;meta.main", "filter bits: which cuts the row fails and which labels it has"
    ),
    Column("reason", "str", "", "meta.note", "why the row survived, or the names of the cuts it failed"),
    # reference catalogues
    Column("ref_id", "str", "", "meta.id;meta.cross", "identifier in the reference catalogue"),
    Column("catalog", "str", "", "meta.id;meta.table", "name of the reference catalogue"),
    Column("ra_catalog_deg", "f8", "deg", "pos.eq.ra", "right ascension as catalogued, at the catalogue's epoch"),
    Column("dec_catalog_deg", "f8", "deg", "pos.eq.dec", "declination as catalogued, at the catalogue's epoch"),
    Column("epoch_yr", "f8", "yr", "time.epoch", "epoch of the catalogued position, Julian year"),
    Column("pm_ra_mas_yr", "f8", "mas.yr-1", "pos.pm;pos.eq.ra", "proper motion in right ascension times cos(dec)"),
    Column("pm_dec_mas_yr", "f8", "mas.yr-1", "pos.pm;pos.eq.dec", "proper motion in declination"),
    Column("has_pm", "?", "", "meta.code", "the catalogue gives a proper motion"),
    Column("is_second_epoch", "?", "", "meta.code", "seen at a later epoch than the first plates: proves persistence"),
    Column("mag_ref", "f4", "mag", "phot.mag;em.opt.R", "red or nearest magnitude of the catalogue"),
    Column("mag_b1", "f4", "mag", "phot.mag;em.opt.B", "USNO-B first-epoch blue"),
    Column("mag_r1", "f4", "mag", "phot.mag;em.opt.R", "USNO-B first-epoch red"),
    Column("mag_b2", "f4", "mag", "phot.mag;em.opt.B", "USNO-B second-epoch blue"),
    Column("mag_r2", "f4", "mag", "phot.mag;em.opt.R", "USNO-B second-epoch red"),
    Column("mag_i", "f4", "mag", "phot.mag;em.opt.I", "USNO-B second-epoch near infrared"),
    # matches
    Column("separation_arcsec", "f8", "arcsec", "pos.angDistance", "separation of detection and catalogue row"),
    Column("radius_arcsec", "f4", "arcsec", "pos.angDistance", "match radius used for this row"),
    Column("n_plates", "i2", "", "meta.number", "number of plates that show the source"),
    # stars of the PSF model, and the model on a grid
    Column("kind", "str", "", "meta.code.class", "star: a detection; map: the model at a point of a grid"),
    Column("ellipticity", "f4", "", "src.ellipticity", "(a - b)/(a + b) of the second moments"),
    Column("is_used", "?", "", "meta.code", "the star was used for the PSF model"),
    # planted stars
    Column("plant_id", "str", "", "meta.id", "identifier of an artificial star"),
    Column("mag_true", "f4", "mag", "phot.mag", "magnitude planted, on the instrumental scale of the tile"),
    Column("snr_true", "f4", "", "stat.snr", "signal to noise expected of the planted star"),
    Column("is_recovered", "?", "", "meta.code", "the planted star is among the survivors"),
    Column("lost_at", "str", "", "meta.note", "first cut that lost the planted star, or empty"),
    # raw frames of calibration (VOUnit knows neither electrons nor degrees Celsius: those columns have no unit)
    Column("frame_id", "str", "", "meta.id;meta.main", "raw frame: the stem of its file, unique in the run"),
    Column("path", "str", "", "meta.id;meta.file", "file relative to the folder of frames"),
    Column("imagetyp", "str", "", "meta.code.class", "bias, dark, flat, flat_dark or light"),
    Column("hdu", "i4", "", "meta.number", "number of the HDU with the pixels, from 0"),
    Column("naxis1", "i4", "pix", "phys.size;pos.cartesian.x;instr.det", "number of columns"),
    Column("naxis2", "i4", "pix", "phys.size;pos.cartesian.y;instr.det", "number of rows"),
    Column("bitpix", "i2", "", "meta.code", "type of the stored pixels, as FITS names it"),
    Column("exptime_s", "f8", "s", "time.duration;obs.exposure", "exposure"),
    Column("gain_setting", "f8", "", "instr.setup", "gain or ISO as set, in the camera's own unit"),
    Column("offset", "f8", "", "instr.setup", "offset as set, in the camera's own unit"),
    Column("egain_e_adu", "f8", "adu**-1", "arith.factor;instr.det", "electrons per count"),
    Column("rdnoise_e", "f8", "", "instr.det.noise", "read noise in electrons"),
    Column("ccd_temp_c", "f8", "", "phys.temperature;instr.det", "temperature of the sensor in degrees Celsius"),
    Column("set_temp_c", "f8", "", "phys.temperature;instr.setup", "temperature asked for, in degrees Celsius"),
    Column("filter", "str", "", "meta.id;instr.filter", "filter"),
    Column("xbin", "i2", "pix", "instr.setup", "pixels of the sensor in one column"),
    Column("ybin", "i2", "pix", "instr.setup", "pixels of the sensor in one row"),
    Column("readmode", "str", "", "meta.id;instr.setup", "readout mode"),
    Column("camera_id", "str", "", "meta.id;instr.det", "camera, and chip where it has several"),
    Column("optics_id", "str", "", "meta.id;instr.tel", "telescope and focal length"),
    Column("rotator_deg", "f8", "deg", "pos.posAng;instr.setup", "angle of the rotator"),
    Column("bayerpat", "str", "", "meta.code;instr.det", "colours of the first four pixels as stored, empty for mono"),
    Column("roworder", "str", "", "meta.code", "TOP-DOWN or BOTTOM-UP"),
    Column("saturate_adu", "f8", "adu", "instr.saturation", "level of saturation"),
    Column("pedestal_adu", "f8", "adu", "instr.background", "level to add so that no light is zero counts"),
    Column("biassec", "str", "", "meta.code;instr.det", "section that holds the overscan, FITS convention"),
    Column("trimsec", "str", "", "meta.code;instr.det", "section that saw the sky, FITS convention"),
    Column("date_obs_utc", "str", "", "time.start;obs.exposure", "start of the exposure, ISO 8601, UTC"),
    Column("session", "str", "", "time.epoch;obs", "the night: date of the noon before"),
    Column("n_sub", "i4", "", "meta.number;obs.exposure", "exposures that the frame is the sum or mean of"),
    Column("calstat", "str", "", "meta.code.status", "what was taken off already: letters B, D, F"),
    Column("weight", "f8", "", "stat.weight", "weight of the user's own"),
    Column("object", "str", "", "meta.id;src", "what a light shows"),
    Column("program", "str", "", "meta.software", "program that wrote the file"),
    Column("sha256", "str", "", "meta.id;meta.file", "hash of the file where it was compared with others"),
    Column("tags", "str", "", "meta.note", "words of the user's own, separated by spaces"),
)

COLUMNS: dict[str, Column] = {column.name: column for column in (*_ALL, *movers.COLUMNS)}

TILES: Schema = (
    "tile_id", "ra_deg", "dec_deg", "width_arcmin", "height_arcmin",
    "ra1_deg", "dec1_deg", "ra2_deg", "dec2_deg", "ra3_deg", "dec3_deg", "ra4_deg", "dec4_deg", "plates",
)  # fmt: skip

PASS1: Schema = (
    "object_id", "x_px", "y_px", "flux_radius_px", "snr_win", "flux_aper_adu", "flux_aper_err_adu",
    "flux_max_adu", "elongation", "extraction_flags",
)  # fmt: skip

MEASURED: Schema = (
    "object_id", "ra_deg", "dec_deg", "x_px", "y_px", "xwin_px", "ywin_px",
    "x_min_px", "x_max_px", "y_min_px", "y_max_px", "area_px", "a_px", "b_px", "theta_deg", "elongation",
    "fwhm_px", "flux_radius_px", "flux_auto_adu", "flux_auto_err_adu", "mag_auto", "mag_auto_err",
    "flux_aper_adu", "flux_aper_err_adu", "mag_aper", "mag_aper_err",
    "flux_psf_adu", "flux_psf_err_adu", "mag_psf", "mag_psf_err", "flux_max_adu", "background_adu", "snr_win",
    "spread_model", "spread_model_err", "chi2_psf", "extraction_flags", "mask_bits",
    "edge_distance_px", "plate_radius_deg",
)  # fmt: skip

DETECTIONS: Schema = ("src_id", "tile_id", "plate_id", *MEASURED)

REFERENCE: Schema = (
    "ref_id", "ra_deg", "dec_deg", "ra_catalog_deg", "dec_catalog_deg", "epoch_yr", "pm_ra_mas_yr", "pm_dec_mas_yr",
    "has_pm", "is_second_epoch", "mag_ref",
)  # fmt: skip

USNOB: Schema = (*REFERENCE, "mag_b1", "mag_r1", "mag_b2", "mag_r2", "mag_i")

MATCHES: Schema = (
    "src_id", "object_id", "ra_deg", "dec_deg", "catalog", "ref_id", "separation_arcsec", "radius_arcsec",
    "is_second_epoch", "mag_ref",
)  # fmt: skip

FLAGGED: Schema = (*DETECTIONS, "ra_plate_deg", "dec_plate_deg", "separation_arcsec", "n_plates", "flags", "reason")

CANDIDATES: Schema = (
    "src_id", "tile_id", "plate_id", "ra_deg", "dec_deg", "mag_auto", "snr_win", "fwhm_px", "elongation",
    "spread_model", "x_px", "y_px", "separation_arcsec", "n_plates", "mask_bits", "reason", "flags",
)  # fmt: skip

ANOMALIES: Schema = ("tile_id", "src_id", "ra_deg", "dec_deg", "mag_auto", "snr_win", "fwhm_px", "reason")

PSF_QUALITY: Schema = (
    "kind", "x_px", "y_px", "fwhm_px", "ellipticity", "snr_win", "flux_aper_adu", "flux_max_adu", "chi2_psf", "is_used",
)  # fmt: skip

PLANTED: Schema = ("plant_id", "tile_id", "x_px", "y_px", "ra_deg", "dec_deg", "mag_true", "snr_true")

RECOVERED: Schema = (*PLANTED, "is_recovered", "lost_at")

FRAMES: Schema = (
    "frame_id", "path", "imagetyp", "hdu", "naxis1", "naxis2", "bitpix", "exptime_s", "gain_setting", "offset",
    "egain_e_adu", "rdnoise_e", "ccd_temp_c", "set_temp_c", "filter", "xbin", "ybin", "readmode", "camera_id",
    "optics_id", "rotator_deg", "bayerpat", "roworder", "saturate_adu", "pedestal_adu", "biassec", "trimsec",
    "date_obs_utc", "session", "n_sub", "calstat", "weight", "object", "program", "sha256", "tags",
)  # fmt: skip
