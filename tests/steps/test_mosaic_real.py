"""Step 12 on real frames: tiles of 2MASS about M17, raw frames of HAT-P-32 without a sky solution, chips of DECam."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sep
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import maximum_filter, median_filter
from scipy.spatial import cKDTree
from tests.mosaic_scene import Product, step

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.io import mosaic_frames
from lostlight.science.mosaic.level.surface import sky_surface
from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix", "ignore:.*All-NaN slice", "ignore:.*empty slice")

SURVEY = "decam-testcase6/survey-ccds-1.fits.gz"
UNPOLISHED = {"min_rel": 0, "open_px": 0, "erode_px": 0, "crop": {"mode": "none", "noise": None}}
PLAIN = {"canvas": {"pad_px": 0}, "warp": {"edge_px": 0, "kernel": "linear"}, "polish": UNPOLISHED}


@dataclass(frozen=True)
class Run:
    """A mosaic, where its step left everything, and the frames it is of."""

    folder: Path
    frames: dict[str, Path]
    product: Product

    @property
    def is_raw(self) -> bool:
        """Whether nobody had a look at the frames before."""
        return "CALVER" not in self.way(min(self.photometry["frames"]))[0].header

    @property
    def places(self) -> given.Places:
        return given.Places(json.loads((self.folder / "canvas.json").read_bytes()))

    @property
    def photometry(self) -> dict:
        return json.loads((self.folder / "photometry.photometry.json").read_bytes())

    def way(self, name: str):
        """Pixels and header of a frame, and its way onto the canvas."""
        frame = mosaic_frames.open_frame(self.frames[name])
        wcs = self.places.wcs(name, frame.header)
        return frame, wcs, route(self.places.canvas.wcs, self.places.canvas.shape, wcs, frame.shape)

    def warped(self, name: str) -> np.ndarray:
        """A frame on the canvas, (H, W)."""
        frame, _, way = self.way(name)
        whole = Window(0, 0, *self.places.canvas.shape)
        return warp(frame.rows, frame.shape, frame.n_channels, way, whole, WarpRules()).data[0]

    def on_canvas(self, name: str) -> np.ndarray:
        """A frame on the canvas at the common level, hot pixels and all; (H, W)."""
        found = self.photometry
        own, whole = found["frames"][name], Window(0, 0, *self.places.canvas.shape)
        surface = sky_surface(np.array(own["sky"][0]), np.array(own["centre"]), found["half_px"], whole)
        return own["gain"][0] * self.warped(name) - surface

    @property
    def cut(self) -> tuple[slice, slice]:
        """Where the product lies on the canvas."""
        x, y = self.to_canvas(self.product.wcs, 0, 0)
        ny, nx = self.product.sci.shape[-2:]
        return slice(round(float(y)), round(float(y)) + ny), slice(round(float(x)), round(float(x)) + nx)

    def levelled(self, name: str) -> np.ndarray:
        """What the step makes of the pixels of a frame, in its own pixels; (ny, nx)."""
        frame, wcs, way = self.way(name)
        found = self.photometry
        own, shape = found["frames"][name], self.places.canvas.shape
        surface = sky_surface(np.array(own["sky"][0]), np.array(own["centre"]), found["half_px"], Window(0, 0, *shape))
        x, y = self.to_canvas(wcs, *np.indices(frame.shape)[::-1])
        # The surface is a plane, so that the nearest two pixels of the canvas tell it anywhere.
        dy, dx = surface[1, 0] - surface[0, 0], surface[0, 1] - surface[0, 0]
        data = frame.rows(0, frame.shape[0])[0].astype(np.float64)
        return own["gain"][0] * way.ratio * data - (surface[0, 0] + dx * x + dy * y)

    def to_canvas(self, wcs: WCS, x, y):
        """Pixels of a frame to those of the canvas."""
        return self.places.canvas.wcs.all_world2pix(*wcs.all_pix2world(x, y, 0), 0)


def ran(run: Path, frames: Path, **settings) -> Run:
    """Run step 12 on a folder."""
    (product,) = step(run, frames, **settings).values()
    names = {path.name.split(".")[0]: path for path in sorted(frames.iterdir())}
    return Run(run / "12_mosaic/products", names, product)


def linked(folder: Path, paths) -> Path:
    """Lay links to files into a folder of their own."""
    folder.mkdir()
    for path in paths:
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def m17(shared_data, tmp_path_factory):
    """Four tiles of two scans; nothing but resampled, levelled and added up."""
    folder = tmp_path_factory.mktemp("m17")
    tiles = linked(folder / "tiles", (shared_data / "mosaic-2mass-m17").glob("aK_asky_*.fits.gz"))
    return ran(folder / "run", tiles, **PLAIN)


def test_the_tiles_of_2mass_cover_what_they_cover(m17):
    """As `reproject.mosaicking` lays the four out: 2201 by 942, 1,871,951 pixels with a value."""
    assert m17.product.sci.shape == (1, 2201, 942)
    assert np.isfinite(m17.product.sci).sum() == pytest.approx(1_871_951, rel=1e-3)


def same_pixels(m17, one, other):
    """Pixels that two tiles of one scan share, from their own sky solutions: slices of either."""
    solutions = [m17.way(name)[1] for name in (one, other)]
    shapes = [m17.way(name)[0].shape for name in (one, other)]
    x, y = solutions[1].all_world2pix(*solutions[0].all_pix2world([[0, 0], [511, 1023]], 0).T, 0)
    shift_x, shift_y = round(float(x[0])), round(float(y[0]))
    assert max(abs(x - [shift_x, shift_x + 511])) < 0.02
    assert max(abs(y - [shift_y, shift_y + 1023])) < 0.02
    first, second = [], []
    for shift, size_1, size_2 in ((shift_y, shapes[0][0], shapes[1][0]), (shift_x, shapes[0][1], shapes[1][1])):
        low, high = max(0, -shift), min(size_1, size_2 - shift)
        first.append(slice(low, high))
        second.append(slice(low + shift, high + shift))
    return tuple(first), tuple(second)


@pytest.mark.parametrize(
    ("one", "other", "constant", "known_to"),
    [("1350080", "1350092", -0.595, 0.002), ("1420186", "1420198", 2.029, 0.005)],
)
def test_constants_between_tiles_of_one_scan_are_recovered(m17, one, other, constant, known_to):
    """Pixel by pixel on the tiles' own grids, what they differed by as published against what is left of it.

    Tiles of one scan are the same pixels moved by whole ones and by a constant. Two frames of a common level differ by
    nothing, so whatever is left is what the step got wrong of the constant; gains far from each other would leave
    more where it is bright than where it is dark.
    """
    one, other = (f"aK_asky_990502s{number}" for number in (one, other))
    at, there = same_pixels(m17, one, other)
    raw = [fits.getdata(m17.frames[name]).astype(np.float64) for name in (one, other)]
    published = raw[0][at] - raw[1][there]
    assert np.isfinite(published).sum() > 25_000
    assert np.nanmedian(published) == pytest.approx(constant, abs=known_to)
    left = m17.levelled(one)[at] - m17.levelled(other)[there]
    assert abs(np.nanmedian(left)) < 0.01
    bright = raw[0][at] > np.nanpercentile(raw[0][at], 90)
    parts = [left[:, :256], left[:, 256:], left[:26], left[26:], left[bright], left[~bright]]
    assert np.abs([np.nanmedian(part) for part in parts]).max() < 0.02
    ratio = m17.photometry["frames"][one]["gain"][0] / m17.photometry["frames"][other]["gain"][0]
    assert ratio == pytest.approx(1, abs=2e-4)


def test_scans_agree_better_than_they_did(m17):
    """Between scans the sky changed: what is left is what no plane describes, a fifth of the noise of a pixel."""
    pairs = [pair for pair in m17.product.metrics["photometry"]["pairs"] if pair["a"][15:19] != pair["b"][15:19]]
    assert len(pairs) == 3
    assert max(abs(pair["sigma"]) for pair in pairs) < 0.2
    gains = [frame["gain"][0] for frame in m17.photometry["frames"].values()]
    assert np.ptp(gains) < 0.01


@pytest.fixture(scope="module")
def raw_lights(shared_data, tmp_path_factory):
    """Eleven raw frames, and one with nothing but sky."""
    folder = linked(tmp_path_factory.mktemp("hatp32") / "lights", (shared_data / "stack-hatp32").glob("*.FITS.gz"))
    one = sorted(folder.iterdir())[5]
    with fits.open(one) as hdus:
        sky = np.random.default_rng(1).normal(np.median(hdus[0].data), 12, hdus[0].data.shape)
        fits.writeto(folder / "HATP-32171220050000.fits", np.rint(sky).astype(np.int16), hdus[0].header)
    return folder


@pytest.fixture(scope="module", params=["raw", pytest.param("calibrated", marks=pytest.mark.soak)])
def hatp32(request, raw_lights, tmp_path_factory):
    """The stack of raw frames, and that of what step 11 makes of them."""
    run = tmp_path_factory.mktemp(request.param) / "run"
    if request.param == "raw":
        return ran(run, raw_lights)
    config = configuration.check({"calibrate": {"frames": str(raw_lights), "infer_type": True}, "mosaic": {}})
    list(chain.walk(config, run, steps=("11_calibrate",)))
    made = run / "11_calibrate/products"
    lights = linked(run.parent / "lights", made.glob("HATP*.fits"))
    return ran(run, lights)


def test_a_frame_without_stars_is_left_out_and_no_other(hatp32):
    assert list(hatp32.product.left_out) == ["HATP-32171220050000"]
    assert "star" in hatp32.product.left_out["HATP-32171220050000"]
    assert hatp32.product.metrics["n_used"] == 11


def stars_of(image: np.ndarray) -> np.ndarray:
    """Places (n, 2) of the stars of an image, by a program that had no part in laying the frames over each other."""
    blank = ~np.isfinite(image)
    plain = np.ascontiguousarray(np.where(blank, 0, image), dtype=np.float32)
    sky = sep.Background(plain, mask=blank, bw=64, bh=64)
    found = sep.extract(plain - sky, 8, err=sky.globalrms, mask=blank, minarea=5)
    found = found[(found["flag"] == 0) & (found["peak"] < 2500) & (found["a"] < 3)]
    # Wide enough for the light of a trailed star, whose core is not its middle.
    x, y, flag = sep.winpos(plain - sky, found["x"], found["y"], 1.5, mask=blank)
    return np.column_stack([x, y])[flag == 0]


def test_stars_of_neighbouring_frames_lie_over_each_other(hatp32):
    names = sorted(hatp32.photometry["frames"])
    places = [stars_of(hatp32.warped(name)) for name in names]
    drifts = [hatp32.to_canvas(hatp32.way(name)[1], 325, 250) for name in names]
    assert np.ptp(drifts, axis=0).max() > 200
    for one, other in pairwise(places):
        distance, _ = cKDTree(other).query(one)
        common = distance[distance < 2]
        assert len(common) >= 20
        assert np.median(common) <= 0.15
        assert np.sqrt(np.mean(common**2)) <= 0.3


def test_hot_pixels_are_gone(hatp32, raw_lights):
    """Pixels that stand out in nearly all raw frames, followed to where each frame puts them on the stack.

    What the sky has there the other frames tell, whose hot pixels lie elsewhere: their median.
    """
    raw = np.array([fits.getdata(path).astype(np.float32) for path in sorted(raw_lights.glob("*.gz"))])
    above = np.array([frame - median_filter(frame, 5) for frame in raw])
    noise = 1.4826 * np.median(abs(above), axis=(1, 2))[:, None, None]
    y, x = np.nonzero((above > 5 * noise).mean(axis=0) > 0.8)
    assert len(x) > 30
    names = sorted(hatp32.photometry["frames"])
    level = np.array([hatp32.on_canvas(name) for name in names])
    sci, wht = np.full((2, *level[0].shape), np.nan)
    sci[hatp32.cut], wht[hatp32.cut] = hatp32.product.sci[0], hatp32.product.wht[0]
    sky, sigma = np.nanmedian(sci), np.nanmedian([hatp32.photometry["frames"][name]["sigma"] for name in names])
    # Bright pixels of several frames are stars; beside those the gradient of the light protects what is not theirs.
    starry = maximum_filter(np.nanmedian(level, axis=0) > sky + 3 * sigma, 9)
    excess, alone = [], []
    for k, name in enumerate(names):
        i, j = (np.rint(v).astype(int) for v in hatp32.to_canvas(hatp32.way(name)[1], x, y))
        i, j = np.array([i, j])[:, (i >= 0) & (j >= 0) & (i < sci.shape[1]) & (j < sci.shape[0])]
        others = np.delete(level[:, j, i], k, axis=0)
        empty = (np.isfinite(others).sum(axis=0) >= 6) & ~starry[j, i]
        off = (sci[j, i] - np.nanmedian(others, axis=0)) * np.sqrt(wht[j, i])
        excess += list(off[empty & np.isfinite(off)])
        alone += list(((level[k, j, i] - np.nanmedian(others, axis=0)) / sigma)[empty])
    assert len(excess) > 1000
    if hatp32.is_raw:
        assert np.nanmedian(alone) > 5
    assert abs(np.median(excess)) < 0.2
    assert max(excess) < 5


@pytest.fixture(scope="module")
def decam(shared_data, tmp_path_factory):
    """Two exposures in each of three bands, cut out around a bright star; their distortion is a TPV."""
    folder = tmp_path_factory.mktemp("decam")
    cuts = linked(folder / "cuts", (shared_data / "decam-testcase6/images").rglob("*_ooi_*.fits.gz"))
    return step(folder / "run", cuts), folder / "run/12_mosaic/products", cuts


def test_cuts_of_decam_become_a_mosaic_for_each_band(decam):
    products, folder, _ = decam
    assert sorted(product.header["FILTER"][0] for product in products.values()) == ["g", "r", "z"]
    assert {product.metrics["n_used"] for product in products.values()} == {2}
    places = given.Places(json.loads((folder / "canvas.json").read_bytes()))
    middles = []
    for product in products.values():
        light = product.sci[0] - np.nanmedian(product.sci[0])
        y, x = np.nonzero(light > 0.3 * np.nanmax(light))
        middles.append(places.canvas.wcs.all_world2pix(*product.wcs.all_pix2world(x.mean(), y.mean(), 0), 0))
    assert np.ptp(middles, axis=0).max() < 1.5


def test_gains_of_decam_are_those_of_its_zero_points(decam, shared_data):
    """What the survey measured on thousands of stars of the whole chips: zero points of a second, and exposures."""
    _, folder, cuts = decam
    survey = {row["image_filename"].split("/")[-1]: row for row in fits.getdata(shared_data / SURVEY, 1)}
    off = []
    for path in folder.glob("*.photometry.json"):
        frames = json.loads(path.read_bytes())["frames"]
        rows = {name: survey[f"{name}.fits"] for name in frames}
        light = {name: row["exptime"] * 10 ** (0.4 * row["ccdzpt"]) for name, row in rows.items()}
        (reference,) = [name for name, frame in frames.items() if frame["gain_sigma"] == [0.0]]
        (other,) = set(frames) - {reference}
        expected = light[reference] / light[other]
        assert abs(np.log(frames[other]["gain"][0] / expected)) < 0.3
        off.append((frames[other]["gain"][0] - expected) / frames[other]["gain_sigma"][0])
    assert len(off) == 3
    assert np.median(np.abs(off)) < 1.5
    assert np.abs(off).max() < 4
    assert len(list(cuts.iterdir())) == 6
