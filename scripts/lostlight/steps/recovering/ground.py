"""What a search of a stack stands on: its grid, the motions that are tried, the threshold, the rules."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError, NoWork
from lostlight.core.params import RecoverParams
from lostlight.io.stack_store import Stack
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.epochs.grid import Grid, union_grid
from lostlight.science.motion.project import jacobian
from lostlight.science.search import threshold
from lostlight.science.search.cap import cap_for
from lostlight.science.search.reach import FASTEST_ARCSEC_H, fastest, slowest, westward
from lostlight.science.search.rules import SearchRules
from lostlight.science.search.sigma_g import SigmaG
from lostlight.science.search.survivors import CandidateRules
from lostlight.science.search.velocities import velocity_grid
from lostlight.science.search.vet import Vetting
from lostlight.steps.injecting import epochs as stacks


@dataclass(frozen=True, eq=False)
class Ground:
    """A stack and how it is searched.

    Parameters
    ----------
    store : Stack
    epochs : Epochs
    grid : Grid
        Pixels of the search.
    params : RecoverParams
    """

    store: Stack
    epochs: Epochs
    grid: Grid
    params: RecoverParams

    @cached_property
    def fwhm_px(self) -> float:
        """Typical width of a point."""
        return float(np.median([psf.fwhm_px for psf in self.epochs.psfs]))

    @property
    def middle(self) -> tuple[float, float]:
        """Zero-based pixel in the middle of the grid."""
        return (self.grid.shape[1] - 1) / 2, (self.grid.shape[0] - 1) / 2

    @cached_property
    def to_pixels(self) -> NDArray[np.float64] | None:
        """Pixels (x, y) per arcsec to the east and to the north, in the middle of the grid; None without a sky."""
        if self.grid.wcs is None:
            return None
        x, y = self.middle
        return np.asarray(jacobian(self.grid.wcs, np.array([x]), np.array([y]))[0])

    @cached_property
    def scale_arcsec(self) -> float:
        """Side of a pixel; NaN without a sky."""
        return np.nan if self.to_pixels is None else float(abs(np.linalg.det(self.to_pixels)) ** -0.5)

    @cached_property
    def min_epochs(self) -> int:
        """Images that a path must have."""
        given, n = self.params.min_epochs, len(self.epochs)
        wanted = int(given) if given > 1 else int(np.ceil(given * n))
        if wanted > n:
            raise ConfigError(f"recover.min_epochs is {wanted}, but there are {n} images", hint="ask for fewer")
        return max(wanted, 2)

    @cached_property
    def rates(self) -> tuple[float, float]:
        """Slowest and fastest motion that is tried, arcsec per hour (pixels per hour without a sky)."""
        grid, per_px = self.params.grid, (1.0 if self.to_pixels is None else self.scale_arcsec) / 24
        high = grid.high
        if high is None:
            limit = fastest(self.epochs.days, self.grid.shape, self.min_epochs) * per_px
            high = max(limit if self.to_pixels is None else min(limit, FASTEST_ARCSEC_H), grid.low + 1e-6)
        if grid.low or not self.params.vetting.mask_static:
            return grid.low, high
        # Slower ones cannot be told from sources that stand still.
        low = slowest(self.epochs.days, self.fwhm_px) * per_px
        if low >= high:
            unit = "pixels" if self.to_pixels is None else "arcsec"
            raise NoWork(
                f"the images span {24 * self.epochs.days[-1]:.2g} h: only what moves faster than {low:.3g} {unit} per"
                f" hour leaves its place, and up to {high:.3g} is searched; give images of a longer time, or set"
                " recover.grid.high"
            )
        return low, high

    @cached_property
    def velocities(self) -> NDArray[np.float64]:
        """Motions that are tried, (V, 2) pixels per day."""
        angle, half = self._cone()
        return velocity_grid(
            *self.rates, float(self.epochs.days[-1]), self.fwhm_px, step_fwhm=self.params.grid.step_fwhm,
            jacobian=self.to_pixels, angle_deg=angle, half_width_deg=half,
        )  # fmt: skip

    @cached_property
    def n_pixels(self) -> int:
        """Pixels that paths may start from."""
        return self.grid.shape[0] * self.grid.shape[1]

    @cached_property
    def threshold(self) -> float:
        """Least likelihood of a candidate."""
        given = self.params.threshold
        return given or threshold.threshold_for(
            self.params.false_alarms, self.n_pixels, self.velocities, self.epochs.days, self.fwhm_px
        )

    @property
    def cap(self) -> float:
        """Most that one image contributes to the search for paths, in sigma."""
        return cap_for(self.threshold, len(self.epochs), self.min_epochs)

    @property
    def search_rules(self) -> SearchRules:
        """Rules of the search for paths."""
        return SearchRules(self.min_epochs, self.params.top)

    @cached_property
    def rules(self) -> CandidateRules:
        """What makes a candidate."""
        clip, vetting = self.params.sigma_g, self.params.vetting
        return CandidateRules(
            threshold=self.threshold,
            fwhm_px=self.fwhm_px,
            min_epochs=self.min_epochs,
            cluster_fwhm=self.params.cluster_fwhm,
            sigma_g=SigmaG(clip.low_percent, clip.high_percent, clip.n_sigma, clip.high_only)
            if clip.mode == "survivors"
            else None,
            vetting=Vetting(vetting.steady, vetting.halves, vetting.negatives, vetting.shape and self.is_profile_known),
            cap=self.cap,
        )

    @property
    def is_profile_known(self) -> bool:
        """Whether the width of a point was measured on most images; where it was assumed, no shape is a wrong one."""
        measured = self.epochs.is_psf_measured
        return 2 * sum(measured) >= len(measured)

    @cached_property
    def profile(self) -> NDArray[np.float64]:
        """Profile of a point on the image of typical width."""
        widths = [psf.fwhm_px for psf in self.epochs.psfs]
        return self.epochs.psfs[int(np.argsort(widths)[len(widths) // 2])].kernel()

    def _cone(self) -> tuple[float | None, float]:
        """Direction in the middle of those tried, and how far to either side; none and 180 for all."""
        grid = self.params.grid
        if grid.angle == "all":
            return None, 180.0
        if grid.angle != "ecliptic":
            return float(grid.angle), grid.half_width_deg or 15.0
        if self.grid.wcs is None:
            raise ConfigError("recover.grid.angle is ecliptic, but the images have no sky", hint="give a direction")
        ra, dec = (float(v) for v in self.grid.wcs.all_pix2world(*self.middle, 0))
        angle, half = westward(ra, dec, float(self.epochs.mjd_mid.mean()))
        return angle, grid.half_width_deg or half


def opened(path: Path, params: RecoverParams) -> Ground:
    """Open a stack to be searched."""
    store, epochs = stacks.opened(path)
    return Ground(store, epochs, union_grid(epochs), params)
