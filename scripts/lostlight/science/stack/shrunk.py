"""Rejection by a scale between the known noise of a frame and the scatter of a pixel: it works from two samples on.

The scatter of few samples says little, so it is shrunk towards the noise. Stars stay whole where frames differ in
sharpness or place, as what lies on steep or curved parts of the image is allowed to differ more.
Factors of the median absolute deviation: Croux & Rousseeuw 1992.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.columns import F, Floats, Ints, pick
from lostlight.science.stack.look import Look

if TYPE_CHECKING:
    from lostlight.science.stack.reject import Stack

MAD_SIGMA = 1.4826
SMALL = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""Factors that make the MAD of so many samples right on average."""
FREEDOM = 0.37
"""Degrees of freedom of the MAD, over those of the standard deviation: its efficiency."""
MEDIAN_VARIANCE = 1.57
"""Variance of the median of n samples, times n."""
Masks = tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]


def mad_factors(n_frames: int) -> NDArray[np.float64]:
    """Give what to multiply the MAD of 0 to `n_frames` samples by to get a standard deviation."""
    n = np.arange(n_frames + 1)
    return MAD_SIGMA * np.where(n < len(SMALL), np.resize(SMALL, n.size), n / np.maximum(n - 0.8, 0.1))


def scatter_shares(n_frames: int, prior: float) -> NDArray[np.float64]:
    """Give the share that the scatter of 0 to `n_frames` samples has in the variance; none below three."""
    freedom = FREEDOM * (np.arange(n_frames + 1) - 1.0)
    freedom[:3] = 0
    return freedom / np.maximum(prior + freedom, np.finfo(float).tiny)


def reject_shrunk(x: Floats, n: Ints, seen: Look, stack: "Stack", noises: Floats | None) -> Masks:
    """Find the pixels that lose samples, and which frames those are of.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid; whole rows.
    n : ndarray, shape (npix,), int32
        Valid samples.
    seen : Look
        With `mad`.
    stack : Stack
    noises : ndarray, shape (N, 1) or (N, npix), float32, or None
        One standard deviation of the samples of a frame.

    Returns
    -------
    touched : ndarray, shape (n_touched,), int
    low, high : ndarray, shape (N, n_touched), bool
    """
    limits = _Limits(n, seen, stack)
    # Of two samples the fainter is taken for right: light is added more often than it is lost.
    centre = np.where(n == 2, seen.smallest, seen.centre)
    least = None if noises is None else noises.min(axis=0)
    reach = limits.of(least, _least(stack.blurs))
    far = (centre - seen.smallest > reach[0]) | (seen.largest - centre > reach[1])
    at = np.flatnonzero(far & (n > 1))
    samples, middle = pick(x, at), centre[at]
    some = noises if noises is None or noises.shape[1] == 1 else pick(noises, at)
    below, above = limits.at(at).of(some, stack.blurs)
    low, high = middle - samples > below, (samples - middle > above) & (samples < F(np.inf))
    _leave_one(samples, middle, n[at], low, high)
    hit = np.flatnonzero((low | high).any(axis=0))
    return at[hit], pick(low, hit), pick(high, hit)


def _least(blurs: Floats | None) -> Floats | None:
    return None if blurs is None else blurs.min(axis=0)


def _leave_one(samples: Floats, middle: Floats, n: Ints, low: NDArray[np.bool_], high: NDArray[np.bool_]) -> None:
    """Put the nearest sample back where thresholds are so low that none is left."""
    none = np.flatnonzero((low | high).sum(axis=0) == n)
    distance = abs(pick(samples, none) - middle[none])
    nearest = distance == distance.min(axis=0, initial=np.inf)
    low[:, none] &= ~nearest
    high[:, none] &= ~nearest


class _Limits:
    """How far samples may lie below and above the centre of their pixels."""

    def __init__(self, n: Ints, seen: Look, stack: "Stack") -> None:
        rule = stack.rule
        n_frames = int(n.max(initial=0))
        many = np.maximum(np.arange(n_frames + 1), 1)
        self.thresholds = rule.thresholds
        self.factor = _of(np.sqrt(1 + MEDIAN_VARIANCE / many), n)
        self.share = np.where(seen.mad > 0, _of(scatter_shares(n_frames, rule.prior), n), F(0))
        self.scatter2 = np.square(_of(mad_factors(n_frames), n) * seen.mad)
        self.slope, self.bend = tolerances(seen.centre.reshape(-1, stack.nx), rule.gradient, rule.psf)

    def at(self, columns: NDArray[np.intp]) -> "_Limits":
        """Give the limits of some pixels."""
        some = object.__new__(_Limits)
        some.thresholds = self.thresholds
        for name in ("factor", "share", "scatter2", "slope", "bend"):
            setattr(some, name, getattr(self, name)[columns])
        return some

    def of(self, noises: Floats | None, blurs: Floats | None) -> tuple[Floats, Floats]:
        """Give the limits of samples of these noises and blurs; they never fall where one of those grows."""
        if noises is None:
            width = np.where(self.share > 0, np.sqrt(self.scatter2), F(np.inf))
        else:
            known = (F(1) - self.share) * np.square(noises)
            width = np.sqrt(known + np.where(self.share > 0, self.share * self.scatter2, F(0)))
        width = width * self.factor
        extra = self.slope if blurs is None else self.slope + blurs * self.bend
        return F(self.thresholds[0]) * width + extra, F(self.thresholds[1]) * width + extra


def _of(values: NDArray[np.float64], n: Ints) -> Floats:
    """Look up the value for each number of samples; most often all are one."""
    values = values.astype(F)
    return np.broadcast_to(values[n[0]], n.shape) if n.size and (n == n[0]).all() else values[n]


def tolerances(image: Floats, gradient: float, psf: float) -> tuple[Floats, Floats]:
    """Give how much samples may differ for the steepness of an image, and for its curvature per unit of blur.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32
        Median of the frames; NaN where there is none.
    gradient, psf : float

    Returns
    -------
    slope, bend : ndarray, shape (ny * nx,), float32
        Largest gradient, and largest absolute Laplacian, of 3 x 3 pixels, times the factors.
    """
    flat = np.zeros(image.size, F)
    if not (gradient > 0 or psf > 0):
        return flat, flat
    (across, bent_across), (along, bent_along) = _slope(image, 1), _slope(image, 0)
    slope, bend = flat, flat
    if gradient > 0:
        slope = F(gradient) * _largest_around(np.sqrt(across * across + along * along)).ravel()
    if psf > 0:
        bend = F(psf) * _largest_around(abs(bent_across + bent_along)).ravel()
    return slope, bend


def _slope(image: Floats, axis: int) -> tuple[Floats, Floats]:
    """Give first and second derivative along an axis: of the steps that there are, and of both or nothing."""
    step = np.diff(image, axis=axis)
    known = np.isfinite(step)
    step = np.where(known, step, F(0))
    inner, outer = [slice(None)] * 2, [slice(None)] * 2
    inner[axis], outer[axis] = slice(1, None), slice(None, -1)
    before, after, number = (np.zeros_like(image) for _ in range(3))
    before[*inner], after[*outer] = step, step
    number[*inner] += known
    number[*outer] += known
    return (before + after) / np.maximum(number, F(1)), np.where(number == 2, after - before, F(0))


def _largest_around(values: Floats) -> Floats:
    """Give the largest of each pixel and its neighbours."""
    rows = values.copy()
    np.maximum(rows[1:], values[:-1], out=rows[1:])
    np.maximum(rows[:-1], values[1:], out=rows[:-1])
    both = rows.copy()
    np.maximum(both[:, 1:], rows[:, :-1], out=both[:, 1:])
    np.maximum(both[:, :-1], rows[:, 1:], out=both[:, :-1])
    return both
