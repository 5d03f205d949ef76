"""The fall of completeness towards faint magnitudes: curves fitted to single sources, the best of them, its depth.

The likelihood is that of Bernoulli trials, one for each source: nothing is binned, and no bin width enters. The forms
are those that simulators of surveys take (OSSOS, Bannister et al. 2016; sorcha, Merritt et al. 2025):

    logistic     top / (1 + exp((m - m0) / w))
    double_tanh  top / 4 (1 - tanh((m - m0) / w1)) (1 - tanh((m - m0) / w2))
    square       (top - c (m - 21)^2) / (1 + exp((m - m0) / w))
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

from lostlight.core.errors import ConfigError

FloatArray = NDArray[np.float64]

PIVOT_MAG = 21.0
"""Magnitude at which the parabola of `square` has its top."""
ALIKE = 2.0
"""Fits whose criteria differ by less describe the sources equally well."""
N_BOOTSTRAP = 100
LEAST = 5
"""Sources found, and sources missed, that a fit needs."""
_SMALL = 1e-9
_STEP = 1e-4
"""Of derivatives, in parts of the range of a parameter."""
_WIDTHS = (0.02, 0.06, 0.2)
_PLACES = np.linspace(0.1, 0.9, 9)
"""Where fits start from, in parts of the range of magnitudes."""
_N_STARTS = 3
_N_PLACES = 301


def logistic(mag: FloatArray, top: float, m0: float, w: float) -> FloatArray:
    """Fraction that falls from `top` through half of it at `m0`, e-folding in `w` magnitudes."""
    return top * expit(-(mag - m0) / w)


def double_tanh(mag: FloatArray, top: float, m0: float, w1: float, w2: float) -> FloatArray:
    """Fraction that falls from `top` with a width of its own on either side."""
    return top / 4 * (1 - np.tanh((mag - m0) / w1)) * (1 - np.tanh((mag - m0) / w2))


def square(mag: FloatArray, top: float, c: float, m0: float, w: float) -> FloatArray:
    """Fraction that falls off slowly, as a parabola, before it drops."""
    return np.clip(top - c * (mag - PIVOT_MAG) ** 2, 0, 1) * expit(-(mag - m0) / w)


FORMS: dict[str, tuple[Callable[..., FloatArray], tuple[str, ...]]] = {
    "logistic": (logistic, ("top", "m0", "w")),
    "double_tanh": (double_tanh, ("top", "m0", "w1", "w2")),
    "square": (square, ("top", "c", "m0", "w")),
}
"""Name of a form: its function and the names of its parameters."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A curve that was fitted.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    values : ndarray, (p,), float64
        Parameters, in the order of `names`.
    covariance : ndarray, (p, p), float64
        Of the parameters, by the expected information.
    log_likelihood : float
    m50_mag, m50_err_mag : float
        Where half of all are found, and its error; NaN where the curve never reaches a half, or that is anywhere.
    bootstrap : ndarray, (p,), float64
        Scatter of the parameters when the sources are drawn anew; empty where that was not asked for.
    """

    form: str
    values: FloatArray
    covariance: FloatArray
    log_likelihood: float
    m50_mag: float
    m50_err_mag: float
    bootstrap: FloatArray = field(default_factory=lambda: np.empty(0))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return FORMS[self.form][1]

    @property
    def errors(self) -> FloatArray:
        """Standard errors of the parameters."""
        return np.sqrt(np.clip(np.diag(self.covariance), 0, None))

    @property
    def aic(self) -> float:
        """Akaike's criterion: the smaller the better."""
        return 2 * len(self.values) - 2 * self.log_likelihood

    def at(self, mag: ArrayLike) -> FloatArray:
        """Give the fraction found at magnitudes."""
        return FORMS[self.form][0](np.asarray(mag, float), *self.values)


def fit(mag: ArrayLike, is_found: ArrayLike, form: str = "logistic", n_bootstrap: int = 0, seed: int = 0) -> Fit | None:
    """Fit a curve to sources that were found or not.

    Parameters
    ----------
    mag : array_like, (n,)
        Magnitudes planted; any zero point. NaN is left out.
    is_found : array_like, (n,), bool
    form : str
        One of `FORMS`.
    n_bootstrap : int
        How often the sources are drawn anew, with replacement.
    seed : int
        Of those draws.

    Returns
    -------
    Fit or None
        None where almost all or almost none were found: then many curves fit, however wide or far.

    Raises
    ------
    ConfigError
        If there is no such form.
    """
    if form not in FORMS:
        raise ConfigError(f"there is no form {form!r} of completeness", hint=f"one of {', '.join(FORMS)}", form=form)
    mag, is_found = np.asarray(mag, float), np.asarray(is_found, bool)
    known = np.isfinite(mag)
    mag, is_found = mag[known], is_found[known]
    if not LEAST <= is_found.sum() <= len(mag) - LEAST:
        return None
    low, high = _bounds(form, mag, is_found)
    values, loss = _descend(form, mag, is_found, _starts(form, mag, is_found), low, high)
    covariance = _covariance(form, values, mag, low, high)
    m50 = _m50(form, values, mag)
    slope = _gradient(lambda each: np.array([_m50(form, each, mag)]), values, _STEP * (high - low))[:, 0]
    m50_err = float(np.sqrt(slope @ covariance @ slope)) if np.isfinite(slope).all() else np.nan
    if not m50_err < np.ptp(mag):
        m50 = m50_err = np.nan
    scatter = np.empty(0)
    if n_bootstrap:
        scatter = _bootstrap(form, values, mag, is_found, (low, high), n_bootstrap, np.random.default_rng(seed))
    return Fit(form, values, covariance, -loss, m50, m50_err, scatter)


def fit_all(
    mag: ArrayLike, is_found: ArrayLike, forms: Sequence[str] = tuple(FORMS), n_bootstrap: int = N_BOOTSTRAP
) -> list[Fit]:
    """Fit several forms, the best first and with errors by bootstrap; none if none can be.

    The best has the fewest parameters of those that Akaike's criterion does not tell from the least, by 2.
    """
    made = [found for form in forms if (found := fit(mag, is_found, form)) is not None]
    least = min((each.aic for each in made), default=0.0)
    made.sort(key=lambda each: (len(each.values), each.aic) if each.aic <= least + ALIKE else (math.inf, each.aic))
    if made and n_bootstrap:
        made[0] = fit(mag, is_found, made[0].form, n_bootstrap) or made[0]
    return made


def _bounds(form: str, mag: FloatArray, is_found: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    span = max(float(np.ptp(mag)), 1e-3)
    # A step is placed no better than sources are dense; the parabola leaves a part of all that were found.
    place, width = (mag.min() - span / 2, mag.max() + span / 2), (span / max(len(mag), 20), 2 * span)
    bend = 0.8 / max(np.square(mag[is_found] - PIVOT_MAG).max(), 0.8)
    each = {"top": (0.01, 1.0), "c": (0.0, bend), "m0": place, "w": width, "w1": width, "w2": width}
    low, high = np.array([each[name] for name in FORMS[form][1]]).T
    return low, high


def _starts(form: str, mag: FloatArray, is_found: NDArray[np.bool_]) -> list[FloatArray]:
    """Give several depths and widths, with the fraction of the brighter half as the plateau; the likeliest first."""
    span = max(float(np.ptp(mag)), 1e-3)
    top = np.clip(is_found[mag <= np.median(mag)].mean(), 0.05, 0.98)
    starts = []
    for place in mag.min() + span * _PLACES:
        for width in span * np.array(_WIDTHS):
            # Equal widths would stay equal: the likelihood is the same with both exchanged.
            each = {"top": top, "c": 1e-3, "m0": place, "w": width, "w1": width, "w2": 4 * width}
            starts.append(np.array([each[name] for name in FORMS[form][1]]))
    return sorted(starts, key=lambda start: _loss(start, form, mag, is_found))


def _loss(values: FloatArray, form: str, mag: FloatArray, is_found: NDArray[np.bool_]) -> float:
    chance = np.clip(FORMS[form][0](mag, *values), _SMALL, 1 - _SMALL)
    return -float(np.log(np.where(is_found, chance, 1 - chance)).sum())


def _descend(
    form: str,
    mag: FloatArray,
    is_found: NDArray[np.bool_],
    starts: Sequence[FloatArray],
    low: FloatArray,
    high: FloatArray,
) -> tuple[FloatArray, float]:
    # Parameters are scaled to 0..1, so that one step length suits a fraction and a magnitude alike.
    def loss(scaled: FloatArray) -> float:
        return _loss(low + scaled * (high - low), form, mag, is_found)

    found = [
        minimize(loss, np.clip((start - low) / (high - low), 0, 1), method="L-BFGS-B", bounds=[(0, 1)] * len(low))
        for start in starts[:_N_STARTS]
    ]
    best = min(found, key=lambda each: each.fun)
    return low + best.x * (high - low), float(best.fun)


def _covariance(form: str, values: FloatArray, mag: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Invert the expected information; a parameter that was stopped by its bound has no error."""
    slope = _gradient(lambda each: FORMS[form][0](mag, *each), values, _STEP * (high - low))
    chance = np.clip(FORMS[form][0](mag, *values), _SMALL, 1 - _SMALL)
    free = (values > low + _SMALL) & (values < high - _SMALL)
    information = (slope / (chance * (1 - chance))) @ slope.T
    covariance = np.zeros((len(values), len(values)))
    covariance[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)], hermitian=True)
    return covariance


def _gradient(function: Callable[[FloatArray], FloatArray], values: FloatArray, steps: FloatArray) -> FloatArray:
    """Differentiate by each parameter: shape (p, n) for a function of n values."""
    moves = np.diag(steps)
    return np.stack(
        [
            (function(values + move) - function(values - move)) / (2 * step)
            for move, step in zip(moves, steps, strict=True)
        ]
    )


def _m50(form: str, values: FloatArray, mag: FloatArray) -> float:
    """Find where the curve falls through a half for the last time; NaN where it does not."""
    span = max(float(np.ptp(mag)), 1e-3)

    def excess(where: FloatArray) -> FloatArray:
        return FORMS[form][0](where, *values) - 0.5

    places = np.linspace(mag.min() - span, mag.max() + span, _N_PLACES)
    above = excess(places) > 0
    falls = np.flatnonzero(above[:-1] & ~above[1:])
    if not falls.size:
        return float("nan")
    return float(brentq(lambda x: float(excess(np.array(x))), places[falls[-1]], places[falls[-1] + 1], xtol=1e-10))


def _bootstrap(
    form: str,
    values: FloatArray,
    mag: FloatArray,
    is_found: NDArray[np.bool_],
    bounds: tuple[FloatArray, FloatArray],
    n_draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    drawn = []
    for _ in range(n_draws):
        which = rng.integers(0, len(mag), len(mag))
        if 0 < is_found[which].sum() < len(mag):
            drawn.append(_descend(form, mag[which], is_found[which], [values], *bounds)[0])
    return np.std(drawn, axis=0, ddof=1) if len(drawn) > 1 else np.full(len(values), np.nan)
