"""What a search says of itself in numbers, in a sentence and on a page."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from tests.recovery_scene import M50, THRESHOLD, pictures, sources, told

from lostlight.core import recovery_report
from lostlight.report import recovery, recovery_pictures, recovery_words
from lostlight.report.recovery_page import html
from lostlight.science.recover import pulls
from lostlight.steps.recovering import telling
from lostlight.vocab.movers import REASONS


@pytest.fixture(scope="module")
def report():
    return told()


@pytest.fixture(scope="module")
def page(report):
    return html(report, pictures(report), files=("movers.ecsv",), others={"field-08": "./field-08.html"})


def test_the_file_holds_no_time_and_nothing_that_json_has_no_word_for(report):
    def keys(node):
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return (set(node) if isinstance(node, dict) else set()).union(*map(keys, children))

    assert not {key for key in keys(report) if re.search("second|elapsed|timing_|^date|cpu_s|rss", key)}
    json.dumps(report, allow_nan=False)
    assert report["schema"] == "recovery/1"


def test_the_same_search_has_the_same_name_and_another_another(report):
    assert told()["report_id"] == report["report_id"]
    assert told(n_wanted=981)["report_id"] != report["report_id"]


def test_reasons_are_counted_in_their_order(report):
    table = sources()
    assert [each["code"] for each in report["reasons"]] == [
        code for code in REASONS if code in set(table["lost_because"])
    ]
    assert sum(each["n"] for each in report["reasons"]) == report["n_injected"] - report["n_recovered"]
    also = {each["code"]: each["n_also"] for each in report["reasons"]}
    assert also["GRID_LOSS"] == sum("GRID_LOSS" in words for words in table["also_because"])


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="colour"):
        told(colour="red")
    with pytest.raises(ValidationError):
        recovery_report.build(stack={"n_images": 1})


def test_completeness_is_told_bin_by_bin(report):
    table = sources()
    curve = report["curve"]
    assert sum(each["n"] for each in curve["bins"]) == curve["n"] == len(table)
    assert sum(each["k"] for each in curve["bins"]) == curve["k"] == table["is_recovered"].sum()
    one = next(each for each in curve["bins"] if each["lower"] <= 24.3 < each["upper"])
    inside = (table["mag"] >= one["lower"]) & (table["mag"] < one["upper"])
    assert (one["n"], one["k"]) == (inside.sum(), table["is_recovered"][inside].sum())
    assert recovery.fit(curve)["m50_mag"] == pytest.approx(M50 - 0.02, abs=0.1)
    assert np.sum(report["cells"]["n"]) == len(table)
    assert sum(each["n"] for each in report["curves"]) == len(table)


def test_without_a_zero_point_magnitudes_are_those_of_the_flux():
    report, table = told(sky=False), sources(sky=False)
    assert report["is_instrumental"]
    brightest = -2.5 * np.log10(table["flux_adu"].max())
    assert report["curve"]["bins"][0]["lower"] <= brightest < report["curve"]["bins"][0]["upper"]
    assert report["curves"] == []
    page = html(report, {})
    assert "instrumental magnitude" in page
    assert "by rate" not in page.lower().split("glossary")[0].replace("against magnitude", "")


def test_the_sentence_says_what_was_found_how_deep_and_why_the_rest_was_missed(report):
    said = recovery.sentence(report)
    assert said.startswith("5 candidates above 6.4 σ in 20 images. Of 600 planted sources ")
    assert "half are found at magnitude 24.2" in said
    assert said.endswith(f"too faint ({max(each['n'] for each in report['reasons'])}).")


@pytest.mark.parametrize(("kind", "said"), [
    ({"n": 0, "n_candidates": 1}, "1 candidate above 6.4 σ in 20 images. Nothing was planted"),
    ({"n": 0, "n_candidates": 0}, "No candidate above 6.4 σ in 20 images."),
    ({"n": 1, "n_candidates": 0}, "Of 1 planted source "),
    ({"n": 0, "search": {"threshold": 5, "n_velocities": 9, "n_candidates": 2}}, ", all vetted out. Nothing"),
])  # fmt: skip
def test_the_sentence_of_little(kind, said):
    assert said in recovery.sentence(told(**kind))


def test_the_headline_has_the_numbers_of_the_search(report):
    head = recovery.headline(report)
    assert (head["n_kept"], head["n_injected"], head["threshold"]) == (5, 600, THRESHOLD)
    assert head["m50_mag"] == recovery.fit(report["curve"])["m50_mag"]
    assert head["n_false"] == sum(each["n"] for each in report["alarms"])
    assert recovery.headline(told(n=0))["m50_mag"] is None


def test_the_page_shows_every_candidate_and_every_reason(report, page):
    for each in report["candidates"]:
        assert f'id="c-{each["id"]}"' in page
    for each in report["reasons"]:
        assert f'id="w-{each["code"]}"' in page
        assert each["example"] in page
    assert page.count("<img ") == len(report["candidates"]) + len(report["reasons"])
    assert 'href="./movers.ecsv"' in page
    assert "field-08" in page


def test_every_fit_has_a_row_and_every_rate_its_best(report, page):
    n_rows = len(report["curve"]["fits"]) + sum(bool(each["fits"]) for each in report["curves"])
    table = page[page.index("<h3>Curves</h3>") :]
    assert table[: table.index("</table>")].count("<tr") == n_rows + 1


def test_the_same_report_gives_the_same_page(report):
    assert html(told(), {}) == html(report, {})


@pytest.mark.parametrize("kind", [
    {"n": 0, "n_candidates": 0, "n_alarms": 0}, {"n": 1, "n_candidates": 0}, {"n": 30, "sky": False, "n_candidates": 1},
    {"n_candidates": 40}, {"pulls": [], "by_snr": None, "found": [], "curves": []},
])  # fmt: skip
def test_pages_of_little_and_of_much(kind):
    page = html(told(**kind), {})
    assert "Undefined" not in page
    assert "NaN" not in page
    assert "None" not in page


def test_errors_that_are_wrong_are_told(report):
    assert recovery_words.errors_said(report) == ["flux is off by +0.61 of its error on average"]
    wide = pulls.measure(2 * np.random.default_rng(0).standard_normal(500), 1.0)
    said = recovery_words.errors_said({"pulls": telling.pull_records({"x_px": wide})})
    assert said == [f"errors of position along x are {1 / wide.scatter:.2g} times as large as the scatter"]
    assert wide.scatter > 1.8
    few = telling.pull_records({"x_px": pulls.measure([5.0, 5.1], 1.0)})
    assert recovery_words.errors_said({"pulls": few}) == []


def test_what_to_do_next_follows_from_what_was_missed(report):
    settings = [setting for _, setting in recovery_words.what_next(report)]
    assert f"inject.n: {report['n_wanted']}" in settings
    assert [setting for _, setting in recovery_words.what_next(told(n=0))] == ["inject.n: 500"]
    crowded = {**report, "reasons": [{"code": "TOPK", "n": 100}], "n_wanted": None}
    assert "recover.top: 4" in [setting for _, setting in recovery_words.what_next(crowded)]
    noisy = {**report, "alarms": [{"n": 40, "n_expected": 1.0}]}
    assert "recover.threshold" in [setting for _, setting in recovery_words.what_next(noisy)]


def test_every_reason_has_a_short_name():
    assert set(recovery_words.REASONS) == set(REASONS)
    assert set(recovery_words.REMEDIES) <= set(REASONS)


def squares(picture):
    return np.asarray(Image.open(io.BytesIO(picture)))


def test_a_strip_has_the_sum_and_every_image():
    cutouts = np.random.default_rng(0).standard_normal((7, 11, 11))
    cutouts[:, 9, 2] += 30
    drawn = squares(recovery_pictures.strip(cutouts))
    side = 11 * recovery_pictures.ZOOM
    assert drawn.shape[0] == 2 * side + 4
    # the first row is at the bottom, in the sum and in the single images
    assert drawn[6 * 1 + 3, 6 * 2 + 3, 0] == 255
    first = drawn[:side, 2 * side + 8 :][:, :side, 0]
    assert first[3 * 1 + 1, 3 * 2 + 1] == 255
    assert np.median(first) < 140
    assert (drawn[..., 1] == 0).any()


def test_a_strip_shows_at_most_so_many_and_says_so():
    picture = recovery_pictures.strip(np.random.default_rng(0).standard_normal((100, 9, 9)))
    assert Image.open(io.BytesIO(picture)).info["Comment"] == "16 of 100 images"


def test_a_strip_of_nothing_is_black():
    drawn = squares(recovery_pictures.strip(np.full((3, 9, 9), np.nan)))
    assert drawn[..., 0].max() == 0
