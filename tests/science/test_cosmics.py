"""Cosmic rays are found on a single frame and stars are left alone, for sharp stars too."""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astroscrappy import detect_cosmics
from scipy.special import erf

from lostlight.science.calibrate.cosmics import contrast_for, find_cosmics, wanted
from lostlight.science.calibrate.hot import stationary
from lostlight.science.calibrate.repair import repair
from lostlight.science.calibrate.sharpness import stellar_fwhm
from lostlight.sim.camera_cosmics import cosmic_rays
from lostlight.vocab.bits import dq

SKY_E, RDNOISE_E = 300.0, 8.0
SEEDS = (1, 2)


def frame(seed, fwhm_px, shape=(401, 433), n_stars=150, n_rays=60, sky_e=SKY_E):
    """Gaussian stars integrated over pixels, cosmic rays, sky and noise: pixels, sigma, rays, cores of stars."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    width = fwhm_px / np.sqrt(16 * np.log(2))
    light, core = np.zeros(shape), np.zeros(shape, bool)
    y, x = np.mgrid[:ny, :nx]
    for cx, cy, peak_e in zip(
        rng.uniform(8, nx - 8, n_stars),
        rng.uniform(8, ny - 8, n_stars),
        10 ** rng.uniform(2.3, 4.6, n_stars),
        strict=True,
    ):
        across, up = (
            np.diff(erf((np.arange(n + 1) - 0.5 - c) / (2 * width))) / 2 for n, c in ((nx, cx), (ny, cy))
        )  # erf(t / (sigma sqrt 2)) with sigma = sqrt(2) width
        light += peak_e * 4 * np.pi * width**2 * np.outer(up, across)
        core |= np.hypot(x - cx, y - cy) <= fwhm_px / 2
    rays = cosmic_rays(rng, shape, n_rays)
    electrons = rng.poisson(light + SKY_E) + rays + rng.normal(0, RDNOISE_E, shape)
    sigma = np.sqrt(np.maximum(electrons, 0) + RDNOISE_E**2)
    return (electrons - SKY_E + sky_e).astype(np.float32), sigma.astype(np.float32), rays, core


def score(seed, fwhm_px, **kwargs):
    """Recall, precision, share of the cores of stars lost."""
    pixels, sigma, rays, core = frame(seed, fwhm_px, **kwargs)
    hit = find_cosmics(pixels, sigma, np.zeros(pixels.shape, np.uint16), "light").hit
    deep = rays > 5 * np.hypot(np.sqrt(SKY_E), RDNOISE_E)
    return (
        (hit & deep).sum() / deep.sum(),
        (hit & (rays > 0)).sum() / hit.sum(),
        (hit & core & (rays == 0)).sum() / core.sum(),
    )


@pytest.mark.parametrize(("fwhm_px", "most_lost"), [(1.8, 0.025), (2.5, 0.015), (3.5, 0.015)])
def test_rays_are_found_and_stars_are_kept(fwhm_px, most_lost):
    recall, precision, lost = np.mean([score(seed, fwhm_px) for seed in SEEDS], axis=0)
    assert recall >= 0.95 and precision >= 0.85 and lost <= most_lost


@pytest.mark.soak
@pytest.mark.parametrize(
    ("fwhm_px", "most_lost"), [(1.8, 0.025), (2.2, 0.025), (2.5, 0.015), (3.5, 0.015), (4.5, 0.015)]
)
def test_rays_are_found_and_stars_are_kept_over_many_seeds(fwhm_px, most_lost):
    recall, precision, lost = np.mean([score(seed, fwhm_px) for seed in range(10, 26)], axis=0)
    assert recall >= 0.95 and precision >= 0.85 and lost <= most_lost


def test_the_usual_settings_would_eat_sharp_stars():
    pixels, sigma, rays, core = frame(3, 1.8, shape=(301, 313), n_stars=80, n_rays=30)
    found = find_cosmics(pixels, sigma, np.zeros(pixels.shape, np.uint16), "light").hit
    usual, _ = detect_cosmics(pixels, readnoise=RDNOISE_E)
    stars = core & (rays == 0)
    assert (usual & stars).sum() > 0.3 * stars.sum()
    assert (found & stars).sum() < 0.025 * stars.sum()


def test_the_level_of_the_sky_does_not_matter():
    with_sky = frame(4, 2.5, shape=(151, 163), n_stars=25, n_rays=12)
    without = frame(4, 2.5, shape=(151, 163), n_stars=25, n_rays=12, sky_e=-50)
    none = np.zeros(with_sky[0].shape, np.uint16)
    hits = [find_cosmics(*part[:2], none, "light").hit for part in (with_sky, without)]
    assert hits[0].any() and (hits[0] != hits[1]).mean() < 1e-4


def test_counts_and_electrons_give_the_same_rays():
    pixels, sigma, *_ = frame(5, 3.0, shape=(151, 163), n_stars=25, n_rays=12)
    none = np.zeros(pixels.shape, np.uint16)
    counts = find_cosmics(pixels / 4, sigma / 4, none, "light").hit
    assert (counts == find_cosmics(pixels, sigma, none, "light").hit).all() and counts.any()


def test_unusable_and_missing_pixels_are_never_hit_and_do_no_harm():
    pixels, sigma, _, _ = frame(6, 3.0, shape=(151, 163), n_stars=25, n_rays=12)
    bits = np.zeros(pixels.shape, np.uint16)
    clean = find_cosmics(pixels, sigma, bits, "light").hit
    rows, cols = np.nonzero(clean)
    spoilt = pixels.copy()
    spoilt[rows[0], cols[0]] = np.nan
    spoilt[40:44, 50:54] = 1e5
    bits[40:44, 50:54] = dq("SATURATED")
    spoilt[100, 100], bits[100, 100] = 1e5, dq("HOT")
    found = find_cosmics(spoilt, sigma, bits, "light").hit
    assert not found[rows[0], cols[0]] and not found[38:46, 48:56].any() and not found[100, 100]
    far = np.ones(clean.shape, bool)
    for y, x in ((rows[0], cols[0]), (42, 52), (100, 100)):
        far[max(y - 8, 0) : y + 9, max(x - 8, 0) : x + 9] = False
    assert (found[far] == clean[far]).mean() > 0.999
    bits[:] = dq("NO_DATA")
    assert not find_cosmics(spoilt, sigma, bits, "light").hit.any()


@pytest.mark.parametrize("fwhm_px", [1.8, 2.5, 4.0])
def test_the_width_of_stars_is_measured_among_cosmic_rays(fwhm_px):
    pixels, *_ = frame(7, fwhm_px, shape=(301, 313), n_stars=80, n_rays=120)
    found = stellar_fwhm(pixels)
    assert found.fwhm_px == pytest.approx(fwhm_px, rel=0.03) and found.n_stars > 30


def test_sharp_stars_stop_the_search_and_it_is_said():
    pixels, sigma, *_ = frame(8, 1.2, shape=(201, 213), n_stars=60, n_rays=10)
    found = find_cosmics(pixels, sigma, np.zeros(pixels.shape, np.uint16), "light_7")
    assert not found.hit.any()
    (warning,) = found.warnings
    assert warning.code == "CAL221" and warning.where == "light_7" and warning.value < 1.5
    given = find_cosmics(pixels, sigma, np.zeros(pixels.shape, np.uint16), "light_7", objlim=20.0)
    assert given.hit.any() and not given.warnings


def test_without_stars_only_the_sharpest_is_flagged_and_it_is_said():
    pixels, sigma, rays, _ = frame(9, 3.0, shape=(151, 163), n_stars=0, n_rays=20)
    found = find_cosmics(pixels, sigma, np.zeros(pixels.shape, np.uint16), "light")
    assert found.objlim == 20 and "stars do not tell" in found.warnings[0].said
    assert (found.hit & (rays > 0)).sum() > 0.9 * found.hit.sum() > 0


def test_a_frame_without_noise_or_pixels_has_no_stars():
    assert stellar_fwhm(np.full((64, 71), np.nan, np.float32)).n_stars == 0
    assert stellar_fwhm(np.full((64, 71), 5, np.float32)).n_stars == 0
    y, x = np.mgrid[:64, :71]
    at_edge = 5000 * np.exp(-((y - 30) ** 2 + (x - 9) ** 2) / 8) + np.random.default_rng(0).normal(0, 3, (64, 71))
    assert stellar_fwhm(at_edge.astype(np.float32)).n_stars == 0
    rng = np.random.default_rng(0)
    assert stellar_fwhm(rng.normal(100, 3, (64, 71)).astype(np.float32)).n_stars == 0


def test_a_colour_mosaic_is_searched_colour_by_colour():
    pixels, _, rays, core = frame(10, 5.0, shape=(402, 366), n_stars=90, n_rays=30)
    pixels[0::2, 0::2] *= 0.4
    pixels[1::2, 1::2] *= 0.6
    sigma = np.sqrt(np.maximum(pixels, 0) + RDNOISE_E**2).astype(np.float32)
    none = np.zeros(pixels.shape, np.uint16)
    found = find_cosmics(pixels, sigma, none, "light", bayerpat="RGGB")
    assert (found.hit & (rays > 400)).sum() > 0.9 * (rays > 400).sum()
    assert (found.hit & core & (rays == 0)).sum() < 0.02 * core.sum()
    assert found.sharpness.fwhm_px == pytest.approx(2.5, rel=0.05)
    as_mono = find_cosmics(pixels, sigma, none, "light").hit
    assert (as_mono & (rays == 0)).sum() > 5 * (found.hit & (rays == 0)).sum()


def test_the_contrast_follows_the_width_of_the_stars():
    assert [contrast_for(width) for width in (1.6, 2.0, 2.25, 2.5, 3.0, 3.5, 9.0)] == [20, 20, 16, 12, 8.5, 5, 5]


def test_auto_leaves_rays_to_stacking():
    assert [wanted("auto", n) for n in (1, 2, 3, 30)] == [True, True, False, False]
    assert wanted("on", 30) and not wanted("off", 1)


def test_threads_change_nothing():
    code = (
        "import numpy as np, hashlib; from lostlight.science.calibrate.cosmics import find_cosmics;"
        "rng = np.random.default_rng(1); a = rng.normal(300, 18, (151, 163)).astype('f4');"
        "a[rng.integers(0, 151, 40), rng.integers(0, 163, 40)] += 900;"
        "hit = find_cosmics(a, np.full(a.shape, 18, 'f4'), np.zeros(a.shape, 'u2'), 'light').hit;"
        "print(hit.sum(), hashlib.sha256(hit.tobytes()).hexdigest())"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": n},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in ("1", "2")
    ]
    assert told[0] == told[1] and int(told[0].split()[0]) > 20


@pytest.mark.needs_shared
def test_hot_pixels_of_a_real_night_are_not_taken_for_rays_once_repaired(shared_data):
    frames = [
        fits.getdata(path).astype(np.float32) for path in sorted((shared_data / "stack-hatp32").glob("*.FITS.gz"))
    ]

    def read_rows(frame, y0, y1, out):
        out[:] = frames[frame][y0:y1]

    bad = stationary(len(frames), frames[0].shape, read_rows)
    light = frames[0]
    sigma = np.sqrt(1.6**2 + np.maximum(light - np.median(light), 0) / 2).astype(np.float32)
    none = np.zeros(light.shape, np.uint16)
    before = find_cosmics(light, sigma, none, "light").hit
    after = find_cosmics(*repair(light, sigma, none, bad)[:3], "light").hit
    assert (before & (bad != 0)).sum() > 0.5 * before.sum()
    assert after.sum() < 0.5 * before.sum()


@pytest.mark.parametrize(("shape", "bayerpat"), [((7, 90), ""), ((15, 90), "RGGB")])
def test_frames_too_small_to_look_among_say_so(shape, bayerpat):
    pixels = np.full(shape, 100, np.float32)
    pixels[3, 40] = 9000
    found = find_cosmics(pixels, pixels / 10, np.zeros(shape, np.uint16), "light_3", bayerpat=bayerpat)
    assert not found.hit.any()
    assert found.warnings[0].code == "CAL221" and f"{shape[1]}x{shape[0]}" in found.warnings[0].said
