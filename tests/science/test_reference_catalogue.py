"""Raw catalogue rows to the reference schema."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from lostlight.core.errors import BadCatalogue
from lostlight.science.match.catalogue import GAIA, PS1, USNOB, normalise, recognise
from lostlight.vocab import columns


def usnob(**changes):
    table = Table(
        {
            "RAJ2000": [10.0, 10.1, 10.2, 10.3],
            "DEJ2000": [5.0, 5.1, 5.2, 5.3],
            "USNO-B1.0": ["0950-2", "0950-1", "0950-4", "0950-3"],
            "pmRA": [0, 100, 0, 0],
            "pmDE": [0, 0, -200, 0],
            "B1mag": [15.0, 15.0, 15.0, 15.0],
            "R1mag": [14.0, 14.0, np.nan, 14.0],
            "B2mag": [15.1, 99.99, -999.0, 0.0],
            "R2mag": [14.1, np.nan, 13.0, np.nan],
            "Imag": [13.0, np.nan, np.nan, 99.0],
        }
    )
    for name, values in changes.items():
        table[name] = values
    return table


def test_usno_b_rows():
    tidy = normalise(usnob(), USNOB, 1953.0)
    assert set(columns.USNOB) <= set(tidy.colnames)
    assert list(tidy["ref_id"]) == ["0950-1", "0950-2", "0950-3", "0950-4"]
    assert list(tidy["is_second_epoch"]) == [False, True, False, True]
    assert list(tidy["has_pm"]) == [True, False, False, True]
    assert list(tidy["mag_ref"]) == [14.0, 14.0, 14.0, 13.0]
    assert np.isnan(tidy["mag_b2"][[0, 2, 3]]).all()
    assert (tidy["ra_deg"][0] - 10.1) * 3600 * np.cos(np.radians(5.1)) == pytest.approx(-4.7, abs=1e-4)
    assert (tidy["dec_deg"][3] - 5.2) * 3600 == pytest.approx(9.4, abs=1e-4)
    assert tidy["ra_deg"][1] == tidy["ra_catalog_deg"][1] == 10.0


def test_a_fast_gaia_star_moved_64_years():
    table = Table({"RA_ICRS": [150.0], "DE_ICRS": [20.0], "Source": [2**62], "pmRA": [600.0], "pmDE": [-800.0],
                   "Gmag": [12.5]})  # fmt: skip
    tidy = normalise(table, GAIA, 1952.0)
    east = (tidy["ra_deg"][0] - 150.0) * 3600 * np.cos(np.radians(20))
    assert east == pytest.approx(-0.6 * 64, abs=0.01)
    assert (tidy["dec_deg"][0] - 20.0) * 3600 == pytest.approx(0.8 * 64, abs=0.01)
    assert tidy["ref_id"][0] == str(2**62), "no digit may be lost"


def test_catalogues_without_motions():
    table = Table({"RAJ2000": [1.0], "DEJ2000": [2.0], "objID": [7], "rmag": [-999.0], "imag": [18.0], "gmag": [19.0]})
    tidy = normalise(table, PS1, 1952.0)
    assert not tidy["has_pm"][0]
    assert tidy["mag_ref"][0] == 18.0


def test_order_and_repetition_of_rows_do_not_matter():
    once = normalise(usnob(), USNOB, 1953.0)
    twice = usnob()[[3, 1, 0, 2, 1, 0, 3, 3]]
    again = normalise(twice, USNOB, 1953.0)
    for name in columns.USNOB:
        np.testing.assert_array_equal(once[name], again[name])


@pytest.mark.parametrize(
    ("column", "values", "row"),
    [
        ("RAJ2000", [10.0, np.nan, 10.2, 10.3], 2),
        ("RAJ2000", [10.0, 10.1, -0.5, 10.3], 3),
        ("RAJ2000", [10.0, 10.1, 10.2, 361.0], 4),
        ("DEJ2000", [-90.5, 5.1, 5.2, 5.3], 1),
        ("DEJ2000", [5.0, 5.1, np.inf, 5.3], 3),
    ],
)
def test_impossible_positions_are_named(column, values, row):
    with pytest.raises(BadCatalogue, match=f"column {column}, row {row}") as caught:
        normalise(usnob(**{column: values}), USNOB, 1953.0)
    assert caught.value.facts["column"] == column
    assert caught.value.facts["row"] == row


def test_negative_right_ascensions_get_a_hint():
    with pytest.raises(BadCatalogue) as caught:
        normalise(usnob(RAJ2000=[-10.0, -10.1, -10.2, -10.3]), USNOB, 1953.0)
    assert "360" in caught.value.hint


def test_units_are_converted_or_refused():
    table = usnob()
    table["RAJ2000"], table["RAJ2000"].unit = np.radians(table["RAJ2000"]), u.rad
    table["pmRA"].unit = u.arcsec / u.yr
    tidy = normalise(table, USNOB, 1953.0)
    assert tidy["ra_catalog_deg"][0] == pytest.approx(10.1)
    assert tidy["pm_ra_mas_yr"][0] == pytest.approx(100_000)
    table["RAJ2000"].unit = u.Jy
    with pytest.raises(BadCatalogue, match="column RAJ2000 has unit Jy"):
        normalise(table, USNOB, 1953.0)


def test_missing_columns_are_named():
    table = usnob()
    table.remove_column("DEJ2000")
    with pytest.raises(BadCatalogue, match="no column 'DEJ2000'"):
        normalise(table, USNOB, 1953.0)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [("ra", "dec"), ("RA", "DEC"), ("RA_ICRS", "DE_ICRS"), ("_RAJ2000", "_DEJ2000"), ("ALPHA_J2000", "DELTA_J2000")],
)
def test_usual_names_are_recognised(ra, dec):
    table = Table({"x": [0.0], ra: [1.0], dec: [2.0], "phot_g_mean_mag": [12.0], "pmRA": [3.0], "pmDEC": [4.0]})
    found = recognise(table, {}, 2016.0)
    assert (found.ra, found.dec, found.pm_ra, found.pm_dec) == (ra, dec, "pmRA", "pmDEC")
    assert normalise(table, found, 2016.0)["mag_ref"][0] == 12.0


def test_own_names_are_mapped_and_checked():
    table = Table({"alpha": [1.0], "delta": [2.0], "when": [1990.0]})
    found = recognise(table, {"ra_deg": "alpha", "dec_deg": "delta", "epoch_yr": "when"}, 2016.0)
    assert normalise(table, found, 1950.0)["epoch_yr"][0] == 1990.0
    with pytest.raises(BadCatalogue, match="looks like ra"):
        recognise(table, {}, 2016.0)
    with pytest.raises(BadCatalogue, match="no column 'beta'"):
        recognise(table, {"ra_deg": "beta"}, 2016.0)
    with pytest.raises(BadCatalogue, match="no column of ours"):
        recognise(table, {"right_ascension": "alpha"}, 2016.0)


def test_a_real_catalogue_with_negative_right_ascensions(shared_data):
    (path,) = (shared_data / "xmatch-ref").glob("*matched-cat*")
    table = Table.read(path)
    with pytest.raises(BadCatalogue, match="column ra, row 1"):
        normalise(table, recognise(table, {}, 2016.0), 2016.0)


@pytest.mark.parametrize("per_mas", [1e-3, 1 / 3.6e6])
def test_motions_of_another_unit_are_not_taken_for_mas(per_mas):
    pm = np.linspace(-30, 40, 50)
    table = Table({"ra": np.full(50, 10.0), "dec": np.linspace(0, 1, 50), "pmra": pm * per_mas, "pmdec": pm * per_mas})
    with pytest.raises(BadCatalogue, match="proper motions are below") as caught:
        normalise(table, recognise(table, {}, 2016.0), 1950.0)
    assert "reference.own.units" in caught.value.hint
    table["pmra"].unit = table["pmdec"].unit = u.mas / per_mas / u.yr
    assert normalise(table, recognise(table, {}, 2016.0), 1950.0)["pm_ra_mas_yr"].max() == pytest.approx(40)
