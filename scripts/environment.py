"""The project's own environment: `python scripts/one2pass.py` works whichever Python starts it."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def enter() -> None:
    """Go on in the environment that make has made, where this Python does not have Lostlight installed."""
    if all(importlib.util.find_spec(name) for name in ("lostlight", "click", "snakemake")):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if not python.is_file():
        sys.exit(f"{Path(sys.argv[0]).name}: Lostlight is not installed yet\n  → run `make demo` once; it installs it")
    os.execv(python, [str(python), *sys.argv])
