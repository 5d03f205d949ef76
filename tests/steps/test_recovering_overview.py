"""Several stacks searched in one run: their pages lead to each other and to one that tells of all; and what is odd."""

import json
import re

import pytest
from tests.movers_run import RECOVER, make, small

from lostlight.report import recovery_page

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
SMALL = {"shape": (91, 113), "n_epochs": 5}
HREF = re.compile(r'href="\./([^"#]+)')


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two fields in one run, one without sources that could be found; not to be changed."""
    folder = tmp_path_factory.mktemp("two")
    for seed, name in ((1, "east"), (2, "far west")):
        small(seed, **SMALL).write(folder / "fields" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery_page, "_charts", lambda *_, **__: {})
        return make(folder / "fields", folder / "run", n=12, classes={"drift": 1.0})


def test_pages_lead_to_each_other_and_to_that_of_all(two):
    pages = two.run / RECOVER / "products"
    names = ("east.html", "far-west.html", "all_stacks.html")
    for name in names:
        linked = {each for each in HREF.findall((pages / name).read_text()) if each.endswith(".html")}
        assert linked >= set(names) - {name}
        assert all((pages / each).is_file() for each in linked if "/" not in each)


def test_the_page_of_all_tells_the_numbers_of_each(two):
    page = (two.run / RECOVER / "products" / "all_stacks.html").read_text()
    rows = re.findall(r"<tr><td class=\"all\">.*?</tr>", page)
    assert len(rows) == 2
    for name, row in zip(("east", "far-west"), rows, strict=True):
        told = json.loads((two.run / RECOVER / "products" / f"{name}.recovery.json").read_bytes())
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        plain = [re.sub("<[^>]+>", "", cell) for cell in cells]
        assert plain[0] == name
        assert plain[2] == "5"
        assert plain[5] == str(told["search"]["n_kept"])
        assert plain[6] == f"{told['n_recovered']} of 12"
        assert plain[9] == str(len(told["warnings"]))
    assert "of 24 planted sources" in page.lower()


def test_one_stack_alone_has_no_page_of_all(tmp_path):
    small(1, **SMALL).write(tmp_path / "field")
    made = make(tmp_path / "field", tmp_path / "run", n=0, recover={"nulls": []})
    assert "all_stacks.html" not in made.products(RECOVER)
    assert "Other stacks" not in made.products(RECOVER)["field.html"].decode()
