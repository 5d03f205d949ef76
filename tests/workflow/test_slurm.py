"""The profile for clusters: it fits the rules, it plans, and a real controller takes its jobs."""

import subprocess
from importlib.util import find_spec

import pytest
import yaml

from lostlight.vocab.steps import SURVEY

PROFILE = "workflow/profiles/slurm"
N_SHARDS = 2
SMALL_NODE = [f"step0{number}_shard=1" for number in (2, 3, 4, 5, 7, 8)]

needs_plugin = pytest.mark.skipif(
    find_spec("snakemake_executor_plugin_slurm") is None,
    reason='the Slurm plugin is not installed (pip install "lostlight[slurm]")',
)


@pytest.fixture
def partition():
    """The default partition of a cluster that answers; skips where none does."""
    command = ["sinfo", "--noheader", "--format", "%P"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the controller of Slurm does not answer")
    defaults = [name for name in said.stdout.split() if name.endswith("*")]
    if said.returncode or not defaults:
        pytest.skip("the controller of Slurm does not answer, or has no default partition")
    return defaults[0].rstrip("*")


def test_every_rule_that_the_profile_names_exists(workshop):
    profile = yaml.safe_load((workshop.folder / PROFILE / "config.yaml").read_text())
    rules = set(workshop.snakemake("--list-rules").split())
    for key in ("set-threads", "set-resources", "groups"):
        assert profile[key].keys() <= rules


@pytest.mark.parametrize("profile", ["local", "gpu", "ci", "slurm"])
def test_jobs_that_talk_to_archives_take_turns(workshop, profile):
    text = (workshop.folder / "workflow/profiles" / profile / "config.yaml").read_text()
    assert yaml.safe_load(text)["resources"]["net"] == 1
    said = workshop.snakemake("step06", "--dry-run")
    jobs = [job for job in said.split("\nrule ") if job.startswith(("step01_shard:", "step06_shard:"))]
    assert len(jobs) == 4
    assert all("net=1" in job for job in jobs)


@needs_plugin
def test_a_cluster_plans_the_same_jobs(workshop):
    assert workshop.plan("--workflow-profile", PROFILE) == workshop.plan()


@needs_plugin
@pytest.mark.needs_slurm
def test_a_real_cluster_takes_the_jobs(own_workshop, partition):
    said = own_workshop.snakemake(
        "step05", "--workflow-profile", PROFILE, "--set-threads", *SMALL_NODE, "plant=1",
        "--default-resources", f"slurm_partition={partition}", "mem_mb=500", "runtime=10",
        "--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "3",
    )  # fmt: skip
    n_jobs = 1 + N_SHARDS + N_SHARDS  # the tiles, the downloads, and steps 02 to 05 of a shard in one
    assert said.count("has been submitted with SLURM jobid") == n_jobs
    assert all((own_workshop.folder / "data/runs/demo" / step / "manifest.json").is_file() for step in SURVEY[:6])
