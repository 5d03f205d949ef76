"""One polite way to ask a service: named, slow enough, validated, asked again with growing pauses, remembered.

ask    = fetch, remembered by query
fetch  = attempt + check, again after a pause while the error may pass
attempt = one request that holds one of the few connections to that service
"""

import email.utils
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import requests
import stamina
import urllib3

from lostlight import __version__
from lostlight.core.errors import BadImage, ConfigError, RemoteDown, RemoteRefused, RemoteTruncated
from lostlight.io import cache as store

Check = Callable[[bytes], object]

USER_AGENT = f"lostlight/{__version__} (search for vanished sources; polite client)"
SKY = "sky:"
_CONNECT_TIMEOUT_S = 20
_LONGEST_PAUSE_S = 120
_SLOWEST_BYTES_PER_S = 500
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Policy:
    """How to ask: nothing here changes an answer."""

    retries: int = 5
    backoff: float = 1.5
    timeout_s: float = 60
    min_interval_s: float = 0.5
    max_connections: int = 4
    pause_s: float = 1
    offline: bool = False
    refresh: bool = False

    @classmethod
    def of(cls, params: object) -> "Policy":
        """Take from a section of the configuration what it says of these."""
        return cls(**{field.name: getattr(params, field.name) for field in fields(cls) if hasattr(params, field.name)})


def resolve(service: str) -> str:
    """Turn ``sky:<seed>`` into the address of the running simulated sky; other addresses stay as they are.

    Raises
    ------
    ConfigError
        If no sky of that seed is being served.
    """
    if not service.startswith(SKY):
        return service
    served = json.loads(os.environ.get("LOSTLIGHT_SKY") or "{}")
    if (seed := service.removeprefix(SKY)) not in served:
        raise ConfigError(
            f"the simulated sky {service} is not being served (running: {', '.join(sorted(served)) or 'none'})",
            hint=f"start the run with lostlight, or `lostlight sky serve --seed {seed}` and give its address as url",
        )
    return str(served[seed])


def identity(service: str) -> str:
    """Name a service for the cache: a simulated sky with its revision, so that another one is not taken for it."""
    return f"{service}@{os.environ.get('LOSTLIGHT_SKY_REVISION', '')}" if service.startswith(SKY) else service


def ask(
    service: str,
    path: str,
    policy: Policy,
    *,
    params: Mapping[str, object] | None = None,
    body: str = "",
    check: Check = lambda _: None,
) -> store.Answer:
    """Ask a service and remember the answer; see `fetch`."""
    query = {"service": identity(service), "path": path, "params": dict(params or {}), "body": body}
    return store.remembered(
        query,
        lambda: fetch(service, path, policy, params=params, body=body, check=check),
        offline=policy.offline,
        refresh=policy.refresh,
    )


def fetch(
    service: str,
    path: str,
    policy: Policy,
    *,
    params: Mapping[str, object] | None = None,
    body: str = "",
    check: Check = lambda _: None,
) -> bytes:
    """Ask a service until `check` accepts the answer, at most ``policy.retries`` times again.

    Parameters
    ----------
    service : str
        Address, or ``sky:<seed>``.
    path : str
        Appended where the address has no path of its own.
    params, body
        The query of a GET, or the body of a POST.
    check : callable
        Raises for content that is not acceptable.

    Raises
    ------
    RemoteDown, RemoteRefused, RemoteTruncated
        If there was no answer, a refusal (4xx, asked once only), or less than was announced.
    Exception
        What `check` raised last.
    """
    if policy.offline:
        raise store.offline_miss({"service": service, "params": dict(params or {}), "body": body})
    attempts = stamina.retry_context(
        on=_may_pass,
        attempts=policy.retries + 1,
        timeout=None,
        wait_initial=policy.pause_s,
        wait_max=_LONGEST_PAUSE_S,
        wait_jitter=policy.pause_s / 2,
        wait_exp_base=policy.backoff,
    )
    for attempt in attempts:
        with attempt:
            content = _attempt(service, path, policy, params, body)
            check(content)
    return content


def _may_pass(error: Exception) -> bool | float:
    """Decide whether to ask again: True, False, or the pause in seconds that the service asked for."""
    if isinstance(error, RemoteDown) and (pause_s := error.facts.get("retry_after_s")) is not None:
        return min(float(pause_s), _LONGEST_PAUSE_S)
    if isinstance(error, RemoteTruncated) and "rows" in error.facts:
        return False  # a limit on rows would be met again
    return isinstance(error, RemoteDown | RemoteTruncated | BadImage)


def _attempt(service: str, path: str, policy: Policy, params: Mapping[str, object] | None, body: str) -> bytes:
    base = resolve(service)
    address = base if urlsplit(base).path.strip("/") else base.rstrip("/") + path
    is_local = urlsplit(base).hostname in ("127.0.0.1", "localhost", "::1")
    with _polite(service, policy, is_own=service.startswith(SKY)):
        try:
            with _session(os.getpid(), is_local).request(
                "POST" if body else "GET",
                address,
                params=params,
                data=body.encode() or None,
                timeout=(_CONNECT_TIMEOUT_S, policy.timeout_s),
                stream=True,
            ) as response:
                _check_status(service, response)
                return _read(service, response, policy.timeout_s)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(broken := error.args[-1] if error.args else None, urllib3.exceptions.IncompleteRead):
                raise _truncated(service, broken.partial, broken.expected) from error
            raise RemoteDown(
                f"{service} does not answer: {_plain(error)}",
                hint="is the network up? try later, or set `offline: true` to use the cache only",
                service=service,
            ) from error


def _check_status(service: str, response: requests.Response) -> None:
    status = response.status_code
    if status == requests.codes.ok:
        return
    facts: dict[str, str | int | float] = {"service": service, "status": status}
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        if (pause_s := _retry_after_s(response.headers.get("Retry-After", ""))) is not None:
            facts["retry_after_s"] = pause_s
        raise RemoteDown(f"{service} is busy or broken: status {status}", hint="try again later", **facts)
    raise RemoteRefused(f"{service} refused: status {status}", hint="check the address and the query", **facts)


def _retry_after_s(text: str) -> float | None:
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _read(service: str, response: requests.Response, timeout_s: float) -> bytes:
    """Read the body as it drips in; a service that keeps just awake enough not to time out is given up."""
    started_s, content = time.monotonic(), bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        content += chunk
        elapsed_s = time.monotonic() - started_s
        if elapsed_s > timeout_s and len(content) < elapsed_s * _SLOWEST_BYTES_PER_S:
            raise RemoteDown(
                f"{service} sends too slowly: less than {_SLOWEST_BYTES_PER_S} bytes a second for {timeout_s:g} s",
                hint="try again later, or raise timeout_s",
                service=service,
            )
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and "Content-Encoding" not in response.headers and len(content) < int(announced):
        raise _truncated(service, len(content), int(announced) - len(content))
    return bytes(content)


def _truncated(service: str, received: int, missing: int | None) -> RemoteTruncated:
    return RemoteTruncated(
        f"{service} broke off after {received} bytes, {missing} were still to come",
        hint="try again later",
        service=service,
        bytes=received,
    )


@cache
def _session(_process: int, is_local: bool) -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    session.trust_env = not is_local  # a proxy cannot reach a server of this machine
    return session


@contextmanager
def _polite(service: str, policy: Policy, *, is_own: bool) -> Iterator[None]:
    """Hold one of the few connections to a service, not sooner than the interval after the request before."""
    folder = store.root() / "polite"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", service)
    with ExitStack() as stack:
        _slot(stack, folder, name, policy.max_connections)
        if not is_own:  # an interval is owed to other people's machines
            _wait_turn(folder / f"{name}.turn", policy.min_interval_s)
        yield


def _slot(stack: ExitStack, folder: Path, name: str, n_slots: int) -> None:
    streams = [stack.enter_context((folder / f"{name}.{slot}").open("w")) for slot in range(n_slots)]
    while not any(_try_lock(stream) for stream in streams):
        time.sleep(0.02)


def _try_lock(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_turn(path: Path, interval_s: float) -> None:
    with path.open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        last_s = float(stream.read() or 0)
        # The clock may have been set back: never wait longer than the interval.
        time.sleep(min(max(0.0, last_s + interval_s - time.time()), interval_s))
        stream.truncate(0)
        stream.write(repr(time.time()))


def _plain(error: Exception) -> str:
    """Name an error without addresses of objects, hosts and ports, which differ from run to run."""
    text = str(error).lower()
    for sign, words in (
        ("timed out", "no answer in time"),
        ("refused", "connection refused"),
        ("resolve", "no such host"),
    ):
        if sign in text:
            return words
    return type(error).__name__
