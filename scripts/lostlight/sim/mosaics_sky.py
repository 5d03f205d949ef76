"""The sky behind a simulated mosaic: stars, and a nebula that has a value at every position."""

from functools import cached_property

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from lostlight.sim.camera_design import Scene
from lostlight.sim.camera_stars import COLOUR_TERM, field_stars
from lostlight.sim.cells import stream
from lostlight.sim.mosaics_design import MosaicDesign

Values = NDArray[np.float64]

MIDDLE_COLOUR = 1.3
"""B-R of a star that is as bright through every filter."""
NEBULA = {"G": 0.7, "V": 0.7, "B": 0.5, "I": 0.9}
"""Brightness of the nebula in a band; 1 for bands not listed."""

_LATTICE_PX = 4.0
_MARGIN_PX = 40.0
_STEEPNESS = 1.6


class MosaicSky:
    """Stars and nebula of one field; nothing of it depends on the frames but their outer bounds."""

    def __init__(self, seed: int, design: MosaicDesign) -> None:
        self.seed = seed
        self.design = design
        self.plane = tangent_plane(design.centre, design.scale_arcsec, design.angle_deg)
        """pixels of `scale_arcsec` on the tangent plane of the centre, which is at (0, 0)"""

    @cached_property
    def half_px(self) -> tuple[float, float]:
        """Half the height and width of the field, in pixels of the plane."""
        design = self.design
        tile = np.array(design.tile_px) * max(design.scales)
        if design.rotation_deg or design.flipped or design.turned:
            tile[:] = np.hypot(*tile)
        spans = [(n - 1) * step for n, step in zip(design.layout, design.step_px, strict=True)]
        half = (np.array(spans) + tile) / 2 + design.dither_px + design.distortion_px + _MARGIN_PX
        return float(half[0]), float(half[1])

    @cached_property
    def stars(self) -> Table:
        """All stars: ra_deg, dec_deg, flux (adu in the band without a colour term), colour (B-R)."""
        return self._random_stars if self.design.sky is None else self._sky_stars(self.design.sky)

    def _sky_stars(self, seed: int) -> Table:
        """List the stars of the simulated sky that the field may show."""
        ra, dec = self.design.centre
        radius_deg = float(np.hypot(*self.half_px)) * self.design.scale_arcsec / 3600
        found = field_stars(self.seed, Scene(ra_deg=ra, dec_deg=dec, sky=seed), radius_deg)
        found["flux"] = 10 ** (-0.4 * (found["mag_r"] - self.design.zero_mag))
        x, y = self.plane.wcs_world2pix(found["ra_deg"], found["dec_deg"], 0)
        is_inside = (abs(y) < self.half_px[0]) & (abs(x) < self.half_px[1])
        return found["ra_deg", "dec_deg", "flux", "colour"][is_inside]

    @property
    def _random_stars(self) -> Table:
        design = self.design
        # Stars that saturate come last, from a stream of their own.
        spread = np.hstack([
            part * stream(self.seed, f"mosaic {name}").uniform(-1, 1, (2, n))
            for name, n, part in (("stars", design.n_stars, 1.0), ("saturated stars", design.n_saturated, 0.9))
        ])  # fmt: skip
        y, x = np.array(self.half_px)[:, None] * spread
        rng = stream(self.seed, "mosaic fluxes")
        # As many stars again for every 0.3 mag / log10(2): the counts of the sky rise about so.
        faintest, brightest = np.array(design.flux) ** -0.75
        flux = rng.uniform(brightest, faintest, design.n_stars) ** (-1 / 0.75)
        colour = np.clip(MIDDLE_COLOUR + 0.5 * rng.standard_normal(design.n_stars), -0.3, 3.6)
        full = 3 * design.saturate * np.pi / (4 * np.log(2)) * design.fwhm_px**2
        ra, dec = self.plane.wcs_pix2world(x, y, 0)
        return Table(
            {
                "ra_deg": ra,
                "dec_deg": dec,
                "flux": np.append(flux, np.full(design.n_saturated, full)),
                "colour": np.append(colour, np.full(design.n_saturated, MIDDLE_COLOUR)),
            }
        )

    def fluxes(self, band: str) -> Values:
        """Give the flux of every star through a filter, adu at throughput 1."""
        stars = self.stars
        redder = stars["colour"] - MIDDLE_COLOUR
        return np.asarray(stars["flux"] * 10 ** (-0.4 * COLOUR_TERM.get(band, 0.0) * redder))

    def nebula(self, ra_deg: Values, dec_deg: Values, band: str = "") -> Values:
        """Give the brightness of the nebula at positions, adu per pixel of `scale_arcsec` at throughput 1."""
        if not self.design.nebula:
            return np.zeros(np.shape(ra_deg))
        x, y = self.plane.wcs_world2pix(ra_deg, dec_deg, 0)
        at = [(axis + half) / _LATTICE_PX for axis, half in zip((y, x), self.half_px, strict=True)]
        return NEBULA.get(band, 1.0) * map_coordinates(self._lattice, at, order=3, prefilter=False, mode="nearest")

    @cached_property
    def _lattice(self) -> Values:
        """Coefficients of the cubic spline that the nebula is: noise whose power falls steeply with frequency."""
        shape = tuple(int(2 * half / _LATTICE_PX) + 2 for half in self.half_px)
        noise = np.fft.rfft2(stream(self.seed, "mosaic nebula").standard_normal(shape))
        frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
        frequency[0, 0] = np.inf
        # Nothing finer than what stars show, and one wave over the field the most that is needed.
        filtered = noise * (frequency + 0.5 / max(shape)) ** -_STEEPNESS * np.exp(-((frequency / 0.18) ** 2))
        light = np.fft.irfft2(filtered, shape)
        return spline_filter(self.design.nebula * (light - light.min()) / np.ptp(light))


def tangent_plane(centre: tuple[float, float], scale_arcsec: float, angle_deg: float) -> WCS:
    """Give the tangent plane at a position (degrees), which is pixel (0, 0), zero-based."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = [1.0, 1.0]
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    wcs.wcs.cd = scale_arcsec / 3600 * np.array([[-cosine, sine], [sine, cosine]])
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
