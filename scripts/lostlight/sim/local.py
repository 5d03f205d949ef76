"""A simulated sky at hand: started for as long as a step needs it, found by its seed."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lostlight.core.errors import LostlightError

VARIABLE = "LOSTLIGHT_SKY"
"""Environment variable that maps seeds to addresses, as JSON; it reaches every worker of a step."""

REVISION = "LOSTLIGHT_SKY_REVISION"
"""Environment variable by which caches tell the answers of this simulation from those of another version."""


@cache
def revision() -> str:
    """Identify this version of the simulation by its sources."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


@contextmanager
def skies_of(params_json: str) -> Iterator[None]:
    """Serve every sky that parameters name as ``sky:<seed>``, unless it is served already.

    The servers are processes of their own: workers may then be forked safely, and rendering takes no time from them.
    """
    known: dict[str, str] = json.loads(os.environ.get(VARIABLE, "{}"))
    missing = sorted(set(re.findall(r'"sky:(\d+)"', params_json)) - set(known))
    servers = [_start(seed) for seed in missing]
    try:
        addresses = {seed: _address(server) for seed, server in zip(missing, servers, strict=True)}
        os.environ[VARIABLE] = json.dumps({**known, **addresses}, sort_keys=True)
        os.environ[REVISION] = revision()
        yield
    finally:
        os.environ[VARIABLE] = json.dumps(known, sort_keys=True)
        for server in servers:
            server.terminate()
            server.communicate()


def serve_forever(
    seed: int, port: int, faults: Sequence[str], announce: Callable[[str], None], attached: bool = False
) -> None:
    """Serve a sky until interrupted, after its address was announced.

    An `attached` server ends with whoever started it, however that came to an end: it watches its standard input.
    """
    from lostlight.sim.faults import parse
    from lostlight.sim.server import serve

    with serve(seed, port=port, faults=parse(faults)) as server:
        announce(server.base_url)
        if attached:
            sys.stdin.read()
        else:
            server.wait()


def _start(seed: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lostlight", "sky", "serve", "--seed", seed, "--port", "0", "--attached"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stdout
    address = server.stdout.readline().strip()
    if not address.startswith("http"):
        raise LostlightError("the simulated sky did not start", hint="try `lostlight sky serve` to see why")
    return address
