"""One logger for people and one for programs; every line knows its run, step and unit."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_PLACE: ContextVar[tuple[str, str, str]] = ContextVar("place", default=("", "", ""))


class _Place(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.run, record.step, record.unit = _PLACE.get()
        return True


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        names = ("run", "step", "unit")
        fields = {name: getattr(record, name) for name in names if getattr(record, name)}
        content = {"level": record.levelname, "logger": record.name, **fields, "message": record.getMessage()}
        return json.dumps(content, sort_keys=True)


class _People(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        place = " ".join(filter(None, (record.step, record.unit)))  # type: ignore[attr-defined]
        mark = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"{place}: {mark}{record.getMessage()}" if place else f"{mark}{record.getMessage()}"


def set_up(json_lines: Path | None = None) -> None:
    """Send messages to stderr for people and, if asked, to a file of JSON lines for programs."""
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.INFO)
    _attach(logging.StreamHandler(sys.stderr), _People())
    if json_lines is not None:
        json_lines.parent.mkdir(parents=True, exist_ok=True)
        _attach(logging.FileHandler(json_lines, mode="w"), _JsonLines())
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    warnings.simplefilter("default")


@contextmanager
def place(run: str = "", step: str = "", unit: str = "") -> Iterator[None]:
    """Stamp every message within with a run, a step and a unit."""
    above = _PLACE.get()
    chosen = (run or above[0], step or above[1], unit or above[2])
    token = _PLACE.set(chosen)
    try:
        yield
    finally:
        _PLACE.reset(token)


def _attach(handler: logging.Handler, formatter: logging.Formatter) -> None:
    handler.setFormatter(formatter)
    handler.addFilter(_Place())
    logging.getLogger().addHandler(handler)
