"""Folding shards: the tolerance is for the step as a whole, and what failed is tried again."""

import pytest

from lostlight.core.errors import ContractError, LostlightError, TooManyFailures
from lostlight.core.fold import fold, write
from lostlight.core.manifest import Failure, Manifest, UnitRecord, load
from lostlight.core.params import RunParams


def shard(folder, name, *units):
    path = folder / "run" / "03_detect" / "shards" / f"{name}.json"
    n_failed = sum(unit.status == "failed" for unit in units)
    counts = {"ok": len(units) - n_failed, "skipped": 0, "failed": n_failed}
    blank = Manifest(run_id="run", step="03_detect", step_version=1, status="ok")
    write(path, blank.model_copy(update={"units": units, "counts": counts}), {})
    return path


def ok(name):
    return UnitRecord(id=name, status="ok")


def failed(name, kind="BadImage", traceback=""):
    return UnitRecord(id=name, status="failed", failure=Failure(type=kind, message="no good", traceback=traceback))


def folded(folder, *shards, tolerance=0.5):
    out = folder / "run" / "03_detect" / "manifest.json"
    return fold("03_detect", shards, out, RunParams(max_failed_fraction=tolerance))


def test_a_shard_of_failures_alone_leaves_a_partial_step(tmp_path):
    first, second = shard(tmp_path, "1-of-2", ok("a"), ok("b")), shard(tmp_path, "2-of-2", failed("c"))
    manifest = folded(tmp_path, first, second)
    assert (manifest.status, manifest.counts) == ("partial", {"ok": 2, "skipped": 0, "failed": 1})
    assert [unit.id for unit in manifest.units] == ["a", "b", "c"]
    assert first.is_file() and second.is_file()


@pytest.mark.parametrize(
    ("bad", "error", "code"),
    [
        (failed("c"), TooManyFailures, 4),
        (failed("c", "RemoteDown"), TooManyFailures, 6),
        (failed("c", "KeyError", "a bug"), LostlightError, 1),
    ],
)
def test_a_step_that_may_not_stand_has_its_failures_tried_again(tmp_path, bad, error, code):
    good, spoilt = shard(tmp_path, "1-of-2", ok("a"), ok("b")), shard(tmp_path, "2-of-2", bad)
    with pytest.raises(error, match="c: ") as caught:
        folded(tmp_path, good, spoilt, tolerance=0.2)
    assert caught.value.exit_code == code
    assert good.is_file() and not spoilt.exists(), "Snakemake would not run the shard again"
    assert load(good.with_name("2-of-2.failed.json")).units == (bad,)
    assert (good.parents[1] / "manifest.failed.json").is_file()
    assert not (good.parents[1] / "manifest.json").exists()


def test_shards_of_another_step_are_refused(tmp_path):
    path = shard(tmp_path, "1-of-1", ok("a"))
    with pytest.raises(ContractError, match="is a manifest of 03_detect, not of 05_measure"):
        fold("05_measure", [path], tmp_path / "run" / "05_measure" / "manifest.json", RunParams())
    assert not (tmp_path / "run" / "05_measure").exists()
