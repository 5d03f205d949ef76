"""Images of white noise to plant moving points in, and to search: their truth is all there is."""

import numpy as np

from lostlight.science.inject.psf import gaussian
from lostlight.science.inject.render import stamps
from lostlight.science.recover.forced import correlations
from lostlight.science.recover.light import core, evidence
from lostlight.science.recover.local import Ground
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.rules import SearchRules
from lostlight.science.search.survivors import CandidateRules
from lostlight.science.search.velocities import velocity_grid
from lostlight.science.search.vet import Vetting

FWHM, THRESHOLD, SIGMA = 2.5, 6.5, 2.0
FASTEST_PX_H = 2.0


class WhiteSky:
    """A stack of noise with one profile for all images, as evidence; sources are planted by their signal to noise."""

    def __init__(self, n_images=20, shape=(231, 260), seed=0, arc_days=0.4, bad=None, sigma_g=None, vetting=None):
        rng = np.random.default_rng(seed)
        self.psf, self.days = gaussian(FWHM), np.linspace(0, arc_days, n_images)
        self.images = SIGMA * rng.standard_normal((n_images, *shape))
        self.bad = np.zeros(self.images.shape, bool) if bad is None else bad
        both = [psi_phi(image, SIGMA**2, mask, self.psf) for image, mask in zip(self.images, self.bad, strict=True)]
        psi, phi = (np.stack([each[k] for each in both]) for k in (0, 1))
        self.weight = (~self.bad / SIGMA**2).astype(np.float32)
        v = velocity_grid(0, FASTEST_PX_H, arc_days, FWHM)
        least = n_images // 2
        rules = CandidateRules(
            THRESHOLD,
            FWHM,
            least,
            sigma_g=sigma_g,
            vetting=vetting or Vetting(halves=False, negatives=False, shape=False),
        )
        kernel = self.psf.kernel()
        lags = np.stack([correlations(kernel)] * n_images)
        self.ground = Ground(psi, phi, self.days, v, SearchRules(min_epochs=least), rules, kernel, lags)

    def path(self, x0, y0, vx, vy):
        """Give the pixels of a source, (T,) each, from where it is at mid-arc and its motion in pixels per day."""
        return x0 + vx * self.ground.since, y0 + vy * self.ground.since

    def draw(self, rng, margin=40):
        """Draw a path."""
        height, width = self.images.shape[1:]
        speed, angle = rng.uniform(0, 0.95 * FASTEST_PX_H * 24), rng.uniform(0, 2 * np.pi)
        places = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
        return self.path(*places, speed * np.cos(angle), speed * np.sin(angle))

    def flux(self, rho):
        """Give the flux that has this signal to noise over all images."""
        return rho * SIGMA * np.sqrt(self.psf.n_eff / len(self.days))

    def stamps(self, rho, x, y):
        """Render a source on each image: values (T, S, S) and corners (T, 2)."""
        return stamps(self.psf, x[:, None], y[:, None], np.full((len(x), 1), self.flux(rho)))

    def light(self, rho, x, y):
        """Give the evidence of a source."""
        return evidence(*self.stamps(rho, x, y), self.weight, [core(self.psf.kernel())] * len(x))
