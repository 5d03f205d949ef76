"""The promises of a step, held against every step there is."""

import json
import shutil

import pytest
from tests.steps.conftest import products, tiny_config, walk

from lostlight import runner
from lostlight.chain import manifest_path
from lostlight.core import atomic
from lostlight.core import config as configuration
from lostlight.core.errors import ContractError, LostlightError
from lostlight.core.manifest import load
from lostlight.core.params import RunParams
from lostlight.core.step import find
from lostlight.report.verify import verify
from lostlight.sim import local
from lostlight.vocab.steps import PLANT, SURVEY

PER_TILE = SURVEY[2:9]


def test_the_tiny_run_ends_well_and_every_link_holds(tiny_run):
    for path in sorted(tiny_run.rglob("manifest.json")):
        manifest = load(path)
        assert manifest.status == "ok", manifest.step
        assert manifest.counts["ok"] >= 1
    verify(tiny_run)


def test_one_worker_and_four_give_the_same_bytes(tiny_run, tmp_path):
    walk(tmp_path / "run", workers=4)
    one, four = products(tiny_run), products(tmp_path / "run")
    assert sorted(one) == sorted(four)
    assert [name for name in one if one[name] != four[name]] == []


def test_a_second_run_reuses_everything(tiny_copy):
    before = products(tiny_copy)
    walk(tiny_copy)
    assert products(tiny_copy) == before
    for path in tiny_copy.rglob("*timings.json"):
        assert all(entry["reused"] for entry in json.loads(path.read_text()).values()), path


@pytest.mark.parametrize("step_id", PER_TILE)
def test_a_corrupt_input_stops_at_the_door(tiny_copy, step_id):
    step = find(step_id)
    upstream = [manifest_path(tiny_copy, before) for before in step.after]
    unit = next(iter(load(upstream[0]).ok()))
    role = next(role for role in step.needs if role in unit.outputs)
    victim = tiny_copy / unit.outputs[role].path
    victim.write_bytes(victim.read_bytes()[:-2880] + b"\0" * 2880)
    with pytest.raises(ContractError, match=r"was altered"):
        runner.run(_job(step_id, tiny_copy, upstream))


@pytest.mark.parametrize("step_id", PER_TILE)
def test_an_input_that_cannot_be_read_fails_its_tile_alone(tiny_copy, step_id):
    """The manifest vouches for the damaged file, so that the step itself must cope."""
    step = find(step_id)
    upstream = [manifest_path(tiny_copy, before) for before in step.after]
    role = _damage_one(tiny_copy, upstream, step.needs)
    shutil.rmtree(tiny_copy / step_id)
    with local.skies_of(tiny_config().model_dump_json()):
        manifest = runner.run(_job(step_id, tiny_copy, upstream, RunParams(max_failed_fraction=0.5)))
    failed = [unit for unit in manifest.units if unit.failure]
    assert len(failed) == 1, role
    assert failed[0].failure.traceback == "", failed[0].failure.traceback
    assert failed[0].failure.message
    assert manifest.counts["ok"] == 1


@pytest.mark.parametrize("step_id", [*PER_TILE, PLANT])
def test_a_step_makes_what_it_declares_and_nothing_else(tiny_run, step_id):
    manifest = load(manifest_path(tiny_run, step_id, "planted/" if step_id == PLANT else ""))
    step = find(step_id)
    named = {unit.outputs[role].path for unit in manifest.units for role in unit.outputs}
    folder = manifest.path.parent / "products"
    assert {str(path.relative_to(manifest.folder)) for path in folder.iterdir()} == named
    for unit in manifest.ok():
        assert set(step.makes) - step.optional <= set(unit.outputs)
    assert not (manifest.path.parent / ".staging").exists() or not any((manifest.path.parent / ".staging").iterdir())


def test_no_product_knows_where_or_when_it_was_made(tiny_run):
    here = str(tiny_run.parent).encode()
    assert [name for name, content in products(tiny_run).items() if here in content] == []


def _job(step_id, run, upstream, policy=None):
    params = configuration.check_section(find(step_id).params, configuration.section(tiny_config(), step_id), step_id)
    return runner.Job(step_id, params, manifest_path(run, step_id), upstream, policy=policy or RunParams())


def _damage_one(run, upstream, needs):
    """Leave a kilobyte of one needed product of the first tile and make its manifest vouch for what is left."""
    for path in upstream:
        content = json.loads(path.read_text())
        unit = content["units"][0]
        roles = [role for role in needs if role in unit["outputs"]]
        if not roles:
            continue
        product = run / unit["outputs"][roles[0]]["path"]
        product.write_bytes(product.read_bytes()[:1000])
        unit["outputs"][roles[0]]["sha256"] = atomic.sha256_file(product)
        del content["sha256"]
        path.write_text(json.dumps({**content, "sha256": atomic.sha256_json(content)}))
        return roles[0]
    raise LostlightError(f"no upstream manifest makes {needs}")
