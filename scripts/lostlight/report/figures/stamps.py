"""A candidate on its plate: a cutout as PNG, and where to draw circles, compass and scale bar over it."""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from matplotlib import image as mpl_image
from numpy.typing import NDArray

SkyWcs = Callable[[Header], WCS]
SCALE_BAR_ARCSEC = 30.0


@dataclass(frozen=True)
class Stamp:
    """What the page draws of one candidate; lengths are per mille of the side, from the upper left corner."""

    src_id: str
    facts: Mapping[str, str | float]
    image: str
    radius: float
    references: list[tuple[float, float]]
    north: tuple[float, float]
    east: tuple[float, float]
    bar: float
    words: str


class Plate:
    """An image and its sky, cut into stamps."""

    def __init__(self, data: NDArray[np.float32], header: Header, sky_wcs: SkyWcs) -> None:
        self.data = data
        self.wcs = sky_wcs(header)

    def cut(self, x_px: float, y_px: float, side_arcmin: float) -> tuple[NDArray[np.float32], float, float, float]:
        """Cut a square around a pixel, NaN outside the plate.

        Returns
        -------
        tuple
            The cutout (row 0 at the bottom), zero-based x and y of its corner pixel, and arcsec per pixel.
        """
        scale = self._scale_arcsec(x_px, y_px)
        half = max(int(np.ceil(side_arcmin * 30 / scale)), 4)
        x0, y0 = round(x_px) - half, round(y_px) - half
        side = 2 * half + 1
        stamp = np.full((side, side), np.nan, np.float32)
        ny, nx = self.data.shape
        rows, columns = slice(max(y0, 0), min(y0 + side, ny)), slice(max(x0, 0), min(x0 + side, nx))
        stamp[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = self.data[rows, columns]
        return stamp, x0, y0, scale

    def to_pixels(self, positions_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn positions (n, 2) into zero-based pixels (n, 2)."""
        return self.wcs.all_world2pix(positions_deg, 0, quiet=True) if len(positions_deg) else np.empty((0, 2))

    def axes(self, x_px: float, y_px: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give unit vectors towards north and east in pixels at a place of the plate."""
        here = self.wcs.all_pix2world([[x_px, y_px]], 0)[0]
        step = 10 / 3600
        places = [
            [here[0], min(here[1] + step, 90)],
            [here[0] + step / max(np.cos(np.radians(here[1])), 1e-3), here[1]],
        ]
        north, east = self.to_pixels(np.array(places)) - [x_px, y_px]
        return north / np.hypot(*north), east / np.hypot(*east)

    def _scale_arcsec(self, x_px: float, y_px: float) -> float:
        corners = self.wcs.all_pix2world([[x_px, y_px], [x_px, y_px + 10]], 0)
        d_ra = (corners[1, 0] - corners[0, 0] + 180) % 360 - 180
        d_ra *= np.cos(np.radians(corners[:, 1].mean()))
        return float(np.hypot(d_ra, corners[1, 1] - corners[0, 1]) * 360)


def stamp(
    plate: Plate,
    row: Mapping[str, object],
    references_deg: NDArray[np.float64],
    side_arcmin: float,
    radius_arcsec: float,
) -> Stamp:
    """Draw one candidate.

    Parameters
    ----------
    plate : Plate
        The plate it is on.
    row : mapping
        Its row in the table of candidates.
    references_deg : ndarray, shape (n, 2)
        Catalogue rows around it, in degrees.
    side_arcmin : float
        Side of the stamp.
    radius_arcsec : float
        Radius of the circles.
    """
    x, y = float(row["x_px"]), float(row["y_px"])
    cutout, x0, y0, scale = plate.cut(x, y, side_arcmin)
    per_mille = 1000 / len(cutout)
    # Catalogues are placed relative to the source itself, which takes the plate's residual out of the overlay.
    shift = np.array([x, y]) - plate.to_pixels(np.array([[row["ra_deg"], row["dec_deg"]]], float))[0]
    pixels = plate.to_pixels(references_deg) + shift - [x0, y0]
    inside = ((pixels > -0.5) & (pixels < len(cutout) - 0.5)).all(axis=1)
    places = [(float(px + 0.5) * per_mille, 1000 - float(py + 0.5) * per_mille) for px, py in pixels[inside]]
    north, east = plate.axes(x, y)
    words = f"Plate around {row['src_id']}, {side_arcmin:g} arcmin wide, {len(places)} catalogue rows circled"
    return Stamp(
        src_id=str(row["src_id"]),
        facts={key: row[key] for key in ("ra_deg", "dec_deg", "mag_auto", "snr_win", "fwhm_px", "reason")},
        image=png(stretch(cutout)),
        radius=radius_arcsec / scale * per_mille,
        references=places,
        north=(float(north[0]), -float(north[1])),
        east=(float(east[0]), -float(east[1])),
        bar=SCALE_BAR_ARCSEC / scale * per_mille,
        words=words,
    )


def stretch(cutout: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale a cutout to grey values, dark stars on a light sky as on the glass: robust limits, then asinh."""
    known = cutout[np.isfinite(cutout)]
    if not known.size:
        return np.full(cutout.shape, 200, np.uint8)
    sky, high = np.percentile(known, [50, 99.7])
    noise = 1.4826 * np.median(np.abs(known - sky)) or 1.0
    low, high = sky - 3 * noise, max(high, sky + 12 * noise)
    bent = np.arcsinh(4 * np.clip((np.nan_to_num(cutout, nan=low) - low) / (high - low), 0, 1)) / np.arcsinh(4)
    return np.where(np.isfinite(cutout), 255 - (235 * bent), 200).astype(np.uint8)


def png(grey: NDArray[np.uint8]) -> str:
    """Give grey values, row 0 at the bottom, as a PNG in a data address; the same bytes for the same values."""
    buffer = io.BytesIO()
    mpl_image.imsave(
        buffer,
        grey[::-1],
        cmap="gray",
        vmin=0,
        vmax=255,
        format="png",
        metadata={"Software": None},
        pil_kwargs={"optimize": True},
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
