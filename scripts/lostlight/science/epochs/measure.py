"""What is measured on each image of a stack: its sky, its noise, the profile of a point."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostlight.science.epochs.background import Sky, sky_mesh
from lostlight.science.epochs.noise import Noise, noise_of
from lostlight.science.epochs.psf_fit import MeasuredPsf, measure_psf

_CORRELATED = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """Sky, noise and profile of one image, and what to be warned of."""

    sky: Sky
    noise: Noise
    psf: MeasuredPsf
    warnings: tuple[str, ...]


def measure(
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    variance: NDArray[np.float32] | None = None,
    *,
    mesh_px: int = 64,
    detect_sigma: float = 3.0,
    saturate: float | None = None,
    gain: float | None = None,
    model: Literal["moffat", "gaussian"] = "moffat",
    fallback_fwhm_px: float | None = None,
) -> Measured:
    """Measure one image.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32, adu
        With its sky.
    bad : ndarray, shape (ny, nx), bool
        Pixels that hold no measurement, saturated ones among them.
    variance : ndarray, shape (ny, nx), float32, adu^2, optional
        Plane that came with the image.
    mesh_px, detect_sigma
        See `background.sky_mesh`.
    saturate : float, optional
        Level of saturation, sky included, adu.
    gain : float, optional
        Electrons per adu.
    model, fallback_fwhm_px
        See `psf_fit.measure_psf`.

    Returns
    -------
    Measured

    Raises
    ------
    BadImage
        If the image has no good pixel, or no noise.
    """
    sky = sky_mesh(image, bad, mesh_px, detect_sigma)
    level = sky.level_map
    light = np.asarray(image - level, np.float32)
    noise = noise_of(light, sky.rms_map, bad, sky.sources, variance)
    psf = measure_psf(
        light,
        noise.variance,
        saturate=None if saturate is None else saturate - float(np.median(level)),
        gain=None if noise.from_plane else gain,
        model=model,
        fallback_fwhm_px=fallback_fwhm_px,
    )
    return Measured(sky, noise, psf, tuple(_warnings(noise, psf)))


def _warnings(noise: Noise, psf: MeasuredPsf) -> list[str]:
    said = [noise.note] if noise.note else []
    lag = max(noise.lag_x, noise.lag_y)
    if lag > _CORRELATED:
        said.append(
            f"neighbouring pixels share {lag:.0%} of their noise: the image was resampled, and its signal to noise is"
            " over-stated"
        )
    if psf.source == "fallback":
        said.append(
            f"{psf.n_stars} stars are too few to measure the profile of a point: {psf.fwhm_px:g} px are taken for its"
            " width"
        )
    elif "LOW_N" in psf.flags:
        said.append(f"the profile of a point rests on {psf.n_stars} stars only")
    return said
