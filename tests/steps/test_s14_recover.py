"""The whole of step 14: what moves is found where it is, and what was planted tells how complete the search is."""

import configparser
import contextlib
import json
import re
from collections import Counter

import jsonschema
import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner
from scipy.stats import norm
from tests.movers_run import CLEAN, PLANT, RECOVER, make, nearest, small

from lostlight.cli import cli
from lostlight.io import stack_store
from lostlight.report import recovery_page, times
from lostlight.report.verify import verify
from lostlight.vocab.movers import MOVERS, REASONS, RECOVERIES

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
CHARTS = recovery_page._charts
BY_CHANCE = {"NOISE", "BELOW_THRESHOLD_EXPECTED"}
PLANTED = {"n": 50, "classes": {"drift": 1.0}}
OPTIONS = {"rate_bins": (0, 2.5, 5)}
FIELD = {"shape": (161, 199), "n_epochs": 8, "n_stars": 25}


@pytest.fixture(scope="module", autouse=True)
def _short_page():
    """A page without its charts; its own tests see to them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery_page, "_charts", lambda *_, **__: {})
        yield


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Eight images with three bodies; not to be changed."""
    folder = tmp_path_factory.mktemp("field") / "field"
    made = small(21, **FIELD)
    made.write(folder)
    return made, folder


@pytest.fixture(scope="module")
def finished(field):
    """The field searched, with sources planted; not to be changed."""
    with contextlib.chdir(field[1].parent):
        return make("field", field[1].parent / "run", recover=OPTIONS, **PLANTED)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Nothing but noise, with sources planted; not to be changed."""
    folder = tmp_path_factory.mktemp("clean")
    small(8, **FIELD | CLEAN).write(folder / "field")
    # slower ones cannot be told from what stands still
    faster = {"n": 250, "rates": {"low": 1.5, "high": 5.0}}
    return make(folder / "field", folder / "run", psf={"fwhm_px": 2.6}, recover=OPTIONS, **PLANTED | faster)


def test_the_bodies_are_the_best_candidates(field, finished):
    made, _ = field
    found, truth = finished.table("candidates"), made.truth
    days = float(made.mjd_mid[-1] - made.mjd_mid[0])
    kept = found[~np.asarray(found["is_vetted_out"], bool)]
    for row in truth:
        near = nearest(kept, row["x_px"], row["y_px"], row["vx_px_day"], row["vy_px_day"], days)
        for name, floor in (("x_px", 0.15), ("y_px", 0.15), ("vx_px_day", 0.15 / days), ("vy_px_day", 0.15 / days)):
            error = near[name.replace("_px", "_err_px", 1)]
            assert abs(near[name] - row[name]) < 4 * np.hypot(error, floor), (row["name"], name)
        assert near["flux"] == pytest.approx(row["flux_adu"], abs=4 * near["flux_err"] + 0.1 * row["flux_adu"])
        assert near["cand_id"] <= 3 + (len(found) - len(kept))
        apart = np.hypot((near["ra_deg"] - row["ra_deg"]) * np.cos(np.radians(1)), near["dec_deg"] - row["dec_deg"])
        assert apart * 3600 < 1
        assert near["rate_arcsec_h"] == pytest.approx(row["rate_arcsec_h"], rel=0.1)
        assert near["mjd_ref"] == pytest.approx(made.mjd_mid[0], abs=1e-7)


def test_tables_are_whole_and_ordered(finished):
    found, planted = finished.table("candidates"), finished.table("recoveries")
    assert found.colnames == list(MOVERS)
    assert planted.colnames == list(RECOVERIES)
    assert np.all(np.diff(np.asarray(found["lh"])) <= 0)
    assert list(found["cand_id"]) == list(range(1, len(found) + 1))
    assert sorted(planted["inj_id"]) == sorted(finished.table("sources")["inj_id"])


def test_every_missed_source_has_one_primary_reason(finished, clean):
    """A19."""
    for outcome in (finished, clean):
        planted = outcome.table("recoveries")
        because = np.ma.filled(planted["lost_because"], "")
        assert ((because == "") == np.asarray(planted["is_recovered"], bool)).all()
        assert {*because} - {""} <= set(REASONS)
        told = outcome.report
        counted = Counter(because)
        assert {each["code"]: each["n"] for each in told["reasons"] if each["n"]} == {
            code: n for code, n in counted.items() if code
        }


def test_in_clean_images_sources_are_missed_by_chance_alone(clean):
    """A19: noise and faintness explain at least 95 of 100."""
    lost = Counter(np.ma.filled(clean.table("recoveries")["lost_because"], ""))
    del lost[""]
    assert sum(lost[code] for code in BY_CHANCE) >= 0.95 * lost.total(), lost


def test_completeness_falls_where_noise_says_it_must(clean):
    planted, threshold = clean.table("recoveries"), clean.metrics("search_field_000")["threshold"]
    snr, found = np.asarray(planted["lh_expected"], float), np.asarray(planted["is_recovered"], bool)
    expected = norm.cdf(snr - threshold)
    # the search takes the best of many paths near the true one, so it finds a little more than one path would
    assert expected.sum() - 3 * np.sqrt(found.size) / 2 < found.sum() < expected.sum() * 1.15 + 12
    assert found[snr > threshold + 4].mean() > 0.97
    assert found[snr < threshold - 3].mean() < 0.05
    told = clean.report["by_snr"]["bins"]
    n, k, chance = (np.array([each[name] for each in told]) for name in ("n", "k", "predicted"))
    apart = (k - n * chance) / np.sqrt(np.maximum(n * chance * (1 - chance), 1))
    assert np.abs(apart).max() < 4


def test_nulls_find_what_noise_predicts(clean):
    for alarms in clean.report["alarms"]:
        assert alarms["n"] <= 6, alarms
    assert clean.metrics("search_field_000")["n_kept"] <= 6


def test_what_is_measured_of_planted_sources_is_their_truth(clean):
    planted = clean.table("recoveries")
    found = planted[np.asarray(planted["is_recovered"], bool) & (np.asarray(planted["lh_expected"]) > 9)]
    assert len(found) > 60
    for name in ("dx_px", "dy_px"):
        assert abs(np.median(found[name])) < 0.1
        assert np.std(found[name]) < 0.8
    flux = np.asarray(found["dflux_sigma"], float)
    assert abs(np.median(flux)) < 0.5
    assert 0.7 < 1.4826 * np.median(np.abs(flux - np.median(flux))) < 1.4


def test_a_local_search_finds_what_a_full_one_does(clean, tmp_path):
    """A18, small."""
    assert agreement(clean, tmp_path, n=40) >= 0.97


@pytest.mark.soak
def test_a_local_search_finds_what_a_full_one_does_of_many(clean, tmp_path):
    """A18."""
    assert agreement(clean, tmp_path, n=1000) >= 0.995


def agreement(clean, folder, **settings):
    """Give the part of sources that both ways of searching find, or both miss."""
    found = []
    for mode in ("local", "full"):
        options = {**OPTIONS, "mode": mode, "nulls": ()}
        found.append(
            make(clean.path("stack"), folder / mode, recover=options, **PLANTED | settings).table("recoveries")
        )
    assert (found[0]["inj_id"] == found[1]["inj_id"]).all()
    return np.mean(np.asarray(found[0]["is_recovered"]) == np.asarray(found[1]["is_recovered"]))


def test_the_page_is_whole_and_has_no_dead_links(finished):
    for step in (PLANT, RECOVER):
        times.write(finished.run / step / "manifest.json")
    page = finished.path("page").read_text()
    links = [link for link in re.findall(r'(?:href|src)="([^"#]+)"', page) if not link.startswith("data:")]
    folder = finished.path("page").parent
    dead = [link for link in links if not link.startswith("http") and not (folder / link).is_file()]
    assert dead == []
    assert {link for link in links if not link.startswith("http")} >= {
        "./field.candidates.ecsv",
        "./field.recoveries.ecsv",
    }
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert [anchor for anchor in re.findall(r'href="#([^"]+)"', page) if anchor not in ids] == []


def test_the_report_keeps_its_schema(finished, project):
    schema = json.loads((project / "workflow/schemas/recovery_report.schema.json").read_bytes())
    jsonschema.validate(finished.report, schema)


def test_curves_are_there_for_simulators_of_surveys(clean):
    text = clean.path("efficiency").read_text()
    assert re.search(r"^rates *=", text, re.M)
    assert re.search(r"^function *=", text, re.M)
    read = configparser.ConfigParser()
    read.read(clean.path("fading"))
    assert read.sections()
    assert Table.read(clean.path("candidates"), format="ascii.ecsv").colnames == list(MOVERS)


def test_every_link_of_the_run_holds_and_nothing_tells_where_it_was(finished, field):
    verify(finished.run)
    here = str(field[1].parent).encode()
    assert [name for name, content in finished.products().items() if here in content] == []


def test_any_workers_and_any_folder_give_the_same_bytes(finished, field, tmp_path):
    """A2."""
    again = make(field[1], tmp_path / "run", workers=3, recover=OPTIONS, **PLANTED)
    ours, theirs = finished.products(), again.products()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


@pytest.mark.parametrize(
    ("changed", "redone"),
    [
        ({}, set()),
        ({"mag_bin": 0.5}, {"field"}),
        ({"match_fwhm": 1.5}, {"recover", "field"}),
    ],
)
def test_what_a_knob_does_not_concern_is_not_done_again(finished, field, tmp_path, changed, redone):
    run = tmp_path / "run"
    for path in (path for path in finished.run.rglob("*") if path.is_file()):
        (run / path.relative_to(finished.run)).parent.mkdir(parents=True, exist_ok=True)
        (run / path.relative_to(finished.run)).write_bytes(path.read_bytes())
    again = make(field[1], run, recover=OPTIONS | changed, **PLANTED)
    assert {name.split("_")[0] for name, reused in again.reused.items() if not reused} == redone


def test_without_planted_sources_there_is_still_a_search(field, tmp_path):
    made = make(field[1], tmp_path / "run", n=0, recover=OPTIONS | {"nulls": ()})
    assert len(made.table("candidates")) >= 3
    assert made.path("page").is_file()
    assert len(made.table("recoveries")) == 0


def test_a_store_of_registered_images_is_searched_like_the_images(field, finished, tmp_path):
    out = tmp_path / "r.zarr.zip"
    done = CliRunner().invoke(cli, ["inject", "stack", "--images", str(field[1]), "--out", str(out), "--registered"])
    assert done.exit_code == 0, done.output
    made = make(out, tmp_path / "run", n=0, recover=OPTIONS | {"nulls": ("negative",)})
    store = stack_store.open_store(out)
    assert store.attributes["registered"]["x0"] <= 0
    found = made.table("candidates")
    for row in field[0].truth:
        apart = np.hypot(found["ra_deg"] - row["ra_deg"], found["dec_deg"] - row["dec_deg"]) * 3600
        assert apart.min() < 1


def test_the_object_of_kbmod_is_the_best_candidate(shared_data, tmp_path):
    made = make(shared_data / "kbmod-small", tmp_path / "run", n=0, recover={"nulls": ()},
                planes={"science": 1, "mask": 2, "variance": 3})  # fmt: skip
    found = made.table("candidates")
    best = found[~np.asarray(found["is_vetted_out"], bool)][0]
    assert (best["x_px"], best["y_px"]) == pytest.approx((11, 26), abs=1)
    assert (best["vx_px_day"], best["vy_px_day"]) == pytest.approx((16, 4), abs=1)
    assert best["cand_id"] == 1


@pytest.mark.soak
def test_half_are_found_where_half_are_said_to_be(clean, tmp_path):
    """A18: the magnitude at which half are found is known to 0.03 mag."""
    made = make(clean.path("stack"), tmp_path / "run", recover=OPTIONS | {"nulls": ()}, **PLANTED | {"n": 3000})
    planted, bins = made.table("recoveries"), made.report["by_snr"]["bins"]
    middle = np.array([(each["lower"] + each["upper"]) / 2 for each in bins])
    snr_50 = np.interp(0.5, [each["predicted"] for each in bins], middle)
    # of the same images: magnitude and signal to noise differ by a constant
    offset = np.median(np.asarray(planted["mag"]) + 2.5 * np.log10(np.asarray(planted["snr_stack"])))
    (fit, *_) = made.report["curve"]["fits"]
    assert fit["m50_mag"] == pytest.approx(offset - 2.5 * np.log10(snr_50), abs=0.03)
