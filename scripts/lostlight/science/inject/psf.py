"""The profile of a point source, integrated over pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.inject.mixture import elliptical, gaussian, moffat
from lostlight.science.inject.sampled import empirical, sampled

__all__ = [
    "PSFParams", "Psf", "elliptical", "empirical", "from_record", "gaussian", "moffat", "psf_of", "sampled",
]  # fmt: skip

_MAKERS = {"gaussian": gaussian, "moffat": moffat, "elliptical": elliptical, "sampled": sampled}


class Psf(Protocol):
    """What every model of a profile gives; see the makers `gaussian`, `moffat`, `elliptical`, `sampled`."""

    @property
    def fwhm_px(self) -> float:
        """Intrinsic full width at half maximum, the pixel not included."""

    @property
    def n_eff(self) -> float:
        """Noise pixels: 1 / sum(p^2) of the pixel-integrated, unit-sum profile centred on a pixel."""

    @property
    def sum_p3(self) -> float:
        """Sum of the cubes of the same."""

    def half_width(self, lost: float = 1e-6) -> int:
        """Give how many pixels a stamp must reach to each side so that at most this fraction of the light is lost."""

    def kernel(self) -> NDArray[np.float64]:
        """Give the profile centred on the middle pixel of an odd square, integrated over pixels, of unit sum."""

    def draw(
        self,
        planes: NDArray[Any],
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        flux: NDArray[np.float64],
        threads: int = 1,
    ) -> None:
        """Draw n sources of K nodes, each on a plane of its own; see `lostlight.science.inject.profile.Profile`."""

    def record(self) -> dict[str, Any]:
        """Describe it in plain JSON values, for `from_record`."""


@dataclass(frozen=True, eq=False)
class PSFParams:
    """Say in a few words what the profile of a point is; see `psf_of`.

    Parameters
    ----------
    fwhm_pixels : float
        Intrinsic full width at half maximum, the pixel not included.
    kernel : (ny, nx) float or None
        empirical: the image of a point, centred on the middle pixel; both sides odd.
    model : {'gaussian', 'moffat', 'empirical'}
    beta : float
        moffat: steepness of its wings.
    """

    fwhm_pixels: float = 2.5
    kernel: NDArray[Any] | None = None
    model: Literal["gaussian", "moffat", "empirical"] = "gaussian"
    beta: float = 3.0


def psf_of(params: PSFParams) -> Psf:
    """Make the profile that parameters describe.

    Raises
    ------
    ConfigError
        Another model, or a kernel that is missing.
    """
    if params.model == "gaussian":
        return gaussian(params.fwhm_pixels)
    if params.model == "moffat":
        return moffat(params.fwhm_pixels, params.beta)
    if params.model == "empirical" and params.kernel is not None:
        return empirical(params.kernel)
    what = "without a kernel" if params.model == "empirical" else "is not known"
    raise ConfigError(f"the profile {params.model!r} {what}", "take gaussian or moffat, or empirical with its kernel")


def from_record(record: Mapping[str, Any]) -> Psf:
    """Make the profile that `Psf.record` described.

    Raises
    ------
    ConfigError
        Another model, or values that it does not know.
    """
    facts = dict(record)
    model = facts.pop("model", None)
    try:
        return _MAKERS[model](**facts)
    except (KeyError, TypeError) as error:
        hint = f"models are {', '.join(_MAKERS)}, each with what its maker takes"
        raise ConfigError(f"no profile is described by {model!r} with {sorted(facts)}", hint) from error
