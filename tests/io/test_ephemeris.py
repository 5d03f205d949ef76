"""Positions of moving bodies as other programs write them: real excerpts, and tables in error."""

import json

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from lostlight.core.errors import ConfigError
from lostlight.io.ephemeris import read

SORCHA = """ObjID,fieldMJD_TAI,fieldRA_deg,fieldDec_deg,RA_deg,Dec_deg,astrometricSigma_deg,optFilter,trailedSourceMag
2011_OB60,60225.247167832895,2.8340797,-12.194064,1.9825620351227258,-11.895484307981585,7.48e-06,i,22.397430358313322
2011_OB60,60225.27094733885,2.8340797,-12.194064,1.9820733099821837,-11.895712910186568,1.97e-05,z,22.460227240263052
S1000000a,61769.320619,163.87542090842982,-18.84327137012991,164.03771300000017,-17.58257500000004,2.98e-06,r,19.6555
"""
HEAD = """*******************************************************************************
Target body name: {body}                       {{source: JPL#67}}
Center body name: Earth (399)                     {{source: DE441}}
Center-site name: GEOCENTRIC
"""
MARS = (
    HEAD.format(body="Mars (499)")
    + """ Date__(UT)__HR:MN     R.A._____(ICRF)_____DEC    APmag   S-brt             delta      deldot     S-O-T /r
*****************************************************************************************************************
$$SOE
 2006-Jan-01 00:00     02 32 15.02 +16 35 29.9   -0.597   4.456  0.77519869764264  14.7500341  120.6420 /T     Ari
 2006-Jan-02 12:30 *m  02 33 13.14 -00 40 57.7     n.a.   4.457  0.78375024572645  14.8614541  119.8715 /T     Ari
$$EOE
"""
)
MOON = (
    HEAD.format(body="Moon (301)")
    + """ Date__(UT)__HR:MN, , , R.A._(ICRF), DEC__(ICRF), APmag,             delta,     deldot,     S-O-T,/r,   Cnst,
****************************************************************************************************************
$$SOE
 2026-Jan-21 17:00, , , 22 28 25.65, -09 56 44.1, -7.5, 0.00257937606636, -0.0383063,   33.8469,/T,   Aqr,
 2026-Jan-21 18:00, , , 22 30 24.41, -09 42 01.1, n.a., 0.00257845447909, -0.0382823,   34.3477,/T,   Aqr,
$$EOE
"""
)
DEGREES = (
    HEAD.format(body="Sun (10)")
    + """ Date__(UT)__HR:MN     R.A.___(ICRF)___DEC R.A._(a-appar)_DEC.    ObsEcLon    ObsEcLat
****************************************************************************************
$$SOE
 2023-Jun-21 12:00      89.52285  23.43572  89.8778   23.4362    89.8
$$EOE
"""
)
JULIAN = (
    HEAD.format(body="2 Pallas (A802 FA)")
    + """ Date_________JDTDB     R.A._____(ICRF)_____DEC  T-mag
***************************************
$$SOE
 2460000.500000000     10 00 00.00 -30 00 00.0   9.10
$$EOE
"""
)
CALENDAR_AND_JULIAN = (
    HEAD.format(body="Ceres")
    + """ Date__(UT)__HR:MN:SC.fff Date_________JDUT     R.A._____(ICRF)_____DEC
***************************************
$$SOE
 2023-Feb-25 06:00:36.000 2460000.750416667 Cm  10 00 00.00 +30 30 00.0
$$EOE
"""
)


def _read(folder, text, name="table.txt"):
    file = folder / name
    file.write_text(text)
    return read(file)


def test_sorcha_detections(tmp_path):
    found = _read(tmp_path, SORCHA, "out.csv")
    assert found.ids == ["2011_OB60", "2011_OB60", "S1000000a"]
    # TAI was 37 s ahead of UTC
    assert found.mjd == pytest.approx(
        np.array([60225.247167832895, 60225.27094733885, 61769.320619]) - 37 / 86400, abs=1e-9
    )
    assert found.ra_deg == pytest.approx([1.9825620351227258, 1.9820733099821837, 164.03771300000017], abs=1e-12)
    assert found.dec_deg[0] == pytest.approx(-11.895484307981585, abs=1e-12)
    assert found.mag == pytest.approx([22.39743, 22.46023, 19.6555], abs=1e-5)


def test_sorcha_with_spaces(tmp_path):
    assert len(_read(tmp_path, SORCHA.replace(",", " "))) == 3


def test_horizons_text(tmp_path):
    found = _read(tmp_path, MARS)
    assert found.ids == ["Mars (499)"] * 2
    assert found.mjd == pytest.approx([53736, 53737 + 12.5 / 24], abs=1e-9)
    assert found.ra_deg == pytest.approx(
        [15 * (2 + 32 / 60 + 15.02 / 3600), 15 * (2 + 33 / 60 + 13.14 / 3600)], abs=1e-9
    )
    assert found.dec_deg == pytest.approx([16 + 35 / 60 + 29.9 / 3600, -(40 / 60 + 57.7 / 3600)], abs=1e-9)
    assert found.mag[0] == -0.597 and np.isnan(found.mag[1])


@pytest.mark.parametrize("in_json", [False, True])
def test_horizons_csv(tmp_path, in_json):
    found = _read(tmp_path, json.dumps({"signature": {}, "result": MOON}) if in_json else MOON)
    assert found.ids == ["Moon (301)"] * 2
    assert found.mjd == pytest.approx([61061 + 17 / 24, 61061.75], abs=1e-9)
    assert found.ra_deg[1] == pytest.approx(15 * (22 + 30 / 60 + 24.41 / 3600), abs=1e-9)
    assert found.dec_deg[1] == pytest.approx(-(9 + 42 / 60 + 1.1 / 3600), abs=1e-9)
    assert found.mag[0] == -7.5 and np.isnan(found.mag[1])


def test_horizons_in_degrees_without_magnitude(tmp_path):
    found = _read(tmp_path, DEGREES)
    assert (found.mjd[0], found.ra_deg[0], found.dec_deg[0]) == (60116.5, 89.52285, 23.43572)
    assert np.isnan(found.mag[0])


def test_horizons_in_julian_dates_of_another_scale(tmp_path):
    found = _read(tmp_path, JULIAN)
    assert found.mjd[0] == pytest.approx(Time(2460000.5, format="jd", scale="tdb").utc.mjd, abs=1e-9)
    assert (60000 - found.mjd[0]) * 86400 == pytest.approx(69.18, abs=0.01)
    assert (found.ra_deg[0], found.dec_deg[0], found.mag[0]) == (150.0, -30.0, 9.1)


def test_horizons_with_both_kinds_of_dates_and_seconds(tmp_path):
    found = _read(tmp_path, CALENDAR_AND_JULIAN)
    assert found.mjd[0] == pytest.approx(60000 + 0.25 + 36 / 86400, abs=1e-9)
    assert (found.ra_deg[0], found.dec_deg[0]) == (150.0, 30.5)


def test_several_ephemerides_in_one_file(tmp_path):
    assert _read(tmp_path, MARS + DEGREES + JULIAN).ids == ["Mars (499)"] * 2 + ["Sun (10)", "2 Pallas (A802 FA)"]


def test_ecsv_of_own_columns(tmp_path):
    table = Table(
        {
            "id": ["a", "a", "b"],
            "mjd": [60000.0, 60001.0, 60000.0],
            "ra": [10.0, 10.1, 200.0] * u.deg,
            "dec": [-5.0, -5.1, 3.0] * u.deg,
            "mag": MaskedColumn([23.5, 0.0, 24.0], mask=[False, True, False]),
        }
    )
    table.write(tmp_path / "t.ecsv")
    found = read(tmp_path / "t.ecsv")
    assert found.ids == ["a", "a", "b"]
    assert found.mjd.tolist() == [60000, 60001, 60000]
    assert found.ra_deg.tolist() == [10, 10.1, 200]
    assert found.mag[0] == 23.5 and np.isnan(found.mag[1])


def test_ecsv_in_other_units_is_turned_to_degrees(tmp_path):
    Table({"id": ["a"], "mjd": [60000.0], "ra": [10.0] * u.hourangle, "dec": [-0.5] * u.rad}).write(tmp_path / "t.ecsv")
    found = read(tmp_path / "t.ecsv")
    assert found.ra_deg[0] == pytest.approx(150)
    assert found.dec_deg[0] == pytest.approx(-28.6478898)


def test_csv_of_own_columns_in_any_case_and_with_remarks(tmp_path):
    found = _read(tmp_path, "# by hand\nID;MJD;RA;Dec\nx;60000.5;1.5;-2\n\ny;60001;2;-2.5\n")
    assert found.ids == ["x", "y"]
    assert found.mjd.tolist() == [60000.5, 60001]
    assert np.isnan(found.mag).all()


def test_astroquery_tables_have_julian_dates(tmp_path):
    found = _read(tmp_path, "targetname,datetime_jd,RA,DEC,V\nEris,2460000.5,25.1,-1.2,18.7\n")
    assert (found.mjd[0], found.mag[0]) == (60000.0, 18.7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("id,mjd,ra,dec\n", "no rows"),
        ("id,when,ra,dec\na,1,2,3\n", r"no column of times \(mjd\); it has id, when"),
        ("mjd,ra,dec\n60000,2,3\n", "no column of names"),
        ("id,mjd,x,y\na,60000,2,3\n", "no column ra"),
        ("id,mjd,ra,dec\na,60000,ten,3\n", "row 1: ra = 'ten' is not a number"),
        ("id,mjd,ra,dec\na,60000,2\n", "row 1: 3 values for 4 columns"),
        ("id,mjd,ra,dec\na,60000,2,3\na,60001,2,93\n", "row 2: .* no time and position"),
        ("id,mjd,ra,dec\na,,2,3\n", "row 1: .* no time and position"),
        ("# %ECSV 1.0\n# ---\n# nothing\n", "no ECSV table"),
        (MARS.replace("(ICRF)", "(a-appar)"), "Mars.* no astrometric positions"),
        (MARS.replace("02 32 15.02", "02 xx 15.02"), "cannot be read: 2006-Jan-01"),
        (MARS.replace("Date__(UT)_", "Date__(ZZ)_"), "no scale that is known"),
        ("{ $$SOE", "cannot be read"),
        ("$$SOE\n$$EOE\n", "no astrometric positions"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as refused:
        _read(tmp_path, text)
    assert "table.txt" in refused.value.message
    assert refused.value.hint


def test_tables_without_rows_are_refused(tmp_path):
    Table(names=["id", "mjd", "ra", "dec"], dtype=["str", *["f8"] * 3]).write(tmp_path / "t.ecsv")
    with pytest.raises(ConfigError, match="no rows"):
        read(tmp_path / "t.ecsv")


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.csv cannot be read"):
        read(tmp_path / "gone.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "b.csv")
