"""Plates and frames of one's own: which files there are, and what their headers say."""

import warnings
from pathlib import Path

from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyWarning

from lostlight.core.errors import BadImage, ConfigError

_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz")


def images(path: str) -> list[Path]:
    """List the FITS files that a path names: the file itself, or all in the folder, by name.

    Raises
    ------
    ConfigError
        If the path is empty, does not exist, or holds no FITS file.
    """
    place = Path(path)
    if not path or not place.exists():
        raise ConfigError(
            f"download.folder = {path!r}: there is no such file or folder", hint="give own plates by path"
        )
    found = [place] if place.is_file() else sorted(file for file in place.iterdir() if _is_fits(file))
    if not found:
        raise ConfigError(
            f"download.folder = {path!r} holds no FITS file", hint=f"files must end in {', '.join(_SUFFIXES)}"
        )
    return found


def header_of(path: Path) -> Header:
    """Read the header of the first two-dimensional image of a file without its pixels.

    Raises
    ------
    BadImage
        If it is no FITS file or holds no such image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path, memmap=False) as hdus:
                found = next((hdu.header for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2), None)
    except (OSError, EOFError, ValueError, fits.VerifyError) as error:
        raise BadImage(f"{path.name} cannot be read as FITS: {error}", hint="check the file", file=path.name) from error
    if found is None:
        raise BadImage(f"{path.name} holds no two-dimensional image", hint="leave it out", file=path.name)
    return found


def _is_fits(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_SUFFIXES)
