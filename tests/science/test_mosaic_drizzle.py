"""Drizzle through the canvas: fluxes kept, places kept, and the same bits for any window."""

import sys

import numpy as np
import pytest
from astropy.wcs import WCS
from scipy.special import ndtr

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.warp.drizzle import _on_canvas
from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

CANVAS, SHAPE = (330, 310), (261, 287)
DROPS = WarpRules("drizzle")


def grid(shape, turn_deg=0.0, scale=1.0, sip=0.0):
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 40.0, "CRVAL2": 20.0}
    c, s = scale / 3600 * np.cos(np.radians(turn_deg)), scale / 3600 * np.sin(np.radians(turn_deg))
    header |= {"CRPIX1": (shape[1] + 1) / 2, "CRPIX2": (shape[0] + 1) / 2}
    header |= {"CD1_1": -c, "CD1_2": s, "CD2_1": s, "CD2_2": c}
    if sip:
        header |= {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2}
        header |= {"A_2_0": sip, "B_0_2": sip}
    return WCS(header)


def bring(image, way, window, rules=DROPS):
    return warp(lambda y0, y1: image[:, y0:y1], SHAPE, len(image), way, window, rules)


@pytest.fixture(autouse=True)
def _drizzle_is_there(request):
    if "without" not in request.node.name:
        pytest.importorskip("drizzle")


@pytest.mark.parametrize("sip", [0.0, 1e-5])
def test_the_way_back_is_that_of_the_projection(sip):
    canvas, frame = grid(CANVAS), grid(SHAPE, 20.0, 0.8, sip)
    way = route(canvas, CANVAS, frame, SHAPE)
    place = _on_canvas(way, np.arange(0, 287, 10), np.arange(0, 261, 10))
    y, x = np.mgrid[0:261:10, 0:287:10]
    exact = canvas.all_world2pix(*frame.all_pix2world(x.ravel(), y.ravel(), 0), 0)
    assert abs(place[..., 0].ravel() - exact[0]).max() < 0.006
    assert abs(place[..., 1].ravel() - exact[1]).max() < 0.006


@pytest.mark.parametrize("jacobian", ["fixed", "variable"])
def test_a_star_keeps_flux_and_place(jacobian):
    frame = grid(SHAPE, 20.0, 0.8)
    way = route(grid(CANVAS), CANVAS, frame, SHAPE)
    across, up = (np.diff(ndtr((np.arange(n + 1) - 0.5 - at) / 1.4)) for n, at in ((287, 120.3), (261, 140.6)))
    image = (1000 * np.outer(up, across)).astype(np.float32)[None]
    light = np.nan_to_num(bring(image, way, Window(0, 0, *CANVAS), WarpRules("drizzle", jacobian=jacobian)).data[0])
    x, y = grid(CANVAS).all_world2pix(*frame.all_pix2world(120.3, 140.6, 0), 0)
    v, u = np.mgrid[: CANVAS[0], : CANVAS[1]]
    assert light.sum() == pytest.approx(1000, rel=2e-3)
    assert (light * u).sum() / light.sum() == pytest.approx(float(x), abs=0.01)
    assert (light * v).sum() / light.sum() == pytest.approx(float(y), abs=0.01)


def test_bits_do_not_depend_on_the_window():
    image = np.random.default_rng(3).normal(100, 5, (3, *SHAPE)).astype(np.float32)
    image[0, 50:60, 70] = np.nan
    way = route(grid(CANVAS), CANVAS, grid(SHAPE, 20.0, sip=1e-5), SHAPE)
    whole = bring(image, way, Window(0, 0, *CANVAS))
    assert np.isfinite(whole.data).sum() > 150_000
    assert np.isnan(whole.data[:, 60:250, 60:250]).any()
    for window in (Window(40, 50, 77, 31), Window(200, 3, 100, 290)):
        part = bring(image, way, window)
        assert np.array_equal(part.data, whole.data[:, *window.slices], equal_nan=True)
        assert np.array_equal(part.weight, whole.weight[window.slices])


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "drizzle.resample", None)
    way = route(grid(CANVAS), CANVAS, grid(SHAPE), SHAPE)
    with pytest.raises(ConfigError, match="needs the package drizzle"):
        bring(np.ones((1, *SHAPE), np.float32), way, Window(0, 0, *CANVAS))
