"""Every rejection against a plain one-pixel-at-a-time account of its definition."""

import numpy as np
import pytest
from tests.oracles import ours

from lostlight.core.errors import ConfigError
from lostlight.science.stack import masks
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule

SHAPE = (5, 9)


def scene(n_frames, seed=0, sigma=7.0):
    """Frames of noise with outliers on both sides, a few samples missing, and one pixel without any."""
    rng = np.random.default_rng(seed)
    cube = rng.normal(300, sigma, (n_frames, *SHAPE)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.07] += 90
    cube[rng.random(cube.shape) < 0.03] -= 60
    cube[rng.random(cube.shape) < 0.03] = np.nan
    cube[:, 2, 4] = np.nan
    return cube


def stacked(cube, rule, **options):
    def read_rows(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]

    return combine(len(cube), cube.shape[1:], read_rows, rule, **{"backend": "numpy", **options})


def pixels(cube):
    return [(y, x) for y in range(cube.shape[1]) for x in range(cube.shape[2]) if np.isfinite(cube[:, y, x]).any()]


def agrees(cube, result, stays, sides=True):
    """Compare a stack with the samples that the oracle keeps; sides: the rejected are those beyond the kept."""
    low = high = 0
    for y, x in pixels(cube):
        samples = cube[:, y, x].astype(float)
        keep = stays(samples, y)
        gone = [i for i in np.flatnonzero(np.isfinite(samples)) if i not in keep]
        n_low = sum(samples[i] < np.mean(samples[keep]) for i in gone)
        assert result.n_used[y, x] == len(keep), (y, x)
        if sides:
            assert (result.n_low[y, x], result.n_high[y, x]) == (n_low, len(gone) - n_low), (y, x)
        assert int(result.n_low[y, x]) + result.n_high[y, x] == len(gone)
        assert result.data[y, x] == pytest.approx(samples[keep].mean(), rel=2e-7)
        low, high = low + n_low, high + len(gone) - n_low
    assert (result.rejected_low + result.rejected_high).sum() == low + high
    assert result.rejected_low.sum() == result.n_low.sum()
    return low, high


METHODS = ("none", "minmax", "percentile", "sigma", "sigma_once", "kappa", "mad", "winsorized", "linear_fit", "gesd")


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 8, 13, 30])
@pytest.mark.parametrize("method", METHODS)
def test_the_definition_keeps_the_same_samples(method, n_frames):
    cube = scene(n_frames, seed=n_frames)
    rule = Rule(reject=method, low=1.9, high=2.2)
    knobs = {} if method in ("none", "minmax", "gesd") else {"low": 1.9, "high": 2.2}
    if method == "percentile":
        knobs = {"low": rule.plow, "high": rule.phigh}
    if method == "minmax" and n_frames < 4:
        pytest.skip("one sample stays; see the test of extremes")
    rejected = agrees(
        cube, stacked(cube, rule), lambda samples, y: ours.kept(samples, method, **knobs), method != "linear_fit"
    )
    if n_frames >= 8 and method != "none":
        assert sum(rejected) > 0


@pytest.mark.parametrize("minkeep", [1, 4, 6, 99])
@pytest.mark.parametrize("method", ["sigma", "mad", "winsorized", "linear_fit"])
def test_enough_samples_are_put_back_with_ties(method, minkeep):
    cube = np.round(scene(7, seed=3) / 8)
    result = stacked(cube, Rule(reject=method, low=0.8, high=0.9, minkeep=minkeep))
    agrees(cube, result, lambda samples, y: ours.kept(samples, method, low=0.8, high=0.9, minkeep=minkeep), False)
    n = np.isfinite(cube).sum(axis=0)
    assert (result.n_used >= np.minimum(n, minkeep)).all() or minkeep == 1


@pytest.mark.parametrize("scale", ["siril", "pixinsight"])
def test_lines_of_other_widths(scale):
    cube = scene(11, seed=8)
    result = stacked(cube, Rule(reject="linear_fit", low=2.5, high=2, fit_scale=scale))
    agrees(cube, result, lambda samples, y: ours.kept(samples, "linear_fit", low=2.5, high=2, scale=scale), False)


@pytest.mark.parametrize("n", [5, 8, 21])
def test_the_line_of_least_absolute_deviations_is_the_best(n):
    y = np.sort(np.random.default_rng(n).standard_cauchy((n, 20)), axis=0)
    y -= np.median(y, axis=0)
    rank = np.repeat(np.arange(n)[:, None] - (n - 1) / 2, 20, axis=1)
    slope, level = masks._least_absolute(rank, y, np.full(20, n))
    cost = abs(y - level - slope * rank).sum(axis=0)
    assert cost == pytest.approx([ours.least_absolute_cost(column) for column in y.T], rel=1e-9)


def test_a_line_that_outliers_cannot_turn():
    cube = np.r_[np.arange(9.0), 60, 70].astype(np.float32).reshape(11, 1, 1)
    assert stacked(cube, Rule(reject="linear_fit", fit="lad", low=2, high=2)).n_used == 9


def test_the_noise_model_knows_the_width():
    cube = scene(6, seed=5)
    noise = NoiseModel(rdnoise_e=8, gain_e_adu=2, pedestal_adu=200, fraction=0.01)

    def variance(i, level):
        return 16 + max(level - 200, 0) / 2 + (0.01 * max(level - 200, 0)) ** 2

    result = stacked(cube, Rule(reject="noise_model", low=4, high=4, noise=noise))
    agrees(cube, result, lambda samples, y: ours.kept(samples, "noise_model", low=4, high=4, variance=variance))


def test_a_scaled_frame_has_the_noise_of_its_own_level():
    scales, offsets = np.array([0.5, 1, 2, 4, 1, 0.8]), np.array([10.0, 0, 0, 5, 3, 0])
    cube = scene(6, seed=6)
    raw = (cube / scales[:, None, None] + offsets[:, None, None]).astype(np.float32)
    cube = ((raw - offsets[:, None, None].astype("f4")) * scales[:, None, None].astype("f4")).astype(np.float32)
    noise = NoiseModel(rdnoise_e=5, gain_e_adu=2)

    def variance(i, level):
        return scales[i] ** 2 * (6.25 + max(level / scales[i] + offsets[i], 0) / 2)

    rule = Rule(reject="noise_model", low=3, high=3, noise=noise)
    result = stacked(raw, rule, scales=scales, offsets=offsets)
    rejected = agrees(cube, result, lambda samples, y: ours.kept(samples, "noise_model", variance=variance), False)
    assert sum(rejected) > 5


def test_frames_turned_upside_down_are_judged_as_the_others():
    cube = scene(6, seed=6)
    rule = Rule(reject="noise_model", low=3, high=3, noise=NoiseModel(7, 1, pedestal_adu=1e9))
    scales = np.array([-1, 1, 1, -1, 1, 1.0])
    turned = stacked((cube * scales[:, None, None]).astype(np.float32), rule, scales=scales)
    plain = stacked(cube, rule)
    assert turned.n_high.sum() > 10
    for name in ("data", "n_low", "n_high"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(plain, name))


def test_averaged_sigma_is_of_the_line():
    cube = scene(6, seed=7)
    whole = np.where(np.isfinite(cube), cube, 300)
    gains = [ours.line_gain([whole[:, y, x] for x in range(SHAPE[1])]) for y in range(SHAPE[0])]
    result = stacked(whole, Rule(reject="avsigclip", low=1.8, high=1.8))
    agrees(whole, result, lambda samples, y: ours.kept(samples, "avsigclip", low=1.8, high=1.8, line_gain=gains[y]))


def test_outliers_become_medians():
    cube = scene(12, seed=9)
    result = stacked(cube, Rule(reject="kappa_median", low=2, high=2))
    for y, x in pixels(cube):
        assert result.data[y, x] == pytest.approx(ours.kappa_median(cube[:, y, x], 2), rel=1e-6)


def test_an_expression_sees_fresh_statistics():
    class FarFromMedian:
        def reject(self, x, statistics, context):
            assert {"n", "mean", "median", "std", "mad", "min", "max", "q05", "q95", "sigma_model"} <= set(statistics)
            assert context["exptime"].shape == (len(x), 1)
            return abs(x - statistics["median"]) > 4 * 1.4826 * statistics["mad"]

    cube = scene(9, seed=10)
    rule = Rule(reject="expression", expression=FarFromMedian(), iterations=5)
    result = stacked(cube, rule, context={"exptime": np.arange(9.0)})
    agrees(cube, result, lambda samples, y: ours.kept(samples, "mad", low=4, high=4, iterations=5))


def test_extremes_leave_one():
    cube = np.array([5.0, 1.0, 9.0], np.float32).reshape(3, 1, 1)
    assert stacked(cube, Rule(reject="minmax")).data == 5
    assert stacked(cube[:2], Rule(reject="minmax")).n_used == 1


@pytest.mark.parametrize(("n_valid", "n_used"), [(1, 1), (2, 2), (3, 1), (4, 2), (7, 5)])
def test_minmax_of_a_mosaic_does_not_ask_how_many_frames_there_are(n_valid, n_used):
    rule = Rule(reject="minmax", n_full=3)
    for n_frames in (7, 12):
        cube = np.full((n_frames, 3, 5), np.nan, np.float32)
        cube[:n_valid] = np.arange(n_valid)[:, None, None]
        assert (stacked(cube, rule).n_used == n_used).all()


def test_equal_samples_are_shared_out_by_frame():
    cube = np.array([4, 4, 4, 7], np.float32).reshape(4, 1, 1)
    result = stacked(cube, Rule(reject="minmax", nlow=1, nhigh=1))
    assert result.rejected_low.tolist() == [1, 0, 0, 0]
    assert result.rejected_high.tolist() == [0, 0, 0, 1]


def test_one_cosmic_ray_of_three():
    cube = np.array([100, 104, 900], np.float32).reshape(3, 1, 1)
    result = stacked(cube, Rule(reject="noise_model", low=4, high=4, noise=NoiseModel(5, 1)))
    assert result.data == 102
    assert result.n_high == 1


def test_percentile_leaves_pixels_at_zero_alone():
    cube = np.array([-3, -2, -1, 0, 50], np.float32).reshape(5, 1, 1)
    assert stacked(cube, Rule(reject="percentile")).n_used == 5


@pytest.mark.parametrize(
    "wrong", [{"reject": "noise_model"}, {"reject": "expression"}, {"reject": "magic"}, {"combine": "magic"}]
)
def test_a_rule_without_its_needs_is_refused(wrong):
    with pytest.raises(ConfigError):
        Rule(**wrong)


@pytest.mark.parametrize("n_frames", [3, 4, 9])
def test_outliers_that_become_medians_count_once(n_frames):
    cube = scene(n_frames, seed=n_frames)
    result = stacked(cube, Rule(reject="kappa_median", low=0.3, high=0.4))
    gone = result.n_low.astype(int) + result.n_high
    assert (gone <= np.isfinite(cube).sum(axis=0)).all()
    assert gone.sum() == (result.rejected_low + result.rejected_high).sum() > 0
