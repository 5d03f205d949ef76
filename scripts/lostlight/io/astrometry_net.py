"""Astrometry.net: ask solve-field where on the sky a frame lies, from its stars alone.

The program needs index files of the sky, which are installed apart from it. Without the program, without indexes, or
where it finds nothing, there is no answer, and the frame is registered to the others by its stars instead.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike

from lostlight.core.errors import ToolFailed, ToolTimeout
from lostlight.io import tools

PROGRAM = "solve-field"

_log = logging.getLogger(__name__)
_MOST_STARS = 1000
_GRACE_S = 10.0
_SOLUTION = re.compile(
    r"WCSAXES|CTYPE\d|CUNIT\d|CRVAL\d|CRPIX\d|CD\d_\d|LONPOLE|LATPOLE"
    r"|(A|B|AP|BP)_(ORDER|\d_\d)"
)


@dataclass(frozen=True)
class Hint:
    """What is known before: the less there is to search, the sooner it is found.

    Attributes
    ----------
    ra_deg, dec_deg, radius_deg : float, optional
        Where the centre of the frame lies at most so far off.
    scale_arcsec : (float, float), optional
        Smallest and largest side of a pixel.
    """

    ra_deg: float | None = None
    dec_deg: float | None = None
    radius_deg: float = 5.0
    scale_arcsec: tuple[float, float] | None = None


def available() -> bool:
    """Whether solve-field is installed."""
    return tools.find(PROGRAM) is not None


def solve(
    x: ArrayLike,
    y: ArrayLike,
    flux: ArrayLike,
    shape: tuple[int, int],
    *,
    hint: Hint | None = None,
    timeout_s: float = 120,
    config: Path | None = None,
) -> fits.Header | None:
    """Find the place of a frame on the sky.

    Parameters
    ----------
    x, y : array_like of float, shape (n,), pixels
        Zero-based positions of stars.
    flux : array_like of float, shape (n,)
        In any unit; the brightest thousand are used.
    shape : tuple of int
        Rows and columns of the frame.
    hint : Hint, optional
        Where to look, and at which scale.
    timeout_s : float
        When to give up.
    config : Path, optional
        Configuration of astrometry-engine that names the indexes; unless given, that of the installation.

    Returns
    -------
    astropy.io.fits.Header or None
        The cards of the sky solution (TAN with SIP) alone; None where none was found, which the log explains.

    Raises
    ------
    ToolMissing
        If solve-field is not installed.
    """
    tools.require(PROGRAM)
    with TemporaryDirectory(prefix="lostlight-") as name:
        work = Path(name)
        _write_stars(work / "stars.xyls", x, y, flux)
        try:
            tools.run(PROGRAM, _arguments(shape, hint or Hint(), timeout_s, config), work, timeout_s + _GRACE_S)
        except (ToolFailed, ToolTimeout) as error:
            _log.warning("no sky solution; are index files installed that suit the field? %s", error.message)
            return None
        solution = work / "stars.wcs"
        if not solution.exists():
            _log.info("%s found no sky solution", PROGRAM)
            return None
        found = fits.getheader(solution)
    cards = [(card.keyword, card.value) for card in found.cards if _SOLUTION.fullmatch(card.keyword)]
    # All indexes of today are made of catalogues in this system, but the program does not say so.
    return fits.Header([*cards, ("RADESYS", "ICRS")])


def _write_stars(path: Path, x: ArrayLike, y: ArrayLike, flux: ArrayLike) -> None:
    columns = np.array([np.ravel(values) for values in (x, y, flux)], dtype=np.float64)
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    order = np.lexsort((columns[1], columns[0], -columns[2]))[:_MOST_STARS]
    one_based = columns[0][order] + 1, columns[1][order] + 1, columns[2][order]
    table = [fits.Column(name, "E", array=values) for name, values in zip(("X", "Y", "FLUX"), one_based, strict=True)]
    fits.BinTableHDU.from_columns(table).writeto(path)


def _arguments(shape: tuple[int, int], hint: Hint, timeout_s: float, config: Path | None) -> Sequence[str]:
    ny, nx = shape
    words = ["stars.xyls", "--width", nx, "--height", ny, "--x-column", "X", "--y-column", "Y"]
    words += ["--sort-column", "FLUX", "--no-plots", "--overwrite", "--cpulimit", f"{timeout_s:g}", "--temp-dir", "."]
    words += ["--new-fits", "none", "--index-xyls", "none", "--rdls", "none", "--match", "none", "--corr", "none"]
    if config is not None:
        words += ["--backend-config", config.resolve()]
    if hint.ra_deg is not None and hint.dec_deg is not None:
        words += ["--ra", repr(hint.ra_deg), "--dec", repr(hint.dec_deg), "--radius", f"{hint.radius_deg:g}"]
    if hint.scale_arcsec is not None:
        low, high = hint.scale_arcsec
        words += ["--scale-units", "arcsecperpix", "--scale-low", f"{low:g}", "--scale-high", f"{high:g}"]
    return [str(word) for word in words]
