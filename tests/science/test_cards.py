"""What headers say of calibration."""

import math

import pytest
from astropy.io.fits import Header

from lostlight.science.calibrate.cards import COMMENTS, header_cards, history
from lostlight.science.calibrate.order import STANDARD, MasterState, check_order

HASHES = {name: 64 * letter for name, letter in zip(("bias", "dark", "flat", "bpm"), "abcd", strict=True)}


def values(*arguments, **keywords):
    return {key: value for key, (value, _) in header_cards(*arguments, **keywords).items()}


def test_a_light_with_a_matched_dark():
    stages = check_order(STANDARD, {"bias", "dark", "flat", "cosmetic"})
    assert values(stages, flat_normalize="median_center", sha256=HASHES, pedestal=100.0, uncsys=0.25) == {
        "CALSTAT": "DF", "BIASSUB": True, "PEDESTAL": -100.0, "DARKMODE": "matched", "DARKSCAL": 1.0, "DARKSERR": 0.0,
        "FLATNORM": "median_center", "DARKID": "b" * 16, "FLATID": "c" * 16, "BPMID": "d" * 16, "UNCSYS": 0.25,
    }  # fmt: skip


def test_a_light_with_a_scaled_dark_and_overscan():
    dark = MasterState("B", biassub=True)
    stages = check_order(STANDARD, {"overscan", "bias", "dark"}, masters={"dark": dark}, dark_mode="scaled")
    made = values(stages, dark=dark, dark_mode="scaled", dark_scale=1.5, dark_scale_error=0.01, overscan_adu=214.04)
    assert made == {
        "CALSTAT": "BD", "BIASSUB": True, "PEDESTAL": 0.0, "OVERSCAN": 214.04,
        "DARKMODE": "scaled", "DARKSCAL": 1.5, "DARKSERR": 0.01,
    }  # fmt: skip


def test_what_came_with_the_frame_stays_said():
    stages = check_order(("flat",), {"flat"}, calstat="BD")
    assert values(stages, calstat="bd")["CALSTAT"] == "BDF"
    assert values(stages, calstat="B")["BIASSUB"] is True


def test_a_dark_without_bias_takes_none_off():
    dark = MasterState(biassub=True)
    stages = check_order(STANDARD, {"dark"}, masters={"dark": dark})
    assert values(stages, dark=dark)["BIASSUB"] is False


def test_the_cards_of_a_master():
    made = header_cards(
        [], imagetyp="Master Bias", ncombine=5, combmeth="mean", rejmeth="noise_model", rejlow=4.0, rejhigh=4.0,
        frejlow=0.001, frejhi=0.002, weights="none", exptime=0.0, ccd_temp=-10.0, tempstd=math.nan, egain=1.6,
        rdnoise=math.inf, calrep="",
    )  # fmt: skip
    assert made["CCD-TEMP"] == (-10.0, COMMENTS["CCD-TEMP"])
    assert {"TEMPSTD", "RDNOISE", "CALREP"}.isdisjoint(made)
    assert made["BIASSUB"][0] is False


def test_a_card_nobody_declared_is_a_mistake():
    with pytest.raises(KeyError):
        header_cards([], sharpness=3)


def test_cards_join_the_header_of_the_frame():
    header = Header({"OBJECT": "M 67", "EXPTIME": 60.0})
    header.update(header_cards(check_order(STANDARD, {"dark"}), pedestal=50.0))
    assert header["OBJECT"] == "M 67"
    assert header["PEDESTAL"] == -50
    assert header.tostring(), "every value and comment fits a card"
    long = Header()
    long.update({key: ("x" * 16, text) for key, text in COMMENTS.items()})
    assert all(len(card.image) == 80 and card.comment == COMMENTS[card.keyword] for card in long.cards)


def test_history_has_one_line_for_each_step():
    stages = check_order(STANDARD, {"overscan", "dark", "flat"})
    lines = history(
        stages, {"dark": {"mode": "matched", "k": 1.0}, "overscan": {"level_adu": 214.04321}, "bias": {"x": 1}}
    )
    assert len(lines) == len(STANDARD)
    assert lines[0] == "calibrate: overscan level_adu=214.043"
    assert lines[2] == "calibrate: bias skipped: no master fits"
    assert lines[3] == "calibrate: dark mode=matched k=1"
    assert lines[4] == "calibrate: flat"
    assert history(stages) == [line.split(" level")[0].split(" mode")[0] for line in lines]
