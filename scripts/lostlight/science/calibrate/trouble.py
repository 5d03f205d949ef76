"""Coded errors and warnings of calibration: every message names its code, so that a report can explain it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lostlight.core.errors import BadImage, ConfigError, Fact, LostlightError, StorageError, UnitError
from lostlight.vocab.calibration import CODES

_CLASSES: dict[str, type[LostlightError]] = {
    "CAL101": ConfigError, "CAL102": ConfigError, "CAL103": ConfigError, "CAL104": ConfigError, "CAL105": ConfigError,
    "CAL106": ConfigError, "CAL107": ConfigError, "CAL109": ConfigError, "CAL110": ConfigError,
    "CAL111": BadImage, "CAL113": StorageError,
}  # fmt: skip


@dataclass(frozen=True)
class Warn:
    """Something the user should know: what, where, the value and the threshold it passed, what to do."""

    code: str
    where: str
    said: str
    value: float | None = None
    threshold: float | None = None
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.where}: {self.said}"

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def refuse(code: str, said: str, hint: str = "", **facts: Fact) -> LostlightError:
    """Make the error of a code, to be raised: ``raise refuse("CAL105", "no dark fits light_7: …")``.

    Parameters
    ----------
    code : str
        One of `lostlight.vocab.calibration.ERRORS`.
    said : str
        What happened, with the offending value, and where.
    hint : str
        What to do, where the hint of the code is not enough.
    """
    kind = _CLASSES.get(code, UnitError)
    return kind(f"{code}: {said}", hint=hint or CODES[code].hint, code=code, **facts)


@contextmanager
def of_frame(frame_id: str) -> Iterator[None]:
    """Name the frame in errors of its data, so that it can be left out."""
    try:
        yield
    except UnitError as error:
        if "frame" in error.facts:
            raise
        code = str(error.facts.get("code", "CAL111"))
        said = f"{code}: {frame_id}: {error.message.removeprefix(f'{code}: ')}"
        raise type(error)(said, error.hint, **{**error.facts, "code": code, "frame": frame_id}) from error


def warn(
    code: str, where: str, said: str, value: float | None = None, threshold: float | None = None, hint: str = ""
) -> Warn:
    """Make the warning of a code; threshold and hint are those of the code where they are not given."""
    known = CODES[code]
    return Warn(code, where, said, value, known.threshold if threshold is None else threshold, hint or known.hint)
