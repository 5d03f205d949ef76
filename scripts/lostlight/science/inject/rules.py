"""What is planted: the rules that a plan, a batch of cases or a single case follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError, instead_of
from lostlight.science.inject.targets import TargetConfig
from lostlight.vocab.movers import BRIGHTNESS, KINEMATIC, SAMPLE_TYPES

LEGACY_BRIGHT = 0.25
"""Part of the sources of law ``legacy`` that are brighter than 6."""
MOTIONS = ("linear", "abg", "kepler", "table")


@dataclass(frozen=True)
class Brightness:
    """How bright sources are: a number drawn evenly between two, and what it means.

    Parameters
    ----------
    mode : str
        One of `lostlight.vocab.movers.BRIGHTNESS`.
    low, high : float
        Least and most of it.
    law : str
        ``uniform`` between them; ``legacy``: three quarters between 3 and 6, one quarter between 6 and 10.
    """

    mode: str = "snr_stack"
    low: float = 2.0
    high: float = 15.0
    law: str = "uniform"

    def __post_init__(self) -> None:
        if self.mode not in BRIGHTNESS:
            raise ConfigError(f"there is no brightness {self.mode!r}", instead_of(self.mode, BRIGHTNESS))
        if not self.low <= self.high:
            raise ConfigError(f"brightness from {self.low} to {self.high}", "give the least first")
        if self.law not in ("uniform", "legacy"):
            raise ConfigError(f"there is no law of brightness {self.law!r}", "choose from uniform, legacy")

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the numbers of `n` sources."""
        if self.law == "uniform":
            return rng.uniform(self.low, self.high, n)
        bright, part = rng.uniform(size=(2, n))
        return np.where(bright < LEGACY_BRIGHT, 6 + 4 * part, 3 + 3 * part)


@dataclass(frozen=True)
class InjectionRules:
    """What is planted, where, and how bright.

    Parameters
    ----------
    seed : int
        Of everything that is drawn.
    n : int
        Sources of a plan.
    classes : mapping of str to float
        Sample types and how often each is drawn.
    rates : mapping of str to (float, float)
        Slowest and fastest motion of sample types without an orbit, arcsec per hour; those that are not named have
        the limits of `lostlight.science.population.classes`.
    motion : str
        ``linear``, ``abg``, ``kepler``, or ``table``, for which positions are given.
    observer : str
        As `lostlight.science.motion.earth` takes it.
    brightness : Brightness
    light_curve : str
        ``none``, ``sinusoid``, ``sawtooth`` or ``drawn``.
    colours : mapping of str to float
        Magnitude in a filter minus that in the first image's.
    target : TargetConfig
    min_separation_fwhm : float
        Distance of two sources in the same copy of the images.
    max_coverage : float
        Fraction of an image that planted sources may touch.
    poisson : bool
        Photon noise of the added light, where the gain is known.
    dropout : float
        Chance that a source is left out of an image.
    plate_scale : float
        Arcsec per pixel, for images without a WCS: x is then east and y south.
    stack_id : str

    Raises
    ------
    ConfigError
        For sample types or motions that there are not, and rates that make no sense.
    """

    seed: int = 0
    n: int = 1
    classes: Mapping[str, float] = field(default_factory=lambda: {"tno": 1.0})
    rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    motion: str = "linear"
    observer: str = "geocentre"
    brightness: Brightness = Brightness()
    light_curve: str = "none"
    colours: Mapping[str, float] = field(default_factory=dict)
    target: TargetConfig = field(default_factory=lambda: TargetConfig("visible"))
    min_separation_fwhm: float = 20.0
    max_coverage: float = 0.01
    poisson: bool = True
    dropout: float = 0.0
    plate_scale: float = 1.0
    stack_id: str = ""

    def __post_init__(self) -> None:
        for name in self.classes:
            if name not in SAMPLE_TYPES:
                raise ConfigError(f"there is no sample type {name!r}", instead_of(name, SAMPLE_TYPES))
        if not self.classes or min(self.classes.values()) < 0 or not sum(self.classes.values()) > 0:
            raise ConfigError(f"shares of sample types: {dict(self.classes)}", "give one at least, none negative")
        for name, (low, high) in self.rates.items():
            if name not in KINEMATIC:
                raise ConfigError(f"sample type {name!r} has no rates", f"choose from {', '.join(KINEMATIC)}")
            if not 0 < low <= high:
                raise ConfigError(f"rates of {name} from {low:g} to {high:g} arcsec/h", "give the least first, above 0")
        if self.motion not in MOTIONS:
            raise ConfigError(f"there is no motion {self.motion!r}", instead_of(self.motion, MOTIONS))
        if not 0 <= self.dropout <= 1:
            raise ConfigError(f"a chance of {self.dropout} that a source is left out", "give 0 to 1")
        if not self.plate_scale > 0:
            raise ConfigError(f"plate scale {self.plate_scale}", "give arcsec per pixel, above 0")
