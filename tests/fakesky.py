"""A sky so small that its server answers at once: a few stars on a flat plate, and tables of any columns."""

import numpy as np
from astropy.coordinates import angular_separation
from astropy.io.fits import Header
from astropy.table import Table

STARS_PER_DEG2 = 400
HALF_SIDE_DEG = 3.0


class FakeSky:
    """A patch of 6 degrees around one position; answers are the same for the same seed."""

    def __init__(self, ra_deg=150.0, dec_deg=20.0, seed=1, scale_arcsec=1.7):
        self.ra_deg, self.dec_deg, self.scale_arcsec = ra_deg, dec_deg, scale_arcsec
        rng = np.random.default_rng(seed)
        n = int(STARS_PER_DEG2 * (2 * HALF_SIDE_DEG) ** 2)
        dec = dec_deg + rng.uniform(-HALF_SIDE_DEG, HALF_SIDE_DEG, n)
        ra = (ra_deg + rng.uniform(-HALF_SIDE_DEG, HALF_SIDE_DEG, n) / np.cos(np.radians(dec))) % 360
        red = rng.uniform(9, 20, n)
        seen_later = rng.random(n) < 0.8
        moves = rng.random(n) < 0.1
        self.stars = Table(
            {
                "USNO-B1.0": [f"{int((d + 90) * 10):04d}-{k:07d}" for k, d in enumerate(dec)],
                "RAJ2000": ra,
                "DEJ2000": dec,
                "pmRA": np.where(moves, 100, 0),
                "pmDE": np.where(moves, -50, 0),
                "B1mag": red + 1,
                "R1mag": red,
                "B2mag": np.where(seen_later, red + 1, np.nan),
                "R2mag": np.where(seen_later, red, np.nan),
                "Imag": np.where(seen_later, red - 0.5, np.nan),
            }
        )

    def header(self, ra_deg, dec_deg, nx, ny):
        header = Header()
        header["SURVEY"], header["REGION"], header["BANDPASS"] = "POSSI-E", "XE309", 8
        header["DATE-OBS"], header["EXPOSURE"], header["PLTLABEL"] = "1953-01-10T05:05:00", 50.0, "E678"
        header["XPIXELSZ"], header["YPIXELSZ"] = 25.2845, 25.2845
        scale_deg = self.scale_arcsec / 3600
        for axis, kind, value, centre, step in (
            (1, "RA---TAN", ra_deg, (nx + 1) / 2, -scale_deg),
            (2, "DEC--TAN", dec_deg, (ny + 1) / 2, scale_deg),
        ):
            header[f"CTYPE{axis}"], header[f"CRVAL{axis}"] = kind, value
            header[f"CRPIX{axis}"], header[f"CD{axis}_{axis}"] = centre, step
        return header

    def cutout(self, ra_deg, dec_deg, w_arcmin, h_arcmin):
        nx, ny = round(w_arcmin * 60 / self.scale_arcsec), round(h_arcmin * 60 / self.scale_arcsec)
        data = np.random.default_rng(nx * 7 + ny).normal(3800, 30, (ny, nx)).astype(np.int16)
        return data, self.header(ra_deg, dec_deg, nx, ny)

    def catalogue(self, vizier_id, ra_deg, dec_deg, radius_deg=None, box_deg=None):
        distance = angular_separation(
            *np.radians([ra_deg, dec_deg]), np.radians(self.stars["RAJ2000"]), np.radians(self.stars["DEJ2000"])
        )
        found = self.stars[np.degrees(distance) <= (radius_deg or max(box_deg))]
        if vizier_id.startswith("I/355"):
            found = found["USNO-B1.0", "RAJ2000", "DEJ2000", "pmRA", "pmDE", "R1mag"]
            found.rename_columns(found.colnames, ["Source", "RA_ICRS", "DE_ICRS", "pmRA", "pmDE", "Gmag"])
        return found

    def solar_system(self, ra_deg, dec_deg, radius_deg, jd):
        return Table(
            {
                "Num": [4],
                "Name": ["Vesta"],
                "RA": [self.ra_deg],
                "DEC": [self.dec_deg],
                "class": ["MB"],
                "Mv": [7.5],
                "pmRA": [30.0],
                "pmDEC": [-12.0],
            }
        )
