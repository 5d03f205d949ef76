"""Magnitudes, mask bits under a source, saturation, and the comparison of two tables."""

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.science.detect.catalogue import add_magnitudes, best_position, mask_bits_under
from lostlight.science.detect.parity import compare, pair
from lostlight.science.detect.saturation import saturation_adu


def test_magnitudes_and_their_errors():
    flux = np.array([1.0, 100.0, 0.0, -5.0, np.nan])
    table = Table({f"flux_{kind}{suffix}_adu": flux for kind in ("auto", "aper", "psf") for suffix in ("", "_err")})
    table["flux_auto_err_adu"] = 0.01 * flux
    add_magnitudes(table, 21.1)
    assert table["mag_auto"][:2] == pytest.approx([21.1, 16.1])
    assert table["mag_auto_err"][:2] == pytest.approx([0.010857, 0.010857], rel=1e-3)
    for name in ("mag_auto", "mag_aper_err", "mag_psf"):
        assert np.isnan(table[name][2:]).all()


def test_windows_that_ran_away_give_way_to_the_barycentre():
    table = Table({"x_px": [10.0, 10, 10], "y_px": [20.0, 20, 20]})
    table["xwin_px"], table["ywin_px"] = [10.3, np.nan, 11.0], [19.8, np.nan, 26.0]
    for axis, low, high in (("x", 8, 12), ("y", 18, 22)):
        table[f"{axis}_min_px"], table[f"{axis}_max_px"] = low, high
    x, y = best_position(table)
    assert x.tolist() == [10.3, 10, 10]
    assert y.tolist() == [19.8, 20, 20]


def test_mask_bits_against_brute_force():
    rng = np.random.default_rng(4)
    mask = np.where(rng.random((67, 91)) < 0.02, 1 << rng.integers(0, 9, (67, 91)), 0).astype(np.int16)
    x, y = rng.uniform(0, 90, 60), rng.uniform(0, 66, 60)
    radius = rng.uniform(0.8, 6, 60)
    radius[5] = np.nan
    found = mask_bits_under(mask, x, y, radius)
    rows, columns = np.indices(mask.shape)
    for number in range(60):
        reach = 2.0 if np.isnan(radius[number]) else radius[number]
        near = (columns - x[number]) ** 2 + (rows - y[number]) ** 2 <= reach**2
        assert found[number] == np.bitwise_or.reduce(mask[near], initial=0)
    assert found.any()


def test_no_sources_no_bits():
    assert len(mask_bits_under(np.zeros((5, 7), np.int16), np.array([]), np.array([]), np.array([]))) == 0


@pytest.mark.parametrize(("card", "expected"), [(14200.0, 14200.0), (None, 930.0), (0, 930.0), ("n/a", 930.0)])
def test_saturation_comes_from_the_card_or_the_brightest_pixel(card, expected):
    header = Header() if card is None else Header([("SATURATE", card)])
    assert saturation_adu(header, np.array([[np.nan, 1000.0], [3, 4]])) == pytest.approx(expected)


def two_tables(n=200, seed=2):
    rng = np.random.default_rng(seed)
    first = Table({"x_px": rng.uniform(0, 2000, n), "y_px": rng.uniform(0, 2000, n)})
    first["fwhm_px"], first["mag_auto"] = rng.uniform(2, 4, n), rng.uniform(10, 15, n)
    first["extraction_flags"] = np.where(np.arange(n) < 20, 4, 0)
    second = first[rng.permutation(n)[:-10]]
    second["x_px"] += 0.1
    second["fwhm_px"] *= 1.02
    second["mag_auto"] += np.where(second["extraction_flags"] > 0, 5.0, 0.03)
    return first, second


def test_comparison_finds_the_planted_differences():
    first, second = two_tables()
    found = compare(first, second, columns=("x_px", "fwhm_px", "mag_auto"))
    assert found.meta["n_common"] == 190
    assert found.meta["common_fraction"] == pytest.approx(0.95)
    assert found.meta["flags_agree_fraction"] == 1
    assert found["median"].tolist() == pytest.approx([0.1, 0.02, 0.03])
    assert all(found["n"] == np.sum(second["extraction_flags"] == 0))


def test_sources_far_apart_are_not_the_same():
    first, second = two_tables()
    second["x_px"] += 0.7
    assert compare(first, second, columns=("mag_auto",)).meta["n_common"] <= 1


def test_two_detections_of_one_source_count_once():
    one = Table({"x_px": [5.0], "y_px": [5.0]})
    two = Table({"x_px": [5.1, 4.8], "y_px": [5.0, 5.0]})
    assert [rows.tolist() for rows in pair(one, two)] == [[0], [0]]


def test_comparison_with_an_empty_table():
    first, _ = two_tables()
    found = compare(first, first[:0], columns=("mag_auto",))
    assert found.meta["common_fraction"] == 0
    assert np.isnan(found["median"][0])
