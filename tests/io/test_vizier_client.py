"""Catalogue rows over real HTTP: whole or an error, whatever the service does."""

import numpy as np
import pytest
from astropy.coordinates import angular_separation
from tests.fakesky import FakeSky

from lostlight.core.errors import BadCatalogue, RemoteDown, RemoteEmpty, RemoteRefused, RemoteTruncated
from lostlight.io import http, skybot, vizier
from lostlight.io.cells import rows_around
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve

FAST = http.Policy(retries=1, min_interval_s=0, timeout_s=5)
COLUMNS = ("RAJ2000", "DEJ2000", "USNO-B1.0", "R1mag")
WHERE = (150.0, 20.0, 0.2)


def cone(server, *where, **options):
    return vizier.cone("I/284/out", *(where or WHERE), COLUMNS, url=server.base_url, policy=FAST, **options)


def question(server, *where, policy=FAST, **options):
    return vizier.Question(server.base_url, "I/284/out", *(where or WHERE), COLUMNS, {}, policy, **options)


def truth(sky, ra_deg, dec_deg, radius_deg):
    stars = sky.stars
    distance = angular_separation(
        *np.radians([ra_deg, dec_deg]), np.radians(stars["RAJ2000"]), np.radians(stars["DEJ2000"])
    )
    return set(stars["USNO-B1.0"][np.degrees(distance) <= radius_deg])


def test_a_cone_holds_every_row_beyond_fifty(own_cache):
    sky = FakeSky()
    with serve(sky) as server:
        table = cone(server, 150.0, 20.0, 0.5)
    assert set(table["USNO-B1.0"]) == truth(sky, 150.0, 20.0, 0.5)
    assert len(table) > 200


def test_constraints_reach_the_service(own_cache):
    with serve(FakeSky()) as server:
        table = cone(server, 150.0, 20.0, 1.0, filters={"R1mag": "<=12.4"})
    assert 50 < len(table) < 1000
    assert table["R1mag"].max() <= 12.4


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("html200"), RemoteDown),
        (Fault("busy503"), RemoteDown),
        (Fault("refused404"), RemoteRefused),
        (Fault("broken_off"), RemoteTruncated),
        (Fault("fifty_rows"), RemoteTruncated),
        (Fault("capped", value=120), RemoteTruncated),
        (Fault("empty"), RemoteEmpty),
        (Fault("header_only"), RemoteEmpty),
    ],
)
def test_no_fault_gives_a_clean_answer(own_cache, fault, error):
    with serve(FakeSky(), faults=Faults((fault,))) as server:
        with pytest.raises(error):
            cone(server, 150.0, 20.0, 0.5, row_cap=120)
        with pytest.raises(error):
            rows_around(question(server, row_cap=120))
    assert not list(own_cache.rglob("*.parquet"))
    assert not list(own_cache.glob("queries/*/*"))


def test_exactly_fifty_real_rows_are_accepted(own_cache):
    sky = FakeSky()
    stars = sky.stars
    distance = np.degrees(
        angular_separation(*np.radians([150.0, 20.0]), np.radians(stars["RAJ2000"]), np.radians(stars["DEJ2000"]))
    )
    radius_deg = float(np.mean(np.sort(distance)[49:51]))
    with serve(sky) as server:
        table = cone(server, 150.0, 20.0, radius_deg)
    assert truth(sky, 150.0, 20.0, radius_deg) <= set(table["USNO-B1.0"])


def test_an_admitted_overflow_is_an_error():
    document = (
        b'<?xml version="1.0"?><VOTABLE version="1.4"><RESOURCE><INFO name="QUERY_STATUS" value="OVERFLOW"/>'
        b"</RESOURCE></VOTABLE>"
    )
    with pytest.raises(RemoteTruncated, match="OVERFLOW"):
        vizier.parse(document, "a service")
    with pytest.raises(RemoteRefused, match="no such table"):
        vizier.parse(document.replace(b'QUERY_STATUS" value="OVERFLOW', b'Errors" value="no such table'), "a service")
    with pytest.raises(RemoteTruncated, match="breaks off"):
        vizier.parse(document[:-20], "a service")


@pytest.mark.parametrize("kind", ["empty", "header_only"])
def test_empty_is_valid_where_it_may_be(own_cache, kind):
    with serve(FakeSky(), faults=Faults((Fault(kind),))) as server:
        table = cone(server, may_be_empty=True)
        assert (len(table), table.colnames) == (0, list(COLUMNS))
        table = rows_around(question(server), is_everywhere=False)
        assert (len(table), table.colnames) == (0, list(COLUMNS))


def test_sexagesimal_positions_become_degrees(own_cache):
    with serve(FakeSky()) as server:
        plain = cone(server)
    with serve(FakeSky(), faults=Faults((Fault("sexagesimal"),))) as server:
        written = cone(server)
    np.testing.assert_allclose(written["RAJ2000"], plain["RAJ2000"], atol=2e-6)
    np.testing.assert_allclose(written["DEJ2000"], plain["DEJ2000"], atol=2e-6)


@pytest.mark.parametrize("centre", [(150.0, 20.0), (0.05, 41.9), (200.0, 87.5), (10.0, -45.0)])
def test_cells_hold_the_same_rows_as_the_sky(own_cache, centre):
    sky = FakeSky(*centre)
    with serve(sky) as server:
        table = rows_around(question(server, *centre, 0.4))
    names = list(table["USNO-B1.0"])
    assert set(names) == truth(sky, *centre, 0.4)
    assert len(names) == len(set(names))


def test_neighbouring_tiles_share_cells(own_cache):
    with serve(FakeSky()) as server:
        rows_around(question(server, 150.0, 20.0, 0.3))
        n_first = len(server.requests)
        rows_around(question(server, 150.1, 20.05, 0.3))
        assert len(server.requests) - n_first < n_first
        rows_around(question(server, 150.0, 20.0, 0.3))
        n_all = len(server.requests)
        rows_around(question(server, 150.1, 20.05, 0.3, policy=http.Policy(offline=True)))
        assert len(server.requests) == n_all


def test_long_identifiers_survive_beside_empty_cells(own_cache):
    sky = FakeSky()
    sky.stars["USNO-B1.0"] = 2**62 + np.arange(len(sky.stars))
    with serve(sky, faults=Faults((Fault("header_only", last=0),))) as server:
        table = rows_around(question(server, 150.0, 20.0, 0.4), is_everywhere=False)
    assert len(table) > 10
    assert set(table["USNO-B1.0"]) <= truth(sky, 150.0, 20.0, 0.4)


def test_a_cell_with_a_hole_is_refused(own_cache):
    faults = Faults((Fault("half_coverage"),))
    with serve(FakeSky(), faults=faults) as server, pytest.raises(RemoteTruncated, match="no rows in"):
        rows_around(question(server))


def test_a_row_without_position_is_named(own_cache):
    faults = Faults((Fault("nan_coordinates"),))
    with serve(FakeSky(), faults=faults) as server, pytest.raises(BadCatalogue, match="RAJ2000, row"):
        rows_around(question(server))


def test_changed_rows_are_noticed_and_damaged_cells_replaced(own_cache):
    with serve(FakeSky()) as server:
        whole = rows_around(question(server, 150.0, 20.0, 0.05))
        (cell,) = own_cache.rglob("*.parquet")
        content = bytearray(cell.read_bytes())
        content[len(content) // 3] ^= 0xFF
        cell.write_bytes(content)
        again = rows_around(question(server, 150.0, 20.0, 0.05))
        assert len(server.requests) == 2
        assert (again["RAJ2000"] == whole["RAJ2000"]).all()
        server.faults = Faults((Fault("changed"),))
        refresh = http.Policy(min_interval_s=0, refresh=True)
        assert rows_around(question(server, 150.0, 20.0, 0.05, policy=refresh)).meta["is_changed"]
        assert not rows_around(question(server, 150.0, 20.0, 0.05)).meta["is_changed"]


def test_solar_system_bodies(own_cache):
    with serve(FakeSky()) as server:
        table = skybot.cone(150.0, 20.0, 1.0, 2434000.5, url=server.base_url, policy=FAST)
    assert list(table["name"]) == ["Vesta"]
    assert table["ra_deg"][0] == pytest.approx(150.0, abs=1e-6)
    assert table["rate_ra_arcsec_h"][0] == 30
    assert table["rate_dec_arcsec_h"][0] == -12


def test_blank_cells_are_missing_numbers():
    field = '<FIELD ID="{0}" name="{0}" datatype="{1}"/>'
    document = (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        + field.format("R1mag", "float") + field.format("pmRA", "short") + field.format("Source", "long")
        + "<DATA><TABLEDATA><TR><TD/><TD/><TD>4611686018427387905</TD></TR><TR><TD>12.5</TD><TD>-7</TD><TD>2</TD></TR>"
        "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()  # fmt: skip
    table = vizier.parse(document, "a service")
    assert [np.ma.is_masked(value) or np.isnan(value) for value in table["R1mag"]] == [True, False]
    assert [np.ma.is_masked(value) for value in table["pmRA"]] == [True, False]
    assert table["Source"][0] == 4611686018427387905


@pytest.mark.parametrize("kind", ["empty", "header_only"])
def test_no_bodies_is_an_answer_and_a_page_of_apology_is_not(own_cache, kind):
    with serve(FakeSky(), faults=Faults((Fault(kind),))) as server:
        table = skybot.cone(150.0, 20.0, 1.0, 2434000.5, url=server.base_url, policy=FAST)
        assert len(table) == 0
        assert "rate_dec_arcsec_h" in table.colnames
        server.faults = Faults((Fault("html200"),))
        with pytest.raises(RemoteDown):
            skybot.cone(150.0, 20.0, 1.0, 2434001.5, url=server.base_url, policy=FAST)
