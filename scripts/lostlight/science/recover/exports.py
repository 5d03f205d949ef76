"""Completeness in the words of simulators of surveys: an efficiency file of SurveySimulator, the fading of sorcha."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lostlight.science.recover.curves import Fit

_SQUARE, _DOUBLE = "square", "double_tanh"


@dataclass(frozen=True)
class RateBin:
    """Completeness of sources between two rates of motion, arcsec per hour; `fit` is None where none could be made."""

    low_arcsec_h: float
    high_arcsec_h: float
    fit: Fit | None


@dataclass(frozen=True)
class Cut:
    """Motions that were searched: rates in arcsec per hour; directions in degrees from due west, north positive."""

    low_arcsec_h: float
    high_arcsec_h: float
    angle_deg: float = 0.0
    half_width_deg: float = 180.0


def eff(bins: Sequence[RateBin], cut: Cut, filter_name: str = "r", name: str = "") -> str:
    """Write an efficiency file of SurveySimulator (Petit et al. 2018), one function for each bin of rate.

    Parameters
    ----------
    bins : sequence of RateBin
        Bins whose fit is None are left out; those of no part in the file count as efficiency zero there.
    cut : Cut
        What the search looked for.
    filter_name : str
        One letter.
    name : str
        Of the field, for the comment.

    Returns
    -------
    str
        Content of a ``.eff`` file. Errors of magnitudes are those of the signal to noise at the limit, and every
        source that is found counts as tracked: both lines are for the user to mend.
    """
    lines = [
        f"# Detection efficiency of {name or 'one field'}, from planted sources",
        "# rates in arcsec/h; rate_cut: slowest, fastest, direction from due west, half width in degrees",
        f"rate_cut= {cut.low_arcsec_h:.2f} {cut.high_arcsec_h:.2f} {cut.angle_deg:.2f} {cut.half_width_deg:.2f}",
        "# not measured here: error and number of magnitudes, and what fraction is tracked",
        "mag_error= 0.02 0.20 24.0 0.50 24.0 0.0",
        "phot_frac= 0.0 0.0 1.0",
        "track_frac= 1.0 99.0 0.0",
        f"filter= {filter_name}",
    ]
    for each in bins:
        if each.fit is not None:
            lines += ["#", f"rates= {each.low_arcsec_h:.2f} {each.high_arcsec_h:.2f}", *_function(each.fit)]
            lines.append(f"mag_lim= {each.fit.m50_mag if np.isfinite(each.fit.m50_mag) else 0.0:.3f}")
    return "\n".join(lines) + "\n"


def _function(fit: Fit) -> list[str]:
    numbers = {name: float(value) for name, value in zip(fit.names, fit.values, strict=True)}
    if fit.form == _DOUBLE:
        told, keys = "double", ("top", "m0", "w1", "w2")
    else:
        # A logistic is the square without its parabola.
        told, keys = _SQUARE, ("top", "c", "m0", "w")
    values = " ".join(f"{numbers.get(key, 0.0):.7g}" for key in keys)
    return [f"function= {told}", f"{told}_param= {values}"]


def sorcha(fit: Fit) -> str:
    """Write the section of a configuration of sorcha that fades sources out as this search does.

    Parameters
    ----------
    fit : Fit
        Logistic. Its depth is that of the pointing data base: sorcha measures magnitudes from it.

    Returns
    -------
    str
        Section ``[FADINGFUNCTION]`` of the configuration.

    Raises
    ------
    ValueError
        If the fit is not logistic: sorcha knows no other form.
    """
    numbers = dict(zip(fit.names, fit.values, strict=True))
    if fit.form != "logistic":
        raise ValueError(f"sorcha fades by a logistic, not by {fit.form}")
    return (
        f"# five-sigma depth of the pointings that stands for this search: {numbers['m0']:.4f}\n"
        "[FADINGFUNCTION]\n"
        "fading_function_on = True\n"
        f"fading_function_width = {numbers['w']:.4f}\n"
        f"fading_function_peak_efficiency = {numbers['top']:.4f}\n"
    )
