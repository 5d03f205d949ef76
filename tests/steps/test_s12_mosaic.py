"""The whole of step 12 on small simulated frames."""

import contextlib
import json
import os
import re
import time
from io import BytesIO

import jsonschema
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance
from astropy.table import Table
from astropy.wcs import WCS
from PIL import Image
from tests.mosaic_run import STEP, copied, edit, make, take

from lostlight.report import mosaic_page
from lostlight.steps.mosaicking import assembling, lots, tiles

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
SDS = {"mode": "sds", "lots": {"min": 2, "target": 2}}
MODES = {"stack": {}, "sds": SDS, "grid": {"mode": "grid", "grid": {"tile_px": 100}}}
DEVIATING = {
    "by itself": {"mode": "grid", "grid": {"tile_px": 100}, "photometry": {"scope": "tile"}},
    "levelled twice": SDS | {"photometry": {"scope": "both"}, "polish": {"second_pass": "on"}},
    "sharper": {"warp": {"kernel": "lanczos3"}, "combine": {"reject": "minmax", "grow": 1}},
}
"""Settings under which other code is at work."""
CHARTS = mosaic_page._charts
FRAMES = [f"light_{number:04d}" for number in range(6)]


@pytest.fixture(scope="module")
def lights(tmp_path_factory):
    """Six frames of two fields; not to be changed."""
    return take(tmp_path_factory.mktemp("whole") / "frames", trails=1, cosmics=3.0)


@pytest.fixture(scope="module", autouse=True)
def _short_page():
    """A page without its charts, which take as long as everything else; the mosaic's own tests see to them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mosaic_page, "_charts", lambda metrics: {})
        yield


@pytest.fixture(scope="module")
def finished(lights):
    """A finished run of each mode; not to be changed."""
    with contextlib.chdir(lights.parent):
        found = {mode: make("frames", lights.parent / mode, **settings) for mode, settings in MODES.items()}
    assert [outcome.error for outcome in found.values()] == [None] * len(found)
    return found


@pytest.fixture
def rerun(lights, finished, tmp_path):
    """Continue a copy of a finished run, and tell the units that are done again."""

    def again(mode, frames=lights, **settings):
        run = tmp_path / mode
        if not run.exists():
            copied(finished[mode].run, run)
        before = receipts(run)
        outcome = make(frames, run, **MODES[mode] | settings)
        return outcome, {name for name, moment in receipts(run).items() if before.get(name) != moment}

    return again


@pytest.fixture
def plan(finished, rerun, tmp_path):
    """Run sds with an edited copy of its lots."""

    def edited(change):
        path = tmp_path / "own.csv"
        path.write_text(change((finished["sds"].folder / "lots.csv").read_text()))
        return rerun("sds", plan=str(path))

    return edited


def receipts(run):
    return {path.stem: path.stat().st_mtime_ns for path in (run / STEP / "units").glob("*.json")}


def without_lots(text):
    """Take every frame out of its lot."""
    return re.sub(r",L\d+", ",", text)


def differing(one, other):
    """Names of products that are not the same bytes in two outcomes."""
    ours, theirs = one.products, other.products
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


@pytest.mark.parametrize("mode", MODES)
def test_every_product_is_there(finished, mode):
    made = {unit.id: set(unit.outputs) for unit in finished[mode].manifest.units}
    for name in FRAMES:
        assert made.pop(f"measure_{name}") == {"measured"}
        assert made.pop(f"levels_{name}") == {"levels"}
    assert made.pop("canvas") == {"canvas", "sources"}
    assert made.pop("photometry") == {"photometry"}
    assert made.pop("mosaic") == {"image", "metrics", "preview", "coverage", "weight", "before", "after", "page"}
    if mode == "sds":
        assert made.pop("lots") == {"lots"}
        assert [made.pop(f"stack_L00{number}") for number in (1, 2, 3)] == [{"lot"}] * 3
    assert not made
    units = finished[mode].manifest.units
    stated = {product.path.rpartition("/")[2] for unit in units for product in unit.outputs.values()}
    assert stated == set(finished[mode].products)


@pytest.mark.parametrize("mode", MODES)
def test_the_file_has_its_planes_and_tables(finished, mode):
    with fits.open(finished[mode].folder / "mosaic.fits", checksum=True) as hdus:
        hdus.verify("exception")
        names = ["PRIMARY", "WHT", "COV", "REJ", "FRAMES", *(["LOTS"] if mode != "stack" else [])]
        assert [hdu.name for hdu in hdus] == names
        sci, wht, cov, rej = (hdu.data for hdu in hdus[:4])
        assert [hdu.data.dtype.name for hdu in hdus[:4]] == ["float32", "float32", "uint16", "uint16"]
        assert {plane.shape for plane in (sci, wht, cov, rej)} == {sci.shape}
        known = np.isfinite(sci)
        assert 0.5 < known.mean() < 1
        for plane in (wht, cov):
            assert np.array_equal(plane > 0, known)
        assert cov.max() == 6
        header = hdus[0].header
        told = {key: header[key] for key in ("NCOMBINE", "MOSMODE", "KERNEL", "COMBMETH", "REJMETH", "BUNIT")}
        assert told == {
            "NCOMBINE": 6, "MOSMODE": mode, "KERNEL": "cubic", "COMBMETH": "mean", "REJMETH": "shrunk", "BUNIT": "adu",
        }  # fmt: skip
        assert header["PHOTREF"] in FRAMES
        assert WCS(header).has_celestial
        assert "DATE" not in header


def test_tables_tell_of_frames_and_lots(finished):
    path = finished["sds"].folder / "mosaic.fits"
    frames, lots_of = (Table.read(path, name) for name in ("FRAMES", "LOTS"))
    assert list(frames["id"]) == FRAMES
    assert {*frames["lot"]} == {"L001", "L002", "L003"} == {*lots_of["id"]}
    assert (frames["gain"] > 0).all()
    assert (frames["weight"] > 0).all()
    assert {*frames["status"]} == {"used"}


@pytest.mark.parametrize("mode", MODES)
def test_ccddata_reads_it(finished, mode):
    read = CCDData.read(finished[mode].folder / "mosaic.fits", hdu_uncertainty="WHT", unit="adu")
    assert isinstance(read.uncertainty, InverseVariance) or read.uncertainty is not None
    assert read.wcs.has_celestial
    assert read.shape == finished[mode].plane().shape


@pytest.mark.parametrize("mode", MODES)
def test_metrics_keep_their_schema(finished, project, mode):
    told = finished[mode].metrics["mosaic"]
    jsonschema.validate(told, json.loads((project / "workflow/schemas/mosaic_metrics.schema.json").read_bytes()))
    assert (told["mode"], told["n_frames"], told["n_used"], told["rejected"]) == (mode, 6, 6, [])
    assert len(told["lots"]) == {"stack": 0, "sds": 3, "grid": 6}[mode]
    assert told["photometry"]["overlap_residual_sigma"]["max"] < 0.3
    with fits.open(finished[mode].folder / "mosaic.fits") as hdus:
        assert told["canvas"]["covered_px"] == np.isfinite(hdus[0].data).sum()
        assert told["canvas"]["crop"][2:] == list(hdus[0].data.shape)


def test_pictures_show_the_mosaic(finished):
    products, sci = finished["stack"].products, finished["stack"].plane()
    picture = np.array(Image.open(BytesIO(products["mosaic.png"])))
    assert picture.shape[:2] == sci.shape
    # rows of pictures are counted from the top
    assert np.array_equal(picture[::-1, :, -1] > 0, np.isfinite(sci))


def test_the_page_is_whole_and_the_same_for_any_workers(lights, tmp_path, monkeypatch):
    monkeypatch.setattr(mosaic_page, "_charts", CHARTS)
    pages = [make(lights, tmp_path / str(n), n).products["mosaic.html"] for n in (1, 2)]
    assert pages[0] == pages[1]
    page = pages[0].decode()
    assert page.count("<svg") >= 5
    assert "data:image/" in page
    assert all(name in page for name in FRAMES)
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_jpeg_if_asked_for(rerun):
    outcome, redone = rerun("stack", output={"jpg": True, "rejected": False})
    assert redone == {"mosaic"}
    assert Image.open(BytesIO(outcome.products["mosaic.jpg"])).size == outcome.plane().shape[::-1]
    with fits.open(outcome.folder / "mosaic.fits") as hdus:
        assert "REJ" not in hdus


@pytest.mark.parametrize("mode", MODES)
def test_no_product_holds_a_path_or_the_time(finished, lights, mode):
    today = time.strftime("%Y-%m-%d")
    for name, content in finished[mode].products.items():
        for secret in (str(lights.parent), os.path.expanduser("~"), today):
            assert secret.encode() not in content, f"{name} holds {secret}"
    assert str(lights.parent) not in (finished[mode].run / STEP / "manifest.json").read_text()


@pytest.mark.parametrize("mode", MODES)
def test_a_second_run_does_nothing_but_sweep(rerun, finished, tmp_path, mode):
    left = copied(finished[mode].run, tmp_path / mode) / STEP / ".staging" / f"mosaic@{2**22 + 1}"
    left.mkdir(parents=True)
    outcome, redone = rerun(mode)
    assert redone == set()
    assert not left.exists()
    assert outcome.error is None


def test_half_a_product_is_made_again(rerun, finished, tmp_path):
    path = copied(finished["sds"].run, tmp_path / "sds") / STEP / "products/stack_L002.lot.fits"
    path.write_bytes(path.read_bytes()[:4000])
    outcome, redone = rerun("sds")
    assert redone == {"stack_L002"}
    assert differing(outcome, finished["sds"]) == []


def test_a_changed_frame_redoes_what_depends_on_it(rerun, lights, finished, tmp_path):
    frames = copied(lights, tmp_path / "frames")
    edit(frames / "light_0002.fits", lambda data: data + 7)
    outcome, redone = rerun("stack", frames)
    assert redone == {"measure_light_0002", "canvas", "levels_light_0002", "photometry", "mosaic"}
    # it is the sky that rose, which levelling takes off
    np.testing.assert_allclose(outcome.plane(), finished["stack"].plane(), atol=0.1)


def test_a_frame_that_is_gone_is_told_of_no_more(rerun, lights, tmp_path):
    frames = copied(lights, tmp_path / "frames")
    (frames / "light_0005.fits").unlink()
    outcome, redone = rerun("stack", frames)
    assert outcome.metrics["mosaic"]["n_frames"] == 5
    assert not {f"measure_{name}" for name in FRAMES} & redone
    assert not {unit.id for unit in outcome.manifest.units if "0005" in unit.id}


@pytest.mark.parametrize(
    ("mode", "settings", "redone"),
    [
        ("stack", {"polish": {"erode_px": 4}}, {"mosaic"}),
        ("stack", {"combine": {"reject": "mad"}}, {"mosaic"}),
        ("stack", {"quality": {"min_stars": 0.1}}, {"photometry"}),
        ("grid", {"grid": {"tile_px": 120}}, {"mosaic"}),
        ("sds", {"polish": {"erode_px": 4}}, {"mosaic"}),
        ("sds", {"combine": {"reject": "mad"}}, {"stack_L001", "stack_L002", "stack_L003", "mosaic"}),
        ("sds", {"lots": {"min": 3, "target": 3}}, {"lots", "stack_L001", "stack_L002", "mosaic"}),
    ],
)
def test_an_option_redoes_what_it_concerns(rerun, mode, settings, redone):
    assert rerun(mode, **settings)[1] == redone


@pytest.mark.parametrize("mode", ["stack", "grid"])
@pytest.mark.parametrize(
    "settings",
    [
        {"lots": {"min": 3, "target": 5, "coverage": 0.5, "by": "pointing"}},
        {"combine": {"lots_reject": "none"}},
    ],
)
def test_other_modes_do_not_change_with_options_of_sds(rerun, finished, mode, settings):
    outcome, redone = rerun(mode, **settings)
    assert outcome.error is None
    assert redone <= ({"mosaic"} if "combine" in settings else set())
    told = {"mosaic.metrics.json", "mosaic.html"}  # of all settings
    assert set(differing(outcome, finished[mode])) <= (told if "combine" in settings else set())


def test_grid_is_the_stack_bit_for_bit(finished):
    for plane in ("SCI", "WHT", "COV", "REJ"):
        assert np.array_equal(finished["grid"].plane(plane), finished["stack"].plane(plane), equal_nan=True)


@pytest.mark.parametrize("tile_px", [0, 333, 77])
def test_tiles_of_any_size_make_the_same_mosaic(rerun, finished, tile_px):
    outcome, _ = rerun("grid", grid={"tile_px": tile_px})
    for plane in ("SCI", "WHT", "COV", "REJ"):
        assert np.array_equal(outcome.plane(plane), finished["stack"].plane(plane), equal_nan=True)


@pytest.mark.parametrize("scope", ["global", "tile"])
def test_tiles_are_those_of_any_memory(lights, tmp_path, monkeypatch, scope):
    monkeypatch.setattr(tiles, "SIDES", (32, 2048))
    monkeypatch.setattr(tiles, "SHARE", 1e-3)
    settings = {"mode": "grid", "photometry": {"scope": scope}}
    some, more = (make(lights, tmp_path / str(mb), policy={"memory_mb": mb}, **settings) for mb in (64, 512))
    assert len(some.metrics["mosaic"]["lots"]) > 4
    assert differing(some, more) == []


def test_lots_without_rejection_are_the_flat_stack(rerun):
    settings = {"combine": {"reject": "none", "lots_reject": "none"}}
    flat, lotted = (rerun(mode, **settings)[0] for mode in ("stack", "sds"))
    for plane in ("SCI", "WHT"):
        np.testing.assert_allclose(lotted.plane(plane), flat.plane(plane), rtol=1e-5)
    assert np.array_equal(lotted.plane("COV"), flat.plane("COV"))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_for_any_workers(finished, lights, tmp_path, mode):
    with contextlib.chdir(copied(lights, tmp_path / "frames").parent):
        other = make("frames", tmp_path / mode, 4, {"memory_mb": 512, "backend": "numba"}, **MODES[mode])
    assert differing(other, finished[mode]) == []
    ours, theirs = ((each.run / STEP / "manifest.json").read_bytes() for each in (finished[mode], other))
    assert ours == theirs


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks as memory would make them of a mosaic a thousand times as large."""
    for module in (assembling, lots):
        monkeypatch.setattr(module, "SHARE", 2e-4)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_for_small_blocks_without_a_compiler(finished, lights, tmp_path, small_blocks, mode):
    other = make(lights, tmp_path / mode, 1, {"memory_mb": 64, "backend": "numpy"}, **MODES[mode])
    assert differing(other, finished[mode]) == []


@pytest.mark.parametrize("settings", DEVIATING.values(), ids=DEVIATING)
def test_other_settings_give_the_same_bytes_too(lights, tmp_path, request, settings):
    first = make(lights, tmp_path / "first", 1, {"memory_mb": 512}, **settings)
    assert first.error is None
    request.getfixturevalue("small_blocks")
    second = make(lights, tmp_path / "second", 3, {"memory_mb": 64, "backend": "numpy"}, **settings)
    assert differing(first, second) == []


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_for_another_folder_and_order(finished, lights, tmp_path, mode):
    table = copied(lights, tmp_path / "another place") / "list.csv"
    table.write_text("\n".join(["path", *(f"{name}.fits" for name in [*FRAMES[3:], *FRAMES[2::-1]])]))
    assert differing(make(table, tmp_path / mode, **MODES[mode]), finished[mode]) == []


def test_a_frame_moved_to_another_lot_redoes_both(plan):
    outcome, redone = plan(lambda text: text.replace("light_0000,L001", "light_0000,L002"))
    assert redone == {"lots", "stack_L001", "stack_L002", "mosaic"}
    assert {lot["id"]: lot["n"] for lot in outcome.metrics["mosaic"]["lots"]} == {"L001": 1, "L002": 3, "L003": 2}


def test_lots_as_they_are_redo_nothing(plan, finished):
    outcome, redone = plan(lambda text: text)
    assert redone == set()
    assert differing(outcome, finished["sds"]) == []


def test_a_frame_without_a_lot_is_left_out(plan):
    outcome, redone = plan(lambda text: text.replace("light_0000,L001", "light_0000,"))
    assert outcome.metrics["mosaic"]["n_used"] == 5
    assert {"lots", "stack_L001", "mosaic"} <= redone
    assert all(product in outcome.products for product in ("mosaic.fits", "stack_L001.lot.fits"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("light_0003", "light_003"), r"own.csv, line \d: there is no frame 'light_003'"),
        (lambda text: text + "light_0001,L009\n", "own.csv, line 8: light_0001 is there twice, first in line"),
        (lambda text: text.replace("light_0000,L001\n", ""), "own.csv has no row for light_0000"),
        (without_lots, "own.csv leaves out every frame"),
        (lambda text: text.replace("lot", "group", 1), "own.csv, line 1: unknown column 'group'"),
    ],
)
def test_lots_that_cannot_be_are_refused(plan, change, says):
    outcome, redone = plan(change)
    assert redone == set()
    assert outcome.error.exit_code == 2
    assert re.match(says, outcome.error.message)
