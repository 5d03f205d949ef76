"""Step 12 from files to files against the sky that was simulated."""

import numpy as np
import pytest
from tests.mosaic_scene import cell_medians, plane_removed, step

from lostlight.sim.mosaics import scene, write
from lostlight.sim.mosaics_files import tiles

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix", "ignore:.*All-NaN slice", "ignore:.*empty slice")

SMALL = {"layout": (1, 2), "tile_px": (241, 300), "n_per_tile": 3, "n_stars": 300, "flux": (3e3, 3e5),
         "slopes": 20.0, "dither_px": 4.0}  # fmt: skip
"""Six frames of two fields."""


def reference_of(made, product):
    """Truth of the frame whose level and scale a mosaic has."""
    name = product.metrics["reference"]["id"]
    return next(truth for truth in made.truth.frames if truth.name.removesuffix(".fits") == name)


def centroids(image, x, y, reach=4):
    """Measure the middle of stars, by the moments of a small box less its border; NaN near edges."""
    found = np.full((2, len(x)), np.nan)
    for k in np.flatnonzero(np.isfinite(x)):
        at_x, at_y = x[k], y[k]
        for _ in range(3):
            j, i = round(float(at_y)), round(float(at_x))
            box = image[max(j - reach, 0) : j + reach + 1, max(i - reach, 0) : i + reach + 1]
            if box.shape != (2 * reach + 1,) * 2 or not np.isfinite(box).all():
                break
            rows, columns = np.mgrid[j - reach : j + reach + 1, i - reach : i + reach + 1]
            window = np.exp(-((columns - at_x) ** 2 + (rows - at_y) ** 2) / 6)
            light = (box - np.median(np.r_[box[0], box[-1], box[:, 0], box[:, -1]])) * window
            # A Gaussian under a Gaussian window is seen half as far off as it is, or so.
            at_x += 2 * ((columns - at_x) * light).sum() / light.sum()
            at_y += 2 * ((rows - at_y) * light).sum() / light.sum()
        else:
            found[:, k] = at_x, at_y
    return found


def bright_and_alone(made, number=150, distance_px=11.0):
    """Numbers of bright stars without a neighbour that could shift them."""
    stars = made.truth.stars
    x, y = made.truth.sky.plane.wcs_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    flux = np.asarray(stars["flux"])
    order = np.argsort(-flux)[:number]
    near = np.hypot(x[order, None] - x, y[order, None] - y) < distance_px
    return order[(near * flux).sum(axis=1) - flux[order] < 0.01 * flux[order]]


def off_truth(made, product, channel=0):
    """A mosaic less the nebula at the scale of its reference; NaN at stars."""
    reference, shape = reference_of(made, product), product.sci.shape[-2:]
    band = reference.pointing.bands[channel]
    nebula = made.truth.image(product.wcs, shape, bands=(band,))[0]
    starry = made.truth.image(product.wcs, shape, 1.2 * made.design.fwhm_px, bands=(band,))[0] - nebula
    off = product.sci[channel] - reference.throughput[channel] * nebula
    return np.where(starry < 0.1 * made.design.sigma, off, np.nan)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The mosaic of ``tiles:3``, and its scene."""
    (product,) = step(tmp_path_factory.mktemp("tiles"), "tiles:3").values()
    return tiles(3), product


def test_the_frame_that_is_out_of_focus_is_left_out(whole):
    made, product = whole
    (bad,) = [truth for truth in made.truth.frames if truth.fault]
    assert list(product.left_out) == [bad.name.removesuffix(".fits")]
    assert "FWHM" in product.left_out[bad.name.removesuffix(".fits")]
    assert product.metrics["n_used"] == 23


def test_the_nebula_comes_out_as_it_is(whole):
    made, product = whole
    error = plane_removed(cell_medians(off_truth(made, product), 16))
    assert np.isfinite(error).mean() > 0.7
    assert np.nanstd(error) < 0.2 * made.design.sigma


def test_weights_are_the_noise_that_is_there(whole):
    """Noise is told as it was before resampling, which shares it with the neighbours: CORRFACT says by how much."""
    made, product = whole
    seen = plane_removed(off_truth(made, product)) * np.sqrt(product.wht[0])
    spread = 1.4826 * np.nanmedian(abs(seen - np.nanmedian(seen)))
    assert spread == pytest.approx(product.header["CORRFACT"], rel=0.05)


def test_the_cropped_sky_solution_is_where_the_stars_are(whole):
    made, product = whole
    chosen = bright_and_alone(made)
    stars = made.truth.stars[chosen]
    x, y = product.wcs.wcs_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    off = centroids(product.sci[0], x, y) - (x, y)
    seen = np.isfinite(off[0])
    assert seen.sum() >= 10
    assert np.median(np.hypot(*off[:, seen])) < 0.02
    assert abs(np.median(off[:, seen], axis=1)).max() < 0.01


def test_frames_without_a_sky_solution_are_laid_over_each_other(tmp_path):
    made = scene(11, **SMALL | {"layout": (1, 1)}, has_wcs=False, rotation_deg=4.0, turned=(2,))
    write(tmp_path / "frames", made)
    (product,) = step(tmp_path / "run", tmp_path / "frames").values()
    assert product.left_out == {}
    chosen = bright_and_alone(made)
    at = np.array([truth.star_pixels() for truth in made.truth.frames])[:, :, chosen]
    # The world of the mosaic is the pixels of one of the frames.
    residuals = []
    for x, y in at:
        on_mosaic = product.wcs.wcs_world2pix(x, y, 0)
        off = centroids(product.sci[0], *on_mosaic) - on_mosaic
        residuals.append(np.nanmedian(np.hypot(*off)) if np.isfinite(off).any() else np.inf)
    assert min(residuals) < 0.05


def test_a_frame_without_stars_gets_no_invented_place(tmp_path):
    made = scene(12, **SMALL | {"layout": (1, 1), "n_per_tile": 4}, has_wcs=False, bad={1: "starless"})
    write(tmp_path / "frames", made)
    (product,) = step(tmp_path / "run", tmp_path / "frames").values()
    assert list(product.left_out) == ["light_0001"]
    assert "star" in product.left_out["light_0001"]


@pytest.mark.parametrize(
    "knobs",
    [
        {"centre": (0.003, 10.0), "distortion_px": 2.0},
        {"channels": 3},
        pytest.param({"centre": (77.0, 89.99), "distortion_px": 2.0, "distortion": "TPV"}, marks=pytest.mark.soak),
        pytest.param({"scales": (1.0, 1.3), "flipped": (1, 2)}, marks=pytest.mark.soak),
        pytest.param({"nan_border_px": 9, "gain_e_adu": 1.5, "n_saturated": 2}, marks=pytest.mark.soak),
    ],
)
def test_stars_and_sky_are_true_whatever_the_frames_are_like(knobs, tmp_path):
    made = scene(13, **SMALL, **knobs)
    write(tmp_path / "frames", made)
    (product,) = step(tmp_path / "run", tmp_path / "frames").values()
    assert product.left_out == {}
    chosen = bright_and_alone(made)
    stars = made.truth.stars[chosen]
    x, y = product.wcs.all_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    for channel in range(made.design.channels):
        off = centroids(product.sci[channel], x, y) - (x, y)
        assert np.isfinite(off[0]).sum() >= 6
        assert np.nanmedian(np.hypot(*off)) < 0.04
        error = plane_removed(cell_medians(off_truth(made, product, channel), 16))
        assert np.nanstd(error) < 0.4 * made.truth.frames[0].sigma[channel]


def test_filters_have_mosaics_of_their_own_on_one_canvas(tmp_path):
    made = scene(14, **SMALL | {"n_per_tile": 2}, filters=("R", "Ha"))
    write(tmp_path / "frames", made)
    products = step(tmp_path / "run", tmp_path / "frames", polish={"crop": {"mode": "none"}})
    assert sorted(product.header["FILTER"] for product in products.values()) == ["Ha", "R"]
    one, other = products.values()
    assert one.sci.shape == other.sci.shape
    assert all(one.header[key] == other.header[key] for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CDELT1"))
    assert {product.metrics["n_used"] for product in products.values()} == {4}
