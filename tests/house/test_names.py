"""One word in five places: step id, module, rule, section of the configuration, test file."""

import re

import pytest

from lostlight.core.declared import declared
from lostlight.core.params import PipelineConfig
from lostlight.core.step import find
from lostlight.vocab.steps import PLANT, STEPS, rule, word

ALL = (*STEPS, PLANT)


def rules(project):
    """Text of every rule by name."""
    texts = "".join(path.read_text() for path in sorted((project / "workflow" / "rules").glob("*.smk")))
    return {part.split(":", 1)[0]: part for part in re.split(r"^rule ", texts, flags=re.MULTILINE)[1:]}


def rule_of(project, step_id):
    if step_id == PLANT:
        return rules(project)["plant"]
    found = rules(project)
    return found.get(f"{rule(step_id)}_shard") or found[rule(step_id)]


@pytest.mark.parametrize("step_id", ALL)
def test_every_step_has_its_five_places(project, step_id):
    assert find(step_id).id == step_id
    assert (project / "workflow" / "rules" / f"{step_id}.smk").is_file()
    section = "completeness" if step_id == PLANT else word(step_id)
    assert PipelineConfig.model_fields[section].annotation is find(step_id).params
    assert (project / "tests" / "steps" / f"test_s{step_id}.py").is_file()
    text = rule_of(project, step_id)
    assert f"lostlight step {step_id} " in text, "the rule runs another step"
    names = f"(PLANT)|({step_id})" if step_id == PLANT else step_id
    assert re.search(rf'spec=spec\("?({names})"?\)', text), "the rule passes another section of the configuration"
    assert re.search(rf'version=version\("?({names})"?\)', text), "the rule watches another step's version"


def test_no_module_and_no_rule_file_without_a_step(project):
    modules = {path.stem[1:] for path in (project / "scripts" / "lostlight" / "steps").glob("s[0-9]*.py")}
    files = {path.stem for path in (project / "workflow" / "rules").glob("[0-9]*.smk")}
    assert modules == set(ALL) == files


@pytest.mark.parametrize("step_id", ALL)
def test_a_rule_reads_exactly_what_its_step_declares(project, step_id):
    text = rule_of(project, step_id)
    inputs = text.split("output:")[0]
    if step_id in ("09_summary", "10_package"):
        index = STEPS.index(step_id)
        assert f"SURVEY[:{index}]" in inputs
        assert find(step_id).after == STEPS[:index]
    else:
        read = re.findall(r"<run>/(?:\{twin\})?(\d\d_\w+)/", inputs)
        assert sorted(read) == sorted(find(step_id).after)


@pytest.mark.parametrize("step_id", ALL)
def test_the_declaration_can_be_read_without_importing_the_science(step_id):
    step = find(step_id)
    found = declared(step_id)
    assert found["version"] == step.version
    assert tuple(found.get("after", ())) == step.after
