"""The page of a mosaic as people see it: without network, on a desk, on a phone, day and night; its zoom and slider."""

import pytest
from tests.browser import check_whole
from tests.mosaic_metrics import metrics, pictures

from lostlight.report.mosaic_page import html

pytestmark = pytest.mark.needs_chromium
KINDS = {
    "sds": {"n_frames": 12, "columns": 3, "tile_px": (150, 201)},
    "colour": {"n_frames": 4, "mode": "grid", "n_channels": 3, "n_rejected": 0, "columns": 2, "tile_px": (151, 200)},
    "many": {"n_frames": 500, "mode": "stack", "n_rejected": 7, "columns": 2, "tile_px": (120, 160)},
    "nothing": {"n_frames": 3, "mode": "stack", "n_rejected": 3},
    "empty": {"n_frames": 0, "mode": "stack", "n_rejected": 0},
}
WIDTH = "(e) => e.getBoundingClientRect().width"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, kind in KINDS.items():
        told = metrics(**kind)
        (folder / f"{name}.html").write_text(html(told, pictures(told) if told["n_used"] else {}))
    return folder


@pytest.fixture
def page(browser, pages):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto((pages / "sds.html").as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("width_px", "scheme"), [(400, "light"), (1280, "dark")])
def test_the_page_is_whole(browser, pages, name, width_px, scheme):
    check_whole(browser, pages / f"{name}.html", width_px, scheme)


def scale(page):
    return float(page.locator(".viewer").get_attribute("data-scale"))


def test_buttons_zoom_to_whole_and_to_single_pixels(page):
    shown = page.locator(".viewer .sheet > img").first
    whole = shown.evaluate(WIDTH)
    assert whole == pytest.approx(page.locator(".viewer").evaluate("(e) => e.clientWidth"), rel=0.01)
    page.locator('[data-do="in"]').click()
    page.locator('[data-do="in"]').click()
    assert shown.evaluate(WIDTH) == pytest.approx(2.25 * whole, rel=0.01)
    page.locator('[data-do="out"]').click()
    assert shown.evaluate(WIDTH) == pytest.approx(1.5 * whole, rel=0.01)
    page.locator('[data-do="one"]').click()
    width = int(page.locator(".viewer").get_attribute("data-size").split(",")[0])
    assert max(width, whole) == pytest.approx(shown.evaluate(WIDTH), rel=0.01)
    page.locator('[data-do="fit"]').click()
    assert scale(page) == 1


def test_keys_zoom_and_move(page):
    viewer = page.locator(".viewer")
    viewer.focus()
    for _ in range(3):
        page.keyboard.press("+")
    assert scale(page) == pytest.approx(1.5**3, rel=0.01)
    before = viewer.locator(".sheet").bounding_box()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = viewer.locator(".sheet").bounding_box()
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((-60, -60), abs=1)
    page.keyboard.press("0")
    assert scale(page) == 1


def test_the_wheel_zooms_about_the_pointer_once_the_viewer_is_chosen(page):
    viewer, told = page.locator(".viewer"), page.locator(".bar-of output")
    viewer.scroll_into_view_if_needed()

    def point():
        box = viewer.bounding_box()
        page.mouse.move(box["x"] + 1, box["y"] + 1)
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])

    point()
    scrolled = page.evaluate("scrollY")
    page.mouse.wheel(0, 30)
    page.wait_for_function(f"scrollY > {scrolled}")
    assert scale(page) == 1
    viewer.focus()
    point()
    before = told.inner_text()
    page.mouse.wheel(0, -100)
    page.wait_for_function("document.querySelector('.viewer').dataset.scale > 1.2")
    point()
    assert told.inner_text().split(" · ")[0] == before.split(" · ")[0]


def test_dragging_moves_the_picture_and_never_past_its_edge(page):
    viewer = page.locator(".viewer")
    viewer.scroll_into_view_if_needed()
    page.locator('[data-do="in"]').click()
    page.locator('[data-do="in"]').click()
    box, before = viewer.bounding_box(), viewer.locator(".sheet").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 37, y + 21)
    after = viewer.locator(".sheet").bounding_box()
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((37, 21), abs=1)
    page.mouse.move(x + 5000, y)
    page.mouse.up()
    assert viewer.locator(".sheet").bounding_box()["x"] == pytest.approx(box["x"] + 1, abs=1)


def test_two_fingers_zoom(browser, pages):
    context = browser.new_context(viewport={"width": 400, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto((pages / "sds.html").as_uri())
    box = page.locator(".viewer").bounding_box()
    page.evaluate(
        """([x, y]) => {
        const viewer = document.querySelector(".viewer");
        viewer.setPointerCapture = () => {};
        const put = (kind, id, dx) => viewer.dispatchEvent(new PointerEvent(kind, {
          pointerId: id, pointerType: "touch", clientX: x + dx, clientY: y, bubbles: true }));
        put("pointerdown", 11, -20); put("pointerdown", 12, 20);
        put("pointermove", 11, -40); put("pointermove", 12, 40);
        put("pointerup", 11, -40); put("pointerup", 12, 40);
    }""",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )
    assert scale(page) == pytest.approx(2, rel=0.02)
    context.close()


def test_the_place_under_the_pointer_is_told_as_fits_counts_it(page):
    viewer = page.locator(".viewer")
    viewer.scroll_into_view_if_needed()
    box = viewer.bounding_box()
    width, height = (int(side) for side in viewer.get_attribute("data-size").split(","))
    page.mouse.move(box["x"] + 1 + (box["width"] - 2) / 2, box["y"] + 1 + (box["height"] - 2) / 2)
    x, y = (float(word.split()[1]) for word in page.locator(".bar-of output").inner_text().split(" · ")[0].split(", "))
    assert (x, y) == pytest.approx((width / 2 + 0.5, height / 2 + 0.5), abs=2)
    # The sky there as astropy has it, from the same cards.
    from astropy.wcs import WCS
    from tests.mosaic_metrics import WCS as CARDS

    ra, dec = WCS(dict(CARDS)).all_pix2world(x, y, 1)
    said = page.locator(".bar-of output").inner_text().split(" · ")[1].replace("°", "").split(", ")
    assert [float(word.split()[1]) for word in said] == pytest.approx([float(ra), float(dec)], abs=6e-4)


def test_a_map_can_be_laid_over_the_picture(page):
    button = page.locator('[data-layer="coverage"]')
    button.click()
    assert page.locator(".viewer .over").count() == 1
    source = page.locator('[data-map="coverage"] img').get_attribute("src")
    assert page.locator(".viewer .over").get_attribute("src") == source
    page.locator('[data-layer="weight"]').click()
    assert page.locator(".viewer .over").count() == 1
    assert button.get_attribute("aria-pressed") == "false"
    page.locator('[data-layer="weight"]').click()
    assert page.locator(".viewer .over").count() == 0


def test_the_slider_shows_before_and_after(page):
    pair = page.locator(".pair")
    pair.locator("input[type=range]").fill("80")
    assert pair.locator(".sheet").evaluate("(e) => e.style.getPropertyValue('--split')") == "80%"
    before = pair.locator("img").first.evaluate(WIDTH)
    pair.locator("button").click()
    assert pair.locator("img").first.evaluate(WIDTH) == pytest.approx(2 * before, rel=0.1)


def test_charts_are_legible_on_a_phone(browser, pages):
    page = browser.new_page(viewport={"width": 400, "height": 800})
    page.goto((pages / "sds.html").as_uri())
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((t) => t.getBoundingClientRect())"
        ".map((b) => [Math.max(b.width, b.height), b.left, b.right])"
    )
    assert all(left >= 0 and right <= 400 for _, left, right in sizes)
    page.close()
