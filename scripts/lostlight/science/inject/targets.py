"""Where a source goes: the strategies, and the positions that they draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError, instead_of
from lostlight.vocab.movers import STRATEGIES

Floats = NDArray[np.float64]
Rng = np.random.Generator

AT_START = ("uniform", "center", "grid", "fixed")
"""Strategies that place a source on the first image; the others place it in the middle of the arc."""
MAX_DARTS = 200
"""Draws for each source of `density` until it takes a place nearer to another."""


@dataclass(frozen=True)
class TargetConfig:
    """Where sources go.

    Parameters
    ----------
    strategy : str
        ``uniform``, ``center``, ``grid``, ``fixed``: position on the first image. ``mid``: uniform in the middle of
        the arc, so that the drift is symmetric. ``visible``: as mid, drawn anew until enough images show it. ``sky``:
        uniform on the sphere. ``near_star``, ``edge``, ``gap``: at a star, at the edge of the image, at masked
        pixels. ``density``: uniform, but no two nearer than `min_separation_px`.
    fixed_x, fixed_y : float or None
        Position for ``fixed``, in zero-based pixels.
    margin_px : float
        Distance from the edge that positions keep; negative ones may lie outside.
    min_epochs : float
        ``visible``: least fraction of the images that show it.
    grid_step_px : float
        ``grid``: distance of the nodes.
    near_px : (float, float)
        ``near_star``, ``gap`` and ``edge``: least and largest distance.
    flux_ratio : float or None
        ``near_star``: flux of the source over that of the star; None leaves it as it is drawn.
    min_separation_px : float
        ``density``: least distance of two sources.
    max_tries : int
        ``visible``: draws until a source is taken as it is.

    Raises
    ------
    ConfigError
        For an unknown strategy, or ``fixed`` without a position.
    """

    strategy: str = "uniform"
    fixed_x: float | None = None
    fixed_y: float | None = None
    margin_px: float = 0.0
    min_epochs: float = 0.8
    grid_step_px: float = 16.0
    near_px: tuple[float, float] = (0.0, 6.0)
    flux_ratio: float | None = None
    min_separation_px: float = 50.0
    max_tries: int = 50

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"there is no target strategy {self.strategy!r}", instead_of(self.strategy, STRATEGIES))
        if self.strategy == "fixed" and (self.fixed_x is None or self.fixed_y is None):
            raise ConfigError("strategy fixed needs fixed_x and fixed_y", "give both, in zero-based pixels")
        if not 0 <= self.near_px[0] <= self.near_px[1]:
            raise ConfigError(f"near_px is {self.near_px}", "give the least distance first, none negative")

    @property
    def at_start(self) -> bool:
        """Whether positions are those on the first image, and not in the middle of the arc."""
        return self.strategy in AT_START


@dataclass(frozen=True, eq=False)
class Scene:
    """What the strategies know of the images.

    Parameters
    ----------
    x0, y0, width, height : float
        Box in which sources may be, from its lower left pixel; (n,) where each source has a box of its own.
    wcs : WCS or None
        Sky of these pixels, for ``sky``.
    bad : (H, W) bool or None
        Masked pixels, for ``gap``; pixel (0, 0) is that of the first image.
    star_x, star_y, star_flux : (S,) float64
        Static sources, for ``near_star``.
    origin_x, origin_y : float
        Pixel from which ``fixed`` counts.
    """

    x0: float | Floats
    y0: float | Floats
    width: float
    height: float
    wcs: WCS | None = None
    bad: NDArray[np.bool_] | None = None
    star_x: Floats | None = None
    star_y: Floats | None = None
    star_flux: Floats | None = None
    origin_x: float | Floats = 0.0
    origin_y: float | Floats = 0.0


def positions(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int = 0) -> tuple[Floats, Floats]:
    """Draw where `n` sources go.

    Parameters
    ----------
    config : TargetConfig
    n : int
    scene : Scene
    rng : Generator
    first : int
        Number of the first source: ``grid`` counts from it.

    Returns
    -------
    x, y : (n,) float64
        Zero-based pixels; a pixel's centre is whole.

    Raises
    ------
    ConfigError
        Where the strategy needs what the scene has not: stars, masked pixels, a sky.
    """
    return _STRATEGIES[config.strategy](config, n, scene, rng, first)


def _uniform(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int = 0) -> tuple[Floats, Floats]:
    del first
    spans = []
    for low, side in ((scene.x0, scene.width), (scene.y0, scene.height)):
        if side <= 2 * config.margin_px:
            raise ConfigError(
                f"a margin of {config.margin_px:g} pixels leaves nothing of an image {scene.width:g} × "
                f"{scene.height:g}",
                "make margin_px smaller",
            )
        spans.append((low - 0.5 + config.margin_px, low + side - 0.5 - config.margin_px))
    both = rng.uniform(size=(n, 2))
    x, y = (low + both[:, k] * (high - low) for k, (low, high) in enumerate(spans))
    return x, y


def _center(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    del config, rng, first
    middle = scene.x0 + (scene.width - 1) / 2, scene.y0 + (scene.height - 1) / 2
    return np.full(n, middle[0]), np.full(n, middle[1])


def _grid(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    del rng
    nx, ny = (max(int(side // config.grid_step_px), 1) for side in (scene.width, scene.height))
    node = np.arange(first, first + n) % (nx * ny)
    x = scene.x0 - 0.5 + (node % nx + 0.5) * scene.width / nx
    return x, scene.y0 - 0.5 + (node // nx + 0.5) * scene.height / ny


def _fixed(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    del rng, first
    assert config.fixed_x is not None and config.fixed_y is not None
    return np.full(n, scene.origin_x + config.fixed_x), np.full(n, scene.origin_y + config.fixed_y)


def _sky(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    """Thin a uniform draw by the area of the sky that each pixel covers."""
    del first
    if scene.wcs is None:
        raise ConfigError("strategy sky needs a WCS", "give wcs, or take strategy mid")
    corners = _uniform(config, 256, scene, rng)
    most = 1.02 * float(np.max(_pixel_area(scene.wcs, *corners)))
    kept: list[Floats] = []
    while sum(len(k) for k in kept) < n:
        xy = np.stack(_uniform(config, max(2 * n, 16), scene, rng), axis=1)
        kept.append(xy[rng.uniform(size=len(xy)) * most < _pixel_area(scene.wcs, xy[:, 0], xy[:, 1])])
    x, y = np.concatenate(kept)[:n].T
    return x.copy(), y.copy()


def _pixel_area(wcs: WCS, x: Floats, y: Floats) -> Floats:
    """Area of the sky under pixels, in square degrees, from the vectors to their neighbours."""
    step = np.array([[0, 0.5, -0.5, 0, 0], [0, 0, 0, 0.5, -0.5]])
    ra, dec = np.radians(wcs.all_pix2world(x[:, None] + step[0], y[:, None] + step[1], 0))
    v = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    area = np.linalg.norm(np.cross(v[:, 1] - v[:, 2], v[:, 3] - v[:, 4]), axis=-1)
    return np.asarray(np.degrees(np.degrees(area)))


def _near_star(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    del first
    if scene.star_x is None or scene.star_y is None or not len(scene.star_x):
        raise ConfigError("strategy near_star needs stars", "give their positions, or take another strategy")
    return _around(config, scene.star_x, scene.star_y, n, rng)


def _gap(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    """Draw around masked pixels that touch unmasked ones."""
    del first
    if scene.bad is None or scene.bad.all() or not scene.bad.any():
        raise ConfigError("strategy gap needs an image with some masked pixels", "give a mask, or another strategy")
    good = np.pad(~scene.bad, 1)
    beside = good[:-2, 1:-1] | good[2:, 1:-1] | good[1:-1, :-2] | good[1:-1, 2:]
    y, x = np.nonzero(scene.bad & beside)
    return _around(config, x.astype(float), y.astype(float), n, rng)


def _around(config: TargetConfig, x: Floats, y: Floats, n: int, rng: Rng) -> tuple[Floats, Floats]:
    which = rng.integers(len(x), size=n)
    distance, angle = rng.uniform(*config.near_px, n), rng.uniform(0, 2 * np.pi, n)
    return x[which] + distance * np.cos(angle), y[which] + distance * np.sin(angle)


def _edge(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    """Draw along the four edges, inside by the distance; a negative margin reaches outside."""
    del first
    side = rng.choice(4, n, p=np.array([scene.width, scene.width, scene.height, scene.height]) / _around_box(scene))
    inside, along = rng.uniform(*config.near_px, n) + min(config.margin_px, 0), rng.uniform(size=n)
    x = scene.x0 - 0.5 + along * scene.width
    y = scene.y0 - 0.5 + along * scene.height
    right, top = scene.x0 - 0.5 + scene.width, scene.y0 - 0.5 + scene.height
    x = np.select([side == 2, side == 3], [scene.x0 - 0.5 + inside, right - inside], x)
    return x, np.select([side == 0, side == 1], [scene.y0 - 0.5 + inside, top - inside], y)


def _around_box(scene: Scene) -> float:
    return 2 * (scene.width + scene.height)


def _density(config: TargetConfig, n: int, scene: Scene, rng: Rng, first: int) -> tuple[Floats, Floats]:
    """Throw darts: of many draws, take the first that keeps its distance, or the one that lies farthest."""
    del first
    x, y = np.empty(n), np.empty(n)
    for i in range(n):
        u, v = _uniform(config, 1 if i == 0 else MAX_DARTS, scene, rng)
        nearest = np.min(np.hypot(u[:, None] - x[:i], v[:, None] - y[:i]), axis=1) if i else np.full(1, np.inf)
        free = np.flatnonzero(nearest >= config.min_separation_px)
        k = free[0] if len(free) else np.argmax(nearest)
        x[i], y[i] = u[k], v[k]
    return x, y


_STRATEGIES: dict[str, Callable[[TargetConfig, int, Scene, Rng, int], tuple[Floats, Floats]]] = {
    "uniform": _uniform,
    "center": _center,
    "grid": _grid,
    "fixed": _fixed,
    "mid": _uniform,
    "visible": _uniform,
    "sky": _sky,
    "near_star": _near_star,
    "edge": _edge,
    "gap": _gap,
    "density": _density,
}
