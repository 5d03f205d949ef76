"""A survey that has also searched a stack for what moves: where the report, the archive and `show` tell of it."""

import json
import re
import shutil
import zipfile

import pytest
from tests.small_run import SmallRun

from lostlight import chain, runner
from lostlight.core import config
from lostlight.core.manifest import load
from lostlight.core.params import PackageParams, SummaryParams
from lostlight.report import recovery, times
from lostlight.report.gather import Run
from lostlight.report.show import MAX_PAGES, show
from lostlight.report.verify import verify
from lostlight.vocab.steps import MOVERS

SMALL = {
    "inject": {"images": "movers:7", "n": 6, "n_images": 5},
    "recover": {"nulls": [], "grid": {"high": 3}},
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Five simulated images, six planted sources: steps 13 and 14 alone."""
    folder = tmp_path_factory.mktemp("runs") / "moving"
    list(chain.walk(config.check(SMALL), folder, steps=MOVERS))
    return folder


@pytest.fixture(scope="module")
def told(searched, tmp_path_factory):
    """The same beside a survey, told and packed."""
    run = SmallRun(tmp_path_factory.mktemp("runs") / "small")
    for step_id in MOVERS:
        shutil.copytree(searched / step_id, run.folder / step_id)
    paths = [*run.manifests.values(), *(run.folder / step_id / "manifest.json" for step_id in MOVERS)]
    for step_id, params in (("09_summary", SummaryParams()), ("10_package", PackageParams())):
        out = run.folder / step_id / "manifest.json"
        runner.run(runner.Job(step_id=step_id, params=params, out=out, upstream=paths))
        paths.append(out)
    return run.folder


@pytest.fixture(scope="module")
def sentence(searched):
    return recovery.sentence(json.loads((searched / "14_recover/products/field.recovery.json").read_bytes()))


def test_show_tells_what_moves_and_names_the_page(searched, sentence):
    first, second = show(searched).splitlines()
    assert first == f"run moving: {sentence}"
    assert second == f"search: {searched / '14_recover/products/field.html'}"
    assert "of 6 planted sources" in first.lower()
    verify(searched)


def test_show_tells_of_tiles_and_of_what_moves(told, sentence):
    lines = show(told).splitlines()
    assert lines[0].startswith("run small: 4 tiles")
    assert lines[1] == sentence
    assert lines[-1].endswith("report.html")


def test_the_report_tells_of_the_search_and_leads_to_its_page(told, sentence):
    products = told / "09_summary" / "products"
    page = (products / "report.html").read_text()
    (link,) = re.findall(rf'Moving sources: {re.escape(sentence)} <a href="([^"]+)">', page)
    assert (products / link).resolve() == (told / "14_recover/products/field.html").resolve()
    assert "Moving sources: " in (products / "summary.md").read_text()


def test_the_archive_holds_what_was_found_and_planted_but_no_pixels(told):
    archive = zipfile.ZipFile(told / "10_package/products/package.zip")
    held = {name.partition("products/")[2] for name in archive.namelist() if name.startswith(("13_", "14_"))}
    assert {"field.html", "field.candidates.ecsv", "field.recoveries.ecsv", "plan_field.truth.ecsv"} <= held
    assert not [name for name in held if name.endswith((".npz", ".zip", ".png"))]
    readme = archive.read("README.txt").decode()
    assert "14_recover/products/*.html" in readme
    assert "13_inject/products/*.truth.ecsv" in readme


def test_warnings_of_images_and_searches_are_not_those_of_tiles(searched, sentence):
    manifest = load(searched / "13_inject" / "manifest.json")
    units = [unit.model_copy(update={"warnings": ["the sky is green"]}) for unit in manifest.units]
    run = Run({"13_inject": manifest.model_copy(update={"units": units})}, {})
    assert not run.warnings
    assert run.searches == {}


def several(searched, folder, n, has_overview):
    """Copy the run as if it had searched the same stack under n names, with a page on all of them."""
    shutil.copytree(searched, folder)
    manifest = load(folder / "14_recover" / "manifest.json")
    (result,) = [unit for unit in manifest.units if unit.id == "field"]
    units = [result.model_copy(update={"id": f"field-{number}"}) for number in range(n)]
    overview = result.model_copy(update={"id": "all_stacks", "outputs": {"page": result.outputs["page"]}})
    made = manifest.model_copy(update={"units": (*units, *[overview] * has_overview)})
    (folder / "14_recover" / "manifest.json").write_text(json.dumps(made.dump()))
    return folder


@pytest.mark.parametrize(("n", "n_lines"), [(2, 3), (MAX_PAGES + 1, 4)])
def test_several_stacks_are_told_by_name_and_many_in_few_lines(searched, tmp_path, sentence, n, n_lines):
    folder = several(searched, tmp_path / "many", n, has_overview=False)
    lines = show(folder).splitlines()
    assert len(lines) == n_lines
    assert lines[0] == f"run moving: field-0: {sentence}"
    assert lines[1] == f"field-1: {sentence}"
    if n > MAX_PAGES:
        assert lines[2] == f"and {n - 2} other stacks"
        assert lines[3] == f"search: {n} pages in {folder / '14_recover/products'}"


def test_of_several_stacks_the_page_on_all_is_named(searched, told, tmp_path):
    folder = several(searched, tmp_path / "many", 3, has_overview=True)
    assert show(folder).splitlines()[-1] == f"search: {folder / '14_recover/products/field.html'}"
    run = shutil.copytree(told, tmp_path / "small")
    shutil.copytree(folder / "14_recover", run / "14_recover", dirs_exist_ok=True)
    manifests = {path.parent.name: load(path) for path in run.glob("[01]*/manifest.json")}
    assert [page.name for page in Run(manifests, {}).search_pages] == ["field.html"]
    retold(run)
    page = (run / "09_summary/products/report.html").read_text()
    assert page.count("14_recover/products/") == 1
    assert "Moving sources: 3 stacks of images were searched. <a " in page


def retold(run):
    """Write the report of a run anew."""
    paths = [path for path in run.glob("**/manifest.json") if path.parent.name not in ("09_summary", "10_package")]
    shutil.rmtree(run / "09_summary")
    job = runner.Job(
        step_id="09_summary", params=SummaryParams(), out=run / "09_summary" / "manifest.json", upstream=paths
    )
    runner.run(job)


def test_a_search_that_fell_speaks_of_units(searched, tmp_path):
    folder = shutil.copytree(searched, tmp_path / "fallen")
    (folder / "14_recover" / "manifest.json").rename(folder / "14_recover" / "manifest.failed.json")
    assert "14_recover did not stand: more units failed" in show(folder)


@pytest.mark.parametrize("step_id", MOVERS)
def test_a_page_tells_how_long_each_unit_took(searched, tmp_path, step_id):
    folder = shutil.copytree(searched / step_id, tmp_path / step_id)
    text = times.write(folder / "manifest.json").read_text()
    assert all(unit.id in text for unit in load(folder / "manifest.json").units)
