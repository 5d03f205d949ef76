"""The calibration page as people see it: its slider and zoom, without network, on a desk, on a phone, day and night."""

import shutil

import pytest
from tests.calibration_scene import report
from tests.report.test_page_in_browser import CONTRAST, QUIET

from lostlight.report.calibration_page import html

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "calibration.html"
    path.write_text(html(*report(n_lights=2, n_pictured=2)))
    return path


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.mark.parametrize("width_px", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole(browser, page_file, width_px, scheme):
    context = browser.new_context(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if request.url.startswith("http") else None)
    page.goto(page_file.as_uri())
    assert heard == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every((i) => i.alt && i.getBoundingClientRect().width > 100)")
    assert page.evaluate(CONTRAST) >= 4.5
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == page.evaluate(
        "document.querySelectorAll('[id]').length"
    )
    broken = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.getAttribute('href').slice(1))"
        ".filter((id) => !document.getElementById(id))"
    )
    assert broken == []
    context.close()


def test_slider_and_zoom_work(browser, page_file):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(page_file.as_uri())
    pair = page.locator(".pair").first
    pair.locator("input[type=range]").fill("80")
    assert pair.locator(".sheet").evaluate("(e) => e.style.getPropertyValue('--split')") == "80%"
    before = pair.locator("img").first.evaluate("(e) => e.getBoundingClientRect().width")
    button = pair.locator("button")
    for factor in (2, 4, 1):
        button.click()
        width = pair.locator("img").first.evaluate("(e) => e.getBoundingClientRect().width")
        assert width == pytest.approx(factor * before, rel=0.1)
    assert button.inner_text() == "zoom 1×"
    page.close()
