"""A tile after step 05 and 06, made up: stars with catalogue rows, and sources that vanished."""

from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.step import Outputs, Unit
from lostlight.io import fits, tables
from lostlight.science.plate import wcs
from lostlight.vocab import columns

SHAPE = (1201, 903)
SCALE_ARCSEC = 1.7


def header(ra_deg, dec_deg):
    cards = Header()
    cards["CTYPE1"], cards["CTYPE2"] = "RA---TAN", "DEC--TAN"
    cards["CRVAL1"], cards["CRVAL2"] = ra_deg, dec_deg
    cards["CRPIX1"], cards["CRPIX2"] = SHAPE[1] / 2 + 0.5, SHAPE[0] / 2 + 0.5
    cards["CDELT1"], cards["CDELT2"] = -SCALE_ARCSEC / 3600, SCALE_ARCSEC / 3600
    return cards


def detections(rng, tile_id, sky, x, y):
    """Detections that look like stars: locus of SPREAD and FWHM that depends on flux, with scatter."""
    n = len(x)
    table = tables.empty(columns.DETECTIONS)
    table = Table({name: np.zeros(n, table[name].dtype) for name in columns.DETECTIONS})
    ra, dec = wcs.pix_to_sky(sky, x, y)
    snr = 10 ** rng.uniform(1.2, 2.8, n)
    values = {
        "object_id": np.arange(1, n + 1), "tile_id": [tile_id] * n, "plate_id": ["XE123"] * n,
        "src_id": [f"{tile_id}:{k + 1}" for k in range(n)], "ra_deg": ra, "dec_deg": dec, "x_px": x, "y_px": y,
        "snr_win": snr, "flux_auto_adu": 500 * snr, "mag_auto": 21.1 - 2.5 * np.log10(500 * snr),
        "spread_model": 0.002 * np.log10(snr) + rng.normal(0, 0.02, n) / snr,
        "fwhm_px": (2.6 + 0.3 * np.log10(snr)) * np.exp(rng.normal(0, 0.5, n) / snr),
        "elongation": 1.03 + np.abs(rng.normal(0, 0.5, n)) / snr, "edge_distance_px": np.minimum(x, y),
        "x_min_px": x - 3, "x_max_px": x + 3, "y_min_px": y - 3, "y_max_px": y + 3,
    }  # fmt: skip
    for name, column in values.items():
        table[name] = np.asarray(column).astype(table[name].dtype) if table[name].dtype.kind != "U" else column
    return table


def reference(ra, dec, prefix, **other):
    n = len(ra)
    values = {
        "ref_id": [f"{prefix}{k}" for k in range(n)], "ra_deg": ra, "dec_deg": dec, "ra_catalog_deg": ra,
        "dec_catalog_deg": dec, "epoch_yr": np.full(n, 2000.0), "pm_ra_mas_yr": np.zeros(n),
        "pm_dec_mas_yr": np.zeros(n),
        "has_pm": np.zeros(n, bool), "is_second_epoch": np.ones(n, bool), "mag_ref": np.full(n, 17.0),
        **{name: np.full(n, 17.0) for name in ("mag_b1", "mag_r1", "mag_b2", "mag_r2", "mag_i")},
    }  # fmt: skip
    return Table(values | other)


class Tile:
    """`n_stars` stars detected and catalogued, then `n_vanished` sources the catalogues lack; some stars undetected."""

    def __init__(self, folder: Path, tile_id="tile_RA150.000_DECp20.000", centre=(150.0, 20.0), seed=1, n_stars=300,
                 n_vanished=12, noise_arcsec=0.15, shift_arcsec=(0.4, -0.3)):  # fmt: skip
        rng = np.random.default_rng(seed)
        self.folder, self.id, self.centre = folder, tile_id, centre
        folder.mkdir(parents=True, exist_ok=True)
        self.header, self.sky = (
            header(*centre),
            wcs.sky_wcs(fits.cards(header(*centre), {"NAXIS1": SHAPE[1], "NAXIS2": SHAPE[0]})),
        )
        n = n_stars + n_vanished
        # on a jittered grid, so that no source is another's counterpart
        side = int(np.ceil(np.sqrt(n)))
        cells = rng.permutation(side * side)[:n]
        self.x = 20 + (cells % side + rng.uniform(0.2, 0.8, n)) * (SHAPE[1] - 40) / side
        self.y = 20 + (cells // side + rng.uniform(0.2, 0.8, n)) * (SHAPE[0] - 40) / side
        self.is_vanished = np.arange(n) >= n_stars
        self.p2 = detections(rng, tile_id, self.sky, self.x, self.y)
        dx, dy = rng.normal(0, noise_arcsec / SCALE_ARCSEC, (2, n)) + np.array(shift_arcsec)[:, None] / SCALE_ARCSEC
        true = wcs.pix_to_sky(self.sky, self.x + dx, self.y + dy)
        self.true = true
        faint = wcs.pix_to_sky(self.sky, rng.uniform(-60, SHAPE[1] + 60, 150), rng.uniform(-60, SHAPE[0] + 60, 150))
        stars = ~self.is_vanished
        self.usnob = reference(np.r_[true[0][stars], faint[0]], np.r_[true[1][stars], faint[1]], "U")
        self.other = {}

    def unit(self, **roles):
        """Write the inputs and give the unit of step 07."""
        fits.write_image(self.folder / "clean.fits", np.zeros(SHAPE, np.float32), self.header)
        tables.write(self.p2, self.folder / "p2.fits", columns.DETECTIONS)
        inputs = {"clean": self.folder / "clean.fits", "p2": self.folder / "p2.fits"}
        for name, table in {"usnob": self.usnob, **self.other}.items():
            inputs[name] = self.folder / f"{name}.fits"
            tables.write(table, inputs[name], columns.USNOB if name == "usnob" else columns.REFERENCE)
        return Unit(self.id, inputs | roles)

    def outputs(self, step, sub="out"):
        (self.folder / sub).mkdir(exist_ok=True)
        return Outputs({role: self.folder / sub / name.format(unit=self.id) for role, name in step.makes.items()})
