"""A run over several tiles while archive and catalogue service misbehave: each tile gets its own verdict."""

import pytest
import stamina
from tests.fakesky import FakeSky

from lostlight import runner
from lostlight.core.errors import RemoteTruncated, TooManyFailures
from lostlight.core.manifest import load
from lostlight.core.params import DownloadParams, Position, ReferenceParams, RunParams, TilesParams
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve

VERDICTS = {
    149.0: ("truncated", "BadImage"),
    149.3: ("wrong_survey", "WrongSurvey"),
    149.6: ("html200", "BadImage"),
    149.9: (None, None),
    150.2: ("busy503", "RemoteDown"),
    150.5: ("no_wcs", "NoWCS"),
    150.8: ("gzip", None),
}


@pytest.fixture(autouse=True)
def _fast(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


def tiles(folder):
    positions = tuple(Position(ra_deg=ra, dec_deg=20.0) for ra in VERDICTS)
    params = TilesParams(mode="single", positions=positions, width_arcmin=6, height_arcmin=5)
    return runner.run(runner.Job("00_tiles", params, folder / "run" / "00_tiles" / "manifest.json"))


def step(folder, step_id, params, upstream, workers=1):
    out = folder / "run" / step_id / "manifest.json"
    return runner.run(
        runner.Job(step_id, params, out, (upstream.path,), workers=workers, policy=RunParams(max_failed_fraction=1))
    )


def outcome(manifest):
    return {unit.id: unit.failure.type if unit.failure else unit.status for unit in manifest.units}


def test_every_tile_gets_its_verdict_and_a_healed_archive_mends_the_rest(tmp_path):
    faults = tuple(Fault(kind, ra_deg=ra, dec_deg=20.0) for ra, (kind, _) in VERDICTS.items() if kind)
    plan = tiles(tmp_path)
    with serve(FakeSky(), faults=Faults(faults)) as server:
        params = DownloadParams(url=server.base_url, min_interval_s=0, retries=1)
        sick = step(tmp_path, "01_download", params, plan, workers=2)
        server.faults = Faults()
        expected = {f"tile_RA{ra:.3f}_DECp20.000": verdict or "ok" for ra, (_, verdict) in VERDICTS.items()}
        assert outcome(sick) == expected
        n_requests = len(server.requests)
        healed = step(tmp_path, "01_download", params, plan, workers=2)
        assert len(server.requests) - n_requests == 5, "only what failed is asked for again"
    assert set(outcome(healed).values()) == {"ok"}


def test_no_tile_is_clean_without_its_catalogue(tmp_path):
    plan = tiles(tmp_path)
    with serve(FakeSky()) as server:
        params = ReferenceParams(url=server.base_url, min_interval_s=0, retries=0)
        images = step(tmp_path, "01_download", DownloadParams(url=server.base_url, min_interval_s=0), plan)
        server.faults = Faults((Fault("fifty_rows", service="vizier"),))
        with pytest.raises(TooManyFailures) as caught:
            step(tmp_path, "06_reference", params, images)
    assert caught.value.exit_code == RemoteTruncated.exit_code
    assert set(outcome(load(tmp_path / "run" / "06_reference" / "manifest.failed.json")).values()) == {
        "RemoteTruncated"
    }
