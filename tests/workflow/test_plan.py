"""What runs, and what runs again."""

import pytest
from tests.workflow.conftest import Workshop

from lostlight.core import config
from lostlight.core.declared import declared
from lostlight.vocab.steps import FRAMES, MOVERS, PLANT, SURVEY, TWIN_STEPS, WHOLE, rule

N_SHARDS = 2
END = {"deliver": 1, "all": 1}


def rules_of(step_id):
    """The rules that carry a step out, each with its jobs; those of the planted twin are apart."""
    if step_id == PLANT:
        return {"plant": N_SHARDS, "planted01": 1}
    if step_id in WHOLE:
        return {rule(step_id): 1}
    return {f"{rule(step_id)}_shard": N_SHARDS, rule(step_id): 1}


def planted(step_id):
    return {f"{rule(step_id)}_shard": N_SHARDS, rule(step_id).replace("step", "planted"): 1}


def ancestors(step_id):
    found = {step_id}
    for parent in declared(step_id).get("after", ()):
        found |= ancestors(parent)
    return found


def jobs(steps, twins=()):
    """Jobs for some steps, and for some steps of the twin."""
    counts = {}
    for part in [rules_of(step_id) for step_id in steps] + [planted(step_id) for step_id in twins]:
        for name, n in part.items():
            counts[name] = counts.get(name, 0) + n
    return counts


def everything_after(first):
    """Jobs that an edit of the section of step `first` must cause."""
    run = {s for s in SURVEY if s not in WHOLE and first in ancestors(s)} if first != PLANT else set()
    plant_again = first == PLANT or bool(run & set(declared(PLANT)["after"]))
    twin = set(TWIN_STEPS[1:]) if plant_again else {s for s in TWIN_STEPS[1:] if first in ancestors(s)}
    counts = jobs([*run, *([PLANT] if plant_again else [])], twin)
    return counts | {"step09": 1, "step10": 1, **END}


def test_a_fresh_run_plans_every_step_and_its_twin(workshop):
    expected = jobs([*SURVEY, *FRAMES, *MOVERS, PLANT], TWIN_STEPS[1:])
    assert workshop.plan() == expected | END


def test_without_artificial_stars_there_is_no_twin(workshop):
    assert workshop.plan(completeness={"n_per_tile": 0}) == jobs([*SURVEY, *FRAMES, *MOVERS]) | END


def test_until_plans_the_step_and_all_it_needs(workshop):
    expected = jobs(sorted(ancestors("05_measure")))
    assert workshop.plan("--until", "step05") == expected == workshop.plan("step05")


def test_one_shard_is_one_job_per_step(workshop):
    plan = workshop.plan(run={"shards": 1}, completeness={"n_per_tile": 0})
    assert set(plan.values()) == {1}


def test_lint_finds_nothing(workshop):
    assert "good condition" in workshop.snakemake("--lint")


def test_every_rule_says_what_it_does(workshop):
    said = workshop.snakemake("--list-rules").splitlines()
    undocumented = [
        line for line, below in zip(said, [*said[1:], ""], strict=True)
        if line.endswith("_shard") and not below.startswith(" ")
    ]  # fmt: skip
    assert sum(line.strip().startswith("step") for line in said) >= 19
    assert not undocumented


def test_the_picture_of_the_rules_shows_every_step(workshop):
    picture = workshop.snakemake("--rulegraph", "mermaid-js")
    for step_id in (*SURVEY, *FRAMES, *MOVERS):
        assert rule(step_id) in picture


def test_a_mistyped_key_names_the_nearest_and_stops(workshop):
    said = workshop.snakemake("--dry-run", detect={"treshold_sigma": 4}, status=1)
    assert "did you mean 'threshold_sigma'" in said


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("--dry-run")


@pytest.mark.parametrize(
    ("step_id", "edit"),
    [
        ("03_detect", {"detect": {"threshold_sigma": 4.5}}),
        ("06_reference", {"reference": {"margin_arcmin": 2}}),
        ("08_filter", {"filter": {"gates": "mnras2022"}}),
        (PLANT, {"completeness": {"n_per_tile": 6}}),
    ],
)
def test_editing_a_key_runs_its_step_and_what_follows(finished, step_id, edit):
    assert finished.plan(**edit) == everything_after(step_id)


def test_editing_the_summary_runs_the_summary_and_the_archive(finished):
    assert finished.plan(summary={"title": "Another"}) == {"step09": 1, "step10": 1} | END


def test_editing_the_running_policy_runs_nothing(finished):
    policy = {"workers": 1, "fail_fast": True, "max_failed_fraction": 0.1, "shards": 2}
    policy |= {"memory_mb": 4000, "backend": "numpy", "device": "auto"}
    assert "Nothing to be done" in finished.snakemake("--dry-run", run=policy)


def test_jobs_get_the_running_policy_and_their_own_section_only(finished):
    said = (finished.folder / "data/runs/demo/03_detect/shards/1-of-2.json").read_text()
    assert '"threshold_sigma"' in said
    assert "fail_fast" not in said
    assert '"gates"' not in said


@pytest.mark.parametrize("preset", ["demo", "smoke", "dss1_red", "mnras2022", "frames", "sds", "grid", "injection"])
def test_every_preset_can_be_planned(workshop, preset):
    overlay = config.read_yaml(workshop.folder / "config" / "presets" / f"{preset}.yaml")
    plan = workshop.plan(**overlay)
    assert plan["deliver"] == plan["step10"] == 1
    assert plan["step01_shard"] == overlay.get("run", {}).get("shards", 2)


def test_editing_an_own_table_of_positions_makes_the_tiles_again(own_workshop):
    table = own_workshop.folder / "mine.csv"
    table.write_text("ra_deg,dec_deg\n150,20\n")
    tiles = {"positions": [], "positions_csv": "mine.csv"}
    own_workshop.snakemake("step00", tiles=tiles)
    assert "Nothing to be done" in own_workshop.snakemake("step00", "--dry-run", tiles=tiles)
    table.write_text("ra_deg,dec_deg\n150,21\n")
    assert own_workshop.plan("step00", tiles=tiles) == {"step00": 1}


def test_without_own_frames_there_is_nothing_to_calibrate(workshop):
    plan = workshop.plan(calibrate={"frames": ""}, inject={"images": ""}, completeness={"n_per_tile": 0})
    assert plan == jobs(SURVEY) | END


def test_calibration_needs_no_other_step(workshop):
    assert workshop.plan("--until", "step11") == workshop.plan("step11") == {"step11": 1}


def test_editing_how_frames_are_calibrated_runs_what_tells_of_it(finished):
    edit = {"calibrate": {"dark": {"combine": "median"}}}
    assert finished.plan(**edit) == {"step11": 1, "step12": 1, "step09": 1, "step10": 1} | END


def test_editing_how_frames_are_joined_runs_what_tells_of_it(finished):
    assert finished.plan(mosaic={"warp": {"kernel": "lanczos3"}}) == {"step12": 1, "step09": 1, "step10": 1} | END


def test_a_mosaic_needs_calibrated_frames_and_makes_them_of_raw_ones(workshop):
    assert workshop.plan("--until", "step12") == workshop.plan("step12") == {"step11": 1, "step12": 1}
    ready = {"calibrate": {"frames": ""}, "mosaic": {"frames": "tiles:20"}}
    assert workshop.plan("--until", "step12", **ready) == {"step12": 1}
    plan = workshop.plan(completeness={"n_per_tile": 0}, **ready)
    assert plan == jobs([*SURVEY, "12_mosaic", *MOVERS]) | END


def test_calibrated_frames_of_ones_own_are_joined_in_the_place_of_lights(workshop):
    """Raw frames are calibrated beside them where both are named, and wait for nothing."""
    assert workshop.plan("step12", mosaic={"frames": "tiles:20"}) == {"step12": 1}


def gpus_asked_for(said):
    """What each planned job asks for."""
    return [word for line in said.splitlines() if "resources:" in line for word in line.split() if "gpu=" in word]


def test_the_profile_of_a_gpu_makes_use_of_it(workshop):
    ready = {"calibrate": {"frames": ""}, "mosaic": {"frames": "tiles:20"}}
    said = workshop.snakemake("step12", "--dry-run", "--workflow-profile", "workflow/profiles/gpu", **ready)
    assert gpus_asked_for(said) == ["gpu=1"]


@pytest.mark.parametrize(("device", "n_gpus"), [("cpu", 0), ("auto", 1), ("gpu", 1)])
def test_a_mosaic_asks_for_a_gpu_where_it_may_use_one(workshop, device, n_gpus):
    ready = {"calibrate": {"frames": ""}, "mosaic": {"frames": "tiles:20"}, "run": {"device": device}}
    said = workshop.snakemake("step12", "--dry-run", **ready)
    assert gpus_asked_for(said) == [f"gpu={n_gpus}"]


def test_moving_sources_need_no_other_step(workshop):
    assert workshop.plan("--until", "step14") == workshop.plan("step14") == {"step13": 1, "step14": 1}


def test_sources_are_planted_in_lights_once_these_are_placed(workshop):
    both = {"step11": 1, "step12": 1, "step13": 1}
    assert workshop.plan("step13", inject={"images": "lights"}) == both
    ready = {"calibrate": {"frames": ""}, "mosaic": {"frames": "tiles:20"}, "inject": {"images": "lights"}}
    assert workshop.plan("step13", **ready) == {"step12": 1, "step13": 1}


def test_editing_how_sources_are_searched_runs_what_tells_of_it(finished):
    assert finished.plan(recover={"threshold": 7}) == {"step14": 1, "step09": 1, "step10": 1} | END
    assert finished.plan(inject={"n": 7}) == {"step13": 1, "step14": 1, "step09": 1, "step10": 1} | END


@pytest.mark.parametrize("step", ["step13", "step14"])
def test_moving_sources_ask_for_a_gpu_where_they_may_use_one(workshop, step):
    said = workshop.snakemake(step, "--dry-run", "--workflow-profile", "workflow/profiles/gpu")
    assert set(gpus_asked_for(said)) == {"gpu=1"}
    assert set(gpus_asked_for(workshop.snakemake(step, "--dry-run"))) == {"gpu=0"}


class OwnFrames:
    """A survey of own raw frames in a folder, where everything has run."""

    def __init__(self, workshop):
        self.workshop = workshop
        self.light = workshop.folder / "my night" / "R" / "light (1).fits"
        self.light.parent.mkdir(parents=True)
        for name in (self.light.name, "dark.fits", "{of} another program.fits"):
            (self.light.parent / name).write_text("photons")
        self.settings = {"calibrate": {"frames": "my night"}, "download": {"source": "frames", "survey": "any"}}
        self.settings |= {"tiles": {"mode": "frames"}, "completeness": {"n_per_tile": 0}, "inject": {"images": ""}}
        workshop.snakemake(**self.settings)

    def plan(self, *arguments, **overlay):
        return self.workshop.plan(*arguments, **config.merge(self.settings, overlay))


@pytest.fixture(scope="module")
def own_frames(project, tmp_path_factory):
    return OwnFrames(Workshop(project, tmp_path_factory.mktemp("own frames")))


def test_how_the_machine_is_used_calibrates_nothing_again(own_frames):
    assert (
        own_frames.plan(run={"shards": 2, "memory_mb": 4000, "backend": "numpy", "workers": 1, "device": "auto"}) == {}
    )


def test_a_frame_more_is_calibrated_and_searched_too(own_frames):
    another = own_frames.light.with_name("another.fits")
    another.write_text("photons")
    assert own_frames.plan() == jobs([*FRAMES, *SURVEY]) | END
    another.unlink()


def test_an_edited_frame_is_calibrated_and_searched_again(own_frames):
    own_frames.light.write_text("other photons")
    assert own_frames.plan() == jobs([*FRAMES, *SURVEY]) | END


def test_an_edited_plan_is_carried_out(own_frames):
    """The plan is a file of the user's own like any other."""
    (own_frames.workshop.folder / "plan.csv").write_text("mine")
    assert own_frames.plan("step11", calibrate={"plan": "plan.csv"}) == {"step11": 1}


@pytest.fixture(scope="module")
def own_mosaic(project, tmp_path_factory):
    """A survey of the mosaic of calibrated frames in a folder, where everything has run."""
    workshop = Workshop(project, tmp_path_factory.mktemp("own mosaic"))
    light = workshop.folder / "my fields" / "light.fits"
    light.parent.mkdir()
    light.write_text("photons")
    settings = {"calibrate": {"frames": ""}, "mosaic": {"frames": "my fields", "mode": "sds"}}
    settings |= {"download": {"source": "mosaic", "survey": "any"}, "completeness": {"n_per_tile": 0}}
    settings |= {"inject": {"images": ""}}
    workshop.snakemake(**settings)
    return workshop, light, settings


def test_an_edited_plan_of_lots_is_carried_out_and_the_result_searched(own_mosaic):
    workshop, _, settings = own_mosaic
    assert workshop.plan(**settings) == {}
    (workshop.folder / "lots.csv").write_text("mine")
    plan = config.merge(settings, {"mosaic": {"plan": "lots.csv"}})
    assert workshop.plan("step12", **plan) == {"step12": 1}
    assert workshop.plan(**plan) == jobs(["12_mosaic", *SURVEY]) | END
    assert workshop.plan("step12", "--forcerun", "step12", **settings) == {"step12": 1}


def test_an_edited_frame_is_joined_and_searched_again(own_mosaic):
    workshop, light, settings = own_mosaic
    light.write_text("other photons")
    assert workshop.plan(**settings) == jobs(["12_mosaic", *SURVEY]) | END
