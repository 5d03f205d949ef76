"""The images of a stack on one grid of pixels, without their sky: what cut-outs and registered stacks are made of."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.io import stack_store
from lostlight.io.scratch import scratch
from lostlight.io.stack_store import Stack
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.epochs.grid import Grid, union_grid
from lostlight.science.epochs.register import Kernel, Registered, register
from lostlight.science.motion.project import jacobian
from lostlight.steps.injecting import epochs as stacks
from lostlight.vocab.bits import stack as bit

Images = NDArray[np.float32]
Progress = Callable[[float, int, str], None]


@dataclass(frozen=True, eq=False)
class OneGrid:
    """Images that share their pixels.

    Parameters
    ----------
    grid : Grid
    epochs : Epochs
        With the sky of the grid. `sigma_adu` is the noise that a pixel would have if the noise of a point's flux came
        from independent pixels: where images were resampled, noise is shared by neighbours.
    light : (T, H, W) float32, adu
        Without the sky; NaN where nothing is measured.
    sources : (H, W) bool
        Pixels of static sources on the earliest image.
    """

    grid: Grid
    epochs: Epochs
    light: Images
    sources: NDArray[np.bool_]

    @cached_property
    def scale_arcsec(self) -> float:
        """Side of a pixel in the middle; NaN without a sky."""
        if self.grid.wcs is None:
            return np.nan
        x, y = ((np.array([n]) - 1) / 2 for n in self.grid.shape[::-1])
        return float(abs(np.linalg.det(jacobian(self.grid.wcs, x, y)[0])) ** -0.5)

    def is_bad(self, image: int) -> NDArray[np.bool_]:
        """Tell which pixels of an image hold no measurement, (H, W) bool."""
        return np.asarray(~np.isfinite(self.light[image]))


def on_one_grid(path: Path, kernel: Kernel = "lanczos3", gain_e_adu: float | None = None) -> OneGrid:
    """Bring the images of a stack to one grid; those that share it already are taken as they are.

    Parameters
    ----------
    path : Path
        A store of a stack.
    kernel : {'lanczos3', 'cubic', 'linear'}
    gain_e_adu : float, optional
        That of all images, if not that of their headers.

    Raises
    ------
    ConfigError
        If some images have a place on the sky and others do not, or if they are too far apart.
    ContractError
        If the store cannot be read.
    """
    store, known = stacks.opened(path, gain_e_adu)
    grid = union_grid(known)
    light = scratch((len(known), *grid.shape), np.float32)
    sigma = known.sigma_adu.copy()
    for image, found in registered(store, known, grid, kernel):
        light[image] = found.image
        sigma[image] *= _growth(store, image, found)
    shared = replace(known, shape=grid.shape, wcs=(grid.wcs,) * len(known), sigma_adu=sigma)
    return OneGrid(grid, shared, light, _stars(store, grid) > 0)


def registered(store: Stack, known: Epochs, grid: Grid, kernel: Kernel) -> Iterator[tuple[int, Registered]]:
    """Give the number of each image of a stack, and the image on a grid, without its sky."""
    for image in range(len(known)):
        ny, nx = (int(side) for side in store.images[image]["shape"])
        own = {"rows": slice(0, ny), "columns": slice(0, nx)}
        light = store.read("science", image, **own) - stacks.sky(store, image)
        noise = store.read("variance", image, **own)
        bad = stacks.is_bad(store, image)[:ny, :nx]
        yield image, register(light, noise, bad, known.wcs[image], grid, known.psfs[image], kernel)


def write_registered(path: Path, out: Path, kernel: Kernel, attributes: Mapping[str, Any], progress: Progress) -> None:
    """Write a stack anew with all images on the grid of the earliest, without their sky.

    Parameters
    ----------
    path, out : Path
        Stores; `out` is a folder, or one file if its name ends in .zip.
    kernel : {'lanczos3', 'cubic', 'linear'}
    attributes : mapping
        Further ones of the new store.
    progress : callable

    Raises
    ------
    ConfigError, ContractError
        As `on_one_grid` does.
    """
    store, known = stacks.opened(path)
    grid = union_grid(known)
    stars = _stars(store, grid)
    about = {
        **store.attributes, **attributes, "sky": {**store.attributes["sky"], "mesh_px": 0},
        "registered": {"kernel": kernel, "x0": grid.x0, "y0": grid.y0},
    }  # fmt: skip
    with stack_store.writing(out, (len(known), *grid.shape), about) as writer:
        for image, found in registered(store, known, grid, kernel):
            numbers = {name: float(values[image]) for name, values in store.numbers.items()}
            numbers["sigma_adu"] = float(np.sqrt(np.nanmedian(found.variance)))
            bad = stars | np.where(found.footprint, 0, bit("NO_DATA")).astype(np.uint32)
            record = _record(store, image, found, grid)
            writer.put(image, found.image, bad, variance=found.variance, numbers=numbers, record=record)
            progress(image + 1, len(known), str(record["id"]))


def _growth(store: Stack, image: int, found: Registered) -> float:
    """Give the factor by which registering made the noise of a pixel larger, as far as the flux of a point goes."""
    if not found.is_resampled:
        return 1.0
    before = float(np.nanmedian(store.read("variance", image)))
    return float(np.sqrt(np.nanmedian(found.variance) / before)) * found.noise_gain


def _stars(store: Stack, grid: Grid) -> NDArray[np.uint32]:
    """Mark static sources where the earliest image has them; it lies on the grid as it is."""
    marks, own = np.zeros(grid.shape, np.uint32), store.read("bad", 0) & np.uint32(bit("STAR"))
    ny, nx = own.shape
    marks[-grid.y0 : ny - grid.y0, -grid.x0 : nx - grid.x0] = own
    return marks


def _record(store: Stack, image: int, found: Registered, grid: Grid) -> dict[str, Any]:
    how = {
        "flux_factor": found.ratio, "noise_gain": found.noise_gain, "lag_x": found.lag_x, "lag_y": found.lag_y,
        "is_resampled": found.is_resampled,
    }  # fmt: skip
    wcs = _moved(str(store.images[0]["wcs"]), grid)
    return {**store.images[image], **how, "wcs": wcs, "shape": list(grid.shape)}


def _moved(cards: str, grid: Grid) -> str:
    """Write the sky of the grid: that of the earliest image, its first pixel moved."""
    if not cards:
        return ""
    header = Header.fromstring(cards, sep="\n")
    header["CRPIX1"], header["CRPIX2"] = header.get("CRPIX1", 0.0) - grid.x0, header.get("CRPIX2", 0.0) - grid.y0
    return str(header.tostring(sep="\n", endcard=False, padding=False)).rstrip()
