"""What resampling does to white noise: neighbours share it, so single pixels have less of it than they ought to."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.register.transform import linear_wcs
from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

_SIDE, _MARGIN = 192, 24
_TURN = np.radians(7.3)
"""An angle at which pixels meet each other in all ways."""


def noise_factor(rules: WarpRules, ratio: float) -> float:
    """Measure the standard deviation of a resampled pixel over that which its inverse variance says.

    Parameters
    ----------
    rules : WarpRules
    ratio : float
        Area of a pixel of the canvas in pixels of the frame.
    """
    noise = np.random.Generator(np.random.Philox(1)).standard_normal((1, _SIDE, _SIDE)).astype(np.float32)

    def rows(y0: int, y1: int) -> NDArray[np.float32]:
        return noise[:, y0:y1]

    side = np.sqrt(ratio)
    turned = side * np.array([[np.cos(_TURN), -np.sin(_TURN)], [np.sin(_TURN), np.cos(_TURN)]])
    middle = np.array([_SIDE / 2, _SIDE / 2])
    canvas_side = int(_SIDE / side)
    canvas = linear_wcs(np.column_stack([turned, middle - turned @ np.full(2, canvas_side / 2)]))
    shape = canvas_side, canvas_side
    way = route(canvas, shape, linear_wcs([[1, 0, 0], [0, 1, 0]]), (_SIDE, _SIDE))
    inner = Window(0, 0, *shape).meet(way.window or Window(0, 0, 0, 0))
    data = warp(rows, (_SIDE, _SIDE), 1, way, inner, rules, backend="numpy").data[0]
    known = data[np.isfinite(data)]
    factor = 1.0 if rules.jacobian == "none" else ratio
    return float(known.std() / factor) if known.size else 1.0
