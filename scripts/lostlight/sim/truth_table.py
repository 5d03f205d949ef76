"""What a window of a plate really shows: every object, ghost and flaw, with label, position and expected strength."""

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from lostlight.sim import defects, emulsion
from lostlight.sim.plates import Plate
from lostlight.sim.render import FAINTEST_DRAWN, Window, ghost_positions, show
from lostlight.sim.sources import KINDS

_GHOST_FAINTEST = 7.0
_FLAW_SIGMA_PX = 0.95
_COLUMNS = (
    ("truth_id", "U24", ""),
    ("label", "U20", ""),
    ("ra_deg", "f8", "deg"),
    ("dec_deg", "f8", "deg"),
    ("mag_r", "f8", "mag"),
    ("mag_later", "f8", "mag"),
    ("pm_ra_mas_yr", "f8", "mas / yr"),
    ("pm_dec_mas_yr", "f8", "mas / yr"),
    ("x_px", "f8", "pix"),
    ("y_px", "f8", "pix"),
    ("trail_px", "f8", "pix"),
    ("snr_plate", "f8", ""),
    ("group", "i8", ""),
)


def build(seed: int, plate: Plate, sources: NDArray[np.void], window: Window, flaws_deg2: float) -> Table:
    """List what was planted in a window of a plate; columns as `Sky.truth` tells them.

    Parameters
    ----------
    seed : int
    plate : Plate
    sources : ndarray of SOURCE
        All objects near the window.
    window : Window
        Plate pixels.
    flaws_deg2 : float
        Compact flaws per square degree.
    """
    tables = [
        _objects(plate, sources),
        _appeared_later(plate, sources),
        _ghosts(plate, sources),
        _flaws(seed, plate, window, flaws_deg2),
    ]
    table = vstack(tables, metadata_conflicts="silent")
    table["x_px"] -= window.x0
    table["y_px"] -= window.y0
    inside = (np.abs(table["x_px"] - (window.nx - 1) / 2) <= window.nx / 2) & (
        np.abs(table["y_px"] - (window.ny - 1) / 2) <= window.ny / 2
    )
    return table[inside]


def _table(**columns: object) -> Table:
    n = len(columns["x_px"])
    table = Table()
    for name, dtype, unit in _COLUMNS:
        missing = np.nan if dtype == "f8" and name != "trail_px" else np.zeros(1, dtype)[0]
        table[name] = np.array(columns.get(name, np.full(n, missing)), dtype=dtype)
        table[name].unit = unit or None
    return table


def _described(sources: NDArray[np.void]) -> dict[str, object]:
    copied = ("pm_ra_mas_yr", "pm_dec_mas_yr", "mag_later", "group")
    return {
        "truth_id": [f"T{number:014x}" for number in sources["truth_id"]],
        "label": np.array(KINDS)[sources["kind"]],
        **{name: sources[name] for name in copied},
    }


def _objects(plate: Plate, sources: NDArray[np.void]) -> Table:
    shown = show(plate, sources)
    shown = type(shown)(*(values[shown.mag_r < FAINTEST_DRAWN] for values in shown))
    trail_px = np.hypot(shown.trail_x_px, shown.trail_y_px)
    # A trail spreads the light over more pixels than the profile of a star.
    width_px = plate.seeing_arcsec / plate.scale_arcsec + 1
    spread_mag = 1.25 * np.log10(1 + (trail_px / width_px) ** 2)
    return _table(
        **_described(shown.sources),
        ra_deg=shown.ra_deg,
        dec_deg=shown.dec_deg,
        mag_r=shown.mag_r,
        x_px=shown.x_px,
        y_px=shown.y_px,
        trail_px=trail_px,
        snr_plate=emulsion.expected_snr(plate, shown.mag_r + spread_mag),
    )


def _appeared_later(plate: Plate, sources: NDArray[np.void]) -> Table:
    later = sources[sources["kind"] == KINDS.index("vanished_C")].copy()
    later["mag_r"] = later["mag_later"]  # so that the plate would show them
    shown = show(plate, later)
    return _table(
        **_described(shown.sources),
        ra_deg=shown.ra_deg,
        dec_deg=shown.dec_deg,
        x_px=shown.x_px,
        y_px=shown.y_px,
        snr_plate=np.zeros(len(shown.x_px)),
    )


def _ghosts(plate: Plate, sources: NDArray[np.void]) -> Table:
    bright = show(plate, sources[sources["mag_r"] < _GHOST_FAINTEST])
    ghosts = ghost_positions(plate, bright)
    ra, dec = _sky(plate, ghosts.x_px, ghosts.y_px)
    stars = [f"G{number:014x}" for number in bright.sources["truth_id"][ghosts.star]]
    return _table(
        truth_id=stars, label=["ghost"] * len(stars), ra_deg=ra, dec_deg=dec, x_px=ghosts.x_px, y_px=ghosts.y_px
    )


def _flaws(seed: int, plate: Plate, window: Window, flaws_deg2: float) -> Table:
    mm = plate.pixel_um / 1000
    x_mm, y_mm = (window.x0 * mm, (window.x0 + window.nx) * mm), (window.y0 * mm, (window.y0 + window.ny) * mm)
    _, _, marks = defects.as_tables(defects.in_window(seed, plate, x_mm, y_mm, flaws_deg2))
    x, y = marks["x_mm"] / mm, marks["y_mm"] / mm
    ra, dec = _sky(plate, x, y)
    # Compact flaws end up about as wide as the scan makes anything.
    squares = np.arange(-8, 9) ** 2
    spot = np.exp(-0.5 * (squares[:, None] + squares) / _FLAW_SIGMA_PX**2)
    snr = np.abs(marks["peak"]) * emulsion.snr_of(plate, spot)
    is_compact = marks["label"] == "defect_flaw"
    return _table(
        truth_id=marks["truth_id"],
        label=marks["label"],
        ra_deg=ra,
        dec_deg=dec,
        x_px=x,
        y_px=y,
        snr_plate=np.where(is_compact, snr, np.nan),
    )


def _sky(
    plate: Plate, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    dx, dy = plate.residual_arcsec(x_px, y_px)
    scale = plate.scale_arcsec
    if not len(x_px):
        return np.zeros(0), np.zeros(0)
    return tuple(plate.wcs.wcs_pix2world(x_px - dx / scale, y_px - dy / scale, 0))
