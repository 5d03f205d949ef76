"""What is measured on one frame so that it can be levelled with the others: stars, sky cells and structure cells."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stars:
    """Fluxes of the stars of one frame, all frames through one aperture.

    Attributes
    ----------
    x, y : ndarray, shape (n,), float64, canvas px
        Where they are.
    flux, error : ndarray, shape (n, C), float64, adu
        Flux above the local sky and its one-sigma error. Saturated and crowded stars are not among them;
        NaN where a channel could not be measured.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    error: np.ndarray

    @classmethod
    def none(cls, n_channels: int) -> "Stars":
        """Give no star at all."""
        return cls(np.empty(0), np.empty(0), np.empty((0, n_channels)), np.empty((0, n_channels)))


@dataclass(frozen=True)
class Cells:
    """Medians of one frame in the cells of a square grid laid over the canvas.

    Attributes
    ----------
    index : ndarray, shape (n,), int64
        Number of the cell, counted along the rows of the canvas; each at most once.
    u, v : ndarray, shape (n,), float64, canvas px
        Mean position, along x and y, of the samples the median is of.
    value, variance : ndarray, shape (n, C), float32, adu and adu squared
        Median and its variance; NaN where a channel has no sample.
    count : ndarray, shape (n,), int64
        Samples in the cell.
    """

    index: np.ndarray
    u: np.ndarray
    v: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    count: np.ndarray

    @classmethod
    def none(cls, n_channels: int) -> "Cells":
        """Give no cell at all."""
        values = np.empty((0, n_channels), np.float32)
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0), values, values, np.empty(0, np.int64))

    def only(self, kept: np.ndarray) -> "Cells":
        """Keep some of the cells; shape (n,), bool."""
        return Cells(*(getattr(self, name)[kept] for name in ("index", "u", "v", "value", "variance", "count")))


@dataclass(frozen=True)
class FrameStats:
    """Everything that the levelling needs to know about one frame.

    Stars, cells and noise are in the units that the frame has on the canvas before its gain, that is
    after the factor by which the warp multiplies it.

    Attributes
    ----------
    id : str
        Name of the frame; frames are worked on in the order of their names.
    stars : Stars
        Its stars.
    sky : Cells
        Medians without stars in large cells: the level.
    fine : Cells
        Medians of everything in small cells: the structure of the sky.
    sigma : ndarray, shape (C,), adu
        One-sigma noise of a sample.
    fwhm_px, elongation : float
        Median width (canvas px) and axis ratio of its stars; NaN without stars.
    n_stars : int
        Stars found, more than those in `stars`.
    exptime_s : float
        Exposure time in seconds; NaN when it is not known.
    area_px : float
        Canvas pixels that the frame covers.
    canvas_width_cells : int
        Cells in a row of the grid of `sky`.
    x_px, y_px : float
        Canvas position of the frame's centre; that of its cells where it is not given.
    median : ndarray, shape (C,), adu, or None
        Median of all that the frame covers; that of its small cells where it is not given.
    """

    id: str
    stars: Stars
    sky: Cells
    fine: Cells
    sigma: np.ndarray
    fwhm_px: float = float("nan")
    elongation: float = float("nan")
    n_stars: int = 0
    exptime_s: float = float("nan")
    area_px: float = 0.0
    canvas_width_cells: int = 0
    x_px: float = float("nan")
    y_px: float = float("nan")
    median: np.ndarray | None = None

    @property
    def n_channels(self) -> int:
        """Colour channels, 1 or 3."""
        return len(self.sigma)

    def middle_value(self) -> np.ndarray:
        """Give the median of all that the frame covers; float64, shape (C,), NaN where there is nothing."""
        if self.median is not None:
            return np.asarray(self.median, np.float64)
        cells = self.fine if len(self.fine.index) else self.sky
        return np.array([_weighted_median(cells.value[:, k], cells.count) for k in range(self.n_channels)])


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    good = np.isfinite(values) & (weights > 0)
    if not good.any():
        return float("nan")
    order = np.argsort(values[good], kind="stable")
    total = np.cumsum(weights[good][order])
    return float(values[good][order][np.searchsorted(total, total[-1] / 2)])
