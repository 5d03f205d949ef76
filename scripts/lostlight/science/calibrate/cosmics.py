"""Cosmic rays on a single frame, by their sharp edges, with the stars protected."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from astroscrappy import detect_cosmics
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from lostlight.science.calibrate.quality import mask_of
from lostlight.science.calibrate.sharpness import Sharpness, stellar_fwhm
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.vocab.bits import dq as bits

SHARPEST_PX = 1.5
"""Narrower stars cannot be told from cosmic rays."""

FEWEST_STARS = 5
"""With fewer stars their width is not known, and they are protected as the sharpest are."""

SMALLEST_PX = 8
"""The search reaches seven pixels: a frame, or one colour of it, that is narrower has none to look among."""

ENOUGH_LIGHTS = 3
"""From so many dithered lights on, rejection while stacking finds cosmic rays better."""

_WIDTHS_PX, _CONTRASTS = (2.0, 2.5, 3.5), (20.0, 12.0, 5.0)


@dataclass(frozen=True)
class Cosmics:
    """What was found: the pixels hit, the width of the stars, the contrast asked for, and what to warn of."""

    hit: NDArray[np.bool_]
    sharpness: Sharpness
    objlim: float
    warnings: tuple[Warn, ...] = ()


def wanted(enable: Literal["auto", "on", "off"], n_lights: int) -> bool:
    """Say whether to look for cosmic rays on single frames; auto leaves them to stacking of three or more lights."""
    return enable == "on" or (enable == "auto" and n_lights < ENOUGH_LIGHTS)


def contrast_for(fwhm_px: float) -> float:
    """Give the contrast against stars (objlim) for their width: 5 from 3.5 pixels on, 12 at 2.5, 20 up to 2."""
    return float(np.interp(fwhm_px, _WIDTHS_PX, _CONTRASTS))


def find_cosmics(
    data: NDArray[np.float32],
    uncert: NDArray[np.float32],
    dq: NDArray[np.uint16],
    where: str,
    *,
    sigclip: float = 5.0,
    sigfrac: float = 0.3,
    objlim: float | None = None,
    niter: int = 4,
    bayerpat: str = "",
) -> Cosmics:
    """Find the pixels that cosmic rays hit (L.A.Cosmic, van Dokkum 2001, PASP 113, 1420).

    The noise is that of the uncertainty plane, so that sky, pedestal and dark may be in the pixels or not.
    The sharper the stars, the more contrast is asked for; below a width of 1.5 pixels nothing is looked for, unless
    the contrast is given.
    Of a colour-filter array each of the four sub-images is searched alone, with stars of half the width; there the
    edges of tracks are drawn less exactly.

    Parameters
    ----------
    data : ndarray, shape (ny, nx), float32
        Pixels, adu or electron.
    uncert : ndarray, shape (ny, nx), float32
        One standard deviation, in the unit of `data`.
    dq : ndarray, shape (ny, nx), uint16
        Data-quality bits; pixels that must not be used, and those beside saturated ones, are left out.
    where : str
        Name of the frame, for warnings.
    sigclip, sigfrac : float
        Threshold in units of the noise, and fraction of it for neighbours.
    objlim : float or None
        Contrast against stars; None takes it from their width.
    niter : int
        Most passes.
    bayerpat : str
        Pattern of a colour-filter array.

    Returns
    -------
    Cosmics
    """
    step = 2 if bayerpat else 1
    if min(data.shape) // step < SMALLEST_PX:
        said = f"{data.shape[1]}x{data.shape[0]} pixels are too few to look among"
        return Cosmics(np.zeros(data.shape, bool), Sharpness(np.nan, 0), np.nan, (warn("CAL221", where, said),))
    phases = [np.s_[i::step, j::step] for i in range(step) for j in range(step)]
    hit = np.zeros(data.shape, dtype=bool)
    unusable = mask_of(dq) | ~np.isfinite(data) | ~(uncert > 0)
    saturated = dq & bits("SATURATED") != 0
    sharpness = _sharpness([stellar_fwhm(data[phase], unusable[phase]) for phase in phases])
    contrast, warnings = _contrast(sharpness, objlim, where)
    if not np.isfinite(contrast):
        return Cosmics(hit, sharpness, contrast, warnings)
    for phase in phases:
        left_out = unusable[phase] | binary_dilation(saturated[phase], np.ones((5, 5), dtype=bool))
        if left_out.all():
            continue
        hit[phase] = _search(data[phase], uncert[phase], left_out, sigclip, sigfrac, contrast, niter)
    return Cosmics(hit, sharpness, contrast, warnings)


def _sharpness(parts: list[Sharpness]) -> Sharpness:
    known = [part for part in parts if part.n_stars]
    if not known:
        return Sharpness(np.nan, 0)
    return Sharpness(float(np.median([part.fwhm_px for part in known])), max(part.n_stars for part in known))


def _contrast(sharpness: Sharpness, objlim: float | None, where: str) -> tuple[float, tuple[Warn, ...]]:
    """Choose the contrast; NaN where no search is made."""
    fwhm_px, n_stars = sharpness
    if objlim is not None:
        return objlim, ()
    if n_stars < FEWEST_STARS:
        said = f"{n_stars} stars do not tell their width: only what is far sharper than any star is flagged"
        return contrast_for(0.0), (warn("CAL221", where, said, value=float(n_stars), threshold=FEWEST_STARS),)
    if fwhm_px < SHARPEST_PX:
        return np.nan, (warn("CAL221", where, f"stars are {fwhm_px:.2f} pixels wide", value=fwhm_px),)
    return contrast_for(fwhm_px), ()


def _search(
    data: NDArray[np.float32],
    uncert: NDArray[np.float32],
    left_out: NDArray[np.bool_],
    sigclip: float,
    sigfrac: float,
    objlim: float,
    niter: int,
) -> NDArray[np.bool_]:
    good = ~left_out
    pixels = np.where(good, data, np.median(data[good])).astype(np.float32)
    variance = np.where(good, uncert, np.median(uncert[good])).astype(np.float32) ** 2
    # the full medians cost three times the separable ones, which take the cores of sharp stars for rays
    found, _ = detect_cosmics(
        pixels, inmask=left_out, invar=variance, sigclip=sigclip, sigfrac=sigfrac, objlim=objlim, niter=niter,
        satlevel=np.inf, sepmed=False, cleantype="medmask",
    )  # fmt: skip
    return found & good
