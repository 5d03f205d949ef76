"""Source extraction in process: the columns of SExtractor without the program."""

import numpy as np
from astropy.table import Table

from lostlight.science.detect.background import Background
from lostlight.science.detect.extract import find_sources, isophotal_flags
from lostlight.science.detect.kron import photometry
from lostlight.science.detect.shape import core_fwhm
from lostlight.science.detect.windowed import windowed
from lostlight.vocab.extraction import EXTRACTED, SATURATED, Knobs


def extract(sky: Background, knobs: Knobs, saturation_adu: float) -> Table:
    """Find and measure the sources of an image from which the background was split off.

    Parameters
    ----------
    sky : Background
        From `background.split`, with the meshes of `knobs`.
    knobs : Knobs
        Thresholds, aperture, gain.
    saturation_adu : float
        Level, background included, at which a pixel counts as saturated.

    Returns
    -------
    Table
        Columns of `vocab.extraction.EXTRACTED`, one row a source in order of detection; no rows if nothing was found.

    Raises
    ------
    BadImage
        If more pixels stand above the threshold than a plate of stars can have.
    """
    sources = find_sources(sky, knobs)
    rows = sources.rows
    x, y = rows["x"], rows["y"]
    level = sky.level_adu[_nearest(y, sky.level_adu.shape[0]), _nearest(x, sky.level_adu.shape[1])]
    light = photometry(sky, sources, knobs)
    others = sources.segmentation if knobs.mask_neighbours else np.zeros_like(sources.segmentation)
    xwin, ywin, snr = windowed(sky.subtracted, others, x, y, light.flux_radius_px, sky.rms_adu, knobs.gain)
    is_saturated = rows["peak"] + level >= saturation_adu
    columns = {
        "object_id": np.arange(1, len(rows) + 1),
        "x_px": x,
        "y_px": y,
        "xwin_px": xwin,
        "ywin_px": ywin,
        "x_min_px": rows["xmin"],
        "x_max_px": rows["xmax"],
        "y_min_px": rows["ymin"],
        "y_max_px": rows["ymax"],
        "area_px": rows["tnpix"],
        "a_px": rows["a"],
        "b_px": rows["b"],
        "theta_deg": np.degrees(rows["theta"]),
        "elongation": rows["a"] / rows["b"],
        "fwhm_px": core_fwhm(sky.subtracted, sources.segmentation, rows, saturation_adu - level),
        "flux_radius_px": light.flux_radius_px,
        "flux_auto_adu": light.flux_auto_adu,
        "flux_auto_err_adu": light.flux_auto_err_adu,
        "flux_aper_adu": light.flux_aper_adu,
        "flux_aper_err_adu": light.flux_aper_err_adu,
        "flux_max_adu": rows["peak"],
        "background_adu": level,
        "snr_win": snr,
        "extraction_flags": isophotal_flags(rows) | light.flags | np.where(is_saturated, SATURATED, 0),
    }
    return Table({name: columns[name] for name in EXTRACTED})


def _nearest(position: np.ndarray, size: int) -> np.ndarray:
    return np.clip(np.rint(position), 0, size - 1).astype(int)
