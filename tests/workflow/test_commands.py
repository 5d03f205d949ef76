"""Slips of the hand at the command line: each ends with what to do, none with a traceback."""

import pytest
from click.testing import CliRunner

from lostlight.cli import cli


@pytest.mark.parametrize(
    "words",
    [
        "sky serve --port 99999",
        "sky serve --seed -4",
        "parity run --tiles 0",
        "step 03_detect -o manifest.json -j -4",
        "deliver run",
        "show run",
        "verify run",
        "step 03_detect -o manifest.json",
        "step no_such_step -o manifest.json",
        "fold 03_detect nothing.json -o manifest.json",
    ],
)
def test_a_slip_ends_with_what_to_do(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    done = CliRunner().invoke(cli, words.split())
    assert done.exit_code
    assert isinstance(done.exception, SystemExit), done.exception
    assert "→" in done.output or "is not in the range" in done.output
    assert [path.name for path in tmp_path.rglob("*")] == ["run"], "something half-written stays behind"
