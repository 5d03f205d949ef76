"""SExtractor: run the program on an image and read its catalogue into our columns.

One-based pixel coordinates become zero-based here, and sentinels become NaN; nothing of the clock or the machine stays
in what is kept.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits
from astropy.table import Table

from lostlight.core import atomic
from lostlight.core.errors import ToolFailed
from lostlight.io import tools
from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.extraction import Knobs

PROGRAM = "source-extractor"
SPREAD_PARAMETERS = ("SPREAD_MODEL", "SPREADERR_MODEL")

_OURS = {
    "NUMBER": "object_id", "X_IMAGE": "x_px", "Y_IMAGE": "y_px", "XWIN_IMAGE": "xwin_px", "YWIN_IMAGE": "ywin_px",
    "XMIN_IMAGE": "x_min_px", "XMAX_IMAGE": "x_max_px", "YMIN_IMAGE": "y_min_px", "YMAX_IMAGE": "y_max_px",
    "ISOAREA_IMAGE": "area_px", "A_IMAGE": "a_px", "B_IMAGE": "b_px", "THETA_IMAGE": "theta_deg",
    "ELONGATION": "elongation", "FWHM_IMAGE": "fwhm_px", "FLUX_RADIUS": "flux_radius_px",
    "FLUX_AUTO": "flux_auto_adu", "FLUXERR_AUTO": "flux_auto_err_adu",
    "FLUX_APER": "flux_aper_adu", "FLUXERR_APER": "flux_aper_err_adu", "FLUX_MAX": "flux_max_adu",
    "BACKGROUND": "background_adu", "SNR_WIN": "snr_win", "FLAGS": "extraction_flags",
    "SPREAD_MODEL": "spread_model", "SPREADERR_MODEL": "spread_model_err",
}  # fmt: skip
_ONE_BASED = re.compile(r"[XY](WIN|MIN|MAX)?_IMAGE")
_POSITIVE = ("FWHM_IMAGE", "FLUX_RADIUS", "SNR_WIN")
_SENTINEL = 1e29
# Cards that tell when, where and how fast the program ran.
_VOLATILE = re.compile(rb"(SEXDATE |SEXTIME |SEXELAPS)(= )(.{70})")


def extract(
    image: np.ndarray,
    blank: np.ndarray,
    knobs: Knobs,
    saturation_adu: float,
    parameters: str = "pass2.param",
    extra: Sequence[str] = (),
    psf: Path | None = None,
    keep: Path | None = None,
) -> Table:
    """Find and measure the sources of an image with source-extractor.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), adu
        Any byte order; blank pixels may be NaN.
    blank : ndarray, shape (ny, nx), bool
        Pixels without data: they get weight zero. NaN and infinity count as blank.
    knobs : Knobs
        Thresholds, meshes, aperture, gain.
    saturation_adu : float
        Level at which a pixel counts as saturated.
    parameters : str
        Parameter file in the configuration folder of the program.
    extra : sequence of str
        Further parameters, such as ``VIGNET(35,35)``.
    psf : Path, optional
        PSF model, for `SPREAD_PARAMETERS`.
    keep : Path, optional
        Where to keep the program's own catalogue (FITS_LDAC), without the cards that tell the time.

    Returns
    -------
    Table
        One row a source in our columns and units, in the order of the program; no rows if nothing was found.

    Raises
    ------
    ToolMissing, ToolFailed, ToolTimeout
    """
    with TemporaryDirectory(prefix="lostlight-") as name:
        work = Path(name)
        weight = _write_input(work, image, blank)
        asked = tools.config_file(f"sextractor/{parameters}").read_text() + "\n".join(extra) + "\n"
        (work / "asked.param").write_text(asked)
        options = {**_options(knobs, saturation_adu), **weight}
        if psf is not None:
            options["PSF_NAME"] = str(psf.resolve())
        words = [word for key, value in options.items() for word in (f"-{key}", value)]
        config = tools.config_file("sextractor/extraction.sex")
        tools.run(PROGRAM, ["image.fits", "-c", config, *words], work, knobs.timeout_s)
        catalogue = work / "found.cat"
        if not catalogue.exists():
            raise ToolFailed(f"{PROGRAM} ended well but wrote no catalogue", hint="check the installation")
        content = timeless(catalogue.read_bytes())
        if keep is not None:
            atomic.write_bytes(keep, content)
        return _read(catalogue)


def timeless(catalogue: bytes) -> bytes:
    """Blank the cards of a catalogue that tell when and how fast it was made; the length stays."""
    return _VOLATILE.sub(lambda found: found[1] + found[2] + b"''".ljust(len(found[3])), catalogue)


def _write_input(work: Path, image: np.ndarray, blank: np.ndarray) -> dict[str, str]:
    blank = blank | ~np.isfinite(image)
    fits.writeto(work / "image.fits", np.where(blank, np.float32(0), image).astype(np.float32))
    if not blank.any():
        return {}
    fits.writeto(work / "weight.fits", (~blank).astype(np.float32))
    return {"WEIGHT_TYPE": "MAP_WEIGHT", "WEIGHT_IMAGE": "weight.fits"}


def _options(knobs: Knobs, saturation_adu: float) -> dict[str, str]:
    values: dict[str, object] = {
        "PARAMETERS_NAME": "asked.param",
        "CATALOG_NAME": "found.cat",
        "CATALOG_TYPE": "FITS_LDAC",
        "DETECT_MINAREA": knobs.min_area_px,
        "DETECT_THRESH": knobs.threshold_sigma,
        "ANALYSIS_THRESH": knobs.threshold_sigma,
        "FILTER": _yes(knobs.filter),
        "FILTER_NAME": tools.config_file("sextractor/default.conv"),
        "DEBLEND_NTHRESH": knobs.deblend_levels,
        "DEBLEND_MINCONT": knobs.deblend_contrast,
        "CLEAN": _yes(knobs.clean),
        "MASK_TYPE": "CORRECT" if knobs.mask_neighbours else "NONE",
        "BACK_SIZE": knobs.mesh_px,
        "BACK_FILTERSIZE": knobs.mesh_filter,
        "PHOT_APERTURES": knobs.aperture_px,
        "GAIN": knobs.gain,
        "SATUR_LEVEL": saturation_adu,
        "SEEING_FWHM": knobs.seeing_arcsec,
    }
    return {key: str(value) for key, value in values.items()}


def _yes(value: bool) -> str:
    return "Y" if value else "N"


def _read(catalogue: Path) -> Table:
    with fits.open(catalogue, memmap=False) as hdus:
        rows = hdus["LDAC_OBJECTS"].data
        table = Table()
        for name in rows.names:
            if name in _OURS:
                table[_OURS[name]] = _ours(name, rows[name])
    if "xwin_px" in table.colnames:
        # The program repeats its last step where the windowed flux is not positive.
        lost = np.isnan(table["snr_win"])
        table["xwin_px"][lost] = table["ywin_px"][lost] = np.nan
    return table


def _ours(name: str, values: np.ndarray) -> np.ndarray:
    values = values.reshape(len(values)).astype(np.dtype(COLUMNS[_OURS[name]].dtype))
    if _ONE_BASED.fullmatch(name):
        values -= 1
    if values.dtype.kind == "f":
        values[~np.isfinite(values) | (np.abs(values) > _SENTINEL)] = np.nan
    if name in _POSITIVE:
        values[~(values > 0)] = np.nan
    return values
