"""CUDA kernels of the combination: one thread is one pixel, and its samples are sorted in registers.

They are made for 8, 16, 32 and 64 samples; of more, `lostlight.science.stack.namespace` combines on the card.
The source is plain C++ but for the index of the thread, so that a compiler of the CPU can check it.
"""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from lostlight.core.errors import ConfigError
from lostlight.science.stack.average import median_excess
from lostlight.science.stack.namespace_shrunk import tolerances
from lostlight.science.stack.network import comparators
from lostlight.science.stack.planes import number_of
from lostlight.science.stack.rule import Counted, Rule
from lostlight.science.stack.shrunk import MEDIAN_VARIANCE, mad_factors, scatter_shares

Array = Any
SIZES = (8, 16, 32, 64)
"""Samples that a kernel can hold."""
THREADS, OPTIONS = 128, ("--fmad=false",)
"""Threads of a block of the card; and its additions stay apart from multiplications, as those of the processor do."""

_FATES = _INVALID, _KEPT, _LOW, _HIGH = range(4)
_SOURCE = r"""
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif

static __device__ inline void sort_@(float* z) {
    float a, b;
#define EXCHANGE(i, j) a = z[i]; b = z[j]; z[i] = a < b ? a : b; z[j] = a < b ? b : a;
    @EXCHANGES@
#undef EXCHANGE
}

static __device__ inline float median_@(const float* z, int n) {
    return n > 0 ? 0.5f * z[(n - 1) / 2] + 0.5f * z[n / 2] : NAN;
}

/* How far the nearest samples reach from the median: the narrowest run of so many. */
static __device__ inline float reach_@(const float* z, int n, int nearest, float centre) {
    float reach = INFINITY;
    for (int k = 0; k + nearest <= n; k++)
        reach = fminf(reach, fmaxf(centre - z[k], z[k + nearest - 1] - centre));
    return reach;
}

static __device__ inline int load_@(
    const float* x, const float* noises, long long noise_step, int n_frames, long long n_pixels, long long p, float* z
) {
    int n = 0;
    #pragma unroll
    for (int i = 0; i < @; i++) {
        z[i] = INFINITY;
        if (i < n_frames) {
            const float value = x[i * n_pixels + p];
            const float noise = noises ? noises[noise_step ? i * n_pixels + p : i] : 1.0f;
            if (fabsf(value) < INFINITY && noise > 0.0f && noise < INFINITY) { z[i] = value; n++; }
        }
    }
    return n;
}

/* Median, what rejection compares with, and the median absolute deviation of each pixel. */
extern "C" __global__ void middle_@(
    const float* x, const float* noises, long long noise_step, int n_frames, long long n_pixels,
    float* centre, float* reference, float* mad
) {
    const long long p = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= n_pixels) return;
    float z[@];
    const int n = load_@(x, noises, noise_step, n_frames, n_pixels, p, z);
    sort_@(z);
    const float middle = median_@(z, n);
    centre[p] = middle;
    reference[p] = n == 2 ? z[0] : middle;
    mad[p] = n > 0 ? 0.5f * reach_@(z, n, (n + 1) / 2, middle) + 0.5f * reach_@(z, n, n / 2 + 1, middle) : INFINITY;
}

/* Rejection where there are thresholds, then the weighted mean or the median. */
extern "C" __global__ void combine_@(
    const float* x, const float* noises, long long noise_step, const float* weights, long long weight_step,
    const float* blurs, int n_frames, long long n_pixels, const float* reference, const float* mad,
    const float* slope, const float* bend, const float* tables, float low, float high, int rejects, int is_median,
    float* data, float* sigma, float* empirical, float* weight, int* n_used, int* n_low, int* n_high,
    unsigned char* fate
) {
    const long long p = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= n_pixels) return;
    float z[@], away[@];
    int n = load_@(x, noises, noise_step, n_frames, n_pixels, p, z), lower = 0, higher = 0;
    const float centre = reference[p], factor = tables[n];
    const float share = mad[p] > 0.0f ? tables[n_frames + 1 + n] : 0.0f;
    const float scatter = share > 0.0f ? tables[2 * (n_frames + 1) + n] * mad[p] : 0.0f;
    float nearest = INFINITY;
    #pragma unroll
    for (int i = 0; i < @; i++) {
        away[i] = 0.0f;
        if (i < n_frames && z[i] < INFINITY && rejects && n > 1) {
            const float noise = noises ? noises[noise_step ? i * n_pixels + p : i] : 0.0f;
            const float known = sqrtf((1.0f - share) * (noise * noise) + share * (scatter * scatter));
            const float width = factor * (noises ? known : share > 0.0f ? scatter : INFINITY);
            const float extra = slope[p] + (blurs ? blurs[i] * bend[p] : 0.0f);
            if (centre - z[i] > low * width + extra) { away[i] = -1.0f; lower++; }
            else if (z[i] - centre > high * width + extra) { away[i] = 1.0f; higher++; }
            nearest = fminf(nearest, fabsf(z[i] - centre));
        }
    }
    const bool none = n > 0 && lower + higher == n;
    double whole = 0, first = 0, squares = 0, variance = 0, second = 0, plain = 0;
    int kept = 0;
    #pragma unroll
    for (int i = 0; i < @; i++) {
        unsigned char became = @INVALID@;
        if (i < n_frames && z[i] < INFINITY) {
            if (none && fabsf(z[i] - centre) <= nearest) {
                if (away[i] < 0.0f) lower--; else higher--;
                away[i] = 0.0f;
            }
            if (away[i] == 0.0f) {
                const double w = weights ? weights[weight_step ? i * n_pixels + p : i] : 1.0;
                const double s = noises ? noises[noise_step ? i * n_pixels + p : i] : 0.0;
                const double d = (double)z[i] - (double)centre;
                whole += w; first += w * d; squares += w * w; variance += w * w * s * s;
                plain += d; second += d * d; kept++;
            } else z[i] = INFINITY;
            became = away[i] < 0.0f ? @LOW@ : away[i] > 0.0f ? @HIGH@ : @KEPT@;
        }
        if (i < n_frames) fate[i * n_pixels + p] = became;
    }
    const double scatter2 = kept > 1 ? fmax((second - plain * plain / kept) / (kept - 1), 0.0) : NAN;
    double excess = 1.0, value = centre + first / whole;
    if (is_median) {
        sort_@(z);
        value = median_@(z, kept);
        excess = tables[3 * (n_frames + 1) + kept];
    }
    data[p] = (float)value;
    empirical[p] = (float)(sqrt(scatter2 * squares * excess) / whole);
    sigma[p] = noises ? (float)(sqrt(variance * excess) / whole) : empirical[p];
    weight[p] = (float)whole;
    n_used[p] = kept; n_low[p] = lower; n_high[p] = higher;
}
"""


@cache
def source(size: int) -> str:
    """Give the CUDA source of the kernels for up to `size` samples."""
    exchanges = " ".join(f"EXCHANGE({i}, {j})" for i, j in comparators(size).tolist())
    text = _SOURCE.replace("@EXCHANGES@", exchanges)
    for name, fate in zip(("INVALID", "KEPT", "LOW", "HIGH"), _FATES, strict=True):
        text = text.replace(f"@{name}@", str(fate))
    return text.replace("@", str(size))


def size_of(n_frames: int) -> int | None:
    """Give the smallest kernel that holds so many samples; None where none does."""
    return next((size for size in SIZES if n_frames <= size), None)


def tables(n_frames: int, prior: float) -> np.ndarray:
    """Give what depends on the number of samples alone; shape (4, n_frames + 1), float32.

    Rows are the noise of the median, the share of the scatter, the factor of the MAD, the variance of the median.
    """
    n = np.arange(n_frames + 1)
    rows = (
        np.sqrt(1 + MEDIAN_VARIANCE / np.maximum(n, 1)), scatter_shares(n_frames, prior), mad_factors(n_frames),
        median_excess(n),
    )  # fmt: skip
    return np.array(rows, np.float32)


def combine_on_card(
    x: Array, noises: Array | None, weights: Array | None, rule: Rule, cupy: ModuleType, *, blurs: Array | None = None,
    counted: Counted = None,
) -> dict[str, Array]:  # fmt: skip
    """Combine one block by these kernels, as `lostlight.science.stack.namespace.combine_block` does.

    Parameters
    ----------
    x : cupy array, shape (N, ny, nx), float32
        Samples; NaN where invalid; N up to 64.
    noises, weights : cupy array, shape (N,) or (N, ny, nx), float32, or None
    rule : Rule
        Mean or median, without rejection or shrunk, and without growing.
    cupy : module
    blurs : cupy array, shape (N,), float32, or None
    counted : (slice, slice) or None

    Returns
    -------
    dict of str to cupy array
        The same.

    Raises
    ------
    ConfigError
        Too many frames, or another method.
    """
    size = size_of(len(x))
    if size is None or not supports(rule):
        raise ConfigError(
            f"no kernel for {len(x)} frames, {rule.combine} and {rule.reject}", "combine by combine_block"
        )
    launch = _Launch(x, size, cupy)
    x, noises, weights, blurs = launch.inputs(x, noises, weights, blurs)
    centre, reference, mad = (cupy.empty(launch.shape, np.float32) for _ in range(3))
    launch("middle", x, *noises, *launch.numbers, centre, reference, mad)
    slope, bend = tolerances(centre, rule.gradient, rule.psf, cupy)
    planes = {name: cupy.empty(launch.shape, np.float32) for name in ("data", "sigma", "sigma_empirical", "weight")}
    planes |= {name: cupy.empty(launch.shape, np.int32) for name in ("n_used", "n_low", "n_high")}
    limits = (np.float32(rule.low), np.float32(rule.high))
    flags = (np.int32(rule.reject == "shrunk"), np.int32(rule.combine == "median"))
    look_up = cupy.asarray(tables(len(x), rule.prior))
    surroundings = (reference, mad, cupy.ascontiguousarray(slope), cupy.ascontiguousarray(bend), look_up)
    options = (*launch.numbers, *surroundings, *limits, *flags)
    fate = cupy.empty(x.shape, np.uint8)
    launch("combine", x, *noises, *weights, blurs[0], *options, *planes.values(), fate)
    fates = {"rejected_low": fate == _LOW, "rejected_high": fate == _HIGH, "n_valid": fate != _INVALID}
    return planes | {name: number_of(mask, counted, cupy) for name, mask in fates.items()}


def supports(rule: Rule) -> bool:
    """Tell whether the kernels know this rule."""
    return rule.combine in ("mean", "median") and rule.reject in ("none", "shrunk") and not rule.grow


class _Launch:
    """Kernels of one size, for blocks of one shape."""

    def __init__(self, x: Array, size: int, cupy: ModuleType) -> None:
        self.shape, self.size, self.cupy = x.shape[1:], size, cupy
        self.n_pixels = int(np.prod(self.shape))
        self.numbers = (np.int32(len(x)), np.int64(self.n_pixels))

    def inputs(self, x: Array, *columns: Array | None) -> list[Any]:
        """Give contiguous samples, and for each column its pointer and whether it is one of pixels."""
        null = np.uint64(0)
        pairs = [
            (null, np.int64(0)) if each is None else (self.cupy.ascontiguousarray(each), np.int64(each.ndim > 1))
            for each in columns
        ]
        return [self.cupy.ascontiguousarray(x), *pairs]

    def __call__(self, name: str, *arguments: Any) -> None:
        """Run a kernel over all pixels."""
        kernel = self.cupy.RawKernel(source(self.size), f"{name}_{self.size}", OPTIONS)
        kernel((-(-self.n_pixels // THREADS),), (THREADS,), arguments)
