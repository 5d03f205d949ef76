"""Known solar-system bodies around a position at an epoch, from SkyBoT (Berthier et al. 2006, IMCCE)."""

import numpy as np
from astropy.table import Table

from lostlight.io import http, vizier
from lostlight.io.angles import as_degrees

SERVICE = "https://ssp.imcce.fr"
PATH = "/webservices/skybot/api/conesearch.php"
PALOMAR = "675"
"""Code of the observatory in the list of the Minor Planet Center."""

_NUMBERS = {
    "rate_ra_arcsec_h": "dracosdec",
    "rate_dec_arcsec_h": "ddec",
    "mag_v": "magV",
    "error_arcsec": "errpos",
}


def cone(
    ra_deg: float,
    dec_deg: float,
    radius_deg: float,
    epoch_jd: float,
    *,
    observatory: str = PALOMAR,
    max_error_arcsec: float = 120,
    url: str = "",
    policy: http.Policy | None = None,
) -> Table:
    """Give the bodies within a cone at an epoch; none is a valid answer.

    Parameters
    ----------
    ra_deg, dec_deg, radius_deg : float
        The cone, ICRS; at most 10 degrees.
    epoch_jd : float
        Julian date, UTC.
    observatory : str
        IAU code of the observer.
    max_error_arcsec : float
        Bodies with worse ephemerides are left out.
    url : str
        Another service, ``sky:<seed>`` included.
    policy : Policy, optional
        Retries, pauses, interval, cache.

    Returns
    -------
    Table
        name, ra_deg, dec_deg, rate_ra_arcsec_h (times cos dec), rate_dec_arcsec_h, mag_v, error_arcsec; missing
        numbers are NaN.

    Raises
    ------
    RemoteError
        If the service gives no usable answer.
    """
    service = url or SERVICE
    params = {
        "-ra": f"{ra_deg:.6f}",
        "-dec": f"{dec_deg:.6f}",
        "-rd": f"{radius_deg:.6f}",
        "-ep": f"{epoch_jd:.6f}",
        "-loc": observatory,
        "-filter": f"{max_error_arcsec:g}",
        "-objFilter": "111",
        "-refsys": "EQJ2000",
        "-output": "all",
        "-mime": "votable",
    }
    answer = http.ask(
        service, PATH, policy or http.Policy(), params=params, check=lambda content: vizier.parse(content, service)
    )
    raw = vizier.parse(answer.content, service, by_id=True)
    if not len(raw):
        return Table(
            {"name": np.array([], dtype="U1"), **{name: np.array([]) for name in ("ra_deg", "dec_deg", *_NUMBERS)}}
        )
    ra, dec = as_degrees(raw["ra"], is_ra=True), as_degrees(raw["de"], is_ra=False)
    positions = {"ra_deg": np.asarray(ra, dtype=float), "dec_deg": np.asarray(dec, dtype=float)}
    numbers = {ours: np.ma.filled(np.ma.asarray(raw[theirs], dtype=float), np.nan) for ours, theirs in _NUMBERS.items()}
    return Table({"name": np.asarray(raw["name"]).astype("U"), **positions, **numbers})
