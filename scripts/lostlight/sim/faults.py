"""What archives and catalogue services do wrong, each switchable for the local server."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lostlight.core.errors import ConfigError

KINDS = {
    # any service
    "html200": "an HTML error page with status 200",
    "busy429": "status 429, with Retry-After of so many seconds (value)",
    "busy503": "status 503, likewise",
    "refused404": "status 404",
    "broken_off": "the connection closes before the announced length",
    "drip": "a few bytes at a time, for ever",
    "changed": "another answer than before to the same question",
    "empty": "an answer without content: no bytes, or no table",
    # images
    "gzip": "a gzip body that was not asked for",
    "truncated": "a FITS file cut short, its announced length with it",
    "wrong_survey": "a good image of another survey",
    "blank_wedge": "a wedge of the image without emulsion",
    "all_blank": "an image of one value",
    "small": "an image half as wide as asked",
    "date_overflow": "DATE-OBS with minutes of 60 and more",
    "partial_dss": "XPIXELSZ without the plate coefficients, beside a TAN projection",
    "no_wcs": "no sky solution of any kind",
    # tables
    "capped": "rows silently cut at a number (value)",
    "fifty_rows": "rows silently cut at 50",
    "header_only": "a table with its header and no rows",
    "nan_mags": "NaN for every magnitude",
    "sentinel_mags": "99.99 or -999 for every missing magnitude",
    "nan_coordinates": "NaN for the position of one row",
    "duplicate_rows": "every row twice",
    "sexagesimal": "coordinates as hours and degrees, minutes, seconds",
    "half_coverage": "no rows in the eastern half of the field",
}

SERVICES = ("any", "dss", "vizier", "skybot")


@dataclass(frozen=True)
class Fault:
    """One fault of one service, for the requests number `first` to `last` (from 0), or for one place on the sky."""

    kind: str
    service: str = "any"
    first: int = 0
    last: int | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    value: float = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.service not in SERVICES:
            raise ConfigError(
                f"there is no fault {self.kind!r} of service {self.service!r}",
                hint=f"faults: {', '.join(KINDS)}; services: {', '.join(SERVICES)}",
            )

    def strikes(self, service: str, number: int, ra_deg: float, dec_deg: float) -> bool:
        """Tell whether a request meets this fault; a place is met within 0.05 degrees."""
        if self.service not in ("any", service) or number < self.first:
            return False
        if self.last is not None and number > self.last:
            return False
        if self.ra_deg is None or self.dec_deg is None:
            return True
        return abs(self.ra_deg - ra_deg) < 0.05 and abs(self.dec_deg - dec_deg) < 0.05


@dataclass(frozen=True)
class Faults:
    """All faults that are switched on."""

    faults: tuple[Fault, ...] = field(default=())

    def of(self, service: str, number: int, ra_deg: float, dec_deg: float) -> dict[str, Fault]:
        """Give the faults that one request meets, by kind."""
        return {fault.kind: fault for fault in self.faults if fault.strikes(service, number, ra_deg, dec_deg)}


def parse(texts: Iterable[str]) -> Faults:
    """Read faults as ``kind``, ``kind:service`` or ``kind:service:first-last``, each with ``=value`` or without.

    Raises
    ------
    ConfigError
        If one is unknown, or cannot be read.
    """
    return Faults(tuple(_parse_one(text) for text in texts))


def _parse_one(text: str) -> Fault:
    name, _, value = text.partition("=")
    kind, service, span = (*name.split(":"), "", "")[:3]
    first, _, last = span.partition("-")
    try:
        return Fault(kind, service or "any", int(first or 0), int(last) if last else None, value=float(value or 0))
    except ValueError as error:
        raise ConfigError(f"fault {text!r} cannot be read", hint="write kind:service:first-last=value") from error
