"""One source planted in a small stack of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject import arguments, seeds, truth
from lostlight.science.inject.described import describe
from lostlight.science.inject.negatives import artefact
from lostlight.science.inject.noise import photon_noise, variance_added
from lostlight.science.inject.placing import Room
from lostlight.science.inject.planting import Planted, plant, tables
from lostlight.science.inject.psf import Psf, PSFParams
from lostlight.science.inject.render import render_cases
from lostlight.science.inject.rules import Brightness, InjectionRules
from lostlight.science.inject.seeds import RngOf, streams
from lostlight.science.inject.targets import Scene, TargetConfig
from lostlight.science.inject.visible import Masks
from lostlight.science.motion.times import check_times
from lostlight.vocab import bits
from lostlight.vocab.movers import NEGATIVES

Array = NDArray[Any]
Floats = NDArray[np.float64]
Stars = tuple[Floats, Floats, Floats]
INJECTED_ABOVE = 0.01
"""Fraction of the peak from which a pixel gets the bit INJECTED."""


@dataclass(frozen=True, eq=False)
class Truth:
    """All that is known of what was planted.

    Parameters
    ----------
    sources, images : Table
        `lostlight.vocab.movers.INJECTED` and INJECTED_EPOCHS.
    expected : (T, H, W) float64
        Light before photon noise.
    variance : (T, H, W) or None
        That which was given, and that of the added light.
    mask : (T, H, W) uint32
        Bits of `lostlight.vocab.bits.STACK`: BAD, SATURATED and INJECTED.
    """

    sources: Table
    images: Table
    expected: Floats
    variance: Array | None
    mask: NDArray[np.uint32]


def inject(
    patch_stack: ArrayLike,
    timestamps: ArrayLike,
    plate_scale: float,
    psf_params: PSFParams | Psf | Sequence[PSFParams | Psf],
    sample_type: str = "tno",
    seed: int | None = None,
    *,
    target_config: TargetConfig | None = None,
    sigma_map: ArrayLike | None = None,
    wcs: WCS | Sequence[WCS] | None = None,
    mjd_mid: ArrayLike | None = None,
    exptime_s: ArrayLike = 0.0,
    observer: str | None = None,
    gain: ArrayLike | None = None,
    zero_mag: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    saturation: ArrayLike | None = None,
    stars: Stars | None = None,
    brightness: Brightness | Mapping[str, Any] | None = None,
    motion: str = "linear",
    light_curve: str | None = None,
    noise: str = "none",
    dropout: float = 0.0,
    dtype: str = "float32",
    return_truth: bool = False,
) -> tuple[Array, Array, dict[str, Any]] | tuple[Array, Array, dict[str, Any], Truth]:
    """Plant one source in a small stack of images.

    Parameters
    ----------
    patch_stack : (T, H, W) array_like
        Images in order of time, adu; NaN stays NaN.
    timestamps : (T,) array_like
        Hours, rising; `mjd_mid` goes before them.
    plate_scale : float
        Arcsec per pixel. Without `wcs`, east is along x and south along y.
    psf_params : PSFParams or profile, or T of them
        Profile of a point on all images, or on each.
    sample_type : str
        One of `lostlight.vocab.movers.SAMPLE_TYPES`.
    seed : int or None
        None draws one, which `meta` tells.
    target_config : TargetConfig or None
        Where the source goes; None: anywhere on the first image.
    sigma_map : (T,) array_like or None
        Noise of a pixel on each image. Without `brightness` the flux drawn is in units of it.
    wcs : WCS or T of them, or None
        Motion is then that on the sky.
    mjd_mid : (T,) array_like or None
        Middle of each exposure, MJD, UTC.
    exptime_s : float or (T,) array_like
        Exposure, over which the source trails.
    observer : str or None
        As `lostlight.science.motion.earth` takes it; None: the centre of the Earth.
    gain : float, (T,) array_like or None
        Electrons per adu.
    zero_mag : float, (T,) array_like or None
        Magnitude of one adu.
    mask : (T, H, W) or (H, W) array_like or None
        True where masked, or bits of `lostlight.vocab.bits.STACK`.
    variance : (T, H, W) array_like or None
        Variance of the images; the truth holds it with that of the added light.
    saturation : float, (T,) array_like or None
        Level that light does not lift a pixel above, adu.
    stars : (x, y, flux) or None
        Static sources, for the strategy near_star.
    brightness : Brightness, mapping or None
        `mode` (`lostlight.vocab.movers.BRIGHTNESS`), and `value` or `low` and `high`; None: 3 to 10.
    motion : str
        linear, abg or kepler.
    light_curve : str or None
        none, sinusoid, sawtooth or drawn.
    noise : str
        ``none``, or ``poisson`` for that of the added photons; it needs `gain`.
    dropout : float
        Chance that the source is left out of an image.
    dtype : str
        float32 or float64, of the results.
    return_truth : bool
        Whether to give the truth too.

    Returns
    -------
    X : (T, H, W) `dtype`
        patch_stack + Y in that type, bit by bit.
    Y : (T, H, W) `dtype`
        What was added.
    meta : dict
        What it is, in plain JSON values.
    truth : Truth
        If it is asked for.

    Raises
    ------
    BadArgument
        A ConfigError and a ValueError: an argument is wrong.
    """
    images = arguments.images_of(patch_stack, dtype)
    bad = arguments.masked(mask, images)
    sigma = arguments.noise_of(images, bad, sigma_map)
    entropy = seeds.fresh() if seed is None else seeds.checked(seed)
    epochs = arguments.epochs_of(
        images.shape, timestamps, psf_params, sigma, wcs=wcs, mjd_mid=mjd_mid, exptime_s=exptime_s, gain=gain,
        zero_mag=zero_mag,
    )  # fmt: skip
    arguments.check_noise(noise, epochs)
    rules = InjectionRules(
        seed=entropy,
        classes={sample_type: 1.0},
        motion=motion,
        observer=observer or "geocentre",
        brightness=arguments.brightness_of(brightness, sigma_map is not None),
        light_curve=light_curve or "none",
        target=target_config or TargetConfig(),
        poisson=noise == "poisson",
        dropout=dropout,
        plate_scale=float(plate_scale),
    )
    planted = _planted(epochs, rules, bad, stars, streams(entropy, "inject", 0))
    expected = light_of(planted, streams(entropy, "inject", 0))
    y, is_full = _cut(_realised(expected, planted).astype(dtype), images, saturation)
    full = np.where(is_full.any(axis=(1, 2)), bits.injection("SATURATED"), 0)[None].astype(np.int32)
    realised = y.sum(axis=(1, 2), dtype=np.float64)[None]
    sources, per_image = tables(planted, truth.source_ids("", 1), realised=realised, more_flags=full)
    doubts = [] if mjd_mid is None else check_times(epochs.mjd_mid, float(sources["rate_arcsec_h"][0]))
    meta = describe(planted, sources, per_image, images, sigma_map is not None) | {"warnings": doubts}
    if not return_truth:
        return images + y, y, meta
    return images + y, y, meta, _truth(planted, (sources, per_image), expected, variance, _mask(expected, bad, is_full))


def _planted(
    epochs: Epochs, rules: InjectionRules, bad: NDArray[np.bool_] | None, stars: Stars | None, rng_of: RngOf
) -> Planted:
    height, width = epochs.shape
    masks = Masks(bad, len(epochs), epochs.shape)
    scene = Scene(0, 0, width, height, epochs.wcs[0], masks.plane(0), *(stars or (None, None, None)))
    # grid counts seeds, so that those which follow each other fill it
    room = Room(lambda _: scene, None, masks, rules.seed)
    return plant(epochs, rules, np.array(list(rules.classes)), rng_of, room)


def light_of(planted: Planted, rng_of: RngOf) -> Floats:
    """Render the one source, or the artefact: (T, H, W) float64, adu."""
    epochs, paths, kind = planted.epochs, planted.paths, str(planted.sources.kind[0])
    light = render_cases(epochs.psfs, epochs.shape, paths.x, paths.y, planted.flux, np.float64)[0]
    if kind in NEGATIVES:
        where, flux = (paths.x_px[0], paths.y_px[0]), float(planted.light.flux[0])
        artefact(kind, light.shape, *where, flux, epochs.psfs, rng_of("artefact")).add_to(light)
    return light


def _realised(expected: Floats, planted: Planted) -> Floats:
    """Give the light with the noise of its photons, where that is asked for; what is negative has none."""
    rules, gains = planted.rules, planted.epochs.gain_e_adu
    if not rules.poisson:
        return expected
    rng = streams(rules.seed, "inject", 0)("photons")
    pairs = zip(expected, gains, strict=True)
    return np.stack([np.where(light < 0, light, photon_noise(light, gain, rng)) for light, gain in pairs])


def _cut(y: Array, images: Array, saturation: ArrayLike | None) -> tuple[Array, NDArray[np.bool_]]:
    """Leave out light beyond the level of saturation; give what is added, and the pixels that lost some."""
    if saturation is None:
        return y, np.zeros(y.shape, bool)
    level = arguments.each(saturation, len(images), "saturation")[:, None, None].astype(y.dtype)
    room = np.where(np.isfinite(images), np.maximum(level - images, 0), np.inf).astype(y.dtype)
    return np.minimum(y, room), y > room


def _mask(expected: Floats, bad: NDArray[np.bool_] | None, is_full: NDArray[np.bool_]) -> NDArray[np.uint32]:
    peak = expected.max(axis=(1, 2), keepdims=True)
    held = {"INJECTED": (expected > INJECTED_ABOVE * peak) & (peak > 0), "SATURATED": is_full}
    if bad is not None:
        held["BAD"] = bad
    return np.sum([np.where(is_held, bits.stack(name), 0) for name, is_held in held.items()], axis=0, dtype=np.uint32)


def _truth(
    planted: Planted,
    of: tuple[Table, Table],
    expected: Floats,
    variance: ArrayLike | None,
    mask: NDArray[np.uint32],
) -> Truth:
    if variance is not None:
        variance = np.array(variance)
        for t, gain in enumerate(planted.epochs.gain_e_adu):
            if np.isfinite(gain):
                variance[t] += variance_added(expected[t], gain)
    return Truth(*of, expected, variance, mask)
