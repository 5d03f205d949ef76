"""Banding that changes from frame to frame: principal components of rows or columns, with amplitudes of each frame.

A master bias holds what all frames share. Interference moves rows or columns of each frame by a pattern of the same
shape but another amplitude; the shapes are learnt from the bias frames, the amplitude from the frame itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

Axis = Literal["rows", "cols"]
Vector = NDArray[np.float64]

MAX_COMPONENTS = 3
MIN_DROP = 0.01
"""Relative drop of the leave-one-out variance that a component must bring."""
SKY_DEGREE = 3
CLIP_SIGMA = 4.0
PASSES = 20


@dataclass(frozen=True)
class Components:
    """Shapes of a banding."""

    axis: Axis
    """lines that are moved: rows or cols"""
    shapes: NDArray[np.float64]
    """shape (k, n), orthonormal; k is 0 where there is no banding"""
    drops: tuple[float, ...]
    """relative drop of the leave-one-out variance, one per component"""


@dataclass(frozen=True)
class Banding:
    """Banding of one frame."""

    correction: NDArray[np.float32]
    """to be subtracted, adu; shape (ny, 1) or (1, nx)"""
    amplitudes: Vector
    """one per component, adu"""
    sigmas: Vector
    """their standard deviations, adu"""


def components(
    frames: Iterable[NDArray[np.float32]], master: NDArray[np.float32], axis: Axis, most: int = MAX_COMPONENTS
) -> Components:
    """Find the shapes by which rows or columns move from frame to frame.

    Parameters
    ----------
    frames : iterable of ndarray, each of shape (ny, nx), float32, adu
        Bias frames; read one at a time.
    master : ndarray, shape (ny, nx), float32, adu
        Their master.
    axis : str
        rows or cols.
    most : int
        Most components, 0 to 3.

    Returns
    -------
    Components
        A component is kept if it lowers the variance of frames that it was not learnt from by one percent or more.
    """
    profiles = np.array([_profile(frame - master, axis) for frame in frames])
    profiles = np.nan_to_num(profiles - np.nanmean(profiles, axis=1, keepdims=True))
    drops: list[float] = []
    left = _left_out(profiles, 0)
    for k in range(1, min(most, len(profiles) - 2) + 1):
        now = _left_out(profiles, k)
        if now > (1 - MIN_DROP) * left:
            break
        drops.append(1 - now / left)
        left = now
    return Components(axis, _leading(profiles, len(drops)), tuple(drops))


def fit(image: NDArray[np.float32], found: Components, *, overscan: bool = False) -> Banding:
    """Measure the banding of one frame.

    Parameters
    ----------
    image : ndarray, shape (ny, m) for rows or (m, nx) for columns, float32, adu
        The frame, or its overscan, with the master bias taken off; NaN is no data.
    found : Components
        Shapes of the banding.
    overscan : bool
        There is no sky in the image. Otherwise a polynomial of third degree is fitted along with the amplitudes, and
        lines that stick out are left out: medians of lines and clipping keep sources away.

    Returns
    -------
    Banding
        Its `correction` has no mean: the level of the frame is left to the master bias. It is zero, and its errors
        are NaN, where too few lines have data.
    """
    profile = _profile(image, found.axis)
    degree = 0 if overscan else SKY_DEGREE
    sky = legendre.legvander(np.linspace(-1, 1, profile.size), degree)
    design = np.column_stack([found.shapes.T, sky])
    k = len(found.shapes)
    solved, sigmas = np.zeros(k), np.full(k, np.nan)
    if np.isfinite(profile).sum() > design.shape[1]:
        solved, sigmas = _robust(design, profile)
    correction = (solved[:k] @ found.shapes).astype(np.float32)
    column = correction[:, None] if found.axis == "rows" else correction[None, :]
    return Banding(column, solved[:k], sigmas[:k])


def _profile(image: NDArray[np.float32], axis: Axis) -> Vector:
    along = 1 if axis == "rows" else 0
    known = np.isfinite(image).any(axis=along)
    lines = np.moveaxis(image, along, 1)[known]
    profile = np.full(known.size, np.nan)
    profile[known] = np.nanmedian(lines, axis=1)
    return profile


def _leading(profiles: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    # the deviations are already those from the master: no mean is taken off
    shapes = np.linalg.svd(profiles, full_matrices=False)[2][:k]
    # the sign of a singular vector is arbitrary: the largest element is made positive
    signs: NDArray[np.float64] = np.sign(shapes[np.arange(k), np.abs(shapes).argmax(axis=1)])
    return shapes * signs[:, None]


def _left_out(profiles: NDArray[np.float64], k: int) -> float:
    """Variance that the first k components leave in profiles they were not learnt from."""
    total = 0.0
    for i, profile in enumerate(profiles):
        shapes = _leading(np.delete(profiles, i, axis=0), k)
        rest = profile - (shapes @ profile) @ shapes
        total += float(rest @ rest) / (profile.size - k)
    return total


def _robust(design: NDArray[np.float64], profile: Vector) -> tuple[Vector, Vector]:
    keep = np.isfinite(profile)
    for _ in range(PASSES):
        solved, *_ = np.linalg.lstsq(design[keep], profile[keep])
        residual = profile - design @ solved
        spread = 1.4826 * np.median(np.abs(residual[keep]))
        before, keep = keep, np.isfinite(profile) & (np.abs(residual) <= CLIP_SIGMA * spread)
        if np.array_equal(keep, before):
            break
    free = max(int(before.sum()) - design.shape[1], 1)
    variance = float(np.square(residual[before]).sum()) / free
    return solved.astype(np.float64), np.sqrt(variance * np.diag(np.linalg.pinv(design[before].T @ design[before])))
