"""Moving points drawn on images: what a stamp and a case cost of one core, beside photutils on the same image."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benches.measure import Row, cost
from benches.triad import bandwidth
from lostlight.science.inject.profile import FWHM
from lostlight.science.inject.psf import Psf, elliptical, empirical, gaussian, moffat
from lostlight.science.inject.render import add_stamps, render_cases, stamps

N, SIDE, FRAME, REPEATS = 4000, 64, 1024, 5
WIDTH = 2.5
DRAWN = {
    "P1 stamps, point, Gaussian": (gaussian(WIDTH), 1, "4e+05"),
    "P2 stamps, trail of 4 nodes, Gaussian": (gaussian(WIDTH), 4, "1.5e+05"),
    "P2 stamps, trail of 12 nodes, Gaussian": (gaussian(WIDTH), 12, ""),
    "P1 stamps, point, Moffat 3": (moffat(WIDTH, 3.0), 1, ""),
    "P2 stamps, trail of 4 nodes, Moffat 3": (moffat(WIDTH, 3.0), 4, ""),
    "P1 stamps, point, ellipse": (elliptical(WIDTH, 0.8, 30.0), 1, ""),
    "P1 stamps, point, table": (empirical(gaussian(WIDTH).kernel()), 1, ""),
}
"""Profiles of 2.5 pixels, nodes of a trail, and the stamps that one core is to draw in a second."""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    """Give stamps and cases per second of one core, and sources on a whole image beside photutils."""
    yield from bandwidth()
    planes = np.zeros((N, SIDE, SIDE), np.float32)
    for name, (psf, n_nodes, bar) in DRAWN.items():
        rate = N / best(lambda psf=psf, n=n_nodes: _draw(planes, psf, n))[0]
        yield Row(name, rate, unit="1/CPU s", bar=bar and f">= {bar}")
    x, y, flux = _sources(N, 5 * SIDE)
    spent, _ = best(lambda: render_cases([gaussian(WIDTH)] * 5, (SIDE, SIDE), *_five(x, y, flux)))
    cases = len(_five(x, y, flux)[0])
    their_s, _ = best(lambda: [_fourier(*case) for case in zip(*_five(x, y, flux), strict=True)][:0], 1)
    what = "P3 case of 5 x 64 x 64 drawn, peer FFT shift"
    yield Row(what, 1e6 * spent / cases, 1e6 * their_s / cases, "CPU us", ">= 5x")
    yield from _photutils()


def best(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """Least CPU seconds of several times, and what came out; the first, which compiles, does not count."""
    spent = []
    for _ in range(repeats + 1):
        with cost() as used:
            result = work()
        spent.append(used.cpu_s)
    return min(spent[1:]), result


def _sources(n: int, side: int, margin: float = 20.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(2)
    return (*rng.uniform(margin, side - margin, (2, n, 1)), rng.uniform(100, 9000, (n, 1)))


def _draw(planes: np.ndarray, psf: Psf, n_nodes: int) -> None:
    """Draw sources on planes that are there already; trails are as long as nodes are made for."""
    length = (n_nodes - 2) / 1.6 * WIDTH / FWHM if n_nodes > 1 else 0.0
    x, y, flux = _sources(N, SIDE)
    along = np.linspace(-0.5, 0.5, n_nodes) * length
    psf.draw(planes, x + along * 0.8, y + along * 0.6, np.broadcast_to(flux / n_nodes, (N, n_nodes)).copy())


def _five(*columns: np.ndarray) -> list[np.ndarray]:
    return [(each % SIDE if k < 2 else each).reshape(-1, 5, 1) for k, each in enumerate(columns)]


def _fourier(x: np.ndarray, y: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Draw a case as programs of this kind do: a stamp in the middle, shifted by a ramp of its phases."""
    middle = np.zeros((SIDE, SIDE))
    kernel = gaussian(WIDTH).kernel()
    first = SIDE // 2 - len(kernel) // 2
    middle[first : first + len(kernel), first : first + len(kernel)] = kernel
    waves, along = np.fft.fft2(middle), -2j * np.pi * np.fft.fftfreq(SIDE)
    shifts = np.c_[y, x] - SIDE // 2
    ramps = (np.exp(along * dy)[:, None] * np.exp(along * dx) for dy, dx in shifts)
    return np.stack([f * np.fft.ifft2(waves * ramp).real for f, ramp in zip(flux[:, 0], ramps, strict=True)])


def _photutils() -> Iterator[Row]:
    from astropy.table import QTable
    from photutils.datasets import make_model_image
    from photutils.psf import CircularGaussianPRF

    n, psf = 1000, gaussian(WIDTH)
    x, y, flux = _sources(n, FRAME)
    table = QTable({"x_0": x[:, 0], "y_0": y[:, 0], "flux": flux[:, 0], "fwhm": np.full(n, WIDTH)})
    size = 2 * psf.half_width() + 1
    their_s, theirs = best(
        lambda: make_model_image((FRAME, FRAME), CircularGaussianPRF(), table, model_shape=(size, size)), 1
    )
    our_s, ours = best(lambda: add_stamps(np.zeros((FRAME, FRAME)), *stamps(psf, x, y, flux)))
    if abs(ours - theirs).max() > 1e-5 * theirs.max():
        raise SystemExit("the image differs from that of photutils")
    yield Row("P1 1000 points on 1024 x 1024, peer photutils", 1000 * our_s, 1000 * their_s, "CPU ms", ">= 20x")
