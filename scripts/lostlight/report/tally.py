"""What the report knows of all detections, gathered tile by tile so that memory does not grow with their number."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table

from lostlight.vocab import bits

CUTS: tuple[bits.Bit, ...] = tuple(bit for bit in bits.FILTER if bit.name not in bits.LABELS)
"""The filter bits that remove a row, in order."""

CUT_MASK = sum(bit.value for bit in CUTS)

FIELD_CELLS = 12
"""The field of a tile is divided into this many cells along each axis."""

FWHM_BINS, FWHM_BIN_PX = 150, 0.1
"""Bins of the FWHM in each cell."""

STARS_PER_CELL = 10
"""Cells are made larger until they typically hold as many."""

CLEAN_SNR = 20
"""Stars below are too noisy to tell the sharpness of the field."""

RESIDUAL_ARCSEC = 3.0
"""Reach of the map of astrometric residuals."""


@dataclass
class Histogram:
    """Counts in equal bins from `low` to `high`; what falls outside, and NaN, is left out."""

    low: float
    high: float
    n_bins: int
    counts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.n_bins, dtype=np.int64)

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins, shape (n_bins + 1,)."""
        return np.linspace(self.low, self.high, self.n_bins + 1)

    def add(self, values: np.ndarray) -> None:
        """Count finite values."""
        self.counts += np.histogram(values[np.isfinite(values)], bins=self.n_bins, range=(self.low, self.high))[0]

    def median(self) -> float:
        """Give the median to the width of a bin; NaN without counts."""
        cumulative = np.cumsum(self.counts)
        if not cumulative[-1]:
            return float("nan")
        middle = int(np.searchsorted(cumulative, cumulative[-1] / 2))
        return float(self.edges[middle : middle + 2].mean())


def _measures() -> dict[str, Histogram]:
    return {
        "mag_auto": Histogram(-10, 40, 500),
        "fwhm_px": Histogram(0, 20, 200),
        "log_snr": Histogram(0, 5, 100),
    }


@dataclass
class Tally:
    """Counts over every detection of the run; `add` one tile at a time."""

    n_detections: int = 0
    n_alone: dict[str, int] = field(default_factory=lambda: {bit.name: 0 for bit in CUTS})
    n_left: dict[str, int] = field(default_factory=lambda: {bit.name: 0 for bit in CUTS})
    n_labelled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(sorted(bits.LABELS), 0))
    detections: dict[str, Histogram] = field(default_factory=_measures)
    separations: Histogram = field(default_factory=lambda: Histogram(0, 30, 300))
    chance: np.ndarray = field(default_factory=lambda: np.zeros(300))
    residuals: np.ndarray = field(default_factory=lambda: np.zeros((60, 60), dtype=np.int64))
    fwhm_map: np.ndarray = field(default_factory=lambda: np.zeros((FIELD_CELLS, FIELD_CELLS, FWHM_BINS), np.int64))

    def add(self, table: Table) -> None:
        """Count the detections of one tile, a FLAGGED table."""
        flags = np.asarray(table["flags"], dtype=np.int64)
        self.n_detections += len(table)
        left = np.ones(len(table), dtype=bool)
        for bit in CUTS:
            hit = (flags & bit.value) != 0
            left &= ~hit
            self.n_alone[bit.name] += int(hit.sum())
            self.n_left[bit.name] += int(left.sum())
        for bit in bits.FILTER:
            if bit.name in bits.LABELS:
                self.n_labelled[bit.name] += int(((flags & bit.value) != 0).sum())
        for name, values in measures(table).items():
            self.detections[name].add(values)
        if len(table):
            self._add_field(table)

    def add_chance(self, n_detections: int, chance_fraction: float, radius_arcsec: float) -> None:
        """Add the separations expected by chance, where `chance_fraction` of detections match within the radius.

        The nearest of rows with surface density rho lies beyond r with probability exp(-pi rho r^2).
        """
        density = -np.log1p(-min(chance_fraction, 0.999)) / radius_arcsec**2
        beyond = np.exp(-density * self.separations.edges**2)
        self.chance += n_detections * -np.diff(beyond)

    def add_residuals(self, east_arcsec: np.ndarray, north_arcsec: np.ndarray) -> None:
        """Count offsets of detection minus catalogue."""
        reach = (-RESIDUAL_ARCSEC, RESIDUAL_ARCSEC)
        self.residuals += np.histogram2d(north_arcsec, east_arcsec, bins=60, range=(reach, reach))[0].astype(np.int64)

    def fwhm_median_px(self) -> np.ndarray:
        """Median FWHM of clean stars over the field of a tile, NaN where there are too few.

        Shape (cells, cells), with as many cells as the number of stars allows.
        """
        counts = self.fwhm_map
        for n_cells in (FIELD_CELLS, 6, 4, 3):
            side = FIELD_CELLS // n_cells
            counts = self.fwhm_map.reshape(n_cells, side, n_cells, side, FWHM_BINS).sum(axis=(1, 3))
            if np.median(counts.sum(axis=2)) >= STARS_PER_CELL:
                break
        cumulative = np.cumsum(counts, axis=2)
        total = cumulative[:, :, -1]
        middle = np.argmax(cumulative >= total[:, :, None] / 2, axis=2)
        return np.where(total >= 3, (middle + 0.5) * FWHM_BIN_PX, np.nan)

    def _add_field(self, table: Table) -> None:
        clean = (np.asarray(table["extraction_flags"]) == 0) & (np.asarray(table["snr_win"]) > CLEAN_SNR)
        fwhm = np.asarray(table["fwhm_px"], dtype=float)
        clean &= np.isfinite(fwhm) & (fwhm > 0) & (fwhm < FWHM_BINS * FWHM_BIN_PX)
        cells = [_cell(np.asarray(table[name], dtype=float))[clean] for name in ("y_px", "x_px")]
        np.add.at(self.fwhm_map, (*cells, (fwhm[clean] / FWHM_BIN_PX).astype(int)), 1)


def _cell(position_px: np.ndarray) -> np.ndarray:
    """Cell of each position along one axis; the outermost sources mark the ends of the field."""
    low, high = position_px.min(), position_px.max()
    return np.clip((position_px - low) / max(high - low, 1) * FIELD_CELLS, 0, FIELD_CELLS - 1).astype(int)


def measures(table: Table) -> dict[str, np.ndarray]:
    """Give the magnitude, FWHM and log10 signal to noise of a table of detections."""
    snr = np.asarray(table["snr_win"], dtype=float)
    return {
        "mag_auto": np.asarray(table["mag_auto"], dtype=float),
        "fwhm_px": np.asarray(table["fwhm_px"], dtype=float),
        "log_snr": np.log10(np.where(snr > 0, snr, np.nan)),
    }
