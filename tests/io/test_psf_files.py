"""Models of PSFEx found by the names of images: files of one chip, and tables that surveys merge."""

import numpy as np
import pytest
from astropy.io import fits

from lostlight.core.errors import BadImage, BadPSF
from lostlight.io import epoch_files, psf_files, psfex
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.inject.psf import sampled


def model(degree=1, seed=2):
    n_terms = (degree + 1) * (degree + 2) // 2
    return {
        "basis": np.random.default_rng(seed).random((n_terms, 7, 9)).astype(np.float32), "step_px": 0.7,
        "x_zero_px": 20.5, "y_zero_px": 31.0, "x_scale_px": 40.0, "y_scale_px": 60.0, "degree": degree, "fwhm_px": 3.2,
        "n_loaded": 50, "n_accepted": 40, "chi2": 1.1,
    }  # fmt: skip


def same(one, other):
    assert set(one) == set(other)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def merged(path, models, chips):
    """Write a row for each chip, the cards of its model as columns, those of smaller models padded."""
    cards = {
        "psf_mask": "basis", "psf_samp": "step_px", "polzero1": "x_zero_px", "polzero2": "y_zero_px",
        "polscal1": "x_scale_px", "polscal2": "y_scale_px", "poldeg1": "degree", "psf_fwhm": "fwhm_px",
        "loaded": "n_loaded", "accepted": "n_accepted", "chi2": "chi2",
    }  # fmt: skip
    most = max(len(each["basis"]) for each in models)
    columns = [fits.Column("ccdname", "4A", array=np.array(chips))]
    for card, name in cards.items():
        values = [each[name] + (card[:7] == "polzero") for each in models]  # in files counted from one
        if card == "psf_mask":
            values = np.array([np.pad(value, ((0, most - len(value)), (0, 0), (0, 0))) for value in values])
            columns.append(fits.Column(card, f"{values[0].size}E", dim=f"(9,7,{most})", array=values))
        else:
            columns.append(fits.Column(card, "D", array=np.array(values, float)))
    fits.BinTableHDU.from_columns(columns).writeto(path)


def test_a_file_of_psfex_is_read(tmp_path):
    psfex.write_model(tmp_path / "a.psf", model())
    same(psf_files.read(tmp_path / "a.psf"), model())


def test_a_row_of_a_table_is_the_model_of_its_chip(tmp_path):
    models = [model(1), model(2, 3)]
    merged(tmp_path / "a-psfex.fits", models, ["N4", "S4"])
    same(psf_files.read(tmp_path / "a-psfex.fits", "N4"), models[0])
    same(psf_files.read(tmp_path / "a-psfex.fits", "S4"), models[1])
    for chip in ("N5", ""):
        with pytest.raises(BadPSF, match="only of N4, S4"):
            psf_files.read(tmp_path / "a-psfex.fits", chip)
    merged(tmp_path / "b-psfex.fits", models[:1], ["N4"])
    same(psf_files.read(tmp_path / "b-psfex.fits"), models[0])
    with pytest.raises(BadPSF, match="no model of chip S4"):
        psf_files.read(tmp_path / "b-psfex.fits", "S4")


def test_models_are_found_by_the_names_of_images(tmp_path):
    (tmp_path / "psf").mkdir()
    for name in (
        "m31.psf",
        "psf/exp1-psfex.fits.gz",
        "psf/exp2.S4.psf",
        "psf/exp2-psfex.fits",
        "twice.psf",
        "psf/twice_psfex.fits",
    ):
        (tmp_path / name).touch()
    found = {
        name: psf_files.found(tmp_path, tmp_path / name).name
        for name in ("m31.fits.fz", "exp1.S4.fits.gz", "exp2.S4.fits", "exp2.N4.fits")
    }
    assert list(found.values()) == ["m31.psf", "exp1-psfex.fits.gz", "exp2.S4.psf", "exp2-psfex.fits"]
    with pytest.raises(BadPSF, match=r"twice\.fits has several PSF models: psf/twice_psfex\.fits and twice\.psf"):
        psf_files.found(tmp_path, tmp_path / "twice.fits")
    with pytest.raises(BadPSF, match=r"m32\.fits has no PSF model"):
        psf_files.found(tmp_path, tmp_path / "m32.fits")


def test_what_is_no_model_is_refused(tmp_path):
    fits.BinTableHDU.from_columns([fits.Column("flux", "D", array=np.ones(3))]).writeto(tmp_path / "a-psfex.fits")
    fits.PrimaryHDU(np.ones((3, 3))).writeto(tmp_path / "b.psf")
    (tmp_path / "c.psf").write_text("no FITS")
    for name, error in (("a-psfex.fits", BadPSF), ("b.psf", BadPSF), ("c.psf", BadImage)):
        with pytest.raises(error, match=name.replace(".", r"\.")):
            psf_files.read(tmp_path / name)


def test_decam_images_have_their_models(shared_data):
    """On its image each model is as wide as another program measured the stars, which the file does not tell."""
    models = shared_data / "decam-testcase6/calib/psfex"
    for folder in sorted((shared_data / "decam-testcase6/images/decam/CP/V4.8.2a").iterdir()):
        for file in epoch_files.listed(folder):
            image = epoch_files.read(file)
            fields = psf_files.read(psf_files.found(models, file.paths["science"]), image.header["EXTNAME"])
            profile = PsfModel(**fields).at(50.0, 50.0)[0]
            assert profile.sum() == pytest.approx(1, abs=0.03)
            assert sampled(profile, fields["step_px"]).fwhm_px == pytest.approx(image.header["FWHM"], rel=0.1)
