"""The local server, asked by clients that are not ours."""

import socket
from types import SimpleNamespace

import astropy.units as u
import pytest
import requests
from astropy.coordinates import SkyCoord
from astropy.io import ascii as text
from astroquery import imcce
from astroquery.imcce import SkybotClass
from astroquery.vizier import VizierClass
from tests.fakesky import FakeSky

from lostlight.core.errors import ConfigError, LostlightError
from lostlight.sim.faults import KINDS, Fault, parse
from lostlight.sim.server import serve

CENTRE = SkyCoord(150, 20, unit="deg")


class LocalVizier(VizierClass):
    base_url = ""

    def _server_to_url(self, return_type="votable"):
        return f"{self.base_url}/viz-bin/{return_type}"


@pytest.mark.parametrize(("row_limit", "at_most"), [(50, 50), (7, 7), (-1, 10_000)])
def test_astroquery_gets_what_it_asks_for(row_limit, at_most):
    with serve(FakeSky()) as server:
        service = LocalVizier(row_limit=row_limit, columns=["USNO-B1.0", "RAJ2000", "DEJ2000", "R1mag"])
        service.base_url = server.base_url
        (table,) = service.query_region(CENTRE, radius=0.5 * u.deg, catalog="I/284/out", cache=False)
    assert table.colnames == ["USNO-B1.0", "RAJ2000", "DEJ2000", "R1mag"]
    assert len(table) == at_most if row_limit > 0 else 200 < len(table) < at_most


def test_astroquery_boxes_and_filters():
    with serve(FakeSky()) as server:
        service = LocalVizier(row_limit=-1, column_filters={"R1mag": "<12"})
        service.base_url = server.base_url
        (table,) = service.query_region(CENTRE, width=1 * u.deg, catalog="I/284/out", cache=False)
    assert table["R1mag"].max() < 12


def test_astroquery_reads_the_bodies(monkeypatch):
    with serve(FakeSky()) as server:
        url = f"{server.base_url}/webservices/skybot/api/conesearch.php"
        settings = SimpleNamespace(skybot_server=url, timeout=5, field_names=imcce.conf.field_names)
        monkeypatch.setattr("astroquery.imcce.core.conf", settings)
        found = SkybotClass().cone_search(CENTRE, 10 * u.arcmin, 2434000.5, cache=False)
    assert found["Name"][0] == "Vesta"
    assert found["RA"][0].to_value(u.deg) == pytest.approx(150)


def test_tsv_with_the_documented_default_of_fifty_rows():
    with serve(FakeSky()) as server:
        query = {"-source": "I/284/out", "-c": "150.0 +20.0", "-c.r": "40", "-out": "RAJ2000,DEJ2000"}
        answer = requests.get(f"{server.base_url}/viz-bin/asu-tsv", params=query, timeout=5).text
    table = text.read(answer, format="tab", comment="#", data_start=3)
    assert len(table) == 50
    assert answer.endswith("#END#\n")


def test_unknown_paths_and_unreadable_queries():
    with serve(FakeSky()) as server:
        assert requests.get(f"{server.base_url}/nothing", timeout=5).status_code == 404
        page = requests.get(f"{server.base_url}/cgi-bin/dss_search?r=here", timeout=5)
    assert page.status_code == 200
    assert page.text.startswith("<html>")


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LostlightError, match=str(port)), serve(FakeSky(), port=port):
            pass


def test_faults_are_read_from_the_command_line():
    faults = parse(["html200", "busy503:dss:1-2", "capped:vizier=200"])
    assert set(faults.of("dss", 1, 0, 0)) == {"html200", "busy503"}
    assert set(faults.of("dss", 3, 0, 0)) == {"html200"}
    assert faults.of("vizier", 0, 0, 0)["capped"].value == 200
    place = Fault("empty", ra_deg=150, dec_deg=20)
    assert place.strikes("dss", 0, 150.01, 20.01)
    assert not place.strikes("dss", 0, 151, 20)
    for wrong in ("nonsense", "html200:nobody", "html200:dss:x"):
        with pytest.raises(ConfigError):
            parse([wrong])
    assert len(KINDS) >= 18
