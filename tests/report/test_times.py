"""The page that tells how long a step took, which is no product."""

import json

import pytest

from lostlight.core.usage import REUSED
from lostlight.report import times

TIMINGS = {
    "lot_00": {"reused": False, "elapsed_s": 12.41, "cpu_s": 20.5, "peak_mb": 411.2},
    "lot_<1>": {"reused": False, "elapsed_s": 75.2, "cpu_s": 80.0, "peak_mb": 512.0},
    "measure_a": REUSED,
}


def test_units_are_told_the_longest_first_with_sums_over_all(tmp_path):
    (tmp_path / "12_mosaic").mkdir()
    (tmp_path / "12_mosaic" / "timings.json").write_text(json.dumps(TIMINGS))
    page = times.write(tmp_path / "12_mosaic" / "manifest.json")
    assert page == tmp_path / "12_mosaic" / "times.html"
    text = page.read_text()
    assert "2 units took 1 min 28 s of work and 1 min 40 s of processor time; 1 was there from before" in text
    assert text.index("lot_&lt;1&gt;") < text.index("lot_00") < text.index("measure_a")
    assert "512 MB" in text and "width:16.5%" in text
    assert "1 unit from before" in text and "width:100.0%" in text


def test_without_timings_there_is_no_page(tmp_path):
    assert times.write(tmp_path / "manifest.json") is None
    assert list(tmp_path.iterdir()) == []


def test_a_step_without_units_is_told():
    assert "The step had no units." in times.html("12_mosaic", {})


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.304, "0.30 s"), (12.44, "12.4 s"), (60, "1 min 00 s"), (3599.8, "1 h 00 min"), (3725, "1 h 02 min")],
)
def test_times_for_people(value, said):
    assert times.seconds(value) == said
