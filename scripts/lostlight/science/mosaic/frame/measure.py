"""What is measured on one frame in its own pixels: its stars, its noise and how sharp it is."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.frame.noise import pixel_noise
from lostlight.science.mosaic.frame.star_mask import star_mask
from lostlight.science.mosaic.frame.stars import StarTable, find_stars

_SHARPNESS_STARS = 300


@dataclass(frozen=True)
class Measured:
    """One frame in its own pixels.

    Attributes
    ----------
    stars : StarTable
        The brightest stars, at most 2000.
    sources : ndarray, shape (m, 3), float32, native px
        x, y and radius of the circle around everything that was detected: kept out of the sky.
    sigma : ndarray, shape (C,), float64, adu
        Noise of a pixel; 0 for a constant frame, NaN for one without valid pixels.
    fwhm_px, elongation : float
        Median width (native px) and ratio of axes of the brightest stars; NaN without stars.
    n_stars : int
        All stars found.
    status : str
        What is wrong with the frame; empty if nothing is.
    """

    stars: StarTable
    sources: NDArray[np.float32]
    sigma: NDArray[np.float64]
    fwhm_px: float
    elongation: float
    n_stars: int
    status: str = ""

    def arrays(self) -> dict[str, NDArray]:
        """Give everything as named arrays, as they go into an npz file."""
        plain = {f"stars_{name}": values for name, values in vars(self.stars).items()}
        others = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "stars"}
        return plain | others

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray]) -> "Measured":
        """Take back what `arrays` gave."""
        stars = StarTable(*(np.asarray(arrays[f"stars_{f.name}"]) for f in fields(StarTable)))
        numbers = float(arrays["fwhm_px"]), float(arrays["elongation"]), int(arrays["n_stars"])
        return cls(stars, np.asarray(arrays["sources"]), np.asarray(arrays["sigma"]), *numbers, str(arrays["status"]))


def measure(data: NDArray[np.float32], saturate: float | None = None) -> Measured:
    """Measure the stars and the noise of a frame.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels with their sky, one channel or three; NaN where there is none.
    saturate : float, optional
        Level at which a pixel is full, adu.

    Returns
    -------
    Measured
        A frame without stars, without noise or without pixels is no error: it has none, and `status` says so.
    """
    found = find_stars(data, saturate)
    sigma = pixel_noise(data, star_mask(data.shape[1:], found.sources))
    bright = found.stars.fwhm_px[:_SHARPNESS_STARS], found.stars.elongation[:_SHARPNESS_STARS]
    fwhm, elongation = (float(np.median(values)) if len(values) else np.nan for values in bright)
    return Measured(found.stars, found.sources, sigma, fwhm, elongation, found.n_stars, _status(data, sigma))


def _status(data: NDArray[np.float32], sigma: NDArray[np.float64]) -> str:
    if not np.isfinite(data).any():
        return "no valid pixel"
    if not np.isfinite(sigma).all():
        return "too few valid pixels"
    return "" if (sigma > 0).all() else "constant: no noise at all"
