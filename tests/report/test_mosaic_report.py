"""What a mosaic says of itself in numbers, in a sentence and on a page, and what `lostlight show` makes of it."""

import json
import re

import jsonschema
import pytest
from pydantic import ValidationError
from tests.mosaic_metrics import metrics, pictures

from lostlight.core import atomic, mosaic_report
from lostlight.core.manifest import Manifest, Product, UnitRecord
from lostlight.report import mosaic
from lostlight.report.figures import mosaics
from lostlight.report.mosaic_page import html
from lostlight.report.mosaic_words import GLOSSARY, combination, is_seam, registration, what_next
from lostlight.report.show import show

SMALL = {"n_frames": 6, "columns": 3, "tile_px": (90, 121)}


def overlap(sigma, pixels=50_000):
    return {"a": "a", "b": "b", "pixels": pixels, "before": 3.0, "after": 0.1, "sigma": sigma}


@pytest.fixture(scope="module")
def told():
    return metrics()


@pytest.fixture(scope="module")
def page(told):
    return html(told, {}, files=("mosaic.fits", "lots.csv"))


def test_the_file_keeps_its_schema_and_holds_no_time(told, project):
    jsonschema.validate(told, json.loads((project / "workflow/schemas/mosaic_metrics.schema.json").read_bytes()))

    def keys(node):
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return (set(node) if isinstance(node, dict) else set()).union(*map(keys, children))

    assert not {key for key in keys(told) if re.search("second|elapsed|timing_|date|cpu_s|rss", key)}
    json.dumps(told, allow_nan=False)


def test_it_has_the_names_that_others_read(told):
    assert {"mode", "n_frames", "n_used", "rejected", "canvas", "lots", "reference", "components", "photometry"} <= set(
        told
    )
    assert {"id", "n", "coverage", "gain", "offset", "median_before", "median_after"} <= set(told["lots"][0])
    assert {"index", "rule"} <= set(told["reference"])
    assert {"stars_used", "gain_sigma", "overlap_residual_sigma", "overlap_pixels", "fallbacks"} <= set(
        told["photometry"]
    )
    assert set(told["inter_tile_median_std"]) == {"before", "after"}
    assert {"reject", "rejected_fraction", "low", "high"} <= set(told["combine"])
    assert {"cut_px", "altaz_px", "crop"} <= set(told["polish"])


def test_counts_follow_from_the_frames_in_any_order(told):
    assert (told["n_frames"], told["n_used"], len(told["rejected"])) == (24, 22, 2)
    known = {key: told[key] for key in ("mode", "canvas", "lots", "photometry", "combine", "polish")}
    again = [mosaic_report.build(frames, **known) for frames in (told["frames"], told["frames"][::-1])]
    assert again[0] == again[1] and again[0]["report_id"] != told["report_id"]


def test_what_is_not_known_is_null_and_what_is_not_foreseen_is_refused():
    frame = {"id": "a", "fwhm_px": float("nan"), "gain": (float("inf"),)}
    made = mosaic_report.build([frame], mode="stack", canvas={"shape": (3, 5)})
    assert made["frames"][0]["fwhm_px"] is None and made["frames"][0]["gain"] == [None]
    with pytest.raises(ValidationError, match="seconds"):
        mosaic_report.build([{"id": "a", "seconds": 3.0}], mode="stack", canvas={"shape": (3, 5)})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({}, "22 of 24 frames make a mosaic of 1,368 × 1,030 px in 3 lots."),
        ({**SMALL, "mode": "stack", "n_rejected": 0}, "6 frames make a mosaic of"),
        ({**SMALL, "mode": "grid", "filter": "Ha", "n_rejected": 0}, "6 frames in Ha make a mosaic of"),
        ({"n_frames": 1, "mode": "stack", "n_rejected": 0, "warnings": ()}, "px. Nothing odd was noticed."),
        ({"n_frames": 3, "n_rejected": 3}, "None of 3 frames could be used: there is no mosaic."),
        ({"n_frames": 0, "n_rejected": 0}, "No frame could be used: there is no mosaic."),
        ({**SMALL, "components": 2}, "It falls into 2 parts that share no pixel."),
    ],
)
def test_the_sentence(kind, said):
    assert said in mosaic.sentence(metrics(**kind))


def test_frames_left_out_are_named_a_few_of_them_with_their_reasons():
    assert mosaic.left_out(metrics(**SMALL, n_rejected=0)) == ""
    gone = [{"id": f"f{n}", "path": f"f{n}.fits", "reason": "17 stars; FWHM 8.0 px"} for n in range(5)]
    told = mosaic.left_out({"rejected": gone})
    assert told.startswith("Left out: f0 (17 stars, FWHM 8.0 px); f1 (") and told.endswith(
        "f2 (17 stars, FWHM 8.0 px); and 2 others."
    )


def test_one_frame_is_told_in_the_singular():
    assert mosaic.sentence(metrics(1, mode="stack", n_rejected=0)).startswith("1 frame makes a mosaic of")


def test_the_headline_holds_plain_numbers(told):
    numbers = mosaic.headline(told)
    assert (numbers["n_frames"], numbers["n_used"], numbers["n_lots"]) == (24, 22, 3)
    assert (numbers["height_px"], numbers["width_px"]) == mosaic.size(told) == (1030, 1368)
    assert all(value is None or isinstance(value, int | float) for value in numbers.values())
    whole = {**told, "canvas": {**told["canvas"], "crop": None}}
    assert mosaic.size(whole) == tuple(told["canvas"]["shape"])


def test_warnings_come_first_and_frames_left_out_have_their_reasons(page, told):
    assert page.index('id="warnings"') < page.index('id="mosaic"') < page.index('id="lots"') < page.index('id="frames"')
    assert "only 31 stars are shared with the others" in page
    assert all(each["reason"] in page for each in told["rejected"])
    assert '<a href="#rejected">2 frames</a> were left out' in page


def test_times_are_a_click_away_and_not_on_the_page(page):
    assert 'href="../times.html"' in page and 'href="../timings.json"' in page
    assert "elapsed" not in page


def test_the_page_names_gains_of_every_lot_and_frame(page, told):
    rows = page[page.index('id="lots"') :]
    assert [f'<td class="id">{lot["id"]}</td>' in rows for lot in told["lots"]] == [True] * 3
    assert all(f"{frame['gain'][0]:.4f}" in rows for frame in told["frames"])
    assert 'href="./mosaic.fits"' in page


def test_the_page_is_the_same_every_time():
    told = metrics(**SMALL)
    assert html(told, pictures(told)) == html(told, pictures(told))


def test_names_are_not_taken_for_markup():
    frame = {"id": "<b>&light", "path": "a/<script>.fits", "status": "failed", "reason": "<i>torn</i>"}
    made = mosaic_report.build([frame], mode="stack", canvas={"shape": (3, 5)}, filter="<u>")
    page = html(made, {}, others={"<s>": "x.html"})
    assert not re.search("<b>&|<i>torn|<u>|<s>|a/<script>", page)
    assert "&lt;i&gt;torn" in page


def test_other_filters_are_linked(told):
    assert '<a href="./mosaic_R.html">R</a>' in html(told, {}, others={"R": "./mosaic_R.html"})


def test_colours_are_told_one_by_one():
    page = html(metrics(4, mode="grid", n_channels=3, n_rejected=0, columns=2), {})
    assert "1.0000 / 1.0000 / 1.0000" in page


def test_every_term_is_explained(page):
    used = set(re.findall(r'href="#g-(\w+)"', page))
    assert used and used <= set(GLOSSARY)


@pytest.mark.parametrize(
    ("sigma", "pixels", "seam"),
    [
        (0.09, 50_000, False),
        (-0.12, 50_000, True),
        (0.12, 2_000, False),  # 1.8 / sqrt(2000) = 0.04: one of a hundred overlaps is this far off by chance
        (0.5, 2_000, True),
        (None, 0, False),
    ],
)
def test_a_seam_is_what_is_seen_and_is_not_chance(sigma, pixels, seam):
    assert is_seam(overlap(sigma, pixels)) is seam


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "sds"}, "mosaic.plan"),
        ({"components": 3}, "tie their levels together"),
        ({"canvas": {"shape": (9, 9), "is_sky": False}}, "mosaic.registration.solve: auto"),
        ({"photometry": {"n_pairs": 1, "pairs": [overlap(0.4)]}}, "sky_order: 2"),
    ],
)
def test_what_to_do_next_follows_from_what_was_found(change, said):
    offers = " ".join(f"{words} {setting}" for words, setting in what_next(metrics(**{**SMALL, **change})))
    usual = " ".join(f"{words} {setting}" for words, setting in what_next(metrics(**SMALL, mode="grid")))
    assert said in offers and said not in usual
    assert "mosaic.mode: sds" in str(what_next(metrics(90, mode="stack")))


def test_methods_in_words():
    made = metrics(**SMALL, registration={"method": "stars", "median_px": 0.081, "rms_px": 0.2})
    assert registration(made).endswith("The same stars agree to 0.081 px in the median, 0.2 px rms.")
    assert "sky solution of its own" in registration(metrics(**SMALL))
    plain = {"reject": "none", "weights": "none", "kernel": "lanczos3", "statistic": "median"}
    said = combination(metrics(**SMALL, combine=plain))
    assert (
        said == "Resampled once, by Lanczos of three lobes; median of the samples, all frames alike, nothing rejected."
    )


def test_the_map_of_gains_shows_tiles_of_a_grid_and_else_frames(told):
    assert "22 footprints on the canvas" in mosaics.gains(told)
    grid = metrics(9, mode="grid", n_rejected=0, columns=3)
    assert "2 footprints on the canvas" in mosaics.gains(grid)
    level = {**grid, "lots": [{**lot, "gain": [1.0]} for lot in grid["lots"]]}
    assert "9 footprints on the canvas" in mosaics.gains(level)
    assert "0 footprints on the canvas" in mosaics.gains({**level, "frames": []})


def test_the_map_of_gains_shows_the_mosaic_and_not_all_of_a_canvas_for_other_filters(told):
    wide = {**told, "canvas": {**told["canvas"], "shape": [60000, 50000]}}
    assert mosaics.gains(wide) == mosaics.gains(told)


@pytest.mark.parametrize(
    ("pixels", "ticks"),
    [((16268, 36285), {"16,000", "36,000"}), ((3000, 70000), {"5,000", "20,000"}), ((900, 900), {"900"})],
)
def test_ticks_of_the_overlaps_are_few_and_can_be_read(told, pixels, ticks):
    pairs = [{"a": "a", "b": "b", "pixels": n, "before": 3.0, "after": 0.1, "sigma": 0.02} for n in pixels]
    drawn = mosaics.overlaps({**told, "photometry": {**told["photometry"], "pairs": pairs}})
    shown = set(re.findall(r">\s*([\d,]{3,})</text>", drawn))
    assert ticks <= shown and len(shown) <= 5


def test_where_nothing_overlaps_nothing_is_said_to_agree(told):
    found = {**told["photometry"], "n_pairs": 0, "pairs": [], "overlap_residual_sigma": {"max": 0.0, "rms": 0.0}}
    alone = {**told, "photometry": found}
    assert "agree" not in mosaic.sentence(alone) and mosaic.headline(alone)["overlap_residual_max_sigma"] is None
    assert "nothing overlaps" in html(alone, {})


def test_overlaps_that_agree_exactly_or_are_not_known_can_be_drawn(told):
    pairs = [{"a": "a", "b": "b", "pixels": 500, "before": None, "after": 0.0, "sigma": 0.0}]
    drawn = mosaics.overlaps({**told, "photometry": {**told["photometry"], "pairs": pairs}})
    assert "1 overlaps: after levelling at most 0" in drawn


@pytest.mark.parametrize("filters", [("",), ("Ha", "OIII")])
def test_show_tells_of_the_mosaic_and_names_its_page(tmp_path, filters):
    folder = tmp_path / "run" / "12_mosaic"
    units = []
    for name in filters:
        unit = UnitRecord(id="_".join(filter(None, ("mosaic", name))), status="ok", fingerprint="0")
        outputs = {}
        for role, suffix in (("metrics", "metrics.json"), ("page", "html")):
            path = folder / "products" / f"{unit.id}.{suffix}"
            atomic.write_json(path, metrics(**SMALL, filter=name))
            place = str(path.relative_to(tmp_path / "run"))
            outputs[role] = Product(path=place, sha256=atomic.sha256_file(path), bytes=1, format="json")
        units.append(unit.model_copy(update={"outputs": outputs}))
    manifest = Manifest(
        run_id="run", step="12_mosaic", step_version=1, status="ok", params={}, params_sha256="0", units=tuple(units)
    )
    atomic.write_json(folder / "manifest.json", manifest.dump())
    lines = show(tmp_path / "run").splitlines()
    assert lines[0].startswith("run run: 4 of 6 frames")
    assert lines[-1].startswith(f"mosaic: {folder}/products/mosaic") and lines[-1].count(".html") == len(filters)
    assert len(lines) == 2


def test_the_guide_explains_every_metric(project):
    text = (project / "docs" / "mosaic.md").read_text()
    top = [name.rstrip("_") for name in mosaic_report.MosaicReport.model_fields]
    inner = [*mosaic_report.Frame.model_fields, *mosaic_report.Photometry.model_fields]
    named = set(re.findall(r"`(\w+)`", text))
    assert set(top) - named == set()
    assert set(inner) - {"method", "scope"} - named == set()
