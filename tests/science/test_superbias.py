"""Superbias: a known bias is recovered at least as well as by the master and by the model alone."""

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import convolve1d

from lostlight.core.errors import UnitError
from lostlight.science.calibrate import superbias

READ_NOISE_ADU = 8.0
TOLERANCE = 1.002
"""Where there is no pattern, the five-sigma limit keeps a few samples in a million that the model would remove."""


def known(shape, pattern_adu, rng):
    yy, xx = np.mgrid[: shape[0], : shape[1]] / max(shape)
    columns, rows = rng.normal(0, 3, shape[1]), rng.normal(0, 1.5, shape[0])
    smooth = 1000 + 6 * np.sin(2.2 * xx) + 4 * yy**2
    return smooth + columns + rows[:, None] + rng.normal(0, pattern_adu, shape)


def masters(truth, n_frames, rng):
    frames = (truth + rng.normal(0, READ_NOISE_ADU, (n_frames, *truth.shape))).astype(np.float32)
    halves = frames[::2], frames[1::2]
    return frames.mean(axis=0), *(half.mean(axis=0) for half in halves), tuple(len(half) for half in halves)


def rms(image, truth):
    return float(np.sqrt(np.mean(np.square(image - truth))))


@pytest.mark.parametrize("pattern_adu", [0, 0.5, 1.5, 4])
@pytest.mark.parametrize("n_frames", [5, 10])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_never_worse_than_the_better_of_master_and_model(n_frames, pattern_adu, seed):
    rng = np.random.default_rng(seed)
    truth = known((231, 318), pattern_adu, rng)
    plain, half_a, half_b, frames = masters(truth, n_frames, rng)
    blend = superbias.shrink(plain, half_a, half_b, frames=frames)
    best = min(rms(plain, truth), rms(superbias.classic(plain), truth))
    assert rms(blend.bias, truth) <= TOLERANCE * best
    # a pattern far below the noise is known to exist, but hardly by how much
    pull = np.std((blend.bias - truth) / blend.sigma)
    assert 0.97 < pull < 1.03 if pattern_adu > 1 else 0.6 < pull < 1.3


@pytest.mark.soak
@pytest.mark.parametrize("pattern_adu", [0, 0.2, 0.5, 1.5, 4, 15])
@pytest.mark.parametrize("n_frames", [3, 5, 10, 20])
def test_never_worse_over_many_seeds_and_shapes(n_frames, pattern_adu):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = known(tuple(rng.integers(90, 400, 2)), pattern_adu, rng)
        plain, half_a, half_b, frames = masters(truth, n_frames, rng)
        layers = int(rng.integers(3, 9))
        blend = superbias.shrink(plain, half_a, half_b, layers, frames=frames)
        best = min(rms(plain, truth), rms(superbias.classic(plain, layers), truth))
        assert rms(blend.bias, truth) <= 1.005 * best


def test_the_weight_is_the_share_of_the_pattern():
    rng = np.random.default_rng(4)
    truth = known((401, 350), 4, rng)
    plain, half_a, half_b, frames = masters(truth, 5, rng)
    weight = superbias.shrink(plain, half_a, half_b, frames=frames).weight
    assert weight == pytest.approx(16 / (16 + READ_NOISE_ADU**2 / 5), abs=0.02)


def test_defects_stay_as_they_were_measured():
    rng = np.random.default_rng(5)
    truth = known((180, 211), 0, rng)
    truth[40, 60] += 3000
    truth[90:94, 100] -= 200
    plain, half_a, half_b, frames = masters(truth, 10, rng)
    blend = superbias.shrink(plain, half_a, half_b, frames=frames)
    sigma = READ_NOISE_ADU / np.sqrt(10)
    assert abs(blend.bias[40, 60] - truth[40, 60]) < 10 * sigma
    assert (np.abs(blend.bias - truth)[90:94, 100] < 10 * sigma).all()
    assert blend.sigma[40, 60] == pytest.approx(sigma, rel=0.1)
    assert rms(blend.bias[:30], truth[:30]) < 0.2 * rms(plain[:30], truth[:30])


def test_pixels_without_data_get_the_model_and_a_wide_error():
    rng = np.random.default_rng(6)
    truth = known((150, 170), 4, rng)
    plain, half_a, half_b, frames = masters(truth, 10, rng)
    for image in (plain, half_a, half_b):
        image[20:24, 30:37] = np.nan
    blend = superbias.shrink(plain, half_a, half_b, frames=frames)
    hole = np.s_[20:24, 30:37]
    assert np.isfinite(blend.bias).all()
    assert blend.bias[hole] == pytest.approx(superbias.classic(plain)[hole])
    assert blend.sigma[hole] == pytest.approx(4, rel=0.15)


def test_classic_keeps_only_the_lines_asked_for():
    rng = np.random.default_rng(7)
    columns, rows = rng.normal(0, 5, 201), rng.normal(0, 5, 160)
    bias = (500 + columns + rows[:, None]).astype(np.float32)
    inner = np.s_[30:-30, 30:-30]
    assert rms(superbias.classic(bias)[inner], bias[inner]) < 0.1
    for axes, kept, lost in (("cols", columns, rows[:, None]), ("rows", rows[:, None], columns)):
        model = superbias.classic(bias, axes=axes)
        assert np.std((model - kept)[inner]) < 0.3 * np.std(lost)


def test_large_structure_is_that_of_the_undecimated_transform():
    image = np.random.default_rng(8).normal(0, 1, (193, 161)).astype(np.float32)
    smooth = image.astype(np.float64)
    for octave in range(4):
        kernel = np.zeros(4 * 2**octave + 1)
        kernel[:: 2**octave] = np.array([1, 4, 6, 4, 1]) / 16
        for axis in (0, 1):
            smooth = convolve1d(smooth, kernel, axis=axis, mode="mirror")
    found = superbias._large(image, 4)
    assert found[::4, ::4] == pytest.approx(smooth[::4, ::4], abs=1e-5)
    assert found == pytest.approx(smooth, abs=0.01)


@pytest.mark.parametrize("shape", [(3, 5), (2, 2)])
def test_tiny_images_are_modelled(shape):
    assert superbias.classic(np.full(shape, 7, dtype=np.float32)) == pytest.approx(np.full(shape, 7))


def test_equal_halves_keep_the_master():
    image = np.random.default_rng(9).normal(100, 3, (64, 70)).astype(np.float32)
    blend = superbias.shrink(image, image, image)
    assert blend.weight == 1
    assert blend.bias == pytest.approx(image)
    flat = np.full((64, 70), 100, dtype=np.float32)
    assert superbias.shrink(flat, flat, flat).weight == 0


def test_real_biases_are_foretold_down_to_their_read_noise(shared_data):
    folder = shared_data / "raw-calib"
    taken = [fits.getdata(folder / f"biastest{i}.fit").astype(np.float32) for i in range(1, 6)]
    for left_out, others in ((f, [g for g in taken if g is not f]) for f in taken):
        plain, half_a, half_b = (np.mean(part, axis=0) for part in (others, others[::2], others[1::2]))
        blend = superbias.shrink(plain, half_a, half_b)
        # a mean of four adds its own noise, in quadrature: 20.18 sqrt(1 + 1 / 4)
        assert np.std(left_out - plain) == pytest.approx(22.56, rel=0.02)
        assert np.std(left_out - blend.bias) == pytest.approx(20.18, rel=0.02)


def test_a_master_without_a_pixel_is_refused():
    with pytest.raises(UnitError, match="CAL108"):
        superbias.classic(np.full((9, 9), np.nan, dtype=np.float32))
