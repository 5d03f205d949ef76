"""Things that no search may take for a moving source: what they add to a stack of images. Their label is 0."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.inject.psf import Psf
from lostlight.vocab.movers import NEGATIVES

Floats = NDArray[np.float64]
Rng = np.random.Generator
Shape = tuple[int, int, int]

LONGEST_HIT_PX = 15.0
"""Longest track of a cosmic ray."""
CLEAR_OF_LINE = 4.0
"""Half width of what is drawn of a satellite, in standard deviations of the profile."""
SIGMA_PER_FWHM = 1 / 2.3548200450309493


@dataclass(frozen=True, eq=False)
class Pixels:
    """Light on single pixels of a stack; all arrays have shape (m,).

    Parameters
    ----------
    t, y, x : int64
        Image, row and column; no pixel comes twice.
    value : float64
        What is added, adu.
    """

    t: NDArray[np.int64]
    y: NDArray[np.int64]
    x: NDArray[np.int64]
    value: Floats

    def add_to(self, stack: NDArray[np.floating]) -> None:
        """Add them to a stack (T, H, W) in place."""
        stack[self.t, self.y, self.x] += self.value.astype(stack.dtype)

    def of_image(self, t: int) -> "Pixels":
        """Give those of one image."""
        here = self.t == t
        return Pixels(self.t[here], self.y[here], self.x[here], self.value[here])


def artefact(kind: str, shape: Shape, x: ArrayLike, y: ArrayLike, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    """Draw an artefact.

    Parameters
    ----------
    kind : str
        ``none`` adds nothing. ``cosmic_ray``: a short sharp track on one image. ``hot_pixel``: one pixel on all.
        ``satellite``: a line across one image. ``dipole``: what a star leaves where two images are subtracted that
        do not lie exactly on each other, on all; half of it is negative and its sum is zero.
    shape : (int, int, int)
        Images, rows, columns.
    x, y : float or (T,) float
        Where on each image, zero-based pixels.
    flux : float
        Light of it, adu: of each image for a hot pixel, of each FWHM of its length for a satellite, of the positive
        half on each image for a dipole.
    psfs : sequence of T Psf
    rng : Generator

    Raises
    ------
    ConfigError
        For an unknown kind.
    """
    if kind not in NEGATIVES:
        raise ConfigError(f"there is no artefact {kind!r}", f"choose from {', '.join(NEGATIVES)}")
    place = (np.broadcast_to(np.asarray(each, np.float64), shape[:1]) for each in (x, y))
    return _KINDS[kind](shape, *place, flux, psfs, rng)


def _none(shape: Shape, x: Floats, y: Floats, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    del shape, x, y, flux, psfs, rng
    return _gathered([])


def _cosmic_ray(shape: Shape, x: Floats, y: Floats, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    """Spread the light along a line by what it runs through each pixel; nothing blurs it."""
    del psfs
    t, angle, length = rng.integers(shape[0]), rng.uniform(0, 2 * np.pi), rng.uniform(1, LONGEST_HIT_PX)
    along = (np.arange(16 * LONGEST_HIT_PX) + 0.5) / (16 * LONGEST_HIT_PX) * length - length / 2
    rows, columns = np.rint(y[t] + along * np.sin(angle)).astype(int), np.rint(x[t] + along * np.cos(angle)).astype(int)
    inside = (rows >= 0) & (rows < shape[1]) & (columns >= 0) & (columns < shape[2])
    at, count = np.unique(rows[inside] * shape[2] + columns[inside], return_counts=True)
    return _gathered([(int(t), at // shape[2], at % shape[2], flux * count / along.size)])


def _hot_pixel(shape: Shape, x: Floats, y: Floats, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    del psfs, rng
    row, column = min(max(round(y[0]), 0), shape[1] - 1), min(max(round(x[0]), 0), shape[2] - 1)
    return _gathered([(t, np.array([row]), np.array([column]), np.array([flux])) for t in range(shape[0])])


def _satellite(shape: Shape, x: Floats, y: Floats, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    t, angle = int(rng.integers(shape[0])), rng.uniform(0, np.pi)
    width = psfs[t].fwhm_px * SIGMA_PER_FWHM
    rows, columns = np.indices(shape[1:], sparse=True)
    across = (rows - y[t]) * np.cos(angle) - (columns - x[t]) * np.sin(angle)
    row, column = np.nonzero(np.abs(across) < CLEAR_OF_LINE * width)
    profile = np.exp(-0.5 * (across[row, column] / width) ** 2) / (np.sqrt(2 * np.pi) * width)
    return _gathered([(t, row, column, flux / psfs[t].fwhm_px * profile)])


def _dipole(shape: Shape, x: Floats, y: Floats, flux: float, psfs: Sequence[Psf], rng: Rng) -> Pixels:
    """Take the profile at one place from that beside it, and bring each half to the light that is asked for."""
    from lostlight.science.inject.render import stamps

    angle = rng.uniform(0, 2 * np.pi)
    parts = []
    for t, psf in enumerate(psfs):
        shift = rng.uniform(0.2, 0.8) * psf.fwhm_px / 2
        dx, dy = shift * np.cos(angle), shift * np.sin(angle)
        both = np.array([[x[t] + dx, x[t] - dx]]), np.array([[y[t] + dy, y[t] - dy]]), np.array([[1.0, -1.0]])
        values, corner = stamps(psf, *both)
        row, column = np.indices(values.shape[1:]) + corner[0][:, None, None]
        inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2]) & (values[0] != 0)
        half = values[0][values[0] > 0].sum()
        parts.append((t, row[inside], column[inside], values[0][inside] * (flux / half)))
    return _gathered(parts)


def _gathered(parts: list[tuple[int, NDArray[np.int64], NDArray[np.int64], Floats]]) -> Pixels:
    if not parts:
        nowhere = np.zeros(0, np.int64)
        return Pixels(nowhere, nowhere, nowhere, np.zeros(0))
    t = np.concatenate([np.full(len(part[1]), part[0], np.int64) for part in parts])
    y, x, value = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    return Pixels(t, y.astype(np.int64), x.astype(np.int64), value.astype(np.float64))


_KINDS: dict[str, Callable[[Shape, Floats, Floats, float, Sequence[Psf], Rng], Pixels]] = {
    "none": _none,
    "cosmic_ray": _cosmic_ray,
    "hot_pixel": _hot_pixel,
    "satellite": _satellite,
    "dipole": _dipole,
}
