"""What a check of drawn populations is, and what it is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lostlight.science.motion.earth import GEOCENTRE
from lostlight.science.motion.geometry import aspect, ecliptic_pa
from lostlight.science.population.classes import CLASSES, Class, Population
from lostlight.science.population.draw import Draws, members
from lostlight.science.population.expectation import Expected, expected
from lostlight.science.population.sight import sight

FloatArray = NDArray[np.float64]

KBO = "kbo"
"""Mode with the windows of trans-Neptunian objects; any other goes by celestial mechanics alone."""

_NEAR_OPPOSITION_DEG = 150.0
_N_ERRORS, _LATTICE_ERROR = 3.0, 0.003


@dataclass(frozen=True)
class Check:
    """One question, and its answer in numbers.

    Parameters
    ----------
    name : str
    is_passed : bool
    measured : float or None
    allowed : str
        What it may be.
    why : str
        Where the limit comes from.
    """

    name: str
    is_passed: bool
    measured: float | None
    allowed: str
    why: str

    def record(self) -> dict[str, str | bool | float | None]:
        """Give it in plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Frames:
    """The images on which the paths of sources are followed.

    Parameters
    ----------
    n : int
        How many, evenly over the arc.
    arc_h : float
    pixel_arcsec : float
    patch_px : int
        Side of the patch; sources are in the middle of it in the middle of the arc.
    min_epochs : float
        Fraction of the images that must show a source.
    """

    n: int = 5
    arc_h: float = 4.0
    pixel_arcsec: float = 0.187
    patch_px: int = 128
    min_epochs: float = 0.8


@dataclass(frozen=True, eq=False)
class Declared:
    """What is drawn, and where; and so, what it should look like.

    Parameters
    ----------
    priors : str
        Sample type.
    mode : str
        `KBO`, or ``general``.
    mjd, ra_deg, dec_deg : float
        When and where the sources are seen.
    observer : str
    classes : mapping
        Populations by name.
    frames : Frames
    """

    priors: str
    mode: str
    mjd: float
    ra_deg: float
    dec_deg: float
    observer: str = GEOCENTRE
    classes: Mapping[str, Class] = field(default_factory=lambda: CLASSES)
    frames: Frames = Frames()

    @cached_property
    def elong_deg(self) -> float:
        """Elongation from the Sun."""
        seen = sight(1, self.mjd, self.ra_deg, self.dec_deg, self.observer)
        return float(aspect(seen.observer + seen.towards, seen.observer).elong_deg[0])

    @property
    def has_windows(self) -> bool:
        """Whether the windows of rates and directions hold: those of trans-Neptunian objects near opposition."""
        return self.mode == KBO and self.elong_deg >= _NEAR_OPPOSITION_DEG

    @cached_property
    def expected(self) -> Mapping[str, Expected | None]:
        """What each population should show; None where limits of distance decide, or nothing is declared."""
        seen = sight(1, self.mjd, self.ra_deg, self.dec_deg, self.observer)
        kinds = {name: self.classes.get(name) for name in members(self.priors)[0]}
        return {n: expected(kind, seen) if isinstance(kind, Population) else None for n, kind in kinds.items()}

    def mean(self, name: str) -> float | None:
        """Mean of a number of `Expected` over the mixture; None where a part is not known."""
        parts = list(self.expected.values())
        if not all(parts):
            return None
        return float(np.average([getattr(part, name) for part in parts], weights=members(self.priors)[1]))

    def angle_from_west(self, draws: Draws) -> FloatArray:
        """Directions from the west along the ecliptic, -180 to 180 degrees, clockwise on a sky with north up (n,)."""
        return (draws.pa_deg - ecliptic_pa(self.ra_deg, self.dec_deg)) % 360 - 180


def about(values: FloatArray, mean: float | None) -> tuple[float, float, str]:
    """Give the range in which the mean of drawn values should be, and why."""
    if mean is None:
        return 0.0, np.inf, "limits of distance decide: no expectation"
    width = _N_ERRORS * float(np.std(values)) / np.sqrt(len(values)) + _LATTICE_ERROR * mean
    return mean - width, mean + width, f"three errors about {mean:.4f}, the sum over a lattice of orbits"


def within(name: str, values: FloatArray, low: float, high: float, unit: str, why: str) -> Check:
    """Check that the mean of values lies in a range."""
    mean = float(np.mean(values))
    return Check(name, bool(low <= mean <= high), mean, f"{low:.3f} to {high:.3f} {unit}", why)


def phi_check(name: str, draws: Draws, told: Declared, limit: float, why: str) -> Check:
    """Check the angle from the west within which 95 % of all sources move."""
    moving = draws.rate_arcsec_h > 0
    angle = float(np.percentile(np.abs(told.angle_from_west(draws))[moving], 95)) if moving.any() else 0.0
    return Check(name, angle <= limit, angle, f"<= {limit:.2f} deg", why)


def phi_limit(told: Declared) -> tuple[float, str]:
    """Give the angle that the declared inclinations allow, and why."""
    angles = [part.phi_p95_deg if part else 180.0 for part in told.expected.values()]
    return min(1.2 * max(angles), 180.0), "1.2 times what the declared inclinations allow at this elongation"
