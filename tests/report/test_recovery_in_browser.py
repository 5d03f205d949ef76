"""The page of a search as people see it: without network, on a desk, on a phone, day and night."""

import pytest
from tests.browser import check_whole
from tests.recovery_scene import pictures, told

from lostlight.report.recovery_page import html

pytestmark = pytest.mark.needs_chromium
KINDS = {
    "full": {},
    "without-sky": {"sky": False, "n_candidates": 0},
    "unplanted": {"n": 0, "n_alarms": 0},
    "nothing": {"n": 0, "n_candidates": 0, "n_alarms": 0},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, kind in KINDS.items():
        report = told(**kind)
        (folder / f"{name}.html").write_text(html(report, pictures(report), files=("movers.ecsv", "field.eff")))
    return folder


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("width_px", "scheme"), [(400, "light"), (1280, "dark")])
def test_the_page_is_whole(browser, pages, name, width_px, scheme):
    check_whole(browser, pages / f"{name}.html", width_px, scheme)


def test_strips_scroll_on_a_phone_and_fit_on_a_desk(browser, pages):
    for width_px, scrolls in ((400, True), (1280, False)):
        page = browser.new_page(viewport={"width": width_px, "height": 800})
        page.goto((pages / "full.html").as_uri())
        widths = page.locator(".seen").first.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert (widths[0] > widths[1]) == scrolls
        page.close()


def test_charts_are_legible_on_a_phone(browser, pages):
    page = browser.new_page(viewport={"width": 400, "height": 800})
    page.goto((pages / "full.html").as_uri())
    boxes = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [b.left, b.right])"
    )
    assert boxes
    assert all(left >= 0 and right <= 400 for left, right in boxes)
    page.close()


def test_reasons_lead_to_settings_that_exist():
    from lostlight.core.params import InjectParams, RecoverParams
    from lostlight.report.recovery_words import REMEDIES

    sections = {"recover": RecoverParams(), "inject": InjectParams()}
    for setting in REMEDIES.values():
        section, *names = setting.partition(":")[0].split(".")
        value = sections[section]
        for name in names:
            value = getattr(value, name)
