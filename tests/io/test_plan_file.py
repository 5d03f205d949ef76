"""The plan as CSV: what spreadsheets do to it is understood, what people mistype is told with its line."""

import pytest

from lostlight.core.errors import ConfigError
from lostlight.io import plan_file
from lostlight.vocab.plan import COLUMNS, PlanRow

ROWS = [
    PlanRow("master_bias", "master_bias_g100", reason="7 frames"),
    PlanRow(
        "light",
        "m31, first",
        "lights/m31, first.fits",
        "light_R",
        bias="master_bias_g100",
        distance=0.25,
        reason="a; b",
    ),
    PlanRow("bias", "bias_001", "bias_001.fits", "master_bias_g100"),
]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(ConfigError) as caught:
        plan_file.read(path)
    return caught.value


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "plan.csv"

    plan_file.write(path, ROWS)
    rows = plan_file.read(path)

    assert [row.line for row in rows] == [2, 3, 4]
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    # distance is for the reader alone
    assert [(row.kind, row.id, row.path, row.group, row.bias, row.reason) for row in rows] == [
        (row.kind, row.id, row.path, row.group, row.bias, row.reason) for row in ROWS
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_choose_their_separator_and_leave_blank_lines(tmp_path, separator):
    lines = [
        ["group", "id", "kind", "distance", ""],
        ["", "", "", "", ""],
        [" master_bias ", "b1", "Bias", "0,25" if separator != "," else "", ""],
    ]
    path = write(tmp_path / "plan.csv", "\ufeff" + "\r\n".join(separator.join(line) for line in lines) + "\r\n")

    (row,) = plan_file.read(path)

    assert (row.kind, row.id, row.group, row.line) == ("bias", "b1", "master_bias", 3)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "line 1: there is no column kind", "columns: kind, id"),
        ("kind,id\nbias,b1\n", "line 1: there is no column group", "columns"),
        ("kind,id,group,drak\n", "line 1: unknown column 'drak'", "did you mean dark?"),
        ("kind,id,group,id\n", "line 1: column id is there twice", "remove"),
        ("kind,id,group\nbias,b1,m\nbais,b2,m\n", "line 3: unknown kind 'bais'", "did you mean bias?"),
        ("kind,id,group\nzzz,b2,m\n", "line 2: unknown kind 'zzz'", "it is one of master_bias"),
        ("kind,id,group\nbias,,m\n", "line 2: a bias without id", "give it one"),
        ("kind,id,group\nbias,b1,m\nbias,b1,n\n", "line 3: b1 is there twice, first in line 2", "one master"),
        ("kind,id,group\nmaster_bias,m,\nmaster_dark,M,\n", "line 3: M is there twice, first in line 2", ""),
        ("kind,id,group\nbias,b1,m,surplus\n", "line 2: 4 cells, and 3 columns", "quotes"),
    ],
)
def test_what_is_mistyped_is_told(tmp_path, text, said, hint):
    error = refused(write(tmp_path / "mine.csv", text))

    assert error.message.startswith("mine.csv, ")
    assert said in error.message and hint in error.hint


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    (tmp_path / "plan.csv").write_bytes(b"kind,id\xff\xfe")

    assert "cannot be read" in refused(tmp_path / "plan.csv").message
    assert "cannot be read" in refused(tmp_path / "none.csv").message
