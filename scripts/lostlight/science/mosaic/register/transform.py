"""Affine maps between the pixels of frames: fitted as similarities with a little shear, joined, turned round.

A map is an array (2, 3): ``[[xx, xy, x0], [yx, yy, y0]]`` takes the zero-based pixel (x, y) of a frame to
(xx·x + xy·y + x0, yx·x + yy·y + y0). Fits work on complex positions z = x + iy, where a similarity is w = b + a·z, a
mirrored one w = b + a·z̄, and any affine map has both terms.
"""

import numpy as np
from astropy.wcs import WCS, Sip
from numpy.typing import ArrayLike, NDArray

Affine = NDArray[np.float64]
Points = NDArray[np.complex128]

IDENTITY: Affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
SHEAR_SIGMA = 3e-4
"""How far frames are expected to be from similar, relative to their scale: refraction at 60° gives as much."""


def apply(transform: Affine, z: Points) -> Points:
    """Take complex positions through a map."""
    (xx, xy, x0), (yx, yy, y0) = transform.tolist()
    straight, mirrored = complex(xx + yy, yx - xy) / 2, complex(xx - yy, yx + xy) / 2
    return straight * z + mirrored * z.conj() + complex(x0, y0)


def compose(outer: Affine, inner: Affine) -> Affine:
    """Give the map that does `inner` first and then `outer`."""
    joined = outer[:, :2] @ inner
    joined[:, 2] += outer[:, 2]
    return joined


def invert(transform: Affine) -> Affine:
    """Give the map that leads back."""
    back = np.linalg.inv(transform[:, :2])
    return np.column_stack([back, -back @ transform[:, 2]])


def scale_of(transform: Affine) -> float:
    """Side of a pixel of the frame, in pixels of the other: the root of the area."""
    return float(np.sqrt(abs(_determinant(transform))))


def is_mirrored(transform: Affine) -> bool:
    """Whether the frame shows the sky as in a mirror, compared with the other."""
    return _determinant(transform) < 0


def _determinant(transform: Affine) -> float:
    (xx, xy, _), (yx, yy, _) = transform.tolist()
    return float(xx * yy - xy * yx)


def from_complex(shift: complex, straight: complex, mirrored: complex) -> Affine:
    """Write w = shift + straight·z + mirrored·z̄ as an affine map."""
    columns = (straight + mirrored, 1j * (straight - mirrored), shift)
    return np.array([[part.real for part in columns], [part.imag for part in columns]])


def fit(z: Points, w: Points, mirrored: bool, weights: NDArray[np.float64] | None = None) -> Affine:
    """Fit the map that takes positions to others, as near to a similarity as the stars allow.

    The part that is no similarity (shear, unequal scales) is held to 0 ± `SHEAR_SIGMA` by a prior, so that few stars,
    or stars in a narrow strip, give a similarity, and many give an affine map.

    Parameters
    ----------
    z, w : ndarray of complex128, shape (n,), pixels
        Positions in the frame and in the other; at least two different ones.
    mirrored : bool
        Whether one of the frames is mirrored.
    weights : ndarray of float64, shape (n,), optional
        Inverse variances of the differences, in 1/px²; of 0.3 px unless given.

    Returns
    -------
    ndarray of float64, shape (2, 3)
    """
    weights = np.full(z.shape, 1 / 0.3**2) if weights is None else weights
    turned = z.conj() if mirrored else z
    total = weights.sum()
    z0, w0 = (weights @ turned) / total, (weights @ w) / total
    u, v = turned - z0, w - w0
    power = weights @ (u.real**2 + u.imag**2)
    skew = weights @ (u * u)
    scale = abs(weights @ (u.conj() * v)) / power
    # Normal equations of (a, c) in v = a·u + c·ū; the prior acts on c alone.
    prior = 1 / (SHEAR_SIGMA * scale) ** 2
    normal = np.array([[power, skew.conjugate()], [skew, power + prior]])
    a, c = np.linalg.solve(normal, np.array([weights @ (u.conj() * v), weights @ (u * v)]))
    shift = w0 - a * z0 - c * z0.conjugate()
    return from_complex(shift, c, a) if mirrored else from_complex(shift, a, c)


def linear_wcs(transform: ArrayLike) -> WCS:
    """Write a map as a world coordinate system whose world is the pixels of the reference frame.

    Parameters
    ----------
    transform : array_like, shape (2, 3)
        Map from zero-based pixels of the frame to zero-based pixels of the reference frame.

    Returns
    -------
    astropy.wcs.WCS
        Two linear axes without CTYPE: ``all_pix2world(x, y, 0)`` gives the zero-based pixels of the reference frame.
    """
    affine = np.asarray(transform, dtype=np.float64)
    wcs = WCS(naxis=2)
    wcs.wcs.cd = affine[:, :2]
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.crval = affine[:, 2]
    wcs.wcs.set()
    return wcs


def composed_wcs(anchor: WCS, transform: ArrayLike) -> WCS:
    """Give a frame the sky solution of another to which it is registered.

    Parameters
    ----------
    anchor : astropy.wcs.WCS
        Solution of the other frame; SIP and the distortions that follow the matrix (TPV, TPD) are kept exactly.
    transform : array_like, shape (2, 3)
        Map from zero-based pixels of the frame to those of the other.

    Returns
    -------
    astropy.wcs.WCS
        Celestial, for the zero-based pixels of the frame.
    """
    affine = np.asarray(transform, dtype=np.float64)
    linear, back = affine[:, :2], invert(affine)
    wcs = anchor.deepcopy()
    if anchor.wcs.has_cd():
        wcs.wcs.cd = anchor.wcs.cd @ linear
    else:
        wcs.wcs.pc = anchor.wcs.get_pc() @ linear
    wcs.wcs.crpix = back[:, :2] @ (anchor.wcs.crpix - 1) + back[:, 2] + 1
    if anchor.sip is not None:
        wcs.sip = _turned_sip(anchor.sip, linear, wcs.wcs.crpix)
    wcs.array_shape = None
    wcs.wcs.set()
    return wcs


def _turned_sip(sip: Sip, linear: NDArray[np.float64], crpix: NDArray[np.float64]) -> Sip:
    """Write the polynomials of SIP in coordinates of another frame: of the same order, hence exact."""
    forward = _turned(sip.a, sip.b, linear)
    back = _turned(sip.ap, sip.bp, linear) if sip.ap is not None and sip.bp is not None else (None, None)
    return Sip(*forward, *back, crpix)


def _turned(a: NDArray[np.float64], b: NDArray[np.float64], linear: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    order = max(a.shape[0], b.shape[0]) - 1
    unit = 1000.0  # keeps the powers of pixels near one
    nodes = np.cos(np.pi * (np.arange(2 * order + 2) + 0.5) / (2 * order + 2))
    u, v = (grid.ravel() for grid in np.meshgrid(nodes, nodes))
    x, y = linear @ np.stack([u, v]) * unit
    bent = np.stack([np.polynomial.polynomial.polyval2d(x, y, terms) for terms in (a, b)])
    wanted = np.linalg.solve(linear, bent)
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
    design = np.stack([u**p * v**q for p, q in powers], axis=1)
    found = np.linalg.lstsq(design, wanted.T, rcond=None)[0]
    turned = np.zeros((2, order + 1, order + 1))
    for (p, q), pair in zip(powers, found, strict=True):
        turned[:, p, q] = pair / unit ** (p + q)
    return turned[0], turned[1]
