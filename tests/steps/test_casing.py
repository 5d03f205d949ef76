"""Cases that step 13 cuts out of stacks, held against the images they come from and against light itself."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import convolve

from lostlight import runner
from lostlight.core.config import check
from lostlight.core.errors import ConfigError
from lostlight.core.manifest import products
from lostlight.core.step import find
from lostlight.io import case_files, case_store, stack_store
from lostlight.sim.movers import Movers
from lostlight.steps.injecting import casing, gridding

SEED, N = 3, 12
STEP = "13_inject"
ANYWHERE = {"placement": {"strategy": "mid"}}
"""Quick: no source is drawn again because it leaves the cut-out."""
BRIGHT = {"mode": "snr_frame_each", "low": 60, "high": 90}


def params(images, **changes):
    section = {"images": str(images), "n": 0, "brightness": BRIGHT, "photons": {"poisson": False}}
    return check({"inject": {**section, "cases": {"n": N, "patch_px": 48, "stride_px": 40}, **changes}}).inject


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Frames of a dithered, slightly turned field."""
    folder = tmp_path_factory.mktemp("movers") / "field"
    folder.mkdir()
    Movers(SEED, n_epochs=5, rotation_deg=0.2).write(folder)
    return folder


@pytest.fixture(scope="module")
def step(frames, tmp_path_factory):
    """Manifest of step 13 with cases, and the folder of its run."""
    find(STEP)
    run = tmp_path_factory.mktemp("run")
    return runner.run(runner.Job(STEP, params(frames), run / STEP / "manifest.json"))


@pytest.fixture(scope="module")
def store(step):
    return next(iter(products([step], "stack")))


@pytest.fixture(scope="module")
def made(step):
    return case_store.open_cases(next(iter(products([step], "cases"))))


@pytest.fixture(scope="module")
def cut(store, frames):
    return casing.cutting(store, params(frames))


def test_the_step_makes_the_cases_that_are_asked_for(step, made):
    unit = next(unit for unit in step.units if unit.id == "cases_field")

    assert unit.status == "ok"
    assert unit.metrics["n_cases"] == len(made) == N
    assert made.shape == (N, 5, 48, 48)
    assert made.truth["sample_type"].tolist() == ["tno"] * N
    assert np.isfinite(made.attributes["plate_scale_arcsec"])


def test_x_is_the_cut_out_and_the_source_bit_by_bit(made, cut, tmp_path):
    """A1: through the store and through a file."""
    batch = next(iter(cut.batches()))
    paths = casing.write_files(tmp_path, cut, batch)
    together = made.x(slice(0, N))

    for i, path in enumerate(paths):
        saved = case_files.read(path)
        np.testing.assert_array_equal(saved["X"], saved["patch_stack"] + saved["Y"])
        np.testing.assert_array_equal(saved["X"], together[i])
        np.testing.assert_array_equal(saved["Y"], made.y(i))
        assert saved["meta"]["row"] == made.truth["row"][i]
        # 14.7 adu, less where pixels share their noise; stars on a cut-out are no noise of it
        assert ((saved["sigma_patch"] > 10) & (saved["sigma_patch"] < 16)).all()


def test_the_light_is_where_the_truth_says(made):
    """The centroid of what was planted, on every image that holds all of it."""
    rows, columns = np.indices((48, 48))
    seen = 0
    for i in range(N):
        for t, light in enumerate(made.y(i).astype(float)):
            x, y = made.truth["track_x_px"][i, t], made.truth["track_y_px"][i, t]
            if not (14 < x < 33 and 14 < y < 33):
                continue
            seen += 1
            assert (light * columns).sum() / light.sum() == pytest.approx(x, abs=0.02)
            assert (light * rows).sum() / light.sum() == pytest.approx(y, abs=0.02)
            assert light.sum() == pytest.approx(made.truth["image_flux_expected_adu"][i, t], rel=2e-3)
    assert seen > 5


def test_the_first_image_lies_on_the_grid_as_it_is(cut, frames):
    """Its pixels less those of the frame are the sky alone, which is smooth."""
    frame = fits.getdata(sorted(frames.glob("*.fits"))[0]).astype(float)
    grid = cut.ground.grid
    ny, nx = frame.shape
    light = cut.ground.light[0, -grid.y0 : ny - grid.y0, -grid.x0 : nx - grid.x0]
    sky = frame - light
    good = np.isfinite(sky[:, 1:] + sky[:, :-1])

    assert np.isfinite(light).mean() > 0.98
    assert np.abs(sky[:, 1:] - sky[:, :-1])[good].max() < 1
    assert np.nanmedian(sky) == pytest.approx(np.median(frame), abs=15)


def test_stars_of_all_images_lie_on_each_other(cut):
    """The middle of isolated stars on every image, against where the simulation has them on the first."""
    field = Movers(SEED, n_epochs=5, rotation_deg=0.2)
    x, y = field.star_pixels(0)
    flux, grid = np.asarray(field.stars["flux"]), cut.ground.grid
    alone = [np.sort(np.hypot(x - a, y - b))[1] > 18 for a, b in zip(x, y, strict=True)]
    inside = (x > 30) & (x < 290) & (y > 30) & (y < 225) & alone & (flux > 8000) & (flux < 60000)
    offsets = []
    for a, b in zip(x[inside] - grid.x0, y[inside] - grid.y0, strict=True):
        row, column = round(b), round(a)
        box = cut.ground.light[:, row - 6 : row + 7, column - 6 : column + 7].astype(float)
        if not np.isfinite(box).all():
            continue
        v, u = np.indices((13, 13)) - 6
        offsets.append([((p * u).sum() / p.sum() + column - a, (p * v).sum() / p.sum() + row - b) for p in box])

    assert len(offsets) >= 3
    assert np.abs(np.median(offsets, axis=0)).max() < 0.1


def test_noise_is_told_as_a_point_meets_it(cut):
    """Where pixels were resampled they share their noise; the scatter of fluxes on blank sky is the judge."""
    epochs = cut.ground.epochs
    for t in (0, 3):
        kernel = epochs.psfs[t].kernel()
        image = cut.ground.light[t].astype(float)
        flux = convolve(np.nan_to_num(image), kernel[::-1, ::-1]) / np.sum(kernel**2)
        blank = np.isfinite(image) & (np.abs(image) < 4 * epochs.sigma_adu[t])
        usable = convolve(blank.astype(float), np.ones(kernel.shape) / kernel.size) > 0.999
        found = 1.4826 * np.median(np.abs(flux[usable] - np.median(flux[usable])))
        assert usable.sum() > 3000
        assert found == pytest.approx(epochs.sigma_adu[t] * np.sqrt(epochs.psfs[t].n_eff), rel=0.06)


def test_no_result_depends_on_the_number_of_threads(cut, frames, tmp_path):
    """A2."""
    cut = replace(cut, params=params(frames, **ANYWHERE))
    hashes = set()
    for threads in (1, 2):
        casing.write_store(tmp_path / f"{threads}.zarr.zip", cut, cut.batches(threads))
        hashes.add(hashlib.sha256((tmp_path / f"{threads}.zarr.zip").read_bytes()).hexdigest())

    assert len(hashes) == 1


def test_near_a_star_is_near_a_star(store, frames):
    """The stars of the simulation know nothing of those that the stack found."""
    cut = casing.cutting(store, params(frames, placement={"strategy": "near_star"}))
    batch = next(iter(cut.batches()))
    field = Movers(SEED, n_epochs=5, rotation_deg=0.2)
    x, y = field.star_pixels(0)
    epochs, grid = cut.ground.epochs, cut.ground.grid
    middle = (epochs.mjd_mid[0] + epochs.mjd_mid[-1]) / 2
    images = {name: np.asarray(batch.images[name]).reshape(N, len(epochs)) for name in ("x_px", "y_px")}

    distance = []
    for i in range(N):
        at = [np.interp(middle, epochs.mjd_mid, images[name][i]) for name in ("x_px", "y_px")]
        distance.append(np.hypot(x - grid.x0 - at[0], y - grid.y0 - at[1]).min())

    # a cosmic ray on the first image is a source too
    assert np.mean(np.array(distance) < 8) >= 0.6, distance


def test_x_is_stored_where_it_is_asked_for(cut, frames, tmp_path):
    asked = params(frames, cases={"n": 3, "patch_px": 32, "store_x": True}, **ANYWHERE)
    cut = replace(cut, params=asked)
    casing.write_store(tmp_path / "c.zarr", cut, cut.batches())
    made = case_store.open_cases(tmp_path / "c.zarr")

    np.testing.assert_array_equal(made._group["x"][...], made.x(slice(0, 3)))


def test_what_cannot_be_cut_is_refused(store, frames, tmp_path):
    with pytest.raises(ConfigError, match=r"400 x 400 px do not fit into images of 320 x 256"):
        casing.cutting(store, params(frames, cases={"n": 1, "patch_px": 400}))
    with pytest.raises(ConfigError, match="table"):
        casing.cutting(store, params(frames, motion="table", table=str(tmp_path / "t.csv")))


def test_a_registered_stack_is_one_that_is_not_resampled_again(store, cut, tmp_path):
    out, progress = tmp_path / "r.zarr", []
    gridding.write_registered(store, out, "lanczos3", {}, lambda done, total, name: progress.append((done, total)))
    made = stack_store.open_store(out)
    again = gridding.on_one_grid(out)

    assert progress[-1] == (5, 5)
    np.testing.assert_array_equal(again.light, cut.ground.light)
    np.testing.assert_allclose(again.epochs.sigma_adu, cut.ground.epochs.sigma_adu, rtol=0.02)
    assert len({str(image["wcs"]) for image in made.images}) == 1
    assert made.images[0]["noise_gain"] == 1
    assert made.images[3]["noise_gain"] > 1.02
    assert made.images[3]["flux_factor"] == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(made.read("bad", 2) & 4 > 0, ~np.isfinite(made.read("science", 2)))
