"""What to do with the samples of a pixel, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError

Floats = NDArray[np.float32]
ReadRows = Callable[[int, int, int, Floats], object]
"""``read_rows(frame, y0, y1, out)`` fills `out`, shape (y1 - y0, nx), with rows of a frame; NaN where invalid.

Where it gives True, every sample is known to be finite."""

COMBINES = ("mean", "median", "aawa")
REJECTS = (
    "none", "minmax", "percentile", "sigma", "sigma_once", "kappa", "kappa_median", "mad", "winsorized", "linear_fit",
    "gesd", "noise_model", "avsigclip", "expression", "shrunk",
)  # fmt: skip
SHORTEST = 3
"""Rejection stops where fewer samples than this are left."""
Counted = tuple[slice, slice] | None
"""Rows and columns where the samples of each frame are counted; None means everywhere."""
PASSES = {"sigma_once": 1, "percentile": 1, "expression": 1, "kappa": 5, "kappa_median": 5, "shrunk": 1}
"""Most passes of the methods that do not go on until nothing changes."""


@dataclass(frozen=True)
class NoiseModel:
    """Variance of a sample: read noise, shot noise, and a fraction of the signal (flat-field and sensitivity noise).

    Attributes
    ----------
    rdnoise_e : float
        Read noise, electrons.
    gain_e_adu : float
        Electrons per count.
    pedestal_adu : float
        Level without light, which has no shot noise.
    fraction : float
        Noise that is proportional to the level above the pedestal.
    """

    rdnoise_e: float
    gain_e_adu: float
    pedestal_adu: float = 0.0
    fraction: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.rdnoise_e, self.gain_e_adu, self.pedestal_adu, self.fraction)
        if not (np.isfinite(numbers).all() and self.rdnoise_e >= 0 and self.gain_e_adu > 0 and self.fraction >= 0):
            raise ConfigError(f"{self} is not a noise model", "gain is above 0; read noise and fraction are not below")

    def variance(self, x_adu: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the variance of samples of this level, adu squared; float64, of the shape of `x_adu`."""
        signal = np.maximum(np.asarray(x_adu, np.float64) - self.pedestal_adu, 0)
        read, product = self.rdnoise_e / self.gain_e_adu, self.fraction * signal
        return read * read + signal / self.gain_e_adu + product * product


class Predicate(Protocol):
    """A rejection of the user's own."""

    def reject(self, x: Floats, statistics: dict[str, Any], context: dict[str, Any]) -> NDArray[np.bool_]:
        """Tell which samples to leave out; shape (N, npix)."""


@dataclass(frozen=True)
class Rule:
    """How samples are rejected and combined; the methods are those of `REJECTS` and `COMBINES`.

    Attributes
    ----------
    low, high : float or None
        Thresholds in widths of the method; None means 3.5 for shrunk, 3 for the others.
    iterations : int or None
        Most passes; None means until nothing changes, except for the methods in `PASSES`.
    nlow, nhigh : int
        Samples that minmax drops, of all frames; of fewer valid samples in proportion.
    n_full : int or None
        Valid samples of which minmax drops all that it may, instead of all frames: where frames lie side by side, how
        many there are says nothing about a pixel.
    plow, phigh : float
        Fractions of the median beyond which percentile rejects.
    gesd_fraction, gesd_alpha : float
        Largest fraction rejected, and the significance, of gesd.
    minkeep : int
        Fewest samples left; those nearest to the centre are put back, ties with them. Two of three samples for 3.
        Shrunk needs none: it always leaves one, and may leave no more.
    fit, fit_scale : str
        linear_fit: ols or lad; gauss, siril or pixinsight.
    noise : NoiseModel or None
        Needed by noise_model, and the source of the uncertainty where it is given.
    expression : Predicate or None
        Needed by expression.
    grow : int
        1 leaves out the eight neighbours of a rejected sample in its frame too, but never the last of a pixel.
    prior : float
        shrunk: samples that the known noise of a frame is worth beside the scatter of a pixel.
    gradient, psf : float
        shrunk: what it tolerates of the steepness of the image, and of its curvature where frames differ in sharpness.
    """

    combine: str = "mean"
    reject: str = "none"
    low: float | None = None
    high: float | None = None
    iterations: int | None = None
    nlow: int = 1
    nhigh: int = 1
    n_full: int | None = None
    plow: float = 0.2
    phigh: float = 0.1
    gesd_fraction: float = 0.3
    gesd_alpha: float = 0.05
    minkeep: int = 3
    fit: str = "ols"
    fit_scale: str = "gauss"
    aawa_iterations: int = 5
    noise: NoiseModel | None = None
    expression: Predicate | None = None
    grow: int = 0
    prior: float = 4.0
    gradient: float = 0.5
    psf: float = 1.5

    def __post_init__(self) -> None:
        for side in ("low", "high"):
            if getattr(self, side) is None:
                object.__setattr__(self, side, 3.5 if self.reject == "shrunk" else 3.0)
        if self.combine not in COMBINES or self.reject not in REJECTS:
            raise ConfigError(f"cannot combine by {self.combine} and reject by {self.reject}", _CHOICES)
        if self.reject == "noise_model" and self.noise is None:
            raise ConfigError("rejection noise_model needs gain and read noise", "give them, or reject by winsorized")
        if self.reject == "expression" and self.expression is None:
            raise ConfigError("rejection expression needs an expression", "give one, or reject by another method")
        if self.grow not in (0, 1) or (self.grow and self.reject == "kappa_median"):
            raise ConfigError(
                f"grow {self.grow} with rejection {self.reject}", "grow is 0 or 1, and 0 for kappa_median"
            )

    @property
    def passes(self) -> int:
        """Most passes of the method."""
        return self.iterations or PASSES.get(self.reject, 10_000)

    @property
    def thresholds(self) -> tuple[float, float]:
        """Thresholds below and above, in widths of the method."""
        return (self.plow, self.phigh) if self.reject == "percentile" else (self.low, self.high)

    @property
    def apron(self) -> int:
        """Rows and columns around a pixel that what becomes of it depends on."""
        looks_around = self.reject == "shrunk" and (self.gradient > 0 or self.psf > 0)
        return 2 * looks_around + self.grow


_CHOICES = f"combine by {', '.join(COMBINES)}; reject by {', '.join(REJECTS)}"


@dataclass
class Combined:
    """A stack: planes of shape (ny, nx), and one number per frame.

    Attributes
    ----------
    data : float32
        The result; NaN where no frame has a valid sample.
    n_used : uint16
        Samples that were kept.
    n_low, n_high : uint8
        Samples rejected below and above; 255 stands for 255 or more.
    sigma : float32
        One standard deviation of the result: of the noises of the frames where they are given, else of the noise model
        where there is one, else `sigma_empirical`.
    sigma_empirical : float32
        The same from the scatter of the samples kept, s over root n; NaN where fewer than two are.
    rejected_low, rejected_high, n_valid : int64, shape (N,)
        Samples of each frame that were rejected below, above, and that were valid.
    weight : float32
        Sum of the weights of the samples kept, or their number where none are weighed.
    """

    data: Floats
    n_used: NDArray[np.uint16]
    n_low: NDArray[np.uint8]
    n_high: NDArray[np.uint8]
    sigma: Floats
    sigma_empirical: Floats
    rejected_low: NDArray[np.int64]
    rejected_high: NDArray[np.int64]
    n_valid: NDArray[np.int64]
    weight: Floats
