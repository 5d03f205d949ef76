"""What a light's own noise is: from gain and read noise, or measured where the camera's numbers are not known."""

from dataclasses import dataclass

import numpy as np
from astropy.stats import SigmaClip
from numpy.typing import NDArray


@dataclass(frozen=True)
class Noise:
    """Variance of a raw pixel, adu^2: a constant, and so much per adu of light and dark current.

    Attributes
    ----------
    constant_adu2 : float
        Reading out and rounding.
    per_adu : float
        One over the gain: the variance of counted electrons, per adu of them.
    assumed : tuple of str
        What had to be assumed, in words.
    """

    constant_adu2: float = 0.0
    per_adu: float = 0.0
    assumed: tuple[str, ...] = ()

    @classmethod
    def of_camera(cls, egain_e_adu: float, rdnoise_e: float, step_adu: float, assumed: tuple[str, ...] = ()) -> "Noise":
        """Make the noise of a camera whose gain and read noise are known; a step of width q adds q^2 / 12."""
        return cls((rdnoise_e / egain_e_adu) ** 2 + step_adu**2 / 12, 1 / egain_e_adu, assumed)


def background_noise(
    data: NDArray[np.float32], masters_adu2: float, egain_e_adu: float, step_adu: float, assumed: tuple[str, ...] = ()
) -> Noise:
    """Measure the noise of the background from differences of pixels two columns apart.

    Two columns, as neighbours in a colour-filter array have different colours. The differences hold the noise of two
    pixels of the light and of its masters; stars and hot pixels are clipped at 4 sigma.

    Parameters
    ----------
    data : ndarray, shape (n, nx), float32, adu
        Rows of the light after bias and dark, before the flat.
    masters_adu2 : float, adu^2
        Median variance that the masters brought in.
    egain_e_adu : float
        Electrons per adu. Where it is known, the shot noise of the background is taken off what was measured, and the
        rest is called read noise. Where it is NaN, all pixels get the noise of the background.
    step_adu : float, adu
        Width of a digital step.
    assumed : tuple of str
        What had to be assumed so far.
    """
    differences = (data[:, 2:] - data[:, :-2]).ravel()
    differences = differences[np.isfinite(differences)].astype(float)
    kept = SigmaClip(sigma=4, maxiters=None, cenfunc="median", stdfunc="std")(differences, masked=False)
    variance = max(float(np.var(kept)) / 2 - masters_adu2, 0.0) if kept.size else np.nan
    if np.isnan(egain_e_adu):
        said = (
            f"gain is not known: all pixels get the noise of the background, {variance**0.5:.4g} adu, "
            "measured from differences of pixels; bright pixels are noisier than that"
        )
        return Noise(variance, 0.0, (*assumed, said))
    shot = max(median_of_finite(data), 0.0) / egain_e_adu
    read = max(variance - shot - step_adu**2 / 12, 0.0)
    said = (
        f"read noise is not known: {read**0.5 * egain_e_adu:.4g} electrons are taken, what is left of the noise of "
        "the background, measured from differences of pixels, without its shot noise"
    )
    return Noise(read + step_adu**2 / 12, 1 / egain_e_adu, (*assumed, said))


def median_of_finite(values: NDArray[np.float32]) -> float:
    """Give the median of what is a number, NaN if nothing is."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan
