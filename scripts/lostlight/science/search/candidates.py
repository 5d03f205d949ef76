"""From the best paths through each pixel to a list of candidates: one for each source, measured and vetted."""

from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.science.search.cluster import independent, together
from lostlight.science.search.curves import along, likelihood
from lostlight.science.search.refine import Refined, refine
from lostlight.science.search.rules import Paths, Peaks
from lostlight.science.search.sigma_g import SigmaG, unclipped
from lostlight.science.search.velocities import middle, shift_tables
from lostlight.science.search.vet import Vetting, vet
from lostlight.vocab.movers import COLUMNS, MOVERS

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

NEAR = 0.5
"""Light curves of paths this little below the threshold are looked at as well: clipping may lift them."""
_DTYPES = {column.name: column.dtype for column in COLUMNS}


@dataclass(frozen=True)
class CandidateRules:
    """What makes a candidate.

    Parameters
    ----------
    threshold : float
        Least likelihood, after clipping.
    fwhm_px : float
        Width of a point source.
    min_epochs : int
        Images that a path must have, after clipping.
    cluster_fwhm : float
        Paths nearer than this at both ends of the arc are one.
    sigma_g : SigmaG or None
        How light curves are clipped; None clips nothing.
    vetting : Vetting
    """

    threshold: float
    fwhm_px: float
    min_epochs: int = 1
    cluster_fwhm: float = 2.0
    sigma_g: SigmaG | None = field(default_factory=SigmaG)
    vetting: Vetting = field(default_factory=Vetting)


@dataclass(frozen=True, eq=False)
class Survivors:
    """Paths above the threshold, best first, and which of them are candidates.

    Parameters
    ----------
    paths : Paths
        (n,), with the likelihood before clipping.
    keep : bool, shape (n, T)
        Images that were not clipped; of a candidate those without another, better one in the same place.
    lh : float64, shape (n,)
        After clipping.
    leader : int64, shape (n,)
        Number of the path that each joined; its own where it leads, which makes it a candidate.
    """

    paths: Paths
    keep: Bools
    lh: Doubles
    leader: NDArray[np.int64]

    @property
    def candidates(self) -> NDArray[np.int64]:
        """Give the numbers of those that lead."""
        return np.flatnonzero(self.leader == np.arange(len(self.leader)))


def survivors(
    psi: Floats, phi: Floats, days: ArrayLike, velocities: ArrayLike, peaks: Peaks, rules: CandidateRules
) -> Survivors:
    """Clip the light curves of the best paths, and join those that are one source.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    days : floating, shape (T,)
    velocities : floating, shape (V, 2)
    peaks : Peaks
        Of the search of the same planes.
    rules : CandidateRules

    Returns
    -------
    Survivors
    """
    v = np.asarray(velocities, np.float64)
    paths = peaks.above(rules.threshold - (NEAR if rules.sigma_g else 0))
    x, y = places(paths, v, days)
    curves = along(psi, x, y), along(phi, x, y)
    keep = unclipped(*curves, rules.sigma_g) if rules.sigma_g else curves[1] > 0
    lh = likelihood(*curves, keep)
    good = (lh >= rules.threshold) & (keep.sum(axis=1) >= rules.min_epochs)
    order = np.flatnonzero(good)[np.argsort(-lh[good], kind="stable")]
    paths, keep, lh = paths.take(order), keep[order], lh[order]
    psi_t, phi_t = (each[order] for each in curves)
    days = np.asarray(days, np.float64)
    track = [at + v[paths.velocity, k][:, None] * (days - middle(days)) for k, at in enumerate(_columns(paths))]
    radius = rules.cluster_fwhm * rules.fwhm_px
    leader = together(track[0][:, [0, -1]], track[1][:, [0, -1]], radius)
    first = np.flatnonzero(leader == np.arange(len(leader)))
    merged, keep[first] = independent(
        track[0][first], track[1][first], psi_t[first], phi_t[first], keep[first], rules.threshold, rules.min_epochs,
        radius,
    )  # fmt: skip
    leader[first] = first[merged] if len(first) else first
    return Survivors(paths, keep, lh, leader[leader] if len(leader) else leader)


def places(paths: Paths, velocities: ArrayLike, days: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give the pixels of paths on each image, as the search has them: x and y, int32 of shape (n, T)."""
    numbers, which = np.unique(paths.velocity, return_inverse=True)
    dx, dy = shift_tables(np.asarray(velocities, np.float64)[numbers].reshape(-1, 2), days)
    return paths.x[:, None] + dx[which], paths.y[:, None] + dy[which]


def candidates(
    psi: Floats,
    phi: Floats,
    days: ArrayLike,
    velocities: ArrayLike,
    peaks: Peaks,
    rules: CandidateRules,
    profile: Doubles,
    *,
    found: Survivors | None = None,
    stack_id: str = "",
    origin: tuple[float, float] = (0, 0),
    wcs: WCS | None = None,
    mjd_first: float = np.nan,
    zero_mag: float = np.nan,
) -> Table:
    """List the candidates of a search, best first, measured between the pixels and vetted.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    days : floating, shape (T,)
        Since the earliest image.
    velocities : floating, shape (V, 2)
        In pixels per day.
    peaks : Peaks
        Of the search of the same planes.
    rules : CandidateRules
    profile : float64, shape (S, S)
        That of a point source, typical of the images.
    found : Survivors, optional
        Where they are known already; of these planes, or of what the search for paths has seen of them.
    stack_id : str
    origin : (float, float)
        x and y of the first pixel of the planes in pixels of the earliest image.
    wcs : WCS, optional
        Sky of the earliest image.
    mjd_first : float
        Its time, MJD in UTC.
    zero_mag : float
        Magnitude of one adu on its scale.

    Returns
    -------
    Table
        Columns MOVERS of `lostlight.vocab.movers`.
    """
    found = found or survivors(psi, phi, days, velocities, peaks, rules)
    paths = found.paths.take(found.candidates)
    curves = [along(planes, *places(paths, velocities, days)) for planes in (psi, phi)]
    keep = unclipped(*curves, rules.sigma_g) if rules.sigma_g else curves[1] > 0
    v = np.asarray(velocities, np.float64)[paths.velocity].reshape(-1, 2)
    refined = refine(psi, phi, days, paths.x, paths.y, v, keep)
    since = np.asarray(days, np.float64) - middle(days)
    nearest = [
        np.floor(at[:, None] + speed[:, None] * since + 0.5).astype(np.int64)
        for at, speed in ((refined.x, refined.vx), (refined.y, refined.vy))
    ]
    why = vet(psi, phi, *nearest, keep, profile, rules.vetting)
    columns = _measured(refined, float(since.min()), origin)
    columns |= {"lh_all": likelihood(*curves), "n_obs": keep.sum(axis=1), "why_vetted_out": why, "mjd_ref": mjd_first}
    columns |= {"is_vetted_out": [bool(each) for each in why], "stack_id": stack_id}
    columns |= _on_sky(columns, wcs) | {"mag": _magnitudes(columns["flux"], zero_mag)}
    order = np.argsort(-columns["lh"], kind="stable")
    columns["cand_id"] = np.argsort(order) + 1
    table = Table({name: _column(columns[name], name, len(order)) for name in MOVERS})
    return table[order]


def _columns(paths: Paths) -> tuple[Doubles, Doubles]:
    return paths.x[:, None].astype(np.float64), paths.y[:, None].astype(np.float64)


def _column(values: ArrayLike, name: str, n: int) -> NDArray[np.generic]:
    kind = _DTYPES.get(name, "f8")
    return np.broadcast_to(np.asarray(values, str if kind == "str" else kind), n).copy()


def _measured(refined: Refined, first: float, origin: tuple[float, float]) -> dict[str, NDArray[np.float64]]:
    """Give position at the earliest image, motion, flux and their errors."""
    phi = np.maximum(refined.phi, 1e-30)
    # The earliest position is that at mid-arc, plus the motion since.
    back = np.eye(4)
    back[0, 2] = back[1, 3] = first
    error = np.sqrt(np.einsum("ij,njk,ik->ni", back, refined.covariance, back))
    return {
        "x_px": refined.x + refined.vx * first + origin[0],
        "y_px": refined.y + refined.vy * first + origin[1],
        "vx_px_day": refined.vx,
        "vy_px_day": refined.vy,
        "x_err_px": error[:, 0],
        "y_err_px": error[:, 1],
        "vx_err_px_day": error[:, 2],
        "vy_err_px_day": error[:, 3],
        "flux": refined.psi / phi,
        "flux_err": 1 / np.sqrt(phi),
        "lh": refined.psi / np.sqrt(phi),
    }


def _on_sky(columns: dict[str, NDArray[np.float64]], wcs: WCS | None) -> dict[str, ArrayLike]:
    """Give position and motion on the sky; NaN without one."""
    names = ("ra_deg", "dec_deg", "rate_arcsec_h", "pa_deg")
    if wcs is None or not len(columns["x_px"]):
        return dict.fromkeys(names, np.nan)
    x, y = columns["x_px"], columns["y_px"]
    ra, dec = wcs.all_pix2world(x, y, 0, ra_dec_order=True)
    # A tenth of an hour later; short against any bend of the sky.
    ra1, dec1 = wcs.all_pix2world(x + columns["vx_px_day"] / 240, y + columns["vy_px_day"] / 240, 0, ra_dec_order=True)
    east = ((ra1 - ra + 180) % 360 - 180) * np.cos(np.radians(dec)) * 36_000
    north = (dec1 - dec) * 36_000
    return dict(zip(names, (ra, dec, np.hypot(east, north), np.degrees(np.arctan2(east, north)) % 360), strict=True))


def _magnitudes(flux: Doubles, zero_mag: float) -> Doubles:
    return zero_mag - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))
