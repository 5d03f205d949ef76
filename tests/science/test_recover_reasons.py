"""Every source that is missed has one reason, and the one that was arranged for."""

from dataclasses import fields, replace

import numpy as np
import pytest
from astropy.table import Table
from tests.white_sky import FWHM, THRESHOLD, WhiteSky

from lostlight.science.population.relations import grid_loss, pixel_loss
from lostlight.science.recover.light import planted
from lostlight.science.recover.local import recover_planted
from lostlight.science.recover.reasons import Evidence, bend, why
from lostlight.science.recover.table import Bar, Seen, recoveries
from lostlight.science.search.sigma_g import SigmaG
from lostlight.science.search.vet import Vetting
from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.movers import INJECTED, REASONS, RECOVERIES

LOSS = float(pixel_loss(FWHM / 2.3548) + grid_loss(FWHM, FWHM / 2.3548))
KINDS = {name: COLUMNS[name].dtype for name in INJECTED}
GOOD = {
    "n_on_image": 10, "n_seen": 10, "frac_masked": 0.0, "frac_blended": 0.0, "frac_kept": 0.99, "lh_unharmed": 12.0,
    "lh_expected": 12.0, "lh_true": 11.0, "lh_grid": 10.5, "bend_px": 0.1, "is_clipped": False, "is_path": True,
    "is_static": False, "is_candidate": True, "is_vetted_out": False,
}  # fmt: skip
CAUSES = {
    "OUT_OF_FIELD": {"n_on_image": 0, "n_seen": 0},
    "TOO_FEW_EPOCHS": {"n_on_image": 4, "n_seen": 4},
    "MASKED": {"frac_masked": 0.6},
    "BLENDED": {"frac_blended": 0.6},
    "BACKGROUND_LOSS": {"frac_kept": 0.8},
    "BELOW_THRESHOLD_EXPECTED": {"lh_expected": 6.0, "lh_unharmed": 6.0},
    "STATIC": {"is_static": True},
    "CURVATURE": {"bend_px": 1.6},
    "NOISE": {"lh_true": 6.2},
    "GRID_LOSS": {"lh_grid": 6.2},
    "SIGMA_G": {"is_clipped": True},
    "TOPK": {"is_path": False, "is_candidate": False},
    "MERGED": {"is_candidate": False},
    "VETTED": {"is_vetted_out": True},
}


def evidence(*rows):
    return Evidence(**{key: np.array([row[key] for row in rows]) for key in GOOD})


def reasons_of(*rows, found=False):
    return why(evidence(*rows), np.full(len(rows), found), THRESHOLD, 5, 3.0)


@pytest.mark.parametrize("code", REASONS)
def test_each_cause_alone_is_its_reason(code):
    lost, _ = reasons_of(GOOD | CAUSES[code])
    assert lost == [code]


@pytest.mark.parametrize(("first", "second"), list(zip(list(REASONS)[5:], list(REASONS)[6:], strict=False)))
def test_of_two_causes_the_earlier_is_the_reason_and_the_later_is_told(first, second):
    lost, also = reasons_of(GOOD | CAUSES[second] | CAUSES[first])
    assert lost == [first]
    assert second in also[0].split()


def test_what_harms_a_source_that_is_too_faint_anyway_is_no_reason():
    faint = CAUSES["BELOW_THRESHOLD_EXPECTED"]
    lost, also = reasons_of(*(GOOD | CAUSES[code] | faint for code in ("MASKED", "BLENDED", "BACKGROUND_LOSS")))
    assert lost == ["BELOW_THRESHOLD_EXPECTED"] * 3
    assert also == [""] * 3


def test_what_was_found_has_no_reason_and_what_has_none_belongs_to_another():
    assert reasons_of(GOOD | CAUSES["NOISE"], found=True) == ([""], [""])
    assert reasons_of(GOOD)[0] == ["MERGED"]


def test_evidence_of_different_shapes_is_refused():
    good = evidence(GOOD)
    with pytest.raises(ValueError, match="shapes"):
        replace(good, lh_true=np.zeros(3))
    assert {each.name for each in fields(good)} == set(GOOD)


def test_bends_of_paths_by_hand():
    days = np.array([0.0, 1.0, 2.0, 3.0])
    parabola = days**2
    x = np.stack([5 + 3 * days, parabola, np.where(days < 2, parabola, np.nan)])
    # a parabola through 0 1 4 9 is 1 above its line at both ends, and 1 below between
    assert bend(days, x, np.zeros_like(x)) == pytest.approx([0, 1, 0], abs=1e-9)


def injected(n, **columns):
    table = Table({name: np.zeros(n, "U8" if KINDS[name] == "str" else KINDS[name]) for name in INJECTED})
    for name, values in columns.items():
        table[name] = values
    return table


def judge(sky, paths, rhos, stamps=None, **seen):
    """Plant sources one by one into a sky; give the table of what became of them."""
    outcomes = []
    for k, ((x, y), rho) in enumerate(zip(paths, rhos, strict=True)):
        light = sky.light(rho, x, y)
        if stamps is not None:
            light = replace(light, psi=light.psi * stamps[k][:, None, None].astype(np.float32))
        outcomes.append(recover_planted(sky.ground, light, x, y))
    x, y = (np.array(each) for each in zip(*paths, strict=True))
    off = (x < 0) | (x > sky.images.shape[2] - 1) | (y < 0) | (y > sky.images.shape[1] - 1)
    x, y = (np.where(off, np.nan, each) for each in (x, y))
    table = injected(len(rhos), snr_stack=rhos, flux_adu=[sky.flux(rho) for rho in rhos])
    bar = Bar(THRESHOLD, sky.ground.search.min_epochs, FWHM, LOSS)
    return recoveries(table, outcomes, Seen(sky.days, x, y, **seen), bar)


def test_a19_in_clean_skies_faintness_and_noise_explain_what_is_missed():
    """A19: exactly one primary reason each; NOISE and BELOW_THRESHOLD explain >= 95 % in clean simulations."""
    sky, rng = WhiteSky(seed=11), np.random.default_rng(2)
    paths = [sky.draw(rng) for _ in range(260)]
    told = judge(sky, paths, rng.uniform(3, 10, len(paths)))
    assert tuple(told.colnames) == RECOVERIES
    assert ((told["lost_because"] == "") == told["is_recovered"]).all()
    lost = told[~told["is_recovered"]]
    assert set(lost["lost_because"]) <= set(REASONS)
    assert len(lost) > 80
    assert np.isin(lost["lost_because"], ["BELOW_THRESHOLD_EXPECTED", "NOISE"]).mean() >= 0.95
    # and they are what they say: noise took away what should have been enough
    noise = lost[lost["lost_because"] == "NOISE"]
    assert (noise["lh_true"] < noise["lh_expected"]).all()


@pytest.fixture(scope="module")
def sky():
    return WhiteSky(seed=5)


def reason(told):
    return list(map(str, told["lost_because"]))


def test_sources_off_the_images_are_told_so(sky):
    told = judge(sky, [sky.path(-300.0, -300.0, 0, 0), sky.path(250.0, 100.0, 80.0, 0)], [20.0, 20.0])
    assert reason(told)[0] == "OUT_OF_FIELD"
    few = judge(sky, [sky.path(266.0, 100.0, 60.0, 0)], [20.0])
    assert reason(few) == ["TOO_FEW_EPOCHS"]


def test_a_masked_source_is_told_so():
    bad = np.zeros((20, 231, 260), bool)
    bad[:14, 90:130, 90:130] = True
    sky = WhiteSky(bad=bad)
    told = judge(sky, [sky.path(110.0, 110.0, 3.0, 2.0)], [20.0], frac_masked=0.7)
    assert reason(told) == ["MASKED"]
    assert told["lh_expected"][0] == pytest.approx(20 * np.sqrt(6 / 20) * (1 - LOSS), rel=0.02)


def test_a_bent_path_is_told_so(sky):
    x, y = sky.path(120.0, 100.0, 10.0, 5.0)
    told = judge(sky, [(x, y + 250 * sky.ground.since**2)], [11.0])
    assert reason(told) == ["CURVATURE"]
    assert told["lh_true"][0] > THRESHOLD > told["lh_grid"][0]


def test_light_on_one_image_alone_is_clipped():
    sky = WhiteSky(seed=6, sigma_g=SigmaG())
    once = np.zeros(20)
    once[7] = 20
    told = judge(sky, [sky.path(120.0, 100.0, 10.0, 5.0)], [11.0], stamps=[once])
    assert reason(told) == ["SIGMA_G"]


def test_a_source_faster_than_the_grid_is_between_its_paths(sky):
    told = judge(sky, [sky.path(120.0, 100.0, 95.0, 0.0)], [9.0])
    assert reason(told) == ["GRID_LOSS"]
    assert np.isnan(told["lh_grid"][0])


def test_a_match_that_chance_makes_often_does_not_count(sky):
    x, y = sky.path(120.0, 100.0, 9.0, 0.0)
    outcome = recover_planted(sky.ground, sky.light(20, x, y), x, y)
    table = injected(1, snr_stack=[20.0], flux_adu=[sky.flux(20)])
    bar = Bar(THRESHOLD, 5, FWHM, LOSS)
    seen = Seen(sky.days, x[None], y[None])
    assert recoveries(table, [outcome], seen, bar, 1e-9)["is_recovered"][0]
    crowded = recoveries(table, [outcome], seen, bar, 1e-3)
    assert not crowded["is_recovered"][0]
    assert crowded["chance"][0] == pytest.approx(1 - np.exp(-1e-3 * (np.pi * 25) ** 2))
    assert reason(crowded) == ["MERGED"]


def test_a_source_that_half_of_the_images_show_is_vetted_out():
    sky = WhiteSky(seed=6, vetting=Vetting(halves=True, negatives=False, shape=False))
    half = np.r_[np.zeros(10), np.full(10, 2.0)]
    told = judge(sky, [sky.path(120.0, 100.0, 10.0, 5.0)], [18.0], stamps=[half])
    assert reason(told) == ["VETTED"]
    assert told["lh_found"][0] > THRESHOLD


def test_a_source_beside_a_better_one_is_merged_with_it(sky):
    x, y = sky.path(120.0, 100.0, 10.0, 5.0)
    with planted(sky.ground.psi, sky.ground.phi, sky.light(40, x, y)):
        told = judge(sky, [(x + 3.5, y)], [9.0])
    assert reason(told) == ["MERGED"]
    assert told["lh_true"][0] > THRESHOLD
