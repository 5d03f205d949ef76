"""Evidence of a stack: what each pixel says of a point source there, in pixels of each image or of the grid."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lostlight.io.scratch import scratch
from lostlight.science.search import cap
from lostlight.science.search.likelihood import correlated, psi_phi
from lostlight.science.search.onto_grid import onto_grid
from lostlight.science.search.static import nearest_on, standing, static_sources
from lostlight.steps.injecting import epochs as stacks
from lostlight.steps.recovering.ground import Ground
from lostlight.vocab import bits

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Evidence:
    """psi and phi (T, H, W) float32 on the grid of the search; fluxes on the scale of the earliest image."""

    psi: Floats
    phi: Floats

    def copy(self, folder: Path | None = None) -> "Evidence":
        """Copy psi, so that it can be changed; phi is shared."""
        psi = scratch(self.psi.shape, np.float32, folder)
        for number, plane in enumerate(self.psi):
            psi[number] = plane
        return Evidence(psi, self.phi)


def capped(ground: Ground, made: Evidence, folder: Path | None = None) -> Floats:
    """Give psi as the search for paths sees it, (T, H, W): no image contributes more than noise does."""
    psi = scratch(made.psi.shape, np.float32, folder)
    for number in range(len(psi)):
        psi[number] = cap.capped(made.psi[number], made.phi[number], ground.cap)
    return psi


class Plates:
    """The images of a stack as evidence in their own pixels.

    It is kept in files where it is large, so that memory does not grow with the number of images.

    Parameters
    ----------
    ground : Ground
    folder : Path, optional
        Where those files are made.

    Attributes
    ----------
    hidden : (H, W) bool
        Pixels of the grid on sources that do not move; they are not used.
    weight : (T, h, w) float32
        One over the variance; zero where nothing is measured, and where it is not used.
    psi, phi : (T, h, w) float32
    """

    def __init__(self, ground: Ground, folder: Path | None = None) -> None:
        self.ground, self.folder = ground, folder
        self.hidden = static(ground)
        shape = (len(ground.epochs), *ground.epochs.shape)
        self.weight, self.psi, self.phi = (scratch(shape, np.float32, folder) for _ in range(3))
        self._measure()
        if ground.params.vetting.mask_static:
            faint = self._standing() & ~self.hidden
            self.hidden |= faint
            if faint.any():
                self._measure()

    def _measure(self) -> None:
        ground = self.ground
        gain = stacks.noise_gain(ground.store).astype(np.float32)
        for number, psf in enumerate(ground.epochs.psfs):
            own = (number, *own_size(ground, number))
            variance = np.asarray(ground.store.read("variance", *own)) * gain[number] ** 2
            unused = bad(ground, number)
            if self.hidden.any():
                unused = unused | nearest_on(self.hidden, ground.grid, ground.epochs.wcs[number], unused.shape)
            weight = np.divide(1, variance, out=np.zeros_like(variance), where=~unused & (variance > 0))
            image = science(ground, number) - sky(ground, number)
            self.weight[own], (self.psi[own], self.phi[own]) = weight, psi_phi(image, variance, unused, psf)

    def _standing(self) -> Mask:
        """Mark the pixels of the grid on light that stands, and half the width of a point around."""
        on_grid = (self.on_grid(number) for number in range(len(self.ground.epochs)))
        seen = ((cap.capped(psi, phi, self.ground.cap), phi) for psi, phi in on_grid)
        reach = int(np.ceil(self.ground.fwhm_px / 2))
        return ndimage.maximum_filter(standing(seen, self.ground.epochs.days), 2 * reach + 1)

    def on_grid(self, number: int, psi: Floats | None = None) -> tuple[Floats, Floats]:
        """Bring the evidence of an image, or another psi of the same image, to the grid: psi, phi of its shape."""
        epochs, own = self.ground.epochs, (number, *own_size(self.ground, number))
        given = self.psi[own] if psi is None else psi
        place = epochs.wcs[number], self.ground.grid, epochs.psfs[number]
        return onto_grid(given, self.phi[own], *place, float(epochs.scale[number]))

    def with_light(self, number: int, light: Floats) -> Floats:
        """Give psi of an image, (h, w) in its own pixels, with light (h, w) in adu added to it."""
        own = (number, *own_size(self.ground, number))
        added = correlated(light * self.weight[own], self.ground.epochs.psfs[number].kernel())
        return np.where(self.phi[own] > 0, self.psi[own] + added, 0).astype(np.float32)

    def gathered(self) -> Evidence:
        """Gather the evidence of all images on the grid."""
        shape = (len(self.ground.epochs), *self.ground.grid.shape)
        made = Evidence(*(scratch(shape, np.float32, self.folder) for _ in range(2)))
        for number in range(len(self.ground.epochs)):
            made.psi[number], made.phi[number] = self.on_grid(number)
        return made


def science(ground: Ground, number: int) -> Floats:
    """Give the pixels of an image with its sky, (ny, nx), in its own size."""
    return np.asarray(ground.store.read("science", number, *own_size(ground, number)))


def sky(ground: Ground, number: int) -> Floats:
    """Give the sky of an image, as it was measured, (ny, nx)."""
    return stacks.sky(ground.store, number)


def bad(ground: Ground, number: int) -> Mask:
    """Tell which pixels of an image hold no measurement, (ny, nx)."""
    return _marks(ground, number, bits.STACK_BAD)


def own_size(ground: Ground, number: int) -> tuple[slice, slice]:
    """Rows and columns of a stack that an image fills."""
    ny, nx = ground.store.images[number]["shape"]
    return slice(0, int(ny)), slice(0, int(nx))


def static(ground: Ground) -> Mask:
    """Mark the pixels of the grid on sources that do not move: on at least half of the images that show them."""
    if not ground.params.vetting.mask_static:
        return np.zeros(ground.grid.shape, bool)
    numbers = range(len(ground.epochs))
    stars = (_marks(ground, number, bits.stack("STAR")) for number in numbers)
    covers = (np.ones_like(bad(ground, number)) for number in numbers)
    return static_sources(stars, covers, ground.epochs.wcs, ground.grid)


def _marks(ground: Ground, number: int, bit: int) -> Mask:
    return np.asarray(ground.store.read("bad", number, *own_size(ground, number)) & bit, bool)
