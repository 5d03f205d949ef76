"""Tables of positions and what lies between their rows."""

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.table import TableMotion
from lostlight.science.sky.separation import separation_arcsec

ELEMENTS = [np.array(v) for v in ([2.7, 1.4], [0.1, 0.5], [5.0, 12.0], [120.0, 350.0], [80.0, 10.0], [33.0, 210.0])]


def test_daily_rows_tell_hours():
    body = KeplerMotion(*ELEMENTS, 60000.0)
    nodes = 60000 + np.arange(9.0)
    ra, dec = body.at(nodes)
    table = TableMotion([nodes, nodes], ra, dec)
    mjd = 60001.5 + np.linspace(0, 5, 30).reshape(5, 3, 2)
    found = table.at(mjd)
    assert found[0].shape == (2, 5, 3, 2)
    assert separation_arcsec(*found, *body.at(mjd)).max() < 0.1
    assert separation_arcsec(*table.at(nodes), ra, dec).max() < 1e-8


def test_rows_of_many_bodies_come_in_any_order_and_at_times_of_their_own():
    body = KeplerMotion(*ELEMENTS, 60000.0)
    times = [60000 + np.arange(7.0), 60000.25 + 1.5 * np.arange(5.0)]
    ids = np.repeat(["b", "a"], [7, 5])
    mjd = np.concatenate(times)
    ra = np.concatenate([body.at(times[0])[0][0], body.at(times[1])[0][1]])
    dec = np.concatenate([body.at(times[0])[1][0], body.at(times[1])[1][1]])
    mixed = np.r_[0, np.random.default_rng(0).permutation(np.arange(1, 12))]
    table = TableMotion.from_rows([str(i) for i in ids[mixed]], mjd[mixed], ra[mixed], dec[mixed])
    assert table.names == ["b", "a"]
    assert separation_arcsec(*table.at(60003.1), *body.at(60003.1)).max() < 1
    late = table.at(60006.1)[0]
    assert np.isnan(late[0]) and np.isfinite(late[1])
    assert np.isnan(table.at(59999.9)).all()


def test_right_ascension_zero_is_crossed():
    nodes = np.arange(5.0)
    table = TableMotion([nodes], [np.array([359.8, 359.9, 0.0, 0.1, 0.2])], [np.full(5, 60.0)])
    ra, dec = table.at([1.5, 2.5])
    assert ra[0] == pytest.approx([359.95, 0.05], abs=1e-6)
    assert dec[0] == pytest.approx([60, 60], abs=1e-6)


@pytest.mark.parametrize(
    ("mjd", "ra", "dec", "said"),
    [
        ([0, 1, 2], [1, 2, 3], [0, 0, 0], "3 rows, where 4 are needed"),
        ([0, 1, 1, 2], [1, 2, 3, 4], [0, 0, 0, 0], "same time"),
        ([0, 2, 1, 3], [1, 2, 3, 4], [0, 0, 0, 0], "out of order"),
        ([0, 1, 2, np.nan], [1, 2, 3, 4], [0, 0, 0, 0], "no position"),
        ([0, 1, 2, 3], [1, 2, 3, 4], [0, 0, 0, 91], "no position"),
        ([0, 1, 2, 3], [1, 2, 90, 91], [0, 0, 0, 0], "60 degrees apart"),
    ],
)
def test_tables_that_tell_no_motion_are_refused(mjd, ra, dec, said):
    rows = (np.array(column, float) for column in (mjd, ra, dec))
    with pytest.raises(ConfigError, match=f"body 0 .*{said}"):
        TableMotion(*([column] for column in rows))


def test_a_body_with_too_few_rows_is_told_by_its_name():
    with pytest.raises(ConfigError, match=r"body Eris .*1 rows") as refused:
        TableMotion.from_rows(["Ceres"] * 4 + ["Eris"], np.arange(5.0), np.arange(5.0), np.zeros(5))
    assert refused.value.facts["body"] == "Eris"
