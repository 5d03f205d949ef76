"""A star field with whatever spoils it, rendered by the simulator: what the measurements of an image are judged by."""

import numpy as np

from lostlight.science.epochs.measure import measure
from lostlight.sim.camera_cosmics import cosmic_rays
from lostlight.sim.mosaics_light import add_stars

GAIN, READ, SKY, FULL = 1.5, 4.0, 200.0, 40_000.0
SIGMA = np.sqrt(READ**2 + SKY / GAIN)


def star_field(
    seed, n=80, *, fwhm=3.5, beta=3.0, elongation=1.0, galaxies=0, cosmics=0, hot=0, saturated=0, shape=(487, 512)
):
    """Give an image of stars, adu; stars may overlap as they do on the sky."""
    rng = np.random.default_rng(seed)
    light = np.zeros(shape)

    def put(flux, width):
        y, x = rng.uniform(0, 1, (2, len(flux))) * np.array(shape)[:, None]
        widths = (width * np.sqrt(elongation), width / np.sqrt(elongation))
        add_stars(light, x, y, flux, widths, beta)

    put(10 ** rng.uniform(3.3, 5.3, n), fwhm)
    for _ in range(galaxies):
        put(10 ** rng.uniform(3.8, 5.3, 1), fwhm * rng.uniform(1.4, 3.5))
    put(10 ** rng.uniform(6, 7, saturated), fwhm)
    # flaws have their own numbers, so that an image differs from the clean one by nothing else
    noise, flaws = (np.random.default_rng([seed, k]) for k in (1, 2))
    image = noise.poisson((light + SKY) * GAIN) / GAIN + noise.normal(0, READ, shape)
    image += cosmic_rays(flaws, shape, cosmics)
    for _ in range(hot):
        image[tuple(flaws.integers(shape))] += 30_000
    return np.minimum(image, FULL).astype(np.float32)


def measured(image, **knobs):
    """Measure an image as step 13 does."""
    return measure(image, np.zeros(image.shape, bool), saturate=FULL, gain=GAIN, **knobs)
