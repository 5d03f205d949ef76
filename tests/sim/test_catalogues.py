"""Simulated catalogues: derived from the truth, with the errors and blind spots they are known for."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table

from lostlight.sim.sky import Sky

FIELD = (150.0, 20.0)
COLUMNS = {
    "I/284/out": "USNO-B1.0 RAJ2000 DEJ2000 e_RAJ2000 e_DEJ2000 Epoch pmRA pmDE muPr Ndet B1mag R1mag B2mag R2mag Imag",
    "I/355/gaiadr3": "Source RA_ICRS DE_ICRS Plx pmRA pmDE Gmag BPmag RPmag",
    "II/389/ps1_dr2": "objID RAJ2000 DEJ2000 Nd gmag rmag imag zmag ymag",
    "I/259/tyc2": "TYC1 TYC2 TYC3 RAmdeg DEmdeg pmRA pmDE BTmag VTmag",
    "B/vsx/vsx": "OID Name RAJ2000 DEJ2000 Type max min",
}


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky(20)


@pytest.fixture(scope="module")
def truth(sky: Sky) -> Table:
    return sky.truth(*FIELD, 60, 60)


@pytest.fixture(scope="module")
def usnob(sky: Sky) -> Table:
    return sky.catalogue("I/284/out", *FIELD, radius_deg=0.8)


@pytest.fixture(scope="module")
def gaia(sky: Sky) -> Table:
    return sky.catalogue("I/355/gaiadr3", *FIELD, radius_deg=0.8)


def _coordinates(table: Table) -> SkyCoord:
    ra, dec = next(
        pair
        for pair in (("ra_deg", "dec_deg"), ("RAJ2000", "DEJ2000"), ("RA_ICRS", "DE_ICRS"))
        if pair[0] in table.colnames
    )
    return SkyCoord(np.array(table[ra]), np.array(table[dec]), unit="deg")


def _of(truth: Table, label: str) -> Table:
    return truth[truth["label"] == label]


def _is_second_epoch(usnob: Table) -> np.ndarray:
    return np.isfinite(usnob["B2mag"]) | np.isfinite(usnob["R2mag"]) | np.isfinite(usnob["Imag"])


def _near(rows: Table, catalogue: Table, arcsec: float) -> np.ndarray:
    _, apart, _ = _coordinates(rows).match_to_catalog_sky(_coordinates(catalogue))
    return apart.arcsec < arcsec


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_those_of_vizier(sky: Sky, name: str) -> None:
    rows = sky.catalogue(name, *FIELD, box_deg=(1.5, 1.2))
    assert rows.colnames == COLUMNS[name].split()
    assert len(rows) > 0


@pytest.mark.parametrize("name", COLUMNS)
def test_a_row_is_the_same_however_it_is_asked_for(sky: Sky, name: str) -> None:
    small = sky.catalogue(name, *FIELD, radius_deg=0.3)
    large = Sky(20).catalogue(name, 150.3, 20.2, radius_deg=0.9)
    first = small.colnames[0] if name != "I/259/tyc2" else "RAmdeg"
    common = np.isin(np.array(large[first]), np.array(small[first]))
    assert common.sum() == len(small)
    for column in small.colnames:
        left, right = (np.sort(np.array(table[column])) for table in (small, large[common]))
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def test_cones_reach_across_the_first_hour_circle_and_the_pole(sky: Sky) -> None:
    rows = sky.catalogue("I/355/gaiadr3", 0.0, 10.0, radius_deg=0.2)
    assert (rows["RA_ICRS"] < 1).any() and (rows["RA_ICRS"] > 359).any()
    polar = sky.catalogue("I/355/gaiadr3", 12.0, 89.95, radius_deg=0.2)
    assert np.ptp(polar["RA_ICRS"]) > 300
    boxed = sky.catalogue("I/355/gaiadr3", 0.0, 10.0, box_deg=0.2)
    assert 0.4 < len(boxed) / (len(rows) * 0.04 / (np.pi * 0.04)) < 2.5


def test_unknown_catalogue_is_refused(sky: Sky) -> None:
    with pytest.raises(KeyError, match="I/999"):
        sky.catalogue("I/999", *FIELD, radius_deg=0.1)


def test_lasting_stars_are_listed_and_where_motion_takes_them(sky: Sky, truth: Table, gaia: Table) -> None:
    stars = _of(truth, "star")
    stars = stars[stars["mag_r"] < 19]
    years = sky.plate_at(*FIELD).epoch_yr - 2016
    good = gaia[np.isfinite(gaia["pmRA"])]
    moved = _coordinates(good).spherical_offsets_by(
        np.array(good["pmRA"]) * years / 3.6e6 * _deg(), np.array(good["pmDE"]) * years / 3.6e6 * _deg()
    )
    _, apart, _ = _coordinates(stars).match_to_catalog_sky(moved)
    assert np.mean(apart.arcsec < 0.5) > 0.96
    fast = np.hypot(stars["pm_ra_mas_yr"], stars["pm_dec_mas_yr"]) > 100
    assert fast.sum() >= 5
    assert not _near(stars[fast], gaia, 5.0).all(), "without their motion fast stars seem to have vanished"
    assert np.mean(apart.arcsec[fast] < 0.5) > 0.85


def _deg():
    from astropy import units as u

    return u.deg


def test_class_a_is_known_from_the_first_epoch_alone(sky: Sky) -> None:
    gone = _of(sky.truth(*FIELD, 120, 120), "vanished_A")
    usnob, gaia = (sky.catalogue(name, *FIELD, radius_deg=1.5) for name in ("I/284/out", "I/355/gaiadr3"))
    assert len(gone) >= 8
    listed, row, _, _ = search_around_sky(_coordinates(gone), _coordinates(usnob), 1.5 * _arcsec())
    # Barring the one in a hundred that the catalogue lost, each is there, on the first two plates only.
    first_only = ~_is_second_epoch(usnob)[row]
    assert len(set(listed[first_only])) >= len(gone) - 2
    assert not _near(gone, gaia, 1.0).any()


def _arcsec():
    from astropy import units as u

    return u.arcsec


def test_flashes_are_in_no_catalogue_and_newcomers_in_the_later_ones(
    sky: Sky, truth: Table, usnob: Table, gaia: Table
) -> None:
    for kind in ("vanished_B", "vanished_D", "vanished_E"):
        flashes = _of(truth, kind)
        assert not _near(flashes, gaia, 0.7).any() and not _near(flashes, usnob, 0.7).any(), kind
    new = _of(truth, "vanished_C")
    pan = sky.catalogue("II/389/ps1_dr2", *FIELD, radius_deg=0.8)
    assert len(new) > 0 and _near(new, gaia, 1.0).all() and _near(new, pan, 1.0).all()
    listed, row, _, _ = search_around_sky(_coordinates(new), _coordinates(usnob), 1.0 * _arcsec())
    assert len(listed) > 0
    assert np.isnan(usnob["B1mag"][row]).all() and np.isnan(usnob["R1mag"][row]).all()


def test_usnob_has_its_junk_its_gaps_and_its_coarse_motions(sky: Sky, usnob: Table, gaia: Table) -> None:
    everything = sky.catalogue("II/389/ps1_dr2", *FIELD, radius_deg=0.9)
    bright = sky.catalogue("I/259/tyc2", *FIELD, radius_deg=0.9)
    real = _near(usnob, everything, 2.0) | _near(usnob, gaia, 2.0)
    alone = usnob[~real & _is_second_epoch(usnob)]
    assert 0.008 < len(alone) / len(usnob) < 0.05, "some 2 % of the rows are spikes of bright stars"
    assert len(bright) > 10
    assert 0.03 < np.mean(usnob["pmRA"] != 0) < 0.3, "most motions are given as zero"
    assert (usnob["Ndet"] >= 2).all()
    assert len(set(usnob["USNO-B1.0"])) == len(usnob)
    assert np.array_equal(usnob["Ndet"], sum(np.isfinite(usnob[band]).astype(int) for band in usnob.colnames[-5:]))


def test_usnob_loses_some_of_the_fast_stars() -> None:
    sky = Sky(7)
    fast, found = 0, 0
    for dec in (30.0, 34.0, 38.0):
        table = sky.catalogue("I/355/gaiadr3", 195.0, dec, radius_deg=1.2)
        table = table[(np.hypot(table["pmRA"], table["pmDE"]) > 90) & (table["Gmag"] < 18)]
        # Where they were about 1975, when most plates of the catalogue were taken.
        back = np.array(
            [[-0.041 * table["pmRA"], -0.041 * table["pmDE"]], [-0.016 * table["pmRA"], -0.016 * table["pmDE"]]]
        )
        usnob = _coordinates(sky.catalogue("I/284/out", 195.0, dec, radius_deg=1.3))
        hit = np.zeros(len(table), bool)
        for east, north in back:
            at = _coordinates(table).spherical_offsets_by(east * _arcsec(), north * _arcsec())
            hit |= at.match_to_catalog_sky(usnob)[1].arcsec < 1.5
        fast, found = fast + len(table), found + hit.sum()
    assert fast > 80
    assert 0.02 < 1 - found / fast < 0.18


def test_gaia_and_ps1_have_their_limits(sky: Sky, gaia: Table) -> None:
    assert gaia["Gmag"].max() < 21.05
    assert 0.002 < np.mean(np.isnan(gaia["pmRA"])) < 0.04
    pan = sky.catalogue("II/389/ps1_dr2", *FIELD, radius_deg=0.5)
    seen = np.array(pan["rmag"])
    assert seen.max() < 22.2
    assert (seen == -999).any() and (seen[seen > 0] > 11.5).all()
    assert len(sky.catalogue("II/389/ps1_dr2", 80, -35, radius_deg=0.2)) == 0
    assert len(sky.catalogue("I/355/gaiadr3", 80, -35, radius_deg=0.2)) > 50


def test_variables_are_in_vsx_with_their_range(sky: Sky) -> None:
    known = sky.catalogue("B/vsx/vsx", *FIELD, radius_deg=2.0)
    truth = sky.truth(*FIELD, 150, 150)
    variables = _of(truth, "variable")
    known_here = _near(variables, known, 3.0)
    assert len(variables) > 8 and 0.5 < np.mean(known_here) <= 1.0
    assert (known["min"] > known["max"]).all()


def test_solar_system_moves_with_the_clock(sky: Sky) -> None:
    plate = sky.plate_at(150, 12.5)
    now = sky.solar_system(150, 12.5, 1.0, plate.jd)
    later = sky.solar_system(150, 12.5, 1.5, plate.jd + 0.25)
    assert len(now) > 4
    assert len(sky.solar_system(150, 12.5, 1.0, plate.jd + 400)) == 0
    common = np.intersect1d(now["Num"], later["Num"])
    assert len(common) > 0.7 * len(now)
    for number in common:
        a, b = now[now["Num"] == number][0], later[later["Num"] == number][0]
        moved = np.hypot((b["RA"] - a["RA"]) * np.cos(np.radians(12.5)), b["DEC"] - a["DEC"]) * 3600
        assert moved == pytest.approx(6 * np.hypot(a["pmRA"], a["pmDEC"]), rel=0.05, abs=1)
