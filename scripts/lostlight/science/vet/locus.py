"""The stellar locus of a tile: where its own stars lie in shape, at each brightness.

On a plate the PSF widens with brightness and the zero point of SPREAD_MODEL moves from tile to tile, so a fixed cut is
a different cut on every tile. What the stars of the same tile look like at the same flux is the only fair measure.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import TooFewSources
from lostlight.science.match.residual import MAD_TO_SIGMA
from lostlight.vocab.extraction import BLENDED, NEIGHBOURS, SATURATED

MIN_PER_BIN = 15
"""Detections per flux bin below which a median and a MAD mean little; there are fewer bins then."""

MIN_CLEAN = 20
"""Clean detections below which a tile has no locus."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Locus:
    """Median and robust sigma of one quantity against log10 flux, linear between the bins and flat beyond them."""

    log_flux: Floats
    median: Floats
    sigma: Floats

    def deviation(self, log_flux: Floats, values: Floats) -> Floats:
        """Distance of values from the locus in sigmas; NaN where flux or value is not a number."""
        centre = np.interp(log_flux, self.log_flux, self.median)
        return (values - centre) / np.interp(log_flux, self.log_flux, self.sigma)


def fit_locus(log_flux: Floats, values: Floats, n_bins: int = 12) -> Locus:
    """Measure the locus of a quantity: median and MAD in bins of equal number along the flux.

    Parameters
    ----------
    log_flux, values : ndarray, shape (n,), float64
        Of clean detections, all finite.
    n_bins : int
        Largest number of bins.

    Raises
    ------
    TooFewSources
        Below 20 detections.
    """
    if len(values) < MIN_CLEAN:
        raise TooFewSources(
            f"only {len(values)} clean detections make the stellar locus, {MIN_CLEAN} are needed",
            hint="look at mask and flags of the tile, or use filter.gates: mnras2022",
            found=len(values), needed=MIN_CLEAN,
        )  # fmt: skip
    order = np.argsort(log_flux, kind="stable")
    bins = np.array_split(order, min(n_bins, max(1, len(order) // MIN_PER_BIN)))
    medians = np.array([np.median(values[part]) for part in bins])
    sigmas = np.array([MAD_TO_SIGMA * np.median(np.abs(values[part] - np.median(values[part]))) for part in bins])
    # identical values in one bin must not make it infinitely strict
    floor = max(0.1 * float(np.median(sigmas)), 1e-6)
    return Locus(np.array([np.median(log_flux[part]) for part in bins]), medians, np.maximum(sigmas, floor))


def locus_cuts(
    table: Table, usable: Bools, *, k_sigma: float = 4, snr_min: float = 10, n_bins: int = 12
) -> tuple[dict[str, Bools], dict[str, float]]:
    """Tell which detections lie off the stellar locus of their tile.

    The locus is that of all clean detections, matched ones included: no extraction flags but saturation, above the SNR
    limit, on usable pixels.
    SPREAD_MODEL and ln FWHM must lie within `k_sigma` on both sides, ELONGATION below on the upper. A value that is not
    a number fails.

    Parameters
    ----------
    table : Table
        Every detection of one tile: `extraction_flags`, `snr_win`, `flux_auto_adu`, `spread_model`, `fwhm_px`,
        `elongation`.
    usable : ndarray, shape (n,), bool
        False on masked pixels.
    k_sigma : float
        Half width of the locus.
    snr_min : float
        Signal to noise a detection must exceed.
    n_bins : int
        Largest number of flux bins.

    Returns
    -------
    cuts : dict
        Name of the filter bit to ndarray of bool, shape (n,): True where the row fails.
    metrics : dict
        Size of the sample and medians of the locus.

    Raises
    ------
    TooFewSources
        If there are too few clean detections to tell.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_flux = np.log10(np.asarray(table["flux_auto_adu"], float))
        shape = {
            "spread": np.asarray(table["spread_model"], float),
            "ln_fwhm": np.log(np.asarray(table["fwhm_px"], float)),
            "elongation": np.asarray(table["elongation"], float),
        }
    extraction = np.asarray(table["extraction_flags"])
    # Saturation is no fault here: on a plate every bright star saturates, and is compared with its equals.
    unblended = (extraction & ~SATURATED) == 0
    # Nor are neighbours: what they did to a source shows in its shape, and the shape is what decides.
    extracted = (extraction & ~(SATURATED | BLENDED | NEIGHBOURS)) == 0
    bright = np.asarray(table["snr_win"], float) > snr_min
    finite = np.isfinite(log_flux) & np.logical_and.reduce([np.isfinite(values) for values in shape.values()])
    clean = unblended & bright & usable & finite
    deviation = {
        name: fit_locus(log_flux[clean], values[clean], n_bins).deviation(log_flux, values)
        for name, values in shape.items()
    }
    on_locus = (
        (np.abs(deviation["spread"]) <= k_sigma)
        & (np.abs(deviation["ln_fwhm"]) <= k_sigma)
        & (deviation["elongation"] < k_sigma)
    )
    metrics = {"n_locus_stars": int(clean.sum())} | {
        f"locus_{name}": round(float(np.median(values[clean])), 6) for name, values in shape.items()
    }
    return {"EXTRACTION": ~extracted, "SNR": ~bright, "LOCUS": ~on_locus}, metrics
