"""Light of moving points drawn on graphics cards, one thread for each pixel; the operations of the compiled loops.

Each pixel adds up what the nodes and Gaussians of its source give it, in their order, so that nothing is added by two
threads and images are those of `lostlight.science.inject.render` bit for bit.
"""

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.inject.compiled import NORMAL, REACH, STEPS
from lostlight.science.inject.mixture import Mixture
from lostlight.science.inject.psf import Psf
from lostlight.science.inject.render import same_shape

Floats = NDArray[np.float64]
NAME, THREADS, OPTIONS = "draw", 256, ("--fmad=false",)
"""Name of the kernel; threads of a block; additions stay apart from multiplications, as the processor does them."""
SOURCE = r"""
__device__ double below(double z, const double *table) {
    double a = fabs(z) < {last} ? fabs(z) : {last};
    long long i = (long long)a;
    double f = a - i;
    const double *c = table + 4 * i;
    return copysign(((c[3] * f + c[2]) * f + c[1]) * f + c[0], z);
}

__device__ double share(long long pixel, double centre, double scale, const double *table) {
    double given = below((pixel + 1 - 0.5 - centre) * scale, table) - below((pixel - 0.5 - centre) * scale, table);
    return given > 0 ? given : 0;
}

__device__ bool reached(long long pixel, double centre, double reach, long long size) {
    double low = fmin(fmax(centre - reach, -1.0), size + 1.0), high = fmin(fmax(centre + reach, -1.0), size + 1.0);
    return pixel >= floor(low + 0.5) && pixel <= floor(high + 0.5);
}

extern "C" __global__ void draw(
    const double *x, const double *y, const double *flux, const double *weights, const double *widths,
    const double *table, const long long *whole, {real} *images
) {
    const long long n_images = whole[0], height = whole[1], width = whole[2], n_nodes = whole[3], n_parts = whole[4];
    long long p = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (p >= whole[5]) return;
    const long long image = p / (height * width), i = p / width % height, j = p % width, t = image % n_images;
    double light = 0;
    for (long long k = image * n_nodes; k < (image + 1) * n_nodes; k++) {
        if (!(fabs(x[k]) < {huge} && fabs(y[k]) < {huge})) continue;
        for (long long m = t * n_parts; m < (t + 1) * n_parts; m++) {
            const double reach = {reach} * widths[m], scale = {steps} / widths[m];
            if (weights[m] > 0 && reached(i, y[k], reach, height) && reached(j, x[k], reach, width)) {
                const double row = flux[k] * weights[m] * share(i, y[k], scale, table);
                light += row * share(j, x[k], scale, table);
            }
        }
    }
    images[p] = ({real})light;
}
"""


@cache
def source(dtype: DTypeLike) -> str:
    """Give the CUDA C++ of the kernel for images of float32 or float64."""
    words = {
        "{real}": {"float32": "float", "float64": "double"}[np.dtype(dtype).name], "{last}": f"{len(NORMAL) - 1}.0",
        "{reach}": repr(REACH), "{steps}": f"{STEPS}.0", "{huge}": "1e300",
    }  # fmt: skip
    text = SOURCE
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def render_cases(
    psfs: Sequence[Psf],
    shape: tuple[int, int],
    x: Floats,
    y: Floats,
    flux: Floats,
    dtype: DTypeLike = np.float32,
    *,
    cupy: ModuleType,
) -> Any:
    """Render many stacks of images with one source each on a card; see `lostlight.science.inject.render`.

    Parameters
    ----------
    psfs : sequence of Psf, length T
        Gaussian or Moffat profiles.
    shape : (int, int)
    x, y, flux : (n, T, K) float64
        Arrays of the host or of the card.
    dtype : float32 or float64
    cupy : module

    Returns
    -------
    cupy array, (n, T, H, W) `dtype`

    Raises
    ------
    ConfigError
        Another profile, or arrays that do not fit.
    """
    if not all(supports(psf) for psf in psfs):
        raise ConfigError("a card draws round Gaussian and Moffat profiles alone", "draw others on the processor")
    n_sources, n_images, n_nodes = same_shape(len(psfs), x, y, flux)
    weights, widths = _parts(psfs)
    images = cupy.empty((n_sources, n_images, *shape), np.dtype(dtype))
    whole = np.array([n_images, *shape, n_nodes, weights.shape[1], images.size], np.int64)
    given = (x, y, flux, weights, widths, NORMAL, whole)
    kernel = cupy.RawKernel(source(np.dtype(dtype)), NAME, OPTIONS)
    arguments = [cupy.ascontiguousarray(cupy.asarray(each)) for each in given]
    if images.size:
        kernel((-(-images.size // THREADS),), (THREADS,), (*arguments, images))
    return images


def supports(psf: Psf) -> bool:
    """Tell whether a card can draw this profile."""
    return isinstance(psf, Mixture) and psf.axis_ratio == 1


def _parts(psfs: Sequence[Any]) -> tuple[Floats, Floats]:
    """Give weights and widths of the Gaussians of each image, (T, M); what is left over weighs nothing."""
    shape = len(psfs), max(len(psf.weights) for psf in psfs)
    weights, widths = np.zeros(shape), np.ones(shape)
    for t, psf in enumerate(psfs):
        weights[t, : len(psf.weights)], widths[t, : len(psf.widths)] = psf.weights, psf.widths
    return weights, widths
