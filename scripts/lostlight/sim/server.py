"""A local server that speaks the archives' protocols: the DSS cutouts of STScI and ESO, VizieR, SkyBoT.

The demo and the tests ask it with the same client code that asks the real services, and it can do wrong whatever they
do wrong (`lostlight.sim.faults`).

    /cgi-bin/dss_search                          v r d e h w f c       FITS cutout
    /dss/dss                                     ra dec x y            FITS cutout
    /viz-bin/votable, /viz-bin/asu-tsv           -source -c -c.r ...   catalogue rows
    /webservices/skybot/api/conesearch.php       -ep -ra -dec -rs      solar-system bodies
"""

import gzip
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.errors import LostlightError
from lostlight.sim import protocols
from lostlight.sim.faults import Fault, Faults

_KEPT_CUTOUTS = 16
_DRIP_S = 0.02
_HTML = b"<html><head><title>Error</title></head><body><h1>Your request could not be processed</h1></body></html>\n"


class SkyLike(Protocol):
    """What the server needs of a sky."""

    def cutout(self, ra_deg: float, dec_deg: float, w_arcmin: float, h_arcmin: float) -> tuple[np.ndarray, Header]:
        """Give an image of the plate, shape (ny, nx), int16, and its header."""

    def catalogue(
        self,
        vizier_id: str,
        ra_deg: float,
        dec_deg: float,
        radius_deg: float | None = None,
        box_deg: tuple[float, float] | None = None,
    ) -> Table:
        """Give the rows of a catalogue in a cone or box, columns named as in VizieR."""

    def solar_system(self, ra_deg: float, dec_deg: float, radius_deg: float, jd: float) -> Table:
        """Give the solar-system bodies in a cone at an epoch, columns named as by SkyBoT."""


@dataclass
class Server:
    """A running server: its address, its sky, its faults, and what it was asked."""

    sky: SkyLike
    faults: Faults
    base_url: str = ""
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    _counts: Counter = field(default_factory=Counter)
    _cutouts: OrderedDict = field(default_factory=OrderedDict)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _rendering: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def count(self, service: str, query: Mapping[str, str]) -> int:
        """Note a request; gives its number among those to the same service, from 0."""
        with self._counting:
            self.requests.append((service, query))
            self._counts[service] += 1
            return self._counts[service] - 1

    def wait(self) -> None:
        """Wait until the server is closed, or interrupted."""
        self._closing.wait()

    def dss(self, query: Mapping[str, str], faults: Mapping[str, Fault]) -> bytes:
        """Answer a request for a cutout."""
        ra, dec, width, height = _cutout_request(query)
        if "empty" in faults:
            return b""
        key = (ra, dec, width, height)
        # One image at a time: rendering is heavy, and the same tile may be asked for twice at once.
        with self._rendering:
            if key not in self._cutouts:
                self._cutouts[key] = self.sky.cutout(ra, dec, width, height)
            self._cutouts.move_to_end(key)
            while len(self._cutouts) > _KEPT_CUTOUTS:
                self._cutouts.popitem(last=False)
            data, header = self._cutouts[key]
        content = protocols.image(data, header, faults)
        asked_gzip = query.get("c") == "gzip" or query.get("mime-type") == "application/x-gfits"
        return gzip.compress(content, compresslevel=1, mtime=0) if asked_gzip or "gzip" in faults else content

    def vizier(self, query: Mapping[str, str], faults: Mapping[str, Fault]) -> bytes:
        """Answer a catalogue query with a VOTable."""
        table, is_cut = self._rows(query, faults)
        return protocols.votable(table, query["-source"], is_cut=is_cut, is_bare="empty" in faults)

    def vizier_tsv(self, query: Mapping[str, str], faults: Mapping[str, Fault]) -> bytes:
        """Answer a catalogue query with tab-separated values."""
        return protocols.tsv(self._rows(query, faults)[0], query["-source"])

    def _rows(self, query: Mapping[str, str], faults: Mapping[str, Fault]) -> tuple[Table, bool]:
        ra, dec = protocols.position(query["-c"])
        with self._rendering:
            rows = self.sky.catalogue(query["-source"], ra, dec, **protocols.extent_deg(query))
        return protocols.select(rows, query, faults)

    def skybot(self, query: Mapping[str, str], faults: Mapping[str, Fault]) -> bytes:
        """Answer a query for solar-system bodies; none is a valid answer."""
        radius_deg = float(query["-rd"]) if "-rd" in query else float(query["-rs"]) / 3600
        with self._rendering:
            table = self.sky.solar_system(float(query["-ra"]), float(query["-dec"]), radius_deg, float(query["-ep"]))
        found = protocols.bodies(table[:0] if "header_only" in faults else table)
        return protocols.votable(found, "SkyBoT", is_bare="empty" in faults)


@contextmanager
def serve(sky: int | SkyLike, port: int = 0, faults: Faults | None = None) -> Iterator[Server]:
    """Serve a sky on this machine until the context ends; ``server.base_url`` is its address.

    Parameters
    ----------
    sky : int or sky
        Seed of a simulated sky, or anything with its methods.
    port : int
        0 takes a free one.
    faults : Faults, optional
        What the server shall do wrong.

    Raises
    ------
    LostlightError
        If the port is taken.
    """
    server = Server(_sky(sky), faults or Faults())
    try:
        listener = _Listener(port, server)
    except OSError as error:
        raise LostlightError(
            f"port {port} cannot be opened: {error.strerror}", hint="choose another port, or 0 for any free one"
        ) from error
    server.base_url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._closing.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def _sky(sky: int | SkyLike) -> SkyLike:
    if not isinstance(sky, int):
        return sky
    from lostlight.sim.sky import Sky

    return Sky(sky)


def _cutout_request(query: Mapping[str, str]) -> tuple[float, float, float, float]:
    if "r" in query:  # STScI
        size = (query.get("w", "15"), query.get("h", "15"))
        return float(query["r"]), float(query["d"]), float(size[0]), float(size[1])
    return float(query["ra"]), float(query["dec"]), float(query.get("x", "15")), float(query.get("y", "15"))


def _place(query: Mapping[str, str]) -> tuple[float, float]:
    """Find the position a query is about, whatever the service calls it."""
    if "-c" in query:
        return protocols.position(query["-c"])
    ra, dec = next(pair for pair in (("r", "d"), ("ra", "dec"), ("-ra", "-dec")) if pair[0] in query)
    return float(query[ra]), float(query[dec])


_ROUTES: Mapping[str, tuple[str, str, Callable[[Server, Mapping[str, str], Mapping[str, Fault]], bytes]]] = {
    "/cgi-bin/dss_search": ("dss", "image/x-fits", Server.dss),
    "/dss/dss": ("dss", "image/x-gfits", Server.dss),
    "/viz-bin/votable": ("vizier", "text/xml", Server.vizier),
    "/viz-bin/asu-tsv": ("vizier", "text/tab-separated-values", Server.vizier_tsv),
    "/webservices/skybot/api/conesearch.php": ("skybot", "text/xml", Server.skybot),
}
"""Path: service, type of content, and the method that answers."""


class _Listener(ThreadingHTTPServer):
    """The socket, and the sky behind it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, site: Server) -> None:
        self.site = site
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; everything else is a bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        # astroquery posts one key=value per line; a form would join them with &.
        pairs = [line.partition("=")[::2] for line in body.splitlines()] if "\n" in body else parse_qsl(body)
        self._answer(dict(pairs))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (name of the base class)
        """Say nothing: what was asked is in `Server.requests`."""

    def _answer(self, query: dict[str, str]) -> None:
        path, site = urlsplit(self.path).path, self.server.site
        if path not in _ROUTES:
            self._send(404, "text/html", _HTML, {})
            return
        service, content_type, answer = _ROUTES[path]
        try:
            faults = site.faults.of(service, site.count(service, query), *_place(query))
            if (status := _refusal(faults)) is not None:
                self._send(status, "text/html", _HTML, faults)
            else:
                self._send(200, content_type, answer(site, query, faults), faults)
        except (LostlightError, KeyError, ValueError, StopIteration):
            # A query the archive cannot read, or a place without a plate: a page of apology, status 200.
            self._send(200, "text/html", _HTML, {})

    def _send(self, status: int, kind: str, content: bytes, faults: Mapping[str, Fault]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if busy := faults.get("busy429") or faults.get("busy503"):
            self.send_header("Retry-After", f"{busy.value:g}")
        self.end_headers()
        self.close_connection = "broken_off" in faults
        try:
            if "drip" in faults:
                self._drip(content)
            else:
                self.wfile.write(content[: len(content) // 2] if "broken_off" in faults else content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client had enough

    def _drip(self, content: bytes) -> None:
        for start in range(0, len(content), 2):
            if self.server.site._closing.wait(_DRIP_S):
                break
            self.wfile.write(content[start : start + 2])
            self.wfile.flush()


def _refusal(faults: Mapping[str, Fault]) -> int | None:
    statuses = {"busy429": 429, "busy503": 503, "refused404": 404, "html200": 200}
    return next((status for kind, status in statuses.items() if kind in faults), None)
