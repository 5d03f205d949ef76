"""Paths between the pixels and between the motions of the grid, with the covariance that the noise leaves them.

Psi and phi are smooth, as the profile has gone through them twice, so cubic splines give them and their slopes at any
place. With the flux free, the logarithm of the likelihood of a path is J = S^2 / (2 P), where S and P are the sums of
psi and phi; Newton's method finds its maximum, and the inverse of its curvature there is the covariance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import spline_filter1d

from lostlight.science.search.curves import along
from lostlight.science.search.velocities import middle

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

HALF = 8
"""Pixels around the path of the grid that the splines are made of, to either side."""
FURTHEST_PX = 3.0
"""A path moves no further than this, at mid-arc and at its ends."""
NEWTON_STEPS, DONE_PX = 12, 1e-4
LOT = 200
"""Paths that are refined together."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Paths between the pixels; all float64.

    Parameters
    ----------
    x, y : shape (n,)
        Position at mid-arc.
    vx, vy : shape (n,)
        Motion in pixels per day.
    covariance : shape (n, 4, 4)
        Of x, y, vx, vy in this order; NaN where the likelihood has no peak.
    psi, phi : shape (n,)
        Sums along the path: flux is psi / phi, its error 1 / sqrt(phi).
    psi_t, phi_t : shape (n, T)
        Its light curve, with the images that do not count.
    """

    x: Doubles
    y: Doubles
    vx: Doubles
    vy: Doubles
    covariance: Doubles
    psi: Doubles
    phi: Doubles
    psi_t: Doubles
    phi_t: Doubles


def refine(
    psi: Floats,
    phi: Floats,
    days: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    v: ArrayLike,
    keep: Bools | None = None,
) -> Refined:
    """Move paths to where they are most likely.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    days : floating, shape (T,)
    x, y : floating, shape (n,)
        Positions at mid-arc.
    v : floating, shape (n, 2)
        Motions in pixels per day.
    keep : bool, shape (n, T), optional
        Images that count.

    Returns
    -------
    Refined
    """
    since = np.asarray(days, np.float64) - middle(days)
    x, y, v = (np.asarray(each, np.float64) for each in (x, y, v))
    keep = np.ones((len(x), len(psi)), bool) if keep is None else keep
    lots = [slice(i, i + LOT) for i in range(0, len(x), LOT)] or [slice(0)]
    parts = [_refined(psi, phi, since, x[lot], y[lot], v[lot], keep[lot]) for lot in lots]
    return Refined(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _refined(
    psi: Floats, phi: Floats, since: Doubles, x: Doubles, y: Doubles, v: Doubles, keep: Bools
) -> tuple[Doubles, ...]:
    arc = max(abs(since).max(), 1e-9)
    u = since / arc
    landscape = _Landscape(psi, phi, u, x[:, None] + v[:, :1] * since, y[:, None] + v[:, 1:] * since, keep)
    shift = np.zeros((len(x), 4))
    value, slope, curvature = landscape(shift)
    for _ in range(NEWTON_STEPS):
        step = _uphill(slope, curvature)
        goes_on = np.ones(len(x), bool)
        for _ in range(6):
            trial = np.where(goes_on[:, None], np.clip(shift + step, -FURTHEST_PX, FURTHEST_PX), shift)
            new = landscape(trial)[0]
            better = goes_on & (new >= value)
            shift[better] = trial[better]
            goes_on &= ~better
            step /= 3
            if not goes_on.any():
                break
        value, slope, curvature = landscape(shift)
        if abs(step).max(initial=0) < DONE_PX:
            break
    scale = np.array([1, 1, 1 / arc, 1 / arc])
    covariance = _inverse(-curvature) * scale[:, None] * scale
    psi_t, phi_t = landscape.curves(shift)
    sums = ((each * keep).sum(axis=1) for each in (psi_t, phi_t))
    moved = shift * scale
    return (x + moved[:, 0], y + moved[:, 1], v[:, 0] + moved[:, 2], v[:, 1] + moved[:, 3], covariance, *sums,
            psi_t, phi_t)  # fmt: skip


class _Landscape:
    """J of paths, against their shift (n, 4): of position, and of the end of the arc, along x and y in pixels."""

    def __init__(self, psi: Floats, phi: Floats, u: Doubles, x: Doubles, y: Doubles, keep: Bools) -> None:
        corner = [np.floor(each + 0.5).astype(np.int64) - HALF for each in (x, y)]
        self.x, self.y = x - corner[0], y - corner[1]
        side = np.arange(2 * HALF + 1)
        px = np.broadcast_to((corner[0][..., None] + side)[:, :, None, :], (*x.shape, side.size, side.size))
        py = np.broadcast_to((corner[1][..., None] + side)[:, :, :, None], px.shape)
        self.planes = [_spline(along(each, px, py).astype(np.float64)) for each in (psi, phi)]
        self.u, self.keep = u, keep

    def __call__(self, shift: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Give J (n,), its slope (n, 4) and its curvature (n, 4, 4)."""
        (s, ds, dds), (p, dp, ddp) = (self._sum(plane, shift) for plane in self.planes)
        p = np.maximum(p, 1e-30)
        flux = s / p
        f1, f2 = flux[:, None], flux[:, None, None]
        off = ds - f1 * dp
        curvature = f2 * dds - f2**2 / 2 * ddp + off[:, :, None] * off[:, None, :] / p[:, None, None]
        # A hole is no source: its likelihood counts with its sign.
        return s * abs(s) / (2 * p), f1 * ds - f1**2 / 2 * dp, curvature

    def curves(self, shift: Doubles) -> tuple[Doubles, Doubles]:
        """Give psi and phi on each image, (n, T)."""
        return tuple(self._at(plane, shift)[0] for plane in self.planes)

    def _sum(self, plane: Doubles, shift: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        value, dx, dy, dxx, dxy, dyy = (each * self.keep for each in self._at(plane, shift))
        u = self.u
        slope = np.stack([dx.sum(1), dy.sum(1), (u * dx).sum(1), (u * dy).sum(1)], axis=1)
        second = np.stack([np.stack([dxx, dxy], -1), np.stack([dxy, dyy], -1)], -1)
        blocks = [np.einsum("t,ntij->nij", u**k, second) for k in range(3)]
        curvature = np.block([[blocks[0], blocks[1]], [blocks[1], blocks[2]]])
        return value.sum(1), slope, curvature

    def _at(self, plane: Doubles, shift: Doubles) -> list[Doubles]:
        x = self.x + shift[:, :1] + shift[:, 2:3] * self.u
        y = self.y + shift[:, 1:2] + shift[:, 3:] * self.u
        ix, iy = (np.clip(np.floor(each).astype(np.int64), 1, 2 * HALF - 2) for each in (x, y))
        n, t = np.ogrid[: x.shape[0], : x.shape[1]]
        taps = np.arange(-1, 3)
        around = plane[n[..., None, None], t[..., None, None], (iy[..., None] + taps)[..., None],
                       (ix[..., None] + taps)[..., None, :]]  # fmt: skip
        wx, wy = (np.stack(_weights(each), axis=-1) for each in (x - ix, y - iy))
        slopes = np.swapaxes(wy, -1, -2) @ (around @ wx)
        orders = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
        return [slopes[..., b, a] for a, b in orders]


def _spline(planes: Doubles) -> Doubles:
    return spline_filter1d(spline_filter1d(planes, 3, axis=-1), 3, axis=-2)


def _weights(f: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Cubic B-spline at its four nodes around a place, and its first and second slopes; shape (..., 4) each."""
    g = 1 - f
    value = (g**3 / 6, 2 / 3 - f**2 + f**3 / 2, 2 / 3 - g**2 + g**3 / 2, f**3 / 6)
    first = (-(g**2) / 2, -2 * f + 1.5 * f**2, 2 * g - 1.5 * g**2, f**2 / 2)
    second = (g, 3 * f - 2, 3 * g - 2, f)
    return tuple(np.stack(each, axis=-1) for each in (value, first, second))


def _uphill(slope: Doubles, curvature: Doubles) -> Doubles:
    """Newton's step, towards a maximum even where the surface curves upwards; no longer than a pixel."""
    sizes, axes = np.linalg.eigh(curvature)
    sizes = np.maximum(abs(sizes), 1e-6 * abs(sizes).max(axis=1, keepdims=True) + 1e-12)
    step = np.einsum("nij,nj,nkj,nk->ni", axes, 1 / sizes, axes, slope, optimize=True)
    length = abs(step).max(axis=1, keepdims=True)
    return step / np.maximum(length, 1)


def _inverse(information: Doubles) -> Doubles:
    result = np.full(information.shape, np.nan)
    peak = np.linalg.eigvalsh(information).min(axis=1) > 0 if len(information) else np.zeros(0, bool)
    result[peak] = np.linalg.inv(information[peak])
    return result
