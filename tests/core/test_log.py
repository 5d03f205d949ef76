"""Messages for people, and the same as JSON lines for programs."""

import json
import subprocess
import sys


def test_a_step_says_the_same_to_people_and_to_programs(tmp_path):
    table, lines = tmp_path / "positions.csv", tmp_path / "logs" / "00_tiles.jsonl"
    table.write_text("ra_deg,dec_deg\n150,20\n")
    params = json.dumps({"mode": "single", "positions_csv": str(table)})
    out = tmp_path / "a_run" / "00_tiles" / "manifest.json"
    command = [sys.executable, "-m", "lostlight", "step", "00_tiles", "-o", out, "-p", params, "--log", lines]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in lines.read_text().splitlines()]
    assert "1 ok, 0 skipped, 0 failed" in done.stderr
    assert said[-1] == {
        "level": "INFO",
        "logger": "lostlight",
        "message": "1 ok, 0 skipped, 0 failed",
        "run": "a_run",
        "step": "00_tiles",
    }
