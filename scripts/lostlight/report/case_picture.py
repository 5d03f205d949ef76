"""A case for machine learning as a picture: images with the source, the source alone, and their sums along its path."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

SHOWN = 10
"""Images at most; of more, these many evenly chosen, and that with the most light."""
_BELOW, _ABOVE = 2.5, 7.0
"""Black and white, in noise of a pixel from the sky."""
_CELL_INCHES, _DPI = 1.5, 110
_TRACK, _RING = "#E69F00", "#56B4E9"  # of Okabe and Ito (2008)


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn of a case.

    Parameters
    ----------
    x, y : (T, H, W) float
        Images with the source, and the source alone; NaN where nothing is measured.
    path_x, path_y : (T,) float
        Place of the source on each image, in zero-based pixels; may lie outside.
    hours : (T,) float
    still, along : (S, S) float
        Mean of `x` as the images lie, and shifted along the path.
    title : str
    """

    x: NDArray[np.floating]
    y: NDArray[np.floating]
    path_x: NDArray[np.float64]
    path_y: NDArray[np.float64]
    hours: NDArray[np.float64]
    still: NDArray[np.floating]
    along: NDArray[np.floating]
    title: str


def picture(case: Shown) -> bytes:
    """Draw a case: a row of images with the source, a row of the source alone, the two sums. A PNG."""
    evenly = np.linspace(0, len(case.x) - 1, min(len(case.x), SHOWN)).round().astype(int)
    chosen = np.unique([*evenly, np.abs(case.y).sum(axis=(1, 2)).argmax()])
    n = max(len(chosen), 4)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(_CELL_INCHES * n, 4.7 * _CELL_INCHES), layout="constrained")
        figure.suptitle(case.title, fontsize=9)
        places = figure.add_gridspec(3, 2 * n, height_ratios=(1, 1, 2.2))
        for column, t in enumerate(chosen.tolist()):
            place = [figure.add_subplot(places[row, 2 * column : 2 * column + 2]) for row in range(2)]
            _image(place[0], case.x[t], _ends(case.x), f"{case.hours[t]:.2f} h")
            _image(place[1], case.y[t], (min(0.0, float(np.nanmin(case.y))), float(np.nanmax(case.y)) or 1.0))
            for axes in place:
                _mark(axes, case, t)
        _name_rows(figure, ("image with source", "source alone"))
        _sums(figure, places[2, :n], places[2, n:], case)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _sums(figure: Figure, left: object, right: object, case: Shown) -> None:
    still, along = figure.add_subplot(left), figure.add_subplot(right)  # type: ignore[arg-type]
    _image(still, case.still, _ends(case.still), "mean of the images, with the path")
    still.plot(case.path_x, case.path_y, "-", color=_TRACK, linewidth=0.8)
    still.plot(case.path_x, case.path_y, "o", color=_TRACK, markersize=3.5, fillstyle="none")
    _image(along, case.along, _ends(case.along), "mean along the path, source in the middle")
    middle = (case.along.shape[1] - 1) / 2
    along.plot(middle, middle, "o", color=_RING, markersize=22, fillstyle="none")


def _mark(axes: Axes, case: Shown, t: int) -> None:
    """Ring the source, and draw its path; what lies outside of the image is cut off."""
    axes.plot(case.path_x, case.path_y, "-", color=_TRACK, linewidth=0.6, alpha=0.8)
    axes.plot(case.path_x[t], case.path_y[t], "o", color=_RING, markersize=11, fillstyle="none", linewidth=0.8)


def _image(axes: Axes, image: NDArray[np.floating], ends: tuple[float, float], title: str = "") -> None:
    axes.imshow(image, cmap="gray", vmin=ends[0], vmax=ends[1], origin="lower", interpolation="nearest")
    axes.set_facecolor("#402030")
    axes.set_xlim(-0.5, image.shape[1] - 0.5)
    axes.set_ylim(-0.5, image.shape[0] - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=8)


def _name_rows(figure: Figure, names: Sequence[str]) -> None:
    for axes, name in zip(figure.axes[:2], names, strict=True):
        axes.set_ylabel(name, fontsize=8)


def _ends(images: NDArray[np.floating]) -> tuple[float, float]:
    """Give black and white by the noise of all pixels."""
    known = images[np.isfinite(images)]
    if not known.size:
        return 0.0, 1.0
    sky = float(np.median(known))
    noise = 1.4826 * float(np.median(np.abs(known - sky))) or 1.0
    return sky - _BELOW * noise, sky + _ABOVE * noise
