"""What is made from the code is fresh, and the configuration that comes with it is whole."""

import subprocess
import sys

import pytest
import yaml

from lostlight.core import config
from lostlight.core.params import PipelineConfig


@pytest.mark.parametrize("generator", ["gen_docs.py", "gen_schemas.py"])
def test_generated_files_are_fresh(project, generator):
    done = subprocess.run(
        [sys.executable, project / "scripts" / "dev" / generator, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_file_is_noticed(project, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(project / "scripts" / "dev")
    import gen_docs

    stale = tmp_path / "stale.md"
    stale.write_text("old")
    monkeypatch.setattr(gen_docs, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gen_docs.py", "--check"])
    assert gen_docs.settle({stale: "new"}) == 1
    assert stale.read_text() == "old"


def keys(content, prefix=""):
    for name, value in content.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


def test_every_knob_is_in_the_configuration_file(project):
    written = set(keys(yaml.safe_load((project / "config" / "pipeline.yaml").read_text())))
    known = set(keys(PipelineConfig().model_dump(mode="json")))
    assert known - written == set(), "knobs that config/pipeline.yaml does not show"


def test_every_knob_has_its_sentence_and_a_description(project):
    text = (project / "config" / "pipeline.yaml").read_text()
    for section in PipelineConfig.model_fields.values():
        fields = getattr(section.annotation, "model_fields", {})
        for name, info in fields.items():
            assert info.description, f"{section.annotation.__name__}.{name} has no description"
            said = " ".join(info.description.split())
            assert said in text, f"config/pipeline.yaml does not say what {name} is"


def test_the_first_line_points_editors_to_the_schema(project):
    first = (project / "config" / "pipeline.yaml").read_text().splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (project / "config" / schema).is_file()


def test_every_preset_is_valid_and_changes_something(project):
    base = project / "config" / "pipeline.yaml"
    for preset in sorted((project / "config" / "presets").glob("*.yaml")):
        settings = config.load([base, preset])
        if preset.stem != "demo":
            assert settings != config.load([base])


def test_the_configuration_comes_as_the_demo_and_else_as_the_defaults(project):
    demo = project / "config" / "presets" / "demo.yaml"
    assert config.load([project / "config" / "pipeline.yaml"]) == config.load([demo])


def test_the_environment_for_a_gpu_is_the_usual_one_with_cupy(project):
    usual, gpu = (
        yaml.safe_load((project / "envs" / f"{name}.yaml").read_text())["dependencies"] for name in ("pipeline", "gpu")
    )
    assert [package.split()[0] for package in gpu if package not in usual] == ["cuda-version", "cupy"]
    assert set(usual) <= set(gpu)
