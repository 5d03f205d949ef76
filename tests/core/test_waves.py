"""Units that take products of each other: order, reuse, and what a failure does to those that wait."""

from dataclasses import replace

import pytest

from lostlight import runner
from lostlight.core import products
from lostlight.core.errors import BadImage, ContractError
from lostlight.core.params import Params, RunParams
from lostlight.core.step import REGISTRY, Result, Take, Unit, step

SEEN = []


class Knobs(Params):
    bad: tuple[str, ...] = ()
    loop: bool = False
    stranger: bool = False


def plan(_, knobs):
    """Two leaves, a branch that needs both, and a root that tells of whatever there is."""
    branch = {"left": Take("a", "leaf"), "right": Take("root" if knobs.loop else "b", "leaf")}
    root = {name: Take(name, "leaf", must=False) for name in ("a", "b", "branch")}
    if knobs.stranger:
        root["nobody"] = Take("nobody", "leaf")
    return [Unit("root", takes=root), Unit("branch", takes=branch), Unit("b"), Unit("a")]


@pytest.fixture(autouse=True)
def tree(monkeypatch):
    monkeypatch.setattr(runner, "find", REGISTRY.__getitem__)
    monkeypatch.setattr(products, "find", REGISTRY.__getitem__)
    SEEN.clear()

    @step("00_tree", makes={"leaf": "{unit}.txt"}, params=Knobs, version=1, plan=plan)
    def grow(unit, knobs, out):
        SEEN.append((unit.id, unit.lent))
        if unit.id in knobs.bad:
            raise BadImage("rotten")
        told = [unit[role].read_text() for role in sorted(unit.inputs)] + [
            str(unit.facts[r]) for r in sorted(unit.facts)
        ]
        out["leaf"].write_text(f"{unit.id}({','.join(told)})")
        return Result()

    yield
    del REGISTRY["00_tree"]


def grow(run, **job):
    knobs = job.pop("knobs", Knobs())
    return runner.run(runner.Job("00_tree", knobs, run / "00_tree/manifest.json", **job))


def leaf(run, name):
    return (run / "00_tree/products" / f"{name}.txt").read_text()


def test_every_unit_finds_the_products_of_those_before_it(tmp_path):
    manifest = grow(tmp_path / "run")
    assert leaf(tmp_path / "run", "root") == "root(a(),b(),branch(a(),b()))"
    assert [name for name, _ in SEEN] == ["a", "b", "branch", "root"]
    branch = next(unit for unit in manifest.units if unit.id == "branch")
    assert branch.inputs["left"].path == "00_tree/products/a.txt"


def test_workers_change_nothing_and_share_the_machine(tmp_path):
    one = grow(tmp_path / "run", workers=1)
    assert {lent.threads for _, lent in SEEN} == {1}
    four = grow(tmp_path / "other" / "run", workers=4, policy=RunParams(memory_mb=99))
    assert one.dump() == four.dump()


def test_what_is_done_alone_is_lent_all_cores(tmp_path):
    grow(tmp_path / "run", workers=4, policy=RunParams(memory_mb=99))
    # Units that share a wave run in other processes; those alone run in this one.
    assert {name: (lent.threads, lent.memory_mb) for name, lent in SEEN} == {"branch": (4, 99), "root": (4, 99)}


def test_a_second_run_reuses_all_and_a_lost_leaf_is_grown_again(tmp_path):
    first = grow(tmp_path / "run")
    SEEN.clear()
    grow(tmp_path / "run")
    assert SEEN == []
    (tmp_path / "run/00_tree/products/a.txt").unlink()
    assert grow(tmp_path / "run").dump() == first.dump()
    assert [name for name, _ in SEEN] == ["a"]


def test_a_failure_skips_those_that_need_it_and_is_told_to_those_that_do_not(tmp_path):
    grow(tmp_path / "run")
    manifest = grow(tmp_path / "run", knobs=Knobs(bad=("b",)))
    found = {unit.id: unit for unit in manifest.units}
    assert {name: unit.status for name, unit in found.items()} == {
        "a": "ok", "b": "failed", "branch": "skipped", "root": "ok"
    }  # fmt: skip
    assert found["branch"].warnings == ("needs b: failed: rotten",)
    assert not (tmp_path / "run/00_tree/products/branch.txt").exists(), "a product of another run was left"
    assert leaf(tmp_path / "run", "root") == "root(a(),failed: rotten,skipped: needs b: failed: rotten)"


@pytest.mark.parametrize(("knob", "said"), [("loop", "wait for each other"), ("stranger", "nobody")])
def test_a_plan_that_cannot_be_done_is_refused(tmp_path, knob, said):
    with pytest.raises(ContractError, match=said):
        grow(tmp_path / "run", knobs=Knobs(**{knob: True}))


def test_a_unit_sees_and_follows_only_the_parameters_it_is_concerned_with(tmp_path, monkeypatch):
    units = [Unit("a", concerns=("bad",)), Unit("b")]
    seen = {}

    def run(unit, knobs, out):
        seen[unit.id] = knobs
        out["leaf"].write_text("x")
        return Result()

    monkeypatch.setitem(REGISTRY, "00_tree", replace(REGISTRY["00_tree"], plan=lambda *_: units, run=run))
    grow(tmp_path / "run", knobs=Knobs(loop=True))
    assert seen == {"a": Knobs(), "b": Knobs(loop=True)}
    seen.clear()
    grow(tmp_path / "run", knobs=Knobs())
    assert list(seen) == ["b"], "a parameter that does not concern it makes a unit anew"
    seen.clear()
    grow(tmp_path / "run", knobs=Knobs(bad=("c",)))
    assert list(seen) == ["a", "b"]
