"""PSFEx and its files, with the real programs."""

from dataclasses import asdict

import numpy as np
import pytest
from astropy.io import fits as pyfits
from tests.starfield import first_pass, fwhm_at, starfield

from lostlight.core.errors import BadCatalogue, BadPSF
from lostlight.io import psfex, tools
from lostlight.science.detect.psf_build import build_psf
from lostlight.science.detect.psf_model import PsfModel, shape_at
from lostlight.science.detect.psf_stars import StarRules, sample_of, select_stars
from lostlight.science.detect.spread import measure_psf

SETTINGS = psfex.Settings(degree=2, size_px=25, min_snr=20, max_ellipticity=0.3, fwhm_range_px=(2, 10))
COMMON = "X_IMAGE Y_IMAGE SNR_WIN FLAGS"
FIRST = f"{COMMON} FLUX_RADIUS FLUX_APER(1) FLUXERR_APER(1) ELONGATION VIGNET(35,35)"
SECOND = f"{COMMON} XWIN_IMAGE YWIN_IMAGE FLUX_PSF FLUXERR_PSF XPSF_IMAGE YPSF_IMAGE SPREAD_MODEL SPREADERR_MODEL"


SEX = """
PARAMETERS_NAME names.param
FILTER N
DETECT_THRESH 5
ANALYSIS_THRESH 5
GAIN 1000
SATUR_LEVEL 1e6
PHOT_APERTURES 5
PIXEL_SCALE 1.7
SEEING_FWHM 4.5
CATALOG_TYPE FITS_LDAC
CHECKIMAGE_TYPE BACKGROUND,BACKGROUND_RMS
CHECKIMAGE_NAME sky.fits,rms.fits
VERBOSE_TYPE QUIET
"""


def source_extractor(folder, columns, catalogue, *options):
    (folder / "names.param").write_text("\n".join(columns.split()) + "\n")
    (folder / "tile.sex").write_text(SEX)
    args = ["tile.fits", "-c", "tile.sex", "-CATALOG_NAME", catalogue, *options]
    tools.run("source-extractor", args, folder, 120)


@pytest.fixture(scope="module")
def field():
    return starfield(3, shape=(421, 403), n_stars=170)


@pytest.fixture(scope="module")
def folder(field, tmp_path_factory):
    """A folder with an image, its first-pass catalogue and PSFEx's model."""
    work = tmp_path_factory.mktemp("psfex")
    pyfits.writeto(work / "tile.fits", field.image)
    source_extractor(work, FIRST, "p1.cat")
    psfex.run(work / "p1.cat", work / "p1.psf", SETTINGS, np.zeros(field.image.shape, bool), 60)
    return work


def test_a_model_comes_back_as_it_was_written(tmp_path):
    rng = np.random.default_rng(1)
    fields = {
        "basis": rng.normal(size=(6, 21, 23)).astype(np.float32), "step_px": 0.6, "x_zero_px": 199.5,
        "y_zero_px": 80.25, "x_scale_px": 400.0, "y_scale_px": 161.0, "degree": 2, "fwhm_px": 2.9,
        "n_loaded": 80, "n_accepted": 77, "chi2": 1.125,
    }  # fmt: skip
    psfex.write_model(tmp_path / "a.psf", fields)
    psfex.write_model(tmp_path / "b.psf", fields)
    back = psfex.read_model(tmp_path / "a.psf")
    assert np.array_equal(back.pop("basis"), fields["basis"])
    assert back == {name: value for name, value in fields.items() if name != "basis"}
    assert (tmp_path / "a.psf").read_bytes() == (tmp_path / "b.psf").read_bytes()
    # In the file pixels count from one.
    assert pyfits.getheader(tmp_path / "a.psf", 1)["POLZERO1"] == 200.5


def test_what_is_not_a_model_is_named(tmp_path):
    (tmp_path / "x.psf").write_bytes(b"no FITS")
    with pytest.raises(BadPSF, match=r"x\.psf is not a PSF model"):
        psfex.read_model(tmp_path / "x.psf")
    pyfits.writeto(tmp_path / "y.psf", np.zeros((3, 3)))
    with pytest.raises(BadPSF):
        psfex.read_model(tmp_path / "y.psf")


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
def test_psfex_sees_the_width_of_the_stars(field, folder):
    model = PsfModel(**psfex.read_model(folder / "p1.psf"))
    assert model.n_accepted > 80
    ny, nx = field.image.shape
    x, y = np.array([0.15, 0.5, 0.85]) * nx, np.array([0.15, 0.5, 0.85]) * ny
    truth = np.sqrt(fwhm_at(x, y, field.image.shape) ** 2 + 2.35482**2 / 12)
    assert shape_at(model, x, y)[0] == pytest.approx(truth, rel=0.05)


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
def test_rows_with_sentinels_and_on_masks_are_left_out(field, folder, tmp_path):
    with pyfits.open(folder / "p1.cat") as hdus:
        rows = hdus["LDAC_OBJECTS"].data
        rows["SNR_WIN"][::9] = 1e30
        rows["X_IMAGE"][4] = 1e30
        hdus.writeto(tmp_path / "spoiled.cat")
        n_rows = len(rows)
    masked = np.zeros(field.image.shape, bool)
    masked[:140] = True
    stars = psfex.run(tmp_path / "spoiled.cat", tmp_path / "a.psf", SETTINGS, masked, 60)
    assert stars.y_px.min() > 138
    assert len(stars.x_px) < 0.8 * n_rows
    model = PsfModel(**psfex.read_model(tmp_path / "a.psf"))
    assert model.x_scale_px < 2 * field.image.shape[1]  # a sentinel would have stretched it to 1e30
    assert stars.is_used.sum() == model.n_accepted


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
def test_nonsense_for_psfex_is_said_and_not_passed_on(field, folder, tmp_path):
    source_extractor(folder, FIRST.replace("ELONGATION", ""), "short.cat")
    clear = np.zeros(field.image.shape, bool)
    with pytest.raises(BadCatalogue, match="ELONGATION"):
        psfex.run(folder / "short.cat", tmp_path / "a.psf", SETTINGS, clear, 60)
    psfex.run(folder / "p1.cat", tmp_path / "b.psf", SETTINGS, ~clear, 60)
    assert psfex.read_model(tmp_path / "b.psf")["n_accepted"] == 0


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
def test_spread_and_flux_agree_with_source_extractor_given_the_same_psf(folder):
    source_extractor(folder, SECOND, "p2.cat", "-PSF_NAME", "p1.psf")
    theirs = pyfits.getdata(folder / "p2.cat", "LDAC_OBJECTS")
    image = (pyfits.getdata(folder / "tile.fits") - pyfits.getdata(folder / "sky.fits")).astype(np.float32)
    ours = measure_psf(
        image, pyfits.getdata(folder / "rms.fits"), theirs["XWIN_IMAGE"] - 1, theirs["YWIN_IMAGE"] - 1,
        PsfModel(**psfex.read_model(folder / "p1.psf")), gain=1000,
    )  # fmt: skip
    rows = (theirs["FLAGS"] == 0) & (theirs["SNR_WIN"] > 20) & (theirs["SNR_WIN"] < 300)
    assert rows.sum() > 80
    difference = np.abs(ours["spread_model"] - theirs["SPREAD_MODEL"])[rows]
    assert np.median(difference) < 1e-4
    assert np.quantile(difference, 0.9) < 5e-4
    assert np.median(ours["spread_model_err"][rows] / theirs["SPREADERR_MODEL"][rows]) == pytest.approx(1, abs=0.1)
    assert np.median(np.abs(2.5 * np.log10(ours["flux_psf_adu"] / theirs["FLUX_PSF"])[rows])) < 0.005
    moved = np.hypot(ours["x_psf_px"] + 1 - theirs["XPSF_IMAGE"], ours["y_psf_px"] + 1 - theirs["YPSF_IMAGE"])[rows]
    assert np.median(moved) < 0.02


@pytest.mark.needs_sextractor
def test_source_extractor_takes_the_model_built_in_process(field, folder):
    found, sky = first_pass(field.image)
    stars = select_stars(found, np.zeros(field.image.shape, bool), StarRules(20, 0.3, (2, 10)))
    model = build_psf(sky.subtracted, sky.rms_adu, sample_of(found, stars), 2, 25).model
    psfex.write_model(folder / "own.psf", asdict(model))
    columns = SECOND.replace("SPREAD_MODEL SPREADERR_MODEL", "")
    source_extractor(folder, columns, "p3.cat", "-PSF_NAME", "own.psf")
    theirs = pyfits.getdata(folder / "p3.cat", "LDAC_OBJECTS")
    ours = measure_psf(
        sky.subtracted, sky.rms_adu, theirs["XWIN_IMAGE"] - 1, theirs["YWIN_IMAGE"] - 1, model, gain=1000
    )
    rows = (theirs["FLAGS"] == 0) & (theirs["SNR_WIN"] > 20)
    assert np.median(np.abs(2.5 * np.log10(ours["flux_psf_adu"] / theirs["FLUX_PSF"])[rows])) < 0.005
