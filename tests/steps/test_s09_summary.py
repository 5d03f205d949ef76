import csv
import json
import re

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from tests.small_run import GOOD, SmallRun

from lostlight.core import atomic
from lostlight.core.manifest import UnitRecord, load
from lostlight.core.params import SummaryParams
from lostlight.core.step import Outputs, Unit, find
from lostlight.io import tables
from lostlight.report.dashboard import publish
from lostlight.report.show import show
from lostlight.report.verify import verify
from lostlight.steps.s09_summary import summary
from lostlight.vocab import bits, columns


def tell(run, **params):
    """Run the step as the runner does, and give the folder of its products."""
    folder = run.folder / "09_summary" / "products"
    folder.mkdir(parents=True, exist_ok=True)
    out = Outputs({role: folder / name for role, name in find("09_summary").makes.items()})
    return folder, summary(Unit("run", run.manifests), SummaryParams(**params), out)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return tell(SmallRun(tmp_path_factory.mktemp("runs") / "small"))


def test_products_agree_with_each_other_and_with_the_flags(told):
    folder, result = told
    flags = tables.read(folder / "flags.fits")
    assert len(flags) == result.metrics["n_detections"] == 320
    assert tuple(flags.colnames) == columns.FLAGGED
    cuts = bits.filters(*(bit.name for bit in bits.FILTER if bit.name not in bits.LABELS))
    expected = sorted(flags["src_id"][(flags["flags"] & cuts) == 0])
    assert len(expected) == result.metrics["n_candidates"] == 6
    for suffix in ("ecsv", "vot", "parquet"):
        assert sorted(tables.read(folder / f"candidates.{suffix}")["src_id"]) == expected
    rows = list(csv.DictReader((folder / "anomalies_minimal.csv").open()))
    assert list(rows[0]) == [
        "run_id",
        "tile_id",
        "src_id",
        "ra_deg",
        "dec_deg",
        "mag_auto",
        "snr_win",
        "fwhm_px",
        "reason",
    ]
    assert sorted(row["src_id"] for row in rows) == expected
    assert {row["run_id"] for row in rows} == {"small"}
    assert (folder / "candidates.reg").read_text().count("circle(") == 6
    assert np.all(np.diff([float(row["snr_win"]) for row in rows]) <= 0)


def test_flags_are_those_of_the_tiles_with_their_ucds(told):
    folder, _ = told
    per_tile = [tables.read(folder.parents[1] / f"08_filter/products/{tile}.flags.fits") for tile in GOOD]
    flags = tables.read(folder / "flags.fits")
    for name in ("src_id", "ra_deg", "flags", "reason"):
        np.testing.assert_array_equal(flags[name], np.concatenate([np.asarray(table[name]) for table in per_tile]))
    header = astropy_fits.getheader(folder / "flags.fits", 1)
    assert header["TUCD1"] == "meta.id;meta.main" and "DATE" not in header


def test_the_funnel_on_the_page_is_that_of_the_flags(told):
    folder, _ = told
    flags = np.asarray(tables.read(folder / "flags.fits")["flags"])
    page = (folder / "report.html").read_text()
    rows = re.findall(r'<tr><td>([A-Z_]+)</td><td class="n">([\d,]+)</td><td class="n">([\d,]+)</td>', page)
    assert [name for name, *_ in rows] == ["MATCHED", "EXTRACTION", "SNR", "ELONGATION", "LOCUS"]
    left = np.ones(len(flags), bool)
    for name, alone, remaining in rows:
        hit = (flags & bits.filters(name)) != 0
        left &= ~hit
        assert (int(alone), int(remaining)) == (hit.sum(), left.sum())


def test_every_tile_has_its_row_and_its_reason(told):
    folder, _ = told
    rows = {row["tile_id"]: row for row in csv.DictReader((folder / "summary.csv").open())}
    assert len(rows) == 4
    assert rows["tile_RA150.900_DECp20.000"]["failure"] == "WrongSurvey"
    assert rows["tile_RA151.200_DECp20.000"]["stopped_at"] == "04_psf"
    assert rows[GOOD[0]]["outcome"] == "done" and rows[GOOD[0]]["n_detections"] == "160"


def test_every_link_of_the_page_leads_to_a_file_and_every_anchor_to_a_place(told):
    folder, _ = told
    page = (folder / "report.html").read_text()
    (folder.parent / "manifest.json").touch()
    links = {link for link in re.findall(r'href="([^"]+)"', page) if not link.startswith("data:")}
    anchors = {link[1:] for link in links if link.startswith("#")}
    for link in links - {f"#{anchor}" for anchor in anchors}:
        assert (folder / link).is_file(), link
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert {anchor for anchor in anchors if f'<h2 id="{anchor}"' not in page} <= set(ids)
    assert "http://" not in re.sub(r"http://www\.w3\.org/[\w/]+", "", page) and "https://" not in page


def test_the_dashboard_copy_links_into_the_run(told, tmp_path):
    folder, _ = told
    (folder.parent / "manifest.json").touch()
    page = publish(folder, tmp_path / "deep" / "dashboard")
    links = [link for link in re.findall(r'href="([^"]+)"', page.read_text()) if not link.startswith(("#", "data:"))]
    assert len(links) > 20
    for link in links:
        assert (page.parent / link).is_file(), link
    assert (page.parent / "anomalies_minimal.csv").read_bytes() == (folder / "anomalies_minimal.csv").read_bytes()


def test_the_same_run_elsewhere_gives_the_same_bytes(told, tmp_path):
    folder, _ = told
    again, _ = tell(SmallRun(tmp_path / "elsewhere" / "small"))
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert [name for name in names if (folder / name).read_bytes() != (again / name).read_bytes()] == []
    assert str(tmp_path) not in (again / "report.html").read_text()


def test_odd_names_are_escaped_wherever_they_appear(tmp_path):
    evil = '<script>alert("1")</script> | `x` \'"&'
    run = SmallRun(tmp_path / "small", hint=evil, twin=False)
    for path in run.folder.glob("08_filter/products/*.flags.fits"):
        table = tables.read(path)
        table["reason"] = [evil if value == 0 else "cut" for value in table["flags"]]
        tables.write(table, path, columns.FLAGGED)
    folder, _ = tell(run, title=evil)
    page = (folder / "report.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "of 30&lt;/b&gt;" in page
    markdown = (folder / "summary.md").read_text()
    assert "<script" not in re.sub(r"\\<", "", markdown)
    rows = [line for line in markdown.splitlines() if line.startswith("| tile")]
    assert len(rows) == 7 and len({len(re.findall(r"(?<!\\)\|", line)) for line in rows[1:]}) == 1
    assert Table.read(folder / "candidates.ecsv")["reason"][0] == evil


@pytest.mark.parametrize(("n_vanished", "twin"), [(0, True), (2, False)])
def test_the_page_is_whole_without_candidates_and_without_a_twin(tmp_path, n_vanished, twin):
    folder, result = tell(SmallRun(tmp_path / "small", n_vanished=n_vanished, twin=twin))
    page = (folder / "report.html").read_text()
    assert result.metrics["n_candidates"] == 2 * n_vanished
    assert ("No candidates." in page) == (n_vanished == 0)
    assert ("not measured: completeness.n_per_tile is 0" in page) != twin
    assert len(tables.read(folder / "candidates.ecsv")) == 2 * n_vanished
    assert (folder / "recovered.ecsv").exists() == twin


def test_the_number_of_pictures_is_limited_and_the_best_come_first(tmp_path):
    run = SmallRun(tmp_path / "small", twin=False)
    folder, _ = tell(run, max_stamps=2)
    page = (folder / "report.html").read_text()
    best = Table.read(folder / "candidates.ecsv")["src_id"][:2]
    assert re.findall(r'<span class="id">([^<]+)</span></figcaption>', page) == list(best)
    folder, _ = tell(run, max_stamps=0)
    assert "pictures are switched off" in (folder / "report.html").read_text()


def test_a_run_of_which_nothing_came_still_has_its_page(tmp_path):
    run = SmallRun(tmp_path / "small", twin=False)
    for path in run.manifests.values():
        manifest = load(path)
        if manifest.step != "00_tiles":
            broken = [unit for unit in manifest.units if unit.id not in GOOD]
            atomic.write_json(path, manifest.model_copy(update={"units": tuple(broken)}).dump())
    folder, result = tell(run)
    assert result.metrics["n_tiles_done"] == 0 and len(tables.read(folder / "flags.fits")) == 0
    assert "2 of 4 tiles" not in (folder / "report.html").read_text()


def test_the_page_does_not_grow_with_the_number_of_tiles(told, tmp_path):
    """Three thousand tiles, all but two of which failed, make a page hardly larger than four do."""
    run = SmallRun(tmp_path / "small", twin=False)
    failure = load(run.manifests["01_download"]).units[2].failure
    extra = [f"tile_RA{number / 10:07.3f}_DECm05.000" for number in range(3000)]
    for path in run.manifests.values():
        manifest = load(path)
        if manifest.step == "01_download":
            more = tuple(UnitRecord(id=name, status="failed", failure=failure) for name in extra)
        else:
            more = tuple(
                UnitRecord(id=name, status="skipped", warnings=("upstream: 01_download failed",)) for name in extra
            )
        if manifest.step != "00_tiles":
            atomic.write_json(path, manifest.model_copy(update={"units": manifest.units + more}).dump())
    folder, _ = tell(run)
    assert (folder / "report.html").stat().st_size < (told[0] / "report.html").stat().st_size + 300_000


def test_completeness_is_that_of_the_planted_stars(told):
    """The fixture loses planted stars fainter than 12.5 to the SNR cut, and those fainter than 13.5 altogether."""
    folder, result = told
    recovered = tables.read(folder / "recovered.ecsv")
    assert len(recovered) == 160 == result.metrics["n_planted"]
    assert result.metrics["n_recovered"] == np.asarray(recovered["is_recovered"]).sum()
    assert set(np.ma.filled(recovered["lost_at"], "").tolist()) == {"", "SNR", "not_detected"}
    assert abs(result.metrics["m50_mag"] - 12.5) < 0.15
    assert f"{result.metrics['m50_mag']:.2f} ±" in (folder / "summary.md").read_text()


def test_metrics_are_plain_numbers(told):
    assert json.loads(json.dumps(dict(told[1].metrics))) == dict(told[1].metrics)


def test_a_whole_run_is_told_as_it_was(tiny_run):
    """Numbers of the summary against those that the steps before it wrote into their manifests."""
    told_metrics = load(tiny_run / "09_summary" / "manifest.json").metrics
    filtered = load(tiny_run / "08_filter" / "manifest.json").metrics
    assert told_metrics["n_detections"] == filtered["n_detections"] > 50
    assert told_metrics["n_candidates"] <= filtered["n_survivors"]
    assert told_metrics["n_planted"] == load(tiny_run / "planted/01_download/manifest.json").metrics["n_planted"]
    assert verify(tiny_run).n_manifests == 19
    lines = show(tiny_run).splitlines()
    assert len(lines) <= 10 and lines[-1].endswith("report.html")
    assert f"{told_metrics['n_detections']:,} detections" in lines[1]
