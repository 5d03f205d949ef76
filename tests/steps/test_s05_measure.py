"""Step 05 on made-up tiles and on a real plate, by both engines."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.table import Table
from scipy.spatial import cKDTree
from tests.starfield import add_star, starfield

from lostlight.core.errors import TooFewSources
from lostlight.core.params import MeasureParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import fits, psfex, tables
from lostlight.science.detect.parity import compare, pair
from lostlight.steps.s05_measure import measure
from lostlight.vocab import bits, columns

TILE = "tile_RA150.000_DECp20.000"
ENGINES = ["embedded", pytest.param("reference", marks=pytest.mark.needs_sextractor)]
SHAPE = (301, 343)


def tangent_plane(shape=SHAPE, **more):
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 20.0}
    cards |= {"CRPIX1": shape[1] / 2 + 0.5, "CRPIX2": shape[0] / 2 + 0.5}
    cards |= {"CDELT1": -1.7 / 3600, "CDELT2": 1.7 / 3600, "RADESYS": "ICRS", **more}
    return Header(cards.items())


def moffat_model(path: Path, fwhm_px=3.0) -> None:
    """A PSF file with the mean star of a starfield, the same everywhere."""
    image = np.zeros((25, 25))
    add_star(image, 12, 12, 1.0, fwhm_px, half=12)
    fields = {"basis": image[None] / image.sum(), "step_px": 1.0, "degree": 0, "fwhm_px": fwhm_px, "chi2": 1.0}
    fields |= {"x_zero_px": 0.0, "y_zero_px": 0.0, "x_scale_px": 1.0, "y_scale_px": 1.0}
    psfex.write_model(path, fields | {"n_loaded": 50, "n_accepted": 50})


def run(folder: Path, image, header=None, mask=None, engine="embedded", **params):
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(image.shape, int) if mask is None else mask
    fits.write_image(folder / "clean.fits", image, tangent_plane(image.shape) if header is None else header)
    fits.write_mask(folder / "mask.fits", mask)
    moffat_model(folder / "tile.psf")
    unit = Unit(TILE, {role: folder / f"{role}.fits" for role in ("clean", "mask")} | {"psf": folder / "tile.psf"})
    out = Outputs({"p2": folder / f"{TILE}.p2.fits"})
    result = measure(unit, MeasureParams(engine=engine, **params), out)
    return result, tables.read(out["p2"]), out


@pytest.fixture(scope="module")
def field():
    return starfield(41, shape=SHAPE, n_stars=90, widening=0.0, ellipticity=0.0)


@pytest.fixture(scope="module", params=ENGINES)
def measured(request, field, tmp_path_factory):
    mask = np.zeros(SHAPE, int)
    mask[:20] |= bits.mask("EDGE")
    mask[100:140, 100:180] |= bits.mask("HALO")
    header = tangent_plane(REGION="XE309", PLATERA=149.0, PLATEDEC=20.0)
    return run(tmp_path_factory.mktemp(request.param), field.image, header, mask, request.param)


def test_rows_and_names(measured):
    result, found, out = measured
    assert tuple(found.colnames) == columns.DETECTIONS
    assert result.metrics["n_sources"] == len(found) == out.sizes["p2"][0] > 60
    assert len(set(found["src_id"])) == len(found)
    assert found["src_id"][0] == f"{TILE}:{found['object_id'][0]}"
    assert set(found["plate_id"]) == {"XE309"}


def test_sky_positions_are_those_of_the_stars(measured, field):
    _, found, _ = measured
    mine, stars = pair(found, field.stars)
    assert len(mine) > 60
    ra = 150 - (field.stars["x_px"][stars] - (SHAPE[1] - 1) / 2) * 1.7 / 3600 / np.cos(np.radians(20))
    dec = 20 + (field.stars["y_px"][stars] - (SHAPE[0] - 1) / 2) * 1.7 / 3600
    assert np.median(np.abs(found["ra_deg"][mine] - ra)) * 3600 < 0.15
    assert np.median(np.abs(found["dec_deg"][mine] - dec)) * 3600 < 0.15


def test_stars_look_like_stars(measured, field):
    _, found, _ = measured
    mine, stars = pair(found, field.stars)
    clean = (found["extraction_flags"][mine] == 0) & (found["snr_win"][mine] > 50)
    ratio = found["flux_psf_adu"][mine][clean] / field.stars["flux_adu"][stars][clean]
    assert np.median(ratio) == pytest.approx(1, abs=0.03)
    assert abs(np.median(found["spread_model"][mine][clean])) < 1e-3
    assert np.all(np.isfinite(found["mag_psf"][mine][clean]))


def test_mask_bits_are_those_under_the_source(measured):
    _, found, _ = measured
    well_inside = (found["y_px"] > 105) & (found["y_px"] < 135) & (found["x_px"] > 105) & (found["x_px"] < 175)
    well_outside = (found["y_px"] > 150) | ((found["x_px"] < 90) & (found["y_px"] > 30))
    assert well_inside.sum() > 1
    assert set(found["mask_bits"][well_inside]) == {bits.mask("HALO")}
    assert not found["mask_bits"][well_outside].any()


def test_distances(measured):
    _, found, _ = measured
    assert found["edge_distance_px"].min() < 15
    assert found["edge_distance_px"].max() > 100
    assert np.all(np.abs(found["plate_radius_deg"] - np.cos(np.radians(20))) < 0.15)


def test_same_input_same_bytes(field, tmp_path):
    outs = [run(tmp_path / name, field.image)[2] for name in ("one", "two")]
    assert outs[0]["p2"].read_bytes() == outs[1]["p2"].read_bytes()


@pytest.mark.needs_sextractor
def test_engines_agree_given_one_psf(field, tmp_path):
    kept = {name: run(tmp_path / name, field.image, engine=name)[1] for name in ("reference", "embedded")}
    found = compare(kept["reference"], kept["embedded"])
    assert found.meta["common_fraction"] >= 0.997
    median = dict(zip(found["column"], np.abs(found["median"]), strict=True))
    assert median["mag_auto"] <= 0.005
    assert median["fwhm_px"] <= 1e-3
    assert median["snr_win"] <= 0.01
    assert median["spread_model"] <= 5e-4


@pytest.mark.needs_sextractor
def test_native_spread_is_the_programs_own(field, tmp_path):
    image = field.image[:97, :131]
    own = run(tmp_path / "own", image, engine="reference")[1]
    native = run(tmp_path / "native", image, engine="reference", spread="native")[1]
    clean = (own["extraction_flags"] == 0) & (own["snr_win"] > 20)
    difference = np.asarray(native["spread_model"] - own["spread_model"])[clean]
    assert 0 < np.median(np.abs(difference)) < 1e-3
    assert np.array_equal(native["flux_psf_adu"], own["flux_psf_adu"])


def test_plate_id_is_the_tile_where_the_header_names_no_plate(field, tmp_path):
    _, found, _ = run(tmp_path, field.image)
    assert set(found["plate_id"]) == {TILE}
    assert np.isnan(found["plate_radius_deg"]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_wedge(field, tmp_path, engine):
    blank = np.indices(SHAPE)[1] > 250
    image = np.where(blank, np.nan, field.image).astype(np.float32)
    _, found, _ = run(tmp_path, image, mask=np.where(blank, bits.mask("BLANK"), 0), engine=engine)
    assert found["x_px"].max() < 251
    near = found["x_px"] > 240
    assert np.all(found["edge_distance_px"][near] < 11)
    assert np.isfinite(found["ra_deg"]).all()


def test_no_source_is_an_error_with_a_way_out(tmp_path):
    image = np.random.default_rng(1).normal(3800, 20, (97, 131)).astype(np.float32)
    with pytest.raises(TooFewSources, match="on 131 x 97 pixels") as caught:
        run(tmp_path, image)
    assert "measure.threshold_sigma" in caught.value.hint


@pytest.mark.needs_shared
@pytest.mark.parametrize("engine", ENGINES)
def test_plate_with_nothing_but_a_plate_solution(shared_data, tmp_path, engine):
    image, header = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    assert "CTYPE1" not in header
    _, found, _ = run(tmp_path, image, header, engine=engine)
    assert len(found) > 1300
    assert np.all(np.abs(found["ra_deg"] - 132.83) < 0.4)
    assert np.all(np.abs(found["dec_deg"] - 11.81) < 0.3)
    centre = np.argmin(np.hypot(found["x_px"] - 529, found["y_px"] - 529))
    shift = np.hypot(found["xwin_px"][centre] - 529, found["ywin_px"][centre] - 529) * 1.7 / 3600
    ra, dec = found["ra_deg"][centre], found["dec_deg"][centre]
    assert np.hypot((ra - 132.83395) * np.cos(np.radians(dec)), dec - 11.81182) == pytest.approx(shift, rel=0.01)


def gaia_at(path: Path, epoch_yr: float):
    """Right ascension and declination of catalogue stars at another epoch; those without proper motion stay."""
    stars = Table.read(path, format="csv")
    years, dec = epoch_yr - 2016.0, np.asarray(stars["dec"])
    motion = {name: np.nan_to_num(np.ma.filled(stars[name].astype(float), 0.0)) for name in ("pmra", "pmdec")}
    ra = np.asarray(stars["ra"]) + motion["pmra"] * years / 3.6e6 / np.cos(np.radians(dec))
    return ra, dec + motion["pmdec"] * years / 3.6e6


@pytest.mark.needs_shared
@pytest.mark.parametrize("engine", ENGINES)
def test_detections_of_a_real_plate_are_stars(shared_data, tmp_path, engine):
    image, header = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    _, found, _ = run(tmp_path, image, header, engine=engine, min_area_px=3)
    assert len(found) == pytest.approx(1448, abs=5)
    ra, dec = gaia_at(shared_data / "dss1-m67" / "gaia_edr3_m67_r0.5deg.csv.gz", 1951.91)
    flat = np.cos(np.radians(11.81))
    offset, star = cKDTree(np.column_stack([ra * flat, dec])).query(
        np.column_stack([found["ra_deg"] * flat, found["dec_deg"]])
    )
    assert np.sum(offset * 3600 < 5) == pytest.approx(1405, rel=0.01)
    tight = offset * 3600 < 1.5
    for mine, theirs in ((found["ra_deg"] * flat, ra[star] * flat), (found["dec_deg"], dec[star])):
        assert 1.4826 * np.median(np.abs((mine - theirs)[tight] - np.median((mine - theirs)[tight]))) * 3600 < 0.20
