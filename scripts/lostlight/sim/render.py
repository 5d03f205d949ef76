"""Paint a window of a plate: light on the emulsion, flaws in it, and the scan."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.sim import defects, emulsion, optics, stamps
from lostlight.sim.cells import stream
from lostlight.sim.plates import EXPOSED_HALF_MM, SIDE_MM, Plate
from lostlight.sim.sources import KINDS, at_epoch, offset
from lostlight.sim.truth import magnitude_on_plate

FAINTEST_DRAWN = 21.5
BRIGHT_REACH_DEG = 0.5
"""How far outside a window bright stars are looked for: haloes, rings, spikes and ghosts reach into it."""

_NEAR_PX = 400  # more than any star's image or asteroid's trail reaches, haloes and spikes apart
_WEDGE_STEPS = 8

Values = NDArray[np.float64]


class Window(NamedTuple):
    """A rectangle of plate pixels: first pixel and size."""

    x0: int
    y0: int
    nx: int
    ny: int


class Shown(NamedTuple):
    """The objects that one plate shows, where their light falls, and how much of it."""

    sources: NDArray[np.void]
    mag_r: Values
    ra_deg: Values  # at the plate's epoch
    dec_deg: Values
    x_px: Values  # zero-based plate pixels
    y_px: Values
    trail_x_px: Values  # length along x and y of what moved during the exposure
    trail_y_px: Values


def show(plate: Plate, sources: NDArray[np.void]) -> Shown:
    """Move objects to the plate's epoch and find where it shows them; those it does not show are left out."""
    mag = magnitude_on_plate(sources, plate.index)
    ra, dec = at_epoch(sources, plate.epoch_yr)
    x, y = plate.sky_to_pix(ra, dec)
    seen = np.isfinite(mag) & np.isfinite(x)
    sources, mag, ra, dec, x, y = (values[seen] for values in (sources, mag, ra, dec, x, y))
    trail = np.zeros((2, len(x)))
    moving = sources["kind"] == KINDS.index("asteroid")
    east, north = (sources[name][moving] * plate.exposure_min for name in ("rate_ra_arcsec_min", "rate_dec_arcsec_min"))
    x_end, y_end = plate.sky_to_pix(*offset(ra[moving], dec[moving], east, north))
    trail[:, moving] = x_end - x[moving], y_end - y[moving]
    return Shown(sources, mag, ra, dec, x, y, trail[0], trail[1])


def render(seed: int, plate: Plate, shown: Shown, window: Window, flaws_deg2: float) -> NDArray[np.int16]:
    """Paint a window of a plate as the scanner would deliver it.

    Windows of one plate agree pixel by pixel wherever they overlap.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    plate : Plate
    shown : Shown
        All objects whose light may reach the window.
    window : Window
        Plate pixels wanted; may reach beyond the plate.
    flaws_deg2 : float
        Compact flaws of the emulsion per square degree.

    Returns
    -------
    ndarray of int16, (ny, nx)
        Density in counts, larger where more light fell; 0 outside the scan.
    """
    frame = emulsion.margin_px()
    wide = Window(window.x0 - frame, window.y0 - frame, window.nx + 2 * frame, window.ny + 2 * frame)
    light = _sky(seed, plate, wide)
    _draw_objects(light, plate, shown, wide)
    _draw_bright(light, plate, shown, wide)
    x_mm, y_mm = _axes_mm(plate, wide)
    bare = (np.abs(y_mm) > EXPOSED_HALF_MM)[:, None] | (np.abs(x_mm) > EXPOSED_HALF_MM)
    light[bare] = 0
    clean = emulsion.density(plate, light).astype(np.float32)
    _draw_wedge(clean, plate, x_mm, y_mm)
    _draw_defects(clean, seed, plate, wide, flaws_deg2)
    noise = emulsion.grain(seed, plate, *wide)
    scanned = emulsion.scan(plate, np.maximum(clean, 300), noise)[frame:-frame, frame:-frame]
    counts = np.clip(np.rint(scanned), 1, 32767).astype(np.int16)
    columns, rows = np.arange(window.nx) + window.x0, np.arange(window.ny) + window.y0
    counts[:, (columns < 0) | (columns >= plate.n_px)] = 0
    counts[(rows < 0) | (rows >= plate.n_px), :] = 0
    return counts


def _axes_mm(plate: Plate, window: Window) -> tuple[Values, Values]:
    columns, rows = np.arange(window.nx) + window.x0, np.arange(window.ny) + window.y0
    return plate.millimetres(columns.astype(float), rows.astype(float))


def _sky(seed: int, plate: Plate, window: Window) -> NDArray[np.float32]:
    """Give the light of the night sky: vignetted, with a slope of a few percent across the plate."""
    x_mm, y_mm = _axes_mm(plate, window)
    u, v = x_mm / SIDE_MM, (y_mm / SIDE_MM)[:, None]
    slope = stream(seed, "background", plate.index).normal(0, [0.05, 0.05, 0.04, 0.04, 0.04])
    shape = 1 + slope[0] * u + slope[1] * v + slope[2] * u * v + slope[3] * u**2 + slope[4] * v**2
    radius = np.hypot(x_mm, y_mm[:, None]) * 67.2 / 3600
    return (shape * optics.vignetting(radius)).astype(np.float32)


def _draw_objects(light: NDArray[np.float32], plate: Plate, shown: Shown, window: Window) -> None:
    near = (np.abs(shown.x_px - window.x0 - window.nx / 2) < window.nx / 2 + _NEAR_PX) & (
        np.abs(shown.y_px - window.y0 - window.ny / 2) < window.ny / 2 + _NEAR_PX
    )
    drawn = near & (shown.mag_r < FAINTEST_DRAWN)
    is_galaxy = drawn & (shown.sources["kind"] == KINDS.index("galaxy"))
    flux = _flux(plate, shown)
    galaxies = shown.sources[is_galaxy]
    images = optics.galaxy_images(
        plate,
        shown.x_px[is_galaxy],
        shown.y_px[is_galaxy],
        flux[is_galaxy],
        galaxies["radius_arcsec"] / plate.scale_arcsec,
        galaxies["axis_ratio"],
        np.radians(90 + galaxies["angle_deg"]),
    )
    stamps.add_gaussians(light, *images.arrays(window.x0, window.y0))
    points = optics.star_images(plate, *_trails(shown, flux, drawn & ~is_galaxy))
    stamps.add_gaussians(light, *points.arrays(window.x0, window.y0))


def _flux(plate: Plate, shown: Shown) -> Values:
    radius, _ = optics.field_radius_deg(plate, shown.x_px, shown.y_px)
    return optics.light(shown.mag_r, plate.scale_arcsec) * optics.vignetting(radius)


def _trails(shown: Shown, flux: Values, chosen: NDArray[np.bool_]) -> tuple[Values, Values, Values, Values]:
    """Turn objects into points, half a pixel apart along the path of those that move: x, y, flux, sharpness."""
    x, y, dx, dy = (v[chosen] for v in (shown.x_px, shown.y_px, shown.trail_x_px, shown.trail_y_px))
    n = np.ceil(np.hypot(dx, dy) / 0.5).astype(int) + 1
    which = np.repeat(np.arange(len(x)), n)
    step = np.arange(len(which)) - np.repeat(np.cumsum(n) - n, n)
    along = np.where(n[which] > 1, step / np.maximum(n[which] - 1, 1) - 0.5, 0.0)
    sharpness = shown.sources["sharpness"][chosen]
    return x[which] + along * dx[which], y[which] + along * dy[which], (flux[chosen] / n)[which], sharpness[which]


def _draw_bright(light: NDArray[np.float32], plate: Plate, shown: Shown, window: Window) -> None:
    """Draw what only bright stars show: aureole (King 1971), four spikes, halation ring, ghost."""
    scale = plate.scale_arcsec
    total = _flux(plate, shown) * scale**2  # light in units of the sky on a square arcsecond
    x, y = shown.x_px - window.x0, shown.y_px - window.y0

    def column(value: float, n: int) -> Values:
        return np.full(n, value / scale)

    some = shown.mag_r < 14
    n, f = int(some.sum()), 4.5e-3 * total[some]
    reach = np.minimum(np.sqrt(f / 0.004), 900) / scale
    stamps.add_aureoles(light, x[some], y[some], f / scale**2, column(8, n), reach)
    some = shown.mag_r < 12.7
    n, f = int(some.sum()), 0.01 * total[some]
    reach = np.minimum((f / 0.01) ** (1 / 2.4), 1800) / scale
    stamps.add_spikes(light, x[some], y[some], f / scale**2.4, column(2.4, n), column(7, n), reach)
    some = shown.mag_r < 7
    n, f = int(some.sum()), total[some]
    stamps.add_rings(light, x[some], y[some], column(118, n), column(18, n), 2e-7 * f)
    ghosts = ghost_positions(plate, shown)
    f = total[ghosts.star]
    n = len(f)
    gx, gy = ghosts.x_px - window.x0, ghosts.y_px - window.y0
    stamps.add_rings(light, gx, gy, column(11, n), column(9, n), 1.5e-7 * f)


class Ghosts(NamedTuple):
    """Ghost images: rows of `Shown` they belong to, and plate pixels."""

    star: NDArray[np.int64]
    x_px: Values
    y_px: Values


def ghost_positions(plate: Plate, shown: Shown) -> Ghosts:
    """Find the ghost images of the stars brighter than R = 9, farther from the plate centre than the stars."""
    star = np.flatnonzero(shown.mag_r < 9)
    middle = (plate.n_px - 1) / 2
    x, y = (middle + 1.03 * (values[star] - middle) for values in (shown.x_px, shown.y_px))
    return Ghosts(star, x, y)


def _draw_wedge(clean: NDArray[np.float32], plate: Plate, x_mm: Values, y_mm: Values) -> None:
    """Expose the photometric step wedge on the bare southern rim of the plate."""
    rows = (y_mm > -EXPOSED_HALF_MM - 2.6) & (y_mm < -EXPOSED_HALF_MM - 0.4)
    step = np.floor((x_mm + 60) / 5)
    level = emulsion.FOG + (plate.full_density - emulsion.FOG) * (step + 1) / _WEDGE_STEPS
    columns = (step >= 0) & (step < _WEDGE_STEPS)
    clean[np.ix_(rows, columns)] = level[columns]


def _draw_defects(clean: NDArray[np.float32], seed: int, plate: Plate, window: Window, flaws_deg2: float) -> None:
    mm_per_px = plate.pixel_um / 1000
    x_mm = (window.x0 * mm_per_px, (window.x0 + window.nx) * mm_per_px)
    y_mm = (window.y0 * mm_per_px, (window.y0 + window.ny) * mm_per_px)
    spots, lines, _ = defects.as_tables(defects.in_window(seed, plate, x_mm, y_mm, flaws_deg2))
    cosine, sine = np.cos(spots["angle_rad"]), np.sin(spots["angle_rad"])
    major, minor = (np.maximum(spots[name] / plate.pixel_um, 0.25) ** -2 for name in ("major_um", "minor_um"))
    reach = np.maximum(5 * spots["major_um"] / plate.pixel_um, 2)
    stamps.add_gaussians(
        clean,
        spots["x_mm"] / mm_per_px - window.x0,
        spots["y_mm"] / mm_per_px - window.y0,
        major * cosine**2 + minor * sine**2,
        (major - minor) * cosine * sine,
        major * sine**2 + minor * cosine**2,
        spots["peak"].copy(),
        reach,
    )
    ends = [lines[name] / mm_per_px - (window.x0 if name[0] == "x" else window.y0) for name in lines.dtype.names[:4]]
    stamps.add_lines(clean, *ends, np.maximum(lines["width_um"] / plate.pixel_um, 0.3), lines["peak"].copy())
