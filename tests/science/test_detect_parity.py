"""The two engines give the same rows: on a simulated plate with a wedge and saturated stars, and on a real one."""

import numpy as np
import pytest
from astropy.table import Table
from scipy.ndimage import gaussian_filter
from tests.starfield import add_star

from lostlight.core.params import MeasureParams
from lostlight.io import fits, sextractor
from lostlight.science.detect import background, embedded
from lostlight.science.detect.parity import compare

pytestmark = pytest.mark.needs_sextractor

KNOBS = MeasureParams()
BARS = {  # survey: median differences on unflagged rows
    "flux_auto_adu": 0.0046,  # 0.005 mag
    "fwhm_px": 1e-3,
    "snr_win": 0.01,
    "elongation": 1e-4,
    "flux_radius_px": 1e-3,
    "x_px": 1e-3,
    "y_px": 1e-3,
    "xwin_px": 1e-3,
    "ywin_px": 1e-3,
    "area_px": 0,
}


def density(light, rng):
    """Response of a photographic plate to light (sky = 1), grain seen through the scanner's aperture included."""
    counts = 2600 + 12900 / (1 + (3.2 / light) ** 1.9)
    grain = gaussian_filter(rng.normal(size=light.shape), 0.72) * 2.55
    return counts + 160 * np.sqrt(counts / 3880) * grain


def plate(seed=20, shape=(701, 563), n_stars=1100):
    """Stars of all magnitudes to deep saturation on a sky, as a scanned plate."""
    rng = np.random.default_rng(seed)
    light = np.ones(shape)
    magnitude = 19.5 + np.log10(rng.uniform(1e-4, 1, n_stars)) / 0.35
    for mag in magnitude:
        x, y = rng.uniform(0, shape[1] - 1), rng.uniform(0, shape[0] - 1)
        flux = 10 ** (-0.4 * (max(mag, 9.5) - 19.85))
        half = int(np.clip(10 + flux**0.4, 12, 40))
        add_star(light, x, y, flux, 2.8, beta=3.0, half=half)
    return np.rint(density(light, rng)).astype(np.float32)


def both(image, blank, saturation_adu) -> tuple[Table, Table]:
    reference = sextractor.extract(image, blank, KNOBS, saturation_adu)
    sky = background.split(image, blank, KNOBS.mesh_px, KNOBS.mesh_filter)
    return reference, embedded.extract(sky, KNOBS, saturation_adu)


def assert_alike(reference, other, flags_agree=0.98):
    found = compare(reference, other, columns=BARS)
    assert found.meta["common_fraction"] >= 0.997
    assert found.meta["flags_agree_fraction"] >= flags_agree
    for row in found:
        assert abs(row["median"]) <= BARS[row["column"]], f"{row['column']}: {row['median']}"
    # Not only the median: all but a few rows agree.
    tails = dict(zip(found["column"], found["p95"], strict=True))
    assert tails["fwhm_px"] < 1e-5
    assert tails["flux_auto_adu"] < 0.01
    assert tails["snr_win"] < 0.01


def test_simulated_plate():
    image = plate()
    reference, other = both(image, np.zeros(image.shape, bool), 0.93 * image.max())
    assert len(reference) > 150
    assert (np.asarray(reference["extraction_flags"]) & 4).any()
    assert_alike(reference, other)


def test_simulated_plate_with_a_blank_wedge():
    image = plate(seed=21)
    y, x = np.indices(image.shape)
    wedge = x + 0.3 * y > 520
    image[wedge] = np.nan
    reference, other = both(image, wedge, 15000)
    # Detections at the rim of the wedge are where the engines may part.
    assert abs(len(reference) - len(other)) <= 2
    inside = [table[np.asarray(table["x_px"] + 0.3 * table["y_px"]) < 500] for table in (reference, other)]
    assert_alike(*inside)


@pytest.mark.needs_shared
def test_real_plate(shared_data):
    image, _ = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    reference, other = both(image, np.zeros(image.shape, bool), 0.93 * image.max())
    assert len(reference) > 1300
    assert_alike(reference, other)
