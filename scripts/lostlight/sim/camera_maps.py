"""The truth about a simulated camera: everything that stays the same from frame to frame, as maps."""

from functools import cached_property
from zlib import crc32

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.sim.camera_design import REFERENCE_C, Design
from lostlight.sim.cells import stream

Map = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SOFT_EDGE_PX = 1.0
_BANDS = 7  # waves of the banding over all rows
_TRIES = 30  # places drawn for each speck of dust
_COLUMN_SEES, _COLUMN_LEAKS_E_S = 0.4, 1.0


class CameraTruth:
    """What no frame shows without noise; all maps have the shape (ny, nx) of the pixels that see light.

    Parameters
    ----------
    seed : int
    design : Design
    """

    def __init__(self, seed: int, design: Design) -> None:
        self.seed = seed
        self.design = design
        self.gain_e_adu = design.gain_e_adu
        self.rdnoise_e = design.rdnoise_e
        self._flats: dict[str, Map] = {}

    @cached_property
    def bias_adu(self) -> Map:
        """Level with its fixed pattern of pixels, columns and rows, adu."""
        ny, nx = self.design.shape
        pixels = self.design.pixel_pattern_adu * self._rng("pixels").standard_normal((ny, nx))
        columns = self.design.column_pattern_adu * self._rng("columns").standard_normal(nx)
        return self.design.level_adu + pixels + columns + self.rows_adu[:, None]

    @cached_property
    def rows_adu(self) -> Map:
        """Fixed pattern of rows, which the overscan shows too, adu, shape (ny,)."""
        return self.design.row_pattern_adu * self._rng("rows").standard_normal(self.design.shape[0])

    @cached_property
    def banding(self) -> Map:
        """Pattern of rows whose strength changes from frame to frame; rms 1, shape (ny,)."""
        rng = self._rng("banding")
        rows = np.arange(self.design.shape[0]) / self.design.shape[0]
        waves = [np.sin(2 * np.pi * (n * rows + rng.random())) for n in (_BANDS, 3 * _BANDS)]
        profile = np.sum(waves, axis=0)
        return (profile - profile.mean()) / profile.std()

    @cached_property
    def hot(self) -> Flags:
        """Pixels whose dark current is that of the fast tail."""
        return self._rng("hot").random(self.design.shape) < self.design.hot_fraction

    @cached_property
    def rts(self) -> Flags:
        """Pixels that hop between two rates; none of them is hot."""
        return (self._rng("telegraph").random(self.design.shape) < self.design.rts_fraction) & ~self.hot

    @cached_property
    def cold(self) -> Flags:
        """Pixels that see less than half of the light, bad columns included."""
        return self.sensitivity < 0.5

    @cached_property
    def bad_columns(self) -> NDArray[np.int64]:
        """Columns that lose most of their charge and leak, zero-based."""
        return np.sort(self._rng("bad columns").choice(self.design.shape[1], self.design.bad_columns, replace=False))

    @cached_property
    def sensitivity(self) -> Map:
        """Response of the pixels themselves: scatter, cold pixels and bad columns."""
        response = 1 + self.design.prnu * self._rng("response").standard_normal(self.design.shape)
        rng = self._rng("cold")
        cold, left = rng.random(self.design.shape) < self.design.cold_fraction, rng.uniform(0, 0.4, self.design.shape)
        response[cold] = left[cold]
        response[:, self.bad_columns] *= _COLUMN_SEES
        return response

    def dark_e_s(self, temp_c: float = REFERENCE_C) -> Map:
        """Give the dark current at a temperature, electrons per second; glow and hopping pixels not included."""
        return self._dark * 2 ** ((temp_c - REFERENCE_C) / self.design.doubling_c)

    @cached_property
    def _dark(self) -> Map:
        rng, design = self._rng("dark current"), self.design
        rate = design.dark_e_s * np.exp(design.dark_spread * rng.standard_normal(design.shape))
        slow, fast = np.log(design.hot_e_s)
        hot = np.exp(rng.uniform(slow, fast, design.shape))
        rate[:, self.bad_columns] += _COLUMN_LEAKS_E_S
        return np.where(self.hot, hot, rate)

    @cached_property
    def glow_e_s(self) -> Map:
        """Amplifier glow, electrons per second: brightest in the first corner, a tenth of the diagonal wide."""
        ny, nx = self.design.shape
        distance = np.hypot(*np.ogrid[:ny, :nx])
        return self.design.glow_e_s * np.exp(-distance / (0.1 * np.hypot(ny, nx)))

    @cached_property
    def dust(self) -> Table:
        """Dust doughnuts on the window of the sensor: x_px, y_px (zero-based), r_px, depth (of the whole ring).

        They lie apart from each other; fewer than asked for where they would not fit.
        """
        rng, (ny, nx), kept = self._rng("dust"), self.design.shape, []
        for _ in range(_TRIES * self.design.n_dust):
            r = rng.uniform(0.02, 0.045) * np.hypot(ny, nx)
            x, y = rng.uniform(1.5 * r, nx - 1.5 * r), rng.uniform(1.5 * r, ny - 1.5 * r)
            speck = (x, y, r, rng.uniform(0.015, 0.05))
            is_apart = all(np.hypot(x - other[0], y - other[1]) > 1.2 * (r + other[2]) for other in kept)
            if is_apart and len(kept) < self.design.n_dust:
                kept.append(speck)
        return Table(np.array(kept).reshape(-1, 4), names=("x_px", "y_px", "r_px", "depth"))

    def flat(self, band: str = "") -> Map:
        """Give the response to even light through a filter; its median is 1."""
        if band not in self._flats:
            flat = self.sensitivity * self.illumination(band) * self._dust_shadow()
            self._flats[band] = flat / np.median(flat)
        return self._flats[band]

    def illumination(self, band: str = "") -> Map:
        """Give the smooth part of the response through a filter: vignetting about its own centre, and tilt."""
        ny, nx = self.design.shape
        rng = stream(self.seed, "camera illumination", crc32(band.encode()))
        x0, y0 = 0.08 * rng.standard_normal(2)
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.ogrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
        lost = self.design.vignetting * ((x - x0) ** 2 + (y - y0) ** 2) / 2
        return 1 - lost + self.design.tilt / 2 * (np.cos(angle) * x + np.sin(angle) * y)

    def _dust_shadow(self) -> Map:
        ny, nx = self.design.shape
        shadow = np.ones((ny, nx))
        for x, y, r, depth in self.dust.iterrows():
            rows, columns = np.ogrid[:ny, :nx]
            shadow *= 1 - depth * doughnut(np.hypot(rows - y, columns - x), r)
        return shadow

    @cached_property
    def colours(self) -> NDArray[np.str_]:
        """Colour of each pixel of a colour-filter array: R, G or B; empty for mono.

        The pattern is counted from the top left corner of the raw frame, wherever that is stored.
        """
        ny, nx = self.design.raw_shape
        tile = np.array(list(self.design.cfa or "    ")).reshape(2, 2)
        colours = np.char.strip(np.tile(tile, (ny // 2 + 1, nx // 2 + 1))[:ny, :nx])
        stored = colours if self.design.roworder == "TOP-DOWN" else colours[::-1]
        return stored[:, self.design.overscan_px :]

    def _rng(self, part: str) -> np.random.Generator:
        return stream(self.seed, f"camera {part}")


def doughnut(distance_px: Map, r_px: float) -> Map:
    """Give the shadow of a speck of dust at distances from its middle: a ring with soft edges, 1 where deepest.

    The ring reaches from 0.4 to 1 radius, as the secondary mirror lights the middle; half of the depth is at the edges.
    """
    edges = (distance_px - 0.4 * r_px) / _SOFT_EDGE_PX, (r_px - distance_px) / _SOFT_EDGE_PX
    return np.prod([0.5 * (1 + np.tanh(edge)) for edge in edges], axis=0)
