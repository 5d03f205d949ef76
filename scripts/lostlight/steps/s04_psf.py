"""Step 04: how a star looks, everywhere on one tile."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain

import numpy as np
from astropy.table import Table

from lostlight.core.errors import BadCatalogue, BadPSF, TooFewSources
from lostlight.core.manifest import Check
from lostlight.core.params import PsfParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, psfex, tables, tools
from lostlight.science.detect import background
from lostlight.science.detect.psf_build import build_psf
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.psf_quality import Attempt, Limits, StarFits, faults, metrics, quality_table
from lostlight.science.detect.psf_stars import StarRules, sample_of, select_stars
from lostlight.science.plate.wcs import pixel_scale_arcsec
from lostlight.vocab import bits
from lostlight.vocab.columns import PSF_QUALITY

STATED_SCALE_ARCSEC = 1.7
RELAXED_MIN_STARS = 5
MESH_PX, MESH_FILTER = 64, 3


def engines(params: PsfParams) -> dict[str, str]:
    """Versions of what decides the result; the model built in process is also the last resort of the reference."""
    return {"sep": background.VERSION} | ({"psfex": tools.version("psfex")} if params.engine == "reference" else {})


@step(
    "04_psf", after=("02_masks", "03_detect"), needs=("clean", "mask", "p1"), wants=("p1_ldac",),
    makes={"psf": "{unit}.psf", "psf_quality": "{unit}.psf.fits"},
    params=PsfParams, version=1, cites=("psfex",), engines=engines,
)  # fmt: skip
def model_psf(unit: Unit, params: PsfParams, out: Outputs) -> Result:
    """Model the point spread function over one tile, with less freedom where the stars do not bear more."""
    scale_arcsec = pixel_scale_arcsec(fits.read_header(unit["clean"]))
    low, high = (width * STATED_SCALE_ARCSEC / scale_arcsec for width in params.fwhm_range_px)
    limits = Limits(params.min_accepted, params.chi2_range, (low, high))
    mask = fits.read_mask(unit["mask"])
    by = _by_program if params.engine == "reference" else _in_process
    troubles, best = [], None
    for best in chain(by(unit, params, mask, limits, out), _last_resort(unit, params, mask, limits)):
        if not best.faults:
            break
        troubles += [f"degree {best.model.degree} refused: {fault}" for fault in best.faults]
    else:
        raise BadPSF(
            f"no acceptable PSF model: {'; '.join(troubles) or 'too few stars'}",
            hint="if the image shows stars, lower psf.min_snr, or widen psf.fwhm_range_px or psf.chi2_range",
            found=best.model.n_accepted if best else 0,
            needed=RELAXED_MIN_STARS,
        )
    psfex.write_model(out["psf"], asdict(best.model))
    quality = quality_table(best.model, mask.shape, tables.read(unit["p1"]), mask != 0, best.stars)
    tables.write(quality, out["psf_quality"], PSF_QUALITY)
    out.sizes["psf_quality"] = [len(quality)]
    return _result(best, quality, troubles, limits, scale_arcsec)


def _by_program(unit: Unit, params: PsfParams, mask: np.ndarray, limits: Limits, out: Outputs) -> Iterator[Attempt]:
    if "p1_ldac" not in unit:
        raise BadCatalogue(
            "the first pass left no catalogue with stamps, which PSFEx needs",
            hint="let detect and psf use the same engine",
        )
    for degree in range(params.degree, -1, -1):
        settings = psfex.Settings(
            degree, params.size_px, params.min_snr, params.max_ellipticity, limits.fwhm_range_px, params.max_stars
        )
        stars = psfex.run(unit["p1_ldac"], out["psf"], settings, mask != 0, params.timeout_s)
        model = PsfModel(**psfex.read_model(out["psf"]))
        yield Attempt(model, StarFits(**vars(stars)), faults(model, mask.shape, limits))


def _in_process(unit: Unit, params: PsfParams, mask: np.ndarray, limits: Limits, _: Outputs) -> Iterator[Attempt]:
    rules = StarRules(params.min_snr, params.max_ellipticity, limits.fwhm_range_px)
    for degree in range(params.degree, -1, -1):
        yield from _built(unit, params, mask, limits, rules, degree)


def _last_resort(unit: Unit, params: PsfParams, mask: np.ndarray, limits: Limits) -> Iterator[Attempt]:
    rules = StarRules(params.min_snr / 2, params.max_ellipticity, limits.fwhm_range_px, is_isolated=False)
    bar = Limits(RELAXED_MIN_STARS, (0.0, math.inf), limits.fwhm_range_px)
    for attempt in _built(unit, params, mask, bar, rules, degree=0):
        yield replace(attempt, is_fallback=True)


def _built(
    unit: Unit, params: PsfParams, mask: np.ndarray, bar: Limits, rules: StarRules, degree: int
) -> Iterator[Attempt]:
    """Build a model in process; none where the stars are too few for its degree."""
    found = tables.read(unit["p1"])
    image, _ = fits.read_image(unit["clean"])
    sky = background.split(image, (mask & bits.mask("BLANK")) != 0, MESH_PX, MESH_FILTER)
    pixels = np.where(sky.blank, np.float32(np.nan), sky.subtracted)
    chosen = select_stars(found, mask != 0, rules)
    try:
        sample = sample_of(found, chosen)
        built = build_psf(pixels, sky.rms_map_adu, sample, degree, params.size_px, max_stars=params.max_stars)
    except TooFewSources:
        return
    stars = StarFits(found["x_px"][chosen], found["y_px"][chosen], built.chi2, built.is_used)
    yield Attempt(built.model, stars, faults(built.model, mask.shape, bar))


def _result(best: Attempt, quality: Table, troubles: list[str], limits: Limits, scale_arcsec: float) -> Result:
    n, chi2, ceiling = best.model.n_accepted, best.model.chi2, limits.chi2_range[1]
    checks = [
        Check(name="n_accepted", value=n, threshold=limits.min_accepted, passed=n >= limits.min_accepted),
        Check(name="chi2", value=chi2, threshold=ceiling, passed=chi2 < ceiling),
    ]
    relaxed = [f"one model for the whole tile, of {n} stars chosen by relaxed rules"] if best.is_fallback else []
    return Result(metrics(best, quality, scale_arcsec), checks, [*troubles, *relaxed])
