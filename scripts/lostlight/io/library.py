"""Masters of earlier runs: files kept under their sha256, a record beside each, nothing ever deleted."""

import difflib
import fcntl
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lostlight.core import atomic
from lostlight.core.errors import ConfigError, ContractError

SCHEMA = "master/1"

_KEY = (
    "imagetyp", "camera_id", "naxis1", "naxis2", "bayerpat", "xbin", "ybin", "readmode", "gain_setting", "offset",
    "calstat", "filter", "optics_id",
)  # fmt: skip
"""What two masters share if the later one is a new version of the earlier one; exposure and temperature join."""


@dataclass(frozen=True)
class Entry:
    """One master of the library."""

    id: str
    """first letters of the sha256, as many as tell it from others"""
    sha256: str
    name: str
    """what the run called it"""
    frame: Mapping[str, Any]
    """what is known of it, under the names of the frames table; what is not known is left out"""
    run_id: str = ""
    """run that made it"""
    method: Mapping[str, Any] = field(default_factory=dict)
    """how it was made, as the run told it"""
    stats: Mapping[str, Any] = field(default_factory=dict)
    """its numbers, as the run told them"""
    tags: tuple[str, ...] = ()
    version: int = 1
    """1 for the first master of a camera with these settings, then counted"""
    is_archived: bool = False
    """not offered any more"""
    added: str = ""
    """day on which it came, UTC"""
    schema: str = SCHEMA


class Library:
    """A folder with masters; safe for many processes at once.

    ``objects/ab/abcd….fits`` are the files, ``records/<sha256>.json`` what is known of them. A record is replaced as a
    whole, so readers need no lock.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, path: Path, name: str, frame: Mapping[str, Any], **more: Any) -> Entry:
        """Take a copy of a master; one that is there already keeps its record.

        Parameters
        ----------
        path : Path
            The FITS file.
        name : str
            What the run calls it.
        frame : mapping
            Its values under the names of the frames table; NaN and empty text are left out.
        **more
            run_id, method and stats of the `Entry`.

        Raises
        ------
        OSError
            If the file cannot be read, or the library not written.
        """
        sha256 = atomic.sha256_file(path)
        with self._locked():
            there = {entry.sha256: entry for entry in self.entries(archived=True)}
            if sha256 in there:
                return there[sha256]
            plain = {key: value for key, value in frame.items() if _is_known(value)}
            versions = [entry.version for entry in there.values() if _key(entry.frame) == _key(plain)]
            # The file goes first, under its own hash: a record never names a file that is not there.
            with atomic.replacing(self._object(sha256)) as staging:
                shutil.copyfile(path, staging)
            entry = Entry(
                id=_short(sha256, there), sha256=sha256, name=name, frame=plain,
                version=max(versions, default=0) + 1, added=datetime.now(UTC).date().isoformat(), **more,
            )  # fmt: skip
            self._write(entry)
        return entry

    def entries(self, archived: bool = False) -> list[Entry]:
        """Give all masters, in order of kind, name and version; archived ones only if asked for.

        Raises
        ------
        ContractError
            If a record cannot be read.
        """
        found = [_read(path) for path in (self.root / "records").glob("*.json")]
        kept = [entry for entry in found if archived or not entry.is_archived]
        return sorted(kept, key=lambda entry: (str(entry.frame.get("imagetyp")), entry.name, entry.version, entry.id))

    def find(self, entry_id: str) -> Entry:
        """Give the master whose id or sha256 begins like this.

        Raises
        ------
        ConfigError
            If there is none, or more than one; the nearest ids are named.
        """
        every = self.entries(archived=True)
        found = [entry for entry in every if entry_id and entry.sha256.startswith(entry_id.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(entry.sha256[:16] for entry in found)
            raise ConfigError(f"{entry_id} is the beginning of {len(found)} masters", hint=f"say more of it: {ids}")
        near = difflib.get_close_matches(entry_id, [entry.id for entry in every], n=3, cutoff=0.0)
        hint = f"nearest: {', '.join(near)}" if near else "the library is empty"
        raise ConfigError(f"there is no master {entry_id} in {self.root}", hint=hint)

    def path(self, entry: Entry) -> Path:
        """Give the file of a master; raises ContractError if it is gone."""
        path = self._object(entry.sha256)
        if not path.is_file():
            raise ContractError(f"the file of master {entry.id} ({entry.name}) is gone", hint=f"put it back: {path}")
        return path

    def tag(self, entry_id: str, tags: Iterable[str]) -> Entry:
        """Add tags to a master; one that begins with a minus is taken away."""
        asked = list(tags)

        def tagged(entry: Entry) -> Entry:
            kept = {*entry.tags, *(tag for tag in asked if not tag.startswith("-"))}
            return replace(entry, tags=tuple(sorted(kept - {tag[1:] for tag in asked if tag.startswith("-")})))

        return self._change(entry_id, tagged)

    def archive(self, entry_id: str) -> Entry:
        """Offer a master no more; file and record stay."""
        return self._change(entry_id, lambda entry: replace(entry, is_archived=True))

    def unarchive(self, entry_id: str) -> Entry:
        """Offer a master again."""
        return self._change(entry_id, lambda entry: replace(entry, is_archived=False))

    def _change(self, entry_id: str, changed: Any) -> Entry:
        with self._locked():
            entry: Entry = changed(self.find(entry_id))
            self._write(entry)
        return entry

    def _object(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / f"{sha256}.fits"

    def _write(self, entry: Entry) -> None:
        atomic.write_json(self.root / "records" / f"{entry.sha256}.json", asdict(entry))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _read(path: Path) -> Entry:
    try:
        content = json.loads(path.read_bytes())
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r} is not {SCHEMA}")
        return Entry(**{**content, "tags": tuple(content["tags"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path} is not the record of a master: {error}", hint="move it away") from error


def _key(frame: Mapping[str, Any]) -> tuple[Any, ...]:
    exptime, temperature = frame.get("exptime_s"), frame.get("ccd_temp_c")
    is_timed = frame.get("imagetyp") in ("dark", "flat_dark")
    return (
        *(frame.get(name) for name in _KEY),
        round(exptime, 1) if is_timed and exptime is not None else None,
        round(temperature) if is_timed and temperature is not None else None,
    )


def _is_known(value: Any) -> bool:
    return value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _short(sha256: str, there: Iterable[str]) -> str:
    """Give the shortest beginning of eight letters or more that no other master shares."""
    taken = [other for other in there if other != sha256]
    return next(sha256[:n] for n in range(8, 65) if not any(other.startswith(sha256[:n]) for other in taken))
