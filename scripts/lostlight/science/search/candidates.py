"""From paths that are one source each to a list of candidates: measured between the pixels, and vetted."""

from dataclasses import replace

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.science.search.curves import Curves, along, likelihood
from lostlight.science.search.refine import Refined, refine
from lostlight.science.search.rules import Peaks
from lostlight.science.search.survivors import CandidateRules, Survivors, clipped, light_curves, survivors
from lostlight.science.search.velocities import middle
from lostlight.science.search.vet import vet
from lostlight.vocab.movers import COLUMNS, MOVERS

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_DTYPES = {column.name: column.dtype for column in COLUMNS}


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
    since = np.asarray(days, np.float64) - middle(days)
    refined, curves = _between_pixels(psi, phi, days, velocities, found, rules)
    place = nearest(refined, since)
    why = vet(psi, phi, *place, curves, profile, rules.vetting, (rules.threshold, rules.min_epochs))
    columns = _measured(refined, float(since.min()), origin)
    columns |= {"lh_all": likelihood(curves.psi, curves.phi), "n_obs": curves.keep.sum(axis=1), "mjd_ref": mjd_first}
    columns |= {"why_vetted_out": why, "is_vetted_out": [bool(each) for each in why], "stack_id": stack_id}
    columns |= _on_sky(columns, wcs) | {"mag": _magnitudes(columns["flux"], zero_mag)}
    order = np.argsort(-columns["lh"], kind="stable")
    columns["cand_id"] = np.argsort(order) + 1
    table = Table({name: _column(columns[name], name, len(order)) for name in MOVERS})
    return table[order]


def _between_pixels(
    psi: Floats, phi: Floats, days: ArrayLike, velocities: ArrayLike, found: Survivors, rules: CandidateRules
) -> tuple[Refined, Curves]:
    """Refine paths, and look at their light curves where they are then: what is an outlier there, counts no longer."""
    which = found.candidates
    paths, taken = found.paths.take(which), found.taken[which]
    since = np.asarray(days, np.float64) - middle(days)

    def reread(refined: Refined) -> Curves:
        is_free = (along(phi, *nearest(refined, since)) > 0) & ~taken
        weight = np.where(is_free, np.maximum(refined.phi_t, 0), 0).astype(np.float32)
        return clipped(np.where(weight > 0, refined.psi_t, 0).astype(np.float32), weight, rules)

    v = np.asarray(velocities, np.float64)[paths.velocity].reshape(-1, 2)
    keep = light_curves(psi, phi, paths, velocities, days, rules).keep & ~taken
    first = refine(psi, phi, days, paths.x, paths.y, v, keep)
    keep = reread(first).keep
    refined = refine(psi, phi, days, first.x, first.y, np.stack([first.vx, first.vy], axis=1), keep)
    curves = reread(refined)
    return refined, replace(curves, keep=curves.keep & keep)


def nearest(refined: Refined, since: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the nearest pixels of paths on each image, x and y of shape (n, T); `since` is in days since mid-arc."""
    both = ((refined.x, refined.vx), (refined.y, refined.vy))
    x, y = (np.floor(at[:, None] + speed[:, None] * since + 0.5).astype(np.int64) for at, speed in both)
    return x, y


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
