"""The truth: every object near any position, drawn cell by cell from one seed."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from lostlight.sim import population, transients
from lostlight.sim.cells import Cells, stream
from lostlight.sim.plates import Layout
from lostlight.sim.sources import KINDS, SOURCE

BRIGHT_LAYER, FAINT_LAYER, MOVING_LAYER = 0, 1, 2
"""Bright stars, everything else that stays, and asteroids; each in cells of its own size."""
ALL_LAYERS = (BRIGHT_LAYER, FAINT_LAYER, MOVING_LAYER)
_NSIDE = (16, 128, 64)
_HOMED = [KINDS.index(kind) for kind in ("variable", "vanished_B", "vanished_D", "vanished_E", "asteroid")]


class Truth:
    """Everything in the simulated sky, at J2000.

    Parameters
    ----------
    seed : int
        The same seed is the same sky.
    layout : Layout
        The plates, because flashes and asteroids belong to the night of one plate.
    """

    def __init__(self, seed: int, layout: Layout) -> None:
        self.seed = seed
        self.layout = layout
        self.layers = tuple(Cells(nside) for nside in _NSIDE)
        self.cell = lru_cache(maxsize=160)(self._cell)

    def around(
        self, ra_deg: float, dec_deg: float, radius_deg: float, layers: tuple[int, ...] = ALL_LAYERS
    ) -> NDArray[np.void]:
        """Give all objects that may lie within a cone, at any epoch within a century of J2000, and some beyond.

        Parameters
        ----------
        ra_deg, dec_deg, radius_deg : float
            The cone, degrees.
        layers : tuple of int
            `BRIGHT_LAYER` alone is stars brighter than R = 11, at little cost.

        Returns
        -------
        ndarray of SOURCE
            In ascending order of `truth_id`.
        """
        cells = self.cells(ra_deg, dec_deg, radius_deg, layers)
        return np.concatenate([np.zeros(0, SOURCE), *(self.cell(*cell) for cell in cells)])

    def cells(
        self, ra_deg: float, dec_deg: float, radius_deg: float, layers: tuple[int, ...] = ALL_LAYERS
    ) -> list[tuple[int, int]]:
        """List the (layer, cell) pairs whose objects may lie within a cone."""
        return [(layer, cell) for layer in layers for cell in self.layers[layer].around(ra_deg, dec_deg, radius_deg)]

    def _cell(self, layer: int, cell: int) -> NDArray[np.void]:
        parts = (self._bright, self._faint, self._moving)[layer](cell)
        table = np.concatenate([np.zeros(0, SOURCE), *parts])
        base = (layer << 40) | (cell << 22)
        table["truth_id"] = base + np.arange(1, len(table) + 1)
        table["group"] = np.where(table["group"] > 0, base + table["group"], 0)
        table.flags.writeable = False
        return table

    def _bright(self, cell: int) -> list[NDArray[np.void]]:
        cells, rng = self.layers[BRIGHT_LAYER], stream(self.seed, "bright stars", cell)
        sin_b = population.sin_galactic_latitude(*cells.centre(cell))
        mags = population.draw_magnitudes(sin_b, cells.area_deg2, 3.0, population.BRIGHT, rng)
        return [population.stars(*cells.scatter(cell, len(mags), rng), mags, rng)]

    def _faint(self, cell: int) -> list[NDArray[np.void]]:
        cells = self.layers[FAINT_LAYER]
        sin_b = population.sin_galactic_latitude(*cells.centre(cell))
        rng = stream(self.seed, "stars", cell)
        mags = population.draw_magnitudes(sin_b, cells.area_deg2, population.BRIGHT, population.FAINTEST, rng)
        stars = population.stars(*cells.scatter(cell, len(mags), rng), mags, rng)
        fast = self._scattered(FAINT_LAYER, cell, "fast stars", population.FAST_STARS_DEG2, population.fast_stars)
        galaxies = self._scattered(FAINT_LAYER, cell, "galaxies", population.galaxy_density(sin_b), population.galaxies)
        singles = [
            self._scattered(FAINT_LAYER, cell, kind, density, partial(transients.single, kind))
            for kind, density in transients.DENSITY_DEG2.items()
        ]
        parts = [stars, population.companions(stars, rng), fast, galaxies, *singles]
        return self._with_homes([*parts, *self._groups(cell)])

    def _groups(self, cell: int) -> list[NDArray[np.void]]:
        groups = []
        for make, density in (
            (transients.multiplet, transients.MULTIPLETS_DEG2),
            (transients.pair, transients.PAIRS_DEG2),
        ):
            rng = stream(self.seed, make.__name__, cell)
            cells = self.layers[FAINT_LAYER]
            places = cells.scatter(cell, int(rng.poisson(density * cells.area_deg2)), rng)
            groups += [make(*place, rng) for place in zip(*places, strict=True)]
        for number, group in enumerate(groups, start=1):
            group["group"] = number
        return groups

    def _moving(self, cell: int) -> list[NDArray[np.void]]:
        density = transients.asteroid_density(*self.layers[MOVING_LAYER].centre(cell))
        return self._with_homes([self._scattered(MOVING_LAYER, cell, "asteroids", density, transients.asteroids)])

    def _scattered(
        self, layer: int, cell: int, purpose: str, density_deg2: float, make: Callable[..., NDArray[np.void]]
    ) -> NDArray[np.void]:
        """Scatter a Poisson number of objects over a cell; every kind has its own stream."""
        cells, rng = self.layers[layer], stream(self.seed, purpose, cell)
        return make(*cells.scatter(cell, int(rng.poisson(density_deg2 * cells.area_deg2)), rng), rng)

    def _with_homes(self, parts: list[NDArray[np.void]]) -> list[NDArray[np.void]]:
        for part in parts:
            if len(part) and part["kind"][0] in _HOMED:
                homes = self.layout.nearest(part["ra_deg"], part["dec_deg"])
                # A group belongs to the night of one plate, even where it lies across a boundary.
                part["home"] = homes[0] if part["group"][0] else homes
        return parts


def magnitude_on_plate(sources: NDArray[np.void], plate_index: int) -> NDArray[np.float64]:
    """Give the R magnitude each object shows on one plate; NaN where it is not there.

    Variables are bright on their own plate and quiet on every other; flashes and asteroids are on their own plate only.
    """
    is_elsewhere = (sources["home"] >= 0) & (sources["home"] != plate_index)
    is_variable = sources["kind"] == KINDS.index("variable")
    elsewhere = np.where(is_variable, sources["mag_later"], np.nan)
    return np.where(is_elsewhere, elsewhere, sources["mag_r"])
