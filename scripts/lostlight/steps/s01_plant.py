"""Step 01 of the twin: a copy of the plate with artificial stars, to measure what the search would have missed."""

from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.errors import NoWork
from lostlight.core.params import CompletenessParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, psfex, tables
from lostlight.science.detect import background
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.saturation import saturation_adu
from lostlight.science.plate.wcs import pix_to_sky, pixel_scale_arcsec, sky_wcs
from lostlight.science.vet import planting
from lostlight.science.vet.response import fit_response
from lostlight.vocab import bits
from lostlight.vocab.columns import PLANTED

MESH_PX, MESH_FILTER = 64, 3
MIN_SNR, MAX_ELLIPTICITY = 30, 0.15  # stars that tell the response: their peaks stand clear of the noise


def engines(_: CompletenessParams) -> dict[str, str]:
    """Versions of what decides the result."""
    return {"sep": background.VERSION}


@step(
    "01_plant",
    after=("01_download", "02_masks", "04_psf"),
    needs=("image", "mask", "psf", "psf_quality"),
    makes={"image": "{unit}.fits", "planted": "{unit}.planted.fits"},
    params=CompletenessParams,
    version=1,
    cites=("sep",),
    engines=engines,
)
def plant(unit: Unit, params: CompletenessParams, out: Outputs) -> Result:
    """Plant artificial stars in one plate."""
    if not params.n_per_tile:
        raise NoWork("completeness.n_per_tile is 0")
    image, header = fits.read_image(unit["image"])
    mask = fits.read_mask(unit["mask"])
    tile = _tile(unit, image, mask)
    separation_px = params.min_separation_arcsec / pixel_scale_arcsec(header)
    room = planting.room_for(mask != 0, separation_px)
    n = min(params.n_per_tile, room)
    if not n:
        raise NoWork(f"no room for artificial stars: {np.mean(mask != 0):.0%} of the tile is masked")
    rng = np.random.Generator(np.random.Philox(unit.seed + params.seed))
    x_px, y_px = planting.draw_positions(rng, n, mask != 0, separation_px)
    stars, light = planting.draw_stars(rng, tile, x_px, y_px, params.snr_range)
    _write_like(out["image"], planting.plant(rng, tile, stars, light), header)
    tables.write(_described(unit.id, stars, header, params), out["planted"], PLANTED)
    out.sizes |= {"image": list(image.shape), "planted": [n]}
    metrics = {
        "n_planted": n,
        "response_contrast": tile.response.contrast,
        "response_half_sky": tile.response.half,
        "headroom_adu": tile.response.headroom_adu,
    }
    capped = f"{n} artificial stars, not {params.n_per_tile}: more would crowd the tile"
    return Result(metrics, warnings=[capped] if n < params.n_per_tile else [])


def _tile(unit: Unit, image: np.ndarray, mask: np.ndarray) -> planting.Tile:
    sky = background.split(image, (mask & bits.mask("BLANK")) != 0, MESH_PX, MESH_FILTER)
    psf = PsfModel(**psfex.read_model(unit["psf"]))
    level_adu = float(np.median(sky.level_adu[~sky.blank]))
    top_adu = max(saturation_adu(fits.read_header(unit["mask"]), image), float(np.nanmax(image)))
    quality = tables.read(unit["psf_quality"])
    clear = (quality["kind"] == "star") & (quality["snr_win"] >= MIN_SNR) & (quality["ellipticity"] <= MAX_ELLIPTICITY)
    flux_adu, peak_adu = (np.asarray(quality[name][clear], float) for name in ("flux_aper_adu", "flux_max_adu"))
    response, psf_flux_adu = fit_response(flux_adu, peak_adu, psf, top_adu - level_adu)
    return planting.Tile(image, sky.level_adu, sky.rms_map_adu, psf, psf_flux_adu, response)


def _described(tile_id: str, stars: planting.Stars, header: Header, params: CompletenessParams) -> Table:
    ra_deg, dec_deg = pix_to_sky(sky_wcs(header), stars.x_px, stars.y_px)
    numbers = range(1, len(stars.x_px) + 1)
    return Table(
        {
            "plant_id": [f"{tile_id}:planted-{number}" for number in numbers],
            "tile_id": [tile_id for _ in numbers],
            "x_px": stars.x_px,
            "y_px": stars.y_px,
            "ra_deg": ra_deg,
            "dec_deg": dec_deg,
            "mag_true": params.zero_point_mag - 2.5 * np.log10(stars.flux_adu),
            "snr_true": stars.snr,
        }
    )


def _write_like(path: Path, image: np.ndarray, header: Header) -> None:
    """Write the twin with the header and the kind of numbers of the plate it is made from."""
    is_whole = header["BITPIX"] == 16 and np.isfinite(image).all()
    if is_whole:
        offset = 32768 if header.get("BZERO") == 32768 else 0
        low, high = offset - 32768, offset + 32767
        image = np.clip(np.rint(image), low, high).astype(np.uint16 if offset else np.int16)
    fits.write_image(path, image, header)
