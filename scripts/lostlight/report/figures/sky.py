"""Where the run looked: the whole sky, and the neighbourhood of its tiles."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from lostlight.report import style

STYLES = {
    "done": (style.BLUE, "o", "done"),
    "failed": (style.ORANGE, "X", "failed"),
    "skipped": (style.GREY, "s", "skipped"),
}
ZOOM_DEG = 4.0
MAX_MARKS = 1500
MAX_LABELS = 20


@dataclass(frozen=True)
class Coverage:
    """Tiles on the sky: ids, centres and corners in degrees (corners shape (n, 4, 2)), and what became of each."""

    ids: list[str]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    corners_deg: NDArray[np.float64]
    outcomes: NDArray[np.str_]

    def words(self) -> str:
        """Say how many tiles there are of each outcome."""
        counts = ((name, int((self.outcomes == name).sum())) for name in STYLES)
        return ", ".join(f"{count} {name}" for name, count in counts if count)


def whole(coverage: Coverage) -> str:
    """Draw all tiles on the whole sky, in Mollweide's projection, east to the left."""
    figure, axes = style.canvas(2.6, projection="mollweide")
    step_deg = 1 if len(coverage.ids) <= MAX_MARKS else 4
    for name, (colour, marker, label) in STYLES.items():
        chosen = coverage.outcomes == name
        if chosen.any():
            cells = _snapped(coverage.ra_deg[chosen], coverage.dec_deg[chosen], step_deg)
            longitude = -np.radians((cells[:, 0] + 180) % 360 - 180)
            axes.scatter(
                longitude, np.radians(cells[:, 1]), s=14, color=colour, marker=marker, label=label, linewidths=0
            )
    axes.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["8h", "4h", "0h", "20h", "16h"], fontsize=8)
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]), ["-60°", "-30°", "0°", "30°", "60°"], fontsize=8)
    return style.svg(figure, "sky", f"The whole sky with {len(coverage.ids)} tiles: {coverage.words()}")


def zoom(coverage: Coverage, candidates_deg: NDArray[np.float64]) -> str:
    """Draw the tiles around the middle of the run, with the candidates (shape (n, 2)), on the tangent plane."""
    centre = _centre(coverage, candidates_deg)
    figure, axes = style.canvas(3.6)
    near = _separation_deg(coverage.ra_deg, coverage.dec_deg, *centre) < ZOOM_DEG
    outlines = _tangent(coverage.corners_deg, *centre)
    for name, (colour, _, label) in STYLES.items():
        chosen = near & (coverage.outcomes == name)
        if chosen.any():
            axes.add_collection(
                PolyCollection(outlines[chosen], facecolor=colour, edgecolor=colour, alpha=0.25, label=label)
            )
    places = _tangent(candidates_deg, *centre)
    inside = np.abs(places).max(axis=1, initial=0) < ZOOM_DEG
    if inside.any():
        axes.scatter(*places[inside].T, s=16, marker="+", color=style.INK, linewidths=0.9, label="candidate", zorder=3)
    reach = np.abs(outlines[near]).max() * 1.12 if near.any() else 1.0
    axes.set(xlim=(reach, -reach), ylim=(-reach, reach), aspect="equal")
    if _roomy(outlines[near], reach):
        for outline, tile_id in zip(outlines[near], np.array(coverage.ids)[near], strict=True):
            axes.annotate(_short(tile_id), outline.mean(axis=0), ha="center", va="center", fontsize=7)
    style.labels(axes, {"x": f"east of {centre[0]:.2f}°, deg", "y": f"north of {centre[1]:+.2f}°, deg"})
    style.legend(axes, 4)
    return style.svg(
        figure,
        "zoom",
        f"{int(near.sum())} tiles around RA {centre[0]:.2f}, Dec {centre[1]:+.2f}, {int(inside.sum())} candidates",
    )


def coverage(tiles: Mapping[str, NDArray], outcomes: Mapping[str, str]) -> Coverage:
    """Bring the table of tiles (schema TILES) and what became of each together."""
    ids = [str(tile_id) for tile_id in tiles["tile_id"]]
    corners = np.array([[np.asarray(tiles[f"{axis}{corner}_deg"]) for axis in ("ra", "dec")] for corner in range(1, 5)])
    return Coverage(
        ids,
        np.asarray(tiles["ra_deg"], float),
        np.asarray(tiles["dec_deg"], float),
        corners.transpose(2, 0, 1),
        np.array([outcomes.get(tile_id, "skipped") for tile_id in ids], dtype=str),
    )


def _snapped(ra_deg: NDArray, dec_deg: NDArray, step_deg: float) -> NDArray[np.float64]:
    """Give one position for all that share a cell of about the same area, so that a page does not grow with tiles."""
    dec = np.clip(np.round(dec_deg / step_deg) * step_deg, -90, 90)
    width = step_deg / np.maximum(np.cos(np.radians(dec)), step_deg / 360)
    return np.unique(np.c_[np.round(ra_deg / width) * width, dec], axis=0)


def _centre(coverage: Coverage, candidates_deg: NDArray[np.float64]) -> tuple[float, float]:
    """Centre of the tile with the most candidates, or of the first one."""
    if not len(coverage.ids):
        return 0.0, 0.0
    n_near = [
        (_separation_deg(candidates_deg[:, 0], candidates_deg[:, 1], ra, dec) < 0.5).sum()
        for ra, dec in zip(coverage.ra_deg[:2000], coverage.dec_deg[:2000], strict=True)
    ]
    best = int(np.argmax(n_near))
    close = _separation_deg(coverage.ra_deg, coverage.dec_deg, coverage.ra_deg[best], coverage.dec_deg[best]) < ZOOM_DEG
    east_north = _tangent(
        np.c_[coverage.ra_deg[close], coverage.dec_deg[close]], coverage.ra_deg[best], coverage.dec_deg[best]
    )
    east, north = (east_north.min(axis=0) + east_north.max(axis=0)) / 2
    dec = float(coverage.dec_deg[best] + north)
    return float((coverage.ra_deg[best] + east / max(np.cos(np.radians(dec)), 0.01)) % 360), float(
        np.clip(dec, -90, 90)
    )


def _separation_deg(ra_deg: NDArray, dec_deg: NDArray, ra0_deg: float, dec0_deg: float) -> NDArray[np.float64]:
    a, d, a0, d0 = (np.radians(value) for value in (ra_deg, dec_deg, ra0_deg, dec0_deg))
    cosine = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a - a0)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _tangent(positions_deg: NDArray, ra0_deg: float, dec0_deg: float) -> NDArray[np.float64]:
    """Project positions (..., 2) to degrees east and north on the tangent plane; the far side is NaN."""
    a, d = np.radians(positions_deg[..., 0]) - np.radians(ra0_deg), np.radians(positions_deg[..., 1])
    d0 = np.radians(dec0_deg)
    cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    cosine = np.where(cosine > 0.05, cosine, np.nan)
    north = np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)
    return np.degrees(np.stack([np.cos(d) * np.sin(a) / cosine, north / cosine], axis=-1))


def _roomy(outlines: NDArray[np.float64], reach_deg: float) -> bool:
    """Tell whether the names of the tiles fit into their outlines, and these do not lie over each other."""
    if not 0 < len(outlines) <= MAX_LABELS:
        return False
    middles, side = outlines.mean(axis=1), np.ptp(outlines, axis=1).min()
    apart = np.abs(middles[:, None] - middles[None]).max(axis=-1)[~np.eye(len(middles), dtype=bool)]
    return bool(side > 0.28 * reach_deg and apart.min(initial=np.inf) > 0.6 * side)


def _short(tile_id: str) -> str:
    return tile_id.removeprefix("tile_").replace("_DEC", "\n").replace("RA", "").replace("p", "+").replace("m", "-")
