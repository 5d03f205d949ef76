"""Step 05: measure the sources of one tile, with the PSF."""

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.errors import TooFewSources
from lostlight.core.params import MeasureParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, psfex, sextractor, tables, tools
from lostlight.science.detect import background, embedded
from lostlight.science.detect.catalogue import add_magnitudes, best_position, mask_bits_under
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.saturation import saturation_adu
from lostlight.science.detect.spread import measure_psf
from lostlight.science.plate.geometry import edge_distance, plate_radius_deg
from lostlight.science.plate.wcs import pix_to_sky, sky_wcs
from lostlight.vocab import bits
from lostlight.vocab.columns import DETECTIONS


def engines(params: MeasureParams) -> dict[str, str]:
    """Versions of what decides the result."""
    program = {sextractor.PROGRAM: tools.version(sextractor.PROGRAM)} if params.engine == "reference" else {}
    return {"sep": background.VERSION, **program}


@step(
    "05_measure",
    after=("02_masks", "04_psf"),
    needs=("clean", "mask", "psf"),
    makes={"p2": "{unit}.p2.fits"},
    params=MeasureParams,
    version=1,
    cites=("sextractor", "sep", "psfex"),
    engines=engines,
)
def measure(unit: Unit, params: MeasureParams, out: Outputs) -> Result:
    """Find the sources on one tile again and measure everything the search asks of them."""
    image, header = fits.read_image(unit["clean"])
    mask = fits.read_mask(unit["mask"])
    saturation = saturation_adu(fits.read_header(unit["mask"]), image)
    sky = background.split(image, (mask & bits.mask("BLANK")) != 0, params.mesh_px, params.mesh_filter)
    if params.engine == "reference":
        found = _by_program(unit, params, image, sky.blank, saturation)
    else:
        found = embedded.extract(sky, params, saturation)
    if not len(found):
        raise TooFewSources(
            f"no source above {params.threshold_sigma:g} sigma on {image.shape[1]} x {image.shape[0]} pixels",
            hint="look at the image; lower measure.threshold_sigma if it shows stars",
            found=0,
            needed=1,
        )
    model = PsfModel(**psfex.read_model(unit["psf"]))
    pixels = np.where(sky.blank, np.float32(np.nan), sky.subtracted)
    light = measure_psf(pixels, sky.rms_adu, found["x_px"], found["y_px"], model, gain=params.gain)
    for name, values in light.items():
        if name not in found.colnames:  # SPREAD_MODEL of the program stays where it was asked for
            found[name] = values
    add_magnitudes(found, params.zero_point_mag)
    _place(found, header, mask)
    _name(found, unit.id, header)
    tables.write(found, out["p2"], DETECTIONS)
    out.sizes["p2"] = [len(found)]
    return Result(metrics=_metrics(found, sky))


def _by_program(unit: Unit, params: MeasureParams, image: np.ndarray, blank: np.ndarray, saturation: float) -> Table:
    if params.spread == "native":
        spread = {"extra": sextractor.SPREAD_PARAMETERS, "psf": unit["psf"]}
        return sextractor.extract(image, blank, params, saturation, **spread)
    return sextractor.extract(image, blank, params, saturation)


def _place(found: Table, header: Header, mask: np.ndarray) -> None:
    x, y = best_position(found)
    found["ra_deg"], found["dec_deg"] = pix_to_sky(sky_wcs(header), x, y)
    found["mask_bits"] = mask_bits_under(mask, found["x_px"], found["y_px"], found["fwhm_px"])
    found["edge_distance_px"] = edge_distance(mask, x, y)
    found["plate_radius_deg"] = plate_radius_deg(header, found["ra_deg"], found["dec_deg"])


def _name(found: Table, tile_id: str, header: Header) -> None:
    found["tile_id"] = np.full(len(found), tile_id)
    found["plate_id"] = np.full(len(found), str(header.get("REGION", "")).strip() or tile_id)
    found["src_id"] = [f"{tile_id}:{number}" for number in found["object_id"]]


def _metrics(found: Table, sky: background.Background) -> dict[str, float | int | None]:
    clean = np.asarray(found["extraction_flags"]) == 0
    metrics: dict[str, float | int | None] = {
        "n_sources": len(found),
        "n_unflagged": int(clean.sum()),
        "n_masked": int((np.asarray(found["mask_bits"]) != 0).sum()),
        **background.summary(sky),
    }
    for name in ("fwhm_px", "spread_model", "elongation"):
        values = np.asarray(found[name])[clean]
        values = values[np.isfinite(values)]
        metrics[f"{name}_median"] = float(np.median(values)) if len(values) else None
    return metrics
