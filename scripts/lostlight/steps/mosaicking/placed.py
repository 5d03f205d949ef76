"""Frames on the canvas, levelled and weighed: what the combination takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params import MosaicParams
from lostlight.core.params.mosaic import WarpParams
from lostlight.core.step import Unit
from lostlight.io import mosaic_frames
from lostlight.science.mosaic.coadd import Level, Placed
from lostlight.science.mosaic.level.photometry import PhotometryRules
from lostlight.science.mosaic.warp.bands import Rows
from lostlight.science.mosaic.warp.nodes import Route, route
from lostlight.science.mosaic.warp.soften import SHARPEST_PX, softened
from lostlight.science.mosaic.warp.spikes import without_spikes
from lostlight.science.mosaic.warp.warp import WarpRules
from lostlight.science.stack.rule import Rule
from lostlight.steps.mosaicking import given

SHARPENING = ("cubic", "lanczos3")
"""Kernels that cut below the sky beside a step."""
THRESHOLD = {"shrunk": 3.5}
"""Thresholds that are not 3."""


def flux_factor(way: Route, warp: WarpParams) -> float:
    """Factor on the pixels of a frame that keeps the fluxes of its stars on the canvas."""
    return 1.0 if warp.jacobian == "none" else way.ratio


def placed(unit: Unit, params: MosaicParams, folder: Path) -> dict[str, Placed]:
    """Open the frames of a unit that are used, each with its way onto the canvas; in the order of their ids.

    Packed frames are unpacked to `folder`.
    """
    places, photometry = given.Places.of(unit), given.photometry(unit)
    facts = given.known(unit)
    found = {}
    for name, path in given.given(unit, given.FRAME).items():
        if name in photometry["frames"]:
            frame = mosaic_frames.open_frame(path, facts[name]["hdu"], folder)
            found[name] = _placed(frame, name, places, photometry, params)
    return found


def _placed(
    frame: mosaic_frames.FrameFile,
    name: str,
    places: given.Places,
    photometry: Mapping[str, Any],
    params: MosaicParams,
) -> Placed:
    own, canvas = photometry["frames"][name], places.canvas
    way = route(canvas.wcs, canvas.shape, places.wcs(name, frame.header), frame.shape, params.warp.step_px)
    sigma, weight = np.array(own["sigma"]), np.array(own["weight"])
    level = level_of(photometry, name)
    rows = _clean(frame, sigma / (level.gain * flux_factor(way, params.warp)), own["fwhm_px"], way, params.warp)
    return Placed(rows, frame.shape, frame.n_channels, way, level, sigma, weight, own["blur"])


def _clean(
    frame: mosaic_frames.FrameFile, sigma: NDArray[np.float64], fwhm_px: float | None, way: Route, warp: WarpParams
) -> Rows:
    """Give the rows of a frame without what would ring; `sigma` is that of its own pixels, `fwhm_px` on the canvas."""
    rows, own_px = frame.rows, np.nan if fwhm_px is None else fwhm_px * np.sqrt(way.ratio)
    if warp.spikes_sigma is not None:
        rows = without_spikes(rows, frame.shape, sigma, own_px, warp.spikes_sigma)
    if warp.kernel in SHARPENING and not own_px < SHARPEST_PX:
        rows = softened(rows, frame.shape, sigma)
    return rows


def level_of(photometry: Mapping[str, Any], name: str) -> Level:
    """Give what brings a frame to the common level."""
    own = photometry["frames"][name]
    return Level(np.array(own["gain"]), np.array(own["sky"]), np.array(own["centre"]), float(photometry["half_px"]))


def warp_rules(params: MosaicParams) -> WarpRules:
    """Give how frames are resampled."""
    own = params.warp
    return WarpRules(own.kernel, own.edge_px, own.jacobian, own.pixfrac, params.weights.feather_px)


def photometry_rules(params: MosaicParams) -> PhotometryRules:
    """Give how frames, lots and tiles are levelled."""
    own = params.photometry
    return PhotometryRules(own.method, own.gain_prior, own.sky_order)


def rule(params: MosaicParams) -> Rule:
    """Give how samples are rejected and combined."""
    own = params.combine
    usual = THRESHOLD.get(own.reject, 3.0)
    return Rule(
        combine=own.statistic,
        reject=own.reject,
        low=usual if own.low is None else own.low,
        high=usual if own.high is None else own.high,
        iterations=own.iterations,
        nlow=own.nlow,
        nhigh=own.nhigh,
        n_full=own.nlow + own.nhigh + 1,
        plow=own.plow,
        phigh=own.phigh,
        gesd_fraction=own.gesd_fraction,
        gesd_alpha=own.gesd_alpha,
        fit=own.linear_fit.fit,
        fit_scale=own.linear_fit.scale,
        grow=own.grow,
    )
