"""How far the work is, told to people."""

import io
import sys

from lostlight import progress


def test_a_line_for_every_percent_names_what_was_done_last():
    stream = io.StringIO()
    with progress.shown("step", stream) as report:
        for done in range(1, 1001):
            report(done, 1000, f"light_{done}")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 101
    assert lines[50] == "step:  50 % (500 of 1000) light_500"


def test_part_of_a_step_counts_and_nothing_goes_back():
    stream = io.StringIO()
    with progress.shown("run", stream) as report:
        for done in (0.5, 1, 1.25, 1, 2):
            report(done, 2, "")
    assert stream.getvalue().splitlines() == [
        "run:  25 % (0 of 2)", "run:  50 % (1 of 2)", "run:  62 % (1 of 2)", "run: 100 % (2 of 2)"
    ]  # fmt: skip


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.shown("step") as report:
        report(3, 4, "light_[R]")
    said = capsys.readouterr().err
    assert "3/4" in said and "light_[R]" in said
