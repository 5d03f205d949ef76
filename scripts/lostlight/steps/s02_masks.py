"""Step 02: a clean image and a mask of what not to trust."""

from functools import partial

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.core.params import MasksParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, http, regions, vizier
from lostlight.science.match.catalogue import normalise
from lostlight.science.plate.bright_catalogues import (
    BRIGHT_CATALOGUES,
    NEVER_EMPTY_DEG,
    NEVER_EMPTY_MAG,
    REACH_DEG,
    brighter_than,
    placed,
)
from lostlight.science.plate.bright_stars import BrightStars
from lostlight.science.plate.cutout import circle_around
from lostlight.science.plate.geometry import plate_centre_deg
from lostlight.science.plate.masking import Masked, fractions, make_mask
from lostlight.science.plate.wcs import pixel_scale_arcsec, sky_to_pix, sky_wcs
from lostlight.science.sky.epoch import plate_epoch


@step(
    "02_masks",
    after=("01_download",),
    needs=("image",),
    makes={"clean": "{unit}.clean.fits", "mask": "{unit}.mask.fits", "regions": "{unit}.reg"},
    params=MasksParams,
    version=1,
)
def masks(unit: Unit, params: MasksParams, out: Outputs) -> Result:
    """Replace cosmetic flaws, and mark saturated pixels, bright stars, edges, blanks, scratches and trails."""
    image, header = fits.read_image(unit["image"])
    wcs = sky_wcs(header)
    from_catalogue = partial(_catalogue_stars, header, wcs, params) if params.bright_stars != "image" else None
    masked = make_mask(image, pixel_scale_arcsec(header), _plate_centre_px(header, wcs), params, from_catalogue)
    fits.write_image(out["clean"], _as_stored(masked.clean, header), header)
    fits.write_mask(out["mask"], masked.mask, fits.cards(header, _cards(masked)))
    out.sizes |= {
        "clean": list(image.shape),
        "mask": list(image.shape),
        "regions": [regions.write(out["regions"], masked.shapes)],
    }
    return Result(_metrics(masked, header), warnings=_warnings(masked))


def _catalogue_stars(header: Header, wcs: WCS, params: MasksParams) -> BrightStars:
    """Bright stars on the image and around it, at the epoch of the plate."""
    catalogue, circle = BRIGHT_CATALOGUES[params.bright_stars], circle_around(header, 0)
    raw = vizier.cone(
        catalogue.vizier_id,
        circle.ra_deg,
        circle.dec_deg,
        max(circle.radius_deg + REACH_DEG, NEVER_EMPTY_DEG),
        catalogue.columns,
        filters={catalogue.bright[0]: f"<{params.bright_limit_mag:g}"},
        url=params.url,
        policy=http.Policy.of(params),
        may_be_empty=params.bright_limit_mag < NEVER_EMPTY_MAG,
    )
    stars = brighter_than(
        normalise(placed(raw, catalogue), catalogue, plate_epoch(header).year), params.bright_limit_mag
    )
    x, y = sky_to_pix(wcs, stars["ra_deg"], stars["dec_deg"])
    return BrightStars(x, y, np.asarray(stars["mag_ref"], dtype=np.float64))


def _plate_centre_px(header: Header, wcs: WCS) -> tuple[float, float] | None:
    centre = plate_centre_deg(header)
    if centre is None:
        return None
    x, y = sky_to_pix(wcs, *centre)
    return (float(x), float(y)) if np.isfinite(x) and np.isfinite(y) else None


def _as_stored(clean: np.ndarray, header: Header) -> np.ndarray:
    """Keep whole counts as they came, in half the space."""
    whole = header.get("BITPIX") == 16 and clean.max() <= 32767 and clean.min() >= -32768
    return np.rint(clean).astype(np.int16) if whole and "BSCALE" not in header and "BZERO" not in header else clean


def _cards(masked: Masked) -> dict[str, object]:
    return {
        "SATURATE": (round(masked.saturation.level_adu, 2), "[adu] saturation level of this tile"),
        "SATURATD": (masked.saturation.is_reached, "a star of this tile reaches it"),
        "SKYLEVEL": (round(masked.background_adu, 3), "[adu] median background"),
        "SKYNOISE": (round(masked.rms_adu, 4), "[adu] noise of the background"),
    }


def _metrics(masked: Masked, header: Header) -> dict[str, float | int | bool]:
    return {
        **fractions(masked.mask),
        "saturation_adu": round(masked.saturation.level_adu, 2),
        "is_saturation_reached": masked.saturation.is_reached,
        "background_adu": round(masked.background_adu, 3),
        "rms_adu": round(masked.rms_adu, 4),
        "scale_arcsec_px": round(pixel_scale_arcsec(header), 4),
        "n_flaws": masked.n_flaws,
        "n_bright_stars": masked.n_bright_stars,
        "n_trails": masked.n_trails,
    }


def _warnings(masked: Masked) -> list[str]:
    if masked.n_flaws > 1e-3 * masked.mask.size:
        return [f"{masked.n_flaws} single-pixel flaws were replaced, more than 0.1 % of the image"]
    return []
