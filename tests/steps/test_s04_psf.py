"""Step 04 on plates in miniature and on a real plate, with both engines."""

import numpy as np
import pytest
from tests.starfield import fwhm_at, starfield, tan_header

from lostlight.core.errors import BadCatalogue, BadPSF
from lostlight.core.params import DetectParams, PsfParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import fits, psfex, tables
from lostlight.science.detect import background
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.spread import measure_psf
from lostlight.steps.s03_detect import detect
from lostlight.steps.s04_psf import model_psf
from lostlight.vocab import bits

ENGINES = [
    pytest.param("reference", marks=[pytest.mark.needs_sextractor, pytest.mark.needs_psfex]),
    "embedded",
]


def detected(folder, image, header, engine, mask=None):
    """What steps 02 and 03 leave for one tile."""
    mask = np.zeros(image.shape, np.int32) if mask is None else mask
    inputs = {"clean": folder / "t.clean.fits", "mask": folder / "t.mask.fits"}
    fits.write_image(inputs["clean"], image, header)
    fits.write_mask(inputs["mask"], mask, header)
    made = {"p1": folder / f"{engine}.p1.fits", "p1_ldac": folder / f"{engine}.p1.cat"}
    detect(Unit("t", inputs), DetectParams(engine=engine), Outputs(made))
    return inputs | {role: path for role, path in made.items() if path.exists()}


def psf_of(folder, inputs, engine, **params):
    out = Outputs({"psf": folder / f"{engine}.psf", "psf_quality": folder / f"{engine}.psf.fits"})
    result = model_psf(Unit("t", inputs), PsfParams(engine=engine, **params), out)
    return result, PsfModel(**psfex.read_model(out["psf"])), tables.read(out["psf_quality"])


@pytest.fixture(scope="module")
def field():
    return starfield(11, shape=(423, 391), n_stars=150)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_model_follows_the_stars_and_the_table_tells_which(field, tmp_path, engine):
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape), engine)
    result, model, quality = psf_of(tmp_path, inputs, engine)
    assert result.metrics["is_fallback"] is False
    assert result.metrics["degree"] == model.degree == 2
    assert all(check.passed for check in result.checks)
    stars, grid = quality[quality["kind"] == "star"], quality[quality["kind"] == "map"]
    assert abs(stars["is_used"].sum() - model.n_accepted) <= 1
    assert np.all(np.isfinite(stars["chi2_psf"][stars["is_used"]]))
    truth = np.sqrt(fwhm_at(grid["x_px"], grid["y_px"], field.image.shape) ** 2 + 2.35482**2 / 12)
    assert np.median(np.abs(grid["fwhm_px"] / truth - 1)) < 0.03
    assert result.metrics["fwhm_arcsec"] == pytest.approx(1.7 * result.metrics["fwhm_px"], rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_tile_gives_the_same_bytes(field, tmp_path, engine):
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape), engine)
    psf_of(tmp_path, inputs, engine)
    first = [(tmp_path / f"{engine}{suffix}").read_bytes() for suffix in (".psf", ".psf.fits")]
    psf_of(tmp_path, inputs, engine)
    assert first == [(tmp_path / f"{engine}{suffix}").read_bytes() for suffix in (".psf", ".psf.fits")]


@pytest.mark.parametrize("engine", ENGINES)
def test_few_stars_give_a_flagged_mean_and_none_an_error(tmp_path, engine):
    field = starfield(12, shape=(211, 223), n_stars=14, log_flux=(4.2, 5.0))
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape), engine)
    result, model, _ = psf_of(tmp_path, inputs, engine)
    assert result.metrics["is_fallback"] is True
    assert model.degree == 0
    assert model.n_accepted >= 5
    assert any("fewer than 30" in warning for warning in result.warnings)
    assert any("relaxed rules" in warning for warning in result.warnings)
    with pytest.raises(BadPSF, match="no acceptable PSF model") as error:
        psf_of(tmp_path, inputs, engine, fwhm_range_px=(7, 10))
    assert error.value.facts["needed"] == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_masked_stars_are_not_used(field, tmp_path, engine):
    mask = np.zeros(field.image.shape, np.int32)
    mask[:, :150] = bits.mask("HALO")
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape), engine, mask)
    _, _, quality = psf_of(tmp_path, inputs, engine)
    assert quality["x_px"][quality["is_used"]].min() > 149


def test_limits_in_pixels_follow_the_pixel_scale(tmp_path):
    field = starfield(13, fwhm_px=5.0, shape=(331, 351), n_stars=90, log_flux=(4.2, 5.4))
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape, 1.01), "embedded")
    assert psf_of(tmp_path, inputs, "embedded", fwhm_range_px=(2, 4))[0].metrics["is_fallback"] is False
    coarse = detected(tmp_path, field.image, tan_header(field.image.shape, 1.7), "embedded")
    with pytest.raises(BadPSF):
        psf_of(tmp_path, coarse, "embedded", fwhm_range_px=(2, 4))


@pytest.mark.needs_psfex
def test_the_program_asks_for_its_catalogue(field, tmp_path):
    inputs = detected(tmp_path, field.image, tan_header(field.image.shape), "embedded")
    with pytest.raises(BadCatalogue, match="no catalogue with stamps"):
        psf_of(tmp_path, inputs, "reference")


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
def test_both_engines_give_the_same_verdicts_on_a_real_plate(shared_data, tmp_path):
    image, header = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    sky = background.split(image, None, 64, 3)
    verdicts, widths, found = [], [], None
    for engine in ("reference", "embedded"):
        inputs = detected(tmp_path, image, header, engine)
        result, model, _ = psf_of(tmp_path, inputs, engine)
        widths.append(result.metrics["fwhm_px"])
        found = tables.read(inputs["p1"]) if found is None else found
        rows = (found["extraction_flags"] == 0) & (found["snr_win"] > 10)
        spread = measure_psf(sky.subtracted, sky.rms_adu, found["x_px"], found["y_px"], model)["spread_model"]
        verdicts.append(on_locus(spread[rows], np.asarray(found["flux_aper_adu"][rows])))
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert 2.2 < widths[0] < 3.2
    assert np.mean(verdicts[0] == verdicts[1]) > 0.97


def on_locus(spread, flux, k_sigma=4, n_bins=12):
    """Within k robust sigmas of the median in bins of flux."""
    number = np.clip(np.searchsorted(np.quantile(flux, np.linspace(0, 1, n_bins + 1)), flux) - 1, 0, n_bins - 1)
    middle = np.array([np.median(spread[number == i]) for i in range(n_bins)])[number]
    sigma = np.array([1.4826 * np.median(np.abs((spread - middle)[number == i])) for i in range(n_bins)])[number]
    return np.abs(spread - middle) < k_sigma * sigma
