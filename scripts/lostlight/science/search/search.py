"""The search for moving sources: every straight path that a list of motions allows, through every pixel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.search.reference import search_window
from lostlight.science.search.rules import Peaks, SearchRules, Window
from lostlight.science.search.tiles import batches, search_tile, tiles
from lostlight.science.search.velocities import shift_tables

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Progress = Callable[[int, int], None]

BACKENDS = ("numba", "reference", "cupy")


def search(
    psi: Floats,
    phi: Floats,
    days: ArrayLike,
    velocities: ArrayLike,
    rules: SearchRules | None = None,
    *,
    backend: str = "numba",
    threads: int = 1,
    progress: Progress | None = None,
) -> Peaks:
    """Find the best straight paths through each pixel.

    Memory does not grow with the number of motions; images are read tile by tile and may be memory maps.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
        Of `lostlight.science.search.likelihood.psi_phi`, on one grid of pixels; zero where nothing is measured.
    days : floating, shape (T,)
        Time of each image, in order.
    velocities : floating, shape (V, 2)
        Motions along x and y, in pixels per day.
    rules : SearchRules
    backend : {"numba", "reference", "cupy"}
        All give the same.
    threads : int
        The result does not depend on it.
    progress : callable, optional
        Called with the number of tiles that are done, and of all.

    Returns
    -------
    Peaks

    Raises
    ------
    ConfigError
        Shapes or types do not go together, or the backend is none.
    """
    return search_tables(
        psi, phi, *shift_tables(velocities, days), rules, backend=backend, threads=threads, progress=progress
    )


def search_tables(
    psi: Floats,
    phi: Floats,
    dx: Ints,
    dy: Ints,
    rules: SearchRules | None = None,
    *,
    backend: str = "numba",
    threads: int = 1,
    progress: Progress | None = None,
    window: Window | None = None,
) -> Peaks:
    """Find the best of any paths, given in whole pixels; as `search`, with dx and dy int32 of shape (V, T).

    `window` is where paths are at mid-arc; without it they may start anywhere, within the margin of the rules.
    """
    rules = rules or SearchRules()
    _check(psi, phi, dx, dy, backend)
    if window is None:
        margin = margin_of(dx, dy, rules)
        window = Window(-margin, -margin, (psi.shape[1] + 2 * margin, psi.shape[2] + 2 * margin))
    # Of motions that go through the same pixels the first is tried.
    first = np.sort(np.unique(np.concatenate([dx, dy], axis=1), axis=0, return_index=True)[1]).astype(np.int32)
    dx, dy = dx[first], dy[first]
    if backend == "reference":
        peaks = search_window(psi, phi, dx, dy, window, rules.min_epochs, rules.top)
    elif backend == "cupy":
        from lostlight.science.search.raw import search_on_card

        peaks = search_on_card(psi, phi, dx, dy, window, rules.min_epochs, rules.top)
    else:
        peaks = _search_tiles(psi, phi, dx, dy, window, rules, threads, progress)
    return Peaks(peaks.lh, np.append(first, np.int32(-1))[peaks.velocity], window)


def _search_tiles(
    psi: Floats, phi: Floats, dx: Ints, dy: Ints, window: Window, rules: SearchRules, threads: int,
    progress: Progress | None,
) -> Peaks:  # fmt: skip
    parts = batches(dx, dy)
    spread = (max(b.spread[0] for b in parts), max(b.spread[1] for b in parts))
    pieces = list(tiles(window, len(psi), spread))
    lh = np.full((rules.top, *window.shape), -np.inf, np.float32)
    velocity = np.full(lh.shape, -1, np.int32)

    def one(tile: Window) -> None:
        y, x = tile.y0 - window.y0, tile.x0 - window.x0
        part = (slice(None), slice(y, y + tile.shape[0]), slice(x, x + tile.shape[1]))
        best, which = lh[part].copy(), velocity[part].copy()
        search_tile(psi, phi, parts, tile, rules.min_epochs, best, which)
        lh[part], velocity[part] = best, which

    with ThreadPoolExecutor(threads) as pool:
        for done, _ in enumerate(pool.map(one, pieces), 1):
            if progress:
                progress(done, len(pieces))
    return Peaks(lh, velocity, window)


def margin_of(dx: Ints, dy: Ints, rules: SearchRules) -> int:
    """Give how far beyond the images a path can be at mid-arc and still be on enough of them."""
    if rules.margin_px is not None:
        return rules.margin_px
    least = min(max(rules.min_epochs, 1), dx.shape[1])
    reaches = (np.sort(sign * each, axis=1)[:, -least].max() for each in (dx, dy) for sign in (1, -1))
    return max(0, *map(int, reaches))


def _check(psi: Floats, phi: Floats, dx: Ints, dy: Ints, backend: str) -> None:
    if psi.ndim != 3 or psi.shape != phi.shape or psi.dtype != np.float32 or phi.dtype != np.float32:
        raise ConfigError(
            f"psi {psi.dtype} {psi.shape} and phi {phi.dtype} {phi.shape}", "both must be float32 of shape (T, H, W)"
        )
    if dx.shape != dy.shape or dx.ndim != 2 or dx.shape[1] != len(psi) or not len(dx):
        raise ConfigError(f"shifts of shape {dx.shape} for {len(psi)} images", "give at least one path, for all images")
    if backend not in BACKENDS:
        raise ConfigError(f"there is no backend {backend!r}", f"choose one of {', '.join(BACKENDS)}")
