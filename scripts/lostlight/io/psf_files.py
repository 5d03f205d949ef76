"""PSFEx models for the images of a stack, found by the names of the images: `.psf` files, or tables of many chips."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lostlight.core.errors import BadPSF
from lostlight.io import frame_files, frame_list, psfex

_MODEL = re.compile(r"(?P<stem>.+?)([-_.]psfex)?(\.psf|\.(fits?|fts))(\.gz|\.fz)?", re.IGNORECASE)


def found(folder: Path, image: Path) -> Path:
    """Find the model of an image in a folder and its subfolders.

    A model is called as its image (`m31.psf` or `m31-psfex.fits` for `m31.fits.gz`), or as the exposure of which the
    image is a chip (`exp1-psfex.fits` for `exp1.S4.fits`).

    Raises
    ------
    BadPSF
        If there is none, or several.
    """
    stem = frame_list.stem(image.name)
    for wanted in dict.fromkeys((stem, stem.rsplit(".", 1)[0])):
        models = [path for path in _models(folder) if _stem(path) == wanted]
        if len(models) == 1:
            return models[0]
        if models:
            names = " and ".join(sorted(path.relative_to(folder).as_posix() for path in models)[:2])
            raise BadPSF(f"{image.name} has several PSF models: {names}", hint="leave one of them", file=image.name)
    raise BadPSF(
        f"{image.name} has no PSF model in {folder.name} (looked for {stem}.psf and {stem}-psfex.fits)",
        hint="name models as the images, or set psf.model: moffat",
        file=image.name,
    )


def read(path: Path, chip: str = "") -> dict[str, Any]:
    """Read a model into the fields of a `PsfModel`; see `lostlight.io.psfex.read_model`.

    Parameters
    ----------
    path : Path
        What PSFEx writes, or a table with a row for each chip whose columns are the cards of such a file, as surveys
        merge them.
    chip : str
        Name of the chip (EXTNAME), for such a table; a table of one row needs none.

    Raises
    ------
    BadPSF
        If it is no model in x and y, or has none of this chip.
    """
    with frame_files.opened(path, whole=True) as hdus:
        table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.name != "PSF_DATA"), None)
        if table is None or "PSF_DATA" in hdus:
            return psfex.read_model(path)
        rows, cards = table.data, {name.lower() for name in table.columns.names}
        if not {"psf_mask", "psf_samp", "polzero1"} <= cards:
            raise BadPSF(f"{path.name} is not a PSF model", hint="give the files of PSFEx", file=path.name)
        return _fields(rows[_row(rows, chip, path.name)])


def _row(rows: fits.FITS_rec, chip: str, file: str) -> int:
    """Number the row of a chip."""
    names = [name for name in rows.names if name.lower() == "ccdname"]
    chips = [str(value).strip() for value in rows[names[0]]] if names else [""] * len(rows)
    if len(rows) == 1 and (not chip or chips[0] in ("", chip)):
        return 0
    if chips.count(chip) != 1:
        raise BadPSF(f"{file} has no model of chip {chip or 'without a name'}, only of {', '.join(chips)}", file=file)
    return chips.index(chip)


def _fields(row: fits.FITS_record) -> dict[str, Any]:
    """Take the fields of a `PsfModel` from a row; its coordinates count from one."""
    degree = int(row["poldeg1"])
    basis = np.ascontiguousarray(row["psf_mask"], dtype=np.float32)[: (degree + 1) * (degree + 2) // 2]
    return {
        "basis": basis,
        "step_px": float(row["psf_samp"]),
        "x_zero_px": float(row["polzero1"]) - 1,
        "y_zero_px": float(row["polzero2"]) - 1,
        "x_scale_px": float(row["polscal1"]),
        "y_scale_px": float(row["polscal2"]),
        "degree": degree,
        "fwhm_px": float(row["psf_fwhm"]),
        "n_loaded": int(row["loaded"]),
        "n_accepted": int(row["accepted"]),
        "chi2": float(row["chi2"]),
    }


def _models(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and _MODEL.fullmatch(path.name)]


def _stem(path: Path) -> str:
    return _MODEL.fullmatch(path.name)["stem"]
