"""Sources planted: drawn, put in their places, followed over the images, and given their light; and the truth of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject import truth
from lostlight.science.inject.light import Light, shine
from lostlight.science.inject.paths import Paths, positions_at, trace
from lostlight.science.inject.placing import Placed, Room, place
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import RngOf
from lostlight.science.inject.sources import Sources
from lostlight.science.inject.visible import ENOUGH, fractions
from lostlight.vocab import bits
from lostlight.vocab.movers import NEGATIVES

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Planted:
    """All that is known of n sources on T images before they are rendered.

    Parameters
    ----------
    epochs : Epochs
    rules : InjectionRules
    placed : Placed
    paths : Paths
    light : Light
    dropped : (n, T) bool
        Images that a source is left out of on purpose.
    on_image, masked : (n, T) float64
        Shares of the light on each image, and on masked pixels.
    """

    epochs: Epochs
    rules: InjectionRules
    placed: Placed
    paths: Paths
    light: Light
    dropped: NDArray[np.bool_]
    on_image: Floats
    masked: Floats

    @property
    def sources(self) -> Sources:
        """What was drawn."""
        return self.placed.sources

    @property
    def flux(self) -> Floats:
        """Light of each node as it is rendered, (n, T, K) adu; none of artefacts."""
        shown = ~self.dropped & ~np.isin(self.sources.kind, NEGATIVES)[:, None]
        return np.where(shown[..., None], self.light.nodes, 0.0)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Images that show a source: (n, T), most of its light on good pixels."""
        return (self.on_image - self.masked >= ENOUGH) & ~self.dropped


def plant(
    epochs: Epochs,
    rules: InjectionRules,
    kind: NDArray[np.str_],
    rng_of: RngOf,
    room: Room,
    placed: Placed | None = None,
) -> Planted:
    """Draw sources of given sample types and all that follows.

    Parameters
    ----------
    epochs : Epochs
    rules : InjectionRules
    kind : (n,) str
    rng_of : callable
        Gives the stream of each kind of random number.
    room : Room
    placed : Placed or None
        Sources that are in their places, as those of a table; None draws them.
    """
    placed = placed or place(epochs, rules, kind, rng_of, room)
    paths = trace(placed.sources, epochs, rules.plate_scale)
    light = shine(placed, epochs, rules, rng_of, paths)
    dropped = np.zeros(light.per_image.shape, bool)
    if rules.dropout:
        dropped = rng_of("dropout").uniform(size=dropped.shape) < rules.dropout
    on_image, masked = fractions(epochs.psfs, room.masks, paths.x, paths.y, light.nodes, room.boxes)
    return Planted(epochs, rules, placed, paths, light, dropped, on_image, masked)


def flags(planted: Planted) -> NDArray[np.int32]:
    """Give the bits of each source on each image, (n, T), that are known before it is rendered."""
    fwhm = np.array([psf.fwhm_px for psf in planted.epochs.psfs])
    held = {
        "OUT": planted.on_image <= 0,
        "CLIPPED": planted.on_image < ENOUGH,
        "MASKED": planted.masked > 1 - ENOUGH,
        "DROPOUT": planted.dropped,
        "TRAILED": planted.paths.trail_px > fwhm / 2,
        "FAINT": planted.light.snr < 1,
        "EXTRAP_PSF": np.broadcast_to(~np.array(planted.epochs.is_psf_measured or True), planted.on_image.shape),
    }
    return np.sum(
        [np.where(is_held, bits.injection(name), 0) for name, is_held in held.items()], axis=0, dtype=np.int32
    )


def tables(
    planted: Planted,
    ids: NDArray[np.str_],
    extra: Mapping[str, Any] | None = None,
    realised: Floats | None = None,
    more_flags: NDArray[np.int32] | None = None,
) -> tuple[Table, Table]:
    """Make the tables of the truth.

    Parameters
    ----------
    planted : Planted
    ids : (n,) str
    extra : mapping
        Further columns of either table; (n,) for sources, (n, T) or (T,) for images.
    realised : (n, T) float64 or None
        Light that was added; None where it is not known yet.
    more_flags : (n, T) int32 or None

    Returns
    -------
    sources, images : Table
    """
    given = dict(extra or {})
    bit = flags(planted) | (0 if more_flags is None else more_flags)
    light, sources = planted.light, planted.sources
    at_ref = positions_at(sources, planted.epochs, planted.placed.mjd_ref)
    columns = {
        **sources.numbers,
        **at_ref,
        **light.columns,
        "inj_id": ids,
        "stack_id": planted.rules.stack_id,
        "sample_type": sources.kind,
        "subclass": sources.subclass,
        "mjd_ref": planted.placed.mjd_ref,
        "acceptance": planted.placed.acceptance,
        "n_visible": planted.visible.sum(axis=1),
        "inj_flags": np.bitwise_or.reduce(bit, axis=1),
    }
    per_image = {
        **_image_columns(planted),
        "flux_realised_adu": np.nan if realised is None else realised,
        "inj_flags": bit,
    }
    n = len(sources)
    return (
        truth.injected(columns | {k: v for k, v in given.items() if np.ndim(v) < 2}, n),
        truth.injected_epochs(
            per_image | {k: v for k, v in given.items() if k in _OF_IMAGES}, ids, len(planted.epochs)
        ),
    )


_OF_IMAGES = ("image_id", "neighbour_arcsec", "neighbour_dmag")


def _image_columns(planted: Planted) -> dict[str, Any]:
    epochs, paths, light = planted.epochs, planted.paths, planted.light
    nothing = (planted.sources.kind == "none")[:, None]
    return {
        "image_id": np.asarray(epochs.ids),
        "mjd_mid": epochs.mjd_mid,
        "exptime_s": epochs.exptime_s,
        "ra_deg": paths.ra_deg,
        "dec_deg": paths.dec_deg,
        "x_px": paths.x_px,
        "y_px": paths.y_px,
        "rate_ra_arcsec_h": paths.rate_ra_arcsec_h,
        "rate_dec_arcsec_h": paths.rate_dec_arcsec_h,
        "trail_px": paths.trail_px,
        "trail_pa_deg": paths.trail_pa_deg,
        "flux_expected_adu": np.where(planted.dropped | nothing, 0, light.per_image),
        "mag": light.mag_image,
        "fwhm_px": np.array([psf.fwhm_px for psf in epochs.psfs]),
        "n_eff_px": np.array([psf.n_eff for psf in epochs.psfs]),
        "sigma_adu": epochs.sigma_adu,
        "snr_frame": light.snr,
        "frac_on_image": planted.on_image,
        "frac_masked": planted.masked,
    }
