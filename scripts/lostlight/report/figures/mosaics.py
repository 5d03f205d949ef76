"""Charts of a mosaic: gains on the canvas, how well overlaps agree, and how the frames compare."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lostlight.report import style

MAX_LABELS = 30
"""More footprints than this carry no names."""
_NAME = 12
"""Letters of a name that are written, its last ones."""
_LETTER, _LINE = 0.024, 0.06
"""Width and height of a letter, as parts of the map."""
_MANY = 40


def gains(metrics: Mapping[str, Any]) -> str:
    """Draw the footprints of tiles or lots, or else of the frames, coloured by gain on the canvas.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.
    """
    names, outlines, values = _footprints(metrics)
    (x0, y0), (x1, y1) = _seen(metrics, outlines)
    width, height = x1 - x0, y1 - y0
    figure, axes = style.canvas(min(max(3.6 * height / max(width, 1), 2.2), 4.6))
    axes.set(xlim=(x0, x1), ylim=(y0, y1), aspect="equal")
    axes.locator_params(nbins=5)
    style.thousands(axes, "x")
    style.thousands(axes)
    style.labels(axes, {"x": "x, px of the canvas", "y": "y"})
    if len(outlines):
        _coloured(figure, axes, outlines, values)
        _name(axes, names, outlines, (height, width))
    if crop := metrics["canvas"]["crop"]:
        rim = _box(crop)[[0, 1, 2, 3, 0]]
        axes.plot(*rim.T, color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)), label="mosaic as cropped")
        style.legend(axes, 1)
    between = f", gains from {values.min():.3f} to {values.max():.3f}" if len(outlines) else ""
    return style.svg(figure, "gains", f"{len(outlines)} footprints on the canvas{between}")


def overlaps(metrics: Mapping[str, Any]) -> str:
    """Draw the median difference of every pair that overlaps, before and after levelling, against shared pixels.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.
    """
    pairs = metrics["photometry"]["pairs"]
    figure, axes = style.canvas(2.9)
    pixels = np.array([pair["pixels"] for pair in pairs], float)
    worst = {}
    for key, colour, marker in (("before", style.GREY, "o"), ("after", style.BLUE, "D")):
        values = np.abs(np.array([np.nan if pair[key] is None else pair[key] for pair in pairs], float))
        shown = np.isfinite(values) & (pixels > 0)
        if shown.any():
            worst[key] = float(values[shown].max())
            axes.scatter(
                pixels[shown], np.maximum(values[shown], _floor(values[shown])), s=14, color=colour, marker=marker,
                linewidths=0, label=f"{key} levelling", alpha=0.85,
            )  # fmt: skip
    axes.set(xscale="log", yscale="log")
    if (pixels > 0).any():
        axes.set_xticks(_round_values(pixels[pixels > 0]))
    style.thousands(axes, "x")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    style.labels(axes, {"x": "pixels in common", "y": f"|median difference|{_in(metrics)}"})
    style.legend(axes)
    told = ", ".join(f"{key} levelling at most {value:.3g}" for key, value in worst.items())
    return style.svg(figure, "overlaps", f"Median differences of {len(pairs)} overlaps: {told}")


def by_frame(metrics: Mapping[str, Any], key: str, text: str) -> str:
    """Draw one measure of every frame, in order of their ids; those left out are marked.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.
    key : str
        Field of a frame; of several channels the mean is shown.
    text : str
        What it is, with its unit: the label of the axis.
    """
    frames = metrics["frames"]
    values = np.array([mean(frame[key]) for frame in frames])
    used = np.array([frame["status"] == "used" for frame in frames], bool)
    number = np.arange(len(frames))
    figure, axes = style.canvas(1.9)
    size = 16 if len(frames) <= _MANY else 7
    axes.scatter(number[used], values[used], s=size, color=style.BLUE, linewidths=0, label="used")
    if (~used & np.isfinite(values)).any():
        axes.scatter(
            number[~used], values[~used], s=size + 8, color=style.ORANGE, marker="X", linewidths=0, label="left out"
        )
        style.legend(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.locator_params(axis="y", nbins=4)
    axes.set_xlim(-0.5, max(len(frames), 1) - 0.5)
    style.labels(axes, {"x": "frame, counted from 0", "y": text})
    known = values[np.isfinite(values)]
    between = f" from {known.min():.4g} to {known.max():.4g}" if known.size else " is not known"
    return style.svg(figure, f"by-{key.replace('_', '-')}", f"{text} of {len(frames)} frames{between}")


def mean(value: float | Sequence[float | None] | None) -> float:
    """Average the channels; NaN where nothing is known."""
    values = [each for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
    return float(np.mean(values)) if values else float("nan")


def is_known(value: float | Sequence[float | None] | None) -> bool:
    """Tell whether any channel has a value."""
    return bool(np.isfinite(mean(value)))


def are_tiles(metrics: Mapping[str, Any]) -> bool:
    """Tell whether the tiles of a grid were levelled themselves; lots lie over each other, and are no map."""
    gains_of_tiles = [mean(lot["gain"]) for lot in metrics["lots"]]
    return metrics["mode"] == "grid" and any(np.isfinite(gain) and gain != 1 for gain in gains_of_tiles)


def _footprints(metrics: Mapping[str, Any]) -> tuple[list[str], list[NDArray[np.float64]], NDArray[np.float64]]:
    """Give names, outlines and gains: of tiles that were levelled, else of the frames used."""
    found = [
        (lot["id"], _box(lot["window"]), mean(lot["gain"])) for lot in metrics["lots"] if lot["window"]
    ] if are_tiles(metrics) else [
        (frame["id"], np.array(frame["outline"], float), mean(frame["gain"]))
        for frame in metrics["frames"]
        if frame["outline"] and frame["status"] == "used"
    ]  # fmt: skip
    known = [each for each in found if np.isfinite(each[2]) and np.isfinite(each[1]).all()]
    return [each[0] for each in known], [each[1] for each in known], np.array([each[2] for each in known])


def _seen(metrics: Mapping[str, Any], outlines: Sequence[NDArray]) -> NDArray[np.float64]:
    """Give the corners of what is to be seen: frames of other filters may have made the canvas much larger."""
    crop = metrics["canvas"]["crop"]
    shown = [*outlines, *([_box(crop)] if crop else [])] or [_box((0, 0, *metrics["canvas"]["shape"]))]
    corners = np.concatenate(shown)
    margin = 0.02 * np.ptp(corners, axis=0).max()
    return np.array([corners.min(axis=0) - margin, corners.max(axis=0) + margin])


def _box(window: Sequence[int]) -> NDArray[np.float64]:
    y0, x0, height, width = window
    return np.array([(x0, y0), (x0 + width, y0), (x0 + width, y0 + height), (x0, y0 + height)], float)


def _coloured(figure: Any, axes: Axes, outlines: Sequence[NDArray], values: NDArray) -> None:
    low, high = float(values.min()), float(values.max())
    shades = Normalize(low, high if high > low else low + 1e-3)
    colours = style.PALETTE(shades(values))
    faces = colours.copy()
    # Many frames on one field would hide each other.
    faces[:, 3] = min(0.85, max(0.06, 6 / len(outlines)))
    drawn = PolyCollection(outlines, facecolors=faces, edgecolors=colours, linewidths=0.9)
    axes.add_collection(drawn)
    drawn.set(cmap=style.PALETTE, norm=shades)
    bar = figure.colorbar(drawn, ax=axes, label="gain", shrink=0.9)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)


def _name(axes: Axes, names: Sequence[str], outlines: Sequence[NDArray], shape: tuple[int, int]) -> None:
    """Write names into the footprints where they have room and do not lie over each other."""
    if len(names) > MAX_LABELS:
        return
    middles = np.array([outline.mean(axis=0) for outline in outlines])
    words = [name[-_NAME:] for name in names]
    room = np.array([_LETTER * max(map(len, words)) * shape[1], _LINE * shape[0]])
    away = (np.abs(middles[:, None] - middles[None]) / room).max(axis=-1)
    np.fill_diagonal(away, np.inf)
    if min(np.ptp(outline, axis=0).min() for outline in outlines) < room[1] or away.min(initial=np.inf) < 1:
        return
    for word, middle in zip(words, middles, strict=True):
        axes.annotate(word, middle, ha="center", va="center", fontsize=7, color=style.INK)


def _round_values(values: NDArray[np.float64]) -> list[float]:
    """Give a few round numbers between the smallest and the largest, or else these two."""
    low, high = float(values.min()), float(values.max())
    steps = [m * 10.0**power for power in range(int(np.log10(low)), int(np.log10(high)) + 1) for m in (1, 2, 5)]
    inside = [step for step in steps if low <= step <= high]
    most = 4
    chosen = inside[:: -(-len(inside) // most)] if inside else []
    return chosen if len(chosen) > 1 else [float(f"{low:.2g}"), float(f"{high:.2g}")]


def _floor(values: NDArray[np.float64]) -> float:
    """Differences of exactly zero are drawn a little below the smallest other."""
    positive = values[values > 0]
    return float(positive.min()) / 2 if positive.size else 1e-6


def _in(metrics: Mapping[str, Any]) -> str:
    return f", {metrics['unit']}" if metrics["unit"] else ""
