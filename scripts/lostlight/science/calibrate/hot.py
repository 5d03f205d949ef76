"""Hot and cold pixels, and bad columns and rows: found in masters, or in lights that drift over them."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.bad_lines import bad_columns
from lostlight.science.calibrate.local_median import WORTH_COMPILING_PX, around, local_median
from lostlight.science.calibrate.tiles import tile_centers, tile_edges, tile_medians
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.vocab.bits import dq

TILE_PX = 64
"""Side of the squares in which the noise is measured."""

BLIND = 0.5
"""A pixel of a flat below this fraction of its neighbours is cold."""

_MAD_TO_SIGMA = 1.4826
_SAFE = 4.0
_SHARED = 0.25  # a star of FWHM 1.7 pixels and more lifts its neighbours by more than this
_STEADY = 0.25  # share of its mean that a hot pixel has in every frame of the middle third
_BAND_PX = 1 << 22

Thresholds = tuple[tuple[float | None, int, int], ...]
"""Threshold, sign and bit of each side."""

ReadRows = Callable[[int, int, int, NDArray[np.float32]], None]
"""``read_rows(frame, y0, y1, out)`` fills out, shape (y1 - y0, nx), float32, with NaN for invalid pixels."""


def map_of_master(
    master: NDArray[np.float32],
    hot_sigma: float | None = 6.0,
    cold_sigma: float | None = 6.0,
    *,
    bayerpat: str = "",
    lines: bool = True,
) -> NDArray[np.uint16]:
    """Find the pixels of a master dark or bias that stand out from their neighbours.

    A pixel is compared with the median of its 5x5 neighbourhood, in units of the scatter of such differences
    (within 4 times 1.4826 MAD, in tiles of 64 pixels, interpolated between them). Whole columns and rows are tested
    as well: their pixels are BAD, and neither hot nor cold ones by themselves.

    Parameters
    ----------
    master : ndarray, shape (ny, nx), float32
        Pixels, adu; NaN is no data and is never flagged.
    hot_sigma, cold_sigma : float or None
        Thresholds; None switches one off.
    bayerpat : str
        Pattern of a colour-filter array; only pixels of one colour are then compared.
    lines : bool
        Look for bad columns and rows.

    Returns
    -------
    ndarray, shape (ny, nx), uint16
        HOT, COLD and BAD bits.
    """
    step = 2 if bayerpat else 1
    master = np.asarray(master, dtype=np.float32)
    middle = local_median(master, step)
    thresholds = ((hot_sigma, 1, dq("HOT")), (cold_sigma, -1, dq("COLD")))
    found = _flag(master - middle, thresholds, step)
    if lines:
        _flag_lines(np.where(np.isfinite(master), master, np.nan_to_num(middle)), thresholds, step, found)
        found[np.isnan(master)] = 0
    return found


def map_of_flat(flat: NDArray[np.float32], *, bayerpat: str = "") -> NDArray[np.uint16]:
    """Find the pixels of a master flat that see less than half of what their neighbours see.

    Parameters
    ----------
    flat : ndarray, shape (ny, nx), float32
        Relative response; NaN is no data and is never flagged.
    bayerpat : str
        Pattern of a colour-filter array.

    Returns
    -------
    ndarray, shape (ny, nx), uint16
        COLD bits.
    """
    return np.where(flat < BLIND * local_median(flat, 2 if bayerpat else 1), dq("COLD"), 0).astype(np.uint16)


def stationary(
    n_frames: int,
    shape: tuple[int, int],
    read_rows: ReadRows,
    hot_sigma: float | None = 6.0,
    cold_sigma: float | None = 6.0,
    *,
    bayerpat: str = "",
) -> NDArray[np.uint16]:
    """Find the hot and cold pixels of lights alone: those that stay put while the sky drifts over them.

    Of each frame the 5x5 local median is taken off; the middle third of what is left in all frames is averaged, and
    a star that moves is no part of it. A star that does not move is wider than a pixel: what its neighbours share is
    kept.

    Parameters
    ----------
    n_frames : int
        Lights of one camera, pointed at least slightly apart; three or more.
    shape : tuple of int
        (ny, nx)
    read_rows : callable
        ``read_rows(frame, y0, y1, out)`` fills rows of a frame; only a band of rows is held at a time.
    hot_sigma, cold_sigma : float or None
        Thresholds, as of `map_of_master`.
    bayerpat : str
        Pattern of a colour-filter array.

    Returns
    -------
    ndarray, shape (ny, nx), uint16
        HOT, COLD and BAD bits.

    Raises
    ------
    UnitError
        CAL108 for fewer than three frames.
    """
    if n_frames < 3:
        raise refuse("CAL108", f"{n_frames} lights cannot tell hot pixels from stars; three can")
    step = 2 if bayerpat else 1
    backend: Literal["auto", "numba"] = "numba" if n_frames * shape[0] * shape[1] > WORTH_COMPILING_PX else "auto"
    residual, steady = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=bool)
    halo = 2 * step
    rows = max(_BAND_PX // (n_frames * shape[1]), 16)
    for y0 in range(0, shape[0], rows):
        y1 = min(y0 + rows, shape[0])
        first, last = max(y0 - halo, 0), min(y1 + halo, shape[0])
        band = np.empty((n_frames, last - first, shape[1]), dtype=np.float32)
        for frame in range(n_frames):
            read_rows(frame, first, last, band[frame])
            band[frame] -= local_median(band[frame], step, backend)
        residual[y0:y1], steady[y0:y1] = _middle_of_frames(band[:, y0 - first : y1 - first])
    thresholds = ((hot_sigma, 1, dq("HOT")), (cold_sigma, -1, dq("COLD")))
    found = np.where(steady, _flag(residual, thresholds, step), np.uint16(0))
    found = _alone(residual, found)
    _flag_lines(np.nan_to_num(residual), thresholds, step, found)
    return found


def merge(*maps: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Join maps of bad pixels: a pixel has every bit that any of them gives it."""
    if len({plane.shape for plane in maps}) > 1:
        sizes = ", ".join(f"{plane.shape[1]}x{plane.shape[0]}" for plane in maps)
        raise refuse("CAL103", f"maps of bad pixels differ in shape: {sizes}")
    return np.bitwise_or.reduce(maps)


def changed(now: NDArray[np.uint16], before: NDArray[np.uint16], where: str) -> list[Warn]:
    """Warn (CAL210) when the number of hot pixels changed by more than a factor of two since the map before.

    Parameters
    ----------
    now, before : ndarray, shape (ny, nx), uint16
        Maps of the same camera.
    where : str
        Name of the new map.
    """
    new, old = (int(np.count_nonzero(plane & dq("HOT"))) for plane in (now, before))
    ratio = max(new, old) / max(min(new, old), 1)
    # few pixels change by chance: their Poisson errors are two to three in ten
    if ratio <= 2 or max(new, old) < 20:
        return []
    return [warn("CAL210", where, f"{new} hot pixels, {old} in the map before", value=ratio)]


def _flag(residual: NDArray[np.float32], thresholds: Thresholds, step: int) -> NDArray[np.uint16]:
    found = np.zeros(residual.shape, dtype=np.uint16)
    for phase in _phases(step):
        sigma = _scatter(residual[phase])
        for threshold, sign, bit in thresholds:
            if threshold is not None:
                found[phase][sign * residual[phase] > threshold * sigma] |= bit
    return found


def _flag_lines(image: NDArray[np.float32], thresholds: Thresholds, step: int, found: NDArray[np.uint16]) -> None:
    """Mark bad columns and rows in a map; what their pixels have in common is no fault of each."""
    for phase in _phases(step):
        for threshold, sign, _ in thresholds:
            if threshold is not None:
                found[phase][bad_columns(sign * image[phase], threshold, step)] = dq("BAD")
                found[phase][bad_columns(sign * image[phase].T, threshold, step).T] = dq("BAD")


def _phases(step: int) -> list[tuple[slice, slice]]:
    return [np.s_[i::step, j::step] for i in range(step) for j in range(step)]


def _scatter(residual: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure the local noise, shape (ny, nx), bilinear between the centres of tiles.

    Of each tile the root mean square within four times 1.4826 MAD: the MAD alone would jump from step to step, or be
    zero, where pixels are whole numbers.
    """
    size = np.abs(residual)
    edges = tile_edges(residual.shape, TILE_PX)
    limit = _SAFE * _MAD_TO_SIGMA * np.nan_to_num(tile_medians(size, TILE_PX))
    for axis in (0, 1):
        limit = np.repeat(limit, np.diff(edges[axis]), axis=axis)
    usual = size <= limit + 1.5 * np.min(size, where=size > 0, initial=np.inf)
    n, total = (_tile_sums(plane, edges) for plane in (usual, np.where(usual, size, 0).astype(np.float64) ** 2))
    sigma = np.sqrt(total / np.maximum(n, 1))
    sigma = np.where(n > 0, sigma, np.median(sigma[n > 0]) if (n > 0).any() else 0)
    along = [_weights(*axis) for axis in zip(residual.shape, tile_centers(residual.shape, TILE_PX), strict=True)]
    return (along[0] @ sigma @ along[1].T).astype(np.float32)


def _tile_sums(plane: NDArray, edges: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.float64]:
    sums = np.add.reduceat(plane, edges[0][:-1], axis=0, dtype=np.float64)
    return np.add.reduceat(sums, edges[1][:-1], axis=1)


def _weights(length: int, centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the tiles at every pixel of one axis, shape (length, n_tiles)."""
    pixels = np.arange(length)
    return np.stack([np.interp(pixels, centers, unit) for unit in np.eye(centers.size)], axis=1)


def _middle_of_frames(band: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Take the mean of the middle third of the frames, and say where all of that third is of one kind.

    Two bright stars in a few frames can lift a mean, but they leave the others of the third where they were.
    """
    ordered = np.sort(band, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    cut = count // 3
    place = np.arange(len(band))[:, None, None]
    part = (place >= cut) & (place < count - cut)
    # with fewer than half of the frames valid a star may fill the rest
    enough = 2 * count > len(band)
    total = np.where(part, ordered, 0).sum(axis=0, dtype=np.float64)
    middle = np.where(enough, total / np.maximum(count - 2 * cut, 1), np.nan).astype(np.float32)
    least = np.where(part, ordered * np.sign(middle), np.float32(np.inf)).min(axis=0)
    return middle, least > _STEADY * np.abs(middle)


def _alone(residual: NDArray[np.float32], found: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Keep the pixels whose neighbours share little of what they have; neighbours that are kept do not count."""
    places = np.nonzero(found)
    kept = np.zeros(found.shape, dtype=np.uint16)
    for _ in range(2):
        others = np.delete(around(np.where(kept, np.float32(np.nan), residual), places, 1), 4, axis=1)
        shared = np.abs(np.nansum(others, axis=1)) <= _SHARED * np.abs(residual[places]) * np.isfinite(others).sum(
            axis=1
        )
        alone = (places[0][shared], places[1][shared])
        kept[alone] = found[alone]
    return kept
