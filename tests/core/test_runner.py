"""The runner's promises, on two toy steps: one that makes numbers and one that doubles them."""

import json
import shutil

import pytest

from lostlight import runner
from lostlight.core import atomic, products
from lostlight.core.errors import (
    BadImage,
    ContractError,
    LostlightError,
    NoWork,
    RemoteDown,
    ToolMissing,
    TooManyFailures,
)
from lostlight.core.fold import fold
from lostlight.core.manifest import load, verify_product
from lostlight.core.params import Params, RunParams
from lostlight.core.step import REGISTRY, Result, Unit, step


class Knobs(Params):
    n: int = 6
    factor: int = 2
    bad: tuple[str, ...] = ()
    how: str = "unit"


TROUBLES = {
    "unit": BadImage("no good", hint="another", file="x"),
    "remote": RemoteDown("silent"),
    "tool": ToolMissing("no such program"),
    "none": NoWork("nothing here"),
    "bug": ZeroDivisionError("oops"),
}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setattr(runner, "find", REGISTRY.__getitem__)
    monkeypatch.setattr(products, "find", REGISTRY.__getitem__)

    @step("00_numbers", makes={"number": "{unit}.txt"}, params=Knobs, version=1,
          plan=lambda _, params: [Unit(f"u{i}", facts={"i": i}) for i in range(params.n)])  # fmt: skip
    def numbers(unit, params, out):
        if unit.id in params.bad:
            out["number"].write_text("half")
            raise TROUBLES[params.how]
        out["number"].write_text(f"{unit.facts['i']} {unit.seed}")
        return Result({"n_made": 1, "value": unit.facts["i"]})

    @step("01_doubles", after=("00_numbers",), needs=("number",), makes={"double": "{unit}.double.txt"}, params=Knobs,
          version=1, prepare=lambda units, params: {u.id: len(units) for u in units}, slice_size=4)  # fmt: skip
    def doubles(unit, params, out):
        out["double"].write_text(str(params.factor * int(unit["number"].read_text().split()[0])))
        assert unit.prepared <= 4
        return Result()

    yield
    del REGISTRY["00_numbers"], REGISTRY["01_doubles"]


def numbers(run, knobs=None, **job):
    out = run / "00_numbers/manifest.json"
    return runner.run(runner.Job("00_numbers", knobs or Knobs(), out, **job))


def doubles(run, knobs=None, **job):
    out = run / "01_doubles/manifest.json"
    upstream = [run / "00_numbers/manifest.json"]
    return runner.run(runner.Job("01_doubles", knobs or Knobs(), out, upstream, **job))


def content(folder):
    hidden = ("timings.json",)
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith(hidden)
    }


def timings(run, step_id="00_numbers"):
    return json.loads((run / step_id / "timings.json").read_text())


def test_one_worker_and_four_give_the_same_bytes(tmp_path):
    for run, workers in (("one/run", 1), ("four/run", 4)):
        numbers(tmp_path / run, workers=workers)
        doubles(tmp_path / run, workers=workers)
    assert content(tmp_path / "one") == content(tmp_path / "four")
    assert (tmp_path / "one/run/01_doubles/products/u3.double.txt").read_text() == "6"


def test_second_run_reuses_everything_and_a_lost_product_is_made_again(tmp_path):
    before = numbers(tmp_path / "run")
    assert numbers(tmp_path / "run").dump() == before.dump()
    assert all(entry["reused"] for entry in timings(tmp_path / "run").values())
    (tmp_path / "run/00_numbers/products/u2.txt").write_text("forged")
    assert numbers(tmp_path / "run").dump() == before.dump()
    assert [name for name, entry in timings(tmp_path / "run").items() if not entry["reused"]] == ["u2"]
    manifest = load(tmp_path / "run/00_numbers/manifest.json")
    for unit in manifest.units:
        verify_product(manifest.folder, unit.outputs["number"], unit.id)


def test_a_changed_parameter_does_everything_again(tmp_path):
    numbers(tmp_path / "run")
    doubles(tmp_path / "run")
    doubles(tmp_path / "run", Knobs(factor=3))
    assert (tmp_path / "run/01_doubles/products/u3.double.txt").read_text() == "9"
    assert not any(entry["reused"] for entry in timings(tmp_path / "run", "01_doubles").values())


def test_a_failed_unit_is_recorded_and_what_follows_skips_it_by_name(tmp_path):
    manifest = numbers(tmp_path / "run", Knobs(bad=("u1",)))
    failed = next(unit for unit in manifest.units if unit.status == "failed")
    assert (failed.failure.type, failed.failure.message, failed.failure.hint) == ("BadImage", "no good", "another")
    assert failed.failure.facts == {"file": "x"}
    assert not (tmp_path / "run/00_numbers/products/u1.txt").exists()
    after = doubles(tmp_path / "run")
    assert after.counts == {"ok": 5, "skipped": 1, "failed": 0}
    assert next(u for u in after.units if u.id == "u1").warnings == ("upstream: 00_numbers failed",)


def test_nothing_to_do_is_no_failure(tmp_path):
    assert numbers(tmp_path / "run", Knobs(bad=("u1",), how="none")).counts == {"ok": 5, "skipped": 1, "failed": 0}


@pytest.mark.parametrize(
    ("how", "bad", "error", "code"),
    [
        ("unit", ("u0", "u1", "u2", "u3"), TooManyFailures, 4),
        ("remote", ("u0", "u1", "u2", "u3"), TooManyFailures, 6),
        ("bug", ("u4",), LostlightError, 1),
        ("tool", ("u4",), ToolMissing, 5),
    ],
)
def test_what_ends_a_step(tmp_path, how, bad, error, code):
    with pytest.raises(error) as caught:
        numbers(tmp_path / "run", Knobs(bad=bad, how=how), workers=2)
    assert caught.value.exit_code == code
    assert not (tmp_path / "run/00_numbers/manifest.json").exists()
    assert how == "tool" or (tmp_path / "run/00_numbers/manifest.failed.json").is_file()


def test_a_bug_keeps_its_traceback_without_paths(tmp_path):
    with pytest.raises(LostlightError):
        numbers(tmp_path / "run", Knobs(bad=("u4",), how="bug"))
    record = json.loads((tmp_path / "run/00_numbers/units/u4.json").read_text())
    assert "ZeroDivisionError: oops" in record["failure"]["traceback"]
    assert "test_runner.py" in record["failure"]["traceback"]
    assert str(tmp_path.parent) not in record["failure"]["traceback"]


def test_fail_fast_stops_at_the_first_failure(tmp_path):
    with pytest.raises(TooManyFailures):
        numbers(tmp_path / "run", Knobs(bad=("u1",)), policy=RunParams(fail_fast=True))
    assert not (tmp_path / "run/00_numbers/units/u3.json").exists()


def test_shards_fold_to_the_manifest_of_the_whole(tmp_path):
    whole = numbers(tmp_path / "a/run")
    folder = tmp_path / "b/run/00_numbers"
    paths = [folder / f"shards/{i}-of-4.json" for i in range(1, 5)]
    for i, path in enumerate(paths, start=1):
        runner.run(runner.Job("00_numbers", Knobs(), path, shard=(i, 4)))
    assert fold("00_numbers", paths, folder / "manifest.json", RunParams()).dump() == whole.dump()
    assert set(timings(tmp_path / "b/run")) == {f"u{i}" for i in range(6)}


def test_an_altered_input_is_named_with_both_hashes(tmp_path):
    numbers(tmp_path / "run")
    product = tmp_path / "run/00_numbers/products/u2.txt"
    stated = atomic.sha256_file(product)
    product.write_text("forged")
    with pytest.raises(ContractError, match=r"u2\.txt was altered") as caught:
        doubles(tmp_path / "run")
    assert stated[:16] in str(caught.value)


@pytest.mark.parametrize("damage", ["gone", "foreign", "schema", "broken", "metric"])
def test_a_bad_manifest_is_a_contract_error_that_names_it(tmp_path, damage):
    numbers(tmp_path / "run")
    path = tmp_path / "run/00_numbers/manifest.json"
    text = path.read_text()
    if damage == "gone":
        path.unlink()
    elif damage == "foreign":
        doubles(tmp_path / "run")
        shutil.copy(tmp_path / "run/01_doubles/manifest.json", path)
    elif damage == "metric":
        path.write_text(text.replace('"value": 3', '"value": 4'))
    elif damage == "schema":
        path.write_text(text.replace("manifest/1", "manifest/9"))
    else:
        path.write_text(text[:200])
    with pytest.raises(ContractError, match="manifest"):
        doubles(tmp_path / "run")


def test_a_run_folder_can_be_moved(tmp_path):
    numbers(tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    assert doubles(tmp_path / "elsewhere").counts["ok"] == 6


def test_a_step_that_is_given_nothing_to_read_says_so(tmp_path):
    with pytest.raises(ContractError, match="01_doubles reads 00_numbers, and got none"):
        runner.run(runner.Job("01_doubles", Knobs(), tmp_path / "run" / "01_doubles" / "manifest.json"))
    assert not (tmp_path / "run").exists()
