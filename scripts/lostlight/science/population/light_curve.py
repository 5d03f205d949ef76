"""How sources vary: bodies that turn, variable stars, transients."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.population.classes import ASTEROID_PERIOD_H, CLASSES, Class
from lostlight.science.population.laws import Flat, Law

FloatArray = NDArray[np.float64]

N_NUMBERS = 4
"""Uniform numbers that one light curve is made of."""

PLAIN_AMPLITUDE_MAG, PLAIN_PERIOD_H = 0.25, 8.0
"""Of the light curves ``sinusoid`` and ``sawtooth``, which are the same for all but their phase."""
TWO_PEAKS_ABOVE_MAG = 0.15
"""Bodies that vary more are elongated: their light curves have two peaks in a period, others have one."""
_VARIABLE_AMPLITUDE_MAG, _VARIABLE_PERIOD_H = Flat(0.2, 1.2), Flat(1, 48, log=True)
_DECAY_H, _RISE_PER_DECAY = Flat(6, 240, log=True), 0.2
_STEEP = 0.25
"""Part of the period of a sawtooth in which it brightens."""


@dataclass(frozen=True, eq=False)
class LightCurves:
    """Light curves of n sources; all arrays have shape (n,).

    Parameters
    ----------
    shape : str
        ``none``, ``sinusoid``, ``sawtooth`` or ``transient``.
    amp_mag : float64
        Peak to peak.
    period_h : float64
        Of two peaks where the amplitude is above 0.15 mag, else of one; time in which a transient falls by e.
    phase : float64
        From 0 to 1, at `mjd_ref`; part of the span at which a transient begins.
    mjd_ref, span_days : float
        First image, and from there to the last.
    """

    shape: NDArray[np.str_]
    amp_mag: FloatArray
    period_h: FloatArray
    phase: FloatArray
    mjd_ref: float
    span_days: float

    def only(self, which: NDArray[np.generic]) -> "LightCurves":
        """Give some of them, by number or by truth."""
        parts = (values[which] for values in (self.shape, self.amp_mag, self.period_h, self.phase))
        return LightCurves(*parts, self.mjd_ref, self.span_days)

    def factor(self, mjd: ArrayLike) -> FloatArray:
        """Give the flux in units of that of the mean magnitude; for transients, of the peak.

        Parameters
        ----------
        mjd : array_like, any shape S
            MJD, UTC.

        Returns
        -------
        ndarray, (n, *S), float64
        """
        days = np.asarray(mjd, float) - self.mjd_ref
        factor = np.ones((len(self.shape), *days.shape))
        for name, curve in (("sinusoid", _sinusoid), ("sawtooth", _sawtooth)):
            which = self.shape == name
            period, phase, amp = (
                v[which].reshape(-1, *(1,) * days.ndim) for v in (self._cycle_h, self.phase, self.amp_mag)
            )
            factor[which] = 10 ** (-0.4 * amp * curve(days * 24 / period + phase))
        which = self.shape == "transient"
        decay, phase = (v[which].reshape(-1, *(1,) * days.ndim) for v in (self.period_h, self.phase))
        factor[which] = _burst((days - phase * self.span_days) * 24 / decay)
        return factor

    @property
    def _cycle_h(self) -> FloatArray:
        return self.period_h / np.where(self.amp_mag > TWO_PEAKS_ABOVE_MAG, 2, 1)


def light_curves(
    kind: str,
    sample_type: str,
    subclass: NDArray[np.str_],
    numbers: FloatArray,
    mjd_ref: float,
    span_days: float,
    classes: Mapping[str, Class] = CLASSES,
) -> LightCurves:
    """Draw light curves.

    Parameters
    ----------
    kind : {"none", "sinusoid", "sawtooth", "drawn"}
        Of moving sources: constant; a shape; amplitudes and periods of the class. Sources of the types ``variable`` and
        ``transient`` vary in any case.
    sample_type : str
    subclass : ndarray of str, (n,)
    numbers : ndarray, (n, N_NUMBERS)
        Uniform from 0 to 1.
    mjd_ref, span_days : float
        First image, MJD, and from there to the last.
    classes : mapping
        Populations by name.
    """
    u = np.ascontiguousarray(np.asarray(numbers, float).T)
    n = len(subclass)
    amp, period, shape = np.zeros(n), np.full(n, np.nan), np.full(n, "none", "U9")
    if sample_type == "transient":
        shape[:], period = "transient", _DECAY_H.at(u[1])
        amp[:] = np.nan
    elif sample_type == "variable":
        shape = np.where(u[3] < 0.5, "sinusoid", "sawtooth")
        amp, period = _VARIABLE_AMPLITUDE_MAG.at(u[0]), _VARIABLE_PERIOD_H.at(u[1])
    elif kind == "drawn":
        shape[:] = "sinusoid"
        for name in np.unique(subclass):
            here = subclass == name
            amplitude_mag, period_h = _laws(classes.get(str(name)))
            amp[here], period[here] = amplitude_mag.at(u[0][here]), period_h.at(u[1][here])
    elif kind != "none":
        shape[:], amp[:], period[:] = kind, PLAIN_AMPLITUDE_MAG, PLAIN_PERIOD_H
    return LightCurves(shape, amp, period, u[2], mjd_ref, span_days)


def _laws(kind: Class | None) -> tuple[Law, Law]:
    return (kind.amplitude_mag, kind.period_h) if kind else (Flat(0, 0), ASTEROID_PERIOD_H)


def _sinusoid(cycles: FloatArray) -> FloatArray:
    """Magnitude about the mean, from -1/2 at the peak to 1/2."""
    return -np.cos(2 * np.pi * cycles) / 2


def _sawtooth(cycles: FloatArray) -> FloatArray:
    """As above: brightens in a quarter of the period, and fades in the rest."""
    part = cycles % 1
    return np.where(part < _STEEP, 0.5 - part / _STEEP, (part - _STEEP) / (1 - _STEEP) - 0.5)


def _burst(times: FloatArray) -> FloatArray:
    """Flux in units of its peak, against time since the beginning in units of the decay."""
    since = np.maximum(times, 0)
    peak = _RISE_PER_DECAY * np.log1p(1 / _RISE_PER_DECAY)
    highest = -np.expm1(-peak / _RISE_PER_DECAY) * np.exp(-peak)
    return -np.expm1(-since / _RISE_PER_DECAY) * np.exp(-since) / highest
