"""The plan of an injection: what goes where in the images of a stack, and the truth of it."""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject import truth
from lostlight.science.inject.placing import Placed, Room, field, reference_time
from lostlight.science.inject.planting import Planted, plant, tables
from lostlight.science.inject.realisations import near_pairs, share_out
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import streams
from lostlight.science.inject.sources import sample_types, tabled
from lostlight.science.inject.visible import BadOf, Masks
from lostlight.science.motion.project import to_pixels
from lostlight.science.motion.table import TableMotion
from lostlight.vocab import bits

Floats = NDArray[np.float64]
Stars = tuple[Floats, Floats, Floats]
"""x, y (pixels of the first image) and flux (adu) of static sources."""

OVERLAP_FWHM = 20.0
BLENDED_FWHM = 2.0
BLENDED_MAG = 2.5
"""A static source that is fainter than the planted one by more does not blend it."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What is planted: n sources on T images.

    Parameters
    ----------
    sources : Table
        `lostlight.vocab.movers.INJECTED`.
    images : Table
        `lostlight.vocab.movers.INJECTED_EPOCHS`; light that was realised is not known yet.
    x, y, flux : (n, T, K) float64
        Positions at nodes of time within each exposure, zero-based pixels of the image, and light, adu; sources have
        as many nodes as their trails ask for, beyond are NaN and no light.
    is_on : (n, T) bool
        Whether any light falls on the image.
    rules : InjectionRules
    """

    sources: Table
    images: Table
    x: Floats
    y: Floats
    flux: Floats
    is_on: NDArray[np.bool_]
    rules: InjectionRules

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def kind(self) -> NDArray[np.str_]:
        """Sample types, (n,)."""
        return np.asarray(self.sources["sample_type"], np.str_)

    @property
    def realisation(self) -> NDArray[np.int32]:
        """Copy of the images that each source is planted in, (n,)."""
        return np.asarray(self.sources["realisation"])

    @property
    def flux_adu(self) -> Floats:
        """Light at the reference time, (n,) adu on the scale of the first image."""
        return np.asarray(self.sources["flux_adu"])


def plan_injections(
    epochs: Epochs,
    bad: NDArray[np.bool_] | BadOf | None,
    rules: InjectionRules,
    *,
    stars: Stars | None = None,
    table: TableMotion | None = None,
    mag: Floats | None = None,
) -> Plan:
    """Lay out the sources that are planted in the images of a stack.

    Parameters
    ----------
    epochs : Epochs
    bad : (T, H, W) bool, callable or None
        Masked pixels, or what gives those of image t.
    rules : InjectionRules
    stars : (x, y, flux) or None
        Static sources, for `near_star` and for the flag BLENDED.
    table : TableMotion or None
        Bodies whose positions are given, for motion `table`.
    mag : (n,) float64 or None
        Their magnitudes, NaN where unknown: taken instead of those drawn where brightness is in magnitudes.

    Returns
    -------
    Plan
        The same for the same arguments, whatever else is done.

    Raises
    ------
    ConfigError
        Where motion is `table` and there is none.
    """
    rng_of = streams(rules.seed, "plan", 0)
    masks = Masks(bad, len(epochs), epochs.shape)
    scene = field(epochs)
    if stars is not None:
        scene = replace(scene, star_x=stars[0], star_y=stars[1], star_flux=stars[2])
    if rules.target.strategy == "gap":
        scene = replace(scene, bad=masks.plane(0))
    placed = None
    kind = sample_types(rules.classes, rules.n, rng_of("class"))
    if rules.motion == "table":
        if table is None:
            raise ConfigError("motion is table, but no table is given", "name one, or take another motion")
        placed = _of_table(table, mag, epochs, rules)
        kind = placed.sources.kind
    planted = plant(epochs, rules, kind, rng_of, Room(lambda _: scene, None, masks), placed)
    copy, crowded = _share(planted)
    blended, columns = _neighbours(planted, stars)
    more = np.where(crowded[:, None], bits.injection("OVERLAP_INJ"), 0) | np.where(
        blended, bits.injection("BLENDED"), 0
    )
    ids = truth.source_ids(rules.stack_id, len(kind))
    sources, images = tables(planted, ids, {**columns, "realisation": copy}, more_flags=more.astype(np.int32))
    return Plan(sources, images, planted.paths.x, planted.paths.y, planted.flux, planted.on_image > 0, rules)


def _of_table(table: TableMotion, mag: Floats | None, epochs: Epochs, rules: InjectionRules) -> Placed:
    sources = tabled(table, sorted(rules.classes)[0])
    return Placed(sources, reference_time(epochs, rules.target), np.full(len(sources), np.nan), mag=mag)


def _share(planted: Planted) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Share sources out among copies of the images; tell those that come near another of their copy all the same."""
    epochs, paths, rules = planted.epochs, planted.paths, planted.rules
    fwhm = np.array([psf.fwhm_px for psf in epochs.psfs])
    area = float(epochs.shape[0] * epochs.shape[1])
    x, y = (np.where(planted.on_image > 0, v, np.nan) for v in (paths.x_px, paths.y_px))
    copy = share_out(x, y, fwhm, paths.trail_px, area, rules.min_separation_fwhm, rules.max_coverage)
    crowded = np.zeros(len(copy), bool)
    if rules.min_separation_fwhm < OVERLAP_FWHM:
        pairs = near_pairs(x, y, OVERLAP_FWHM * fwhm)
        crowded[pairs[copy[pairs[:, 0]] == copy[pairs[:, 1]]].ravel()] = True
    return copy, crowded


def _neighbours(planted: Planted, stars: Stars | None) -> tuple[NDArray[np.bool_], dict[str, Floats]]:
    """Find the static source next to each planted one on each image: whether it blends it, and its columns."""
    from scipy.spatial import cKDTree

    epochs, paths = planted.epochs, planted.paths
    blended = np.zeros(paths.x_px.shape, bool)
    if stars is None or not len(stars[0]):
        return blended, {}
    x, y = paths.x_px, paths.y_px
    first = epochs.wcs[0]
    scale = planted.rules.plate_scale
    if first is not None:
        x, y = (v.reshape(x.shape) for v in to_pixels(first, paths.ra_deg.ravel(), paths.dec_deg.ravel()))
        scale = float(np.sqrt(np.abs(np.linalg.det(first.pixel_scale_matrix)))) * 3600
    distance, which = np.full(x.shape, np.nan), np.zeros(x.shape, np.int64)
    known = np.isfinite(x) & np.isfinite(y)
    distance[known], which[known] = cKDTree(np.stack(stars[:2], axis=1)).query(np.stack([x[known], y[known]], axis=1))
    ratio = np.maximum(stars[2][which], 1e-12) / np.maximum(planted.light.per_image * epochs.scale, 1e-12)
    dmag = np.where(known, -2.5 * np.log10(ratio), np.nan)
    fwhm = np.array([psf.fwhm_px for psf in epochs.psfs])
    blended = (distance < BLENDED_FWHM * fwhm) & (dmag < BLENDED_MAG)
    return blended, {"neighbour_arcsec": distance * scale, "neighbour_dmag": dmag}
