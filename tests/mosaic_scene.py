"""Simulated mosaics taken through the science of step 12, for tests that compare what comes out with the truth.

`levelled(seed, **knobs)` measures, places and levels the frames of `lostlight.sim.mosaics.scene(seed, **knobs)`;
`mosaic(...)` combines them. Both are done once for a set of arguments in a session. `step(...)` runs the whole step on
files.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.science.mosaic.canvas import Canvas, CanvasRules, plan_canvas
from lostlight.science.mosaic.coadd import Coadded, Level, Placed, coadd
from lostlight.science.mosaic.footprint import pixel_size
from lostlight.science.mosaic.frame.levels import aperture_radius, levels
from lostlight.science.mosaic.frame.measure import Measured, measure
from lostlight.science.mosaic.level.photometry import Photometry, PhotometryRules, solve_photometry
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.surface import sky_surface
from lostlight.science.mosaic.warp.nodes import Route, coordinates, route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule
from lostlight.sim.mosaics import Scene, SimFrame, scene

WIDTH_OF_SIGMA = 2.3548
CELL_PX = 64


@dataclass(frozen=True)
class Levelled:
    """Frames of a scene on one canvas and at one level, and everything on the way there."""

    scene: Scene
    canvas: Canvas
    ways: list[Route]
    stats: list[FrameStats]
    photometry: Photometry

    @property
    def scale(self) -> np.ndarray:
        """Throughput at which the result shows the sky: that of the reference; (C,)."""
        return self.scene.truth.frames[self.photometry.reference].throughput

    @property
    def noise(self) -> np.ndarray:
        """Noise of a pixel of the reference, (C,)."""
        return self.scene.truth.frames[self.photometry.reference].sigma

    @cached_property
    def gain_error(self) -> np.ndarray:
        """Gains found over those planted, less one; (n, C)."""
        planted = self.scene.truth.gain
        return self.photometry.gain / (planted / planted[self.photometry.reference]) - 1

    @cached_property
    def warped(self) -> list[np.ndarray]:
        """The frames on the whole canvas as they came, (C, H, W) each."""
        return [self._warped(k) for k in range(len(self.scene))]

    @cached_property
    def level(self) -> list[np.ndarray]:
        """The same at one level."""
        return [self.brought(k) for k in range(len(self.scene))]

    @cached_property
    def truth(self) -> np.ndarray:
        """The nebula on the canvas as the reference saw it, without stars; (C, H, W)."""
        return self.scale[:, None, None] * self.scene.truth.image(self.canvas.wcs, self.canvas.shape)

    @cached_property
    def starless(self) -> np.ndarray:
        """Pixels of the canvas where stars give less than a tenth of the noise; (H, W)."""
        fwhm = self.scene.design.fwhm_px * self.scene.design.scale_arcsec / self.canvas.scale_arcsec
        light = self.scene.truth.image(self.canvas.wcs, self.canvas.shape, fwhm)[0]
        light -= self.scene.truth.image(self.canvas.wcs, self.canvas.shape)[0]
        return light < 0.1 * self.scene.design.sigma

    def brought(self, k: int) -> np.ndarray:
        """Bring one frame to the common level, (C, H, W)."""
        found, whole = self.photometry, Window(0, 0, *self.canvas.shape)
        surfaces = [sky_surface(sky, found.centre[k], found.half_px, whole) for sky in found.sky[k]]
        return found.gain[k][:, None, None] * self.warped[k] - np.array(surfaces)

    def placed(self) -> list[Placed]:
        """What the combination takes, in the order of the frames."""
        found = self.photometry
        widths = np.array([each.fwhm_px for each in self.stats]) / WIDTH_OF_SIGMA
        frames = []
        for k, frame in enumerate(self.scene.frames):
            data = channels(frame)
            sigma = found.gain[k] * self.stats[k].sigma
            level = Level(found.gain[k], found.sky[k], found.centre[k], found.half_px)
            blur = 0.5 * abs(widths[k] ** 2 - np.nanmedian(widths**2))
            shape, rows = data.shape[1:], _rows(data)
            frames.append(Placed(rows, shape, len(data), self.ways[k], level, sigma, 1 / sigma**2, blur))
        return frames

    def _warped(self, k: int) -> np.ndarray:
        data, way = channels(self.scene.frames[k]), self.ways[k]
        whole = Window(0, 0, *self.canvas.shape)
        return warp(_rows(data), data.shape[1:], len(data), way, whole, WarpRules(), backend="numba").data


@cache
def levelled(
    seed: int, *, reference: int | str = "auto", sky_order: int = 1, bad: tuple[tuple[int, str], ...] = (), **knobs
) -> Levelled:
    """Measure, place and level the frames of a scene; `bad` is that of the design, as pairs."""
    made = scene(seed, bad=dict(bad), **knobs)
    measured = [_measured(frame) for frame in made.frames]
    solutions = [WCS(frame.header) for frame in made.frames]
    shape = made.design.tile_px
    canvas = plan_canvas({f.name: (wcs, shape) for f, wcs in zip(made.frames, solutions, strict=True)}, CanvasRules())
    side = pixel_size(canvas.wcs, canvas.shape)
    widths = [m.fwhm_px * pixel_size(wcs, shape) / side for m, wcs in zip(measured, solutions, strict=True)]
    radius, ways, stats = aperture_radius(widths), [], []
    for frame, m, wcs in zip(made.frames, measured, solutions, strict=True):
        way = route(canvas.wcs, canvas.shape, wcs, shape)
        ways.append(way)
        stats.append(_stats(frame, m, wcs, canvas, way, radius))
    return Levelled(made, canvas, ways, stats, solve_photometry(stats, PhotometryRules(sky_order=sky_order), reference))


@cache
def mosaic(
    seed: int, *, reject: str = "shrunk", reference: int | str = "auto", sky_order: int = 1, **knobs
) -> tuple[Levelled, Coadded]:
    """Make the mosaic of a scene, before it is polished."""
    found = levelled(seed, reference=reference, sky_order=sky_order, **knobs)
    threshold = 3.5 if reject == "shrunk" else 3.0
    rule = Rule(reject=reject, low=threshold, high=threshold)
    whole = Window(0, 0, *found.canvas.shape)
    return found, coadd(found.placed(), whole, found.canvas.shape, WarpRules(), rule, backend="numba")


def channels(frame: SimFrame) -> np.ndarray:
    """Give the pixels of a frame as (C, ny, nx)."""
    return frame.data.reshape(-1, *frame.data.shape[-2:])


def plane_removed(values: np.ndarray) -> np.ndarray:
    """Take the best plane off a map, NaN left out; (H, W)."""
    y, x = np.indices(values.shape) / max(values.shape)
    terms = np.stack([np.ones_like(x), y, x], axis=-1)
    good = np.isfinite(values)
    return values - terms @ np.linalg.lstsq(terms[good], values[good], rcond=None)[0]


def cell_medians(values: np.ndarray, side: int, least: float = 0.3) -> np.ndarray:
    """Give medians of square cells, NaN where less than a part of a cell is known; (H // side, W // side)."""
    height, width = (n // side for n in values.shape)
    cells = values[: height * side, : width * side].reshape(height, side, width, side)
    cells = cells.transpose(0, 2, 1, 3).reshape(height, width, -1)
    known = np.isfinite(cells).mean(axis=-1) >= least
    cells = np.where(known[..., None], cells, 0)
    return np.where(known, np.nanmedian(cells, axis=-1), np.nan)


def _measured(frame: SimFrame) -> Measured:
    return measure(channels(frame), frame.header["SATURATE"])


def _stats(frame: SimFrame, m: Measured, wcs: WCS, canvas: Canvas, way: Route, radius: float) -> FrameStats:
    data = channels(frame)
    shape = data.shape[1:]
    x, y = coordinates(wcs, canvas.wcs, Window(0, 0, *shape))
    stars, sky, fine = levels(data, m, x, y, canvas.shape[1], radius, CELL_PX, ratio=way.ratio)
    return FrameStats(
        frame.name, stars, sky, fine, m.sigma * way.ratio, m.fwhm_px / np.sqrt(way.ratio), m.elongation, m.n_stars,
        frame.header["EXPTIME"], shape[0] * shape[1] / way.ratio, -(-canvas.shape[1] // CELL_PX),
        float(x[shape[0] // 2, shape[1] // 2]), float(y[shape[0] // 2, shape[1] // 2]),
    )  # fmt: skip


def _rows(data: np.ndarray):
    return lambda y0, y1: data[:, y0:y1]


@dataclass(frozen=True)
class Product:
    """A mosaic as step 12 wrote it."""

    header: Header
    sci: np.ndarray
    wht: np.ndarray
    metrics: dict

    @property
    def wcs(self) -> WCS:
        """Of the two axes of the picture."""
        return WCS(self.header, naxis=2)

    @property
    def left_out(self) -> dict[str, str]:
        """Reason by frame."""
        return {frame["id"]: frame["reason"] for frame in self.metrics["rejected"]}


def step(run: Path, frames: Path | str, **settings) -> dict[str, Product]:
    """Run step 12 on a folder of frames; gives its mosaics by name."""
    config = configuration.check({"mosaic": {"frames": str(frames), **settings}})
    list(chain.walk(config, run, steps=("12_mosaic",)))
    folder, found = run / "12_mosaic/products", {}
    for path in sorted(folder.glob("*.metrics.json")):
        name = path.name.removesuffix(".metrics.json")
        with fits.open(folder / f"{name}.fits") as hdus:
            planes = [hdu.data.astype(float).reshape(-1, *hdu.data.shape[-2:]) for hdu in hdus[:2]]
            found[name] = Product(hdus[0].header.copy(), *planes, json.loads(path.read_bytes()))
    return found
