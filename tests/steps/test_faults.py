"""A run among faulty services: every tile ends with the right verdict, none ends clean that is not."""

import pytest
from tests.steps.conftest import TINY

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.manifest import load
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve
from lostlight.sim.sky import Sky
from lostlight.vocab.steps import SURVEY

STOPPED = {
    "html200": "BadImage",
    "refused404": "RemoteRefused",
    "broken_off": "RemoteTruncated",
    "empty": "BadImage",
    "truncated": "BadImage",
    "wrong_survey": "WrongSurvey",
    "all_blank": "BadImage",
    "small": "BadImage",
    "no_wcs": "NoWCS",
}
HARMLESS = ("gzip", "date_overflow")
COPED_WITH = ("partial_dss", "blank_wedge")
DENIED = ("capped", "fifty_rows", "header_only", "nan_coordinates", "half_coverage", "html200")
CHAIN = SURVEY[:9]


def tiles(kinds):
    return {kind: (150.0 + 0.3 * number, 20.0) for number, kind in enumerate(kinds)}


def config(base_url, places, **changes):
    service = {"url": base_url, "retries": 1, "backoff": 1.0, "timeout_s": 5, "min_interval_s": 0}
    own = {
        "tiles": {"positions": [{"ra_deg": ra, "dec_deg": dec} for ra, dec in places]},
        "download": service | {"source": "stsci"},
        "masks": {"url": base_url},
        "reference": service | {"bright_margin_arcmin": 2},
        "completeness": {"n_per_tile": 0},
        "filter": {"skybot_url": base_url, "vsx_url": base_url},
    }
    return configuration.check(configuration.merge(configuration.merge(TINY, own), changes))


def walk(sky, faults, places, folder, **changes):
    with serve(sky, faults=faults) as server:
        list(chain.walk(config(server.base_url, places, **changes), folder, steps=CHAIN))
    return {step_id: {unit.id: unit for unit in load(folder / step_id / "manifest.json").units} for step_id in CHAIN}


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))


def name(place):
    return f"tile_RA{place[0]:07.3f}_DECp{place[1]:06.3f}"


def test_every_faulty_image_ends_with_its_reason_and_the_others_go_on(tmp_path):
    where = tiles([*STOPPED, *HARMLESS, *COPED_WITH, "none", "none too"])
    faults = Faults(
        tuple(
            Fault(kind, service="dss", ra_deg=ra, dec_deg=dec)
            for kind, (ra, dec) in where.items()
            if not kind.startswith("none")
        )
    )
    steps = walk(Sky(20), faults, where.values(), tmp_path / "run", run={"max_failed_fraction": 0.9})
    for kind, error in STOPPED.items():
        unit = steps["01_download"][name(where[kind])]
        assert unit.failure and unit.failure.type == error, (kind, unit.failure)
        assert unit.failure.hint and not unit.failure.traceback
        assert all(steps[step_id][unit.id].status == "skipped" for step_id in CHAIN[2:])
    for kind in (*HARMLESS, "none", "none too"):
        assert steps["08_filter"][name(where[kind])].status == "ok", kind
    for kind in COPED_WITH:
        unit = next(
            steps[s][name(where[kind])] for s in reversed(CHAIN) if steps[s][name(where[kind])].status != "skipped"
        )
        assert not (unit.failure and unit.failure.traceback), unit.failure
    wedge = steps["02_masks"][name(where["blank_wedge"])]
    assert wedge.failure or wedge.metrics["masked_blank"] > 0.01


def test_harmless_faults_change_no_measurement(tmp_path):
    where = tiles(HARMLESS)
    faults = Faults(tuple(Fault(kind, service="dss", ra_deg=ra, dec_deg=dec) for kind, (ra, dec) in where.items()))
    struck = walk(Sky(20), faults, where.values(), tmp_path / "struck/run")
    (tmp_path / "cache").rename(tmp_path / "former cache")
    spared = walk(Sky(20), None, where.values(), tmp_path / "spared/run")
    same = name(where["gzip"])
    assert struck["08_filter"][same].outputs["flags"].sha256 == spared["08_filter"][same].outputs["flags"].sha256


@pytest.mark.parametrize("kind", DENIED)
def test_a_catalogue_that_is_not_whole_fails_the_tile(tmp_path, kind):
    where = [(150.0, 20.0), (150.3, 20.0)]
    value = 100 if kind == "capped" else 0
    faults = Faults((Fault(kind, service="vizier", value=value),))
    steps = {}
    with serve(Sky(20), faults=faults) as server:
        settings = config(server.base_url, where, reference={"row_cap": 100 if kind == "capped" else 2_000_000})
        manifests = chain.walk(settings, tmp_path / "run", steps=CHAIN)
        with pytest.raises(Exception, match="06_reference: 2 of 2 units failed"):
            steps |= {manifest.step: manifest for manifest in manifests}
    assert "07_xmatch" not in steps
    failed = load(tmp_path / "run/06_reference/manifest.failed.json")
    assert all(unit.failure and unit.failure.hint and not unit.failure.traceback for unit in failed.units)
