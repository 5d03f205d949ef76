"""Sources drawn from populations and put where they are to be seen."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError, instead_of
from lostlight.science.motion.earth import GEOCENTRE
from lostlight.science.motion.geometry import aspect, rate_and_pa, rate_components
from lostlight.science.population.classes import CLASSES, MIXTURES, RESTING, Class, Kinematic, Population
from lostlight.science.population.laws import choose
from lostlight.science.population.legacy import LEGACY, draw_legacy
from lostlight.science.population.phase import absolute_mag, phase_slopes
from lostlight.science.population.place import elements, place_bound, place_visitor
from lostlight.science.population.sight import Sight, apparent_rates, sight
from lostlight.vocab.movers import NEGATIVES, SAMPLE_TYPES, STILL

FloatArray = NDArray[np.float64]

N_NUMBERS = 8
"""Uniform numbers that one source is made of."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Sources of one sample type, n of them; all arrays have shape (n,), and NaN where nothing applies.

    Parameters
    ----------
    sample_type : str
    subclass : str
        Population within the sample type.
    a_au, ecc, inc_deg, node_deg, peri_deg, anomaly_deg : float64
        Orbit, heliocentric, ecliptic J2000; mean anomaly at `mjd`.
    r_helio_au, delta_au, elong_deg, phase_deg : float64
        How the source is seen.
    rate_ra_arcsec_h, rate_dec_arcsec_h, rate_arcsec_h, pa_deg : float64
        Motion on the sky: to the east (with cos dec), to the north, size, direction east of north.
    h_mag : float64
        Absolute magnitude; NaN until `Draws.at_mags` is told how bright they are.
    weight : float64
        How many bodies of the population a draw stands for, relative to one far away on the ecliptic.
    """

    sample_type: str
    subclass: NDArray[np.str_]
    a_au: FloatArray
    ecc: FloatArray
    inc_deg: FloatArray
    node_deg: FloatArray
    peri_deg: FloatArray
    anomaly_deg: FloatArray
    r_helio_au: FloatArray
    delta_au: FloatArray
    elong_deg: FloatArray
    phase_deg: FloatArray
    rate_ra_arcsec_h: FloatArray
    rate_dec_arcsec_h: FloatArray
    rate_arcsec_h: FloatArray
    pa_deg: FloatArray
    h_mag: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.weight)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Give all arrays by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)[1:]}

    def only(self, which: NDArray[np.generic]) -> "Draws":
        """Give some of them, by number or by truth."""
        return Draws(self.sample_type, **{name: values[which] for name, values in self.columns().items()})

    def at_mags(self, mag: ArrayLike) -> "Draws":
        """Fill in the absolute magnitudes that make them as bright as `mag` (n,) where they are."""
        slopes = phase_slopes(self.subclass)
        return replace(self, h_mag=absolute_mag(mag, self.r_helio_au, self.delta_au, self.phase_deg, slopes))


def draw(
    sample_type: str,
    n: int,
    rng: np.random.Generator,
    *,
    mjd: ArrayLike,
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    observer: str = GEOCENTRE,
    classes: Mapping[str, Class] = CLASSES,
) -> Draws:
    """Draw sources of a sample type, seen at given positions of the sky.

    Parameters
    ----------
    sample_type : str
        One of ``vocab.movers.SAMPLE_TYPES``.
    n : int
        How many.
    rng : Generator
    mjd : array_like, () or (n,)
        When they are seen there, MJD, UTC.
    ra_deg, dec_deg : array_like, () or (n,)
        Where, degrees.
    observer : str
        As for `lostlight.science.motion.earth.observer_position`.
    classes : mapping
        Populations by name; those of `lostlight.science.population.classes`.

    Raises
    ------
    ConfigError
        If there is no such sample type.
    """
    numbers = rng.random((n, N_NUMBERS))
    return from_numbers(
        sample_type, numbers, mjd=mjd, ra_deg=ra_deg, dec_deg=dec_deg, observer=observer, classes=classes
    )


def from_numbers(
    sample_type: str,
    numbers: FloatArray,
    *,
    mjd: ArrayLike,
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    observer: str = GEOCENTRE,
    classes: Mapping[str, Class] = CLASSES,
) -> Draws:
    """Make sources from uniform numbers: each from its own, whatever else is in the batch.

    Parameters
    ----------
    numbers : ndarray, (n, N_NUMBERS)
        Uniform from 0 to 1; the rest as in `draw`.
    """
    names, shares = members(sample_type)
    numbers = np.ascontiguousarray(np.asarray(numbers, float).T)
    seen = sight(numbers.shape[1], mjd, ra_deg, dec_deg, observer)
    which, _ = choose(shares, numbers[0])
    table = {field.name: np.full(len(which), np.nan) for field in fields(Draws)[2:]}
    for k, name in enumerate(names):
        here = which == k
        if here.any():
            for column, values in _class_columns(name, classes, numbers[1:, here], seen.only(here)).items():
                table[column][here] = values
    return Draws(sample_type, np.array(names)[which], **table)


def members(sample_type: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Give the populations of a sample type and their shares.

    Raises
    ------
    ConfigError
        If there is no such sample type.
    """
    if sample_type not in SAMPLE_TYPES:
        raise ConfigError(
            f"there is no sample type {sample_type!r}",
            hint=instead_of(sample_type, SAMPLE_TYPES),
            sample_type=sample_type,
        )
    if sample_type == LEGACY:
        return (LEGACY,), (1.0,)
    mixture = MIXTURES.get(sample_type, {sample_type: 1.0})
    return tuple(mixture), tuple(mixture.values())


def _class_columns(name: str, classes: Mapping[str, Class], numbers: FloatArray, seen: Sight) -> dict[str, FloatArray]:
    if name == LEGACY:
        return draw_legacy(numbers, seen)
    kind = RESTING if name in (*STILL, *NEGATIVES) else classes[name]
    if isinstance(kind, Kinematic):
        return _kinematic(kind, numbers, seen)
    place = place_bound if isinstance(kind, Population) else place_visitor
    placed = place(kind, numbers, seen)
    aspects = aspect(placed.position, seen.observer)
    rates = apparent_rates(placed.position, placed.velocity, seen)
    return {
        **elements(placed, aspects.delta_au)._asdict(),
        **aspects._asdict(),
        **_rate_columns(*rates),
        "weight": placed.weight,
    }


def _kinematic(kind: Kinematic, numbers: FloatArray, seen: Sight) -> dict[str, FloatArray]:
    rates = rate_components(kind.rate_arcsec_h.at(numbers[0]), kind.pa_deg.at(numbers[1]))
    elongation = aspect(seen.observer + seen.towards, seen.observer).elong_deg
    return {"elong_deg": elongation, **_rate_columns(*rates), "weight": np.ones_like(elongation)}


def _rate_columns(east: FloatArray, north: FloatArray) -> dict[str, FloatArray]:
    rate, pa = rate_and_pa(east, north)
    return {"rate_ra_arcsec_h": east, "rate_dec_arcsec_h": north, "rate_arcsec_h": rate, "pa_deg": pa}
