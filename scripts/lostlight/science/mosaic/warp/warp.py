"""One resampling of every raw pixel, straight onto the canvas."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.warp import gather, spline
from lostlight.science.mosaic.warp.drizzle import drizzle
from lostlight.science.mosaic.warp.feather import feather_width
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.nodes import Route
from lostlight.science.mosaic.warp.patch import OUTSIDE, Patch, Rows, patch
from lostlight.science.mosaic.warp.taps import KERNELS, table
from lostlight.science.mosaic.window import Window

Floats = NDArray[np.float32]
JACOBIANS, BACKENDS = ("fixed", "variable", "none"), ("auto", "numpy", "numba")
COMPILED = "lostlight.science.mosaic.warp.warp_compiled"
WORTH_COMPILING = 1 << 20
"""Pixels of a window from which compiled loops save more than the second that loading the compiler takes."""


@dataclass(frozen=True)
class WarpRules:
    """How frames are resampled.

    Attributes
    ----------
    kernel : str
        cubic (spline), lanczos3, linear, nearest, or drizzle.
    edge_px : int
        Margin of every frame that is not used.
    jacobian : str
        fixed: fluxes are kept by one factor for a frame; variable: by the area of each pixel; none: surface brightness
        is kept.
    pixfrac : float
        Size of the drop of drizzle, in pixels of the frame.
    feather_px : float or None
        Distance over which a frame fades in; None means 3 % of its short side.
    """

    kernel: str = "cubic"
    edge_px: int = 4
    jacobian: str = "fixed"
    pixfrac: float = 0.8
    feather_px: float | None = None

    def __post_init__(self) -> None:
        if self.kernel not in (*KERNELS, "drizzle"):
            raise ConfigError(f"no kernel {self.kernel}", hint=f"choose from {', '.join(KERNELS)}, drizzle")
        if self.jacobian not in JACOBIANS:
            raise ConfigError(f"no jacobian {self.jacobian}", hint=f"choose from {', '.join(JACOBIANS)}")


@dataclass
class Warped:
    """A frame on a window of the canvas.

    Attributes
    ----------
    data : ndarray, shape (C, height, width), float32
        NaN where invalid.
    weight : ndarray, shape (height, width), float32
        Feather, 0.001 to 1; 0 where invalid.
    """

    data: Floats
    weight: Floats


class Engine(NamedTuple):
    """What does the work; engines give the same bits."""

    coefficients: Callable[[Floats], Floats]
    gather: Callable[[Patch, NDArray, NDArray, Window, int, Spec], tuple[Floats, Floats]]


NUMPY = Engine(spline.coefficients, gather.gather)


def warp(
    rows: Rows,
    frame_shape: tuple[int, int],
    n_channels: int,
    route: Route,
    window: Window,
    rules: WarpRules,
    *,
    backend: str = "auto",
) -> Warped:
    """Resample a frame onto a window of the canvas.

    A pixel of the canvas takes the same bits whatever window it lies in and whatever engine works. It is valid where
    its nearest pixel of the frame lies inside the margin and at least half of its bilinear weight is on good ones; of
    kernel linear, all of it.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives rows of the frame, (C, y1 - y0, nx) float32, NaN where invalid. It is asked once, for
        what the window needs and no more than 33 rows around it.
    frame_shape : (int, int)
    n_channels : int
    route : Route
    window : Window
        Any part of the canvas; what the frame does not cover of it is NaN.
    rules : WarpRules
    backend : str
        auto, numpy or numba.

    Raises
    ------
    ConfigError
        If there is no such backend, or drizzle is wanted without the package drizzle.
    """
    part = Window(0, 0, 0, 0) if route.window is None else window.meet(route.window)
    if part.is_empty:
        found = None
    elif rules.kernel == "drizzle":
        found = drizzle(rows, n_channels, route, part, _spec(frame_shape, route, rules), rules.pixfrac)
    else:
        found = resampled(rows, frame_shape, route, part, rules, _engine(backend, part.height * part.width))
    if found is not None and part == window:
        return Warped(*found)
    out = Warped(np.full((n_channels, *window.shape), np.nan, np.float32), np.zeros(window.shape, np.float32))
    if found is not None:
        inside = part.within(window)
        out.data[:, *inside], out.weight[inside] = found
    return out


def resampled(
    rows: Rows, frame_shape: tuple[int, int], route: Route, window: Window, rules: WarpRules, engine: Engine
) -> tuple[Any, Any] | None:
    """Resample a frame onto a window within that of its route; gives data and weight in arrays of the engine.

    None where the window touches no pixel of the frame.
    """
    needed = _needed(route, window, frame_shape, rules)
    if needed is None:
        return None
    piece = patch(rows, frame_shape, *needed, rules.kernel, engine.coefficients)
    return engine.gather(piece, *route.part(window), window, route.step_px, _spec(frame_shape, route, rules))


def _spec(frame_shape: tuple[int, int], route: Route, rules: WarpRules) -> Spec:
    return Spec(
        rules.kernel,
        frame_shape,
        rules.edge_px,
        feather_width(rules.feather_px, frame_shape),
        route.ratio if rules.jacobian == "fixed" else 1.0,
        rules.jacobian == "variable",
    )


def _needed(
    route: Route, part: Window, frame_shape: tuple[int, int], rules: WarpRules
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Give the rows and columns of the frame that a window touches; None where it touches none."""
    half = table(rules.kernel).shape[1] // 2
    x, y = route.part(part)
    spans = []
    for nodes, n in ((y, frame_shape[0]), (x, frame_shape[1])):
        seen = nodes[np.isfinite(nodes)]
        if not seen.size or seen.max() < -1 or seen.min() > n:
            return None
        first, last = int(np.floor(max(seen.min(), -1))) - half, int(np.floor(min(seen.max(), n))) + half + 2
        spans.append((max(first, -OUTSIDE), min(last, n + OUTSIDE)))
    return spans[0], spans[1]


def _engine(backend: str, n_pixels: int) -> Engine:
    if backend not in BACKENDS:
        raise ConfigError(f"no backend {backend}", hint=f"choose from {', '.join(BACKENDS)}")
    if backend == "numpy" or (backend == "auto" and n_pixels < WORTH_COMPILING and COMPILED not in sys.modules):
        return NUMPY
    from lostlight.science.mosaic.warp import warp_compiled

    return Engine(warp_compiled.coefficients, warp_compiled.gather)
