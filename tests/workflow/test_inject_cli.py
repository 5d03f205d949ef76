"""The verbs of injection, as a person types them."""

import io
import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from PIL import Image

from lostlight import own_stack
from lostlight.cli import cli
from lostlight.io import case_files, case_store, stack_store
from lostlight.sim.movers import Movers
from lostlight.vocab.bits import STACK_BAD
from lostlight.vocab.movers import SAMPLE_TYPES, STRATEGIES

N_EPOCHS = 4
ANYWHERE = ["--set", "inject.placement.strategy=mid"]
"""Quick: no source is drawn again because it leaves the cut-out."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("movers") / "field"
    folder.mkdir()
    Movers(5, n_epochs=N_EPOCHS).write(folder)
    return folder


def typed(*words, code=0):
    """What a command says, on both streams; `code` is the exit status that is expected."""
    done = CliRunner().invoke(cli, ["inject", *map(str, words)])
    assert done.exit_code == code, done.output
    if code == 2:
        assert "Traceback" not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.output


@pytest.fixture(scope="module")
def made(frames, tmp_path_factory):
    """A stack, and what was said of it."""
    out = tmp_path_factory.mktemp("stack") / "field.zarr"
    return out, typed("stack", "--images", frames, "--out", out, "--native", "--patch", 48, "--stride", 24)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_stack_holds_the_images_as_they_are(made, frames):
    out, said = made
    store = stack_store.open_store(out)
    files = sorted(frames.glob("*.fits"))

    assert store.shape == (N_EPOCHS, 256, 320)
    for t, file in enumerate(files):
        np.testing.assert_array_equal(store.read("science", t), fits.getdata(file))
    assert (store.attributes["patch_px"], store.attributes["stride_px"]) == (48, 24)
    assert "4 of 320 x 256 px" in said
    assert names(out.parent) == ["field.zarr"]


def test_what_is_told_of_a_stack_is_true(made):
    """Width and noise against those of the simulation."""
    out, said = made
    field, store = Movers(5, n_epochs=N_EPOCHS), stack_store.open_store(out)

    np.testing.assert_allclose(store.numbers["fwhm_px"], field.fwhm_px, rtol=0.02)
    np.testing.assert_allclose(store.numbers["sigma_adu"], field.sigma_adu, rtol=0.03)
    arc_h = 24 * (field.mjd_mid[-1] - field.mjd_mid[0])
    assert f"{arc_h:.2f} hours from first to last" in said
    assert f"width of a point: {np.median(store.numbers['fwhm_px']):.2f}" in said


def test_packed_and_unpacked_stacks_hold_the_same(made, frames, tmp_path):
    typed("stack", "--images", frames, "--out", tmp_path / "s.zarr.zip", "--native", "--patch", 48, "--stride", 24)
    packed, plain = stack_store.open_store(tmp_path / "s.zarr.zip"), stack_store.open_store(made[0])

    np.testing.assert_array_equal(packed.read("variance"), plain.read("variance"))
    assert packed.attributes == plain.attributes
    assert names(tmp_path) == ["s.zarr.zip"]


def test_real_images_become_a_stack(shared_data, tmp_path):
    for file in (shared_data / "kbmod-small").glob("00000*.fits.gz"):
        shutil.copy(file, tmp_path)
    said = typed("stack", "--images", tmp_path, "--out", tmp_path / "k.zarr", "--epochs", 5)
    store = stack_store.open_store(tmp_path / "k.zarr")

    assert store.shape == (5, 64, 64)
    assert not (store.read("bad") & STACK_BAD).any()
    np.testing.assert_allclose(store.numbers["sigma_adu"], 2.0, atol=0.1)
    assert "warning: 5 images, 000000 first: 0 stars are too few" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epochs", 9], ("9 images are asked for", "holds 4")),
        (["--epochs", 2], ("2 is not in the range",)),
        (["--patch", 300], ("300 px do not fit into images of 320 x 256",)),
        (["--set", "inject.psf.modle=gaussian"], ("inject.psf.modle",)),
        (["--plate-scale", -1], ("plate_scale_arcsec",)),
        (["--out", "field.fits"], ("no name of a store",)),
        (["--images", "nowhere"], ("nowhere", "does not exist")),
    ],
)
def test_what_cannot_be_stacked_is_refused_and_leaves_nothing(frames, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    said = typed("stack", "--images", frames, "--out", "s.zarr", *words, code=2)

    assert all(part in said for part in told), said
    assert names(tmp_path) == []


def test_a_folder_that_is_no_store_is_not_replaced(frames, tmp_path):
    (tmp_path / "s.zarr").mkdir()
    (tmp_path / "s.zarr" / "thesis.txt").write_text("mine")

    assert "something else than a store" in typed("stack", "--images", frames, "--out", tmp_path / "s.zarr", code=2)
    assert names(tmp_path / "s.zarr") == ["thesis.txt"]


def test_folders_of_several_fields_are_told_apart(frames, tmp_path):
    for name in "ab":
        shutil.copytree(frames, tmp_path / "fields" / name)

    assert "2 fields: a, b" in typed("stack", "--images", tmp_path / "fields", "--out", tmp_path / "s.zarr", code=2)
    assert names(tmp_path) == ["fields"]


def test_an_image_that_cannot_be_read_is_left_out(frames, tmp_path):
    folder = shutil.copytree(frames, tmp_path / "field")
    sorted(folder.glob("*.fits"))[1].write_text("not FITS")
    said = typed("stack", "--images", folder, "--out", tmp_path / "s.zarr")

    assert stack_store.open_store(tmp_path / "s.zarr").shape[0] == N_EPOCHS - 1
    assert "is left out" in said


def test_an_interrupted_stack_goes_on_where_it_was(frames, tmp_path):
    out = tmp_path / "s.zarr"
    params = own_stack.params_of({"inject": {"images": str(frames)}})

    def interrupt(done, total, name):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own_stack.make(params, out, interrupt)
    assert names(tmp_path) == [".s.zarr.work"]
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("measure_*.npz")}
    kept = {}

    def watch(done, total, name):
        kept.update({path: path.stat().st_mtime_ns for path in first})

    own_stack.make(params, out, watch)

    assert len(first) == 2
    assert kept == first, "what was measured is measured again"
    assert names(tmp_path) == ["s.zarr"]


def test_registered_images_show_bodies_where_the_first_image_would(frames, tmp_path):
    """Positions of stars on the grid, by the simulation; outside of an image there is nothing."""
    said = typed("stack", "--images", frames, "--out", tmp_path / "r.zarr")
    store, field = stack_store.open_store(tmp_path / "r.zarr"), Movers(5, n_epochs=N_EPOCHS)
    about = store.attributes["registered"]
    x, y = (place - about[axis] for place, axis in zip(field.star_pixels(0), ("x0", "y0"), strict=True))
    best = np.argsort(field.stars["flux"])[::-1]
    inside = [k for k in best if 40 < x[k] < 280 and 40 < y[k] < 220][:5]

    assert "registered: without sky" in said
    for image in store.read("science"):
        assert np.isnan(image).any() or image.shape == (256, 320)
        assert abs(np.nanmedian(image)) < 3
        for k in inside:
            column, row = round(x[k]), round(y[k])
            box = image[row - 4 : row + 5, column - 4 : column + 5]
            peak = np.unravel_index(np.nanargmax(box), box.shape)
            assert np.hypot(peak[0] - 4, peak[1] - 4) < 2.3


def test_cases_in_both_forms_are_the_same(made, tmp_path):
    out = tmp_path / "cases"
    said = typed("cases", "--stack", made[0], "--n", 6, "--out", out, "--type", "tno", "--type", "hot_pixel", *ANYWHERE)
    store = case_store.open_cases(out / "cases.zarr")

    assert names(out) == [f"case_{i:06d}.npz" for i in range(6)] + ["cases.zarr"]
    assert store.shape == (6, N_EPOCHS, 48, 48), "patch and stride are those of the stack"
    for i in range(6):
        saved = case_files.read(out / f"case_{i:06d}.npz")
        np.testing.assert_array_equal(saved["X"], store.x(i))
        assert saved["meta"]["sample_type"] == store.truth["sample_type"][i]
    n_sources = int((store.truth["label"] > 0).sum())
    assert f"cases: 6 of 4 x 48 x 48 from 130 places, {n_sources} with a source" in said
    assert names(tmp_path) == ["cases"]


def test_cases_depend_on_the_seed_alone(made, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        typed(
            "cases",
            "--stack",
            made[0],
            "--n",
            2,
            "--out",
            tmp_path / name,
            "--seed",
            seed,
            "--format",
            "npz",
            *ANYWHERE,
        )
    first, again, other = ((tmp_path / name / "case_000001.npz").read_bytes() for name in "abc")

    assert first == again != other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--patch", 257], "257 x 257 px do not fit into images of"),
        (["--type", "tnoo"], "did you mean tno?"),
        (["--n", 0], "0 is not in the range"),
        (["--stack", "nowhere.zarr"], "there is no stack nowhere.zarr"),
    ],
)
def test_cases_that_cannot_be_cut_are_refused_and_leave_nothing(made, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)

    assert told in typed("cases", "--stack", made[0], "--out", "c", *words, code=2)
    assert names(tmp_path) == []


def test_cases_do_not_mix_with_what_is_there(made, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    assert "is not empty" in typed("cases", "--stack", made[0], "--out", tmp_path, code=2)
    assert names(tmp_path) == ["notes.txt"]


def test_the_demonstration_has_five_sections_with_all_types_and_strategies(tmp_path):
    said = typed("demo", "--out", tmp_path)
    sections = [line for line in said.splitlines() if line[:1].isdigit()]
    first_words = [line.split()[0] for line in said.splitlines() if line.strip()]

    assert [section.split()[0] for section in sections] == ["1", "2", "3", "4", "5"]
    assert set(SAMPLE_TYPES) <= set(first_words)
    assert set(STRATEGIES) <= set(first_words)
    assert "NO" not in said.split()
    assert "FAIL" not in said
    assert names(tmp_path) == ["demo_case.npz", "demo_case.png"]


def test_a_saved_case_is_told_and_drawn(made, tmp_path):
    typed("cases", "--stack", made[0], "--n", 1, "--out", tmp_path / "c", "--format", "npz", *ANYWHERE)
    file = tmp_path / "c" / "case_000000.npz"
    said, truth = typed("demo", "--case", file), case_files.read(file)["meta"]
    picture = Image.open(io.BytesIO(file.with_suffix(".png").read_bytes()))

    assert "X = patch + Y, bit by bit: yes" in said
    for x, y in zip(truth["trajectory_x"], truth["trajectory_y"], strict=True):
        assert f"{x:>9.2f} {y:>9.2f}" in said
    assert picture.size[0] > 500
    # the rings are drawn
    assert (np.abs(np.asarray(picture.convert("RGB")).astype(int) - (0x56, 0xB4, 0xE9)).sum(axis=2) < 12).sum() > 30


def test_what_is_no_case_is_refused(tmp_path):
    (tmp_path / "x.npz").write_text("no")

    assert "is no case" in typed("demo", "--case", tmp_path / "x.npz", code=2)
    assert "there is no case" in typed("demo", "--case", tmp_path / "y.npz", code=2)


def test_priors_and_injector_are_sane(tmp_path):
    """A9, A10: the line that people type."""
    words = [
        "--priors",
        "tno",
        "--mode",
        "kbo",
        "--n",
        10_000,
        "--json",
        tmp_path / "s.json",
        "--plot",
        tmp_path / "s.png",
    ]
    said = typed("sanity", *words)
    asked = ["mu_max", "mu_mean", "phi_p95", "R_mean", "clipping"]
    asked += ["output_shape", "no_nan_inf", "Y_nonneg", "flux_conservation", "motion_direction", "seed_reproducibility"]
    passed = [line.split()[2] for line in said.splitlines() if line.startswith("PASS")]
    record = json.loads((tmp_path / "s.json").read_text())

    assert passed == asked
    assert record["is_passed"]
    assert [check["name"] for check in record["checks"] + record["injection_checks"]] == asked
    assert Image.open(tmp_path / "s.png").size[0] > 500


def test_the_strict_set_asks_more():
    said = typed("sanity", "--strict")

    assert "golden" in said
    assert "FAIL" not in said


def test_a_check_that_fails_is_told_by_the_exit_status(tmp_path):
    """Fast bodies leave the images before the last."""
    words = ["--priors", "mba", "--mode", "general", "--n", 1000, "--json", tmp_path / "s.json"]
    said = typed("sanity", *words, code=1)
    failed = [line.split()[2] for line in said.splitlines() if line.startswith("FAIL")]

    assert failed == ["clipping"]
    assert not json.loads((tmp_path / "s.json").read_text())["is_passed"]
    assert "FAIL" not in typed("sanity", *words, "--hours", 0.2), "so they do not in twelve minutes"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--priors", "plutini"], "did you mean plutino?"),
        (["--n", 10], "too few"),
        (["--pointing", "200"], "no place"),
        (["--pointing", "200,95"], "not on the sky"),
        (["--mjd", "nan"], "--mjd nan"),
        (["--elongation", "nan"], "--elongation nan"),
        (["--hours", "0"], "--hours 0 is not possible"),
        (["--mode", "kb"], "choose from"),
    ],
)
def test_priors_that_make_no_sense_are_refused(words, told):
    assert told in typed("sanity", *words, code=2)
