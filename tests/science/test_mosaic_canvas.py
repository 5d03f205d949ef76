"""The canvas: as large as that of reproject, as small as any angle allows, the same for any order, exact as cards."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.science.test_mosaic_footprint import linear, sky

from lostlight.core.errors import ConfigError, NoWCS
from lostlight.science.mosaic.canvas import Canvas, CanvasRules, plan_canvas
from lostlight.science.mosaic.footprint import border
from lostlight.science.mosaic.window import Window
from lostlight.science.plate.wcs import pix_to_sky, sky_to_pix, sky_wcs

SHAPE = 61, 97
TIGHT = CanvasRules(pad_px=0)
NORTH = CanvasRules(pad_px=0, orientation="north_up")


def offset(ra, dec, east_deg, north_deg):
    """Give the place some way east and north of another, by great circles (an own formula: a rotation of vectors)."""
    a, d = np.radians([ra, dec])
    x, y = np.radians([east_deg, north_deg])
    vector = np.array([1.0, np.tan(x), np.tan(y)])
    turn = np.array([[np.cos(d), 0, -np.sin(d)], [0, 1, 0], [np.sin(d), 0, np.cos(d)]])
    spin = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    vector = spin @ turn @ (vector / np.linalg.norm(vector))
    return np.degrees(np.arctan2(vector[1], vector[0])) % 360, np.degrees(np.arcsin(vector[2]))


def mosaic(ra, dec, *, scale=1 / 3600, along_deg=0.0, n=5, step_px=60, shape=SHAPE):
    """Frames side by side along a line at an angle, each turned by it."""
    turn = np.radians(along_deg)
    steps = np.arange(n) * step_px * scale
    centres = [offset(ra, dec, step * np.cos(turn), step * np.sin(turn)) for step in steps]
    # east is to the left: what rises towards it falls to the right
    return {f"f{k:02d}": (sky(*centre, scale, -along_deg, shape=shape), shape) for k, centre in enumerate(centres)}


def scattered(seed, ra, dec, scale=1.3 / 3600, n=9):
    rng = np.random.default_rng(seed)
    return {
        f"f{k}": (sky(*offset(ra, dec, *rng.uniform(-200, 200, 2) * scale), scale, rng.uniform(0, 360)), SHAPE)
        for k in range(n)
    }


@pytest.fixture(scope="module")
def m17(shared_data):
    found = {}
    for path in sorted((shared_data / "mosaic-2mass-m17").glob("aK_*")):
        header = fits.getheader(path)
        found[path.name] = sky_wcs(header), (header["NAXIS2"], header["NAXIS1"])
    return found


@pytest.mark.parametrize("rules", [TIGHT, NORTH])
def test_the_tiles_of_m17_give_the_canvas_of_reproject(m17, rules):
    canvas = plan_canvas(m17, rules)

    assert canvas.shape == (2201, 942)
    assert canvas.scale_arcsec == pytest.approx(1.0, abs=1e-6)
    assert plan_canvas(m17, CanvasRules()).shape == (2201 + 32, 942 + 32)


@pytest.mark.parametrize(("ra", "dec"), [(83.0, 0.0), (0.0, 41.0), (359.99, -70.0), (12.0, 89.9), (200.0, -90.0)])
def test_north_up_it_is_as_large_as_that_of_reproject(ra, dec):
    reproject = pytest.importorskip("reproject.mosaicking")
    frames = scattered(3, ra, dec)

    canvas = plan_canvas(frames, NORTH)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy import units as u
        from astropy.coordinates import SkyCoord

        _, theirs = reproject.find_optimal_celestial_wcs(
            [(shape, wcs) for wcs, shape in frames.values()],
            resolution=canvas.scale_arcsec * u.arcsec,
            reference=SkyCoord(*canvas.wcs.wcs.crval, unit="deg"),
            frame="icrs",
        )
    assert np.abs(np.subtract(canvas.shape, theirs)).max() <= 1
    assert canvas.scale_arcsec == pytest.approx(1.3, rel=1e-6)


@pytest.mark.parametrize(("ra", "dec"), [(83.0, 0.0), (0.0, 41.0), (12.0, 89.9), (200.0, -90.0)])
def test_every_pixel_of_every_frame_lies_on_it(ra, dec):
    frames = scattered(5, ra, dec)

    for rules in (TIGHT, NORTH, CanvasRules(pad_px=3)):
        canvas = plan_canvas(frames, rules)
        places = [wcs.all_pix2world(*border(shape, 5), 0) for wcs, shape in frames.values()]
        corners = np.stack(sky_to_pix(canvas.wcs, *np.concatenate(places, axis=1)), axis=1)
        # less than a pixel of margin is lost to whole numbers, more than one is wasted nowhere
        low, high = corners.min(axis=0) + 0.5 - rules.pad_px, corners.max(axis=0) + 0.5 + rules.pad_px
        assert np.abs(low).max() <= 0.76 and np.abs(high - canvas.shape[::-1]).max() <= 0.76
        assert set(canvas.wcs.wcs.crpix % 1) == {0.5}


@pytest.mark.parametrize("along", [-27.0, 13.5, 44.0])
def test_it_is_turned_to_where_it_is_smallest(along):
    frames = mosaic(310.0, 35.0, along_deg=along)

    canvas = plan_canvas(frames, TIGHT)

    points = np.concatenate([plan_canvas(frames, NORTH).polygon(*frame) for frame in frames.values()])
    angles = np.radians(np.arange(0, 90, 0.01))
    spans = [np.ptp(points @ [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]], axis=0) for a in angles]
    smallest = np.min(np.prod(spans, axis=1))
    # whole pixels: half of one on each side
    assert np.prod(canvas.shape) == pytest.approx(smallest, rel=0.5 / SHAPE[0])
    assert np.prod(canvas.shape) < 0.8 * np.prod(plan_canvas(frames, NORTH).shape)
    matrix = canvas.wcs.wcs.pc
    found = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert found == pytest.approx(-along, abs=0.2)
    assert np.linalg.det(matrix) == pytest.approx(1) and canvas.wcs.wcs.cdelt[0] < 0 < canvas.wcs.wcs.cdelt[1]


def test_one_frame_keeps_its_pixels():
    frame = sky(77.0, -66.0, 0.5 / 3600, angle_deg=31.0)

    canvas = plan_canvas({"only": (frame, SHAPE)}, TIGHT)

    assert canvas.shape == SHAPE
    x, y = np.meshgrid(np.arange(0, SHAPE[1], 12.0), np.arange(0, SHAPE[0], 12.0))
    there = np.array(sky_to_pix(canvas.wcs, *pix_to_sky(frame, x, y)))
    moved = there - np.array([x, y])
    assert np.ptp(moved, axis=(1, 2)).max() < 1e-5  # the same grid, moved as a whole
    assert np.abs(moved).max() <= 0.51


def test_the_order_of_the_frames_changes_nothing():
    frames = scattered(11, 0.0, 10.0)

    one = plan_canvas(frames, TIGHT)
    other = plan_canvas(dict(reversed(frames.items())), TIGHT)

    assert one.header().tostring() == other.header().tostring()


def test_it_comes_back_from_its_cards_bit_for_bit(tmp_path):
    canvas = plan_canvas(scattered(2, 359.9999, -33.3), CanvasRules())
    fits.PrimaryHDU(np.zeros(canvas.shape, np.uint8), canvas.header()).writeto(tmp_path / "c.fits")

    again = Canvas.of(fits.getheader(tmp_path / "c.fits"))

    assert again.shape == canvas.shape and again.is_sky and again.scale_arcsec == canvas.scale_arcsec
    x, y = np.array([0, 31.7, 400]), np.array([5.0, -8, 300])
    np.testing.assert_array_equal(again.wcs.all_pix2world(x, y, 0), canvas.wcs.all_pix2world(x, y, 0))
    assert again.header().tostring() == canvas.header().tostring()


def test_a_window_of_it_shows_the_same_sky(tmp_path):
    canvas = plan_canvas(scattered(4, 150.0, 2.0), CanvasRules())
    window = Window(17, 41, 33, 29)
    fits.PrimaryHDU(np.zeros(window.shape, np.uint8), canvas.header(window)).writeto(tmp_path / "w.fits")
    header = fits.getheader(tmp_path / "w.fits")
    y, x = np.mgrid[: window.height, : window.width].astype(float)

    # astropy's own reading of the file, there and back
    back = WCS(header).all_world2pix(*canvas.wcs.all_pix2world(x + window.x0, y + window.y0, 0), 0)

    assert (header["NAXIS2"], header["NAXIS1"]) == window.shape
    assert np.abs(np.array(back) - [x, y]).max() < 1e-6


def test_the_scale_can_be_chosen_and_is_else_the_median():
    frames = mosaic(40, 0, n=3) | {"coarse": (sky(40, 0, 5 / 3600), (11, 21))}

    assert plan_canvas(frames, TIGHT).scale_arcsec == pytest.approx(1, rel=1e-6)
    half = plan_canvas(frames, CanvasRules(pad_px=0, scale_arcsec=2.0))
    assert half.scale_arcsec == pytest.approx(2.0)
    assert np.prod(half.shape) == pytest.approx(np.prod(plan_canvas(frames, TIGHT).shape) / 4, rel=0.05)


def test_wide_fields_are_mapped_with_equal_areas():
    narrow, wide = mosaic(0, 60, scale=0.05, n=3), mosaic(0, 60, scale=0.05, n=6)

    assert plan_canvas(narrow).wcs.wcs.ctype[0] == "RA---TAN"
    canvas = plan_canvas(wide)
    assert list(canvas.wcs.wcs.ctype) == ["RA---ZEA", "DEC--ZEA"]
    assert all(np.isfinite(canvas.polygon(*frame)).all() for frame in wide.values())


def test_a_frame_whose_corners_see_no_sky_is_held_as_far_as_it_does():
    wide = sky(30, 40, 1.5, kind="SIN")  # 61 x 97 pixels: the sphere has a radius of 38

    canvas = plan_canvas({"wide": (wide, SHAPE)}, TIGHT)

    polygon = canvas.polygon(wide, SHAPE)
    assert np.isfinite(polygon).all() and 0 < len(polygon) < 40
    assert canvas.wcs.wcs.ctype[0] == "RA---ZEA"


def test_a_wrong_sky_solution_is_named_before_it_costs_memory():
    frames = mosaic(150, 2) | {"wrong": (sky(150, 14.0), SHAPE)}

    with pytest.raises(ConfigError, match="the mosaic would have") as caught:
        plan_canvas(frames, CanvasRules(max_mpx=1))

    error = caught.value
    assert {error.facts["first"], error.facts["second"]} & {"wrong"} and error.facts["suspect"] == "wrong"
    assert "12 degrees" in error.message and "wrong" in error.hint and "max_mpx" in error.hint
    assert error.facts["mpx"] * 1e6 == error.facts["width_px"] * error.facts["height_px"] > 1e6


def test_opposite_ends_of_the_sky_are_too_far():
    frames = {"a": (sky(0, 0), SHAPE), "b": (sky(180, 0), SHAPE), "c": (sky(180, 0.1), SHAPE)}

    with pytest.raises(ConfigError) as caught:
        plan_canvas(frames)

    assert caught.value.facts["suspect"] == "a"


def test_registered_frames_have_a_canvas_of_the_pixels_of_the_reference():
    reference, shifted = linear(np.eye(2)), linear(np.eye(2), (30.0, -12.0))

    alone = plan_canvas({"r": (reference, SHAPE)}, TIGHT)
    both = plan_canvas({"r": (reference, SHAPE), "s": (shifted, SHAPE)}, NORTH)

    assert alone.shape == SHAPE and not alone.is_sky and alone.scale_arcsec is None
    np.testing.assert_allclose(alone.wcs.all_pix2world([[3, 7]], 0), [[3, 7]])
    assert both.shape == (SHAPE[0] + 12, SHAPE[1] + 30)
    np.testing.assert_allclose(both.wcs.all_pix2world([[0, 0]], 0), [[0, -12]])
    again = Canvas.of(fits.Header.fromstring(both.header().tostring()))
    assert again.header().tostring() == both.header().tostring() and not again.is_sky


def test_registered_frames_that_turn_and_one_that_is_far_off():
    turned = linear([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]], (5, 8))

    canvas = plan_canvas({"a": (turned, SHAPE)}, TIGHT)
    assert canvas.shape == SHAPE  # turned with the frame

    far = {
        name: (linear(np.eye(2), shift), SHAPE) for name, shift in {"a": (0, 0), "b": (9, 40), "c": (3e4, 4e4)}.items()
    }
    with pytest.raises(ConfigError, match="a and c lie 50000 pixels apart"):
        plan_canvas(far, CanvasRules(orientation="north_up"))


def test_what_cannot_be_one_image_is_refused():
    nowhere = sky(scale=5.0, kind="SIN")
    nowhere.wcs.crpix = [-500, -500]

    with pytest.raises(ConfigError, match="no frame is left"):
        plan_canvas({})
    with pytest.raises(ConfigError, match="1 frames have a place on the sky and 1 do not, b for one"):
        plan_canvas({"a": (sky(), SHAPE), "b": (linear(np.eye(2)), SHAPE)})
    with pytest.raises(NoWCS, match=r"odd: .*no place"):
        plan_canvas({"a": (sky(), SHAPE), "odd": (nowhere, SHAPE)})
