"""Sources put in their places: drawn, followed over the images, and drawn anew where too few images show them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.paths import positions_at, trace
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import RngOf
from lostlight.science.inject.sources import Sources, draw_sources, joined
from lostlight.science.inject.targets import Scene, TargetConfig, positions
from lostlight.science.inject.visible import ENOUGH, Masks, fractions
from lostlight.science.motion.project import to_pixels, to_sky

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SceneOf = Callable[[Ints], Scene]
"""Gives the scene in which the sources with these indices are placed."""


@dataclass(frozen=True, eq=False)
class Room:
    """Where sources may be.

    Parameters
    ----------
    scene_of : callable
    boxes : (n, 4) int64 or None
        What counts as the image of each source; see `lostlight.science.inject.visible.fractions`.
    masks : Masks
    first : int
        Number of the first source.
    """

    scene_of: SceneOf
    boxes: Ints | None
    masks: Masks
    first: int = 0


@dataclass(frozen=True, eq=False)
class Placed:
    """Sources in their places.

    Parameters
    ----------
    sources : Sources
    mjd_ref : float
        Time of the places that were drawn, MJD.
    acceptance : (n,) float64
        Fraction of the draws of its sample type that enough images show; NaN where none were tested.
    flux_adu : (n,) float64 or None
        Flux asked for by the place, on the scale of the first image: that of a star times `TargetConfig.flux_ratio`.
    mag : (n,) float64 or None
        Magnitudes that are known, as those of a table; NaN where they are not.
    """

    sources: Sources
    mjd_ref: float
    acceptance: Floats
    flux_adu: Floats | None = None
    mag: Floats | None = None

    def place_px(self, epochs: Epochs) -> Floats:
        """Give the places at the reference time, (n, 2): row and column on the first image."""
        at = positions_at(self.sources, epochs, self.mjd_ref)
        return np.stack([at["y_px"], at["x_px"]], axis=1)


def reference_time(epochs: Epochs, target: TargetConfig) -> float:
    """Give the time at which sources are at the places drawn: of the first image, or the middle of the arc."""
    first, last = float(epochs.mjd_mid[0]), float(epochs.mjd_mid[-1])
    return first if target.at_start else (first + last) / 2


def place(epochs: Epochs, rules: InjectionRules, kind: NDArray[np.str_], rng_of: RngOf, room: Room) -> Placed:
    """Draw sources of given sample types, and where they go.

    Parameters
    ----------
    epochs : Epochs
    rules : InjectionRules
    kind : (n,) str
    rng_of : callable
    room : Room
    """
    target, mjd_ref = rules.target, reference_time(epochs, rules.target)

    def drawn(which: Ints) -> Sources:
        x, y = positions(target, which.size, room.scene_of(which), rng_of("place"), room.first)
        sky = epochs.wcs[0]
        spot = (x, y) if sky is None else to_sky(sky, x, y)
        return draw_sources(kind[which], rules, rng_of, mjd_ref, spot, sky is not None)

    pending = np.arange(len(kind))
    sources = new = drawn(pending)
    if target.strategy != "visible" or not len(kind):
        placed = Placed(sources, mjd_ref, np.full(len(kind), np.nan))
        return replace(placed, flux_adu=_flux_asked(placed, epochs, target, room.scene_of(pending)))
    n_drawn, accepted = np.ones(len(kind)), np.zeros(len(kind))
    for _ in range(target.max_tries - 1):
        seen = n_seen(new, epochs, rules, room.masks, None if room.boxes is None else room.boxes[pending])
        shown = seen >= target.min_epochs * len(epochs)
        accepted[pending] = shown
        pending = pending[~shown]
        if not pending.size:
            break
        new = drawn(pending)
        n_drawn[pending] += 1
        sources = joined(sources, new, pending)
    return Placed(sources, mjd_ref, _rate(kind, accepted, n_drawn))


def _flux_asked(placed: Placed, epochs: Epochs, target: TargetConfig, scene: Scene) -> Floats | None:
    """Give the flux of the star next to each source times the ratio that is asked for."""
    if target.strategy != "near_star" or target.flux_ratio is None:
        return None
    assert scene.star_x is not None and scene.star_y is not None and scene.star_flux is not None
    stars = cKDTree(np.stack([scene.star_y, scene.star_x], axis=1))
    return np.asarray(target.flux_ratio * scene.star_flux[stars.query(placed.place_px(epochs))[1]])


def n_seen(sources: Sources, epochs: Epochs, rules: InjectionRules, masks: Masks, boxes: Ints | None) -> Ints:
    """Count the images that show each source: most of its light, taken as a point, on good pixels."""
    points = replace(epochs, exptime_s=np.zeros(len(epochs)))
    paths = trace(sources, points, rules.plate_scale)
    on_image, masked = fractions(epochs.psfs, masks, paths.x, paths.y, np.ones(paths.x.shape), boxes)
    return np.sum(on_image - masked >= ENOUGH, axis=1)


def field(epochs: Epochs) -> Scene:
    """Give the box, in pixels of the first image, that holds all images."""
    height, width = epochs.shape
    first = epochs.wcs[0]
    if first is None:
        return Scene(0, 0, width, height)
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]])
    places = [to_pixels(first, *to_sky(wcs, *corners.T)) for wcs in epochs.wcs if wcs is not None]
    (x_low, y_low), (x_high, y_high) = np.nanmin(places, axis=(0, 2)), np.nanmax(places, axis=(0, 2))
    x0, y0 = np.floor(x_low + 0.5), np.floor(y_low + 0.5)
    return Scene(x0, y0, np.ceil(x_high + 0.5 - x0), np.ceil(y_high + 0.5 - y0), first)


def _rate(kind: NDArray[np.str_], accepted: Floats, n_drawn: Floats) -> Floats:
    rate = np.empty(len(kind))
    for name in np.unique(kind):
        same = kind == name
        rate[same] = accepted[same].sum() / n_drawn[same].sum()
    return rate
