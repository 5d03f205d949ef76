"""The whole run as one unit: what a step that gathers everything is given."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lostlight.core.manifest import Manifest, load
from lostlight.core.params import Params
from lostlight.core.step import Unit

TWIN = "@planted"
"""Ending of the role of a manifest that belongs to the planted twin of the run."""


def plan(manifests: Sequence[Manifest], params: Params) -> list[Unit]:
    """Plan one unit named ``run`` whose inputs are the manifests by step: the `plan` of a gathering step."""
    folders = {manifest.folder for manifest in manifests}
    inputs: dict[str, Path] = {}
    for manifest in manifests:
        is_twin = manifest.folder.parent in folders
        inputs[manifest.step + TWIN * is_twin] = manifest.path
    return [Unit("run", inputs=inputs)]


def load_run(inputs: Mapping[str, Path]) -> tuple[dict[str, Manifest], dict[str, Manifest]]:
    """Read the manifests of a run and of its planted twin, each by step; raises ContractError as `load` does."""
    run: dict[str, Manifest] = {}
    twin: dict[str, Manifest] = {}
    for role in sorted(inputs):
        manifest = load(inputs[role])
        (twin if role.endswith(TWIN) else run)[manifest.step] = manifest
    return run, twin
