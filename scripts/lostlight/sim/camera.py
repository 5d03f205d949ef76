"""A simulated camera: frames whose truth is known, each the same alone or in a set, from one seed."""

from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.sim.camera_cosmics import cosmic_rays
from lostlight.sim.camera_design import REFERENCE_C, Design, Scene, Shot
from lostlight.sim.camera_header import field_wcs, frame_header
from lostlight.sim.camera_maps import CameraTruth
from lostlight.sim.camera_stars import field_stars, star_light
from lostlight.sim.cells import stream

Image = NDArray[np.float64]

LAMP = {"R": 0.7, "G": 1.0, "B": 0.55, "": 1.0}
"""Brightness of the flat lamp in each colour of a colour-filter array."""
SKY = {"R": 1.0, "G": 0.9, "B": 0.7, "": 1.0}
"""Brightness of the sky in each colour of a colour-filter array."""

_DRIFT_FRAMES = 17.0  # frames from one highest level to the next


@dataclass(frozen=True)
class FrameTruth:
    """What one frame holds without noise."""

    expected_adu: Image
    """mean of endless frames that differ in noise alone, cosmic rays not included; shape of the raw frame"""
    cosmic_e: Image
    """electrons left by cosmic rays; shape of the raw frame"""
    scene_e: Image
    """electrons an even camera would have collected from sky, stars or lamp; shape of the pixels that see light"""
    level_adu: float
    """how far the level of this frame has drifted"""
    hopped: NDArray[np.bool_]
    """telegraph pixels that are at their high rate; shape of the pixels that see light"""
    stars: Table | None
    """stars of a light; see `camera_stars.star_light`"""

    @property
    def cosmic(self) -> NDArray[np.bool_]:
        """Pixels of the raw frame that a cosmic ray hit."""
        return self.cosmic_e > 0


@dataclass(frozen=True)
class Raw:
    """A raw frame, uint16 of shape (ny, nx), with its header and what is behind it."""

    data: NDArray[np.uint16]
    header: Header
    truth: FrameTruth


class Camera:
    """A camera that never was; the same seed gives the same camera, and the same frame whenever it is asked for.

    Parameters
    ----------
    seed : int
        Not negative.
    shape : tuple of int
        Rows and columns that see light.
    scene : Scene
        What lights show.
    dialect : str
        How headers are written: one of `camera_header.DIALECTS`.
    **switches
        Fields of `camera_design.Design`.
    """

    def __init__(
        self,
        seed: int,
        shape: tuple[int, int] = (384, 512),
        *,
        scene: Scene | None = None,
        dialect: str = "plain",
        **switches: float | int | str | tuple[float, float],
    ) -> None:
        self.seed = seed
        self.design = Design(shape=shape, **switches)
        self.scene = scene or Scene()
        self.dialect = dialect
        self.truth = CameraTruth(seed, self.design)

    def bias(self, index: int = 0, temp_c: float = REFERENCE_C) -> Raw:
        """Take a bias."""
        return self.take(Shot("bias", index, 0.0, temp_c))

    def dark(self, index: int = 0, exptime_s: float = 120.0, temp_c: float = REFERENCE_C) -> Raw:
        """Take a dark."""
        return self.take(Shot("dark", index, exptime_s, temp_c))

    def flat_dark(self, index: int = 0, exptime_s: float = 2.0, temp_c: float = REFERENCE_C) -> Raw:
        """Take a dark with the exposure of the flats."""
        return self.take(Shot("flat_dark", index, exptime_s, temp_c))

    def flat(
        self,
        index: int = 0,
        band: str = "R",
        level_adu: float = 25_000.0,
        exptime_s: float = 2.0,
        temp_c: float = REFERENCE_C,
    ) -> Raw:
        """Take a flat through a filter, its typical pixel at a level above the bias; the lamp flickers by 2 percent."""
        return self.take(Shot("flat", index, exptime_s, temp_c, band, level_adu))

    def light(self, index: int = 0, band: str = "R", exptime_s: float = 120.0, temp_c: float = REFERENCE_C) -> Raw:
        """Take a light through a filter; every light is shifted anew."""
        return self.take(Shot("light", index, exptime_s, temp_c, band))

    def take(self, shot: Shot) -> Raw:
        """Take any frame."""
        wcs = self.wcs(shot) if shot.kind == "light" else None
        scene_e, stars = self._collected(shot, wcs)
        hopped = self._rng(shot, "telegraph").random(self.design.shape) < 0.5
        hopped &= self.truth.rts
        charge_e = scene_e * self.truth.flat(shot.filter) + shot.exptime_s * (
            self.truth.dark_e_s(shot.temp_c) + self.truth.glow_e_s + self.design.rts_e_s * hopped
        )
        n_hits = self.design.cosmics_s_mpx * shot.exptime_s * charge_e.size / 1e6
        cosmic_e = cosmic_rays(self._rng(shot, "cosmic rays"), self.design.shape, n_hits)
        drift_adu, pedestal_adu = self._pedestal(shot)
        electrons = self._rng(shot, "shot noise").poisson(charge_e) + cosmic_e
        noise_adu = (
            self.design.rdnoise_e
            / self.design.gain_e_adu
            * self._rng(shot, "read noise").standard_normal(self.design.raw_shape)
        )
        data = np.rint(self._read(electrons, pedestal_adu) + noise_adu).clip(0, self.design.saturate_adu)
        truth = FrameTruth(self._read(charge_e, pedestal_adu), self._raw(cosmic_e), scene_e, drift_adu, hopped, stars)
        header = frame_header(shot, self.design, self.scene, self.dialect, wcs)
        return Raw(data.astype(np.uint16), header, truth)

    def wcs(self, shot: Shot) -> WCS:
        """Give the tangent plane of a light on the pixels that see light."""
        dx, dy = self._rng(shot, "dither").uniform(-1, 1, 2) * self.scene.dither_px
        return field_wcs(self.scene, self.design.shape, (dx, dy))

    def _collected(self, shot: Shot, wcs: WCS | None) -> tuple[Image, Table | None]:
        shape, colours = self.design.shape, self.truth.colours
        if wcs is not None:
            return self._sky_and_stars(shot, wcs)
        if shot.kind != "flat":
            return np.zeros(shape), None
        flicker = 1 + 0.02 * self._rng(shot, "lamp").uniform(-1, 1)
        return flicker * shot.level_adu * self.design.gain_e_adu * _per_colour(colours, LAMP), None

    def _sky_and_stars(self, shot: Shot, wcs: WCS) -> tuple[Image, Table]:
        shape, scene, colours = self.design.shape, self.scene, self.truth.colours
        bands = {str(colour): str(colour) or shot.filter for colour in np.unique(colours)}
        x = np.linspace(-0.5, 0.5, shape[1])
        sky = shot.exptime_s * scene.sky_e_s * (1 + scene.gradient * x) * _per_colour(colours, SKY)
        for colour, band in bands.items():
            light, stars = star_light(self._stars, wcs, scene, shape, shot.exptime_s, band)
            sky += np.where(colours == colour, light, 0)
        return sky, stars

    @cached_property
    def _stars(self) -> Table:
        radius_deg = (np.hypot(*self.design.shape) / 2 + 2 * self.scene.dither_px) * self.scene.scale_arcsec / 3600
        return field_stars(self.seed, self.scene, radius_deg)

    def _pedestal(self, shot: Shot) -> tuple[float, Image]:
        """Give the drift of a frame, and what the electronics add to every pixel of it, adu."""
        phase = stream(self.seed, "camera drift", crc32(shot.kind.encode())).random()
        drift = self.design.drift_adu * np.sin(2 * np.pi * (phase + shot.index / _DRIFT_FRAMES))
        banding = self.design.banding_adu * self._rng(shot, "banding").standard_normal() * self.truth.banding
        blind = np.repeat((self.design.level_adu + self.truth.rows_adu)[:, None], self.design.overscan_px, axis=1)
        return float(drift), np.hstack([blind, self.truth.bias_adu]) + drift + banding[:, None]

    def _read(self, electrons: Image, pedestal_adu: Image) -> Image:
        full = self.design.full_well_e
        kept = np.minimum(electrons, full)
        kept = kept * (1 - self.design.nonlinearity * kept / full)
        return self._raw(kept / self.design.gain_e_adu) + pedestal_adu

    def _raw(self, image: Image) -> Image:
        return np.pad(image, ((0, 0), (self.design.overscan_px, 0)))

    def _rng(self, shot: Shot, effect: str) -> np.random.Generator:
        """Open the stream of one effect on one frame; other frames and effects have others."""
        millis, centi = round(1000 * shot.exptime_s), round(100 * (shot.temp_c + 300))
        names = crc32(shot.kind.encode()), crc32(shot.filter.encode())
        return stream(self.seed, f"camera {effect}", *names, shot.index, millis, centi, round(shot.level_adu))


def _per_colour(colours: NDArray[np.str_], brightness: dict[str, float]) -> Image:
    return np.select([colours == colour for colour in brightness], list(brightness.values()))
