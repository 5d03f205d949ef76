"""The page as people see it: in a browser, without network, on a desk, on a phone, by day and by night."""

import pytest
from tests.browser import CONTRAST
from tests.small_run import SmallRun

from lostlight.core.params import SummaryParams
from lostlight.core.step import Outputs, Unit, find
from lostlight.steps.s09_summary import summary

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    run = SmallRun(tmp_path_factory.mktemp("runs") / "small")
    folder = run.folder / "09_summary" / "products"
    folder.mkdir(parents=True)
    out = Outputs({role: folder / name for role, name in find("09_summary").makes.items()})
    summary(Unit("run", run.manifests), SummaryParams(), out)
    return folder / "report.html"


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
    pictures = page.evaluate(
        "[...document.images].map((i) => [i.naturalWidth, i.alt, i.getBoundingClientRect().width])"
    )
    assert heard == []
    assert len(pictures) == 6
    assert all(natural > 0 and alt and shown > 100 for natural, alt, shown in pictures)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unnamed = page.evaluate('[...document.querySelectorAll("svg:not([aria-label]):not([aria-hidden])")].length')
    assert unnamed == 0
    assert page.evaluate(CONTRAST) >= 4.5
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == page.evaluate(
        "document.querySelectorAll('[id]').length"
    )
    context.close()


def test_charts_stay_inside_their_cards_and_text_is_legible_on_a_phone(browser, page_file):
    page = browser.new_page(viewport={"width": 400, "height": 800})
    page.goto(page_file.as_uri())
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [Math.max(b.width, b.height), b.left, b.right])"
    )
    assert min(size for size, *_ in sizes) >= 9
    assert all(left >= 0 and right <= 400 for _, left, right in sizes)
    page.close()


def test_the_page_reads_on_paper_and_without_styles(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    words = page.inner_text("main")
    for word in ("Candidates", "Funnel", "WrongSurvey", "ask for another survey", "Bertin, E."):
        assert word in words
    page.close()
