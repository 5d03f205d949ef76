"""Many small cases at once: cut-outs of a stack with one source each, the same whatever batch they are made in.

Random numbers belong to blocks of cases, and a block is drawn whole; light is rendered for the cases asked for alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import DTypeLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.epochs.patches import patch_corners
from lostlight.science.inject import truth
from lostlight.science.inject.negatives import artefact
from lostlight.science.inject.noise import photon_noise
from lostlight.science.inject.placing import Room, place
from lostlight.science.inject.planting import Planted, plant, tables
from lostlight.science.inject.render import render_cases
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import stream, streams
from lostlight.science.inject.sources import sample_types
from lostlight.science.inject.targets import Scene
from lostlight.science.inject.visible import BadOf, Masks
from lostlight.vocab.movers import NEGATIVES

Ints = NDArray[np.int64]
BLOCK = 512
"""Cases that are drawn together."""
ANYWHERE = ("near_star", "gap", "sky")
"""Strategies for which the source is placed first, and the cut-out around it."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Cases: N cut-outs of T images with a source each.

    Parameters
    ----------
    cases : (N,) int64
        Their numbers.
    corner : (N, 2) int64
        Row and column of the first pixel of each cut-out on the images.
    label : (N,) int64
        1 for sources, 0 for artefacts and for nothing.
    y : (N, T, P, P) float32 or float64
        What is added.
    sources, images : Table
        The truth, as `lostlight.vocab.movers.INJECTED` and INJECTED_EPOCHS; positions are those on whole images.
    """

    cases: Ints
    corner: Ints
    label: Ints
    y: NDArray[Any]
    sources: Table
    images: Table

    def x(self, stack: NDArray[Any]) -> NDArray[Any]:
        """Give the cut-outs of `stack` (T, H, W) with their sources, (N, T, P, P): patch + y, bit by bit."""
        side = self.y.shape[-1]
        x = np.empty_like(self.y)
        for i, (row, column) in enumerate(self.corner.tolist()):
            patch = stack[:, row : row + side, column : column + side].astype(self.y.dtype, copy=False)
            np.add(patch, self.y[i], out=x[i])
        return x


def inject_batch(
    epochs: Epochs,
    cases: Sequence[int] | Ints,
    rules: InjectionRules,
    *,
    bad: NDArray[np.bool_] | BadOf | None = None,
    patch_px: int = 64,
    stride_px: int = 32,
    stars: tuple[NDArray[np.float64], ...] | None = None,
    dtype: DTypeLike = np.float32,
    threads: int = 1,
) -> Batch:
    """Make cases: one source each in a cut-out of a stack.

    Parameters
    ----------
    epochs : Epochs
        Of the stack; its images must lie on one grid of pixels.
    cases : sequence of N int
        Numbers of the cases, from 0, in any order.
    rules : InjectionRules
        Its `n` does not matter.
    bad : (T, H, W) bool, callable or None
        Masked pixels.
    patch_px, stride_px : int
        Side of the cut-outs, and distance of two.
    stars : (x, y, flux) or None
        Static sources, for the strategy `near_star`.
    dtype : float32 or float64
        Of y.
    threads : int
        The result is the same for any number.

    Raises
    ------
    ConfigError
        For negative numbers of cases.
    BadImage
        Where a cut-out is larger than the images.
    """
    wanted = np.asarray(cases, np.int64)
    if wanted.size and wanted.min() < 0:
        raise ConfigError(f"the number of a case is negative: {wanted.min()}", "count cases from 0")
    if rules.target.strategy == "density":
        rules = replace(rules, target=replace(rules.target, strategy="mid"))
    corners = patch_corners(epochs.shape, patch_px, stride_px)
    whole = Scene(0, 0, epochs.shape[1], epochs.shape[0], epochs.wcs[0])
    masks = Masks(bad, len(epochs), epochs.shape)
    if rules.target.strategy == "gap":
        whole = replace(whole, bad=masks.plane(0))
    if stars is not None:
        whole = replace(whole, star_x=stars[0], star_y=stars[1], star_flux=stars[2])
    shape, y = (wanted.size, len(epochs), patch_px, patch_px), None
    parts: list[tuple[Ints, Ints, Ints, Table, Table]] = []
    for block, where in _blocks(wanted):
        made = _Block(epochs, rules, block, corners, patch_px, masks, whole)
        rows = wanted[where] - block * BLOCK
        light = made.light(rows, np.dtype(dtype), threads)
        if where.size == wanted.size:
            y = light
        else:
            y = np.empty(shape, dtype) if y is None else y
            y[where] = light
        parts.append((where, made.corner[rows], made.planted.sources.label[rows], *made.truth(rows)))
    return _gathered(wanted, np.zeros(shape, dtype) if y is None else y, parts)


def _blocks(wanted: Ints) -> Iterator[tuple[int, Ints]]:
    """Give the blocks of the cases, and which of the cases are of each."""
    for block in np.unique(wanted // BLOCK).tolist():
        yield block, np.flatnonzero(wanted // BLOCK == block)


class _Block:
    """Cases that are drawn together."""

    def __init__(
        self, epochs: Epochs, rules: InjectionRules, number: int, corners: Ints, side: int, masks: Masks, whole: Scene
    ) -> None:
        rng_of = streams(rules.seed, "batch", number)
        kind = sample_types(rules.classes, BLOCK, rng_of("class"))
        self.corner = corners[rng_of("place").integers(len(corners), size=BLOCK)]
        self.number, self.side, self.rules = number, side, rules
        placed = None
        if rules.target.strategy in ANYWHERE:
            placed = place(epochs, rules, kind, rng_of, Room(lambda _: whole, None, masks))
            spot = placed.place_px(epochs)
            distance = np.abs(corners[None] + side / 2 - spot[:, None]).max(axis=2)
            self.corner = corners[np.argmin(distance, axis=1)]
        room = Room(self._scene_of(whole), self._boxes(), masks, number * BLOCK)
        self.planted: Planted = plant(epochs, rules, kind, rng_of, room, placed)

    def _boxes(self) -> Ints:
        y0, x0 = self.corner.T
        return np.stack([y0, y0 + self.side, x0, x0 + self.side], axis=1)

    def _scene_of(self, whole: Scene) -> Any:
        def scene_of(which: Ints) -> Scene:
            y0, x0 = self.corner[which].T.astype(np.float64)
            return replace(whole, x0=x0, y0=y0, width=self.side, height=self.side, origin_x=x0, origin_y=y0)

        return scene_of

    def light(self, rows: Ints, dtype: np.dtype[Any], threads: int) -> NDArray[Any]:
        """Render some of the cases, (n, T, P, P)."""
        planted = self.planted
        epochs, y0, x0 = planted.epochs, *(self.corner[rows].T[:, :, None, None])
        x, y, flux = planted.paths.x[rows] - x0, planted.paths.y[rows] - y0, planted.flux[rows]
        noisy = self.rules.poisson and bool(np.isfinite(epochs.gain_e_adu).any())
        kind = np.float64 if noisy else dtype
        light = render_cases(epochs.psfs, (self.side, self.side), x, y, flux, kind, threads)
        for i, row in enumerate(rows.tolist()):
            if planted.sources.kind[row] in NEGATIVES:
                self._add_artefact(light[i], row, x[i, :, 0], y[i, :, 0])
            elif noisy:
                self._add_photons(light[i], row)
        return light.astype(dtype, copy=False)

    def _add_artefact(self, light: NDArray[Any], row: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        rng = stream(self.rules.seed, "batch", self.number * BLOCK + row, "artefact")
        kind, flux = str(self.planted.sources.kind[row]), float(self.planted.light.flux[row])
        artefact(kind, light.shape, x, y, flux, self.planted.epochs.psfs, rng).add_to(light)

    def _add_photons(self, light: NDArray[Any], row: int) -> None:
        rng = stream(self.rules.seed, "batch", self.number * BLOCK + row, "photons")
        for t, gain in enumerate(self.planted.epochs.gain_e_adu):
            if np.isfinite(gain):
                light[t] = photon_noise(light[t], gain, rng)

    def truth(self, rows: Ints) -> tuple[Table, Table]:
        """Make the tables of some of the cases."""
        first = self.number * BLOCK
        ids = truth.source_ids(self.rules.stack_id, BLOCK, first)
        sources, images = tables(self.planted, ids)
        n_images = len(self.planted.epochs)
        return sources[rows], images[(rows[:, None] * n_images + np.arange(n_images)).ravel()]


def _gathered(wanted: Ints, y: NDArray[Any], parts: list[tuple[Ints, Ints, Ints, Table, Table]]) -> Batch:
    """Put what was made block by block in the order that was asked for, and the light into the truth."""
    n_images = y.shape[1]
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Batch(wanted, nothing.reshape(0, 2), nothing, y, truth.injected({}, 0), truth.injected_epochs({}, [], 0))
    _, corner, label, sources, images = parts[0]
    if len(parts) > 1:
        order = np.argsort(np.concatenate([part[0] for part in parts]), kind="stable")
        corner, label = (np.concatenate([part[k] for part in parts])[order] for k in (1, 2))
        sources = vstack([part[3] for part in parts], metadata_conflicts="silent")[order]
        rows = (order[:, None] * n_images + np.arange(n_images)).ravel()
        images = vstack([part[4] for part in parts], metadata_conflicts="silent")[rows]
    images["flux_realised_adu"] = y.reshape(wanted.size * n_images, -1).sum(axis=1)
    return Batch(wanted, corner, label, y, sources, images)
