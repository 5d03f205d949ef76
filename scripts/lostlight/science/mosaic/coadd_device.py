"""Frames to one block of the canvas on a graphics card: what goes there is raw pixels, what comes back is the block."""

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.coadd import Coadded, Placed, levelled, put_together
from lostlight.science.mosaic.warp import gather, spline, warp_raw
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.nodes import areas, expand
from lostlight.science.mosaic.warp.patch import Patch
from lostlight.science.mosaic.warp.taps import KERNELS
from lostlight.science.mosaic.warp.warp import Engine, WarpRules, resampled
from lostlight.science.mosaic.window import Window
from lostlight.science.stack import namespace, raw_kernel
from lostlight.science.stack.rule import Combined, Rule

Array = Any
KINDS = {"n_used": np.uint16, "n_low": np.uint8, "n_high": np.uint8}
"""Types of the numbers of samples of a pixel, which hold no more than their largest value."""


def coadd_on(
    xp: ModuleType,
    frames: Sequence[Placed],
    window: Window,
    canvas_shape: tuple[int, int],
    warp_rules: WarpRules,
    rule: Rule,
    *,
    threads: int = 1,
) -> Coadded:
    """Combine the frames on a window of the canvas, as `lostlight.science.mosaic.coadd.coadd` does.

    Each frame's part is read and filled on the host, sent once as float32 (CuPy sends through pinned memory), and
    filtered, resampled, levelled and combined where it then is.

    Parameters
    ----------
    xp : module
        Array namespace: cupy, whose kernels are used where they know the rule, or any other of the standard.
    frames, window, canvas_shape, warp_rules, rule
        As there.
    threads : int
        For what is done on the host.

    Returns
    -------
    Coadded
        Equal to that of the processor but for the rounding of float32.

    Raises
    ------
    ConfigError
        For what `uncovered` names.
    MemoryError
        Where the window is too large for the memory of the card.
    """
    if what := uncovered(warp_rules, rule):
        raise ConfigError(f"{what} is not made for graphics cards", "set run.device to cpu, or choose another")
    engine = _engine(xp)

    def on_card(frame: Placed, part: Window) -> tuple[Array, Array] | None:
        return resampled(frame.rows, frame.shape, frame.route, part, warp_rules, engine)

    def work(met: Sequence[Placed], wide: Window) -> Iterator[Combined]:
        stack, feather = levelled(met, wide, on_card, threads, xp)
        combine = _combination(len(met), rule, xp)
        known = {"blurs": _column([frame.blur for frame in met], xp), "counted": window.within(wide)}
        for c in range(stack.shape[0]):
            noises = _column([frame.sigma[c] for frame in met], xp)
            weights = None
            if rule.combine == "mean":
                weights = feather * xp.reshape(_column([frame.weight[c] for frame in met], xp), (-1, 1, 1))
            yield _brought_back(combine(stack[c, ...], noises, weights, rule, xp, **known), xp)

    return put_together(frames, window, canvas_shape, work)


def uncovered(warp_rules: WarpRules, rule: Rule) -> str:
    """Name what cannot be done on a card; empty where all can."""
    if warp_rules.kernel not in KERNELS:
        return f"kernel {warp_rules.kernel}"
    if rule.combine not in ("mean", "median"):
        return f"combination {rule.combine}"
    return "" if rule.reject in namespace.REJECTS else f"rejection {rule.reject}"


def _column(values: Sequence[float], xp: ModuleType) -> Array:
    return xp.asarray(np.array(values, np.float32))


def _combination(n_frames: int, rule: Rule, xp: ModuleType) -> Any:
    if hasattr(xp, "RawKernel") and raw_kernel.size_of(n_frames) and raw_kernel.supports(rule):
        return raw_kernel.combine_on_card
    return namespace.combine_block


def _engine(xp: ModuleType) -> Engine:
    by = warp_raw.gather if hasattr(xp, "RawKernel") else _gather
    return Engine(lambda image: spline.coefficients(xp.asarray(image), xp), lambda *given: by(*given, xp))


def _gather(
    patch: Patch, x: NDArray, y: NDArray, window: Window, step: int, spec: Spec, xp: ModuleType
) -> tuple[Array, Array]:
    """Resample a piece of a frame in a namespace that has no kernels of its own."""
    at = (xp.asarray(expand(nodes, window, step)) for nodes in (x, y))
    area = xp.asarray(areas(x, y, window, step)) if spec.by_area else None
    bad = None if patch.bad is None else xp.asarray(patch.bad)
    with np.errstate(invalid="ignore", divide="ignore"):
        return gather.gather_at(patch._replace(data=xp.asarray(patch.data), bad=bad), *at, area, spec, xp)


def _brought_back(planes: dict[str, Array], xp: ModuleType) -> Combined:
    to_host = getattr(xp, "asnumpy", np.asarray)
    found = {name: to_host(plane) for name, plane in planes.items()}
    for name, kind in KINDS.items():
        found[name] = np.minimum(found[name], np.iinfo(kind).max).astype(kind)
    return Combined(**found)
