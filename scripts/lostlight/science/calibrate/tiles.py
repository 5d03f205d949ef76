"""An image in tiles: medians of squares, and a smooth surface from them."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

_FEWEST_TILES = 8


def tile_side(shape: tuple[int, int], wanted_px: int = 64) -> int:
    """Give the side of square tiles: the one wanted, or less where a small image would have fewer than eight a side."""
    return max(min(wanted_px, min(shape) // _FEWEST_TILES), 2)


def tile_medians(
    data: NDArray, side_px: int, good: NDArray[np.bool_] | None = None, fewest: float = 0.3
) -> NDArray[np.float64]:
    """Take the median of every tile; what is left over at the far edges goes to the last tiles.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        Pixels, any unit.
    side_px : int
        Side of a tile.
    good : ndarray, shape (ny, nx), bool, optional
        Pixels that count; those that are not finite never do.
    fewest : float
        Smallest fraction of valid pixels of a tile that has a median.

    Returns
    -------
    ndarray, shape (ny // side, nx // side), float64
        NaN where too few pixels are valid.
    """
    rows, columns = tile_edges(data.shape, side_px)
    medians = np.full((len(rows) - 1, len(columns) - 1), np.nan)
    valid = np.isfinite(data) if good is None else good & np.isfinite(data)
    for j in range(len(rows) - 1):
        band = slice(rows[j], rows[j + 1])
        values = np.where(valid[band], data[band], np.nan)
        # the last tile of a band may be wider than the others
        for place, part in ((np.s_[:-1], values[:, : columns[-2]]), (np.s_[-1:], values[:, columns[-2] :])):
            n_tiles = medians[j, place].size
            if n_tiles:
                tiles = part.reshape(len(part), n_tiles, -1).swapaxes(0, 1).reshape(n_tiles, -1)
                medians[j, place] = row_medians(tiles, fewest)
    return medians


def row_medians(values: NDArray, fewest: float = 0.0) -> NDArray[np.float64]:
    """Take the median of what is not NaN in each row; to sort whole rows is quicker than to ask for one median each.

    Parameters
    ----------
    values : ndarray, shape (n, m)
        Any unit.
    fewest : float
        Smallest fraction of valid values of a row that has a median.

    Returns
    -------
    ndarray, shape (n,), float64
        NaN where too few values are valid.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    n = np.count_nonzero(ordered == ordered, axis=1)
    row = np.arange(len(values))
    low, high = (ordered[row, at.clip(0, values.shape[1] - 1)].astype(np.float64) for at in ((n - 1) // 2, n // 2))
    return np.where(n >= max(fewest * values.shape[1], 1), (low + high) / 2, np.nan)


def tile_edges(shape: tuple[int, int], side_px: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the first rows and columns of the tiles, and one past the last."""
    edges = []
    for length in shape:
        starts = np.arange(max(length // side_px, 1) + 1) * side_px
        starts[-1] = length
        edges.append(starts)
    return edges[0], edges[1]


def tile_centers(shape: tuple[int, int], side_px: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the centres of the tiles, zero-based pixels: y of every row of tiles, x of every column."""
    rows, columns = tile_edges(shape, side_px)
    return (rows[1:] + rows[:-1] - 1) / 2, (columns[1:] + columns[:-1] - 1) / 2


def smooth(data: NDArray, good: NDArray[np.bool_], sigma_px: float) -> NDArray[np.float32]:
    """Smooth an image with a Gaussian of which only valid pixels take part.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        Pixels, any unit.
    good : ndarray, shape (ny, nx), bool
        Pixels that take part.
    sigma_px : float
        Width of the Gaussian; wide ones are applied to averages of small squares, which changes nothing visible.

    Returns
    -------
    ndarray, shape (ny, nx), float32
        The weighted mean; NaN farther than four sigma from any valid pixel.
    """
    square = max(int(sigma_px / 8), 1)
    weights = _sums(good, square)
    sums = _sums(np.where(good, data, 0.0), square)
    blurred = [gaussian_filter(plane, sigma_px / square, mode="constant", truncate=4) for plane in (sums, weights)]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(blurred[1] > 1e-9, blurred[0] / blurred[1], np.nan).astype(np.float32)
    if square == 1:
        return mean
    enlarged = zoom(mean, square, order=1, mode="nearest", grid_mode=True)
    return enlarged[: data.shape[0], : data.shape[1]]


def averaged(data: NDArray, good: NDArray[np.bool_], square: int) -> NDArray[np.float64]:
    """Average the good pixels of squares; NaN where fewer than half are good. Incomplete squares at the end go."""
    ny, nx = (length // square * square for length in data.shape)
    good = good[:ny, :nx]
    n = _sums(good, square)
    sums = _sums(np.where(good, data[:ny, :nx], 0), square)
    return np.where(n >= 0.5 * square**2, sums / np.maximum(n, 1), np.nan)


def _sums(plane: NDArray, square: int) -> NDArray[np.float64]:
    """Add up squares along one axis, then along the other: whole slices at a time, which is quicker than blocks."""
    for _ in range(2):
        total = plane[::square].astype(np.float64)
        for start in range(1, square):
            part = plane[start::square]
            total[: len(part)] += part
        plane = total.T
    return plane
