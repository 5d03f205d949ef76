"""Frames brought to one level before any sample is rejected."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.trouble import of_frame, refuse
from lostlight.science.stack.rule import ReadRows
from lostlight.steps.calibrating.raw import Trimmed, over

Levels = Sequence[NDArray[np.float64]]
"""Level of each frame, adu: one, or one for each place of a 2 x 2 colour-filter array."""


def levels_of(trimmed: Trimmed, how: str) -> Levels:
    """Measure the levels of frames; raises CAL108 where one is not above zero.

    Nothing is measured for ``none``.
    """
    if how == "none":
        return []
    found = []
    for number, frame in enumerate(trimmed.frames):
        with of_frame(frame.frame_id):
            found.append(level(trimmed.whole(number), how))
            if not (found[-1] > 0).all():
                said = f"its level is {found[-1].min():.4g} adu: what is not above zero cannot be scaled"
                raise refuse("CAL108", said, "set normalize: none for this kind of frame")
    return found


def evened(read: ReadRows, levels: Levels, how: str) -> tuple[ReadRows, NDArray[np.float64] | None]:
    """Give rows whose colours are those of all frames, and the factor for each frame; no factors for ``none``."""
    if how == "none":
        return read, None
    overall = np.array([np.mean(each) for each in levels])
    if how == "per_cfa":
        colours = np.array([each / np.mean(each) for each in levels])
        read = over(read, list(colours / colours.mean(axis=0)))
    return read, overall.mean() / overall


def multiplied(read: ReadRows, factors: NDArray[np.float64] | None) -> ReadRows:
    """Multiply the rows of every frame by its factor."""
    if factors is None:
        return read

    def rows(number: int, y0: int, y1: int, out: NDArray[np.float32]) -> None:
        read(number, y0, y1, out)
        out *= np.float32(factors[number])

    return rows
