"""Step 01 of the twin: artificial stars in a copy of the plate."""

import numpy as np
import pytest
from astropy.io import fits as pyfits
from scipy.spatial import cKDTree
from tests.starfield import first_pass, starfield, tan_header
from tests.steps.test_s04_psf import detected, psf_of

from lostlight.core.errors import NoWork
from lostlight.core.params import CompletenessParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import fits, tables
from lostlight.science.detect.spread import measure_psf
from lostlight.science.plate.wcs import pix_to_sky, sky_wcs
from lostlight.science.vet.response import Response
from lostlight.sim.sky import Sky
from lostlight.steps.s01_plant import plant

PLATE = Response(headroom_adu=11_000.0, half=3.0, contrast=1.8)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """What steps 01, 02 and 04 leave for one tile; the plate has 16-bit counts and a card of its own."""
    folder = tmp_path_factory.mktemp("plant")
    field = starfield(21, shape=(383, 411), n_stars=150, log_flux=(0.3, 2.0), widening=0.05, develop=PLATE.density)
    header = tan_header(field.image.shape)
    header["REGION"] = "XE309"
    image = np.rint(field.image).astype(np.int16)
    fits.write_image(folder / "t.fits", image, header)
    mask = np.zeros(image.shape, np.int32)
    mask[:60] = 1
    found = detected(folder, image.astype(np.float32), header, "embedded", mask)
    psf_of(folder, found, "embedded")
    made = {"psf": folder / "embedded.psf", "psf_quality": folder / "embedded.psf.fits"}
    return {"image": folder / "t.fits", "mask": found["mask"], **made}


def planted(folder, inputs, seed=5, **params):
    out = Outputs({"image": folder / "twin.fits", "planted": folder / "twin.planted.fits"})
    result = plant(Unit("t", inputs, seed=seed), CompletenessParams(**params), out)
    return result, out


def test_the_twin_is_the_plate_plus_stars(inputs, tmp_path):
    result, out = planted(tmp_path, inputs, n_per_tile=40, snr_range=(20, 150))
    stars = tables.read(out["planted"])
    assert len(stars) == result.metrics["n_planted"] == 40
    original, header = fits.read_image(inputs["image"])
    twin, twin_header = fits.read_image(out["image"])
    assert pyfits.getdata(out["image"]).dtype == pyfits.getdata(inputs["image"]).dtype
    assert twin_header["REGION"] == header["REGION"]
    assert twin_header["CRVAL1"] == header["CRVAL1"]
    y, x = np.argwhere(np.abs(twin - original) > 100).T
    assert (
        np.hypot(x - np.asarray(stars["x_px"])[:, None], y - np.asarray(stars["y_px"])[:, None]).min(axis=0).max() < 12
    )
    assert stars["y_px"].min() > 59
    ra, dec = pix_to_sky(sky_wcs(header), stars["x_px"], stars["y_px"])
    assert stars["ra_deg"] == pytest.approx(ra)
    assert stars["dec_deg"] == pytest.approx(dec)
    found, _ = first_pass(twin)
    distance = np.hypot(
        found["x_px"] - np.asarray(stars["x_px"])[:, None], found["y_px"] - np.asarray(stars["y_px"])[:, None]
    )
    assert np.mean(distance.min(axis=1) < 1.5) > 0.75  # the others lie on real stars


def test_the_seed_decides_alone(inputs, tmp_path):
    bytes_of = []
    for seed in (5, 5, 6):
        _, out = planted(tmp_path, inputs, seed=seed, n_per_tile=10)
        bytes_of.append((out["image"].read_bytes(), out["planted"].read_bytes()))
    assert bytes_of[0] == bytes_of[1]
    assert bytes_of[0][1] != bytes_of[2][1]


def test_more_than_the_tile_takes_is_capped_and_said(inputs, tmp_path):
    result, _ = planted(tmp_path, inputs, n_per_tile=2000)
    assert result.metrics["n_planted"] < 400
    assert "more would crowd" in result.warnings[0]


def test_nothing_to_plant_is_no_error(inputs, tmp_path):
    with pytest.raises(NoWork, match="n_per_tile"):
        planted(tmp_path, inputs, n_per_tile=0)
    mask = np.ones(fits.read_mask(inputs["mask"]).shape, np.int32)
    fits.write_mask(tmp_path / "all.mask.fits", mask, fits.read_header(inputs["mask"]))
    with pytest.raises(NoWork, match="100% of the tile is masked"):
        planted(tmp_path, {**inputs, "mask": tmp_path / "all.mask.fits"}, n_per_tile=5)


@pytest.mark.soak
def test_artificial_stars_are_found_as_often_as_real_ones(tmp_path):
    """On a simulated plate, at equal signal to noise by the PSF at the true place, which owes nothing to detection."""
    image, header = Sky(20).cutout(150.0, 20.0, 50, 46)
    truth = Sky(20).truth(150.0, 20.0, 50, 46)
    fits.write_image(tmp_path / "t.fits", image, header)
    fits.write_mask(tmp_path / "t.mask.fits", np.zeros(image.shape, np.int32), header)
    found = detected(tmp_path, image.astype(np.float32), header, "embedded")
    _, model, _ = psf_of(tmp_path, found, "embedded")
    made = {"psf": tmp_path / "embedded.psf", "psf_quality": tmp_path / "embedded.psf.fits"}
    stars = truth[(truth["label"] == "star") & (truth["snr_plate"] > 1)]
    tree = cKDTree(np.c_[stars["x_px"], stars["y_px"]])
    alone = tree.query(tree.data, k=2)[0][:, 1] > 12
    real = in_bins(image, stars["x_px"][alone], stars["y_px"][alone], model)
    ours = np.zeros_like(real)
    for seed in range(3):
        inputs = {"image": tmp_path / "t.fits", "mask": tmp_path / "t.mask.fits", **made}
        _, out = planted(tmp_path, inputs, seed=seed, n_per_tile=500, snr_range=(10, 60))
        places = tables.read(out["planted"])
        places = places[tree.query(np.c_[places["x_px"], places["y_px"]])[0] > 12]
        ours += in_bins(fits.read_image(out["image"])[0], places["x_px"], places["y_px"], model)
    (n_real, k_real), (n_ours, k_ours) = real, ours
    assert min(n_real.min(), n_ours.min()) > 15
    pooled = (k_real + k_ours + 1) / (n_real + n_ours + 2)
    sigma = np.sqrt(pooled * (1 - pooled) * (1 / n_real + 1 / n_ours))
    assert np.all(np.abs(k_real / n_real - k_ours / n_ours) < 3 * sigma + 0.05)
    assert k_ours[0] / n_ours[0] < 0.2
    assert k_ours[-1] / n_ours[-1] > 0.95


def in_bins(image, x_px, y_px, model):
    """Number of sources, and of detected ones, in bins of signal to noise measured by the PSF at given places."""
    detections, sky = first_pass(np.asarray(image, np.float32))
    light = measure_psf(sky.subtracted, sky.rms_adu, x_px, y_px, model)
    x_px, y_px = np.asarray(x_px), np.asarray(y_px)
    close = np.hypot(detections["x_px"] - x_px[:, None], detections["y_px"] - y_px[:, None]).min(axis=1) < 2
    snr = light["flux_psf_adu"] / light["flux_psf_err_adu"]
    edges = [14, 19, 23, 27, 33, 50]
    return np.array([np.histogram(snr, edges)[0], np.histogram(snr[close], edges)[0]], float)
