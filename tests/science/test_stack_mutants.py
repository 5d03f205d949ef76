"""Kernels with one thing broken: each such mutant must fail a check that the kernel itself passes.

A mutant lives in a copy of the sources, with loops that are not compiled, so that they can be mutated too.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.oracles import ours
from tests.science import test_light, test_stack_shrunk

import lostlight.science
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab.bits import dq

SCIENCE = Path(lostlight.science.__file__).parent
SHAPE = (4, 7)


class Mutant(NamedTuple):
    file: str
    old: str
    new: str
    why: str


MUTANTS = (
    Mutant("stack/columns.py", "F(0.5) * lower + F(0.5) * upper", "upper", "a median of an even number is one sample"),
    Mutant("stack/columns.py", "upper = at_rank(x, (lo + hi) >> 1)", "upper = at_rank(x, (lo + hi + 1) >> 1)", "rank"),
    Mutant("stack/columns.py", "d[rank, (rank < lo) | (rank >= hi)] = 0", "pass", "rejected samples widen sigma"),
    Mutant("stack/columns.py", "/ (n - ddof)", "/ n", "population for sample"),
    Mutant("stack/columns.py", "second - first * first / n", "second", "spread about the median, not about the mean"),
    Mutant("stack/network.py", "for i in range(n - d)", "for i in range(n - d - 1)", "a comparator is missing"),
    Mutant("stack/network.py", "if len(x) > LARGEST:", "if len(x) < 0:", "no sort of many samples, but a network"),
    Mutant("stack/trim.py", "F(thresholds[0]) * width, F(thresholds[1])", "F(thresholds[1]) * width, F(thresholds[0])",
           "thresholds swapped"),
    Mutant("stack/clip.py", "new_hi - new_lo >= SHORTEST)", "new_hi - new_lo > len(x))", "one pass alone"),
    Mutant("stack/trim.py", "distance <= furthest", "distance < furthest", "ties are not put back"),
    Mutant("stack/clip.py", "share = np.minimum(n / n_full, 1)", "share = 1.0 + 0 * n", "minmax of missing samples"),
    Mutant("stack/clip.py", "t.ppf(1 - alpha / (2 * n), n - 2)", "t.ppf(1 - alpha / n, n - 2)", "one-sided limit"),
    Mutant("stack/clip.py", "low = mean - below > above - mean", "low = mean - below < above - mean", "wrong end"),
    Mutant("stack/clip.py", "SHORTEST - 1, np.minimum", "SHORTEST, np.minimum", "three samples are never clipped"),
    Mutant("stack/clip.py", "np.where(outside, median(x, zero, n), x)", "np.where(outside, F(0), x)", "replaced"),
    Mutant("stack/widths.py", "F(1.4826)", "F(1)", "raw median absolute deviation"),
    Mutant("stack/widths.py", "spread(first, second, hi - lo, 0)", "spread(first, second, hi - lo, 1)", "kappa"),
    Mutant("stack/widths.py", " & (image >= t)", "", "half of the certificate"),
    Mutant("stack/look.py", "(seen.largest - seen.centre) / high", "(seen.largest - seen.centre) / low", "reach"),
    Mutant("stack/widths.py", "np.maximum(n - 1, 0)", "np.maximum(n, 0)", "degrees of freedom of a line"),
    Mutant("stack/engine.py", "F(1.134)", "F(1.0)", "winsorized sigma is not a Gaussian's"),
    Mutant("stack/engine.py", "np.minimum(bound[going], CLAMP * width[going])", "CLAMP * width[going]", "unclamped"),
    Mutant("stack/compiled.py", "bound[p] = min(bound[p], CLAMP * width[p])", "bound[p] = CLAMP * width[p]", "twin"),
    Mutant("stack/compiled.py", "second[p] = b if a < b else a", "second[p] = b", "half an exchange"),
    Mutant("stack/compiled.py", "floor, F(thresholds[0]) * width", "floor, F(thresholds[1]) * width", "threshold"),
    Mutant("stack/compiled.py", ">= floor[p] and nearest > furthest", ">= floor[p]", "ties in loops"),
    Mutant("stack/compiled.py", "- middle > above[p]", "- middle >= above[p]", "a bound that is no bound"),
    Mutant("stack/masks.py", "np.pi / 2)), \"siril\"", "2 / np.pi)), \"siril\"", "width of residuals"),
    Mutant("stack/masks.py", "(n * (n * n - 1) / 12)", "(len(y) * (len(y) ** 2 - 1) / 12)", "stale ranks, as Siril's"),
    Mutant("stack/masks.py", "noise.variance(centre / scales + offsets)", "noise.variance(centre)", "noise of a flat"),
    Mutant("stack/masks.py", "keep = pick(valid, going) & ~pick(low | high, going)", "keep = pick(valid, going)",
           "rejected samples come back"),
    Mutant("stack/rule.py", "product * product", "product", "noise model without square"),
    Mutant("stack/rule.py", "np.float64) - self.pedestal_adu, 0)", "np.float64), 0)", "a pedestal has shot noise"),
    Mutant("stack/average.py", "1, 1, 1.346", "1, 1, 1.192", "c_N of three"),
    Mutant("stack/average.py", "weighed[2] / weighed[0] ** 2", "1 / weighed[0]", "error of a weighted mean"),
    Mutant("stack/engine.py", "whole += w", "whole += each", "weights of masked samples count"),
    Mutant("stack/engine.py", "variance += w * w * (s * s)", "variance += w * (s * s)", "weight, not its square"),
    Mutant("stack/compiled_sums.py", "spread[p] += w * w * (s * s)", "spread[p] += w * w * s", "noise alone"),
    Mutant("stack/compiled_sums.py", "middle[p] - work[k, p], work[k + last, p]", "middle[p] - work[k, p], work[k, p]",
           "width of a run"),
    Mutant("stack/average.py", "if kept.touched.size:", "if not kept.touched.size:", "rejected samples weigh"),
    Mutant("stack/average.py", "np.sqrt(weighed[3] * excess)", "np.sqrt(weighed[3])", "median for the price of a mean"),
    Mutant("stack/average.py", "n if weights is None else weighed[0]", "n", "weight plane"),
    Mutant("stack/columns.py", "(size + 1) // 2)", "size // 2 + 1)", "upper median of an even number of deviations"),
    Mutant("stack/shrunk.py", "1.495, 1.363", "1.363, 1.495", "factors of three and four"),
    Mutant("stack/shrunk.py", "FREEDOM = 0.37", "FREEDOM = 1.0", "as many degrees of freedom as of a deviation"),
    Mutant("stack/shrunk.py", "(np.arange(n_frames + 1) - 1.0)", "(np.arange(n_frames + 1) - 0.0)", "n, not n - 1"),
    Mutant("stack/shrunk.py", "freedom[:3] = 0", "freedom[:2] = 0", "scatter of two samples"),
    Mutant("stack/shrunk.py", "MEDIAN_VARIANCE = 1.57", "MEDIAN_VARIANCE = 0", "a median without noise"),
    Mutant("stack/shrunk.py", "n == 2, seen.smallest", "n == 2, seen.largest", "the fainter of two goes"),
    Mutant("stack/shrunk.py", "noises.min(axis=0)", "noises.max(axis=0)", "a certificate that holds for the noisiest"),
    Mutant("stack/shrunk.py", "blurs.min(axis=0)", "blurs.max(axis=0)", "certificate of the most blurred"),
    Mutant("stack/shrunk.py", "seen.mad > 0", "seen.mad > -1", "samples that are equal reject all others"),
    Mutant("stack/shrunk.py", "slope + blurs * self.bend", "slope + self.bend", "curvature without blur"),
    Mutant("stack/shrunk.py", "bent_across + bent_along", "bent_across", "half of it"),
    Mutant("stack/shrunk.py", "/ np.maximum(number, F(1))", "", "a gradient that is twice as steep"),
    Mutant("stack/shrunk.py", "(rows[:-1], values[1:], out=rows[:-1])", "(rows[:-1], values[:-1], out=rows[:-1])", "2"),
    Mutant("stack/shrunk.py", "F(self.thresholds[0]) * width", "F(self.thresholds[1]) * width", "thresholds swapped"),
    Mutant("stack/grow.py", "below & ~stay", "below", "the last sample goes"),
    Mutant("stack/grow.py", "valid & ~(before[0] | before[1])", "~(before[0] | before[1])", "holes are rejected"),
    Mutant("stack/grow.py", "both[:, :, 1:] |= rows[:, :, :-1]", "pass", "growing to the left alone"),
    Mutant("stack/combine.py", "max(y0 - apron, 0)", "max(y0, 0)", "a chunk without the rows above it"),
    Mutant("stack/combine.py", "own[first : max(last, first), columns] = True", "own[:] = True", "apron counts"),
    Mutant("stack/combine.py", "x[unknown] = noises[unknown] = np.inf", "pass", "samples of unknown noise"),
    Mutant("stack/rule.py", "2 * looks_around + self.grow", "2 * looks_around", "no row more for growing"),
    Mutant("stack/average.py", "weight * weight * scale * scale", "weight * weight * scale", "scaled noise"),
    Mutant("stack/reject.py", "low = samples < columns[first, touched]", "low = samples <= columns[first, touched]",
           "kept samples are counted as rejected"),
    Mutant("stack/reject.py", "rank >= last[tied]", "rank > last[tied]", "a tied sample is lost"),
    Mutant("stack/combine.py", "x[~valid] = np.inf", "x[~valid] = 0", "lost mask"),
    Mutant("stack/combine.py", "x -= self.stack.offsets", "x += self.stack.offsets", "offset"),
    Mutant("stack/entropy.py", "length[valid] * np.log2", "np.log2", "not Shannon's sum"),
    Mutant("calibrate/light.py", "_add_square(recipe.dark.uncert, scale**2,", "_add_square(recipe.dark.uncert, scale,",
           "k, not its square"),
    Mutant("calibrate/light.py", "data -= recipe.bias.data", "pass", "no bias is taken off"),
    Mutant("calibrate/light.py", "variance /= scratch", "variance /= flat.data", "over the flat, not its square"),
    Mutant("calibrate/light.py", "raw >= recipe.saturate_adu", "raw > recipe.saturate_adu", "full scale is saturated"),
    Mutant("calibrate/light.py", "1 - 2 * scale if shared else 1", "1", "a bias in light and dark counts once"),
    Mutant("calibrate/light.py", "recipe.dark_scale_error**2", "recipe.dark_scale_error", "error of the dark's factor"),
    Mutant("calibrate/light_noise.py", "step_adu**2 / 12, 1 / egain", "step_adu**2, 1 / egain", "rounding"),
    Mutant("calibrate/light_noise.py", "np.var(kept)) / 2", "np.var(kept))", "a difference has twice the variance"),
    Mutant("calibrate/hot.py", "found[phase][sign * residual[phase] > threshold * sigma]",
           "found[phase][residual[phase] > threshold * sigma]", "cold pixels are hot"),
    Mutant("calibrate/hot.py", "threshold * sigma", "threshold", "threshold in counts"),
    Mutant("calibrate/hot.py", "BLIND = 0.5", "BLIND = 0.9", "half-blind pixels"),
    Mutant("calibrate/flat.py", "relative >= min_value", "relative >= 0", "no guard against dark flats"),
    Mutant("calibrate/flat.py", "uncert <= max_error * np.abs(data)", "uncert <= np.abs(data)", "noisy flats"),
    Mutant("calibrate/flat.py", "np.where(valid, data / over, ", "np.where(True, data / over, ", "invented light"),
    Mutant("calibrate/levels.py", "np.isfinite(data) & ~bad", "np.isfinite(data)", "masked pixels move the level"),
    Mutant("calibrate/levels.py", "slice(n // 4, n - n // 4)", "slice(0, n - n // 4)", "the centre is a corner"),
    Mutant("calibrate/sections.py", "Section(x1 - 1, x2, y1 - 1, y2)", "Section(x1, x2, y1 - 1, y2)", "first column"),
    Mutant("calibrate/sections.py", "x0 if name[5] == \"1\" else y0", "y0 if name[5] == \"1\" else x0", "axes swapped"),
    Mutant("calibrate/overscan.py", "correction.T if above else correction", "correction", "lines are columns"),
    Mutant("calibrate/overscan.py", "/ equal - 0.5)", "/ equal)", "half a count"),
    Mutant("calibrate/dark_scale.py", "x**2 - var_dark", "x**2", "noise of the dark flattens the line"),
    Mutant("calibrate/dark_scale.py", "2 ** (warmer_c / doubling_c)", "2 ** (-warmer_c / doubling_c)", "colder"),
    Mutant("calibrate/dark_scale.py", "sigma_k < MAX_ERROR * k", "sigma_k < k", "any factor will do"),
)  # fmt: skip


class Stack:
    """The modules of stacking, from a folder of their own."""

    def __init__(self, folder, mutant=None):
        name = f"mutant_{abs(hash(mutant)):x}"
        (folder / name).mkdir()
        for path in (SCIENCE / "stack").glob("*.py"):
            text = path.read_text()
            if mutant and mutant.file == f"stack/{path.name}":
                text = text.replace(mutant.old, mutant.new)
            text = text.replace("from lostlight.science.stack", f"from {name}")
            text = text.replace("from numba import njit", "njit = lambda **options: lambda loop: loop")
            (folder / name / path.name).write_text(text)
        sys.path.insert(0, str(folder))
        try:
            for path in sorted((folder / name).glob("*.py")):
                module = importlib.import_module(f"{name}.{path.stem}")
                setattr(self, path.stem, module)
        finally:
            sys.path.remove(str(folder))
            for loaded in [key for key in sys.modules if key.startswith(name)]:
                del sys.modules[loaded]
        engines = {"numpy": self.engine.NUMPY, "numba": self.compiled.NUMBA}
        self.combine.backends.choose = lambda backend, rule, n_samples: engines[backend]

    def combined(self, cube, combine="mean", rule=(), **options):
        def read_rows(frame, y0, y1, out):
            out[:] = cube[frame, y0:y1]

        rule = self.rule.Rule(combine, **dict(rule))
        return self.combine.combine(len(cube), cube.shape[1:], read_rows, rule, **{"backend": "numpy", **options})


def module(folder, file, mutant=None):
    """One module of calibration; all that it imports is the project's own."""
    text = (SCIENCE / file).read_text()
    path = folder / f"mutant_{Path(file).stem}_{abs(hash(mutant)):x}.py"
    path.write_text(text.replace(mutant.old, mutant.new) if mutant and mutant.file == file else text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    try:
        spec.loader.exec_module(loaded)
    finally:
        del sys.modules[path.stem]
    return loaded


def scene(n_frames=8, seed=1, missing=0.05):
    rng = np.random.default_rng(seed)
    cube = rng.normal(300, 7, (n_frames, *SHAPE))
    cube[rng.random(cube.shape) < 0.08] += 90
    cube[rng.random(cube.shape) < 0.08] -= 60
    cube[rng.random(cube.shape) < missing] = np.nan
    cube[0, :, 0] = 300
    return cube.astype(np.float32)


def stays(stack, cube, rule, **knobs):
    """The samples that stay are those of the definition, and their number and mean are told."""
    result = stack.combined(cube, rule=rule)
    gone = 0
    for y, x in np.ndindex(SHAPE):
        samples = cube[:, y, x].astype(float)
        keep = ours.kept(samples, rule["reject"], **knobs)
        gone += np.isfinite(samples).sum() - len(keep)
        assert result.n_used[y, x] == len(keep)
        assert result.data[y, x] == pytest.approx(samples[keep].mean(), rel=1e-6)
    assert (result.rejected_low.sum(), result.rejected_high.sum()) == (result.n_low.sum(), result.n_high.sum())
    assert result.rejected_low.sum() + result.rejected_high.sum() == gone


def check_survivors(stack):
    for n_frames, seed in ((8, 1), (9, 2), (21, 3)):
        cube = scene(n_frames, seed)
        for method in ("sigma", "sigma_once", "kappa", "mad", "winsorized", "linear_fit"):
            knobs = {"low": 1.3, "high": 2.0}
            stays(stack, cube, {"reject": method, **knobs}, **knobs)
        for method in ("gesd", "minmax", "none"):
            stays(stack, cube, {"reject": method})


def check_keeping(stack):
    cube = np.round(scene(7, 3, 0) / 8)
    for method in ("sigma", "mad", "linear_fit"):
        stays(stack, cube, {"reject": method, "low": 0.8, "high": 0.9, "minkeep": 5}, low=0.8, high=0.9, minkeep=5)
    struck = np.array([100, 104, 900], np.float32).reshape(3, 1, 1)
    noise = stack.rule.NoiseModel(5, 1)
    assert stack.combined(struck, rule={"reject": "noise_model", "noise": noise}).data == 102


def check_medians(stack):
    for n_frames in (1, 2, 5, 8):
        cube = scene(n_frames, 4, 0.2)
        cube[0, np.isnan(cube).all(axis=0)] = 7
        np.testing.assert_array_equal(stack.combined(cube, combine="median").data, np.nanmedian(cube, axis=0))


def check_sorting(stack):
    rng = np.random.default_rng(5)
    for n in (2, 3, 7, 16, 30):
        x = rng.random((n, 64)).astype(np.float32)
        np.testing.assert_array_equal(stack.network.sort_planes(x), np.sort(x, axis=0))
    stack.network.comparators = lambda n: np.empty((0, 2), int)
    many = rng.random((3 * stack.network.LARGEST, 2)).astype(np.float32)
    np.testing.assert_array_equal(stack.network.sort_planes(many), np.sort(many, axis=0))


def check_twin(stack):
    """Loops give the bits of arrays."""
    x = stack.network.sort_planes(np.random.default_rng(6).standard_cauchy((9, 40)).astype(np.float32))
    lo, hi = np.arange(40, dtype=np.int32) % 3, 9 - np.arange(40, dtype=np.int32) % 2
    centre = stack.columns.median(x, lo, hi)
    numpy, loops = stack.engine.NUMPY, stack.compiled.NUMBA
    assert loops.sort(x[::-1].copy()).tobytes() == x.tobytes()
    for one, other in zip(numpy.moments(x, lo, hi, centre), loops.moments(x, lo, hi, centre), strict=True):
        assert one.tobytes() == other.tobytes()
    bound = np.full(40, 0.7, np.float32)
    clamped = (engine.clamped(x, lo, hi, centre, bound) for engine in (numpy, loops))
    for one, other in zip(*clamped, strict=True):
        assert one.tobytes() == other.tobytes()
    cube = np.round(scene(9, 12))
    cube[:4, 0, 0], cube[4:, 0, 0] = 290, (300, 300, 300, 310, 310)
    for rule in (
        {"reject": "sigma", "low": 1.2, "high": 0.8, "minkeep": 5},
        {"reject": "winsorized", "low": 1.5, "high": 2.5},
        {"reject": "noise_model", "low": 1, "high": 1, "minkeep": 1, "noise": stack.rule.NoiseModel(10, 1, 1e9)},
        {"reject": "none"},
    ):
        one, other = (stack.combined(cube, rule=rule, backend=backend) for backend in ("numpy", "numba"))
        for name in ("data", "n_low", "n_high", "sigma"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), (rule, name)
    _, width = stack.widths.about_median(numpy, x, lo, hi, None)
    assert numpy.winsorize(x, lo, hi, centre, width).tobytes() == loops.winsorize(x, lo, hi, centre, width).tobytes()


def check_winsorizing(stack):
    """Where clamped samples are never freed, and only there, sigma is this one."""
    rng = np.random.default_rng(7)
    x = np.sort(np.where(rng.random((9, 200)) < 0.3, 20, 1) * rng.normal(0, 1, (9, 200)), axis=0).astype(np.float32)
    lo, hi = np.zeros(200, np.int32), np.full(200, 9, np.int32)
    _, width = stack.widths.winsorized(stack.engine.NUMPY, x, lo, hi, None)
    np.testing.assert_allclose(width, [ours._winsorized(v.tolist(), float(np.median(v))) for v in x.T], rtol=1e-4)


def check_noise(stack):
    noise = stack.rule.NoiseModel(rdnoise_e=6, gain_e_adu=2, pedestal_adu=100, fraction=0.1)
    assert noise.variance(np.array([50.0, 100.0, 300.0])).tolist() == [9, 9, 9 + 100 + 400]
    scales, offsets = np.array([0.25, 1, 3, 0.5, 2]), np.array([5.0, 0, 8, 0, 1])
    model = stack.rule.NoiseModel(rdnoise_e=5, gain_e_adu=2)
    cube = scene(5, 8, 0)
    raw = (cube / scales[:, None, None] + offsets[:, None, None]).astype(np.float32)
    options = {"scales": scales, "offsets": offsets}
    result = stack.combined(raw, rule={"reject": "noise_model", "noise": model, "low": 4, "high": 4}, **options)
    for at in np.ndindex(SHAPE):
        samples = cube[(slice(None), *at)].astype(float)
        keep = ours.kept(
            samples, "noise_model", 4, 4,
            variance=lambda i, m: scales[i] ** 2 * (6.25 + max(m / scales[i] + offsets[i], 0) / 2),
        )  # fmt: skip
        assert result.n_used[at] == len(keep)
        value = samples[keep].mean()
        assert result.data[at] == pytest.approx(value, rel=1e-5)
        variances = scales[keep] ** 2 * (6.25 + (value / scales[keep] + offsets[keep]) / 2)
        assert result.sigma[at] == pytest.approx(np.sqrt(variances.sum()) / len(keep), rel=1e-4)


def check_weights(stack):
    cube = scene(6, 9, 0.2)
    weights = np.array([1, 2, 3, 4, 5, 6.0])
    each = np.where(np.isfinite(cube), weights[:, None, None], 0)
    result = stack.combined(cube, weights=weights, rule={"noise": stack.rule.NoiseModel(4, 2)})
    expected = (each * np.nan_to_num(cube)).sum(axis=0) / each.sum(axis=0)
    np.testing.assert_allclose(result.data, expected, rtol=1e-6)
    share = (each**2).sum(axis=0) / each.sum(axis=0) ** 2
    np.testing.assert_allclose(result.sigma, np.sqrt((4 + expected / 2) * share), rtol=1e-5)
    struck = np.array([10, 12, 11, 10, 12, 11, 900], np.float32).reshape(7, 1, 1)
    result = stack.combined(struck, rule={"reject": "mad"}, weights=[1, 1, 1, 1, 1, 1, 50])
    assert result.data == pytest.approx(11)
    assert result.sigma == pytest.approx(np.std([10, 12, 11, 10, 12, 11], ddof=1) / np.sqrt(6))


def check_counts(stack):
    tied = np.array([7, 4, 4, 4], np.float32).reshape(4, 1, 1)
    result = stack.combined(tied, rule={"reject": "minmax", "nlow": 2, "nhigh": 1})
    assert result.rejected_low.tolist() == [0, 1, 1, 0]
    assert result.rejected_high.tolist() == [1, 0, 0, 0]
    result = stack.combined(tied[1:], rule={"reject": "minmax"})
    assert result.rejected_low.tolist() == [1, 0, 0]
    assert result.rejected_high.tolist() == [0, 0, 1]


def check_medians_uncertainty(stack):
    """Exact for three, five and ten samples (order statistics of the normal distribution)."""
    for n, excess in ((3, 1.3460), (5, 1.4341), (10, 1.3833)):
        assert stack.average.median_excess(n) == pytest.approx(excess, rel=2e-3)
        cube = scene(n, 10, 0)
        result = stack.combined(cube, combine="median", rule={"noise": stack.rule.NoiseModel(8, 1, 1e9)})
        assert result.sigma == pytest.approx(8 * np.sqrt(excess / n), rel=2e-3)
        scatter = np.std(cube.astype(float), axis=0, ddof=1) * np.sqrt(excess / n)
        np.testing.assert_allclose(stack.combined(cube, combine="median").sigma, scatter, rtol=2e-3)


def check_lines_and_replacing(stack):
    cube = scene(12, 11, 0)
    gains = [ours.line_gain([cube[:, y, x] for x in range(SHAPE[1])]) for y in range(SHAPE[0])]
    clipped = stack.combined(cube, rule={"reject": "avsigclip", "low": 1.8, "high": 1.8})
    replaced = stack.combined(cube, rule={"reject": "kappa_median", "low": 2, "high": 2})
    for y, x in np.ndindex(SHAPE):
        samples = cube[:, y, x].astype(float)
        keep = ours.kept(samples, "avsigclip", 1.8, 1.8, line_gain=gains[y])
        assert clipped.n_used[y, x] == len(keep)
        assert replaced.data[y, x] == pytest.approx(ours.kappa_median(samples, 2), rel=1e-6)


def check_entropy(stack):
    """Sixteen equal numbers of pixels are four bits, whatever tile they lie in."""
    image = (np.arange(21 * 32) % 16).reshape(21, 32).astype(float)[:, :21]
    n = np.bincount(image.astype(int).ravel()) / image.size
    assert stack.entropy.tile_entropy(image) == pytest.approx(-(n * np.log2(n)).sum())


def check_shrunk(stack):
    """By the definition, with chunks of a row, and the variance of the weighted mean."""
    for n_frames, grow in ((2, 1), (3, 0), (4, 1), (7, 1), (8, 0)):
        cube = test_stack_shrunk.scene(n_frames, seed=n_frames + 20)
        noises, blurs = np.linspace(4, 10, n_frames), np.linspace(0.1, 0.6, n_frames)
        words = {"gradient": 0.5, "psf": 1.0, "grow": grow}
        definition = test_stack_shrunk.Definition(cube, noises, blurs, **words)
        rule = {"reject": "shrunk", **words}
        result = stack.combined(cube, rule=rule, noises=noises, blurs=blurs, weights=1 / noises, memory_mb=1e-6)
        test_stack_shrunk.agrees(result, definition)
        each = np.where(definition.keep, 1 / noises[:, None, None], 0)
        np.testing.assert_allclose(result.weight, each.sum(axis=0), rtol=1e-5)
        some = result.n_used > 0
        sigma = np.sqrt(definition.keep.sum(axis=0))[some] / each.sum(axis=0)[some]
        np.testing.assert_allclose(result.sigma[some], sigma, rtol=1e-5)
        loops = stack.combined(cube, rule=rule, noises=noises, blurs=blurs, weights=1 / noises, backend="numba")
        assert all(a.tobytes() == b.tobytes() for a, b in zip(vars(result).values(), vars(loops).values(), strict=True))


def check_shrunk_corners(stack):
    bare = {"reject": "shrunk", "gradient": 0, "psf": 0}
    cube = np.full((9, 5, 7), 100, np.float32)
    cube[0] += 20
    assert (stack.combined(cube, rule=bare, noises=np.full(9, 8.0)).n_used == 9).all()
    assert (stack.combined(cube, rule=bare).n_used == 9).all()
    skewed = np.random.default_rng(4).normal(0, 1, (9, 20, 20)).astype(np.float32)
    result = stack.combined(skewed, rule={**bare, "low": 1.5, "high": 9.0}, noises=np.ones(9))
    assert result.n_low.sum() > 10
    assert not result.n_high.any()
    cube[2] = 900
    planes = np.full(cube.shape, 2, np.float32)
    planes[2] = np.nan

    def noise_rows(frame, y0, y1, out):
        out[:] = planes[frame, y0:y1]

    result = stack.combined(cube, noise_rows=noise_rows)
    assert result.n_used.max() == 8
    assert result.weight.max() == 8
    cube = scene(5, 10, 0)
    result = stack.combined(cube, "median", bare, noises=np.full(5, 9.0))
    np.testing.assert_allclose(result.sigma[result.n_used == 5], 9 * np.sqrt(1.4341 / 5), rtol=2e-3)


STACK_CHECKS = (
    check_medians, check_sorting, check_noise, check_counts, check_weights, check_medians_uncertainty, check_keeping,
    check_twin, check_winsorizing, check_lines_and_replacing, check_entropy, check_survivors,
    check_shrunk_corners, check_shrunk,
)  # fmt: skip


def check_light(light):
    raw = test_light.raw_frame()
    raw[0, 0] = 3000
    for changed in ({}, {"bias": None, "dark": None}, {"flat": None}):
        recipe = test_light.full_recipe(unit="electron", **changed)
        value, sigma, bits = test_light.by_loop(raw, recipe)
        made = light.calibrate_light(raw, recipe)
        np.testing.assert_allclose(made.data, value, rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(made.uncert, sigma, rtol=1e-5)
        np.testing.assert_array_equal(made.dq, bits)
    one = np.ones((1, 3), np.float32)
    recipe = test_light.Recipe(
        bias=Planes(10 * one, 3 * one), dark=Planes(20 * one, 4 * one), dark_scale=0.25, same_bias=True,
        egain_e_adu=2, rdnoise_e=4, step_adu=0,
    )  # fmt: skip
    # light - b - k (d - b): of the bias 1 - k is left, and the dark's own variance holds that of the bias already
    variance = 4 + 100 / 2 + 16 / 16 + 9 * (1 - 2 * 0.25)
    np.testing.assert_allclose(light.calibrate_light(110 * one, recipe).uncert, np.sqrt(variance) * one, rtol=1e-6)


def check_light_noise(noise):
    assert noise.Noise.of_camera(2, 6, 1).constant_adu2 == pytest.approx(9 + 1 / 12)
    data = np.random.default_rng(1).normal(500, 12, (200, 300)).astype(np.float32)
    assert noise.background_noise(data, 44, np.nan, 1).constant_adu2 == pytest.approx(100, rel=0.03)


def check_hot(hot):
    rng = np.random.default_rng(1)
    pixels = rng.normal(100, 7, (150, 171)).astype(np.float32)
    pixels[5::20, 5::20] += 80
    pixels[15::20, 15::20] -= 80
    found = hot.map_of_master(pixels, 6, 6, lines=False)
    planted = np.zeros(pixels.shape, np.uint16)
    planted[5::20, 5::20], planted[15::20, 15::20] = dq("HOT"), dq("COLD")
    np.testing.assert_array_equal(found, planted)
    flat = np.ones((20, 20), np.float32)
    flat[10, 10], flat[5, 5] = 0.45, 0.6
    assert np.argwhere(hot.map_of_flat(flat)).tolist() == [[10, 10]]


def check_flat(flat):
    data = np.full((20, 24), 1000, np.float32)
    data[3, 3], data[4, 4], data[5, 5] = 150, 6000, 600
    sigma = np.full(data.shape, 10, np.float32)
    sigma[3, 3], sigma[7, 7] = 1, 60
    made = flat.finish(Planes(data, sigma, np.zeros(data.shape, np.uint16)))
    assert np.argwhere(made.dq & dq("NO_FLAT")).tolist() == [[3, 3], [4, 4], [7, 7]]
    assert made.data[[3, 4, 5, 7], [3, 4, 5, 7]].tolist() == [1, 1, pytest.approx(0.6), 1]


def check_levels(levels):
    data = np.ones((16, 12), np.float32)
    data[4:12, 3:9] = 5
    bad = np.zeros(data.shape, bool)
    for method, expected in (("median", 1), ("median_center", 5), ("mean3s", 5)):
        assert levels.level(data, method, bad) == expected
    data[4:12, 3:8], bad[4:12, 3:8] = 1e5, True
    assert levels.level(data, "median_center", bad) == 5


def check_sections(sections):
    assert sections.parse("[3:10,5:6]", (20, 30)) == (slice(4, 6), slice(2, 10))
    header = sections.Header({"CRPIX1": 100.0, "CRPIX2": 50.0})
    trimmed = sections.shifted(header, 3, 7)
    assert (trimmed["CRPIX1"], trimmed["CRPIX2"]) == (93, 47)


def check_overscan(overscan):
    strip = np.arange(40.0)[:, None] + np.zeros((40, 9)) + 0.25
    correction, _, _ = overscan.level(strip, "poly1")
    np.testing.assert_allclose(correction, strip[:, :1], atol=1e-6)
    correction, _, _ = overscan.level(strip.T, "poly1", above=True)
    np.testing.assert_allclose(correction, strip[:, :1].T, atol=1e-6)
    counts = np.round(np.random.default_rng(2).normal(300.4, 3, (60, 50)))
    assert overscan.level(counts, "median")[1] == pytest.approx(300.4, abs=0.2)


def check_dark_scale(dark_scale):
    rng = np.random.default_rng(3)
    truth, sigma = rng.uniform(25, 60, 40_000), 5.0
    pairs = dark_scale._Pairs(
        1.3 * truth + rng.normal(0, 4, truth.size), truth + rng.normal(0, sigma, truth.size),
        np.full(truth.size, 16.0), np.full(truth.size, sigma**2),
    )  # fmt: skip
    assert dark_scale._regress(pairs, 0.0)[0] == pytest.approx(1.3, rel=5e-3)
    assert dark_scale._judge(1.0, 0.03, 500).ok
    assert not dark_scale._judge(1.0, 0.06, 500).ok
    cold = Frame("d", "d.fits", exptime_s=100, ccd_temp_c=-10)
    warm = Frame("l", "l.fits", exptime_s=50, ccd_temp_c=-4)
    assert dark_scale.prior(warm, cold, 6).k == pytest.approx(1)


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS if mutant.file.startswith("calibrate/")}))
def test_calibration_itself_passes(tmp_path, file):
    globals()[f"check_{Path(file).stem}"](module(tmp_path, file))


@pytest.mark.parametrize("check", STACK_CHECKS, ids=lambda check: check.__name__)
def test_the_kernel_itself_passes(tmp_path, check):
    check(Stack(tmp_path))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{Path(mutant.file).stem}: {mutant.why}")
def test_mutants_are_caught(tmp_path, mutant):
    assert (SCIENCE / mutant.file).read_text().count(mutant.old) >= 1, "the text to mutate is gone: mutate another"
    with pytest.raises(AssertionError):
        if mutant.file.startswith("stack/"):
            stack = Stack(tmp_path, mutant)
            for check in STACK_CHECKS:
                check(stack)
        else:
            globals()[f"check_{Path(mutant.file).stem}"](module(tmp_path, mutant.file, mutant))
