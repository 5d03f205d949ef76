"""Light of sources: how bright each is on every image, and at every node of time within an exposure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.paths import Paths
from lostlight.science.inject.placing import Placed
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import RngOf
from lostlight.science.population.brightness import colour_of, fluxes
from lostlight.science.population.light_curve import N_NUMBERS, light_curves
from lostlight.science.population.phase import absolute_mag, phase_slopes
from lostlight.science.population.relations import mag_of_flux, photon_factor, snr, stack_snr

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Light:
    """Light of n sources on T images.

    Parameters
    ----------
    flux : (n,) float64
        At the reference time, adu on the scale of the first image, without light curve.
    per_image : (n, T) float64
        Expected in each exposure, adu of the image.
    nodes : (n, T, K) float64
        The same, shared out among nodes.
    snr : (n, T) float64
        Signal to noise on each image, matched filter.
    mag_image : (n, T) float64
        NaN where the zero point is unknown.
    columns : mapping of str to (n,) array
        For the table of sources.
    """

    flux: Floats
    per_image: Floats
    nodes: Floats
    snr: Floats
    mag_image: Floats
    columns: Mapping[str, Floats]


def shine(placed: Placed, epochs: Epochs, rules: InjectionRules, rng_of: RngOf, paths: Paths) -> Light:
    """Draw how bright sources are, and how their light changes."""
    value = rules.brightness.draw(len(placed.sources), rng_of("brightness"))
    if rules.brightness.mode == "mag" and placed.mag is not None:
        value = np.where(np.isfinite(placed.mag), placed.mag, value)
    steady = _steady(value, epochs, rules) if placed.flux_adu is None else placed.flux_adu[:, None] / epochs.scale
    relative, columns = _curves(placed, epochs, rules, rng_of("light_curve"), paths)
    light = lit(value, steady, steady[..., None] * relative, epochs, columns)
    drawn, slopes = placed.sources.numbers, phase_slopes(placed.sources.subclass)
    h_mag = absolute_mag(light.columns["mag"], drawn["r_helio_au"], drawn["delta_au"], drawn["phase_deg"], slopes)
    return replace(light, columns={**light.columns, "h_mag": h_mag})


def lit(
    value: Floats, steady: Floats, nodes: Floats, epochs: Epochs, columns: Mapping[str, Floats] | None = None
) -> Light:
    """Bring together what is known of the light of sources.

    Parameters
    ----------
    value : (n,) float64
        Number that was drawn for the brightness.
    steady : (n, T) float64
        Light without light curve, adu of each image.
    nodes : (n, T, K) float64
    epochs : Epochs
    columns : mapping
        Of the light curve.
    """
    per_image = nodes.sum(axis=2)
    n_eff, photons = _sums(epochs)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = snr(per_image, epochs.sigma_adu, n_eff, epochs.gain_e_adu, photons)
    flux = steady[:, 0] * epochs.scale[0]
    known = {
        "brightness": value,
        "flux_adu": flux,
        "mag": mag_of_flux(flux, epochs.zero_mag[0]),
        "snr_stack": stack_snr(rho),
    }
    mag = mag_of_flux(per_image, epochs.zero_mag)
    return Light(flux, per_image, nodes, rho, mag, {**known, **(columns or {})})


def _curves(
    placed: Placed, epochs: Epochs, rules: InjectionRules, rng: np.random.Generator, paths: Paths
) -> tuple[Floats, dict[str, Floats]]:
    """Draw light curves: share of the steady light at each node, (n, T, K), and the columns that describe them."""
    sources = placed.sources
    n, span = len(sources), float(epochs.mjd_mid[-1] - epochs.mjd_mid[0])
    numbers = rng.random((n, N_NUMBERS))
    relative, told = np.zeros(paths.x.shape), np.full((3, n), np.nan)
    for nodes in paths.nodes:
        relative[nodes.which, :, : nodes.weights.size] = nodes.weights
    for kind in np.unique(sources.kind):
        which = np.flatnonzero(sources.kind == kind)
        drawn = light_curves(
            rules.light_curve, str(kind), sources.subclass[which], numbers[which], epochs.mjd_mid[0], span
        )
        told[:, which] = drawn.amp_mag, drawn.period_h, drawn.phase
        if (drawn.shape == "none").all():
            continue
        for nodes in paths.nodes:
            mine = np.isin(which, nodes.which)
            relative[which[mine], :, : nodes.weights.size] *= drawn.only(mine).factor(nodes.mjd)
    return relative, dict(zip(("lc_amp_mag", "lc_period_h", "lc_phase"), told, strict=True))


def _steady(value: Floats, epochs: Epochs, rules: InjectionRules) -> Floats:
    """Turn the numbers drawn into light on each image, (n, T) adu, without light curve."""
    n_eff, photons = _sums(epochs)
    return fluxes(
        rules.brightness.mode, value, sigma=epochs.sigma_adu, n_eff=n_eff, zero_mag=epochs.zero_mag,
        scale=epochs.scale, gain=epochs.gain_e_adu, photons=photons,
        colour_mag=colour_of(epochs.filters, rules.colours),
    )  # fmt: skip


def _sums(epochs: Epochs) -> tuple[Floats, Floats]:
    n_eff = np.array([psf.n_eff for psf in epochs.psfs])
    return n_eff, photon_factor(n_eff, [psf.sum_p3 for psf in epochs.psfs])
