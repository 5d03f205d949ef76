"""Answers kept by what was asked: content-addressed, verified when read, safe for many processes at once."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import Fact, RemoteRefused

Query = Mapping[str, object]


@dataclass(frozen=True)
class Answer:
    """The content of an answer, and whether it differs from what the same question brought before."""

    content: bytes
    is_changed: bool = False


def root() -> Path:
    """Give the cache folder: ``data/cache``, or what the environment variable LOSTLIGHT_CACHE names."""
    return Path(os.environ.get("LOSTLIGHT_CACHE") or "data/cache")


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock called `name` against every other process and thread that uses this cache."""
    path = root() / "locks" / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def remembered(query: Query, ask: Callable[[], bytes], *, offline: bool = False, refresh: bool = False) -> Answer:
    """Give the answer to a query, from the cache where it is there and intact, else by asking.

    Parameters
    ----------
    query : mapping
        Everything that decides the answer, the address of the service included.
    ask : callable
        Brings the validated content.
    offline : bool
        Never ask.
    refresh : bool
        Ask even where the cache has an answer; the answer says whether it changed.

    Raises
    ------
    RemoteRefused
        If `offline` and the cache has no intact answer.
    """
    key = atomic.sha256_json(query)
    with locked(key):
        former = _former(key)
        content = None if refresh and not offline else _stored(former)
        if content is not None:
            return Answer(content)
        if offline:
            raise offline_miss(query)
        content = ask()
        return Answer(content, is_changed=_store(key, query, content) != former != "")


def offline_miss(query: Query) -> RemoteRefused:
    """Make the error for a query whose answer is not in the cache while the network may not be used."""
    return RemoteRefused(
        f"{query.get('service')}: the answer is not in the cache, and offline is set ({_short(query)})",
        hint="set `offline: false` once to fetch it, or bring the cache folder along",
        service=str(query.get("service")),
    )


def keep_rejected(name: str, reason: str, content: bytes, facts: Mapping[str, Fact]) -> str:
    """Keep a rejected answer and why beside it; gives its path inside the cache folder."""
    suffix = ".html" if content.lstrip()[:1] == b"<" else ".bin"
    path = root() / "rejected" / f"{name}.{reason}{suffix}"
    atomic.write_bytes(path, content)
    atomic.write_json(path.with_name(f"{name}.{reason}.json"), {"reason": reason, **facts})
    return f"rejected/{path.name}"


def _former(key: str) -> str:
    """Give the sha256 of the answer on record, empty where there is none."""
    try:
        return str(json.loads((root() / "queries" / key[:2] / f"{key}.json").read_bytes())["sha256"])
    except (FileNotFoundError, ValueError, KeyError):
        return ""


def _stored(sha256: str) -> bytes | None:
    path = _object(sha256)
    if not sha256 or not path.is_file():
        return None
    content = path.read_bytes()
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _store(key: str, query: Query, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    # The body goes first, under its own hash: a record never names a body that is not there, or another one.
    atomic.write_bytes(_object(sha256), content)
    record = {"query": dict(query), "sha256": sha256, "bytes": len(content)}
    atomic.write_json(root() / "queries" / key[:2] / f"{key}.json", record)
    return sha256


def _object(sha256: str) -> Path:
    return root() / "objects" / sha256[:2] / sha256


def _short(query: Query) -> str:
    text = json.dumps(query.get("params") or query.get("body") or "", sort_keys=True)
    return text if len(text) <= 160 else text[:157] + "..."
