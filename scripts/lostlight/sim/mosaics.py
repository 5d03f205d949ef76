"""Simulated mosaics: frames of a field whose truth is known, rendered on their own pixels, never resampled.

>>> made = scene(1, layout=(2, 2), tile_px=(200, 240), gains=0.25, slopes=30, trails=1)   # knobs: MosaicDesign
>>> frame = made.frames[0]                   # .name, .data (ny, nx) or (3, ny, nx) float32, .header
>>> made.truth.frames[0].gain                # (C,); also throughput, offset, slope, sigma, fwhm_px, trails, wcs
>>> made.truth.frames[0].sky(y=0, x=0)       # (C,): background of the frame at its own pixels
>>> made.truth.frames[0].star_pixels()       # (x, y) of made.truth.stars on it
>>> made.truth.image(wcs, (300, 400), 2.6)   # (C, ny, nx): stars and nebula on any pixels, at throughput 1
>>> made.expected(0)                         # the frame without noise and flaws
>>> write(folder, made)                      # FITS files; mosaics_files.write_tiles(folder, seed) for tiles:<seed>

A pixel of frame i is ``throughput × (stars + nebula) + sky + noise``, then trails, cosmic rays and hot pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.io import fits
from lostlight.sim.cells import stream
from lostlight.sim.mosaics_design import MosaicDesign
from lostlight.sim.mosaics_light import add_stars, add_trail
from lostlight.sim.mosaics_pointing import pointings, wcs_header
from lostlight.sim.mosaics_truth import FrameTruth, Truth

Image = NDArray[np.float64]


@dataclass(frozen=True)
class SimFrame:
    """A calibrated frame: float32, (ny, nx) or (3, ny, nx), adu."""

    name: str
    data: NDArray[np.float32]
    header: Header


class Scene:
    """A field, the frames taken of it, and the truth; any frame is the same alone or among others."""

    def __init__(self, seed: int, design: MosaicDesign) -> None:
        self.seed, self.design = seed, design
        self.shots = pointings(design)
        self.truth = Truth(seed, design, self.shots)

    def __len__(self) -> int:
        return len(self.shots)

    @cached_property
    def frames(self) -> list[SimFrame]:
        """All frames."""
        return list(self)

    def __iter__(self) -> Iterator[SimFrame]:
        return (self.frame(index) for index in range(len(self)))

    def frame(self, index: int) -> SimFrame:
        """Take one frame."""
        truth, design = self.truth.frames[index], self.design
        planes = self.expected(index)
        for channel, plane in enumerate(planes):
            rng = stream(self.seed, "mosaic noise", index, channel)
            reading = truth.sigma[channel]
            if design.gain_e_adu:
                reading = np.sqrt(reading**2 - truth.offset[channel] / design.gain_e_adu)
                plane[:] = rng.poisson(np.maximum(plane, 0) * design.gain_e_adu) / design.gain_e_adu
            plane += reading * rng.standard_normal(plane.shape)
            self._flaws(plane, truth)
        planes = np.minimum(planes, design.saturate)
        if border := design.nan_border_px:
            inside = planes[:, border:-border, border:-border].copy()
            planes[:], planes[:, border:-border, border:-border] = np.nan, inside
        data = planes.astype(np.float32)
        return SimFrame(truth.name, data if design.channels == 3 else data[0], self._header(index))

    def expected(self, index: int) -> Image:
        """Give a frame without noise and flaws, float64, (C, ny, nx), not cut off where it saturates."""
        truth, design = self.truth.frames[index], self.design
        if truth.fault == "empty":
            return np.full((design.channels, *truth.shape), np.nan)
        y, x = np.indices(truth.shape)
        ra, dec = truth.wcs.all_pix2world(x, y, 0)
        area = design.scales[index % len(design.scales)] ** 2
        at = truth.star_pixels()
        width = (truth.fwhm_px, truth.fwhm_px * truth.elongation)
        planes = []
        for band, throughput in zip(truth.pointing.bands, truth.throughput, strict=True):
            light = area * self.truth.nebula(ra, dec, band)
            if truth.fault != "starless":
                add_stars(light, *at, self.truth.sky.fluxes(band), width, design.moffat_beta)
            planes.append(throughput * light)
        return np.array(planes) + truth.sky(y, x)

    def _flaws(self, plane: Image, truth: FrameTruth) -> None:
        for trail in truth.trails:
            add_trail(plane, trail.start, trail.end, trail.peak_adu, truth.fwhm_px)
        plane += truth.cosmics
        y, x, adu = self.truth.hot
        plane[y, x] += adu

    def _header(self, index: int) -> Header:
        shot, design = self.shots[index], self.design
        header = Header({"IMAGETYP": "LIGHT", "EXPTIME": shot.exptime_s, "DATE-OBS": shot.start.isoformat()})
        if shot.filter:
            header["FILTER"] = shot.filter
        header["GAIN"] = 100
        if design.gain_e_adu:
            header["EGAIN"] = design.gain_e_adu
        header["SATURATE"] = design.saturate
        header["BUNIT"] = "adu"
        header["OBJECT"] = f"SIM MOSAIC {self.seed}"
        header["INSTRUME"] = "Simulated camera"
        if design.has_wcs and index not in design.without_wcs:
            header.update(wcs_header(self.seed, design, self.truth.sky, shot))
        return header


def scene(seed: int, **knobs: Any) -> Scene:
    """Make a simulated mosaic.

    Parameters
    ----------
    seed : int
        Not negative; the same seed and knobs give the same bytes.
    **knobs
        Fields of `mosaics_design.MosaicDesign`.
    """
    return Scene(seed, MosaicDesign(**knobs))


def write(folder: Path, made: Scene) -> list[Path]:
    """Write the frames of a scene as FITS files and list them."""
    paths = [folder / shot.name for shot in made.shots]
    folder.mkdir(parents=True, exist_ok=True)
    for path, frame in zip(paths, made, strict=True):
        fits.write_image(path, frame.data, frame.header)
    return paths
