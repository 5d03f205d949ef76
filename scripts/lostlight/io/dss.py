"""Cutouts of the Digitized Sky Survey from the archives that offer them."""

import gzip
import zlib
from collections.abc import Callable

from lostlight.core.errors import BadImage
from lostlight.io import http
from lostlight.io.cache import Answer

ARCHIVES = {
    "stsci": ("https://archive.stsci.edu", "/cgi-bin/dss_search"),
    "eso": ("https://archive.eso.org", "/dss/dss"),
    "skyview": ("https://skyview.gsfc.nasa.gov", "/current/cgi/runquery.pl"),
}
"""Address and path of each archive."""

_STSCI_NAME = {"poss1_red": "poss1_red", "any": "1"}
_SKYVIEW_PX_ARCMIN = 60 / 1.7
_GZIP = b"\x1f\x8b"


def cutout(
    archive: str,
    ra_deg: float,
    dec_deg: float,
    width_arcmin: float,
    height_arcmin: float,
    *,
    survey: str = "poss1_red",
    url: str = "",
    policy: http.Policy,
    check: Callable[[bytes], object],
) -> Answer:
    """Fetch one cutout, from the cache where it is there.

    Parameters
    ----------
    archive : str
        One of `ARCHIVES`; its protocol is spoken to `url` too.
    ra_deg, dec_deg : float
        Centre, ICRS.
    width_arcmin, height_arcmin : float
        Sides.
    survey : str
        ``poss1_red`` or ``any``, which asks for the first generation of the survey.
    url : str
        Another address, ``sky:<seed>`` included.
    policy : Policy
        Retries, pauses, interval, cache.
    check : callable
        Raises for decompressed content that is not an acceptable image.

    Returns
    -------
    Answer
        The decompressed FITS file.

    Raises
    ------
    RemoteError
        If the archive does not answer, refuses, or breaks off.
    BadImage
        For a broken gzip body; and whatever `check` raises.
    """
    service, path = ARCHIVES[archive]
    params = _QUERIES[archive](f"{ra_deg:.6f}", f"{dec_deg:.6f}", width_arcmin, height_arcmin, survey)
    answer = http.ask(url or service, path, policy, params=params, check=lambda content: check(unpacked(content)))
    return Answer(unpacked(answer.content), answer.is_changed)


def unpacked(content: bytes) -> bytes:
    """Decompress a gzip body; other content stays as it is."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        message = f"the gzip body is damaged after {len(content)} bytes: {error}"
        raise BadImage(message, hint="try again later", reason="TRUNCATED") from error


def _stsci(ra: str, dec: str, width: float, height: float, survey: str) -> dict[str, str]:
    fixed = {"e": "J2000", "f": "fits", "c": "none", "fov": "NONE", "v3": ""}
    return {"v": _STSCI_NAME[survey], "r": ra, "d": dec, "h": f"{height:g}", "w": f"{width:g}", **fixed}


def _eso(ra: str, dec: str, width: float, height: float, survey: str) -> dict[str, str]:
    fixed = {"equinox": "J2000", "mime-type": "application/x-gfits", "Sky-Survey": "DSS1"}
    return {"ra": ra, "dec": dec, "x": f"{width:g}", "y": f"{height:g}", **fixed}


def _skyview(ra: str, dec: str, width: float, height: float, survey: str) -> dict[str, str]:
    pixels = f"{round(width * _SKYVIEW_PX_ARCMIN)},{round(height * _SKYVIEW_PX_ARCMIN)}"
    fixed = {"Survey": "dss1r", "Coordinates": "J2000", "Projection": "Tan", "Return": "FITS"}
    return {"Position": f"{ra},{dec}", "Size": f"{width / 60:.6f},{height / 60:.6f}", "Pixels": pixels, **fixed}


_QUERIES = {"stsci": _stsci, "eso": _eso, "skyview": _skyview}
