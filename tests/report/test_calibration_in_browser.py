"""The calibration page as people see it: its slider and zoom, without network, on a desk, on a phone, day and night."""

import pytest
from tests.browser import check_whole
from tests.calibration_scene import report

from lostlight.report.calibration_page import html

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "calibration.html"
    path.write_text(html(*report(n_lights=2, n_pictured=2)))
    return path


@pytest.mark.parametrize("width_px", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_whole(browser, page_file, width_px, scheme):
    check_whole(browser, page_file, width_px, scheme)


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
