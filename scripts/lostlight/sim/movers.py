"""A simulated field of movers: images of a few nights, three bodies that move among the stars, and the truth.

>>> made = Movers(1)                         # knobs: MoversDesign, as in Movers(1, rotation_deg=0.5, cosmics=0)
>>> made.truth                               # one row for each body, at the earliest image
>>> made.image(0), made.header(0)            # (ny, nx) float32, adu; a header as a reduction leaves it
>>> made.expected(0)                         # the same without noise and flaws
>>> made.wcs(0), made.fwhm_px[0], made.mjd_mid[0], made.sigma_adu[0]
>>> made.star_pixels(0), made.body_pixels(0) # (x, y) of all stars, of all bodies
>>> made.write(folder)                       # FITS files and truth.ecsv: what ``movers:<seed>`` names

All light is rendered on the pixels of each image by this package's own means, so that it judges injection and search
from outside of them.
"""

from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.io import fits
from lostlight.sim.camera_cosmics import cosmic_rays
from lostlight.sim.cells import stream
from lostlight.sim.mosaics_light import add_stars
from lostlight.sim.mosaics_sky import tangent_plane
from lostlight.sim.movers_design import MoversDesign
from lostlight.sim.movers_truth import bodies_of, stars_of, truth_of

Image = NDArray[np.float64]

_MJD_0 = datetime(1858, 11, 17)
_TRAIL_POINTS = 3


class Movers:
    """A field, its images and its truth; any image is the same alone or among others.

    Parameters
    ----------
    seed : int
        Not negative; the same seed and knobs give the same bytes.
    **knobs
        Fields of `movers_design.MoversDesign`.
    """

    def __init__(self, seed: int, **knobs: Any) -> None:
        self.seed, self.design = seed, MoversDesign(**knobs)

    def __len__(self) -> int:
        return self.design.n_epochs

    @cached_property
    def mjd_start(self) -> NDArray[np.float64]:
        """Start of each exposure, MJD, UTC, whole milliseconds."""
        design = self.design
        index = np.arange(design.n_epochs)
        night = index * design.nights // design.n_epochs
        turn = index - np.searchsorted(night, night)
        mjd = design.first_mjd + night + turn * design.cadence_min / 1440
        return np.asarray(np.round(mjd * 86_400_000) / 86_400_000)

    @property
    def mjd_mid(self) -> NDArray[np.float64]:
        """Middle of each exposure, MJD, UTC."""
        return self.mjd_start + self.design.exptime_s / 172_800

    @cached_property
    def fwhm_px(self) -> NDArray[np.float64]:
        """Width of a star on each image, before the integration over pixels."""
        scatter = stream(self.seed, "movers seeing").standard_normal(len(self))
        return np.asarray(self.design.fwhm_px * np.exp(self.design.seeing * scatter))

    @cached_property
    def throughput(self) -> NDArray[np.float64]:
        """What fluxes are multiplied by on each image; 1 on the first."""
        factor = 1 + self.design.throughput * stream(self.seed, "movers throughput").uniform(-1, 1, len(self))
        factor[0] = 1
        return np.asarray(factor)

    @property
    def sigma_adu(self) -> NDArray[np.float64]:
        """Noise of a pixel of blank sky in the middle of each image."""
        design = self.design
        return np.full(len(self), np.sqrt(design.read_adu**2 + design.sky_adu / design.gain_e_adu))

    def wcs(self, index: int) -> WCS:
        """Give the place of an image on the sky."""
        design, (ny, nx) = self.design, self.design.shape
        turn = design.angle_deg + design.rotation_deg * index / max(len(self) - 1, 1)
        dither = design.dither_px * stream(self.seed, "movers dither", index).uniform(-1, 1, 2) * (index > 0)
        wcs = tangent_plane(design.centre, design.scale_arcsec, turn)
        wcs.wcs.crpix = [(nx + 1) / 2 + dither[1], (ny + 1) / 2 + dither[0]]
        wcs.wcs.set()
        return wcs

    @cached_property
    def stars(self) -> Table:
        """Stars of the field, and galaxies after them: ra_deg, dec_deg, flux (adu at throughput 1), width."""
        return stars_of(self)

    @cached_property
    def truth(self) -> Table:
        """One row for each body, at the earliest image: place, motion, flux, signal to noise."""
        return truth_of(self)

    def star_pixels(self, index: int) -> tuple[Image, Image]:
        """Give the zero-based pixel (x, y) of every star on an image."""
        x, y = self.wcs(index).wcs_world2pix(self.stars["ra_deg"], self.stars["dec_deg"], 0)
        return np.asarray(x), np.asarray(y)

    def body_pixels(self, index: int, part: float = 0.5) -> tuple[Image, Image]:
        """Give the zero-based pixel (x, y) of every body on an image, when a part of the exposure is over."""
        mjd = self.mjd_start[index] + part * self.design.exptime_s / 86_400
        x, y = self.wcs(index).wcs_world2pix(*bodies_of(self, np.array([mjd]))[:, :, 0], 0)
        return np.asarray(x), np.asarray(y)

    def sky(self, index: int) -> Image:
        """Give the sky of an image: a plane."""
        (ny, nx), design = self.design.shape, self.design
        slope = design.slopes * stream(self.seed, "movers sky", index).uniform(-1, 1, 2)
        y, x = np.linspace(-0.5, 0.5, ny)[:, None], np.linspace(-0.5, 0.5, nx)
        return np.asarray(design.sky_adu + slope[0] * y + slope[1] * x)

    def light(self, index: int) -> Image:
        """Give the light of stars and bodies on an image."""
        image, design = np.zeros(self.design.shape), self.design
        x, y = self.star_pixels(index)
        flux, widths = self.throughput[index] * np.asarray(self.stars["flux"]), np.asarray(self.stars["width"])
        for width in np.unique(widths):
            of_it = widths == width
            fwhm = self.fwhm_px[index] * float(width)
            add_stars(image, x[of_it], y[of_it], flux[of_it], (fwhm, fwhm), design.beta)
        share = self.throughput[index] * np.asarray(self.truth["flux_adu"]) / _TRAIL_POINTS
        for step in range(_TRAIL_POINTS):
            at = self.body_pixels(index, (step + 0.5) / _TRAIL_POINTS)
            add_stars(image, *at, share, (self.fwhm_px[index],) * 2, design.beta)
        return image

    def expected(self, index: int) -> Image:
        """Give an image without noise and flaws."""
        return self.sky(index) + self.light(index)

    def image(self, index: int) -> NDArray[np.float32]:
        """Take an image."""
        design = self.design
        electrons = self.expected(index) * design.gain_e_adu
        electrons = stream(self.seed, "movers photons", index).poisson(electrons).astype(np.float64)
        electrons += cosmic_rays(stream(self.seed, "movers cosmics", index), design.shape, design.cosmics)
        image = electrons / design.gain_e_adu
        image += design.read_adu * stream(self.seed, "movers reading", index).standard_normal(design.shape)
        y, x, adu = self.hot
        image[y, x] += adu
        return np.minimum(image, design.saturate).astype(np.float32)

    @property
    def hot(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Image]:
        """Hot pixels of the detector: y, x, and adu above the rest."""
        (ny, nx), n = self.design.shape, self.design.hot_px
        rng = stream(self.seed, "movers hot pixels")
        y, x = np.unravel_index(rng.choice(ny * nx, n, replace=False), (ny, nx))
        return y, x, 300 * np.exp(rng.standard_normal(n))

    def header(self, index: int) -> Header:
        """Write the header of an image, as a reduction leaves it."""
        design = self.design
        start = _MJD_0 + timedelta(milliseconds=round(self.mjd_start[index] * 86_400_000))
        header = Header({"IMAGETYP": "LIGHT", "EXPTIME": design.exptime_s, "FILTER": "r"})
        header["DATE-OBS"] = start.isoformat(timespec="milliseconds")
        header["TIMESYS"] = "UTC"
        header["EGAIN"] = design.gain_e_adu
        header["SATURATE"] = design.saturate
        header["MAGZERO"] = design.zero_mag + 2.5 * np.log10(self.throughput[index])
        header["BUNIT"] = "adu"
        header["OBJECT"] = f"SIM MOVERS {self.seed}"
        header["INSTRUME"] = "Simulated camera"
        header.update(self.wcs(index).to_header(relax=True))
        return header

    def write(self, folder: Path) -> list[Path]:
        """Write the images as FITS files with truth.ecsv beside them, and list the images."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"mover_{index:03d}.fits" for index in range(len(self))]
        for index, path in enumerate(paths):
            fits.write_image(path, self.image(index), self.header(index))
        self.truth.write(folder / "truth.ecsv", format="ascii.ecsv", overwrite=True)
        return paths
