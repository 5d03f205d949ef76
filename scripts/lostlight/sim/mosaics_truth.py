"""The truth behind a simulated mosaic: the sky at any position, and what each frame made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from numpy.typing import NDArray

from lostlight.sim.camera import SKY
from lostlight.sim.camera_cosmics import cosmic_rays
from lostlight.sim.cells import stream
from lostlight.sim.mosaics_design import MosaicDesign
from lostlight.sim.mosaics_light import add_stars
from lostlight.sim.mosaics_pointing import Pointing, frame_wcs
from lostlight.sim.mosaics_sky import MosaicSky, tangent_plane

Values = NDArray[np.float64]

_CLOUD = 0.1


@dataclass(frozen=True)
class Trail:
    """A satellite's trail on one frame; ends are (x, y) in zero-based pixels, beyond the frame."""

    frame: int
    start: tuple[float, float]
    end: tuple[float, float]
    peak_adu: float


class FrameTruth:
    """What one frame did to the sky: its pixels hold ``throughput × light + sky + noise``, then flaws.

    Attributes
    ----------
    name : str
        Of its file.
    wcs : astropy.wcs.WCS
        The true one, also where the header has none.
    throughput : ndarray of float64, (C,)
        What fluxes are multiplied by, the exposure included.
    gain : ndarray of float64, (C,)
        Its inverse: what makes the fluxes of all frames alike.
    offset : ndarray of float64, (C,)
        Sky in the middle of the frame, adu of the frame.
    slope, curve : ndarray of float64, (C, 2)
        Rise of the sky along (y, x) from edge to edge, and bend at the edges, adu of the frame.
    sigma : ndarray of float64, (C,)
        Noise of a pixel of blank sky, adu of the frame.
    fwhm_px : float
        Width of the stars before the integration over pixels, pixels of the frame.
    elongation : float
        Width along columns over that along rows.
    trails : list of Trail
    fault : str
        What was made wrong with it, as in `MosaicDesign.bad`; empty for a good frame.
    """

    def __init__(self, seed: int, design: MosaicDesign, sky: MosaicSky, pointing: Pointing) -> None:
        self._seed, self._design, self._sky = seed, design, sky
        self.pointing, self.index, self.name = pointing, pointing.index, pointing.name
        self.fault = str(design.bad.get(pointing.index, ""))
        self.elongation = 3.0 if self.fault == "trailed" else 1.0
        self.shape = design.tile_px
        self.wcs = frame_wcs(seed, design, sky, pointing)

    @cached_property
    def throughput(self) -> Values:
        """Throughput of each channel."""
        design, rng = self._design, self._rng("throughput")
        common = rng.uniform(1 - design.gains, 1 + design.gains) * self._exposures
        colours = np.exp(0.2 * design.gains * rng.standard_normal(design.channels) * (design.channels > 1))
        return np.asarray(common * colours * (_CLOUD if self.fault == "cloudy" else 1.0))

    @property
    def gain(self) -> Values:
        """Inverse of the throughput of each channel."""
        return 1 / self.throughput

    @cached_property
    def offset(self) -> Values:
        """Sky of each channel in the middle of the frame."""
        return self._rng("offset").uniform(*self._design.offsets) * self._exposures * self._colours

    @cached_property
    def slope(self) -> Values:
        """Rise of the sky of each channel along rows and columns."""
        return np.outer(self._colours, self._design.slopes * self._rng("slope").uniform(-1, 1, 2))

    @cached_property
    def curve(self) -> Values:
        """Bend of the sky of each channel along rows and columns."""
        return np.outer(self._colours, self._design.curves * self._rng("curve").uniform(-1, 1, 2))

    @cached_property
    def sigma(self) -> Values:
        """Noise of each channel on blank sky."""
        design = self._design
        reading = design.sigma * np.exp(design.noises * self._rng("noisiness").standard_normal())
        reading *= 5.0 if self.fault == "noisy" else 1.0
        shot = self.offset / design.gain_e_adu if design.gain_e_adu else np.zeros(design.channels)
        return np.sqrt(reading**2 + shot)

    @cached_property
    def fwhm_px(self) -> float:
        """Width of the stars."""
        design = self._design
        seeing = np.exp(design.seeing * self._rng("seeing").standard_normal())
        scale = design.scales[self.index % len(design.scales)]
        return float(design.fwhm_px * seeing / scale * (3.0 if self.fault == "blurred" else 1.0))

    @cached_property
    def trails(self) -> list[Trail]:
        """Satellites that crossed the frame."""
        design = self._design
        order = stream(self._seed, "mosaic trailed frames").permutation(design.n_frames)
        mine = [k for k in range(design.trails) if order[k % design.n_frames] == self.index]
        return [self._trail(k) for k in mine]

    @cached_property
    def cosmics(self) -> Values:
        """Light of cosmic rays, adu, of the frame's shape; 0 where no ray went."""
        return cosmic_rays(self._rng("cosmic rays"), self.shape, self._design.cosmics)

    def sky(self, y: Values, x: Values) -> Values:
        """Give the sky at zero-based pixels, adu of the frame; shape (C, ...)."""
        parts = [2 * at / (n - 1) - 1 for at, n in zip((y, x), self.shape, strict=True)]
        planes = [self.slope[:, k, *[None] * np.ndim(part)] * part / 2 for k, part in enumerate(parts)]
        bends = [self.curve[:, k, *[None] * np.ndim(part)] * part**2 for k, part in enumerate(parts)]
        return self.offset[:, *[None] * np.ndim(parts[0] + parts[1])] + sum(planes) + sum(bends)

    def star_pixels(self) -> tuple[Values, Values]:
        """Give the zero-based pixel (x, y) of every star of the field; NaN well off the frame."""
        stars = self._sky.stars
        ra, dec = np.asarray(stars["ra_deg"]), np.asarray(stars["dec_deg"])
        centre = float(self.wcs.wcs.crval[0]), float(self.wcs.wcs.crval[1])
        scale = np.sqrt(abs(np.linalg.det(self.wcs.wcs.cd)))
        # Distortion has no inverse far off the frame.
        off_px = np.hypot(*tangent_plane(centre, 3600 * scale, 0).wcs_world2pix(ra, dec, 0))
        near = off_px < np.hypot(*self.shape) / 2 + 30 * self.fwhm_px + 2 * self._design.distortion_px
        x, y = np.full((2, len(stars)), np.nan)
        x[near], y[near] = self.wcs.all_world2pix(ra[near], dec[near], 0, tolerance=1e-7)
        return x, y

    @property
    def _exposures(self) -> float:
        return self.pointing.exptime_s / self._design.exptimes_s[0]

    @property
    def _colours(self) -> Values:
        return np.array([SKY.get(band, 1.0) for band in self.pointing.bands])

    def _trail(self, number: int) -> Trail:
        (ny, nx), rng = self.shape, self._rng("trail", number)
        angle = rng.uniform(0, np.pi)
        x, y = nx * rng.uniform(0.3, 0.7), ny * rng.uniform(0.3, 0.7)
        dx, dy = 2 * np.hypot(nx, ny) * np.array([np.cos(angle), np.sin(angle)])
        return Trail(self.index, (x - dx, y - dy), (x + dx, y + dy), self._design.trail_adu)

    def _rng(self, effect: str, *more: int) -> np.random.Generator:
        return stream(self._seed, f"mosaic {effect}", self.index, *more)


class Truth:
    """All that is known of a scene."""

    def __init__(self, seed: int, design: MosaicDesign, shots: Sequence[Pointing]) -> None:
        self.seed, self.design = seed, design
        self.sky = MosaicSky(seed, design)
        self.frames = [FrameTruth(seed, design, self.sky, shot) for shot in shots]
        """in the order of the scene's frames"""

    @property
    def stars(self) -> Table:
        """Stars of the field: ra_deg, dec_deg, flux (adu at throughput 1), colour (B-R)."""
        return self.sky.stars

    @property
    def gain(self) -> Values:
        """What makes the fluxes of all frames alike, (n, C)."""
        return np.array([frame.gain for frame in self.frames])

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of the channels of the first frame."""
        return self.frames[0].pointing.bands

    @cached_property
    def hot(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Values]:
        """Hot pixels of the detector: y, x, and adu above the rest."""
        ny, nx = self.design.tile_px
        rng = stream(self.seed, "mosaic hot pixels")
        y, x = np.unravel_index(rng.choice(ny * nx, self.design.hot_px, replace=False), (ny, nx))
        return y, x, 200 * np.exp(rng.standard_normal(self.design.hot_px))

    def nebula(self, ra_deg: Values, dec_deg: Values, band: str = "") -> Values:
        """Give the brightness of the nebula, adu per pixel of the design's scale at throughput 1."""
        return self.sky.nebula(ra_deg, dec_deg, band)

    def image(
        self, wcs: WCS, shape: tuple[int, int], fwhm_px: float | None = None, *, bands: Sequence[str] | None = None
    ) -> Values:
        """Show the sky on any pixels, without noise and background, at throughput 1.

        Parameters
        ----------
        wcs : WCS
            Celestial, of the pixels wanted.
        shape : tuple of int
            (ny, nx).
        fwhm_px : float, optional
            Width of the stars in the pixels wanted; None leaves the stars out.
        bands : sequence of str, optional
            Of the channels; those of the first frame unless told.

        Returns
        -------
        ndarray of float64, (C, ny, nx)
            Fluxes of stars are kept whatever the size of a pixel; the nebula goes with the area of a pixel.
        """
        y, x = np.indices(shape)
        ra, dec = wcs.all_pix2world(x, y, 0)
        area = proj_plane_pixel_area(wcs.celestial) * (3600 / self.design.scale_arcsec) ** 2
        planes = []
        for band in self.bands if bands is None else bands:
            plane = area * self.nebula(ra, dec, band)
            if fwhm_px is not None:
                at = wcs.all_world2pix(self.stars["ra_deg"], self.stars["dec_deg"], 0, quiet=True)
                width = (fwhm_px, fwhm_px)
                add_stars(plane, *map(np.asarray, at), self.sky.fluxes(band), width, self.design.moffat_beta)
            planes.append(plane)
        return np.array(planes)
