"""What levels one frame with the others: its stars in the aperture of all, its sky and its structure on the canvas."""

import numpy as np

from lostlight.core.errors import NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays, mosaic_frames
from lostlight.science.mosaic.frame import levels as science
from lostlight.science.mosaic.frame.common_sources import with_common
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.warp.nodes import coordinates, route
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.placed import flux_factor


def levels(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Measure the levels of a frame that has a place."""
    ((name, facts),) = given.known(unit).items()
    places = given.Places.of(unit)
    if why := places.reason(name):
        raise NoWork(why)
    measured, header, shape = given.read_measured(unit["measured"])
    frame = mosaic_frames.open_frame(unit[given.FRAME + name], facts["hdu"], out["levels"].parent)
    data = frame.rows(0, shape[0])
    canvas, wcs = places.canvas, places.wcs(name, header)
    way = route(canvas.wcs, canvas.shape, wcs, shape, params.warp.step_px)
    if way.window is None:
        raise NoWork("it lies outside the canvas")
    factor = flux_factor(way, params.warp)
    x, y = coordinates(wcs, canvas.wcs, Window(0, 0, *shape), params.warp.step_px)
    cell_px = params.photometry.cell_px
    side = np.sqrt(way.ratio)
    circles = arrays.read(unit["sources"])["circles"]
    measured = with_common(measured, circles, canvas.wcs, wcs, side)
    stars, sky, fine = science.levels(
        data, measured, x, y, canvas.shape[1], places.radius_px, cell_px, ratio=way.ratio, factor=factor
    )
    middle = float(x[shape[0] // 2, shape[1] // 2]), float(y[shape[0] // 2, shape[1] // 2])
    stats = FrameStats(
        name, stars, sky, fine, measured.sigma * factor, measured.fwhm_px / side, measured.elongation,
        measured.n_stars, facts.get("exptime_s", np.nan), shape[0] * shape[1] / way.ratio,
        -(-canvas.shape[1] // cell_px), *middle, np.nanmedian(data, axis=(1, 2)) * factor,
    )  # fmt: skip
    given.write_stats(out["levels"], stats)
    return Result({"n_stars_measured": len(stars.x), "n_sky_cells": len(sky.index)})
