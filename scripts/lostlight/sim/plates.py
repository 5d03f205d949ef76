"""The plates: where they point, when and how they were exposed and scanned, and how the sky falls on them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache

import numpy as np
from astropy import units
from astropy.coordinates import FK5, SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from lostlight.sim.cells import stream
from lostlight.sim.plate_header import plate_header, solution_cards
from lostlight.sim.sources import unit_vectors

SOUTHERN_LIMIT_DEG = -33.0
"""South of this the first Palomar survey has no plates; the plates there belong to another survey."""
EXPOSED_HALF_MM = 174.0
"""Half the side of the exposed emulsion: 6.5 degrees across, inside a bare rim."""
SIDE_MM = 354.0

_BAND_STEP_DEG = 6.0
_RA_STEP_DEG = 6.0
# Scans as (fraction, pixels, step in micrometres): the old machine, its late step, the second machine.
_SCANS = ((0.866, 14000, 25.2845), (0.010, 14000, 24.9956), (0.124, 23040, 15.0295))
_EXPOSURES_MIN = ((0.43, 45.0), (0.36, 50.0), (0.13, 40.0), (0.06, 60.0), (0.02, 70.0))
_GRADES = ((0.51, "1"), (0.21, ""), (0.12, "unavailabl"), (0.09, "0"), (0.07, "2"))
_SCAN_NUMBERS = ((0.86, "00"), (0.13, "01"), (0.01, "02"))
_LONGITUDE_HOURS_WEST = 116.863 / 15


@dataclass(frozen=True)
class Plate:
    """One photographic plate and its scan.

    Pixel positions are zero-based on the whole plate. `amdx` and `amdy` are the plate solution of the header;
    `waves` is what it gets wrong: a smooth residual of a few tenths of an arcsecond.
    """

    index: int
    id: str
    survey: str
    centre: tuple[float, float]  # ra, dec in degrees, exactly as the header rounds them
    n_px: int
    pixel_um: float
    amdx: tuple[float, ...]
    amdy: tuple[float, ...]
    waves: tuple[tuple[float, ...], ...]  # (cycles over the plate in x and y, phase, arcsec in x, arcsec in y)
    mid_exposure: datetime  # UT
    hour_angle_h: float
    exposure_min: float
    grade: str
    scan_number: str
    label_number: int
    seeing_arcsec: float  # FWHM of a faint star before the scan
    half_density_sky: float  # light, in units of the sky, that gives half the full density
    contrast: float  # exponent of the response
    full_density: float  # counts
    graininess: float  # noise over that of a typical plate

    @property
    def epoch_yr(self) -> float:
        """Julian year of the middle of the exposure."""
        return 2000.0 + (self.jd - 2451545.0) / 365.25

    @property
    def jd(self) -> float:
        """Julian date (UT) of the middle of the exposure."""
        midnight = datetime(self.mid_exposure.year, self.mid_exposure.month, self.mid_exposure.day)
        days = (self.mid_exposure - midnight) / timedelta(days=1)
        return midnight.toordinal() + 1721424.5 + days

    @property
    def scale_arcsec(self) -> float:
        """Arcseconds per pixel."""
        return self.pixel_um / 1000 * 67.2

    @cached_property
    def wcs(self) -> WCS:
        """The mapping of the header from zero-based plate pixels to the sky, residual not included."""
        return WCS(Header([card[:2] for card in solution_cards(self, 0, 0)]))

    def header(self) -> Header:
        """Give the header of the full plate scan."""
        return plate_header(self)

    def sky_to_pix(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find where positions really fall on the plate: the solution of the header plus its residual.

        Parameters
        ----------
        ra_deg, dec_deg : array_like of float, (n,)
            Positions at the epoch of the plate, degrees.

        Returns
        -------
        x_px, y_px : ndarray of float64, (n,)
            Zero-based plate pixels; NaN far from the plate.
        """
        ra, dec = np.atleast_1d(np.asarray(ra_deg, float)), np.atleast_1d(np.asarray(dec_deg, float))
        x, y = np.full(ra.shape, np.nan), np.full(ra.shape, np.nan)
        near = unit_vectors(ra, dec) @ unit_vectors(*self.centre) > np.cos(np.radians(8.0))
        if near.any():
            x[near], y[near] = self.wcs.wcs_world2pix(ra[near], dec[near], 0)
        dx, dy = self.residual_arcsec(x, y)
        return x + dx / self.scale_arcsec, y + dy / self.scale_arcsec

    def residual_arcsec(
        self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the error of the header's plate solution at plate pixels, in arcsec along x and y."""
        u, v = x_px / self.n_px, y_px / self.n_px
        dx, dy = np.zeros_like(u), np.zeros_like(u)
        for cycles_x, cycles_y, phase, ax, ay in self.waves:
            wave = np.sin(2 * np.pi * (cycles_x * u + cycles_y * v) + phase)
            dx += ax * wave
            dy += ay * wave
        return dx, dy

    def millimetres(
        self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Turn plate pixels into millimetres from the middle of the plate."""
        middle = (self.n_px - 1) / 2
        return (x_px - middle) * self.pixel_um / 1000, (y_px - middle) * self.pixel_um / 1000


class Layout:
    """All plates of the survey: bands of declination six degrees apart, drawn up for the equinox of 1855."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = stream(seed, "layout")
        ra, dec = _grid()
        old = SkyCoord(ra * units.deg, dec * units.deg, frame=FK5(equinox="J1855"))
        new = old.transform_to(FK5(equinox="J2000"))
        pointing = rng.normal(0, 0.07, (2, len(ra)))
        self.dec_deg = np.clip(new.dec.deg + pointing[0], -89.9, 89.9)
        self.ra_deg = (new.ra.deg + pointing[1] / np.cos(np.radians(self.dec_deg))) % 360
        self._tree = KDTree(unit_vectors(self.ra_deg, self.dec_deg))
        self.plate = lru_cache(maxsize=64)(self._plate)

    def nearest(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.int64]:
        """Find the number of the plate whose centre is nearest to each position (degrees)."""
        return self._tree.query(unit_vectors(ra_deg, dec_deg))[1]

    def _plate(self, index: int) -> Plate:
        rng = stream(self.seed, "plate", index)
        ra, dec = float(self.ra_deg[index]), float(self.dec_deg[index])
        _, n_px, pixel_um = _SCANS[_choose(rng, _SCANS)]
        exposure = _EXPOSURES_MIN[_choose(rng, _EXPOSURES_MIN)][1]
        hour_angle = float(np.clip(rng.normal(0.3, 0.6), -2, 2))
        is_palomar = dec > SOUTHERN_LIMIT_DEG
        amdx, amdy = _solution(rng)
        return Plate(
            index=index,
            id=f"XE{index + 1:03d}" if is_palomar else f"S{index + 1:03d}",
            survey="POSSI-E" if is_palomar else "SERC-J",
            centre=_as_written(ra, dec),
            n_px=n_px,
            pixel_um=pixel_um,
            amdx=amdx,
            amdy=amdy,
            waves=_residual_waves(rng),
            mid_exposure=_night(rng, ra, hour_angle),
            hour_angle_h=hour_angle,
            exposure_min=exposure,
            grade=_GRADES[_choose(rng, _GRADES)][1],
            scan_number=_SCAN_NUMBERS[_choose(rng, _SCAN_NUMBERS)][1],
            label_number=int(rng.integers(1, 1600)),
            seeing_arcsec=float(2.1 * np.exp(rng.normal(0, 0.1))),
            half_density_sky=float(1.68 * 10 ** (0.4 * np.clip(rng.normal(0, 0.05), -0.12, 0.12))),
            contrast=float(4 + np.clip(rng.normal(0, 0.15), -0.4, 0.4)),
            full_density=float(np.clip(rng.normal(14000, 500), 12800, 15200)),
            graininess=float(np.exp(rng.normal(0, 0.1))),
        )


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ra, dec = [np.zeros(1)], [np.array([90.0])]
    for band in np.arange(90 - _BAND_STEP_DEG, -90, -_BAND_STEP_DEG):
        n = int(np.ceil(360 * np.cos(np.radians(max(abs(band) - 2, 0))) / _RA_STEP_DEG))
        ra.append(np.arange(n) * 360 / n)
        dec.append(np.full(n, band))
    return np.concatenate([*ra, np.zeros(1)]), np.concatenate([*dec, np.array([-90.0])])


def _choose(rng: np.random.Generator, choices: tuple[tuple, ...]) -> int:
    weights = np.array([choice[0] for choice in choices])
    return int(rng.choice(len(choices), p=weights / weights.sum()))


def _as_written(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Round a position to what PLTRAS (0.01 s) and PLTDECS (0.1 arcsec) can hold."""
    return round(ra_deg * 240, 2) % 86400 / 240, round(dec_deg * 3600, 1) / 3600


def _solution(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Draw the coefficients AMDX1-20 and AMDY1-20 as the headers of the survey have them."""
    rotation = rng.normal(0.1, 0.35)
    axes = []
    for shift, sign in ((rng.normal(-177, 170), 1), (rng.normal(-36, 190), -1)):
        terms = np.zeros(20)
        terms[:3] = rng.normal(67.24, 0.02), sign * rotation + rng.normal(0, 0.003), shift
        terms[3:6] = rng.normal(-1.2e-5, [2e-5, 2e-5, 1e-5])
        terms[7:11] = rng.normal([2.1e-6, 0, 2.36e-6, 0], [1e-7, 7e-8, 1.2e-7, 7e-8])
        axes.append(tuple(float(f"{term:.12g}") for term in terms))
    return axes[0], axes[1]


def _residual_waves(rng: np.random.Generator, n_waves: int = 3) -> tuple[tuple[float, ...], ...]:
    """Draw long waves across the plate (2 to 8 degrees) whose joint rms is 0.3 to 0.5 arcsec."""
    amplitude = rng.uniform(0.3, 0.5) / np.sqrt(n_waves / 2)
    waves = []
    for _ in range(n_waves):
        length, heading, phase, direction = rng.uniform([0.8, 0, 0, 0], [3.0, 2 * np.pi, 2 * np.pi, 2 * np.pi])
        waves.append(
            (
                length * np.cos(heading),
                length * np.sin(heading),
                phase,
                amplitude * np.cos(direction),
                amplitude * np.sin(direction),
            )
        )
    return tuple(tuple(map(float, wave)) for wave in waves)


def _night(rng: np.random.Generator, ra_deg: float, hour_angle_h: float) -> datetime:
    """Draw a night on which the field crosses the meridian within three hours of midnight."""
    from_midnight_h = rng.uniform(-3, 3)
    sun_ra_h = ra_deg / 15 - 12 - from_midnight_h
    day_of_year = (sun_ra_h / 24 * 365.25 + 79) % 365.25
    date = datetime(int(rng.integers(1950, 1959)), 1, 1) + timedelta(days=float(np.floor(day_of_year)))
    hours = _LONGITUDE_HOURS_WEST + from_midnight_h + hour_angle_h
    return date + timedelta(minutes=round(60 * hours))
