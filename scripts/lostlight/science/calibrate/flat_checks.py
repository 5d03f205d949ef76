"""What is said of a master flat: exposure, noise, illumination, dust, and advice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.dust import Dust, find_dust, relative
from lostlight.science.calibrate.illumination import TILE_PX, Illumination, banding, illumination
from lostlight.science.calibrate.local_median import local_median
from lostlight.science.calibrate.statistics import thinned, usable
from lostlight.science.calibrate.tiles import smooth, tile_edges, tile_medians, tile_side
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.vocab.calibration import CODES

LEVELS = (0.15, 0.3, 0.7, 0.8)
"""Fractions of saturation: below the first and above the last is warned about, between the middle ones is ideal."""
_GOOD_SNR, _POOR_SNR = 100.0, 50.0
_MOST_CHANGE = 0.005
_MOST_BANDING = 3.0
_NEARLY_FULL = 0.8  # the neighbours of a pixel that light has filled are nearly full themselves


@dataclass(frozen=True)
class FlatAnalysis:
    """Everything that is told of a flat; a number that is not known is NaN."""

    level: float
    """median of the raw flats over saturation"""
    saturated_fraction: float
    """part of the samples at or above saturation"""
    snr: float
    """median of value over uncertainty, per pixel of the master"""
    illumination: Illumination
    dust: tuple[Dust, ...]
    banding_rows: float
    """scatter of the means of rows over what noise makes"""
    banding_columns: float
    shape_changes: Mapping[str, float] = field(default_factory=dict)
    """frame to the scatter of its illumination about that of the master"""
    tiles: tuple[tuple[str, ...], ...] = ()
    """good, fair or poor: how much each tile is sensitive, in rows from the first row of the array"""
    tile_px: int = TILE_PX

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def analyse_flat(
    flat: NDArray,
    uncert: NDArray | None,
    dq: NDArray | None = None,
    *,
    level: float = np.nan,
    saturated_fraction: float = 0.0,
    shape_changes: Mapping[str, float] | None = None,
) -> FlatAnalysis:
    """Analyse a master flat.

    Parameters
    ----------
    flat, uncert : ndarray, shape (ny, nx)
        Normalised flat and its uncertainty.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits; pixels that must not be used do not count.
    level : float
        Median of the raw flats, pedestal subtracted, over saturation.
    saturated_fraction : float
        Part of the samples at or above saturation.
    shape_changes : mapping of str to float, optional
        What `shape_change` gives for each frame.
    """
    good = usable(flat, dq) & (flat > 0)
    lit = illumination(flat, good)
    deviation = relative(flat, lit, good)
    fine = deviation - smooth(deviation, good, max(min(flat.shape) / 32, 2.0)) if good.any() else deviation
    rows, columns = banding(fine) if good.any() else (np.nan, np.nan)
    side = tile_side(flat.shape, TILE_PX)
    return FlatAnalysis(
        level=level,
        saturated_fraction=saturated_fraction,
        snr=_snr(flat, uncert, good),
        illumination=lit,
        dust=tuple(find_dust(deviation)),
        banding_rows=rows,
        banding_columns=columns,
        shape_changes=dict(shape_changes or {}),
        tiles=_verdicts(flat, deviation, side, good),
        tile_px=side,
    )


def lit_to_saturation(image: NDArray, full_adu: float, enough: float, step: int = 1) -> NDArray[np.bool_]:
    """Tell which pixels of a raw flat light has saturated; hot ones, full in the dark already, are no fault of it.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32, adu
    full_adu : float
        Level of saturation.
    enough : float
        Fraction of full pixels up to which it does not matter what filled them.
    step : int
        1, or 2 for a colour-filter array.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    full = image >= full_adu
    if full.mean() <= enough:
        return full
    return full & (local_median(np.asarray(image, np.float32), step) >= _NEARLY_FULL * full_adu)


def flat_warnings(name: str, found: FlatAnalysis) -> list[Warn]:
    """List what is wrong with a flat: noise (CAL213), exposure (CAL214), illumination (CAL215), dust (CAL216)."""
    return [*_noise(name, found), *_exposure(name, found), *_light(name, found), *_dust(name, found)]


def advice(found: FlatAnalysis) -> list[str]:
    """Say what to do better next time, the most useful first; one sentence of praise if there is nothing."""
    said = [f"{w.said[0].upper()}{w.said[1:]}: {w.hint}." for w in flat_warnings("", found)]
    if LEVELS[0] <= found.level < LEVELS[1]:
        said.append(f"The level is {100 * found.level:.0f} % of saturation; 30 to 70 % have less noise for the time.")
    if LEVELS[2] < found.level <= LEVELS[3]:
        said.append(f"The level is {100 * found.level:.0f} % of saturation; below 70 % the camera is surely linear.")
    for axis, ratio in (("rows", found.banding_rows), ("columns", found.banding_columns)):
        if ratio > _MOST_BANDING:
            said.append(
                f"Whole {axis} differ by {ratio:.1f} times what noise makes: it is in the master, and divided out."
            )
    return said or ["Well exposed, evenly lit, clean: nothing to do better."]


def _snr(flat: NDArray, uncert: NDArray | None, good: NDArray[np.bool_]) -> float:
    if uncert is None:
        return np.nan
    flat, uncert = thinned(flat), thinned(uncert)
    known = thinned(good) & np.isfinite(uncert) & (uncert > 0)
    return float(np.median(flat[known] / uncert[known])) if known.any() else np.nan


def _verdicts(flat: NDArray, deviation: NDArray, side: int, good: NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
    """Judge the tiles: by their sensitivity relative to the brightest, and by how many pixels are of no use."""
    medians = tile_medians(flat, side, good)
    share = medians / np.nanmax(medians) if np.isfinite(medians).any() else medians
    dark = tile_medians(np.where(good, deviation < -0.02, 0.0), side) > 0
    rows, columns = tile_edges(flat.shape, side)
    used = np.add.reduceat(np.add.reduceat(good, rows[:-1], axis=0, dtype=np.int64), columns[:-1], axis=1)
    used = used / (np.diff(rows)[:, np.newaxis] * np.diff(columns))
    poor = ~(share >= 0.5) | (used < 0.9)
    fair = (share < 0.75) | dark
    return tuple(tuple(row) for row in np.where(poor, "poor", np.where(fair, "fair", "good")).tolist())


def _noise(name: str, found: FlatAnalysis) -> list[Warn]:
    if not found.snr < _GOOD_SNR:
        return []
    worse = "; lights will be noisier for it" if found.snr < _POOR_SNR else ""
    return [warn("CAL213", name, f"a pixel has a signal to noise of {found.snr:.0f}{worse}", found.snr)]


def _exposure(name: str, found: FlatAnalysis) -> list[Warn]:
    said = []
    if found.level < LEVELS[0] or found.level > LEVELS[3]:
        limit, word = (LEVELS[0], "low") if found.level < LEVELS[0] else (LEVELS[3], "high")
        text = f"the level of the flats is {100 * found.level:.0f} % of saturation: too {word}"
        said.append(warn("CAL214", name, text, found.level, limit))
    saturated = CODES["CAL112"].threshold or 0.0
    if found.saturated_fraction > saturated:
        text = f"{100 * found.saturated_fraction:.2f} % of the samples are saturated"
        said.append(warn("CAL214", name, text, found.saturated_fraction, saturated, CODES["CAL112"].hint))
    return said


def _light(name: str, found: FlatAnalysis) -> list[Warn]:
    said = []
    lit = found.illumination
    if lit.tilt > (CODES["CAL215"].threshold or 0.0):
        text = f"the illumination changes by {100 * lit.tilt:.0f} % across the frame, towards {lit.tilt_angle_deg:.0f}°"
        said.append(warn("CAL215", name, text, lit.tilt))
    for frame, change in found.shape_changes.items():
        if change > _MOST_CHANGE:
            text = f"its illumination differs from that of {name or 'the master'} by {100 * change:.1f} %"
            hint = "did the light change, or did clouds, a shutter or a lamp cast it unevenly?"
            said.append(warn("CAL215", frame, text, change, _MOST_CHANGE, hint))
    return said


def _dust(name: str, found: FlatAnalysis) -> list[Warn]:
    if not found.dust:
        return []
    n, first = len(found.dust), found.dust[0]
    text = (
        f"{n} {'shadow' if n == 1 else 'shadows'} of dust, the deepest {100 * first.depth:.1f} % "
        f"at x {first.x_px:.0f}, y {first.y_px:.0f}"
    )
    return [warn("CAL216", name, text, n)]
