"""Every way a run can go wrong, and what the user should do about it.

    LostlightError                    message, hint, facts, transient, exit_code
    ├── ConfigError              2    the configuration is wrong: which key, what it got, what is allowed
    ├── ContractError            3    a manifest or product is missing, altered or of another schema
    ├── ToolError                5    a program outside this package let us down
    │   ├── ToolMissing               it is not installed
    │   ├── ToolFailed                it ended badly, or said it was fine and was not
    │   └── ToolTimeout               it did not end
    ├── RemoteError              6    an archive or catalogue service let us down
    │   ├── RemoteDown                no answer, 5xx or 429 after every retry (transient)
    │   ├── RemoteRefused             4xx: asking again will not help
    │   ├── RemoteTruncated           fewer bytes or rows than there should be
    │   └── RemoteEmpty               an answer without the content that must be there
    ├── UnitError                4    this unit's data is at fault: recorded, and the run goes on
    │   ├── BadImage                  not FITS, empty, truncated, not two-dimensional, all blank
    │   ├── WrongSurvey               a good image of something else
    │   ├── NoWCS                     neither a plate solution nor a sky projection
    │   ├── BadDate                   an epoch that cannot be read
    │   ├── BadCatalogue              wrong units, missing columns, impossible values
    │   ├── TooFewSources             too few to go on (found, needed)
    │   ├── TooFewStars               too few to register a frame by (found, needed)
    │   ├── BadPSF                    no acceptable model at any degree
    │   ├── BadAstrometry             too few ties, or residuals too large
    │   └── BadMatch                  the match does not survive its own validation
    ├── StorageError             1    the disk is full, or a folder may not be read or written
    └── TooManyFailures          4    raised by the runner alone
    NoWork                            not an error: nothing to do for this unit, and why

A ``RemoteError`` or ``ToolFailed`` raised inside a step fails that unit, like a ``UnitError``;
``ToolMissing`` ends the step. Anything outside this tree is a bug.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Fact = str | int | float | bool | None


STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO})
"""What the operating system says when the fault lies with the disk, and with no program or tile."""


class LostlightError(Exception):
    """Something went wrong that the user can act on.

    Parameters
    ----------
    message : str
        What happened, with the offending value, and where.
    hint : str
        What to do next.
    **facts
        Plain values, so that a report can group failures by cause.
    """

    exit_code = 1
    transient = False

    def __init__(self, message: str, hint: str = "", **facts: Fact) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts: Mapping[str, Fact] = facts

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders; the default pickling would lose the keyword facts.
        return _rebuild, (type(self), self.message, self.hint, dict(self.facts))


def _rebuild(kind: type[LostlightError], message: str, hint: str, facts: dict[str, Fact]) -> LostlightError:
    return kind(message, hint, **facts)


class ConfigError(LostlightError):
    """The configuration, or a command-line argument, is wrong."""

    exit_code = 2


class ContractError(LostlightError):
    """A manifest or product is missing, altered or of another schema."""

    exit_code = 3


class ToolError(LostlightError):
    """A program outside this package let us down."""

    exit_code = 5


class ToolMissing(ToolError):
    """A program is not installed."""


class ToolFailed(ToolError):
    """A program ended badly, or claimed success without its product."""


class ToolTimeout(ToolError):
    """A program did not end in time."""

    transient = True


class RemoteError(LostlightError):
    """An archive or catalogue service let us down."""

    exit_code = 6


class RemoteDown(RemoteError):
    """No answer, or 429 or 5xx, after every retry."""

    transient = True


class RemoteRefused(RemoteError):
    """The service refused the request; asking again will not help."""


class RemoteTruncated(RemoteError):
    """The answer holds fewer bytes or rows than it must."""

    transient = True


class RemoteEmpty(RemoteError):
    """The answer lacks the content that must be there."""


class UnitError(LostlightError):
    """This unit's data is at fault: recorded, and the run goes on; only in a plan it ends the step."""

    exit_code = 4


class BadImage(UnitError):
    """Not FITS, empty, truncated, not two-dimensional, or blank."""


class WrongSurvey(UnitError):
    """A good image, but of another survey."""


class NoWCS(UnitError):
    """An image with neither a plate solution nor a sky projection."""


class BadDate(UnitError):
    """An epoch that cannot be read."""


class BadCatalogue(UnitError):
    """A catalogue with wrong units, missing columns or impossible values."""


class TooFewSources(UnitError):
    """Too few sources to go on."""


class TooFewStars(UnitError):
    """Too few stars to register a frame by."""


class BadPSF(UnitError):
    """No acceptable PSF model at any degree."""


class BadAstrometry(UnitError):
    """Too few ties to the catalogue, or residuals too large."""


class BadMatch(UnitError):
    """A match that does not survive its own validation."""


class StorageError(LostlightError):
    """The disk is full, or a folder may not be read or written."""

    @classmethod
    def of(cls, error: OSError) -> "StorageError":
        """Say what the operating system said, and where."""
        where = Path(str(error.filename)).name if error.filename else "a file of the run"
        return cls(
            f"{where}: {error.strerror or error}",
            hint="make room, or mend the permissions of the folder, and run again; finished tiles are kept",
            errno=error.errno,
        )


class TooManyFailures(LostlightError):
    """More units failed than the run tolerates."""

    exit_code = 4


class NoWork(Exception):
    """There is nothing to do for this unit, and why."""


@contextmanager
def about(file: str) -> Iterator[None]:
    """Name the user's file in errors of its data that do not name it; an empty name changes nothing."""
    try:
        yield
    except UnitError as error:
        if file in error.message:
            raise
        raise type(error)(f"{file}: {error.message}", error.hint, **error.facts) from error


def instead_of(word: str, known: Iterable[str]) -> str:
    """Say what may have been meant by a word that is not known: the nearest that is, or else all of them."""
    import difflib

    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(choices)}"
