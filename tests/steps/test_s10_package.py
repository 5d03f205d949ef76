import hashlib
import shutil
import subprocess
import zipfile

import pytest
from tests.small_run import SmallRun

from lostlight.core import atomic, whole
from lostlight.core.errors import ContractError
from lostlight.core.manifest import Parent, load
from lostlight.core.params import PackageParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import archive
from lostlight.report.verify import verify
from lostlight.steps.s10_package import package


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return SmallRun(tmp_path_factory.mktemp("runs") / "small")


def _package(run, folder, **params):
    folder.mkdir(parents=True, exist_ok=True)
    out = Outputs({"package": folder / "package.zip", "sha256": folder / "package.zip.sha256"})
    manifests = [load(path) for path in run.manifests.values()]
    [unit] = whole.plan(manifests, PackageParams())
    return package(unit, PackageParams(**params), out), out


def test_the_plan_tells_the_twin_from_the_run(run):
    [unit] = whole.plan([load(path) for path in run.manifests.values()], PackageParams())
    assert dict(unit.inputs) == run.manifests
    assert "01_plant@planted" in unit and "08_filter" in unit


def test_a_package_unpacked_is_the_run_and_its_sums_agree(run, tmp_path):
    result, out = _package(run, tmp_path / "a", images=True)
    archive.unpack(out["package"], tmp_path / "out")
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "out", check=True, capture_output=True)
    subprocess.run(["sha256sum", "-c", out["sha256"].name], cwd=tmp_path / "a", check=True, capture_output=True)
    verified = verify(tmp_path / "out")
    assert verified.n_manifests == result.metrics["n_manifests"] == 17
    assert verified.n_products == result.metrics["n_products"]
    for path in run.folder.rglob("*.fits"):
        assert (tmp_path / "out" / path.relative_to(run.folder)).read_bytes() == path.read_bytes()


def test_images_stay_out_unless_asked_for(run, tmp_path):
    _, out = _package(run, tmp_path / "a")
    names = zipfile.ZipFile(out["package"]).namelist()
    assert not [name for name in names if "01_download/products" in name and "planted.fits" not in name]
    assert "planted/08_filter/manifest.json" in names
    assert any(name.endswith(".flags.fits") for name in names)
    assert b"left out" in zipfile.ZipFile(out["package"]).read("README.txt")


def test_the_same_run_elsewhere_gives_the_same_bytes(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "moved" / "small")
    twin = SmallRun(tmp_path / "again" / "small")
    hashes = set()
    for number, folder in enumerate((run.folder, tmp_path / "moved" / "small", twin.folder)):
        run_there = SmallRun.__new__(SmallRun)
        run_there.folder = folder
        _, out = _package(run_there, tmp_path / str(number))
        hashes.add(hashlib.sha256(out["package"].read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_an_altered_product_never_gets_into_a_package(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "small")
    altered = SmallRun.__new__(SmallRun)
    altered.folder = tmp_path / "small"
    victim = next((tmp_path / "small/08_filter/products").glob("*.flags.fits"))
    victim.write_bytes(victim.read_bytes() + b" ")
    with pytest.raises(ContractError, match=victim.name):
        _package(altered, tmp_path / "a")


def test_the_twin_is_found_through_the_manifests_that_read_it(run, tmp_path):
    """The workflow hands over the run's own manifests only; that of the summary leads to the twin's."""
    shutil.copytree(run.folder, tmp_path / "small")
    there = SmallRun.__new__(SmallRun)
    there.folder = tmp_path / "small"
    parents = tuple(
        Parent(step=role, path=path.relative_to(there.folder).as_posix(), sha256=atomic.sha256_file(path))
        for role, path in there.manifests.items()
    )
    filters = load(there.folder / "08_filter/manifest.json")
    summary = filters.model_copy(update={"step": "09_summary", "parents": parents, "units": ()})
    atomic.write_json(there.folder / "09_summary" / "manifest.json", summary.dump())
    inputs = {path.parent.name: path for path in there.folder.glob("0*/manifest.json")}
    out = Outputs({"package": tmp_path / "package.zip", "sha256": tmp_path / "package.zip.sha256"})
    package(Unit("run", inputs), PackageParams(), out)
    assert "planted/08_filter/manifest.json" in zipfile.ZipFile(out["package"]).namelist()


def test_the_package_of_a_whole_run_holds_every_manifest_and_table(tiny_run, tmp_path):
    products = tiny_run / "10_package" / "products"
    subprocess.run(["sha256sum", "-c", "package.zip.sha256"], cwd=products, check=True, capture_output=True)
    archive.unpack(products / "package.zip", tmp_path)
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)
    manifests = {path.relative_to(tiny_run) for path in tiny_run.rglob("manifest.json")}
    packed = {path.relative_to(tmp_path) for path in tmp_path.rglob("manifest.json")}
    assert manifests - packed == {products.parent.relative_to(tiny_run) / "manifest.json"}
    assert (tmp_path / "09_summary/products/report.html").is_file()
    assert not list(tmp_path.rglob("*.clean.fits"))
