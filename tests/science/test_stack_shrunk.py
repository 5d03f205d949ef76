"""Shrunken rejection: what is defined is done, what is promised of it holds, and stars stay whole."""

import dataclasses

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.stack import compiled_sums, engine
from lostlight.science.stack.columns import deviation
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule
from lostlight.science.stack.shrunk import mad_factors, tolerances

SIGMA = 7.0
BARE = {"reject": "shrunk", "gradient": 0, "psf": 0}


def stacked(cube, rule=None, **options):
    def read_rows(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]

    return combine(
        len(cube), cube.shape[1:], read_rows, rule or Rule(reject="shrunk"), **{"backend": "numpy", **options}
    )


def rows_of(planes):
    def rows(frame, y0, y1, out):
        out[:] = planes[frame, y0:y1]

    return rows


def scene(n_frames, shape=(11, 17), seed=0, missing=0.2):
    """A hill with a sharp star, cosmic rays, holes in frames, and one frame that covers half."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = 300 + 40 * np.hypot(y - 4, x - 9) + 900 * np.exp(-((y - 6) ** 2 + (x - 5) ** 2) / 2)
    cube = (image + rng.normal(0, SIGMA, (n_frames, *shape))).astype(np.float32)
    cube[rng.random(cube.shape) < 0.06] += 150
    cube[rng.random(cube.shape) < 0.03] -= 120
    cube[rng.random(cube.shape) < missing] = np.nan
    cube[0, :, : shape[1] // 2] = np.nan
    cube[:, 2, 3] = np.nan
    return cube


class Definition:
    """What is kept of a pixel, sample by sample, in Python's own numbers."""

    small = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}  # noqa: RUF012

    def __init__(self, cube, noises=None, blurs=None, *, kappa=3.5, prior=4.0, gradient=0.5, psf=1.5, grow=0):
        self.cube = cube.astype(float)
        if np.ndim(noises) == 1:
            noises = np.broadcast_to(noises[:, None, None], cube.shape)
        self.noises = noises
        self.blurs = np.zeros(len(cube)) if blurs is None else blurs
        self.kappa, self.prior, self.gradient, self.psf = kappa, prior, gradient, psf
        with np.errstate(all="ignore"):
            self.middle = np.array(
                [[self.median(self.cube[:, y, x]) for x in range(cube.shape[2])] for y in range(cube.shape[1])]
            )
        self.low, self.high = np.zeros(cube.shape, bool), np.zeros(cube.shape, bool)
        for y, x in np.ndindex(cube.shape[1:]):
            self.judge(y, x)
        if grow:
            self.grow()
        self.keep = np.isfinite(cube) & ~self.low & ~self.high

    @staticmethod
    def median(samples):
        z = sorted(samples[np.isfinite(samples)])
        return np.nan if not z else (z[len(z) // 2] + z[(len(z) - 1) // 2]) / 2

    def around(self, y, x):
        ny, nx = self.middle.shape
        return [(j, i) for j in (y - 1, y, y + 1) for i in (x - 1, x, x + 1) if 0 <= j < ny and 0 <= i < nx]

    def at(self, y, x):
        ny, nx = self.middle.shape
        return self.middle[y, x] if 0 <= y < ny and 0 <= x < nx else np.nan

    def steepness(self, y, x):
        here, total = self.at(y, x), 0.0
        for pair in ((self.at(y - 1, x), self.at(y + 1, x)), (self.at(y, x - 1), self.at(y, x + 1))):
            steps = [s for s in (here - pair[0], pair[1] - here) if np.isfinite(s)]
            total += (sum(steps) / len(steps)) ** 2 if steps else 0
        return total**0.5

    def curvature(self, y, x):
        total = 0.0
        for pair in ((self.at(y - 1, x), self.at(y + 1, x)), (self.at(y, x - 1), self.at(y, x + 1))):
            second = pair[0] + pair[1] - 2 * self.at(y, x)
            total += second if np.isfinite(second) else 0
        return abs(total)

    def judge(self, y, x):
        z = {i: v for i, v in enumerate(self.cube[:, y, x]) if np.isfinite(v)}
        n = len(z)
        if n < 2:
            return
        middle = min(z.values()) if n == 2 else self.middle[y, x]
        deviations = sorted(abs(v - middle) for v in z.values())
        mad = (deviations[n // 2] + deviations[(n - 1) // 2]) / 2
        robust = 1.4826 * self.small.get(n, n / (n - 0.8)) * mad
        freedom = 0.37 * (n - 1) if n > 2 and mad > 0 else 0
        slope = max(self.steepness(*p) for p in self.around(y, x))
        bend = max(self.curvature(*p) for p in self.around(y, x))
        for i, value in z.items():
            if self.noises is None:
                variance = robust**2 if freedom else np.inf
            else:
                variance = (self.prior * self.noises[i, y, x] ** 2 + freedom * robust**2) / (self.prior + freedom)
            reach = self.kappa * variance**0.5 * (1 + 1.57 / n) ** 0.5
            reach += self.gradient * slope + self.psf * self.blurs[i] * bend
            self.low[i, y, x], self.high[i, y, x] = value < middle - reach, value > middle + reach

    def grow(self):
        low, high = self.low.copy(), self.high.copy()
        for y, x in np.ndindex(self.middle.shape):
            left = [i for i in range(len(self.cube)) if np.isfinite(self.cube[i, y, x]) and not (low | high)[i, y, x]]
            above = [i for i in left if any(high[(i, *p)] for p in self.around(y, x))]
            below = [i for i in left if i not in above and any(low[(i, *p)] for p in self.around(y, x))]
            if len(above) + len(below) < len(left):
                self.high[above, y, x], self.low[below, y, x] = True, True


def agrees(result, definition):
    keep = definition.keep
    assert (result.n_used == keep.sum(axis=0)).all()
    assert (result.n_low == definition.low.sum(axis=0)).all()
    assert (result.n_high == definition.high.sum(axis=0)).all()
    assert result.rejected_low.tolist() == definition.low.sum(axis=(1, 2)).tolist()
    assert result.rejected_high.tolist() == definition.high.sum(axis=(1, 2)).tolist()
    assert result.n_valid.tolist() == np.isfinite(definition.cube).sum(axis=(1, 2)).tolist()


@pytest.mark.parametrize("n_frames", [2, 3, 4, 7, 12])
@pytest.mark.parametrize("grow", [0, 1])
def test_the_definition_keeps_the_same_samples(n_frames, grow):
    cube = scene(n_frames, seed=n_frames)
    noises, blurs = np.linspace(5, 9, n_frames), np.linspace(0, 0.4, n_frames)
    definition = Definition(cube, noises, blurs, grow=grow)
    result = stacked(cube, Rule(reject="shrunk", grow=grow), noises=noises, blurs=blurs)
    agrees(result, definition)
    assert definition.high.any()
    each = np.where(definition.keep, 1.0, 0.0)
    with np.errstate(all="ignore"):
        mean = (each * np.nan_to_num(cube)).sum(axis=0) / each.sum(axis=0)
        sigma = np.sqrt((each * noises[:, None, None] ** 2).sum(axis=0)) / each.sum(axis=0)
    np.testing.assert_allclose(result.data, mean, rtol=1e-6)
    np.testing.assert_allclose(result.sigma, sigma, rtol=1e-6)
    assert (result.weight == definition.keep.sum(axis=0)).all()


@pytest.mark.parametrize("how", ["scatter", "pixels", "level_two", "median"])
def test_the_definition_of_other_noises(how):
    cube = scene(6, seed=3)
    knobs, options, words = {"gradient": 0.2, "psf": 0}, {}, {}
    if how == "pixels":
        noises = np.random.default_rng(2).uniform(4, 12, cube.shape).astype(np.float32)
        options = {"noise_rows": rows_of(noises)}
    elif how == "level_two":
        noises = np.full(6, 7.0)
        options, words = {"noises": noises}, {"kappa": 5.0, "prior": 50.0}
    else:
        noises = None
    rule = Rule(
        "median" if how == "median" else "mean", "shrunk", words.get("kappa"), words.get("kappa"),
        prior=words.get("prior", 4.0), **knobs,
    )  # fmt: skip
    agrees(stacked(cube, rule, **options), Definition(cube, noises, **knobs, **words))


@pytest.mark.parametrize("way", ["frames", "pixels", "alone", "median", "aawa", "many"])
def test_threads_chunks_and_backends_change_no_bit(way):
    cube = scene(600, (3, 5)) if way == "many" else scene(9, (23, 31))
    n, rng = len(cube), np.random.default_rng(5)
    options = {"noises": np.linspace(5, 9, n), "blurs": np.linspace(0, 0.3, n)}
    if way in ("frames", "many"):
        options["weights"] = np.linspace(1, 2, n)
    if way == "pixels":
        planes = rng.uniform(5, 9, cube.shape).astype(np.float32)
        planes[3, 4:8] = np.nan
        options = {"noise_rows": rows_of(planes), "weight_rows": rows_of(planes**-2), "weights": np.arange(1, 10)}
    if way == "alone":
        options = {}
    for grow in (0, 1):
        rule = Rule(way if way in ("median", "aawa") else "mean", "shrunk", grow=grow)
        whole = stacked(cube, rule, **options)
        for threads, memory_mb, backend in [(1, 1e-6, "numpy"), (3, 0.2, "numpy"), (2, 0.1, "numba"), (1, 256, "auto")]:
            other = stacked(cube, rule, threads=threads, memory_mb=memory_mb, backend=backend, **options)
            for field in dataclasses.fields(whole):
                a, b = getattr(whole, field.name), getattr(other, field.name)
                assert a.tobytes() == b.tobytes(), field.name


def test_a_block_with_an_apron_of_three_is_a_cut_out_of_the_whole():
    cube, noises = scene(8, (40, 50)), np.full(8, SIGMA)
    rule = Rule(reject="shrunk", grow=1)
    whole = stacked(cube, rule, noises=noises, blurs=np.full(8, 0.2))
    part = stacked(np.ascontiguousarray(cube[:, 7:31, 12:44]), rule, noises=noises, blurs=np.full(8, 0.2))
    for name in ("data", "n_used", "n_low", "n_high", "sigma", "weight"):
        inner = getattr(part, name)[3:-3, 3:-3]
        assert inner.tobytes() == getattr(whole, name)[10:28, 15:41].tobytes(), name


def test_samples_of_frames_are_counted_where_that_is_asked():
    cube, part = scene(8, (40, 50)), (slice(5, 31), slice(9, 44))
    rule = Rule(reject="shrunk", grow=1)
    for memory_mb in (1e-6, 256):
        result = stacked(cube, rule, noises=np.full(8, SIGMA), counted=part, memory_mb=memory_mb)
        assert result.rejected_high.sum() == result.n_high[part].sum()
        assert result.rejected_low.sum() == result.n_low[part].sum()
        assert result.n_valid.tolist() == np.isfinite(cube[:, *part]).sum(axis=(1, 2)).tolist()


def test_the_order_of_frames_changes_nothing_but_rounding():
    cube, noises = scene(9, (30, 31)), np.linspace(5, 9, 9)
    order = np.random.default_rng(1).permutation(9)
    rule = Rule(reject="shrunk", grow=1)
    one = stacked(cube, rule, noises=noises, weights=noises**-2)
    other = stacked(cube[order], rule, noises=noises[order], weights=noises[order] ** -2)
    assert (one.n_used == other.n_used).all()
    assert (one.rejected_high[order] == other.rejected_high).all()
    np.testing.assert_allclose(one.data, other.data, rtol=1e-6)


EFFICIENCY = 0.97
BIAS = {
    2: (0.1, 0.1),
    3: (0.6, 0.05),
    4: (0.1, 0.02),
    5: (0.1, 0.02),
    8: (0.02, 0.02),
    15: (0.02, 0.02),
    30: (0.02, 0.02),
}


@pytest.mark.parametrize("n_frames", BIAS)
def test_the_table_of_the_method(n_frames):
    """Efficiency without outliers, and what is left of one of 10 and of 50 sigma, in sigma of a frame."""
    rng = np.random.default_rng(n_frames)
    cube = rng.normal(300, SIGMA, (n_frames, 200, 200)).astype(np.float32)
    options = {"noises": np.full(n_frames, SIGMA), "backend": "numba"}
    plain, clean = stacked(cube, Rule(), **options).data, stacked(cube, Rule(**BARE), **options).data
    efficiency = ((plain.astype(float) - 300) ** 2).mean() / ((clean.astype(float) - 300) ** 2).mean()
    assert efficiency >= EFFICIENCY
    for height, most in zip((10, 50), BIAS[n_frames], strict=True):
        struck = cube.copy()
        struck[0] += height * SIGMA
        left = (stacked(struck, Rule(**BARE), **options).data - 300).mean(dtype=float) / SIGMA
        assert abs(left - (plain - 300).mean(dtype=float) / SIGMA) <= most


@pytest.mark.parametrize(("wrong", "efficiency"), [(0.7, 0.85), (1.5, 0.98)])
def test_noise_that_is_wrong_costs_little(wrong, efficiency):
    rng = np.random.default_rng(8)
    for n_frames in (2, 3, 5, 15):
        cube = rng.normal(300, SIGMA, (n_frames, 150, 150)).astype(np.float32)
        plain, clean = (
            stacked(cube, rule, noises=np.full(n_frames, wrong * SIGMA)).data for rule in (Rule(), Rule(**BARE))
        )
        assert ((plain - 300) ** 2).mean() / ((clean - 300) ** 2).mean() >= efficiency


def star(fwhm, flux, shape=(41, 43)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    s2 = (fwhm / 2.355) ** 2
    return flux * np.exp(-((y - 20.3) ** 2 + (x - 20.8) ** 2) / (2 * s2)) / (2 * np.pi * s2)


@pytest.mark.parametrize("n_frames", [10, 15, 30])
def test_star_flux_where_seeing_scatters(n_frames):
    """Bright stars of frames whose widths scatter by 10 % lose no more than 0.2 %; without tolerance they do."""
    rng = np.random.default_rng(n_frames)
    lost = {"with": [], "without": []}
    for flux in (1e4, 1e5):
        for _ in range(4):
            fwhm = 2.6 * (1 + 0.1 * rng.standard_normal(n_frames))
            clean = np.array([star(width, flux) for width in fwhm])
            cube = (100 + clean + rng.normal(0, 5, clean.shape)).astype(np.float32)
            s2 = (fwhm / 2.355) ** 2
            options = {"noises": np.full(n_frames, 5.0), "blurs": 0.5 * abs(s2 - np.median(s2))}
            mean = stacked(cube, Rule(), **options).data
            for name, rule in (("with", Rule(reject="shrunk")), ("without", Rule(**BARE))):
                lost[name].append((stacked(cube, rule, **options).data - mean).sum(dtype=float) / flux)
    assert abs(np.mean(lost["with"])) < 0.002
    assert np.abs(lost["with"]).max() < 0.004
    assert np.std(lost["without"]) > 3 * np.std(lost["with"])


@pytest.mark.parametrize("height", [8, 30, 300])
def test_a_satellite_of_one_of_ten_frames_leaves_nothing(height):
    rng = np.random.default_rng(height)
    cube = rng.normal(300, SIGMA, (10, 150, 160)).astype(np.float32)
    y, x = np.mgrid[:150, :160]
    across = (0.6 * x - y + 20) / np.hypot(0.6, 1)
    clean = stacked(cube, noises=np.full(10, SIGMA)).data
    cube[4] += (height * SIGMA * np.exp(-(across**2) / (2 * 1.2**2))).astype(np.float32)
    result = stacked(cube, Rule(reject="shrunk", grow=1), noises=np.full(10, SIGMA))
    on = abs(across) < 0.7
    left = (result.data - clean)[on].mean(dtype=float)
    assert abs(left) < 0.1 * SIGMA
    assert left < 0.1 * SIGMA / np.sqrt(10) or height < 10
    assert stacked(cube, Rule(), noises=np.full(10, SIGMA)).data[on].mean() - clean[on].mean() > 0.3 * SIGMA


@pytest.mark.parametrize("how", ["none", "shrunk", "median", "weighted", "pixels"])
def test_the_uncertainty_is_calibrated_on_blank_sky(how):
    """The error over its sigma has a scatter of 1.00 +- 0.03; the weight plane is what weighs."""
    rng, n = np.random.default_rng(12), 12
    noises = np.linspace(4, 12, n)
    shape = (n, 160, 170)
    planes = np.broadcast_to(noises[:, None, None], shape) * rng.uniform(0.8, 1.2, shape)
    cube = (300 + planes * rng.standard_normal(shape)).astype(np.float32)
    options = {"noise_rows": rows_of(planes), "backend": "numba"}
    if how != "pixels":
        cube = (300 + noises[:, None, None] * rng.standard_normal(shape)).astype(np.float32)
        options = {"noises": noises, "backend": "numba"}
    rule = Rule(reject="none" if how == "none" else "shrunk")
    if how == "median":
        options["noises"] = np.full(n, 8.0)
        cube, rule = rng.normal(300, 8, shape).astype(np.float32), Rule("median", "shrunk")
    weights = noises**-2.0 if how in ("weighted", "none") else None
    if how == "pixels":
        options["weight_rows"] = rows_of(planes**-2)
    result = stacked(cube, rule, **options, **({} if weights is None else {"weights": weights}))
    assert ((result.data - 300) / result.sigma).std(dtype=float) == pytest.approx(1, abs=0.03)
    if how == "none":
        np.testing.assert_allclose(result.weight, weights.sum(), rtol=1e-6)
        np.testing.assert_allclose(result.sigma, weights.sum() ** -0.5, rtol=1e-6)


def test_sums_go_up_the_hierarchy():
    """Lots combined by their weights are the stack of all frames, where nothing is rejected."""
    cube, weights = scene(14, (19, 23)), np.linspace(0.5, 3, 14)
    flat = stacked(cube, Rule(), weights=weights)
    lots = [stacked(cube[part], Rule(), weights=weights[part]) for part in (slice(0, 5), slice(5, 14))]
    data, sums = (np.array([getattr(lot, name) for lot in lots]) for name in ("data", "weight"))
    both = stacked(data, Rule(), weight_rows=rows_of(np.where(sums > 0, sums, 1)))
    np.testing.assert_allclose(both.data, flat.data, rtol=1e-5)
    np.testing.assert_allclose(sums.sum(axis=0), flat.weight, rtol=1e-6)


def test_equal_samples_keep_the_known_noise():
    """Of whole numbers the MAD is often 0: then the known noise decides alone."""
    cube = np.full((9, 5, 7), 100, np.float32)
    cube[0] += 20
    cube[1] += 40
    result = stacked(cube, Rule(**BARE), noises=np.full(9, 8.0))
    assert (result.n_high == 1).all()
    assert result.data == pytest.approx((7 * 100 + 120) / 8)
    assert (stacked(cube, Rule(**BARE)).n_used == 9).all()


def test_few_samples():
    noises = np.full(2, 5.0)
    pair = np.array([[[100, 100, 100]], [[123, 124, 60]]], np.float32)
    result = stacked(pair, Rule(**BARE), noises=noises)
    assert result.data.tolist() == [[111.5, 100, 60]]
    assert result.n_high.tolist() == [[0, 1, 1]]
    assert result.sigma.ravel() == pytest.approx([5 / np.sqrt(2), 5, 5])
    assert stacked(pair).n_used.tolist() == [[2, 2, 2]]
    single = stacked(pair[:1], noises=[5])
    assert single.data.tolist() == [[100, 100, 100]]
    assert single.sigma.tolist() == [[5, 5, 5]]
    nothing = stacked(np.full((3, 4, 5), np.nan, np.float32), noises=[1, 1, 1])
    assert np.isnan(nothing.data).all()
    assert not nothing.weight.any()


def test_one_sample_stays_whatever_the_threshold():
    cube = np.random.default_rng(3).normal(300, SIGMA, (4, 30, 30)).astype(np.float32)
    result = stacked(cube, Rule(low=0.01, high=0.01, **BARE), noises=np.full(4, 1.0))
    assert result.n_used.min() == 1
    nearest = np.sort(abs(cube - np.median(cube, axis=0)), axis=0)[0]
    assert (abs(result.data - np.median(cube, axis=0)) <= nearest + 1e-3).all()


def test_thresholds_below_and_above_are_two():
    cube = np.random.default_rng(4).normal(300, SIGMA, (9, 40, 40)).astype(np.float32)
    result = stacked(cube, Rule(reject="shrunk", low=1.5, high=9, gradient=0), noises=np.full(9, SIGMA))
    assert result.n_low.sum() > 100
    assert not result.n_high.any()


def test_samples_of_unknown_noise_are_none():
    cube = np.full((3, 2, 2), 10, np.float32)
    cube[2] = 90
    planes = np.full(cube.shape, 2, np.float32)
    planes[2] = np.inf
    planes[1, 0, 0], planes[0, 1, 1] = np.nan, 0
    result = stacked(cube, Rule(), noise_rows=rows_of(planes))
    assert result.data.tolist() == [[10, 10], [10, 10]]
    assert result.n_used.tolist() == [[1, 2], [2, 1]]
    assert result.n_valid.tolist() == [3, 3, 0]


def test_growing_takes_neighbours_of_the_same_frame():
    cube = np.random.default_rng(7).normal(300, 1, (7, 9, 11)).astype(np.float32)
    cube[3, 4, 5] += 500
    cube[5, 0, 0] -= 500
    for method in ("shrunk", "winsorized", "mad", "percentile"):
        rule = Rule(reject=method, low=6, high=6, grow=1)
        result = stacked(cube, rule, noises=np.full(7, 1.0))
        assert result.rejected_high[3] == 9, method
        assert result.rejected_low[5] == 4, method
        assert (result.n_high[3:6, 4:7] >= 1).all()
        others = [i for i in range(7) if i != 3]
        if method == "shrunk":
            assert result.data[3, 4] == pytest.approx(cube[others, 3, 4].mean(), abs=1e-4)


def test_growing_leaves_the_last_sample():
    cube = np.full((2, 3, 3), 100, np.float32)
    cube[1, 1, 1] = 900
    cube[0, 0, 0] = np.nan
    result = stacked(cube, Rule(reject="shrunk", gradient=0, psf=0, grow=1), noises=[5, 5])
    assert result.n_used.min() == 1
    assert np.isfinite(result.data).all()


def test_the_deviation_is_the_median_of_deviations():
    rng = np.random.default_rng(6)
    for n_frames in (1, 2, 5, 8, 13):
        x = rng.normal(0, 9, (n_frames, 300)).astype(np.float32)
        x[rng.random(x.shape) < 0.3] = np.nan
        n = np.isfinite(x).sum(axis=0, dtype=np.int32)
        columns = np.sort(np.where(np.isnan(x), np.inf, x), axis=0).astype(np.float32)
        some = n > 0
        middle = np.zeros(300, np.float32)
        middle[some] = np.nanmedian(x[:, some], axis=0)
        expected = np.nanmedian(abs(x[:, some] - middle[some]), axis=0)
        np.testing.assert_allclose(deviation(columns, n, middle)[some], expected, rtol=1e-5, atol=1e-6)
        run, result = np.empty(300, np.float32), np.empty(300, np.float32)
        for part in (slice(None), n == n_frames):
            args = columns[:, part].copy(), n[part].copy(), middle[part].copy(), run[part].copy(), result[part].copy()
            if args[1].size:
                compiled_sums.deviations.py_func(*args)
                assert args[4].tobytes() == deviation(*args[:3]).tobytes()


def test_weighing_is_the_same_with_and_without_a_compiler():
    rng = np.random.default_rng(9)
    x = rng.normal(5, 1, (4, 30)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.inf
    centre = np.full(30, 5, np.float32)
    for shape in ((4, 1), (4, 30)):
        weights, noises = (rng.uniform(1, 2, shape).astype(np.float32) for _ in range(2))
        expected = engine.NUMPY.weigh(x, weights, noises, centre)
        sums = tuple(np.zeros(30) for _ in range(4))
        with np.errstate(all="ignore"):
            compiled_sums.add_weighted.py_func(x, weights, noises, centre, *sums)
        for one, other, name in zip(sums, expected, ("whole", "first", "squares", "variance"), strict=True):
            assert one.tobytes() == other.tobytes(), name
        np.testing.assert_allclose(expected[0], np.where(x < np.inf, weights, 0).sum(axis=0))


def test_factors_make_the_deviation_right_on_average():
    rng = np.random.default_rng(10)
    for n in (2, 3, 4, 5, 6, 7, 8, 9, 12, 40):
        x = np.sort(rng.normal(0, 1, (n, 60_000)).astype(np.float32), axis=0)
        found = deviation(x, np.full(60_000, n, np.int32), np.median(x, axis=0))
        assert mad_factors(n)[n] * found.mean(dtype=float) == pytest.approx(1, abs=0.02)


def test_tolerance_of_a_plane_and_of_a_bowl():
    y, x = np.mgrid[:9, :11].astype(np.float32)
    slope, bend = tolerances(3 * y + 4 * x, 0.5, 1.5)
    assert slope == pytest.approx(0.5 * 5)
    assert not bend.any()
    slope, bend = tolerances((y - 4) ** 2 + (x - 5) ** 2, 0, 1.5)
    assert not slope.any()
    assert bend == pytest.approx(1.5 * 4)
    hole = 3 * y + 4 * x
    hole[4, 5] = np.nan
    assert tolerances(hole, 1, 0)[0] == pytest.approx(5)


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ({"reject": "shrunk"}, {"noises": [1, 2]}),
        ({"reject": "shrunk"}, {"noises": [1, 0, 2]}),
        ({"reject": "shrunk"}, {"blurs": [1, np.nan, 2]}),
        ({"reject": "kappa_median", "grow": 1}, {}),
        ({"reject": "sigma", "grow": 2}, {}),
    ],
)
def test_what_cannot_be_is_refused(rule, options):
    with pytest.raises(ConfigError):
        stacked(np.zeros((3, 4, 5), np.float32), Rule(**rule), **options)


def test_thresholds_of_each_method():
    assert Rule(reject="shrunk").thresholds == (3.5, 3.5)
    assert Rule(reject="sigma").thresholds == (3.0, 3.0)
    assert Rule(reject="shrunk", low=3).thresholds == (3, 3.5)
