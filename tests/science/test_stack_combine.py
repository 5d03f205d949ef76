"""Averages, weights and uncertainties of the combine kernel, and that nothing but the samples decides the bits."""

import dataclasses

import numpy as np
import pytest
from tests.oracles import ours

from lostlight.core.errors import ConfigError
from lostlight.science.stack import compiled, engine, look, network, trim
from lostlight.science.stack.average import median_excess
from lostlight.science.stack.combine import combine
from lostlight.science.stack.expression import compile_expression
from lostlight.science.stack.rule import COMBINES, REJECTS, NoiseModel, Rule

SHAPE = (13, 21)


def scene(n_frames, seed=0, level=300.0, sigma=7.0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(level, sigma, (n_frames, *SHAPE)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.05] += 90
    cube[rng.random(cube.shape) < 0.03] = np.nan
    cube[:, 2, 4] = np.nan
    return cube


def stacked(cube, rule=None, **options):
    def read_rows(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]

    return combine(len(cube), cube.shape[1:], read_rows, rule or Rule(), **{"backend": "numpy", **options})


def same_bits(one, other):
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes(), field.name


class Bright:
    def reject(self, x, statistics, context):
        return x > statistics["median"] + 3 * statistics["std"] / context["exptime"]


def rules():
    for reject in REJECTS:
        for combined in COMBINES if reject in ("sigma", "linear_fit") else ("mean",):
            noise = NoiseModel(8, 2, 100) if reject == "noise_model" else None
            yield Rule(combined, reject, low=1.8, high=2.1, noise=noise, expression=Bright())


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: f"{rule.combine}-{rule.reject}")
def test_threads_chunks_and_backends_change_no_bit(rule):
    cube = scene(9)
    options = {"context": {"exptime": np.ones(9)}}
    whole = stacked(cube, rule, **options)
    for threads, memory_mb, backend in [(1, 1e-6, "numpy"), (3, 0.02, "numpy"), (2, 0.03, "numba"), (1, 256, "numba")]:
        other = stacked(cube, rule, threads=threads, memory_mb=memory_mb, backend=backend, **options)
        same_bits(whole, other)


def test_a_written_expression_rejects():
    cube = np.nan_to_num(scene(9, seed=4, level=100), nan=100)
    cube[2] += 200
    expression = compile_expression("x > median + 5 * sigma_model and exptime > 5")
    rule = Rule(reject="expression", expression=expression, noise=NoiseModel(7, 1, 1e6))
    result = stacked(cube, rule, context={"exptime": [10] * 8 + [1]})
    assert result.rejected_high[2] == cube[0].size
    assert result.rejected_high[8] == 0
    assert result.rejected_high[0] > 0


def test_a_pixel_does_not_know_its_neighbours():
    cube = scene(8)
    for reject in ("winsorized", "linear_fit", "gesd"):
        rule = Rule(reject=reject, low=1.8, high=1.8)
        whole = stacked(cube, rule)
        alone = stacked(np.ascontiguousarray(cube[:, 5:6, 7:8]), rule)
        assert alone.data.tobytes() == whole.data[5, 7].tobytes()
        assert alone.sigma.tobytes() == whole.sigma[5, 7].tobytes()


@pytest.mark.parametrize("n", [1, 2, 3, 7, 30, 33, 100, 600])
def test_networks_sort(n):
    x = np.random.default_rng(n).integers(0, 50, (n, 300)).astype(np.float32)
    expected = np.sort(x, axis=0)
    assert (network.sort_planes(x) == expected).all()
    assert (compiled.sort_planes(x) == expected).all()


def test_the_network_is_as_short_as_batchers():
    assert len(network.comparators(30)) == 178
    assert len(network.comparators(16)) == 63


def test_the_loops_that_are_compiled_do_as_numpy():
    rng = np.random.default_rng(4)
    x = np.sort(rng.normal(50, 9, (6, 20)).astype(np.float32), axis=0)
    lo, hi = rng.integers(0, 2, 20).astype(np.int32), rng.integers(4, 7, 20).astype(np.int32)
    centre, bound = x[3].copy(), np.full(20, 4, np.float32)
    first, second = np.zeros(20), np.zeros(20, np.float32)
    compiled.add_up.py_func(x, lo, hi, centre, first, second)
    about = first - (hi - lo) * centre.astype(float)
    for ours_, numpys in zip((about, second), engine.NUMPY.moments(x, lo, hi, centre), strict=True):
        assert ours_.tobytes() == numpys.tobytes()
    first, second = np.zeros(20, np.float32), np.zeros(20, np.float32)
    compiled.add_up_clamped.py_func(x, lo, hi, centre, bound, first, second)
    for ours_, numpys in zip((first, second), engine.NUMPY.clamped(x, lo, hi, centre, bound), strict=True):
        assert ours_.tobytes() == numpys.tobytes()
    width = compiled.winsorize.py_func(x, lo, hi, centre, bound)
    assert width.tobytes() == engine.NUMPY.winsorize(x, lo, hi, centre, bound).tobytes()
    d, n = np.zeros((6, compiled.LANES), np.float32), np.full(compiled.LANES, 6, np.int32)
    d[:, :20] = x - centre
    width = np.full(20, 4, np.float32)
    compiled.settle.py_func(d, n, width)
    zero, all_ = np.zeros(20, np.int32), np.full(20, 6, np.int32)
    assert width.tobytes() == engine.NUMPY.winsorize(x, zero, all_, centre, bound).tobytes()
    columns = np.empty_like(x)
    compiled.exchange.py_func(x[::-1].copy(), columns, network.comparators(6))
    assert (columns == x).all()


def looked(x, n, thresholds, fill):
    seen = look.Look(*(np.zeros(n.size, np.float64 if i == 1 else np.float32) for i in range(7)))
    seen.mad = np.zeros(n.size, np.float32)
    columns = (seen.centre, seen.first, seen.second, seen.smallest, seen.largest)
    pairs = network.comparators(len(x))
    fill(x, n, pairs, *map(np.float32, thresholds), True, *columns, seen.clamped_first, seen.clamped_second, seen.mad)
    return seen


@pytest.mark.parametrize("holes", [0, 0.3])
def test_a_look_sees_the_same_with_and_without_a_compiler(holes):
    rng = np.random.default_rng(11)
    x = rng.normal(500, 9, (7, 300)).astype(np.float32)
    x[rng.random(x.shape) < holes] = np.inf
    n = np.isfinite(x).sum(axis=0, dtype=np.int32)
    with np.errstate(all="ignore"):
        expected = look.look(x, n, (3, 2.5), True)
        seen = compiled.look(x, n, (3, 2.5), True), looked(x, n, (3, 2.5), compiled.look_at_blocks.py_func)
    for one in seen:
        for name in ("centre", "first", "second", "smallest", "largest", "clamped_first", "clamped_second", "mad"):
            same = n > 0 if holes else n > -1
            assert getattr(one, name)[same].tobytes() == getattr(expected, name)[same].tobytes(), name
    middle, largest = np.empty(256, np.float32), np.empty(256, np.float32)
    columns, few = np.sort(x, axis=0)[:, :256].copy(), n[:256].copy()
    compiled.outermost.py_func(columns, few, middle, largest)
    assert np.array_equal(middle, expected.centre[:256], equal_nan=True)
    assert (largest == expected.largest[:256]).all()
    work = np.empty((7, 256), np.float32)
    compiled.sort_block.py_func(x, 256, 44, network.comparators(7), work)
    assert (work[:, :44] == np.sort(x[:, 256:], axis=0)).all()


@pytest.mark.parametrize("minkeep", [1, 3, 6])
def test_walking_in_puts_back_ties_with_and_without_a_compiler(minkeep):
    rng = np.random.default_rng(minkeep)
    x = np.sort(rng.integers(0, 12, (8, 500)).astype(np.float32), axis=0)
    lo, hi = rng.integers(0, 2, 500).astype(np.int32), rng.integers(7, 9, 500).astype(np.int32)
    centre, width = x[4].copy(), rng.uniform(0, 4, 500).astype(np.float32)
    floor = np.full(500, minkeep, np.int32)
    expected = trim.trim(x, lo, hi, floor, (0.9, 1.1), centre, width)
    walked = lo.copy(), hi.copy()
    widths = np.float32(0.9) * width, np.float32(1.1) * width
    compiled.walk_in.py_func(x, *walked, floor, *widths, centre)
    for one in (compiled.trim(x, lo, hi, floor, (0.9, 1.1), centre, width), walked):
        assert (one[0] == expected[0]).all()
        assert (one[1] == expected[1]).all()
    assert minkeep <= (expected[1] - expected[0]).min() <= 6


def test_what_is_known_to_be_finite_is_not_looked_at():
    cube = np.nan_to_num(scene(5), nan=300)

    def sure(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]
        return True

    same_bits(combine(5, SHAPE, sure, Rule(reject="sigma"), backend="numpy"), stacked(cube, Rule(reject="sigma")))


def test_the_median_is_numpys():
    for n_frames in (1, 2, 5, 8):
        cube = scene(n_frames, seed=n_frames)
        with np.errstate(all="ignore"):
            assert np.array_equal(stacked(cube, Rule("median")).data, _nanmedian(cube), equal_nan=True)


def _nanmedian(cube):
    out = np.full(cube.shape[1:], np.nan, np.float32)
    for index in np.ndindex(out.shape):
        values = cube[(slice(None), *index)]
        values = values[np.isfinite(values)]
        if values.size:
            out[index] = np.median(values)
    return out


@pytest.mark.parametrize("level", [0.0, 1e-3, 300.0, 60_000.0])
@pytest.mark.parametrize("n_frames", [2, 30, 400])
def test_the_mean_is_that_of_float64_within_one_ulp(n_frames, level):
    cube = np.random.default_rng(1).normal(level, 5, (n_frames, 9, 11)).astype(np.float32)
    exact = cube.astype(np.float64).mean(axis=0)
    mean = stacked(cube).data
    assert (abs(mean - exact) <= np.spacing(abs(exact).astype(np.float32))).all()


def test_nothing_valid_is_nan_and_counts_nothing():
    cube = scene(4)
    cube[1, 3, 3], cube[2, 3, 3] = np.inf, -np.inf
    result = stacked(cube, Rule(reject="sigma"))
    assert np.isnan(result.data[2, 4])
    assert np.isnan(result.sigma[2, 4])
    assert (result.n_used[2, 4], result.n_used[3, 3]) == (0, np.isfinite(cube[:, 3, 3]).sum())
    assert (result.n_valid == np.isfinite(cube).sum(axis=(1, 2))).all()


def test_stetsons_average():
    cube = np.nan_to_num(scene(12, seed=3), nan=300.0)
    result = stacked(cube, Rule("aawa", aawa_iterations=4))
    for index in [(0, 0), (5, 6), (12, 20)]:
        assert result.data[index] == pytest.approx(ours.stetson(cube[(slice(None), *index)], 4), rel=1e-6)
    same = np.full((5, 2, 3), 7, np.float32)
    assert (stacked(same, Rule("aawa")).data == 7).all()


def test_weights_count_only_what_is_kept():
    cube = scene(7, seed=2)
    weights = np.array([1, 2, 3, 4, 5, 6, 7.0])
    valid = np.isfinite(cube)
    each = np.where(valid, weights[:, None, None], 0)
    with np.errstate(invalid="ignore"):
        expected = np.where(valid, cube, 0).astype(float)
        expected = (each * expected).sum(axis=0) / each.sum(axis=0)
    assert stacked(cube, weights=weights).data == pytest.approx(expected.astype(np.float32), rel=2e-7, nan_ok=True)


def test_a_masked_frame_does_not_dilute():
    cube = np.array([10, np.nan], np.float32).reshape(2, 1, 1)
    assert stacked(cube, weights=[1, 1]).data == 10


def test_rejected_samples_weigh_nothing():
    cube = np.array([10, 12, 11, 10, 12, 11, 900], np.float32).reshape(7, 1, 1)
    result = stacked(cube, Rule(reject="mad"), weights=[1, 1, 1, 1, 1, 1, 50])
    assert result.data == pytest.approx(11)
    assert result.rejected_high.tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_weights_of_pixels_multiply_those_of_frames():
    cube = scene(3, seed=9)

    def weight_rows(frame, y0, y1, out):
        out[:] = frame + 1

    both = stacked(cube, weights=[3, 2, 1], weight_rows=weight_rows)
    assert both.data == pytest.approx(stacked(cube, weights=[3, 4, 3]).data, nan_ok=True)
    alone = stacked(cube, weight_rows=weight_rows)
    assert alone.data == pytest.approx(stacked(cube, weights=[1, 2, 3]).data, nan_ok=True)


def test_offsets_and_scales_come_before_all():
    cube = scene(5, seed=5)
    scaled = (cube - np.float32(30)) * np.float32(2)
    one = stacked(cube, Rule(reject="sigma", low=1.5, high=1.5), offsets=[30] * 5, scales=[2] * 5)
    other = stacked(scaled, Rule(reject="sigma", low=1.5, high=1.5))
    assert one.data.tobytes() == other.data.tobytes()


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 30, 51])
def test_the_variance_of_medians(n):
    medians = np.median(np.random.default_rng(n).normal(size=(60_000, n)), axis=1)
    assert median_excess(n) == pytest.approx(n * medians.var(), rel=0.025)


@pytest.mark.parametrize("combined", ["mean", "median"])
def test_the_uncertainty_is_that_of_the_scatter(combined):
    rng = np.random.default_rng(6)
    truth = rng.uniform(200, 3000, (60, 80))
    noise = NoiseModel(rdnoise_e=9, gain_e_adu=1.5, pedestal_adu=150)
    sigma = np.sqrt(36 + (truth - 150) / 1.5)
    cube = rng.normal(truth, sigma, (8, 60, 80)).astype(np.float32)
    result = stacked(cube, Rule(combined, noise=noise))
    pull = (result.data - truth) / result.sigma
    assert pull.std() == pytest.approx(1, abs=0.03)
    assert abs(pull.mean()) < 0.04
    assert np.median(result.sigma_empirical / result.sigma) == pytest.approx(1, abs=0.06)


def test_the_uncertainty_of_scaled_and_weighted_frames():
    rng = np.random.default_rng(8)
    scales, weights, offset = np.array([0.5, 1, 2, 3]), np.array([4, 2, 1, 1.0]), 20
    noise = NoiseModel(rdnoise_e=3, gain_e_adu=2)
    raw_level = 600 / scales[:, None, None] + offset
    raw = rng.normal(raw_level, np.sqrt(2.25 + raw_level / 2), (4, 70, 90)).astype(np.float32)
    result = stacked(raw, Rule(noise=noise), scales=scales, offsets=[offset] * 4, weights=weights)
    assert ((result.data - 600) / result.sigma).std() == pytest.approx(1, abs=0.03)
    unweighted = stacked(raw, Rule(noise=noise), scales=scales, offsets=[offset] * 4)
    assert ((unweighted.data - 600) / unweighted.sigma).std() == pytest.approx(1, abs=0.03)


def test_without_a_model_the_scatter_is_the_uncertainty():
    cube = np.array([1, 2, 3, 6], np.float32).reshape(4, 1, 1)
    result = stacked(cube)
    assert result.sigma == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2)
    assert np.isnan(stacked(cube[:1]).sigma)


@pytest.mark.parametrize(
    ("n_frames", "rule", "options"),
    [
        (0, Rule(), {}),
        (2, Rule(), {"weights": [1, 0]}),
        (2, Rule(), {"weights": [1, 2, 3]}),
        (2, Rule(), {"scales": [1, np.nan]}),
        (2, Rule("median"), {"weights": [1, 2]}),
        (2, Rule(reject="kappa_median"), {"weights": [1, 2]}),
        (2, Rule(), {"backend": "abacus"}),
    ],
)
def test_what_cannot_be_is_refused(n_frames, rule, options):
    with pytest.raises(ConfigError):
        stacked(np.ones((n_frames, 2, 3), np.float32), rule, **options)


@pytest.mark.parametrize("wrong", [(-1, 1), (1, 0), (1, np.nan), (1, 1, 0, -1)])
def test_impossible_noise_is_refused(wrong):
    with pytest.raises(ConfigError):
        NoiseModel(*wrong)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_thousands_of_frames(backend):
    rng = np.random.default_rng(0)
    frame = rng.normal(100, 5, (2, 3)).astype(np.float32)

    def read_rows(number, y0, y1, out):
        out[:] = frame[y0:y1] + number % 7

    result = combine(3000, (2, 3), read_rows, Rule(reject="winsorized"), backend=backend)
    assert result.data == pytest.approx(frame + 3, abs=0.01)
    assert (result.n_used == 3000).all()
