"""Plans: what they promise of brightness, distance, coverage and flags, asked of the images themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tests.injection_scene import SCALE, bad_pixels, epochs

from lostlight.core.errors import ConfigError
from lostlight.science.inject.placing import field
from lostlight.science.inject.plan import plan_injections
from lostlight.science.inject.realisations import near_pairs, share_out
from lostlight.science.inject.rules import Brightness, InjectionRules
from lostlight.science.inject.targets import TargetConfig
from lostlight.science.motion.table import TableMotion
from lostlight.vocab import bits
from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.movers import INJECTED, INJECTED_EPOCHS

RULES = InjectionRules(seed=3, n=60, classes={"tno": 0.8, "centaur": 0.2}, motion="abg", stack_id="f")


@pytest.fixture(scope="module")
def plan():
    return plan_injections(epochs(), bad_pixels(), RULES)


def has(plan, name):
    return (np.asarray(plan.images["inj_flags"]) & bits.injection(name) > 0).reshape(len(plan), -1)


def test_tables_have_the_columns_and_types_of_the_vocabulary(plan):
    for table, schema in ((plan.sources, INJECTED), (plan.images, INJECTED_EPOCHS)):
        assert tuple(table.colnames) == schema
        for name in schema:
            kind = COLUMNS[name].dtype
            assert table[name].dtype.kind == "U" if kind == "str" else table[name].dtype == kind
    assert len(plan) == len(set(plan.sources["inj_id"])) == 60 and len(plan.images) == 60 * 5
    assert plan.images["epoch"][:5].tolist() == [0, 1, 2, 3, 4] and plan.images["image_id"][3] == "e03"


def test_a_plan_is_a_plan_again(plan):
    """A2: the same for the same seed, another for the next."""
    again = plan_injections(epochs(), lambda t: bad_pixels()[t], RULES)
    for name in INJECTED:
        values = again.sources[name]
        assert np.array_equal(values, plan.sources[name], equal_nan=values.dtype.kind == "f")
    assert np.array_equal(again.x, plan.x, equal_nan=True) and np.array_equal(again.flux, plan.flux)
    other = plan_injections(epochs(), bad_pixels(), replace(RULES, seed=4))
    assert not np.intersect1d(other.sources["x_px"], plan.sources["x_px"]).size


def test_a_dropout_changes_nothing_else(plan):
    other = plan_injections(epochs(), bad_pixels(), replace(RULES, dropout=0.3))
    gone = has(other, "DROPOUT")
    assert 0.2 < gone.mean() < 0.4 and not has(plan, "DROPOUT").any()
    assert np.array_equal(other.x, plan.x, equal_nan=True) and np.array_equal(
        other.sources["flux_adu"], plan.sources["flux_adu"]
    )
    assert not other.flux[gone].any() and np.array_equal(other.flux[~gone], plan.flux[~gone])
    assert (np.asarray(other.images["flux_expected_adu"]).reshape(60, 5)[gone] == 0).all()


def test_flux_has_the_signal_to_noise_asked_for():
    """Against the matched filter of rendered stamps, each image with its own noise and profile."""
    known = epochs(gain=np.nan)
    plan = plan_injections(known, None, replace(RULES, brightness=Brightness("snr_stack", 7, 7)))
    kernels = [psf.kernel() for psf in known.psfs]
    each = [(k**2).sum() / s**2 for k, s in zip(kernels, known.sigma_adu, strict=True)]
    rho = plan.flux.sum(axis=2)[:, 0] * np.sqrt(np.sum(each))
    assert rho == pytest.approx(7, rel=2e-3)
    assert np.asarray(plan.sources["snr_stack"]) == pytest.approx(7, rel=1e-6)


def test_magnitudes_hang_together_with_fluxes_and_orbits():
    rules = replace(RULES, brightness=Brightness("mag", 22, 24), colours={"g": 0.6})
    known = replace(epochs(), filters=("r", "g", "r", "g", "r"))
    plan = plan_injections(known, None, rules)
    s = plan.sources
    assert np.asarray(s["mag"]) == pytest.approx(np.asarray(s["brightness"]))
    assert np.asarray(s["flux_adu"]) == pytest.approx(10 ** (0.4 * (27.0 - np.asarray(s["mag"]))))
    mags = np.asarray(plan.images["mag"]).reshape(60, 5)
    assert mags[:, 1] - mags[:, 0] == pytest.approx(0.6)
    # H, r, Delta and a linear phase curve (TNO 0.12, centaurs 0.1 mag/deg), by hand
    slope = np.where(np.asarray(s["sample_type"]) == "centaur", 0.1, 0.12)
    by_hand = s["h_mag"] + 5 * np.log10(s["r_helio_au"] * s["delta_au"]) + slope * s["phase_deg"]
    assert np.asarray(by_hand) == pytest.approx(np.asarray(s["mag"]), abs=1e-6)


def test_light_curves_change_the_light_of_images_and_none_does_not(plan):
    assert np.allclose(plan.flux.sum(axis=2)[:, :1], plan.flux.sum(axis=2))
    varied = plan_injections(epochs(), bad_pixels(), replace(RULES, light_curve="sinusoid"))
    assert np.array_equal(varied.x, plan.x, equal_nan=True)
    ratio = varied.flux.sum(axis=2) / plan.flux.sum(axis=2)
    assert np.ptp(ratio, axis=1).max() > 0.1 and np.abs(2.5 * np.log10(ratio)).max() <= 0.125 + 1e-9
    assert np.asarray(varied.sources["lc_amp_mag"]) == pytest.approx(0.25)


def test_sources_of_one_copy_keep_their_distance_and_leave_pixels_alone(plan):
    known = epochs()
    x, y = (np.asarray(plan.images[name]).reshape(60, 5) for name in ("x_px", "y_px"))
    for copy in np.unique(plan.realisation):
        here = plan.realisation == copy
        for t, psf in enumerate(known.psfs):
            on = here & plan.is_on[:, t]
            away = cdist(*[np.stack([x[on, t], y[on, t]], 1)] * 2)
            assert away[np.triu_indices(on.sum(), 1)].min(initial=1e9) >= 20 * psf.fwhm_px
            light = sum(np.pi * (1.3 * psf.fwhm_px) ** 2 for _ in range(on.sum()))
            assert on.sum() <= 1 or light <= 0.01 * np.prod(known.shape) * 1.01
    assert not has(plan, "OVERLAP_INJ").any()


def test_crowded_plans_say_so():
    rules = replace(RULES, min_separation_fwhm=0, max_coverage=1)
    plan = plan_injections(epochs(), None, rules)
    assert not plan.realisation.any() and has(plan, "OVERLAP_INJ").any(axis=1).mean() > 0.5


def test_copies_are_as_few_as_they_can_be_in_a_row():
    x = np.array([0.0, 10, 20, 30])[:, None]
    copy = share_out(x, 0 * x, np.array([1.0]), 0 * x, 1e9, 15, 1)
    assert copy.tolist() == [0, 1, 0, 1]
    assert share_out(x, 0 * x, np.array([1.0]), 0 * x, 10.0, 0, 0.6).tolist() == [0, 1, 2, 3]
    nowhere = np.full((3, 2), np.nan)
    assert share_out(nowhere, nowhere, np.ones(2), nowhere, 100, 20, 1).tolist() == [0, 0, 0]
    assert near_pairs(x, 0 * x, np.array([11.0])).tolist() == [[0, 1], [1, 2], [2, 3]]


def test_flags_say_what_the_images_show():
    rules = InjectionRules(seed=1, n=80, classes={"fast": 0.5, "static": 0.5}, target=TargetConfig("mid"),
                           brightness=Brightness("snr_frame_each", 0.3, 2))  # fmt: skip
    plan = plan_injections(epochs(), bad_pixels(), rules)
    table = {name: np.asarray(plan.images[name]).reshape(80, 5) for name in INJECTED_EPOCHS if name != "inj_id"}
    assert np.array_equal(has(plan, "OUT"), ~plan.is_on) and has(plan, "OUT").any()
    assert np.array_equal(has(plan, "CLIPPED"), table["frac_on_image"] < 0.9)
    assert np.array_equal(has(plan, "MASKED"), table["frac_masked"] > 0.1) and has(plan, "MASKED").any()
    assert np.array_equal(has(plan, "TRAILED"), table["trail_px"] > table["fwhm_px"] / 2)
    assert np.array_equal(has(plan, "FAINT"), table["snr_frame"] < 1) and 0 < has(plan, "FAINT").mean() < 1
    seen = (table["frac_on_image"] - table["frac_masked"] >= 0.9).sum(axis=1)
    assert np.array_equal(seen, plan.sources["n_visible"])


def test_stars_blend_what_lies_on_them():
    known = epochs()
    stars = np.array([50.0, 150.0]), np.array([40.0, 120.0]), np.array([1e4, 1e4])
    rules = InjectionRules(seed=1, n=30, classes={"static": 1.0}, target=TargetConfig("near_star", near_px=(0, 12)))
    plan = plan_injections(known, None, rules, stars=stars)
    x, y = np.asarray(plan.sources["x_px"]), np.asarray(plan.sources["y_px"])
    away = np.hypot(x[:, None] - stars[0], y[:, None] - stars[1]).min(axis=1)
    told = np.asarray(plan.images["neighbour_arcsec"]).reshape(30, 5)
    assert told == pytest.approx(np.repeat(away[:, None] * SCALE, 5, 1), abs=1e-4)
    fwhm = np.array([psf.fwhm_px for psf in known.psfs])
    assert np.array_equal(has(plan, "BLENDED"), away[:, None] < 2 * fwhm)
    faint = plan_injections(known, None, rules, stars=(*stars[:2], np.full(2, 1e-3)))
    assert not has(faint, "BLENDED").any()


def test_sources_may_have_a_fraction_of_the_light_of_their_star():
    stars = np.array([50.0, 150.0]), np.array([40.0, 120.0]), np.array([1e4, 3e4])
    target = TargetConfig("near_star", flux_ratio=0.1)
    rules = InjectionRules(seed=1, n=20, classes={"static": 1.0}, target=target)
    plan = plan_injections(epochs(), None, rules, stars=stars)
    near_first = np.hypot(plan.sources["x_px"] - 50, plan.sources["y_px"] - 40) < 10
    assert np.asarray(plan.sources["flux_adu"]) == pytest.approx(np.where(near_first, 1e3, 3e3))


def test_bodies_of_a_table_go_where_it_says():
    known = epochs(dithers=False)
    mjd = known.mjd_mid[0] - 0.1 + np.arange(8) * 0.05
    ra, dec = 180.3 + 0.02 * (mjd - mjd.mean()), 0.2 - 0.03 * (mjd - mjd.mean())
    table = TableMotion.from_rows(["2003 UB"] * 8, mjd, ra, dec)
    plan = plan_injections(known, None, replace(RULES, motion="table", classes={"tno": 1.0}), table=table)
    at = known.mjd_mid - mjd.mean()
    x, y = known.wcs[0].all_world2pix(180.3 + 0.02 * at, 0.2 - 0.03 * at, 0)
    assert plan.images["x_px"] == pytest.approx(x, abs=1e-3) and plan.images["y_px"] == pytest.approx(y, abs=1e-3)
    assert plan.sources["subclass"][0] == "2003 UB"
    assert plan.sources["rate_arcsec_h"][0] == pytest.approx(np.hypot(0.02, 0.03) * 150, rel=1e-4)
    with pytest.raises(ConfigError, match="no table"):
        plan_injections(known, None, replace(RULES, motion="table"))


def test_bodies_of_a_table_are_as_bright_as_it_says_where_it_does():
    known, mjd = epochs(), epochs().mjd_mid[0] - 0.1 + np.arange(8) * 0.05
    table = TableMotion.from_rows([name for name in "ab" for _ in mjd], [*mjd, *mjd], [180.3] * 16, [0.2] * 16)
    rules = replace(RULES, motion="table", classes={"tno": 1.0}, brightness=Brightness("mag", 24, 24))
    told = plan_injections(known, None, rules, table=table, mag=np.array([21.5, np.nan]))
    assert told.sources["mag"] == pytest.approx([21.5, 24])
    assert told.flux_adu == pytest.approx(10 ** (0.4 * (27 - np.array([21.5, 24]))))
    by_noise = replace(rules, brightness=Brightness("snr_stack", 5, 5))
    drawn = plan_injections(known, None, by_noise, table=table, mag=np.array([21.5, np.nan]))
    assert drawn.sources["snr_stack"] == pytest.approx(5)


def test_strategies_that_need_masks_find_them():
    rules = replace(RULES, target=TargetConfig("gap", near_px=(0, 2)), classes={"static": 1.0})
    plan = plan_injections(epochs(), bad_pixels(), rules)
    near = (np.abs(plan.sources["x_px"] - 104) < 7) | (np.abs(plan.sources["y_px"] - 60) < 3)
    assert np.asarray(near).all()


def test_an_empty_plan_is_a_plan():
    plan = plan_injections(epochs(), None, replace(RULES, n=0))
    assert len(plan) == 0 and len(plan.images) == 0


def test_straight_lines_from_the_truth_meet_the_truth():
    """Position and motion at the reference time lead to where the source is on the first image."""
    known = epochs(dithers=False)
    plan = plan_injections(known, None, replace(RULES, motion="linear"))
    s, days = plan.sources, known.mjd_mid[0] - plan.sources["mjd_ref"]
    x = np.asarray(plan.images["x_px"]).reshape(60, 5)[:, 0]
    assert np.asarray(s["x_px"] + s["vx_px_day"] * days) == pytest.approx(x, abs=1e-3)
    box = field(known)
    assert ((s["x_px"] > box.x0 - 1) & (s["x_px"] < box.x0 + box.width)).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"classes": {"ufo": 1}}, "ufo"), ({"classes": {"tno": -1}}, "shares"), ({"classes": {}}, "shares"),
        ({"motion": "warp"}, "warp"), ({"dropout": 2}, "chance"), ({"plate_scale": 0}, "plate scale"),
    ],
)  # fmt: skip
def test_rules_that_mean_nothing(change, word):
    with pytest.raises(ConfigError, match=word):
        replace(RULES, **change)


@pytest.mark.parametrize(
    ("args", "word"), [(("lumens",), "lumens"), (("mag", 3, 2), "least"), (("mag", 1, 2, "odd"), "odd")]
)
def test_brightness_that_means_nothing(args, word):
    with pytest.raises(ConfigError, match=word):
        Brightness(*args)
