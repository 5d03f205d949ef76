"""What the tests in a browser ask a page."""

CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = light(parse(getComputedStyle(document.body).backgroundColor));
  const ratio = (value) => (Math.max(value, ground) + 0.05) / (Math.min(value, ground) + 0.05);
  const worst = [];
  for (const text of document.querySelectorAll("svg.chart text"))
    worst.push(ratio(light(parse(getComputedStyle(text).fill))));
  for (const node of document.querySelectorAll("p, td, th, dd, figcaption, h1, h2, li, a, small"))
    worst.push(ratio(light(parse(getComputedStyle(node).color))));
  return Math.min(...worst);
}
"""
"""Lowest contrast of any text of the page against its ground."""


def check_whole(browser, path, width_px, scheme):
    """Open a page, and see that it is silent, needs nothing, is no wider than the window, and has no broken link."""
    context = browser.new_context(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    assert heard == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every((i) => i.alt && i.getBoundingClientRect().width > 100)")
    assert page.evaluate(CONTRAST) >= 4.5
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(set(ids)) == len(ids)
    links = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))")
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    context.close()
