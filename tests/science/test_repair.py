"""Bad pixels are replaced by their neighbours of the same colour, and say so."""

import numpy as np
import pytest

from lostlight.science.calibrate.quality import mask_of
from lostlight.science.calibrate.repair import repair
from lostlight.vocab.bits import DQ, dq

SHAPE = (31, 37)
HOT, COLD, BAD, DONE = (dq(name) for name in ("HOT", "COLD", "BAD", "INTERPOLATED"))


def plain(seed=0, shape=SHAPE):
    """Pixels, sigma, no bits, an empty map."""
    rng = np.random.default_rng(seed)
    data = rng.normal(100, 5, shape).astype(np.float32)
    sigma = rng.uniform(4, 6, shape).astype(np.float32)
    return data, sigma, np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)


def by_hand(data, bad, y, x, reach, step, function):
    """Value of one pixel from its valid neighbours, the slow way."""
    near = [
        float(data[v, u])
        for v in range(y - reach * step, y + reach * step + 1, step)
        for u in range(x - reach * step, x + reach * step + 1, step)
        if 0 <= v < data.shape[0] and 0 <= u < data.shape[1] and not bad[v, u] and np.isfinite(data[v, u])
    ]
    return function(near)


@pytest.mark.parametrize(("method", "reach", "function"), [("median5", 2, np.median), ("mean3", 1, np.mean)])
@pytest.mark.parametrize(("pattern", "step"), [("", 1), ("RGGB", 2)])
def test_every_place_takes_its_neighbours_of_the_same_colour(method, reach, function, pattern, step):
    data, sigma, quality, bad = plain()
    places = [(0, 0), (0, 36), (30, 0), (30, 36), (3, 3), (15, 0), (14, 15), (15, 15), (15, 16), (29, 20)]
    for y, x in places:
        bad[y, x] = HOT
        data[y, x] = 1e4
    new, error, bits, n = repair(data, sigma, quality, bad, method, pattern)
    assert n == len(places)
    for y, x in places:
        assert new[y, x] == np.float32(by_hand(data, bad, y, x, reach, step, function))
        # mean3 and corners alike: the uncertainty is that of 5x5 neighbours
        assert error[y, x] == pytest.approx(2 * by_hand(sigma, bad, y, x, 2, step, np.median), rel=1e-6)
        assert bits[y, x] == HOT | DONE
    elsewhere = bad == 0
    assert (new[elsewhere] == data[elsewhere]).all() and (error[elsewhere] == sigma[elsewhere]).all()
    assert not bits[elsewhere].any()


def test_colours_never_mix():
    data, _, quality, bad = plain()
    data[:] = 10
    data[0::2, 0::2], data[1::2, 1::2] = 1000, 200
    bad[4, 4], bad[4, 5], bad[7, 7], bad[0, 0] = HOT, HOT, COLD, HOT
    new, *_ = repair(data, None, quality, bad, "median5", "RGGB")
    assert [new[4, 4], new[4, 5], new[7, 7], new[0, 0]] == [1000, 10, 200, 1000]


@pytest.mark.parametrize("method", ["median5", "mean3"])
def test_a_cluster_is_bridged_and_its_middle_is_told_where_it_is_too_wide(method):
    data, sigma, quality, bad = plain(1)
    bad[10:15, 10:15] = BAD
    data[10:15, 10:15] = np.nan
    new, error, bits, n = repair(data, sigma, quality, bad, method)
    assert n == 25 and np.isfinite(new).all() and abs(new[12, 12] - 100) < 5
    assert 8 < error[12, 12] < 12
    bad[8:23, 8:23] = BAD
    new, error, bits, n = repair(data, sigma, quality, bad, method)
    centre = np.s_[12:19, 12:19]  # more than four pixels from any good one
    assert n == 225 - 49 == (bits & DONE != 0).sum() and (bits[centre] == BAD).all() and mask_of(bits)[centre].all()
    assert np.array_equal(new[centre], data[centre], equal_nan=True) and (error[centre] == sigma[centre]).all()


def test_missing_and_unusable_neighbours_take_no_part():
    data, sigma, quality, bad = plain(2)
    bad[20, 20] = HOT
    data[18:23, 18:20] = np.nan
    data[18:23, 21:23] = 1e6
    quality[18:23, 21:23] = dq("SATURATED")
    data[18, 20] = 1e6
    quality[18, 20] = HOT
    expected = np.median([data[19, 20], data[21, 20], data[22, 20]])
    new, _, bits, n = repair(data, sigma, quality, bad)
    assert n == 1 and new[20, 20] == expected
    assert (
        np.isnan(new[18:23, 18:20]).all()
        and np.isfinite(np.delete(new.ravel(), np.nonzero(np.isnan(data.ravel())))).all()
    )
    assert bits[18, 21] == dq("SATURATED")


def test_a_repaired_neighbour_of_before_may_take_part():
    data, sigma, quality, bad = plain(3)
    quality[5, 5] = HOT | DONE
    bad[5, 6] = HOT
    data[5, 5] = 100.0
    new, *_ = repair(data, sigma, quality, bad)
    assert new[5, 6] == np.float32(by_hand(data, bad, 5, 6, 2, 1, np.median))


def test_methods_that_change_no_pixel():
    data, sigma, quality, bad = plain(4)
    bad[3, 4] = COLD
    new, error, bits, n = repair(data, sigma, quality, bad, "flag_only")
    assert n == 0 and (new == data).all() and (error == sigma).all() and bits[3, 4] == COLD and mask_of(bits)[3, 4]
    assert quality[3, 4] == 0
    *_, bits, n = repair(data, sigma, quality, bad, "none")
    assert n == 0 and not bits.any()


def test_inputs_are_left_alone_and_bits_that_only_inform_are_handed_on():
    data, sigma, quality, bad = plain(5)
    bad[3, 4], bad[6, 6] = HOT, dq("GLOW")
    before = [part.copy() for part in (data, sigma, quality, bad)]
    new, _, bits, n = repair(data, sigma, quality, bad)
    assert all((a == b).all() for a, b in zip(before, (data, sigma, quality, bad), strict=True))
    assert n == 1 and bits[6, 6] == dq("GLOW") and new[6, 6] == data[6, 6]


def test_a_frame_of_bad_pixels_stays_as_it_is():
    data, sigma, quality, bad = plain(6)
    bad[:] = HOT
    new, error, bits, n = repair(data, sigma, quality, bad)
    assert n == 0 and (new == data).all() and (error == sigma).all() and mask_of(bits).all()


def test_the_sigma_of_a_repaired_pixel_covers_its_error():
    rng = np.random.default_rng(7)
    truth = np.full((300, 310), 500.0)
    data = (truth + rng.normal(0, 10, truth.shape)).astype(np.float32)
    sigma = np.full(truth.shape, 10, np.float32)
    bad = np.where(rng.random(truth.shape) < 0.01, HOT, 0).astype(np.uint16)
    data[bad != 0] += 3000
    new, error, *_ = repair(data, sigma, np.zeros_like(bad), bad)
    pull = ((new - truth) / error)[bad != 0]
    assert abs(pull.mean()) < 0.05 and pull.std() < 1


def test_what_may_be_used_follows_from_the_bits():
    usable = {"NONLINEAR", "INTERPOLATED", "FEW_SAMPLES", "UNSTABLE", "NO_DARK_MATCH", "GLOW"}
    for bit in DQ:
        assert mask_of(np.array([bit.value], np.uint16))[0] == (bit.name not in usable), bit.name
        # repair makes hot and cold pixels usable, and nothing else
        repaired = mask_of(np.array([bit.value | DONE], np.uint16))[0]
        assert repaired == (bit.name not in usable | {"HOT", "COLD"}), bit.name
    assert not mask_of(np.zeros((3, 5), np.uint16)).any()
