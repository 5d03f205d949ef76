"""The last steps of a mosaic: what is badly covered goes, nothing is painted in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.polish.altaz import smooth_rim
from lostlight.science.mosaic.polish.coverage_cut import well_covered
from lostlight.science.mosaic.polish.crop import CropMode, autocrop, quiet_window
from lostlight.science.mosaic.window import Window

SecondPass = Callable[[Layer], tuple[Layer, float, float]]
"""Level the lots once more: gives the new mosaic and the residual of the overlaps before and after."""
_MOST_ROUNDS = 2


@dataclass(frozen=True)
class PolishRules:
    """What is cut: the knobs of the same names."""

    min_rel: float = 0.15
    min_abs: int = 1
    open_px: int = 3
    erode_px: int = 2
    crop: CropMode = "bbox"
    margin_px: int = 0
    noise: float | None = 2.0


@dataclass
class PolishReport:
    """Pixels that each step took, and what it decided.

    Attributes
    ----------
    covered_px : int
        Pixels of which something was known before.
    cut_px, altaz_px, noise_px : int
        Pixels that the coverage cut, the smoothing of the rim and the noise of outer rows and columns took.
    crop_px : int
        Pixels that were good and lie outside the crop.
    kept_px : int
        Pixels left.
    rounds : list of (float, float)
        Residual of the overlaps before and after each round of the second pass; the last may have been refused.
    crop : Window
        What is left of the canvas.
    """

    covered_px: int = 0
    cut_px: int = 0
    altaz_px: int = 0
    noise_px: int = 0
    crop_px: int = 0
    kept_px: int = 0
    rounds: list[tuple[float, float]] = field(default_factory=list)
    crop: Window = field(default_factory=lambda: Window(0, 0, 0, 0))

    def plain(self) -> dict[str, Any]:
        """Give plain data for a record; the crop as y0, x0, height, width."""
        box = self.crop
        return vars(self) | {"crop": [box.y0, box.x0, box.height, box.width], "rounds": [list(r) for r in self.rounds]}


def polish(
    layer: Layer, rules: PolishRules, second_pass: SecondPass | None = None
) -> tuple[Layer, Window, PolishReport]:
    """Cut, level again if asked, smooth the rim, trim what is noisy, crop.

    Parameters
    ----------
    layer : Layer
        The mosaic; changed in place.
    rules : PolishRules
    second_pass : callable, optional
        Levels the lots once more, see `SecondPass`; accepted while the residual drops, twice at most.

    Returns
    -------
    layer : Layer
        The window of the mosaic that is left, without a copy.
    crop : Window
        That window: one for all planes and for the sky solution.
    report : PolishReport

    Raises
    ------
    BadImage
        If a step leaves nothing.
    """
    report = PolishReport(covered_px=int(np.count_nonzero(layer.covered())))
    keep = well_covered(layer, rules.min_rel, rules.min_abs)
    report.cut_px = report.covered_px - _left(keep, "min_rel and min_abs")
    layer.clear(~keep)
    if second_pass is not None:
        layer = _level_again(layer, keep, second_pass, report)
    report.altaz_px = _restrict(keep, smooth_rim(keep, rules.open_px, rules.erode_px), "open_px and erode_px")
    if rules.noise is not None:
        quiet = np.zeros_like(keep)
        quiet[quiet_window(layer.wht, keep, rules.noise).slices] = True
        report.noise_px = _restrict(keep, quiet, "crop.noise")
    layer.clear(~keep)
    report.crop = autocrop(keep, rules.crop, rules.margin_px)
    report.kept_px = int(np.count_nonzero(keep[report.crop.slices]))
    report.crop_px = int(np.count_nonzero(keep)) - report.kept_px
    return layer.crop(report.crop), report.crop, report


def _level_again(layer: Layer, keep: NDArray[np.bool_], again: SecondPass, report: PolishReport) -> Layer:
    for _ in range(_MOST_ROUNDS):
        new, before, after = again(layer)
        report.rounds.append((before, after))
        if not after < before:
            break
        new.clear(~keep)
        layer = new
    keep &= layer.covered()
    return layer


def _restrict(keep: NDArray[np.bool_], to: NDArray[np.bool_], knobs: str) -> int:
    """Narrow a mask in place and count what it loses."""
    before = int(np.count_nonzero(keep))
    keep &= to
    return before - _left(keep, knobs)


def _left(keep: NDArray[np.bool_], knobs: str) -> int:
    left = int(np.count_nonzero(keep))
    if not left:
        raise BadImage(
            f"polishing leaves nothing of the mosaic of {keep.shape[1]} x {keep.shape[0]} pixels",
            hint=f"lower {knobs} of mosaic.polish",
        )
    return left
