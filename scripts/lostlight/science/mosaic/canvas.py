"""The pixel grid of a mosaic: as small as holds all frames, and the same whatever their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from lostlight.core.errors import ConfigError, NoWCS
from lostlight.science.mosaic.footprint import Polygon, mean_direction, outline, pixel_size, to_pixels, unit_vectors
from lostlight.science.mosaic.window import Window

WIDEST_TAN_DEG = 20.0
"""Wider fields are mapped with equal areas (ZEA): a tangent plane stretches their corners."""

Frames = Mapping[str, tuple[WCS, tuple[int, int]]]
"""Frames by id: their WCS, and their rows and columns."""


@dataclass(frozen=True)
class CanvasRules:
    """How the canvas is laid out: its orientation, arcsec per pixel (None: median), margin, and largest size."""

    orientation: Literal["auto_rotate", "north_up"] = "auto_rotate"
    scale_arcsec: float | None = None
    pad_px: int = 16
    max_mpx: float = 400.0


@dataclass(frozen=True, eq=False)
class Canvas:
    """A pixel grid: its WCS, rows and columns; without a sky its world is the plane of the reference frame."""

    wcs: WCS
    shape: tuple[int, int]
    scale_arcsec: float | None
    is_sky: bool

    def header(self, window: Window | None = None) -> Header:
        """Give the cards of the canvas, or of a window of it: size and WCS, exact when written and read again."""
        window = window or Window(0, 0, *self.shape)
        cards = Header({"NAXIS": 2, "NAXIS1": window.width, "NAXIS2": window.height, "WCSAXES": 2})
        own = self.wcs.wcs
        corner = (window.x0, window.y0)
        for axis in (1, 2):
            if self.is_sky:
                cards[f"CTYPE{axis}"] = own.ctype[axis - 1]
                cards[f"CUNIT{axis}"] = "deg"
            cards[f"CRVAL{axis}"] = float(own.crval[axis - 1])
            cards[f"CRPIX{axis}"] = float(own.crpix[axis - 1]) - corner[axis - 1]
            cards[f"CDELT{axis}"] = float(own.cdelt[axis - 1])
            for other in (1, 2):
                cards[f"PC{axis}_{other}"] = float(own.pc[axis - 1, other - 1])
        if self.is_sky:
            cards["LONPOLE"] = 180.0
            cards["RADESYS"] = "ICRS"
        return cards

    @classmethod
    def of(cls, header: Header) -> "Canvas":
        """Make the canvas that a header describes, as `header` gives it."""
        wcs = WCS(Header([card for card in header.cards if not card.keyword.startswith("NAXIS")]))
        shape = int(header["NAXIS2"]), int(header["NAXIS1"])
        is_sky = bool(wcs.has_celestial)
        return cls(wcs, shape, _rounded(float(header["CDELT2"]) * 3600, 10) if is_sky else None, is_sky)

    def polygon(self, wcs: WCS, shape: tuple[int, int]) -> Polygon:
        """Give the outline of a frame in pixels of the canvas, x and y, shape (n, 2), as far as it has places there.

        Raises NoWCS if it has none.
        """
        corners = np.stack(to_pixels(self.wcs, *outline(wcs, shape).T), axis=1)
        return corners[np.isfinite(corners).all(axis=1)]


def plan_canvas(frames: Frames, rules: CanvasRules = CanvasRules()) -> Canvas:
    """Lay out the smallest grid that holds all frames.

    The projection is gnomonic (TAN), above 20 degrees zenithal equal-area (ZEA), about the mean direction of the
    outlines, so that neither right ascension 0 nor a pole matters. Its pixels are as large as the median of the
    frames'. Turned by the angle of the smallest rectangle around all outlines, one of whose sides lies along their
    convex hull (Freeman & Shapira 1975), or north up. The reference point lies on a corner of pixels.

    Parameters
    ----------
    frames : mapping
        WCS and (rows, columns) of each frame by its id; all on the sky, or all registered to one frame.
    rules : CanvasRules

    Raises
    ------
    ConfigError
        If there is no frame, frames on the sky are mixed with others, or the canvas would be too large.
    NoWCS
        If a frame has no place.
    """
    ordered = dict(sorted(frames.items()))
    is_sky = _is_sky(ordered)
    outlines = {name: _outline_of(name, *frame) for name, frame in ordered.items()}
    places = np.concatenate(list(outlines.values()))
    # sides of single pixels are known to ten digits
    scale = _rounded(float(np.median([pixel_size(*frame) for frame in ordered.values()])), 10)
    if is_sky:
        probe = _on_the_sky(places, rules.scale_arcsec or scale)
    else:
        # the lower left corner of the reference frame, so that the grids agree where they are not turned
        probe = _grid(Header(), (-0.5, -0.5), (scale, scale))
    points = np.stack(to_pixels(Canvas.of(probe).wcs, *places.T), axis=1)
    # the reference point is pixel 0 of FITS, -1 of zero-based ones
    points = points[np.isfinite(points).all(axis=1)] + 1
    angle = _angle(points) if rules.orientation == "auto_rotate" else 0.0
    canvas = Canvas.of(_laid_out(probe, points, angle, rules.pad_px))
    if canvas.shape[0] * canvas.shape[1] > rules.max_mpx * 1e6:
        raise _too_large(canvas, outlines, rules)
    return canvas


def _is_sky(frames: Frames) -> bool:
    if not frames:
        raise ConfigError("no frame is left to make a mosaic of", hint="see why the frames were left out")
    sky = {name for name, (wcs, _) in frames.items() if wcs.has_celestial}
    if sky and len(sky) < len(frames):
        other = next(name for name in frames if name not in sky)
        raise ConfigError(
            f"{len(sky)} frames have a place on the sky and {len(frames) - len(sky)} do not, {other} for one",
            hint="solve all frames astrometrically, or none",
            frame=other,
        )
    return bool(sky)


def _outline_of(name: str, wcs: WCS, shape: tuple[int, int]) -> Polygon:
    try:
        places = outline(wcs, shape)
    except NoWCS as error:
        raise NoWCS(f"{name}: {error.message}", error.hint, frame=name) from error
    return places[np.isfinite(places).all(axis=1)]


def _on_the_sky(places: Polygon, scale_arcsec: float) -> Header:
    """North-up grid about the mean direction, with its reference point at pixel 0."""
    vectors = unit_vectors(places)
    mean = mean_direction(vectors)
    extent = 2 * np.degrees(np.arccos(np.clip((vectors @ mean).min(), -1, 1)))
    kind = "TAN" if extent <= WIDEST_TAN_DEG else "ZEA"
    centre = np.degrees(np.arctan2(mean[1], mean[0])) % 360, np.degrees(np.arcsin(np.clip(mean[2], -1, 1)))
    side = _rounded(scale_arcsec / 3600)
    names = {"CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "LONPOLE": 180.0, "RADESYS": "ICRS"}
    return _grid(Header(names | {"CUNIT1": "deg", "CUNIT2": "deg"}), centre, (-side, side))


def _grid(cards: Header, centre: tuple[float, float], sides: tuple[float, float]) -> Header:
    cards.update({"NAXIS1": 1, "NAXIS2": 1, "CRVAL1": _rounded(centre[0]), "CRVAL2": _rounded(centre[1])})
    cards.update({"CDELT1": sides[0], "CDELT2": sides[1], "CRPIX1": 0.0, "CRPIX2": 0.0})
    return cards


def _laid_out(probe: Header, points: NDArray[np.float64], angle: float, pad_px: int) -> Header:
    """Turn the grid and move it so that it holds all points, with the reference point on a corner of pixels."""
    cos, sin = _rounded(np.cos(angle)), _rounded(np.sin(angle))
    turned = points @ np.array([[cos, -sin], [sin, cos]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = np.maximum(np.rint(high - low), 1)
    corner = np.rint((low + high - size) / 2) - pad_px
    cards = probe.copy()
    for axis in (1, 2):
        cards[f"NAXIS{axis}"] = int(size[axis - 1]) + 2 * pad_px
        cards[f"CRPIX{axis}"] = 0.5 - float(corner[axis - 1])
    cards.update({"PC1_1": cos, "PC1_2": 0.0 - sin, "PC2_1": sin, "PC2_2": cos})
    return cards


def _angle(points: NDArray[np.float64]) -> float:
    """Give the angle, within 45 degrees of none, of the smallest rectangle around points."""
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.arctan2(edges[:, 1], edges[:, 0])
    angles = (angles + np.pi / 4) % (np.pi / 2) - np.pi / 4
    along = np.stack([np.cos(angles), np.sin(angles)])
    sides = [np.ptp(hull @ axis, axis=0) for axis in (along, np.stack([-along[1], along[0]]))]
    area = sides[0] * sides[1]
    # of rectangles that are as good, the one turned least
    good = angles[area <= area.min() * (1 + 1e-9)]
    return float(good[np.lexsort((good, np.abs(good)))[0]])


def _too_large(canvas: Canvas, outlines: Mapping[str, Polygon], rules: CanvasRules) -> ConfigError:
    """Name the two frames that lie farthest apart, and of these the one that is farther from all."""
    names = list(outlines)
    centres = np.stack([_middle(places, is_sky=canvas.is_sky) for places in outlines.values()])
    first = int(np.argmax([np.linalg.norm(centres - centre, axis=1).max() for centre in centres]))
    second = int(np.argmax(np.linalg.norm(centres - centres[first], axis=1)))
    away = np.linalg.norm(centres - np.median(centres, axis=0), axis=1)
    odd = names[max(first, second, key=lambda number: (away[number], number))]
    apart = float(np.linalg.norm(centres[first] - centres[second]))
    told = f"{np.degrees(2 * np.arcsin(min(apart / 2, 1))):.3g} degrees" if canvas.is_sky else f"{apart:.0f} pixels"
    (height, width), mpx = canvas.shape, canvas.shape[0] * canvas.shape[1] / 1e6
    return ConfigError(
        f"the mosaic would have {width} x {height} pixels, {mpx:.1f} million of at most {rules.max_mpx:g}: "
        f"{names[first]} and {names[second]} lie {told} apart",
        hint=f"most often the {'sky solution' if canvas.is_sky else 'registration'} of one, here {odd}, is wrong: "
        "look at it, and leave the frame out; "
        "for so wide a field raise mosaic.canvas.max_mpx or mosaic.canvas.scale_arcsec",
        first=names[first],
        second=names[second],
        suspect=odd,
        width_px=width,
        height_px=height,
        mpx=mpx,
    )


def _middle(places: Polygon, *, is_sky: bool) -> NDArray[np.float64]:
    return mean_direction(unit_vectors(places)) if is_sky else places.mean(axis=0)


def _rounded(value: float, digits: int = 13) -> float:
    """Round to what a card of 20 characters holds, so that a header is read back as it was written."""
    return float(f"{value:.{digits}g}")
