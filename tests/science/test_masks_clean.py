"""Hot and cold pixels go, the cores of stars stay."""

import numpy as np
import pytest
from tests.plate_scene import SKY, plate

from lostlight.science.plate.clean import isolated_flaws, neighbours_of

RMS = 180.0


def positions(flaws):
    return set(zip(*(axis.tolist() for axis in flaws), strict=True))


def test_planted_flaws_are_found_and_nothing_else():
    rng = np.random.default_rng(4)
    stars = [
        (x, y, 10**e)
        for x, y, e in zip(rng.uniform(10, 440, 60), rng.uniform(10, 390, 60), rng.uniform(0, 3, 60), strict=True)
    ]
    image = plate(stars, seed=4) - SKY
    y, x = np.nonzero(image[5:-5, 5:-5] < 2 * RMS)
    chosen = rng.choice(len(y), 40, replace=False)
    hot, cold = ([(int(y[k]) + 5, int(x[k]) + 5) for k in half] for half in (chosen[:20], chosen[20:]))
    alone = [
        (r, c) for r, c in hot + cold if all(max(abs(r - a), abs(c - b)) > 2 for a, b in hot + cold if (a, b) != (r, c))
        and image[r - 1 : r + 2, c - 1 : c + 2].max() < 3 * RMS
    ]  # fmt: skip
    for r, c in hot:
        image[r, c] = 40 * RMS
    for r, c in cold:
        image[r, c] = -20 * RMS
    found = positions(isolated_flaws(image, RMS, 12))
    assert set(alone) <= found <= set(hot + cold)
    assert len(alone) > 25


@pytest.mark.parametrize("fwhm_px", [1.7, 2.5, 4.0])
@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.5, 0.5), (0.3, -0.2)])
def test_star_cores_are_left_alone(fwhm_px, phase):
    y, x = np.mgrid[0:41, 0:43]
    sigma = fwhm_px / 2.3548
    star = np.exp(-0.5 * ((x - 20 - phase[0]) ** 2 + (y - 21 - phase[1]) ** 2) / sigma**2)
    for height in (15, 60, 2000):
        assert not positions(isolated_flaws((height * RMS * star).astype(np.float32), RMS, 12))


def test_undersampled_frames_keep_their_stars():
    """A camera with stars of 1.2 pixels: their sharpness is told from the stars themselves."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[0:300, 0:310]
    image = rng.normal(0, 1, (300, 310))
    for x0, y0, height in zip(
        rng.uniform(5, 300, 150), rng.uniform(5, 290, 150), 10 ** rng.uniform(1.6, 3, 150), strict=True
    ):
        image += height * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / 0.51**2)
    assert len(isolated_flaws(image.astype(np.float32), 1.0, 12)[0]) <= 1


def test_flaws_on_the_border():
    image = np.zeros((20, 30), np.float32)
    image[0, 0], image[19, 7] = 9000, -9000
    assert positions(isolated_flaws(image, RMS, 12)) == {(0, 0), (19, 7)}
    assert neighbours_of(image, np.array([], int), np.array([], int)).shape == (0, 8)
