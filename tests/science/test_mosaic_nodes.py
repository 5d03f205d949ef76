"""Coarse nodes against positions computed for every pixel, with the canvas and the frame in every attitude."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_pixel

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.warp.mapping import mapping
from lostlight.science.mosaic.warp.nodes import areas, coordinates, expand, route
from lostlight.science.mosaic.window import Window

SHAPE = (301, 407)


def sky(shape, turn_deg=0.0, centre=(40.0, 20.0), scale_arcsec=1.0, mirrored=False, kind="TAN"):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = (f"RA---{kind}", f"DEC--{kind}"), centre
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    flip = 1 if mirrored else -1
    wcs.wcs.cd = scale_arcsec / 3600 * np.array([[flip * c, s], [-flip * s, c]])
    wcs.wcs.set()
    return wcs


def with_sip(shape, strength=1e-5, **given):
    header = sky(shape, **given).to_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    cards = {"A_ORDER": 3, "B_ORDER": 3, "A_2_0": strength, "A_0_2": -strength / 2, "B_1_1": strength, "A_3_0": 3e-9}
    header.update(cards)
    return WCS(header)


def plane(matrix, shift):
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.cd = (1, 1), shift, matrix
    wcs.wcs.set()
    return wcs


ATTITUDES = {
    "turned": (sky((500, 450)), sky(SHAPE, 13.0, (40.02, 20.01))),
    "mirrored and half as fine": (sky((500, 450)), sky(SHAPE, 200.0, (40.01, 20.0), 2.0, mirrored=True)),
    "across 0h": (sky((500, 450), centre=(0.01, -5.0)), sky(SHAPE, -20.0, (359.99, -5.02))),
    "on the pole": (sky((500, 450), centre=(0.0, 90.0)), sky(SHAPE, 40.0, (77.0, 89.98))),
    "sip": (sky((500, 450)), with_sip(SHAPE, turn_deg=-11.0)),
    "no sky": (plane(np.eye(2), (0, 0)), plane([[0.99, -0.1], [0.1, 0.99]], (20.5, 31.25))),
}


@pytest.mark.parametrize("name", ATTITUDES)
def test_positions_agree_with_those_of_every_pixel(name):
    canvas, frame = ATTITUDES[name]
    found = route(canvas, (500, 450), frame, SHAPE)
    v, u = np.mgrid[found.window.slices]
    x, y = frame.all_world2pix(*canvas.all_pix2world(u.ravel(), v.ravel(), 0), 0)
    if frame.has_celestial:
        assert np.allclose(
            pixel_to_pixel(canvas, frame, u.ravel()[::97], v.ravel()[::97]), [x[::97], y[::97]], atol=1e-3
        )
    nodes = found.part(found.window)
    for exact, coarse in zip((x, y), nodes, strict=True):
        error = abs(expand(coarse, found.window, found.step_px) - exact.reshape(u.shape))
        assert error.max() < 0.005


@pytest.mark.parametrize("name", ATTITUDES)
def test_the_window_holds_every_pixel_that_the_frame_covers(name):
    canvas, frame = ATTITUDES[name]
    found = route(canvas, (500, 450), frame, SHAPE)
    v, u = np.mgrid[:500, :450]
    x, y = frame.all_world2pix(*canvas.all_pix2world(u.ravel(), v.ravel(), 0), 0)
    covered = ((x > -0.5) & (x < SHAPE[1] - 0.5) & (y > -0.5) & (y < SHAPE[0] - 0.5)).reshape(u.shape)
    inside = np.zeros(covered.shape, bool)
    inside[found.window.slices] = True
    assert covered.sum() > 20_000
    assert not (covered & ~inside).any()


def test_a_strong_distortion_brings_the_nodes_closer():
    canvas = sky((500, 450))
    smooth, bent = (route(canvas, (500, 450), with_sip(SHAPE, s), SHAPE) for s in (1e-7, 1e-4))
    assert smooth.step_px == 32
    assert 4 <= bent.step_px < 32
    assert bent.error_px <= 0.005


def test_nodes_come_no_closer_than_four_pixels():
    found = route(sky((100, 90)), (100, 90), with_sip((60, 70), 3e-3), (60, 70), step_px=24)
    assert found.step_px in (12, 6, 4)


def test_where_a_distortion_folds_back_there_is_no_position():
    frame = with_sip(SHAPE, 2.2e-3)
    x, y = mapping(sky(SHAPE), frame)(*np.meshgrid(np.arange(0, 4000.0, 250), np.arange(0, 3000.0, 250)))
    lost = np.isnan(x)
    assert lost.any()
    assert (lost == np.isnan(y)).all()
    back = frame.all_pix2world(x[~lost], y[~lost], 0)
    there = sky(SHAPE).all_pix2world(
        *(e[~lost] for e in np.meshgrid(np.arange(0, 4000.0, 250), np.arange(0, 3000.0, 250))), 0
    )
    apart = SkyCoord(*back, unit="deg").separation(SkyCoord(*there, unit="deg")).arcsec
    assert apart.max() < 0.011


@pytest.mark.parametrize("centre", [(50.0, 20.0), (220.0, -20.0)], ids=["beside", "behind"])
def test_a_frame_outside_covers_nothing(centre):
    assert route(sky((500, 450)), (500, 450), sky(SHAPE, centre=centre), SHAPE).window is None


def test_a_frame_partly_outside_is_cut_off():
    found = route(sky((500, 450)), (500, 450), sky(SHAPE, centre=(40.0, 20.069)), SHAPE)
    assert found.window.y0 + found.window.height == 500
    assert found.window.height < 301 - 50


def test_a_canvas_that_does_not_reach_all_of_the_frame_is_taken_whole():
    canvas, wide = sky((100, 90), scale_arcsec=3600), sky((160, 360), centre=(40.0, 0.0), scale_arcsec=3600, kind="CAR")
    found = route(canvas, (100, 90), wide, (160, 360))
    assert found.window == Window(0, 0, 100, 90)
    assert found.ratio == pytest.approx(1, rel=0.2)


def test_the_ratio_falls_back_on_the_lattice_where_the_centre_is_out_of_reach():
    canvas, wide = (
        sky((100, 90), centre=(170.0, 10.0), scale_arcsec=3600),
        sky((160, 360), centre=(40.0, 0.0), scale_arcsec=3600, kind="CAR"),
    )
    found = route(canvas, (100, 90), wide, (160, 360))
    assert 0.3 < found.ratio < 1.5


@pytest.mark.parametrize(("scale", "ratio"), [(2.0, 0.25), (0.5, 4.0), (1.0, 1.0)])
def test_the_ratio_is_that_of_the_areas_of_pixels(scale, ratio):
    found = route(sky((500, 450)), (500, 450), sky(SHAPE, 30.0, scale_arcsec=scale), SHAPE)
    assert found.ratio == pytest.approx(ratio, rel=1e-5)


def test_areas_follow_a_distortion():
    canvas, frame = sky((500, 450)), with_sip(SHAPE, 1e-4)
    found = route(canvas, (500, 450), frame, SHAPE, step_px=8)
    area = areas(*found.part(found.window), found.window, found.step_px)
    v, u = np.mgrid[100:400:50, 50:400:50].astype(float)

    def to_frame(du, dv):
        return np.array(frame.all_world2pix(*canvas.all_pix2world((u + du).ravel(), (v + dv).ravel(), 0), 0))

    along_u, along_v = to_frame(0.5, 0) - to_frame(-0.5, 0), to_frame(0, 0.5) - to_frame(0, -0.5)
    exact = abs(along_u[0] * along_v[1] - along_u[1] * along_v[0]).reshape(u.shape)
    assert np.ptp(exact) > 0.05
    ours = area[v.astype(int) - found.window.y0, u.astype(int) - found.window.x0]
    assert np.allclose(ours, exact, atol=2e-3)


def test_positions_do_not_depend_on_the_window():
    canvas, frame = ATTITUDES["turned"]
    whole, part = Window(0, 0, 500, 450), Window(77, 101, 133, 61)
    for all_of_it, some in zip(coordinates(canvas, frame, whole), coordinates(canvas, frame, part), strict=True):
        assert np.array_equal(all_of_it[part.slices], some)


def test_grids_on_the_sky_and_off_it_do_not_mix():
    with pytest.raises(ConfigError, match="lies on the sky"):
        route(sky((500, 450)), (500, 450), ATTITUDES["no sky"][1], SHAPE)


def test_other_reference_systems_are_turned():
    galactic = WCS(naxis=2)
    at = SkyCoord(40.0, 20.0, unit="deg").galactic
    galactic.wcs.ctype, galactic.wcs.crval = ("GLON-TAN", "GLAT-TAN"), (at.l.deg, at.b.deg)
    galactic.wcs.crpix, galactic.wcs.cdelt = (204, 151), (-1 / 3600, 1 / 3600)
    x, y = mapping(sky((500, 450)), galactic)(224.5, 249.5)
    assert (float(x), float(y)) == pytest.approx((203.0, 150.0), abs=1e-3)


def test_a_real_camera_with_tpv(shared_data):
    files = sorted((shared_data / "decam-testcase6").rglob("*.fits*"))
    found = [header for file in files for header in _tpv_headers(file)]
    if not found:
        pytest.skip("no TPV frame there")
    header = found[0]
    frame, shape = WCS(header), (header["NAXIS2"], header["NAXIS1"])
    middle = frame.all_pix2world(shape[1] / 2, shape[0] / 2, 0)
    canvas = sky((900, 1000), centre=tuple(map(float, middle)), scale_arcsec=0.27)
    way = route(canvas, (900, 1000), frame, shape)
    v, u = np.mgrid[way.window.slices]
    v, u = v[::13, ::11], u[::13, ::11]
    exact = frame.all_world2pix(*canvas.all_pix2world(u.ravel(), v.ravel(), 0), 0)
    for there, nodes in zip(exact, way.part(way.window), strict=True):
        ours = expand(nodes, way.window, way.step_px)[::13, ::11]
        assert abs(ours - there.reshape(u.shape)).max() < 0.005


def _tpv_headers(file):
    with fits.open(file) as hdus:
        return [h.header.copy() for h in hdus if "TPV" in str(h.header.get("CTYPE1", "")) and "NAXIS2" in h.header]
