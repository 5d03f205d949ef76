"""Step 06 against the local server and with own catalogues: whole, at the plate's epoch, or failed."""

import gzip
import shutil

import numpy as np
import pytest
import stamina
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from tests.fakesky import FakeSky

from lostlight.core.errors import BadCatalogue, ConfigError, LostlightError, RemoteEmpty, RemoteTruncated
from lostlight.core.params import OwnCatalogue, ReferenceParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import tables
from lostlight.science.sky.separation import separation_arcsec
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve
from lostlight.steps.s06_reference import reference

NAMES = ("usnob", "gaia", "ps1", "own")
PLATE_YR = 1953.026


@pytest.fixture(autouse=True)
def _fast(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("plate") / "tile.fits"
    data, header = FakeSky().cutout(150.0, 20.0, 10.0, 7.0)
    fits.PrimaryHDU(data, header).writeto(path)
    return path


def run(folder, image, url="", **changes):
    out = Outputs({name: folder / f"{name}.fits" for name in NAMES})
    settings = ReferenceParams(url=url, min_interval_s=0, timeout_s=5, retries=1, **changes)
    result = reference(Unit("tile", {"image": image}), settings, out)
    return {name: tables.read(out[name]) for name in NAMES if out[name].exists()}, result


def own(folder, image, table, name="own.csv", **changes):
    path = folder / name
    table.write(path, overwrite=True)
    return run(folder, image, usnob=False, own=OwnCatalogue(path=str(path), **changes))


def stars(n=40, seed=2):
    rng = np.random.default_rng(seed)
    return Table(
        {"ra": rng.uniform(149.95, 150.05, n), "dec": rng.uniform(19.96, 20.04, n), "mag": rng.uniform(9, 18, n)}
    )


def test_tables_hold_the_tile_and_the_bright_stars_around(tmp_path, image):
    sky = FakeSky()
    with serve(sky) as server:
        found, result = run(tmp_path, image, server.base_url, gaia=True)
    assert set(found) == {"usnob", "gaia"}
    usnob = found["usnob"]
    distance_deg = separation_arcsec(usnob["ra_deg"], usnob["dec_deg"], 150.0, 20.0) / 3600
    reach_deg = result.metrics["radius_deg"]
    assert reach_deg == pytest.approx(np.hypot(10, 7) / 120 + 1 / 60, rel=0.01)
    truth = separation_arcsec(sky.stars["RAJ2000"], sky.stars["DEJ2000"], 150.0, 20.0) / 3600
    bright = sky.stars["R1mag"] <= 12.4
    assert np.sum(distance_deg <= reach_deg) == pytest.approx(np.sum(truth <= reach_deg), abs=1)
    far = distance_deg > reach_deg + 0.01
    assert usnob["mag_ref"][far].max() <= 12.4
    assert np.sum(far) == pytest.approx(np.sum(bright & (truth > reach_deg + 0.01) & (truth < reach_deg + 0.75)), abs=2)
    assert len(set(usnob["ref_id"])) == len(usnob)
    assert result.metrics["n_usnob"] == len(usnob)
    assert result.metrics["n_usnob_first_epoch_only"] > 0


def test_a_gaia_star_of_one_arcsecond_a_year(tmp_path, image):
    sky = FakeSky()
    sky.stars.add_row({"USNO-B1.0": "fast", "RAJ2000": 150.0, "DEJ2000": 20.0, "pmRA": 1000, "pmDE": 0, "R1mag": 15.0})
    with serve(sky) as server:
        found, _ = run(tmp_path, image, server.base_url, gaia=True, usnob=False)
    star = found["gaia"][found["gaia"]["ref_id"] == "fast"][0]
    moved_arcsec = (star["ra_catalog_deg"] - star["ra_deg"]) * 3600 * np.cos(np.radians(20))
    assert moved_arcsec == pytest.approx(2016.0 - PLATE_YR, abs=0.01)
    assert star["has_pm"]


def test_fast_stars_that_left_the_tile_since_are_kept(tmp_path, image):
    sky = FakeSky()
    offset_deg = 0.16
    row = {"USNO-B1.0": "runaway", "RAJ2000": 150.0, "DEJ2000": 20.0 + offset_deg, "R1mag": 15.0}
    sky.stars.add_row({**row, "pmRA": 0, "pmDE": 5000})
    with serve(sky) as server:
        found, _ = run(tmp_path, image, server.base_url)
    star = found["usnob"][found["usnob"]["ref_id"] == "runaway"][0]
    assert star["dec_deg"] < 20.1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("html200"), LostlightError),
        (Fault("busy429"), LostlightError),
        (Fault("broken_off"), RemoteTruncated),
        (Fault("fifty_rows"), RemoteTruncated),
        (Fault("capped", value=150), RemoteTruncated),
        (Fault("empty"), RemoteEmpty),
        (Fault("header_only"), RemoteEmpty),
        (Fault("empty", first=2), RemoteEmpty),
        (Fault("half_coverage", first=2), RemoteTruncated),
        (Fault("half_coverage"), RemoteTruncated),
        (Fault("nan_coordinates"), BadCatalogue),
    ],
)
def test_no_fault_gives_a_clean_tile(tmp_path, image, fault, error):
    with serve(FakeSky(), faults=Faults((fault,))) as server, pytest.raises(error):
        run(tmp_path, image, server.base_url, row_cap=150 if fault.kind == "capped" else 2_000_000)
    assert not (tmp_path / "usnob.fits").exists()


@pytest.mark.parametrize("kind", ["duplicate_rows", "sexagesimal", "sentinel_mags"])
def test_faults_that_can_be_mended_change_nothing(tmp_path, image, kind):
    tidy = []
    for faults in (Faults(), Faults((Fault(kind),))):
        with serve(FakeSky(), faults=faults) as server:
            tidy.append(run(tmp_path, image, server.base_url)[0]["usnob"])
    clean, mended = tidy
    assert list(clean["ref_id"]) == list(mended["ref_id"])
    assert np.max(separation_arcsec(clean["ra_deg"], clean["dec_deg"], mended["ra_deg"], mended["dec_deg"])) < 0.01
    assert list(clean["is_second_epoch"]) == list(mended["is_second_epoch"])


def test_without_magnitudes_nothing_proves_persistence(tmp_path, image):
    with serve(FakeSky(), faults=Faults((Fault("nan_mags"),))) as server:
        found, _ = run(tmp_path, image, server.base_url)
    assert not found["usnob"]["is_second_epoch"].any()


def test_same_bytes_from_the_service_and_from_the_cache(tmp_path, image):
    with serve(FakeSky()) as server:
        run(tmp_path, image, server.base_url, gaia=True)
        first = [(tmp_path / f"{name}.fits").read_bytes() for name in ("usnob", "gaia")]
        n_requests = len(server.requests)
        run(tmp_path, image, server.base_url, gaia=True, offline=True)
        assert len(server.requests) == n_requests
    assert first == [(tmp_path / f"{name}.fits").read_bytes() for name in ("usnob", "gaia")]


def test_pan_starrs_does_not_cover_the_south(tmp_path):
    data, header = FakeSky(150.0, -60.0).cutout(150.0, -60.0, 5.0, 5.0)
    fits.PrimaryHDU(data, header).writeto(tmp_path / "south.fits")
    found, result = run(tmp_path, tmp_path / "south.fits", usnob=False, ps1=True)
    assert not found
    assert "does not cover" in result.warnings[0]


@pytest.mark.parametrize("name", ["own.csv", "own.ecsv", "own.fits", "own.xml", "own.vot", "own.csv.gz", "own.fits.gz"])
def test_own_catalogues_of_every_format(tmp_path, image, name):
    table = stars()
    table["ra"].unit = table["dec"].unit = u.deg
    plain = tmp_path / name.removesuffix(".gz")
    form = {".xml": "votable", ".vot": "votable"}.get(plain.suffix)
    table.write(plain, format=form)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
    found, _ = run(tmp_path, image, usnob=False, own=OwnCatalogue(path=str(tmp_path / name)))
    np.testing.assert_allclose(np.sort(found["own"]["ra_deg"]), np.sort(table["ra"]), atol=1e-9)
    assert np.isfinite(found["own"]["mag_ref"]).all()


@pytest.mark.parametrize("names", [("l", "b"), ("GLON", "GLAT")])
def test_own_catalogue_in_galactic_coordinates(tmp_path, image, names):
    table = stars()
    place = SkyCoord(table["ra"], table["dec"], unit="deg").galactic
    galactic = Table([place.l.deg, place.b.deg], names=names)
    found, _ = own(tmp_path, image, galactic)
    np.testing.assert_allclose(np.sort(found["own"]["ra_deg"]), np.sort(table["ra"]), atol=1e-9)
    np.testing.assert_allclose(np.sort(found["own"]["dec_deg"]), np.sort(table["dec"]), atol=1e-9)
    galactic[names[1]][3] = 91.0
    with pytest.raises(BadCatalogue, match=f"column {names[1]} holds 91"):
        own(tmp_path, image, galactic)


def test_own_catalogue_with_semicolons(tmp_path, image):
    stars().write(tmp_path / "semi.csv", format="ascii.csv", delimiter=";")
    found, _ = run(tmp_path, image, usnob=False, own=OwnCatalogue(path=str(tmp_path / "semi.csv")))
    assert len(found["own"]) == 40


def test_own_catalogue_in_sexagesimal_hours(tmp_path, image):
    table = Table({"RA": ["10 00 00.5", "09:59:59.5"], "Dec": ["+20 00 10", "19:59:50"]})
    found, _ = own(tmp_path, image, table)
    np.testing.assert_allclose(np.sort(found["own"]["ra_deg"]), [150 - 7.5 / 3600, 150 + 7.5 / 3600], atol=1e-9)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.__setitem__("ra", np.where(np.arange(len(t)) == 6, np.nan, t["ra"])), "column ra, row 7"),
        (lambda t: t.__setitem__("ra", t["ra"] - 360), "column ra, row 1"),
        (lambda t: t.__setitem__("dec", t["dec"] * 10), "column dec, row 1"),
        (lambda t: t.__setitem__("ra", ["here"] * len(t)), "column ra, row 1"),
        (lambda t: t.rename_column("ra", "alpha"), "looks like ra"),
        (lambda t: t.remove_rows(slice(0, len(t))), "no rows"),
        (lambda t: t.__setitem__("ra", t["ra"] + 20), "none of its 40 rows"),
    ],
)
def test_own_catalogues_at_fault_are_named(tmp_path, image, spoil, words):
    table = stars()
    spoil(table)
    with pytest.raises(BadCatalogue, match=words) as caught:
        own(tmp_path, image, table)
    assert caught.value.hint
    assert not (tmp_path / "own.fits").exists()


def test_own_catalogue_in_hours_gets_the_hint_and_the_unit_mends_it(tmp_path, image):
    table = stars()
    table["ra"] /= 15
    with pytest.raises(BadCatalogue) as caught:
        own(tmp_path, image, table)
    assert "hourangle" in caught.value.hint
    found, _ = own(tmp_path, image, table, units={"ra": "hourangle"})
    assert len(found["own"]) == 40
    with pytest.raises(BadCatalogue, match="unit Jy"):
        own(tmp_path, image, table, units={"ra": "Jy"})


def test_own_catalogue_that_was_cut_short(tmp_path, image):
    path = tmp_path / "own.csv"
    stars(200).write(path)
    with pytest.raises(BadCatalogue, match="exactly 200 rows"):
        run(tmp_path, image, usnob=False, own=OwnCatalogue(path=str(path)), row_cap=200)
    _, result = own(tmp_path, image, stars(50))
    assert "exactly 50 rows" in result.warnings[0]


def test_own_catalogue_that_is_not_there(tmp_path, image):
    with pytest.raises(ConfigError, match="no such file"):
        run(tmp_path, image, usnob=False, own=OwnCatalogue(path="nowhere.csv"))
    shutil.copy(image, tmp_path / "own.dat")
    with pytest.raises(ConfigError, match=r"\.dat"):
        run(tmp_path, image, usnob=False, own=OwnCatalogue(path=str(tmp_path / "own.dat")))


def test_real_gaia_extract_at_the_epoch_of_a_real_plate(tmp_path, shared_data):
    folder = shared_data / "dss1-m67"
    catalogue = OwnCatalogue(path=str(folder / "gaia_edr3_m67_r0.5deg.csv.gz"), epoch_yr=2016.0)
    found, result = run(tmp_path, folder / "M6707HH.fits.gz", usnob=False, own=catalogue)
    own_rows = found["own"]
    assert result.metrics["epoch_yr"] == pytest.approx(1951.91, abs=0.01)
    assert 2500 < len(own_rows) < 6179
    fast = own_rows[own_rows["ref_id"] == "604895810921218432"][0]
    moved = separation_arcsec(fast["ra_deg"], fast["dec_deg"], fast["ra_catalog_deg"], fast["dec_catalog_deg"])
    expected = np.hypot(fast["pm_ra_mas_yr"], fast["pm_dec_mas_yr"]) / 1000 * (2016.0 - result.metrics["epoch_yr"])
    assert moved == pytest.approx(expected, abs=1e-3)
    assert moved > 5, "without its proper motion this star would be a vanished one"
