"""Sources on whole images: each on stamps of its own, which are added to the images as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.negatives import Pixels, artefact
from lostlight.science.inject.noise import photon_noise
from lostlight.science.inject.plan import Plan
from lostlight.science.inject.seeds import stream
from lostlight.science.inject.visible import stamps_of
from lostlight.vocab.movers import NEGATIVES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Block = tuple[int, int, NDArray[np.float32], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Stamps:
    """Light of sources on images, as it was realised: m stamps, in order of source and image.

    Parameters
    ----------
    source, epoch : (m,) int64
        Numbers in the plan, and of the image.
    corner : (m, 2) int64
        Row and column of the first pixel; it may lie outside of the image.
    shape : (m, 2) int64
        Rows and columns.
    start : (m + 1,) int64
        Where each begins in `values`.
    values : (p,) float32
        Pixels of all, row by row, adu.
    """

    source: Ints
    epoch: Ints
    corner: Ints
    shape: Ints
    start: Ints
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.source)

    def stamp(self, i: int) -> NDArray[np.float32]:
        """Give the pixels of one stamp, (rows, columns)."""
        rows, columns = self.shape[i].tolist()
        return self.values[self.start[i] : self.start[i + 1]].reshape(rows, columns)

    def flux(self, n_sources: int, n_images: int) -> Floats:
        """Add up what was rendered of each source on each image, off its edge too: (n, T) float64, adu."""
        total = np.zeros((n_sources, n_images))
        sums = np.add.reduceat(self.values.astype(np.float64), self.start[:-1]) if len(self) else np.zeros(0)
        np.add.at(total, (self.source, self.epoch), sums)
        return total

    def light(self, epoch: int, shape: tuple[int, int], among: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Give what is added to an image: (H, W) float32, stamps added up in float64 and rounded once.

        Parameters
        ----------
        epoch : int
        shape : (int, int)
        among : (n,) bool or None
            Sources of the plan that are wanted: those of one copy of the images; None takes all.
        """
        image = np.zeros(shape)
        for i in np.flatnonzero(self.epoch == epoch):
            if among is None or among[self.source[i]]:
                _add(image, self.stamp(i), *self.corner[i].tolist())
        return image.astype(np.float32)


def render_stamps(epochs: Epochs, plan: Plan, which: NDArray[Any] | None = None) -> Stamps:
    """Render sources of a plan, with the noise of their photons where it is asked for and the gain is known.

    Parameters
    ----------
    epochs : Epochs
    plan : Plan
    which : (m,) int or None
        Numbers of the sources; None takes all. Each stamp is the same whichever are rendered with it.
    """
    wanted = np.arange(len(plan)) if which is None else np.asarray(which, np.int64)
    false = np.isin(plan.kind[wanted], NEGATIVES)
    blocks = [*_of_sources(epochs, plan, wanted[~false]), *_of_artefacts(epochs, plan, wanted[false])]
    blocks.sort(key=lambda block: block[:2])
    shape = np.array([block[2].shape for block in blocks], np.int64).reshape(-1, 2)
    return Stamps(
        source=np.array([block[0] for block in blocks], np.int64),
        epoch=np.array([block[1] for block in blocks], np.int64),
        corner=np.array([block[3] for block in blocks], np.int64).reshape(-1, 2),
        shape=shape,
        start=np.concatenate([[0], np.cumsum(shape.prod(axis=1))]).astype(np.int64),
        values=np.concatenate([np.zeros(0, np.float32), *(block[2].ravel() for block in blocks)]),
    )


def inject_images(
    images: Sequence[NDArray[Any]], epochs: Epochs, plan: Plan, realisation: int = 0
) -> tuple[list[NDArray[Any]], list[NDArray[Any]], Stamps]:
    """Plant the sources of one copy in whole images.

    Parameters
    ----------
    images : sequence of T (H, W) float32 or float64
        In order of time; NaN stays NaN.
    epochs : Epochs
    plan : Plan
    realisation : int
        Number of the copy.

    Returns
    -------
    x : list of (H, W)
        Images with sources: `images + y`, bit by bit, in the type of each image.
    y : list of (H, W)
        What was added.
    stamps : Stamps

    Raises
    ------
    ConfigError
        Where there are more or fewer images than the plan has.
    """
    if len(images) != len(epochs):
        raise ConfigError(f"{len(images)} images for a plan of {len(epochs)}", "give those that the plan was made for")
    among = plan.realisation == realisation
    stamps = render_stamps(epochs, plan, np.flatnonzero(among))
    y = [stamps.light(t, image.shape, among).astype(image.dtype) for t, image in enumerate(images)]
    return [image + light for image, light in zip(images, y, strict=True)], y, stamps


def _of_sources(epochs: Epochs, plan: Plan, which: Ints) -> Iterator[Block]:
    for t, psf in enumerate(epochs.psfs):
        lit = which[(plan.flux[which, t].sum(axis=1) > 0) & np.isfinite(plan.x[which, t, 0])]
        lit = lit[plan.is_on[lit, t]]
        for part, values, corner in stamps_of(psf, plan.x[lit, t], plan.y[lit, t], plan.flux[lit, t]):
            for i, value, first in zip(lit[part].tolist(), values, corner.tolist(), strict=True):
                yield i, t, _realised(value, epochs, plan, i, t).astype(np.float32), (first[0], first[1])


def _realised(expected: Floats, epochs: Epochs, plan: Plan, source: int, t: int) -> Floats:
    gain = epochs.gain_e_adu[t]
    if not (plan.rules.poisson and np.isfinite(gain)):
        return expected
    return photon_noise(expected, gain, stream(plan.rules.seed, "plan", source * len(epochs) + t, "photons"))


def _of_artefacts(epochs: Epochs, plan: Plan, which: Ints) -> Iterator[Block]:
    shape = (len(epochs), *epochs.shape)
    for i in which.tolist():
        rng = stream(plan.rules.seed, "plan", i, "artefact")
        where = np.nan_to_num(plan.x[i, :, 0]), np.nan_to_num(plan.y[i, :, 0])
        pixels = artefact(str(plan.kind[i]), shape, *where, float(plan.flux_adu[i]), epochs.psfs, rng)
        for t in np.unique(pixels.t).tolist():
            yield i, t, *_block(pixels.of_image(t))


def _block(pixels: Pixels) -> tuple[NDArray[np.float32], tuple[int, int]]:
    y0, x0 = int(pixels.y.min()), int(pixels.x.min())
    block = np.zeros((int(pixels.y.max()) - y0 + 1, int(pixels.x.max()) - x0 + 1), np.float32)
    block[pixels.y - y0, pixels.x - x0] = pixels.value
    return block, (y0, x0)


def _add(image: Floats, stamp: NDArray[np.float32], row: int, column: int) -> None:
    y0, x0 = max(row, 0), max(column, 0)
    y1, x1 = min(row + stamp.shape[0], image.shape[0]), min(column + stamp.shape[1], image.shape[1])
    if y0 < y1 and x0 < x1:
        image[y0:y1, x0:x1] += stamp[y0 - row : y1 - row, x0 - column : x1 - column]
