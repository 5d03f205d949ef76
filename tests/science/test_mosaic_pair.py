"""Gain and offset between two tiles: planted ones, exact ones of real tiles, and what cannot be told."""

import logging

import numpy as np
import pytest

from lostlight.core.errors import LostlightError
from lostlight.science.mosaic.level.arrays import NotNumpy
from lostlight.science.mosaic.level.pair import (
    apply_tile_photometric_scaling,
    compute_tile_photometric_scaling,
    overlap_mask,
)
from lostlight.science.mosaic.level.stats import Stars

SHAPE = (157, 211)


def sky(seed=0, n_channels=1, amplitude=150.0):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rng, planes = np.random.default_rng(seed), []
    for _ in range(n_channels):
        a, b, c = rng.uniform(20, 40, 3)
        planes.append(amplitude * np.sin(x / a) * np.cos(y / b) + 0.5 * amplitude * np.sin((x + y) / c))
    return np.array(planes)


def pair(gains, offsets, seed=0, amplitude=150.0, noise=3.0):
    """A reference and a target that needs these gains and offsets."""
    rng, truth = np.random.default_rng(seed + 100), sky(seed, len(gains), amplitude)
    g, o = (np.array(v)[:, None, None] for v in (gains, offsets))
    reference = 1000 + truth + rng.normal(0, noise, truth.shape)
    target = (1000 + truth - o) / g + rng.normal(0, noise, truth.shape)
    return reference.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gain", [0.6, 1.0, 1.4])
def test_planted_gain_and_offset(seed, gain):
    reference, target = pair((gain,), (75,), seed)
    gains, offsets = compute_tile_photometric_scaling(reference, target)
    assert gains.dtype == offsets.dtype == np.float32
    assert gains[0] == pytest.approx(gain, rel=0.005)
    level = apply_tile_photometric_scaling(target, gains, offsets)
    assert abs(np.median(level - reference)) < 0.3


def test_offset_and_gain_are_not_the_ratio_of_levels():
    """Transparency is the same and only the sky differs: the gain is 1, and no star changes."""
    reference, target = pair((1.0,), (-2000,))
    gains, offsets = compute_tile_photometric_scaling(reference, target)
    assert gains[0] == pytest.approx(1, abs=0.005)
    assert offsets[0] == pytest.approx(-2000, abs=15)


def test_each_colour_has_its_own():
    reference, target = pair((0.8, 1.0, 1.25), (10, -20, 40))
    gains, _ = compute_tile_photometric_scaling(reference, target)
    assert gains == pytest.approx([0.8, 1.0, 1.25], rel=0.005)


def test_a_tile_of_two_axes_is_mono():
    reference, target = pair((1.1,), (5,))
    gains, offsets = compute_tile_photometric_scaling(reference[0], target[0])
    assert gains.shape == offsets.shape == (1,)
    assert apply_tile_photometric_scaling(target[0], gains, offsets).shape == SHAPE


def test_stars_decide_where_there_is_no_structure():
    rng = np.random.default_rng(3)
    reference, target = pair((1.0,), (0,), amplitude=0.0)
    x, y, flux = rng.uniform(10, 140, 30), rng.uniform(10, 140, 30), rng.uniform(3e3, 3e4, (30, 1))
    stars = [Stars(x, y, f * np.exp(rng.normal(0, 0.003, f.shape)), np.full_like(f, 20)) for f in (flux, flux / 1.3)]
    gains, offsets = compute_tile_photometric_scaling(reference, target, stars=tuple(stars), noise=(3.0, 3.0))
    assert gains[0] == pytest.approx(1.3, rel=0.005)
    assert offsets[0] == pytest.approx(1000 - 1.3 * 1000, abs=6)


def test_only_the_mask_counts():
    reference, target = pair((1.2,), (30,))
    mask = np.zeros(SHAPE, bool)
    mask[20:120, 30:170] = True
    spoilt = np.where(mask, target, 5e4).astype(np.float32)
    whole = compute_tile_photometric_scaling(reference, target, mask=mask)
    assert np.array_equal(whole, compute_tile_photometric_scaling(reference, spoilt, mask=mask))
    assert whole[0][0] == pytest.approx(1.2, rel=0.01)


def test_trails_do_not_matter():
    reference, target = pair((1.2,), (30,))
    for k in range(150):
        target[0, k, k : k + 3] += 3000
    gains, offsets = compute_tile_photometric_scaling(reference, target)
    assert gains[0] == pytest.approx(1.2, rel=0.01)
    assert abs(np.median(apply_tile_photometric_scaling(target, gains, offsets) - reference)) < 0.5


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r, t: (r, np.full_like(t, np.nan)), "0 pixels"),
        (lambda r, t: (r, np.full_like(t, np.inf)), "0 pixels"),
        (lambda r, t: (np.where(np.arange(SHAPE[1]) < 100, r, np.nan), np.where(np.arange(SHAPE[1]) < 100, np.nan, t)),
         "0 pixels"),
        (lambda r, t: (r, np.where(np.arange(SHAPE[1]) < 6, t, np.nan)), "pixels in common"),
    ],
)  # fmt: skip
def test_where_nothing_is_valid_gain_is_one_and_offset_zero(spoil, reason, caplog):
    reference, target = (d.astype(np.float32) for d in spoil(*pair((1.2,), (30,))))
    with caplog.at_level(logging.WARNING):
        gains, offsets = compute_tile_photometric_scaling(reference, target)
    assert (gains.tolist(), offsets.tolist()) == ([1], [0])
    assert reason in caplog.text


def test_a_flat_target_gets_an_offset_alone(caplog):
    reference, target = pair((1.2,), (30,))
    with caplog.at_level(logging.WARNING):
        gains, offsets = compute_tile_photometric_scaling(reference, np.full_like(target, 700))
    assert gains.tolist() == [1]
    assert offsets[0] == pytest.approx(300, abs=40)
    assert "flat" in caplog.text


@pytest.mark.parametrize("value", [0.0, -5.0, 1e-30, 3e37])
def test_never_nan_or_infinite(value):
    reference, target = pair((1.2,), (30,))
    for one, other in ((reference, np.full_like(target, value)), (np.full_like(target, value), target)):
        found = compute_tile_photometric_scaling(one, other)
        assert np.isfinite(found).all()


def test_blank_noise_gets_an_offset_alone(caplog):
    reference, target = pair((1.0,), (50,), amplitude=0.0)
    with caplog.at_level(logging.WARNING):
        gains, offsets = compute_tile_photometric_scaling(reference, target)
    assert gains.tolist() == [1]
    assert offsets[0] == pytest.approx(50, abs=0.3)
    assert "neither stars nor structure" in caplog.text


def test_an_impossible_gain_is_not_believed(caplog):
    with caplog.at_level(logging.WARNING):
        gains, _ = compute_tile_photometric_scaling(*pair((8.0,), (50,)))
    assert gains.tolist() == [1]
    assert "factor of 5" in caplog.text


def test_inputs_are_left_alone():
    reference, target = pair((1.2,), (30,))
    copies = reference.copy(), target.copy()
    gains, offsets = compute_tile_photometric_scaling(reference, target)
    out = apply_tile_photometric_scaling(target, gains, offsets)
    assert np.array_equal(reference, copies[0]) and np.array_equal(target, copies[1])
    assert out.dtype == np.float32 and not np.shares_memory(out, target)
    assert np.allclose(out, target * gains[0] + offsets[0])


def test_blanks_stay_blank():
    tile = np.full((3, 4, 5), np.nan, np.float32)
    tile[:, 1] = 2
    out = apply_tile_photometric_scaling(tile, np.array([1, 2, 3.0]), np.array([1, 1, 1.0]))
    assert np.array_equal(np.isnan(out), np.isnan(tile))
    assert out[:, 1, 0].tolist() == [3, 5, 7]


def test_values_before_and_after_are_in_the_log(caplog):
    reference, target = pair((1.2,), (30,))
    with caplog.at_level(logging.DEBUG):
        apply_tile_photometric_scaling(target, *compute_tile_photometric_scaling(reference, target))
    text = caplog.text
    assert all(
        word in text for word in ("target before", "target after", "min", "median", "max", "away from the edges")
    )


def test_overlap_is_eroded(caplog):
    one, other = np.zeros((40, 50), np.uint16), np.zeros((40, 50), np.uint16)
    one[:, :30], other[5:, 10:] = 3, 1
    with caplog.at_level(logging.INFO):
        mask = overlap_mask(one, other)
    assert mask.sum() == (35 - 4) * (20 - 4)
    assert f"{35 * 20} pixels, {31 * 16} away" in caplog.text
    assert overlap_mask(one, other, 0).sum() == 35 * 20


class Device:
    """Stands in for an array that lies on a GPU."""


Device.__module__ = "cupy._core.core"


def test_arrays_on_a_gpu_are_refused():
    tile, ones = np.ones((1, 30, 30), np.float32), np.ones(1)
    for call in (
        lambda: compute_tile_photometric_scaling(Device(), tile),
        lambda: compute_tile_photometric_scaling(tile, Device()),
        lambda: compute_tile_photometric_scaling(tile, tile, mask=Device()),
        lambda: apply_tile_photometric_scaling(Device(), ones, ones),
        lambda: apply_tile_photometric_scaling(tile, Device(), ones),
    ):
        with pytest.raises(NotNumpy, match="CuPy") as error:
            call()
        assert isinstance(error.value, TypeError) and isinstance(error.value, LostlightError)
        assert "asnumpy" in error.value.hint
    with pytest.raises(NotNumpy, match="list"):
        apply_tile_photometric_scaling([[1.0]], ones, ones)


def test_shapes_that_do_not_fit():
    tile = np.ones((1, 30, 30), np.float32)
    with pytest.raises(LostlightError, match="shapes"):
        compute_tile_photometric_scaling(tile, tile[:, 1:])
    with pytest.raises(LostlightError, match="shape"):
        compute_tile_photometric_scaling(np.ones((4, 5, 5)), np.ones((4, 5, 5)))
    for bad in (np.ones(2), np.array([np.nan])):
        with pytest.raises(LostlightError, match="gains"):
            apply_tile_photometric_scaling(tile, bad, np.zeros(1))


@pytest.mark.parametrize(("first", "second", "constant"), [(0, 1, -0.595), (2, 3, 2.029)])
def test_tiles_of_one_scan_of_2mass(shared_data, first, second, constant):
    """Two tiles cut from one scan differ by a constant, found to 0.01."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from reproject import reproject_interp

    paths = sorted((shared_data / "mosaic-2mass-m17").glob("aK_asky_*.fits.gz"))
    one, other = (fits.open(paths[k])[0] for k in (first, second))
    moved, _ = reproject_interp(other, WCS(one.header), one.data.shape, order="nearest-neighbor")
    gains, offsets = compute_tile_photometric_scaling(one.data.astype(np.float32), moved.astype(np.float32))
    assert gains[0] == pytest.approx(1, abs=1e-5)
    assert offsets[0] == pytest.approx(constant, abs=0.01)
