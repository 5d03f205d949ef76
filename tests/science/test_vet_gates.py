import numpy as np
import pytest
from astropy.table import Table

from lostlight.core.errors import TooFewSources
from lostlight.science.vet.gates_mnras2022 import published_cuts
from lostlight.science.vet.locus import fit_locus, locus_cuts


def star(**changes):
    row = {
        "extraction_flags": 0, "snr_win": 100.0, "spread_model": 0.001, "fwhm_px": 3.0, "elongation": 1.05,
        "x_min_px": 10, "x_max_px": 16, "y_min_px": 20, "y_max_px": 26, "flux_auto_adu": 1e4,
    }  # fmt: skip
    return row | changes


def tile(rows, n_stars=200, seed=3, **noise):
    """The rows asked for, followed by ordinary stars with some scatter."""
    rng = np.random.default_rng(seed)
    scatter = {"fwhm_px": 0.1, "elongation": 0.02} | noise
    stars = [
        star(fwhm_px=3 + rng.normal(0, scatter["fwhm_px"]), elongation=1.05 + abs(rng.normal(0, scatter["elongation"])))
        for _ in range(n_stars)
    ]
    return Table(rows=[star(), *rows, *stars])


@pytest.mark.parametrize(
    ("cut", "fails", "passes"),
    [
        ("EXTRACTION", {"extraction_flags": 1}, {}),
        ("SNR", {"snr_win": 30.0}, {"snr_win": 30.01}),
        ("SPREAD", {"spread_model": -0.002}, {"spread_model": -0.00199}),
        ("SPREAD", {"spread_model": np.nan}, {"spread_model": 0.5}),
        ("FWHM", {"fwhm_px": 7.0}, {"fwhm_px": 6.99}),
        ("FWHM", {"fwhm_px": 2.0}, {"fwhm_px": 2.01}),
        ("ELONGATION", {"elongation": 1.3}, {"elongation": 1.299}),
        ("EXTENT", {"x_max_px": 18}, {"x_max_px": 17}),
        ("EXTENT", {"x_max_px": 11, "y_max_px": 21}, {"x_max_px": 12, "y_max_px": 22}),
    ],
)
def test_each_published_cut_at_its_limit(cut, fails, passes):
    found = published_cuts(tile([star(**fails), star(**passes)]), 1.7)[cut]
    assert list(found[:3]) == [False, True, False]


def test_pixel_cuts_follow_the_pixel_scale():
    """On a plate of 1.01 arcsec a pixel the same star is 1.7 times as wide in pixels."""
    wide = tile([star(fwhm_px=11.0), star(fwhm_px=3.0), star(x_max_px=19)])
    assert not published_cuts(wide, 1.01)["FWHM"][1]
    assert published_cuts(wide, 1.7)["FWHM"][1]
    assert published_cuts(wide, 1.01)["FWHM"][2] == (3.0 * 1.01 / 1.7 <= 2)
    assert not published_cuts(wide, 1.01)["EXTENT"][3] and published_cuts(wide, 1.7)["EXTENT"][3]


def test_the_clip_is_about_the_stars_of_the_tile():
    """Seven survivors alone could reject nothing: the stars that matched decide what a star looks like."""
    odd = star(fwhm_px=3.6)
    assert published_cuts(tile([odd]), 1.7)["CLIP"][1]
    few = Table(rows=[star(fwhm_px=w) for w in (2.4, 2.7, 3.0, 3.3, 3.6)])
    assert not published_cuts(few, 1.7)["CLIP"][4]


def test_without_stars_nothing_passes_the_clip():
    table = Table(rows=[star(extraction_flags=2)] * 5)
    assert published_cuts(table, 1.7)["CLIP"].all()


def plate(rng, n, snr_min=11.0):
    """Stars of a plate whose SPREAD and FWHM change with brightness, as a photographic response makes them."""
    snr = 10 ** rng.uniform(np.log10(snr_min), 2.7, n)
    return Table({
        "extraction_flags": np.zeros(n, int), "snr_win": snr, "flux_auto_adu": 400 * snr,
        "spread_model": 0.006 * (np.log10(snr) - 1) ** 2 - 0.002 + rng.normal(0, 0.03, n) / snr,
        "fwhm_px": (2.6 + 0.5 * (np.log10(snr) - 1)) * np.exp(rng.normal(0, 0.4, n) / snr),
        "elongation": 1.04 + np.abs(rng.normal(0, 0.6, n)) / snr,
    })  # fmt: skip


def test_the_locus_keeps_stars_of_every_brightness():
    rng = np.random.default_rng(51)
    table = plate(rng, 2000)
    cuts, metrics = locus_cuts(table, np.ones(2000, bool), k_sigma=4)
    lost = cuts["LOCUS"]
    snr = table["snr_win"]
    for low, high in ((11, 20), (20, 50), (50, 150), (150, 500)):
        assert lost[(snr > low) & (snr < high)].mean() < 0.06
    assert metrics["n_locus_stars"] == 2000
    assert (table["spread_model"] < -0.002).mean() > 0.08, "the fixed cut would lose these"


@pytest.mark.parametrize(
    ("what", "value"),
    [("spread_model", 0.03), ("spread_model", -0.03), ("fwhm_px", 4.5), ("fwhm_px", 1.5), ("elongation", 1.4)],
)
def test_what_is_no_star_lies_off_the_locus(what, value):
    rng = np.random.default_rng(52)
    table = plate(rng, 800)
    table["flux_auto_adu"][:5], table["snr_win"][:5] = 400 * 60, 60
    table[what][:5] = value
    assert locus_cuts(table, np.ones(800, bool))[0]["LOCUS"][:5].all()


def test_many_impostors_do_not_make_a_locus():
    """A fifth of galaxies at every flux moves the median little and must not be kept."""
    rng = np.random.default_rng(53)
    table = plate(rng, 1500)
    table["spread_model"][:300] += 0.025
    table["fwhm_px"][:300] *= 1.5
    lost = locus_cuts(table, np.ones(1500, bool))[0]["LOCUS"]
    bright = np.asarray(table["snr_win"]) > 30
    assert lost[:300][bright[:300]].mean() > 0.9
    assert lost[300:].mean() < 0.06


def test_flagged_faint_and_masked_rows_do_not_shape_the_locus():
    rng = np.random.default_rng(54)
    table = plate(rng, 600)
    clean, _ = locus_cuts(table, np.ones(600, bool))
    spoilt = Table(table, copy=True)
    usable = np.ones(600, bool)
    for rows, name, value in ((slice(0, 60), "extraction_flags", 2), (slice(60, 120), "snr_win", 9.0)):
        spoilt[name][rows] = value
        spoilt["spread_model"][rows] = 0.5
    usable[120:180], spoilt["spread_model"][120:180] = False, 0.5
    cuts, metrics = locus_cuts(spoilt, usable)
    assert metrics["n_locus_stars"] == 420
    assert cuts["LOCUS"][:180].all()
    assert np.mean(cuts["LOCUS"][180:] != clean["LOCUS"][180:]) < 0.02
    assert cuts["SNR"][60:120].all() and not cuts["EXTRACTION"].any()


def test_saturated_stars_are_compared_with_their_equals():
    """On a real red plate half of all detections saturate; a bright star that vanished must not be lost for that."""
    rng = np.random.default_rng(57)
    table = plate(rng, 1000)
    saturated = np.asarray(table["snr_win"]) > 60
    table["extraction_flags"][saturated] = 4
    table["fwhm_px"][saturated] *= 2
    cuts, metrics = locus_cuts(table, np.ones(1000, bool))
    assert saturated.sum() > 300 and metrics["n_locus_stars"] == 1000
    assert not cuts["EXTRACTION"].any() and cuts["LOCUS"][saturated].mean() < 0.06
    table["extraction_flags"][0] = 4 + 8
    assert locus_cuts(table, np.ones(1000, bool))[0]["EXTRACTION"][0]


def test_a_blended_source_with_the_shape_of_a_star_passes():
    """Half of every close pair that vanished is flagged as blended; its shape says whether it is a star."""
    table = plate(np.random.default_rng(58), 1000)
    table["extraction_flags"][:40] = 3
    table["spread_model"][20:40] = 0.5
    cuts, metrics = locus_cuts(table, np.ones(1000, bool))
    assert metrics["n_locus_stars"] == 960
    assert not cuts["EXTRACTION"].any()
    assert cuts["LOCUS"][:20].mean() < 0.2 and cuts["LOCUS"][20:40].all()


def test_a_missing_value_fails():
    rng = np.random.default_rng(55)
    table = plate(rng, 300)
    table["spread_model"][0], table["fwhm_px"][1], table["flux_auto_adu"][2] = np.nan, -1.0, -5.0
    assert locus_cuts(table, np.ones(300, bool))[0]["LOCUS"][:3].all()


def test_too_few_stars_have_no_locus():
    rng = np.random.default_rng(56)
    with pytest.raises(TooFewSources) as caught:
        locus_cuts(plate(rng, 19), np.ones(19, bool))
    assert caught.value.facts == {"found": 19, "needed": 20}
    assert not locus_cuts(plate(rng, 25), np.ones(25, bool))[0]["LOCUS"].all()


def test_the_locus_follows_a_line_and_is_flat_beyond():
    x = np.linspace(2, 5, 600)
    locus = fit_locus(x, 3 * x + np.tile([-0.01, 0.01], 300), 12)
    inside = np.linspace(2.3, 4.7, 50)
    assert np.max(np.abs(locus.deviation(inside, 3 * inside) * np.interp(inside, locus.log_flux, locus.sigma))) < 0.02
    assert locus.deviation(np.array([9.0]), np.array([locus.median[-1]]))[0] == 0
