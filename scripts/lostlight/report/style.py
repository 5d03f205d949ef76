"""How every chart looks: one canvas, colours that follow the page into dark mode, and the same bytes every time."""

import io
import re
from collections.abc import Mapping
from html import escape

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Colours drawn here stand for variables of the page, which knows whether it is light or dark. The hues are those of
# Okabe and Ito (2008), which the colour-blind can tell apart.
INK, MUTED, GRID = "#010101", "#020202", "#030303"
BLUE, ORANGE, GREEN, GREY = "#040404", "#050505", "#060606", "#070707"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    BLUE: "--ok",
    ORANGE: "--failed",
    GREEN: "--accent",
    GREY: "--skipped",
}
PALETTE = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.2, 0.92, 64)))
"""From low to high, without the ends that a light or a dark page would swallow."""

WIDTH_INCHES = 4.1
"""Width of every chart, the width of a phone: text keeps its size there and on a desk."""

_SETTINGS = {
    "svg.hashsalt": "lostlight",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.constrained_layout.use": True,
}
# Nothing else in this package draws, and a context would miss what a chart adds later: legends, colour bars, notes.
# A user's own settings must not change the bytes of a report.
matplotlib.rcdefaults()
matplotlib.rcParams.update(_SETTINGS)


def canvas(height_inches: float = 2.9, projection: str | None = None) -> tuple[Figure, Axes]:
    """Give an empty chart in the style of the page."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches))
    return figure, figure.add_subplot(projection=projection)


def svg(figure: Figure, name: str, text: str) -> str:
    """Give a chart as an SVG element for a page: `name` keeps its ids apart, `text` says what is to be seen."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :].strip()
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", drawing)
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', drawing)
    words = escape(text, quote=True)
    opening = (
        f'<svg {box.group()} class="chart" role="img" aria-label="{words}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opening + drawing[drawing.index(">") + 1 :]


def thousands(axes: Axes, which: str = "y") -> None:
    """Write the numbers of an axis as people do: 1,200 and not 1.2e3."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))


def legend(axes: Axes, n_columns: int = 2) -> None:
    """Put the legend above the axes, where it covers nothing; none where nothing was drawn."""
    if not axes.get_legend_handles_labels()[0]:
        return
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=n_columns, frameon=False, fontsize=8.5,
        handlelength=1.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def labels(axes: Axes, texts: Mapping[str, str]) -> None:
    """Set the labels of the axes: ``{"x": ..., "y": ...}``."""
    axes.set_xlabel(texts["x"])
    axes.set_ylabel(texts["y"])
