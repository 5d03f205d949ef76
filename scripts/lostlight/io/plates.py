"""What the headers of images say, read without their pixels."""

import logging
import warnings
from collections.abc import Iterable
from pathlib import Path

from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyWarning

from lostlight.core.errors import BadImage


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
    except (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, fits.VerifyError) as error:
        raise BadImage(f"{path.name} cannot be read as FITS: {error}", hint="check the file", file=path.name) from error
    if found is None:
        raise BadImage(f"{path.name} holds no two-dimensional image", hint="leave it out", file=path.name)
    return found


def headers_of(paths: Iterable[Path]) -> dict[Path, Header]:
    """Read the headers of those files that are images; the others are passed over with a warning."""
    headers = {}
    for path in paths:
        try:
            headers[path] = header_of(path)
        except BadImage as error:
            logging.getLogger(__name__).warning("%s is passed over: %s", path.name, error.message)
    return headers
