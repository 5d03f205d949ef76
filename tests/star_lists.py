"""A sky of stars seen by frames that are shifted, turned, mirrored and binned: lists of detections with their truth."""

from dataclasses import dataclass

import numpy as np

from lostlight.science.mosaic.register.star_match import StarList


@dataclass(frozen=True)
class View:
    """How a frame sees the sky: a complex position on it, in pixels of an unbinned frame, is its centre."""

    centre: complex = 0
    turn_deg: float = 0
    mirrored: bool = False
    binning: float = 1
    shape: tuple[int, int] = (901, 1203)

    def pixels(self, sky):
        """Take positions on the sky to zero-based pixels."""
        turned = (sky - self.centre) * np.exp(-1j * np.radians(self.turn_deg)) / self.binning
        return (turned.conj() if self.mirrored else turned) + self._middle

    def sky(self, pixels):
        """Take zero-based pixels to the sky."""
        turned = pixels - self._middle
        turned = turned.conj() if self.mirrored else turned
        return turned * self.binning * np.exp(1j * np.radians(self.turn_deg)) + self.centre

    @property
    def corners(self):
        """Corners and centre."""
        ny, nx = self.shape
        return np.array([0, nx - 1, 1j * (ny - 1), nx - 1 + 1j * (ny - 1), self._middle])

    @property
    def _middle(self):
        return complex(self.shape[1] - 1, self.shape[0] - 1) / 2


class Sky:
    """Stars in a square around zero, with fluxes."""

    def __init__(self, seed, n=2000, width=4000):
        self.random = np.random.default_rng(seed)
        self.place = self.random.uniform(-width / 2, width / 2, n) + 1j * self.random.uniform(-width / 2, width / 2, n)
        self.flux = 100 * self.random.pareto(1.2, n) + 10

    def seen(self, view, false=0.0, hot=(), error_px=0.1):
        """Detections of a frame in no order: stars, a fraction of false ones of like fluxes, and bright hot pixels."""
        random, (ny, nx) = self.random, view.shape
        z = view.pixels(self.place)
        inside = (z.real > 0) & (z.real < nx - 1) & (z.imag > 0) & (z.imag < ny - 1)
        stars = z[inside] + self._errors(inside.sum(), error_px)
        flux = self.flux[inside] * random.lognormal(0, 0.1, inside.sum())
        n_false = round(false * stars.size / (1 - false))
        strays = random.uniform(0, nx, n_false) + 1j * random.uniform(0, ny, n_false)
        hot = np.asarray(hot, dtype=complex)
        places = np.concatenate([stars, strays, hot + self._errors(hot.size, 0.05)])
        fluxes = np.concatenate([flux, random.choice(flux, n_false) if n_false else [], np.full(hot.size, 1e4)])
        order = random.permutation(places.size)
        return StarList(places.real[order], places.imag[order], fluxes[order])

    def _errors(self, n, error_px):
        return self.random.normal(0, error_px, n) + 1j * self.random.normal(0, error_px, n)


def hot_pixels(seed, n, shape):
    """Positions of hot pixels."""
    random = np.random.default_rng(seed)
    return random.integers(0, shape[1], n) + 1j * random.integers(0, shape[0], n)


def random_list(random, n, shape):
    """A list of detections of nothing."""
    return StarList(random.uniform(0, shape[1], n), random.uniform(0, shape[0], n), random.pareto(1, n))


def taken(transform, z):
    """Take complex positions through an affine map, written out."""
    (xx, xy, x0), (yx, yy, y0) = np.asarray(transform)
    return xx * z.real + xy * z.imag + x0 + 1j * (yx * z.real + yy * z.imag + y0)
