import re

from lostlight.core.manifest import Manifest
from lostlight.core.params import PipelineConfig
from lostlight.report.citations import CITATIONS, citation
from lostlight.report.gather import Run


def _run(config, **software):
    cites = {
        "01_download": ("dss",),
        "03_detect": ("sextractor", "sep"),
        "06_reference": ("vizier", "usnob", "gaia", "ps1"),
        "07_xmatch": ("stilts",),
        "08_filter": ("mnras2022", "skybot", "vsx"),
    }
    manifests = {
        step: Manifest(
            run_id="r", step=step, step_version=1, status="ok", cites=keys, software=software,
            params=getattr(config, step[3:]).model_dump(mode="json"),
        )
        for step, keys in cites.items()
    }  # fmt: skip
    return Run(manifests, {})


def test_only_what_was_used_is_to_be_cited():
    plain = _run(PipelineConfig(), sep="1.4")
    assert plain.cites == ["dss", "sep", "vizier", "usnob"]
    rich = PipelineConfig.model_validate(
        {"download": {"source": "sky"}, "reference": {"gaia": True}, "filter": {"gates": "mnras2022", "vsx": True}}
    )
    used = _run(rich, **{"source-extractor": "2.25", "stilts": "3.4"}).cites
    assert used == ["sextractor", "vizier", "usnob", "gaia", "stilts", "mnras2022", "vsx"]


def test_every_key_a_step_declares_has_its_citation(project):

    source = "".join(path.read_text() for path in (project / "scripts/lostlight/steps").glob("s*.py"))
    declared = {key for keys in re.findall(r"cites=\(([^)]*)\)", source) for key in re.findall(r'"(\w+)"', keys)}
    assert len(declared) > 8 and declared <= set(CITATIONS)
    assert citation("unheard-of") == "unheard-of"
