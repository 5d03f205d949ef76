"""WorkUnits, the files of kbmod: all images of a stack in one FITS file, with variance, mask and PSF of each.

Primary header: NUMIMG. For each image i the HDUs SCI_i, VAR_i, MSK_i (above zero where a pixel must not be used) and
PSF_i; its MJD (the middle of the exposure) in SCI_i; its WCS there or, as JSON, in the table IMG_META.
"""

import gzip
import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header

from lostlight.core.errors import BadImage
from lostlight.io import epoch_places, frame_files
from lostlight.io.epoch_planes import Planes, whole_numbers

_WCS_COLUMNS = ("_WCSSTR_per_image_wcs", "per_image_wcs")


def n_images(path: Path) -> int:
    """Count the images of a WorkUnit; 0 of any other file."""
    try:
        with gzip.open(path) if frame_files.is_gzip(path) else path.open("rb") as stream:
            if stream.read(6) != b"SIMPLE":
                return 0
            stream.seek(0)
            number = Header.fromfile(stream).get("NUMIMG", 0)
    except (OSError, EOFError, ValueError):
        return 0  # damage is told by whoever reads it
    return number if isinstance(number, int) and number > 0 else 0


def read_image(path: Path, number: int) -> Planes:
    """Read an image of a WorkUnit, counted from 0.

    Raises
    ------
    BadImage
        If the file is damaged or the image is not in it.
    """
    with frame_files.opened(path, whole=True) as hdus:
        if f"SCI_{number}" not in hdus or not epoch_places.is_plane(hdus[f"SCI_{number}"]):
            raise BadImage(f"{path.name} holds no image SCI_{number}", hint="write the WorkUnit again", file=path.name)
        science = hdus[f"SCI_{number}"]
        planes = {name: hdus[key] for name in ("VAR", "MSK", "PSF") if (key := f"{name}_{number}") in hdus}
        header = frame_files.inherited(hdus, hdus.index_of(f"SCI_{number}"))
        if "CTYPE1" not in header:
            header.update(_wcs_of_table(hdus, number))
        return Planes(
            science=frame_files.pixels(science),
            header=header,
            mask=whole_numbers(planes["MSK"], path.name) if "MSK" in planes else None,
            noise=frame_files.pixels(planes["VAR"]) if "VAR" in planes else None,
            psf=np.array(planes["PSF"].data, np.float64) if "PSF" in planes else None,
        )


def _wcs_of_table(hdus: fits.HDUList, number: int) -> dict[str, object]:
    """Give the cards of the WCS that the table of images holds for one of them; none where it holds none."""
    rows = hdus["IMG_META"].data if "IMG_META" in hdus else None
    column = next((name for name in _WCS_COLUMNS if rows is not None and name in rows.names), None)
    if column is None or number >= len(rows):
        return {}
    try:
        return {key: value for key, value in json.loads(rows[column][number]).items() if not key.startswith("NAXIS")}
    except (ValueError, AttributeError):
        return {}
