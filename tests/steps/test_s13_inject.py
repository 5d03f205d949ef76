"""The whole of step 13: images of many kinds become a stack that holds them as they are, and the truth beside it."""

import contextlib
import csv

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner
from scipy.ndimage import binary_dilation
from tests.mosaic_run import take
from tests.movers_run import PLANT, SMALL, make, small

from lostlight.cli import cli
from lostlight.core.manifest import load
from lostlight.io import stack_store
from lostlight.report.verify import verify
from lostlight.science.inject.images import Stamps
from lostlight.sim.movers import Movers
from lostlight.steps.injecting import rendering
from lostlight.vocab.bits import STACK_BAD
from lostlight.vocab.bits import stack as bit
from lostlight.vocab.movers import INJECTED, INJECTED_EPOCHS

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
N = 25
PLANTED = {"n": N, "classes": {"tno": 1.0, "drift": 1.0}}


def plant(images, run, **settings):
    return make(images, run, (PLANT,), **settings)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A small field: six images of one night; not to be changed."""
    folder = tmp_path_factory.mktemp("small") / "field"
    made = small()
    made.write(folder)
    return made, folder


@pytest.fixture(scope="module")
def finished(field):
    """Its stack, with sources planted; not to be changed."""
    with contextlib.chdir(field[1].parent):
        return plant("field", field[1].parent / "run", **PLANTED)


def test_the_stack_holds_the_images_as_they_are_in_order_of_time(field, tmp_path):
    made, folder = field
    for number, path in enumerate(sorted(folder.glob("*.fits"))):
        (tmp_path / "f").mkdir(exist_ok=True)
        # names in no order of time
        (tmp_path / f"f/{(number * 5) % 7}.fits").write_bytes(path.read_bytes())
    stack = plant(tmp_path / "f", tmp_path / "run", n=0).stack
    assert np.array_equal(stack.numbers["mjd_mid"], np.sort(stack.numbers["mjd_mid"]))
    np.testing.assert_allclose(stack.numbers["mjd_mid"], made.mjd_mid, atol=1e-8)
    for number in range(len(made)):
        assert stack.images[number]["id"] == str((number * 5) % 7)
        assert np.array_equal(stack.read("science", number), made.image(number))
    np.testing.assert_allclose(stack.numbers["sigma_adu"], made.sigma_adu, rtol=0.06)
    np.testing.assert_allclose(stack.numbers["fwhm_px"], made.fwhm_px, rtol=0.1)
    np.testing.assert_allclose(stack.numbers["scale"], made.throughput[0] / made.throughput, rtol=1e-4)


def test_truth_is_whole(finished):
    sources, images, truth = (finished.table(role) for role in ("sources", "epochs", "truth"))
    assert sources.colnames == list(INJECTED) == truth.colnames
    assert images.colnames == list(INJECTED_EPOCHS)
    assert (len(sources), len(images)) == (N, 6 * N)
    assert len(set(sources["inj_id"])) == N
    for name in ("mag", "flux_adu", "snr_stack", "ra_deg", "dec_deg", "x_px", "y_px", "rate_arcsec_h", "pa_deg"):
        assert np.isfinite(sources[name]).all(), name
    assert np.isfinite(np.ma.filled(sources["a_au"], np.nan)).tolist() == (sources["sample_type"] == "tno").tolist()
    assert sorted({*sources["sample_type"]}) == ["drift", "tno"]
    for number in range(6):
        of_it = images[images["epoch"] == number]
        assert {*of_it["image_id"]} == {finished.stack.images[number]["id"]}
        x, y = small().wcs(number).all_world2pix(of_it["ra_deg"], of_it["dec_deg"], 0)
        np.testing.assert_allclose([x, y], [of_it["x_px"], of_it["y_px"]], atol=1e-3)


def test_image_and_light_add_up_to_the_bit_through_the_store(finished, field):
    """A1: X == P + Y, and Y is what the tables say was added."""
    path, stack = finished.path("stamps"), finished.stack
    stamps = rendering.read(path)
    assert isinstance(stamps, Stamps)
    rendered = finished.table("epochs", "render_field_000")
    flux = np.asarray(rendered["flux_realised_adu"]).reshape(N, 6)
    np.testing.assert_allclose(stamps.flux(N, 6), flux, rtol=1e-6)
    sources, among = finished.table("sources"), np.zeros(N, bool)
    among[np.asarray(sources["realisation"]) == 0] = True
    for number in range(6):
        y = stamps.light(number, SMALL["shape"], among)
        x = stack.read("science", number) + y
        assert x.dtype == np.float32
        assert np.array_equal(x, field[0].image(number) + y)
        inside = np.asarray(rendered["frac_on_image"]).reshape(N, 6)[:, number] > 0.9999
        if inside[among].all():
            assert y.sum(dtype=float) == pytest.approx(flux[among, number].sum(), rel=1e-3)


def test_any_workers_and_any_folder_give_the_same_bytes(finished, field, tmp_path):
    """A2."""
    for workers in (1, 3):
        again = plant(field[1], tmp_path / str(workers), workers=workers, **PLANTED)
        assert again.products() == finished.products()
    assert plant(field[1], tmp_path / "1", seed=7, **PLANTED).products() != finished.products()


def test_no_product_holds_a_path_and_every_link_holds(finished, field):
    here = str(field[1].parent).encode()
    assert [name for name, content in finished.products().items() if here in content] == []
    assert here.decode() not in (finished.run / PLANT / "manifest.json").read_text()
    verify(finished.run)
    named = {each.path.rpartition("/")[2] for unit in load(finished.run / PLANT / "manifest.json").units
             for each in unit.outputs.values()}  # fmt: skip
    assert named == set(finished.products())


@pytest.mark.parametrize(
    ("changed", "redone"),
    [
        ({}, set()),
        ({"brightness": {"low": 4}}, {"plan", "render"}),
        ({"photons": {"poisson": False}}, {"plan", "render"}),
        ({"photons": {"gain_e_adu": 0.2}}, {"plan", "render"}),
        ({"registration": {"kernel": "cubic"}}, set()),
        ({"cases": {"patch_px": 32}}, set()),
        ({"cases": {"n": 3, "patch_px": 32}}, {"cases"}),
        ({"background": {"mesh_px": 40}}, {"measure", "stack", "plan", "render"}),
    ],
)
def test_what_a_knob_does_not_concern_is_not_done_again(finished, field, tmp_path, changed, redone):
    run = tmp_path / "run"
    for path in finished.run.rglob("*"):
        if path.is_file():
            (run / path.relative_to(finished.run)).parent.mkdir(parents=True, exist_ok=True)
            (run / path.relative_to(finished.run)).write_bytes(path.read_bytes())
    again = plant(field[1], run, **PLANTED | changed)
    assert {name.split("_")[0] for name, reused in again.reused.items() if not reused} == redone


def test_a_source_goes_its_own_way_on_dithered_and_turned_images(tmp_path):
    made = small(5, rotation_deg=8.0, dither_px=15.0)
    made.write(tmp_path / "f")
    bright = {"mode": "snr_frame_each", "low": 80, "high": 90}
    planted = plant(tmp_path / "f", tmp_path / "run", n=12, classes={"mba": 1.0}, motion="linear", brightness=bright,
                    photons={"poisson": False})  # fmt: skip
    sources, images = planted.table("sources"), planted.table("epochs")
    stamps, checked = rendering.read(planted.path("stamps")), 0
    for i, source in enumerate(sources):
        for number in range(6):
            row = images[i * 6 + number]
            # a great circle from where it was at first, on the sky of this image
            hours = (made.mjd_mid[number] - source["mjd_ref"]) * 24
            step = source["rate_arcsec_h"] * hours / 3600 * np.array([np.sin(np.radians(source["pa_deg"])),
                                                                     np.cos(np.radians(source["pa_deg"]))])  # fmt: skip
            ra = source["ra_deg"] + step[0] / np.cos(np.radians(source["dec_deg"]))
            x, y = made.wcs(number).all_world2pix(ra, source["dec_deg"] + step[1], 0)
            assert np.hypot(x - row["x_px"], y - row["y_px"]) < 0.02
            light = stamps.light(number, SMALL["shape"], np.arange(12) == i).astype(float)
            if row["frac_on_image"] > 0.999:
                yy, xx = np.indices(light.shape)
                assert np.hypot((xx * light).sum() / light.sum() - x, (yy * light).sum() / light.sum() - y) < 0.1
                checked += 1
    assert checked > 40


def test_bodies_of_a_table_are_planted_where_it_says(field, tmp_path):
    made, folder = field
    mjd = np.linspace(made.mjd_start[0] - 0.05, made.mjd_start[-1] + 0.05, 7)
    rows = [(f"b{k}", t, 180.005 - 0.004 * k - 0.02 * (t - mjd[0]), 1.0 + 0.003 * k, 21.0 + k)
            for k in range(3) for t in mjd]  # fmt: skip
    with (tmp_path / "bodies.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("id", "mjd", "ra", "dec", "mag"), *rows])
    planted = plant(folder, tmp_path / "run", n=3, motion="table", table=str(tmp_path / "bodies.csv"))
    images = planted.table("epochs")
    for row in images:
        k = int(np.argmin(np.abs(1.0 + 0.003 * np.arange(3) - row["dec_deg"])))
        ra = 180.005 - 0.004 * k - 0.02 * (row["mjd_mid"] - mjd[0])
        assert (row["ra_deg"] - ra) * 3600 == pytest.approx(0, abs=0.01)
        assert row["dec_deg"] == pytest.approx(1.0 + 0.003 * k, abs=1e-6)
    (tmp_path / "bodies.csv").write_text((tmp_path / "bodies.csv").read_text().replace("b2", "b3"))
    again = plant(folder, tmp_path / "run", n=3, motion="table", table=str(tmp_path / "bodies.csv"))
    assert {name.split("_")[0] for name, reused in again.reused.items() if not reused} == {"plan", "render"}


def test_sources_may_be_planted_after_registration(field, tmp_path):
    planted = plant(field[1], tmp_path / "run", stage="registered", **PLANTED)
    assert planted.manifests[PLANT].params["stage"] == "registered"
    assert planted.metrics("plan_field")["n_planted"] == N


@pytest.mark.parametrize("name", ["s.zarr", "s.zarr.zip"])
def test_a_store_is_the_stack_it_was(finished, field, tmp_path, name):
    done = CliRunner().invoke(
        cli, ["inject", "stack", "--images", str(field[1]), "--out", str(tmp_path / name), "--native"]
    )
    assert done.exit_code == 0, done.output
    planted = plant(tmp_path / name, tmp_path / "run", **PLANTED)
    check_same(planted.stack, finished.stack)
    for role in ("truth", "stamps"):
        assert planted.path(role).read_bytes() == finished.path(role).read_bytes()
    again = plant(tmp_path / name, tmp_path / "run", **PLANTED)
    assert all(again.reused.values())
    verify(planted.run)


def test_a_store_of_registered_images_keeps_its_pixels_and_their_noise(tmp_path):
    made = small(4, rotation_deg=3.0, n_saturated=0)
    made.write(tmp_path / "f")
    out = tmp_path / "r.zarr.zip"
    done = CliRunner().invoke(
        cli, ["inject", "stack", "--images", str(tmp_path / "f"), "--out", str(out), "--registered"]
    )
    assert done.exit_code == 0, done.output
    before = stack_store.open_store(out)
    planted = plant(out, tmp_path / "run", n=5)
    check_same(planted.stack, before)
    assert planted.stack.attributes["sky"]["mesh_px"] == 0
    # the noise of a point's flux is that of the images before they were resampled
    sigma = np.asarray(planted.table("epochs")["sigma_adu"]).reshape(5, 6)[0]
    np.testing.assert_allclose(sigma, made.sigma_adu, rtol=0.07)


def check_same(one, other):
    assert one.shape == other.shape
    for plane in stack_store.PLANES:
        assert np.array_equal(one.read(plane), other.read(plane), equal_nan=plane != "bad"), plane
    for name in stack_store.NUMBERS:
        np.testing.assert_array_equal(one.numbers[name], other.numbers[name], name)
    # that there is a variance is all that a registered image knows of its noise
    told = [[{**record, "from_plane": True} for record in stack.images] for stack in (one, other)]
    assert told[0] == told[1]
    assert one.attributes["sky"] == other.attributes["sky"]
    for number in range(one.shape[0]):
        for name in ("mesh", "rms_mesh") if other.extra("mesh", number) is not None else ():
            assert np.array_equal(one.extra(name, number), other.extra(name, number))


def test_images_smaller_than_others_are_taken_from_a_store_in_their_own_size(tmp_path):
    small(n_epochs=3).write(tmp_path / "f")
    path = tmp_path / "f/mover_001.fits"
    with fits.open(path) as hdus:
        fits.PrimaryHDU(hdus[0].data[:113, :140], hdus[0].header).writeto(tmp_path / "cut.fits")
    (tmp_path / "cut.fits").replace(path)
    made = plant(tmp_path / "f", tmp_path / "run", n=0)
    again = plant(made.path("stack"), tmp_path / "again", n=0)
    check_same(again.stack, made.stack)
    assert again.stack.images[1]["shape"] == [113, 140]
    assert ((again.stack.read("bad", 1)[113:] & bit("NO_DATA")) > 0).all()


def test_frames_that_step_12_would_join_can_be_searched(tmp_path):
    frames = take(tmp_path / "frames", layout=(1, 1))
    planted = plant(frames, tmp_path / "run", n=4, classes={"drift": 1.0})
    assert planted.stack.shape[0] == 3
    assert all(WCS(fits.Header.fromstring(each["wcs"], sep="\n")).has_celestial for each in planted.stack.images)


def test_kbmod_files_are_taken_as_they_are(shared_data, tmp_path):
    """A12: no pixel masked, noise 2.0; there is no sky solution worth the name, and no gain."""
    planted = plant(shared_data / "kbmod-small", tmp_path / "run", n=10, classes={"drift": 1.0},
                    planes={"science": 1, "mask": 2, "variance": 3})  # fmt: skip
    stack = planted.stack
    assert stack.shape[0] == 10
    assert not (stack.read("bad") & STACK_BAD).any()
    np.testing.assert_allclose(stack.numbers["sigma_adu"], 2.0, atol=0.1)
    data = fits.getdata(shared_data / "kbmod-small/000003.fits.gz", 1)
    assert np.array_equal(stack.read("science", 3), data.astype(np.float32))


def test_a_stack_of_movers_is_what_its_name_says(tmp_path):
    """The simulated fields of a configuration are those of the module."""
    planted = plant("movers:2", tmp_path / "run", n=0)
    assert np.array_equal(planted.stack.read("science", 4), Movers(2).image(4))


def test_cosmic_rays_and_hot_pixels_are_marked_and_points_are_not(tmp_path):
    """Where the simulator put them; where no star tells how sharp a point is, nothing is taken for too sharp."""
    field = small(cosmics=4.0, hot_px=12)
    field.write(tmp_path / "f")
    planted = plant(tmp_path / "f", tmp_path / "run", n=0)
    marks, science = planted.stack.read("bad"), planted.stack.read("science")
    spikes = (marks & bit("SPIKE")) > 0
    level = np.array([field.expected(t) for t in range(len(science))])
    sigma = (science - level) / field.sigma_adu[:, None, None]
    is_sky = level - np.median(level, axis=(1, 2), keepdims=True) < 200
    assert ((sigma > 20) & is_sky).sum() > 30
    assert spikes[(sigma > 20) & is_sky].mean() > 0.8
    near = binary_dilation(sigma > 6, structure=np.ones((1, 3, 3)))
    assert not (spikes & ~near).any()
