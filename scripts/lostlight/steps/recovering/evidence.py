"""Evidence of a stack: what every pixel of the grid says, on each image, of a point source there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostlight.io.scratch import scratch
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.onto_grid import onto_grid
from lostlight.science.search.static import nearest_on, static_sources
from lostlight.steps.injecting import epochs as stacks
from lostlight.steps.recovering.ground import Ground
from lostlight.vocab import bits

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
ImageOf = Callable[[int], Floats]
"""Gives an image without its sky, (ny, nx)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """psi and phi (T, H, W) float32 on the grid of the search; fluxes on the scale of the earliest image."""

    psi: Floats
    phi: Floats


def clean(ground: Ground) -> ImageOf:
    """Give the images as they are, their sky taken off."""

    def image(number: int) -> Floats:
        return science(ground, number) - sky(ground, number)

    return image


def science(ground: Ground, number: int) -> Floats:
    """Give the pixels of an image with its sky, (ny, nx), in its own size."""
    return np.asarray(ground.store.read("science", number, *own_size(ground, number)))


def sky(ground: Ground, number: int) -> Floats:
    """Give the sky of an image, as it was measured, (ny, nx)."""
    return stacks.sky(ground.store, number)


def bad(ground: Ground, number: int) -> Mask:
    """Tell which pixels of an image hold no measurement, (ny, nx)."""
    return _marks(ground, number, bits.STACK_BAD)


def variance(ground: Ground, number: int) -> Floats:
    """Give the variance of an image, (ny, nx), in its own size."""
    return np.asarray(ground.store.read("variance", number, *own_size(ground, number)))


def own_size(ground: Ground, number: int) -> tuple[slice, slice]:
    """Rows and columns of a stack that an image fills."""
    ny, nx = ground.store.images[number]["shape"]
    return slice(0, int(ny)), slice(0, int(nx))


def gathered(ground: Ground, image_of: ImageOf, hidden: Mask, folder: Path | None = None) -> Evidence:
    """Gather the evidence of all images, in files where it is large; memory does not grow with their number.

    Parameters
    ----------
    ground : Ground
    image_of : callable
        ``image_of(number)`` gives an image without its sky, in its own size.
    hidden : (H, W) bool
        Pixels of the grid on static sources, which are not used; see `static`.
    folder : Path, optional
        Where those files are made.
    """
    shape = (len(ground.epochs), *ground.grid.shape)
    made = Evidence(scratch(shape, np.float32, folder), scratch(shape, np.float32, folder))
    for number, (psi, phi) in enumerate(_images(ground, image_of, hidden)):
        made.psi[number], made.phi[number] = psi, phi
    return made


def static(ground: Ground) -> Mask:
    """Mark the pixels of the grid on sources that do not move: on at least half of the images that show them."""
    if not ground.params.vetting.mask_static:
        return np.zeros(ground.grid.shape, bool)
    return static_sources(
        (_marks(ground, number, bits.stack("STAR")) for number in range(len(ground.epochs))),
        (_marks(ground, number, 0) for number in range(len(ground.epochs))),
        ground.epochs.wcs,
        ground.grid,
    )


def _marks(ground: Ground, number: int, bit: int) -> Mask:
    """Pixels of an image with a bit of the mask, or for 0 all of them, in its own size."""
    rows, columns = own_size(ground, number)
    if not bit:
        return np.ones((rows.stop, columns.stop), bool)
    return np.asarray(ground.store.read("bad", number, rows, columns) & bit, bool)


def _images(ground: Ground, image_of: ImageOf, hidden: Mask) -> Iterator[tuple[Floats, Floats]]:
    epochs = ground.epochs
    for number, (psf, wcs, scale) in enumerate(zip(epochs.psfs, epochs.wcs, epochs.scale, strict=True)):
        unused = bad(ground, number)
        if hidden.any():
            unused = unused | nearest_on(hidden, ground.grid, wcs, unused.shape)
        planes = psi_phi(image_of(number), variance(ground, number), unused, psf)
        yield onto_grid(*planes, wcs, ground.grid, psf, float(scale))
