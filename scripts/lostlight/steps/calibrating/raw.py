"""Raw frames on their way into a stack: overscan off, trimmed, and whatever else is to be taken off, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.io.rows import RowReader
from lostlight.science.calibrate import overscan, sections
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.statistics import row_step
from lostlight.science.calibrate.trouble import of_frame
from lostlight.science.stack.rule import ReadRows
from lostlight.steps.calibrating.levels import pedestal

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Level:
    """What is subtracted from one frame, adu: its overscan, of this median and scatter, or else its pedestal."""

    correction: NDArray[np.float64]
    level_adu: float = 0.0
    rms_adu: float = 0.0
    pedestal_adu: float = 0.0

    @property
    def subtracted_adu(self) -> float:
        """Median of what is subtracted."""
        return self.level_adu + self.pedestal_adu


class Trimmed:
    """Frames of one shape without their overscan: the strip cut off, its level subtracted, or that of PEDESTAL.

    ``frames(i, y0, y1, out)`` gives rows as the combine kernel asks for them; ``frames.whole(i)`` one frame.
    """

    def __init__(self, reader: RowReader, frames: Sequence[Frame], how: str, *, trim: bool = True) -> None:
        self.frames = tuple(frames)
        self._reader = reader
        self.rows, self.columns = window_of(frames[0]) if trim else _everything(frames[0])
        self.levels = [self._level(number, frame, how) for number, frame in enumerate(frames)]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what is left, (ny, nx)."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def __call__(self, number: int, y0: int, y1: int, out: NDArray[np.float32]) -> None:
        """Fill `out`, shape (y1 - y0, nx), float32, adu, with rows of a frame."""
        correction = self.correction(number)
        rows = correction[y0:y1] if correction.ndim and correction.shape[0] > 1 else correction
        np.subtract(self._rows(number, y0, y1), rows, out=out, casting="same_kind")

    def counts(self, number: int) -> NDArray[np.float32]:
        """Give one frame as it was read out, the level of the overscan still in it; shape (ny, nx), float32, adu."""
        return np.ascontiguousarray(self._rows(number, 0, self.shape[0]))

    def correction(self, number: int) -> NDArray[np.float64]:
        """Give the level of the overscan of one frame, adu: a number, or one for each row or column that is left."""
        correction = self.levels[number].correction
        if not correction.ndim:
            return correction
        return correction[self.rows] if correction.shape[0] > 1 else correction[:, self.columns]

    def _level(self, number: int, frame: Frame, how: str) -> Level:
        with of_frame(frame.frame_id):
            return _level(self._reader, number, frame, how)

    def _rows(self, number: int, y0: int, y1: int) -> NDArray[np.float32]:
        first = self.rows.start
        raw = np.empty((y1 - y0, self.frames[number].naxis1), np.float32)
        self._reader(number, y0 + first, y1 + first, raw)
        return raw[:, self.columns]

    def whole(self, number: int) -> NDArray[np.float32]:
        """Give one frame, shape (ny, nx), float32, adu."""
        out = np.empty(self.shape, np.float32)
        self(number, 0, self.shape[0], out)
        return out

    def sample(self, number: int) -> NDArray[np.float32]:
        """Give rows of one frame that are enough for its statistics, evenly spread; shape (n, nx), float32, adu."""
        chosen = range(0, self.shape[0], row_step(self.shape[0] * self.shape[1]))
        out = np.empty((len(chosen), self.shape[1]), np.float32)
        for place, row in enumerate(chosen):
            self(number, row, row + 1, out[place : place + 1])
        return out


def window_of(frame: Frame) -> Window:
    """Rows and columns of a frame that saw the sky; all of them where the header names none."""
    if not frame.trimsec:
        return _everything(frame)
    return sections.parse(frame.trimsec, frame.shape, f"{frame.frame_id} TRIMSEC")


def less(read: ReadRows, image: NDArray[np.float32]) -> ReadRows:
    """Take an image, adu, off the rows of every frame."""

    def rows(number: int, y0: int, y1: int, out: NDArray[np.float32]) -> None:
        read(number, y0, y1, out)
        out -= image[y0:y1]

    return rows


def over(read: ReadRows, levels: Sequence[NDArray[np.float64]]) -> ReadRows:
    """Divide the rows of each frame by its levels, one for every place of a 2 x 2 colour-filter array."""

    def rows(number: int, y0: int, y1: int, out: NDArray[np.float32]) -> None:
        read(number, y0, y1, out)
        for (row, column), level in np.ndenumerate(levels[number]):
            out[(row - y0) % 2 :: 2, column::2] /= np.float32(level)

    return rows


def _everything(frame: Frame) -> Window:
    return slice(0, frame.naxis2), slice(0, frame.naxis1)


def _level(reader: RowReader, number: int, frame: Frame, how: str) -> Level:
    if how == "off" or not frame.biassec:
        return Level(np.array(pedestal(frame)), pedestal_adu=pedestal(frame))
    section = sections.read(frame.biassec, frame.shape, f"{frame.frame_id} BIASSEC")
    rows, columns = section.slices
    raw = np.empty((rows.stop - rows.start, frame.naxis1), np.float32)
    reader(number, rows.start, rows.stop, raw)
    above = overscan.lies_above(section, frame.shape)
    correction, level, rms = overscan.level(raw[:, columns], "median" if how == "auto" else how, above)
    if correction.ndim and not above and correction.shape[0] != frame.naxis2:
        # the strip is shorter than the frame: rows beyond its ends take the value of the nearest
        nearest = np.clip(np.arange(frame.naxis2) - rows.start, 0, correction.shape[0] - 1)
        correction = correction[nearest]
    elif correction.ndim and above and correction.shape[1] != frame.naxis1:
        nearest = np.clip(np.arange(frame.naxis1) - columns.start, 0, correction.shape[1] - 1)
        correction = correction[:, nearest]
    return Level(correction, level, rms)
