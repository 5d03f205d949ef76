import shutil

import pytest

from lostlight.core import atomic
from lostlight.core.errors import ContractError
from lostlight.core.manifest import load
from lostlight.report.show import show
from lostlight.report.verify import verify


@pytest.fixture
def copy(small_run, tmp_path):
    shutil.copytree(small_run.folder, tmp_path / "small")
    return tmp_path / "small"


def test_a_whole_run_verifies_wherever_it_lies(small_run, copy):
    assert verify(small_run.folder).n_products == verify(copy).n_products == 9 * 2 + 1
    assert str(verify(copy)) == "17 manifests, 19 products and 15 links agree"


@pytest.mark.parametrize("victim", ["08_filter/products/*flags.fits", "planted/01_download/products/*.planted.fits"])
def test_one_altered_bit_is_named(copy, victim):
    path = next(copy.glob(victim))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ContractError, match=f"{path.name} was altered"):
        verify(copy)


def test_a_manifest_written_anew_breaks_the_link_of_the_one_after_it(copy):
    path = copy / "05_measure" / "manifest.json"
    atomic.write_json(path, load(path).model_copy(update={"metrics": {"n_sources": 1}}).dump())
    with pytest.raises(ContractError, match=r"05_measure/manifest\.json was altered.*made from 05_measure"):
        verify(copy)


def test_a_missing_product_is_named(copy):
    next((copy / "01_download/products").glob("*.fits")).unlink()
    with pytest.raises(ContractError, match=r"01_download.*is missing"):
        verify(copy)


def test_a_folder_without_manifests_is_an_error(tmp_path):
    for tell in (verify, show):
        with pytest.raises(ContractError, match="holds no manifest"):
            tell(tmp_path)


def test_show_tells_failures_with_their_hints_in_ten_lines(small_run):
    lines = show(small_run.folder).splitlines()
    assert lines[0] == "run small: 4 tiles (2 done, 2 failed)"
    assert "01_download: 1 tile WrongSurvey: SURVEY is 'POSSII-F', not POSSI-E → ask for another survey" in lines
    assert lines[-1].startswith("no report yet; the last step with a manifest is 08_filter")
    assert len(lines) <= 10


def test_show_tells_of_a_step_that_did_not_stand(copy):
    (copy / "08_filter" / "manifest.json").rename(copy / "08_filter" / "manifest.failed.json")
    assert "08_filter did not stand" in show(copy)


def test_the_report_of_an_earlier_attempt_is_not_passed_off_as_this_ones(copy):
    (copy / "08_filter" / "manifest.json").rename(copy / "08_filter" / "manifest.failed.json")
    page = copy / "09_summary" / "products" / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.touch()
    said = show(copy)
    assert "08_filter did not stand" in said and "earlier attempt" in said
    assert "report: " not in said and "candidates, " not in said


def test_a_run_that_went_part_of_the_way_has_no_skipped_tiles(copy):
    (copy / "08_filter" / "manifest.json").unlink()
    assert show(copy).splitlines()[0] == "run small: 4 tiles (2 failed, 2 not finished)"
