"""The lots as CSV: what spreadsheets do to it is understood, what people mistype is told with its line."""

import pytest

from lostlight.core.errors import ConfigError
from lostlight.io import lots_file

LOTS = {"m31_001": "L001", "m31, second": "L001", "m31_003": "L002", "m31_004": ""}


def refused(path, text, frames=LOTS):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        lots_file.read(path, frames)
    return caught.value


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "lots.csv"

    lots_file.write(path, LOTS)

    assert path.read_text().splitlines()[:3] == ["frame,lot", "m31_001,L001", '"m31, second",L001']
    assert lots_file.read(path, LOTS) == LOTS
    assert list(lots_file.read(path, set(LOTS))) == list(LOTS)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_choose_their_separator_and_leave_empty_cells(tmp_path, separator):
    lines = [["Lot", " Frame", ""], ["", "", ""], ["a", "one ", ""], ["", "two", ""]]
    path = tmp_path / "lots.csv"
    path.write_text("\ufeff" + "\r\n".join(separator.join(line) for line in lines) + "\r\n", encoding="utf-8")

    assert lots_file.read(path, ["one", "two"]) == {"one": "a", "two": ""}


@pytest.mark.parametrize(
    ("text", "said", "hint", "line"),
    [
        ("", "line 1: there is no column frame", "columns: frame, lot", 1),
        ("frame\nm31_001\n", "line 1: there is no column lot", "columns", 1),
        ("frame,lot,lto\n", "line 1: unknown column 'lto'", "columns", 1),
        ("frame,lot,lot\n", "line 1: column lot is there twice", "columns", 1),
        ("frame,lot\nm31_001,L1\nm31_03,L1\n", "line 3: there is no frame 'm31_03'", "did you mean m31_003?", 3),
        ("frame,lot\nzzzz,L1\n", "line 2: there is no frame 'zzzz'", "it is one of m31, second", 2),
        ("frame,lot\n,L1\n", "line 2: there is no frame ''", "", 2),
        ("frame,lot\nm31_001,a\nm31_001,b\n", "line 3: m31_001 is there twice, first in line 2", "one lot", 3),
        ("frame,lot\nm31_001,a,surplus\n", "line 2: 3 cells", "quotes", 2),
        ("frame,lot\nm31_001\n", "line 2: 1 cells", "quotes", 2),
        ("frame,lot\nm31_001,../x\n", "line 2: lot '../x' has a name", "letters, digits", 2),
        ("frame,lot\nm31_001,a\nm31_003,A\n", "line 3: lot A is written a in line 2", "alike", 3),
    ],
)
def test_what_is_mistyped_is_told(tmp_path, text, said, hint, line):
    error = refused(tmp_path / "mine.csv", text)

    assert error.message.startswith(f"mine.csv, {said}")
    assert hint in error.hint and error.facts["line"] == line


def test_frames_that_are_missing_are_counted(tmp_path):
    error = refused(tmp_path / "mine.csv", "frame,lot\nm31_001,a\nm31_003,a\n")

    assert error.message == "mine.csv has no row for m31, second and 1 more"
    assert "an empty lot leaves the frame out" in error.hint and error.facts["n_missing"] == 2
    assert "has no row for b" in refused(tmp_path / "mine.csv", "frame,lot\na,x\n", ["a", "b"]).message


def test_a_plan_that_leaves_nothing_is_refused(tmp_path):
    assert "leaves out every frame" in refused(tmp_path / "mine.csv", "frame,lot\na,\nb,\n", ["a", "b"]).message


def test_many_frames_are_not_all_listed(tmp_path):
    error = refused(tmp_path / "mine.csv", "frame,lot\nzzzz,x\n", [f"f{k:03d}" for k in range(500)])

    assert error.hint == "it is one of f000, f001, f002, f003, f004 …"


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    (tmp_path / "lots.csv").write_bytes(b"frame,lot\xff\xfe")

    for name in ("lots.csv", "none.csv"):
        with pytest.raises(ConfigError, match="cannot be read"):
            lots_file.read(tmp_path / name, LOTS)
