"""USNO-B1.0 as it would describe the simulated sky (Monet et al. 2003): old plates, coarse motions, spike junk."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from lostlight.sim.cells import MARGIN_DEG, stream
from lostlight.sim.sources import KINDS, at_epoch, offset, unit_vectors
from lostlight.sim.truth import BRIGHT_LAYER, FAINT_LAYER, Truth

ROW = np.dtype(
    [
        ("USNO-B1.0", "U16"),
        ("RAJ2000", "f8"),
        ("DEJ2000", "f8"),
        ("e_RAJ2000", "i4"),
        ("e_DEJ2000", "i4"),
        ("Epoch", "f8"),
        ("pmRA", "i4"),
        ("pmDE", "i4"),
        ("muPr", "i2"),
        ("Ndet", "i2"),
        ("B1mag", "f8"),
        ("R1mag", "f8"),
        ("B2mag", "f8"),
        ("R2mag", "f8"),
        ("Imag", "f8"),
    ]
)
BANDS = ("B1mag", "R1mag", "B2mag", "R2mag", "Imag")

_LIMITS = np.array([20.8, 20.0, 21.8, 20.8, 19.2])
_MAG_ERROR = 0.25
_DROPPED = 0.03  # of the measurements in each band
_MISSING, _MISSING_FAST = 0.012, 0.08  # of the objects; of those faster than 80 mas/yr
_SPIKE_MAG = 12.7

Rows = NDArray[np.void]
Values = NDArray[np.float64]


def cell_rows(truth: Truth, layer: int, cell: int) -> Rows:
    """Make the catalogue's rows of one cell.

    An object needs two measurements to be listed. What both first-epoch plates saw and no later plate did is listed
    with B1 and R1 alone; a flash on a single plate is not.
    """
    sources = truth.cell(layer, cell)
    rng = stream(truth.seed, "usnob", layer, cell)
    mags = _magnitudes(sources, rng)
    n_found = np.isfinite(mags).sum(axis=1)
    fast = np.hypot(sources["pm_ra_mas_yr"], sources["pm_dec_mas_yr"]) > 80
    is_listed = (n_found >= 2) & (rng.random(len(sources)) > np.where(fast, _MISSING_FAST, _MISSING))
    rows = _measure(sources, mags, rng)
    is_listed &= ~_in_glare(truth, layer, cell, sources)
    rows = np.concatenate([rows[is_listed], _spikes(sources, rng)])
    rows["USNO-B1.0"] = _names(rows["DEJ2000"], layer, cell)
    return rows


def _magnitudes(sources: Rows, rng: np.random.Generator) -> Values:
    """Measure each object in the five bands, NaN where a plate did not show it."""
    first, later, colour = sources["mag_r"], sources["mag_later"], sources["colour"]
    kind = np.array(KINDS)[sources["kind"]]
    quiet = np.where(kind == "variable", later, first)  # the bright epoch was that of the red plate alone
    true = np.stack([quiet + colour, first, later + colour, later, later - 0.5 * colour], axis=1)
    twice = kind == "vanished_A"
    true[twice, 0] = np.minimum(true[twice, 0], _LIMITS[0] - 1)
    seen = true + _MAG_ERROR * rng.standard_normal(true.shape)
    is_lost = (seen > _LIMITS) | (rng.random(true.shape) < _DROPPED)
    is_lost[twice, :2] = False
    is_lost[np.isin(kind, ("vanished_B", "vanished_D", "vanished_E", "asteroid"))] = True
    return np.where(is_lost, np.nan, np.round(seen, 2))


def _measure(sources: Rows, mags: Values, rng: np.random.Generator) -> Rows:
    """Give positions at J2000, carried there from the mean epoch of the plates by the motion the catalogue believes."""
    n = len(sources)
    rows = np.zeros(n, ROW)
    has_later = np.isfinite(mags[:, 2:]).any(axis=1)
    has_first = np.isfinite(mags[:, :2]).any(axis=1)
    epoch = np.where(has_first & has_later, 1975.0, np.where(has_later, 1988.0, 1954.0)) + rng.normal(0, 3, n)
    n_found = np.isfinite(mags).sum(axis=1)
    motion = np.stack([sources["pm_ra_mas_yr"], sources["pm_dec_mas_yr"]]) + rng.normal(0, 5, (2, n))
    is_moving = (np.hypot(*motion) > 14) & (n_found >= 4) & has_first & has_later
    motion = np.where(is_moving, 2 * np.rint(motion / 2), 0)
    error = 120 + 60 * rng.random((2, n))
    ra, dec = at_epoch(sources, epoch)
    shift = motion * (2000 - epoch) / 1000 + error / 1000 * rng.standard_normal((2, n))
    rows["RAJ2000"], rows["DEJ2000"] = (np.round(angle, 6) for angle in offset(ra, dec, *shift))
    rows["e_RAJ2000"], rows["e_DEJ2000"] = np.rint(error)
    rows["Epoch"] = np.round(epoch, 1)
    rows["pmRA"], rows["pmDE"] = motion
    rows["muPr"] = np.where(is_moving, rng.integers(5, 10, n), 0)
    rows["Ndet"] = n_found
    for band, mag in zip(BANDS, mags.T, strict=True):
        rows[band] = mag
    return rows


def glare_arcsec(mag_r: Values) -> Values:
    """Give the radius around a bright star within which the old plates list nothing else."""
    return 7 * 10 ** (0.15 * (13 - mag_r))


def _in_glare(truth: Truth, layer: int, cell: int, sources: Rows) -> NDArray[np.bool_]:
    """Find the objects lost in the light of a star brighter than R = 11 (their companions, faint neighbours)."""
    hidden = np.zeros(len(sources), bool)
    if layer == BRIGHT_LAYER or not len(sources):
        return hidden
    cells = truth.layers[FAINT_LAYER]
    stars = truth.around(*cells.centre(cell), np.sqrt(cells.area_deg2) + MARGIN_DEG, (BRIGHT_LAYER,))
    tree = KDTree(unit_vectors(sources["ra_deg"], sources["dec_deg"]))
    reach = np.radians(glare_arcsec(stars["mag_r"]) / 3600)
    for lost in tree.query_ball_point(unit_vectors(stars["ra_deg"], stars["dec_deg"]), reach):
        hidden[lost] = True
    return hidden


def _spikes(sources: Rows, rng: np.random.Generator) -> Rows:
    """Make false rows along the diffraction spikes of bright stars, some 2 % of the catalogue (Barron et al. 2008)."""
    bright = sources[(sources["mag_r"] < _SPIKE_MAG) & (sources["kind"] == KINDS.index("star"))]
    star = bright[np.repeat(np.arange(len(bright)), rng.poisson(0.8 + _SPIKE_MAG - bright["mag_r"]))]
    n = len(star)
    rows = np.zeros(n, ROW)
    distance = rng.uniform(0.2, 1, n) * np.minimum((15.3 - star["mag_r"]) / 0.09, 150)
    arm = rng.integers(0, 4, n) * np.pi / 2
    east = distance * np.sin(arm) + rng.normal(0, 1, n)
    north = distance * np.cos(arm) + rng.normal(0, 1, n)
    ra, dec = offset(star["ra_deg"], star["dec_deg"], east, north)
    rows["RAJ2000"], rows["DEJ2000"] = np.round(ra, 6), np.round(dec, 6)
    rows["e_RAJ2000"], rows["e_DEJ2000"] = rng.integers(200, 800, (2, n))
    rows["Epoch"] = np.round(rng.normal(1970, 8, n), 1)
    mags = (star["mag_r"] + rng.uniform(4, 7, n))[:, None] + rng.normal(0, 0.6, (n, 5))
    is_lost = (mags > _LIMITS) | (rng.random((n, 5)) < 0.4)
    is_lost[np.arange(n), rng.integers(0, 2, n)] = False
    is_lost[np.arange(n), rng.integers(2, 5, n)] = False
    rows["Ndet"] = (~is_lost).sum(axis=1)
    for band, mag in zip(BANDS, np.where(is_lost, np.nan, np.round(mags, 2)).T, strict=True):
        rows[band] = mag
    return rows


def _names(dec_deg: Values, layer: int, cell: int) -> list[str]:
    """Name rows by zones of 0.1 degree from the south pole, as the catalogue does, then by cell and row."""
    return [f"{int((dec + 90) * 10):04d}-{2 * cell + layer:06d}{number:05d}" for number, dec in enumerate(dec_deg, 1)]
