"""Where the frames of a simulated mosaic point, and when they were taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.sim.cells import stream
from lostlight.sim.mosaics_design import MosaicDesign
from lostlight.sim.mosaics_sky import MosaicSky, tangent_plane

_FIRST_NIGHT = datetime(2024, 3, 10, 20, 0, 0)
_READOUT_S = 5.0


@dataclass(frozen=True)
class Pointing:
    """One exposure of one tile."""

    index: int
    """number of the frame, from 0"""
    tile: tuple[int, int]
    """row and column of the layout"""
    filter: str
    bands: tuple[str, ...]
    """of the channels"""
    exptime_s: float
    night: int
    start: datetime

    @property
    def name(self) -> str:
        """Name of the file."""
        return "_".join(part for part in ("light", self.filter, f"{self.index:04d}") if part) + ".fits"


def pointings(design: MosaicDesign) -> list[Pointing]:
    """List the exposures in order of time: one round over all tiles for each filter, then the next."""
    rows, columns = design.layout
    found = []
    for repeat in range(design.n_per_tile):
        exptime = design.exptimes_s[repeat % len(design.exptimes_s)]
        for bands in design.bands_of_filters:
            for tile in np.ndindex(rows, columns):
                index = len(found)
                night = index * design.nights // design.n_frames
                start = _FIRST_NIGHT + timedelta(days=night, seconds=index * (max(design.exptimes_s) + _READOUT_S))
                name = bands[0] if len(bands) == 1 else ""
                found.append(Pointing(index, (int(tile[0]), int(tile[1])), name, bands, exptime, night, start))
    return found


def frame_wcs(seed: int, design: MosaicDesign, sky: MosaicSky, pointing: Pointing) -> WCS:
    """Give the true sky solution of a frame, with its own tangent point; distortion as its header tells it."""
    return WCS(wcs_header(seed, design, sky, pointing))


def wcs_header(seed: int, design: MosaicDesign, sky: MosaicSky, pointing: Pointing) -> Header:
    """Write the sky solution of a frame as cards."""
    (ny, nx), index = design.tile_px, pointing.index
    along = [
        (at - (n - 1) / 2) * step for at, n, step in zip(pointing.tile, design.layout, design.step_px, strict=True)
    ]
    dy, dx = design.dither_px * stream(seed, "mosaic dither", index).uniform(-1, 1, 2)
    ra, dec = sky.plane.wcs_pix2world(along[1] + dx, along[0] + dy, 0)
    centre = float(ra) % 360, float(dec)
    up = sky.plane.wcs_pix2world(along[1] + dx, along[0] + dy + 1, 0)
    # The layout is one of the scene's plane, whose "up" is another direction on the tangent plane of every tile.
    right_px, up_px = tangent_plane(centre, design.scale_arcsec, 0).wcs_world2pix(*up, 0)
    turn = np.arctan2(-right_px, up_px) + np.radians(_turned_deg(design, index))
    scale = design.scale_arcsec * design.scales[index % len(design.scales)] / 3600
    cosine, sine = np.cos(turn), np.sin(turn)
    cd = scale * np.array([[-cosine, sine], [sine, cosine]])
    if index in design.flipped:
        cd[:, 0] *= -1
    header = Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    header["CRPIX1"], header["CRPIX2"] = (nx + 1) / 2, (ny + 1) / 2
    header["CRVAL1"], header["CRVAL2"] = centre
    for i in (0, 1):
        for j in (0, 1):
            header[f"CD{i + 1}_{j + 1}"] = float(cd[i, j])
    header["RADESYS"] = "ICRS"
    if design.distortion_px:
        _distort(header, design, scale)
    return header


def _turned_deg(design: MosaicDesign, index: int) -> float:
    part = index / max(design.n_frames - 1, 1) - 0.5
    return design.rotation_deg * part + 180.0 * (index in design.turned)


def _distort(header: Header, design: MosaicDesign, scale_deg: float) -> None:
    """Add a barrel that moves corners by `distortion_px`, and with SIP a bend of a third of it."""
    ny, nx = design.tile_px
    corner = np.hypot(nx, ny) / 2
    barrel = design.distortion_px / corner**3
    if design.distortion == "TPV":
        header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
        for axis in (1, 2):
            header[f"PV{axis}_1"] = 1.0
            header[f"PV{axis}_7"] = header[f"PV{axis}_9"] = barrel / scale_deg**2
        return
    bend = design.distortion_px / 3 / corner**2
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["A_ORDER"] = header["B_ORDER"] = 3
    header["A_3_0"] = header["A_1_2"] = header["B_0_3"] = header["B_2_1"] = barrel
    header["A_2_0"] = header["B_1_1"] = bend
