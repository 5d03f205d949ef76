"""What is known of each image of a stack."""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.science.inject.psf import Psf

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Epochs:
    """The images of a stack in order of time, T of them; all arrays have shape (T,).

    Parameters
    ----------
    ids : tuple of str
        Names of the images.
    shape : (int, int)
        Rows and columns of the arrays that hold them; smaller images fill the beginning, the rest is NO_DATA.
    mjd_mid : float64
        Middle of each exposure, MJD in UTC; strictly rising.
    exptime_s : float64
    wcs : tuple of WCS or None
        Sky of each image; None where there is none, then all images have the same pixels.
    psfs : tuple of Psf
        Profile of a point on each image.
    sigma_adu : float64
        Typical noise of a pixel of the background.
    gain_e_adu : float64
        NaN where unknown.
    zero_mag : float64
        Magnitude of one adu in the whole exposure; NaN where unknown.
    scale : float64
        Factor that brings fluxes of an image to the scale of the first; 1 where unknown.
    filters : tuple of str
    is_psf_measured : tuple of bool, optional
        Whether the profile of each image was measured, or is what was taken for want of stars; all were where empty.
    """

    ids: tuple[str, ...]
    shape: tuple[int, int]
    mjd_mid: FloatArray
    exptime_s: FloatArray
    wcs: tuple[WCS | None, ...]
    psfs: tuple[Psf, ...]
    sigma_adu: FloatArray
    gain_e_adu: FloatArray
    zero_mag: FloatArray
    scale: FloatArray
    filters: tuple[str, ...]
    is_psf_measured: tuple[bool, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def days(self) -> FloatArray:
        """Days since the first image."""
        return self.mjd_mid - self.mjd_mid[0]
