"""Step 01 against the local server: the right verdict for every tile, and never a clean bad one."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import stamina
from astropy.io import fits
from astropy.io.fits import Header
from tests.fakesky import FakeSky

from lostlight.core.errors import BadDate, BadImage, ConfigError, LostlightError, NoWCS, RemoteDown, WrongSurvey
from lostlight.core.manifest import Manifest, Product, UnitRecord
from lostlight.core.params import DownloadParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import planes, tables
from lostlight.io.fits import read_image
from lostlight.science.calibrate.planes import Planes
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve
from lostlight.steps.s01_download import download, plan
from lostlight.vocab import bits
from lostlight.vocab.columns import TILES

TILE = "tile_RA150.000_DECp20.000"
FACTS = {"ra_deg": 150.0, "dec_deg": 20.0, "width_arcmin": 8.0, "height_arcmin": 6.0, "plates": ""}


@pytest.fixture(autouse=True)
def _fast(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


def params(server=None, **changes):
    return DownloadParams(url=server.base_url if server else "", min_interval_s=0, timeout_s=5, **changes)


def run(tmp_path, parameters, unit=None, name="image"):
    out = Outputs({"image": tmp_path / f"{name}.fits"})
    return out["image"], download(unit or Unit(TILE, {}, FACTS), parameters, out)


def manifest_of_tiles(tmp_path, *rows):
    table = tables.empty(TILES)
    for row in rows:
        table.add_row({**{name: 0 for name in TILES if name not in ("tile_id", "plates")}, "plates": "", **row})
    table = tables.conform(table, TILES)
    tables.write(table, tmp_path / "run" / "00_tiles" / "products" / "tiles.fits", TILES)
    product = Product(path="00_tiles/products/tiles.fits", sha256="", bytes=0)
    record = UnitRecord(id="run", status="ok", outputs={"tiles": product})
    return Manifest(run_id="run", step="00_tiles", step_version=1, status="ok", units=(record,)).at(
        tmp_path / "run" / "00_tiles" / "manifest.json"
    )


def own_plate(path, ra_deg=150.0, minutes=30.0, **cards):
    image, header = FakeSky(seed=3).cutout(ra_deg, 20.0, minutes, minutes)
    for name, value in cards.items():
        header[name] = value
    hdu = fits.PrimaryHDU(image, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu.writeto(path)
    return image


def test_one_unit_for_each_tile(tmp_path):
    manifest = manifest_of_tiles(tmp_path, {"tile_id": TILE, **FACTS}, {"tile_id": "other", **FACTS, "ra_deg": 10.0})
    units = plan([manifest], params())
    assert [unit.id for unit in units] == [TILE, "other"]
    assert units[0].facts == FACTS
    json.dumps(units[1].facts)


def test_the_image_is_the_archives(tmp_path):
    sky = FakeSky()
    with serve(sky) as server:
        path, result = run(tmp_path, params(server))
    data, header = read_image(path)
    truth, card = sky.cutout(150.0, 20.0, 8.0, 6.0)
    np.testing.assert_array_equal(data, truth)
    assert fits.getheader(path)["BITPIX"] == 16
    assert header["CRVAL1"] == card["CRVAL1"]
    assert result.metrics["plate_id"] == "XE309"
    assert result.metrics["scale_arcsec_px"] == pytest.approx(1.7, abs=1e-3)
    assert result.metrics["epoch_yr"] == pytest.approx(1953.026, abs=0.001)
    assert (result.metrics["nx"], result.metrics["ny"]) == (282, 212)


def test_the_same_bytes_again_with_and_without_cache(tmp_path, monkeypatch):
    with serve(FakeSky()) as server:
        first = run(tmp_path, params(server))[0].read_bytes()
        cached = run(tmp_path, params(server), name="cached")[0].read_bytes()
        monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "another"))
        fetched = run(tmp_path, params(server), name="fetched")[0].read_bytes()
        assert len(server.requests) == 2
    assert first == cached == fetched


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("html200", BadImage, "NON_FITS"),
        ("empty", BadImage, "EMPTY"),
        ("all_blank", BadImage, "EMPTY"),
        ("truncated", BadImage, "TRUNCATED"),
        ("small", BadImage, "TRUNCATED"),
        ("wrong_survey", WrongSurvey, "WRONG_SURVEY"),
        ("no_wcs", NoWCS, "NON_WCS"),
    ],
)
def test_rejected_payloads_are_kept_with_the_reason(tmp_path, kind, error, reason):
    with serve(FakeSky(), faults=Faults((Fault(kind),))) as server, pytest.raises(error) as caught:
        run(tmp_path, params(server, retries=1))
    assert caught.value.facts["reason"] == reason
    kept = tmp_path / "cache" / caught.value.facts["evidence"]
    assert kept.is_file()
    assert kept.suffix == (".html" if kind == "html200" else ".bin")
    assert json.loads((kept.parent / f"{TILE}.{reason}.json").read_text())["reason"] == reason
    assert not (tmp_path / "image.fits").exists()
    assert str(tmp_path) not in str(caught.value), "no path of this machine in what goes to the manifest"


def test_an_archive_that_is_down_fails_the_tile(tmp_path):
    with serve(FakeSky(), faults=Faults((Fault("busy503"),))) as server, pytest.raises(RemoteDown):
        run(tmp_path, params(server, retries=1))
    assert not (tmp_path / "image.fits").exists()


@pytest.mark.parametrize("kind", ["gzip", "date_overflow", "partial_dss", "blank_wedge"])
def test_oddities_that_are_no_faults_pass(tmp_path, kind):
    with serve(FakeSky(), faults=Faults((Fault(kind),))) as server:
        path, result = run(tmp_path, params(server))
    assert read_image(path)[0].shape == (212, 282)
    if kind == "date_overflow":
        assert result.metrics["epoch_yr"] == pytest.approx(1953.02591, abs=2e-5), "04:65 is 05:05"


def test_only_the_faulty_tile_fails(tmp_path):
    faults = Faults((Fault("wrong_survey", ra_deg=150.5, dec_deg=20.0),))
    with serve(FakeSky(), faults=faults) as server:
        run(tmp_path, params(server))
        with pytest.raises(WrongSurvey):
            run(tmp_path, params(server), Unit("other", {}, {**FACTS, "ra_deg": 150.5}))


def test_a_changed_answer_is_a_warning(tmp_path):
    with serve(FakeSky(), faults=Faults((Fault("changed", first=1),))) as server:
        assert not run(tmp_path, params(server))[1].warnings
        assert not run(tmp_path, params(server))[1].warnings, "the cache keeps a run as it was"
        assert "differs" in run(tmp_path, params(server, refresh=True))[1].warnings[0]


def test_offline(tmp_path):
    with serve(FakeSky()) as server:
        run(tmp_path, params(server))
        run(tmp_path, params(server, offline=True))
        with pytest.raises(LostlightError, match="offline"):
            run(tmp_path, params(server, offline=True), Unit("other", {}, {**FACTS, "ra_deg": 150.5}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "skyview"}, "resampled"),
        ({"source": "folder", "folder": "nowhere"}, "nowhere"),
        ({"source": "folder"}, "download.folder"),
    ],
)
def test_sources_that_cannot_be_used_are_refused_at_once(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        plan([manifest_of_tiles(tmp_path, {"tile_id": TILE, **FACTS})], params(**changes))


def own_units(tmp_path, *rows, **changes):
    manifest = manifest_of_tiles(tmp_path, *rows)
    settings = params(source="folder", folder=str(tmp_path / "own"), **changes)
    return settings, plan([manifest], settings)


@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
def test_a_tile_that_is_an_own_image(tmp_path, suffix):
    image = own_plate(tmp_path / "own" / f"mine.{suffix}", SURVEY="MINE")
    settings, (unit,) = own_units(tmp_path, {"tile_id": TILE, **FACTS, "plates": f"mine.{suffix}"}, survey="any")
    path, _ = run(tmp_path, settings, unit)
    np.testing.assert_array_equal(read_image(path)[0], image)


def test_a_tile_is_cut_out_of_the_own_plate_that_shows_it_best(tmp_path):
    own_plate(tmp_path / "own" / "a.fits", ra_deg=149.8, REGION="XE001")
    own_plate(tmp_path / "own" / "b.fits", ra_deg=150.1, REGION="XE002")
    (tmp_path / "own" / "broken.fits").write_bytes(b"SIMPLE  =")
    settings, units = own_units(tmp_path, {"tile_id": TILE, **FACTS}, {"tile_id": "off", **FACTS, "ra_deg": 170.0})
    assert [unit.inputs.get("plate") for unit in units] == [tmp_path / "own" / "b.fits", None]
    path, result = run(tmp_path, settings, units[0])
    assert result.metrics["plate_id"] == "XE002"
    assert read_image(path)[0].shape == (212, 282)
    with pytest.raises(BadImage, match="no plate") as caught:
        run(tmp_path, settings, units[1])
    assert caught.value.facts["reason"] == "WRONG_FIELD"


def test_an_own_image_without_exposure_has_none(tmp_path):
    own_plate(tmp_path / "own" / "mine.fits", EXPOSURE="unknown")
    settings, (unit,) = own_units(tmp_path, {"tile_id": TILE, **FACTS, "plates": "mine.fits"}, survey="any")
    assert run(tmp_path, settings, unit)[1].metrics["exposure_min"] is None


def test_own_images_are_judged_too(tmp_path):
    own_plate(tmp_path / "own" / "other.fits", SURVEY="POSSII-F")
    settings, (unit,) = own_units(tmp_path, {"tile_id": TILE, **FACTS})
    with pytest.raises(WrongSurvey):
        run(tmp_path, settings, unit)


def test_the_file_at_fault_is_named(tmp_path):
    own_plate(tmp_path / "own" / "mine.fits", **{"DATE-OBS": "yesterday"})
    settings, (unit,) = own_units(tmp_path, {"tile_id": TILE, **FACTS, "plates": "mine.fits"}, survey="any")
    with pytest.raises(BadDate, match=r"mine\.fits: DATE-OBS = 'yesterday'") as caught:
        run(tmp_path, settings, unit)
    assert caught.value.hint


def test_further_images_of_a_file_are_told(tmp_path):
    own_plate(tmp_path / "own" / "mine.fits")
    with fits.open(tmp_path / "own" / "mine.fits", mode="append") as hdus:
        hdus.append(fits.ImageHDU(np.ones((5, 6), np.int16)))
    settings, (unit,) = own_units(tmp_path, {"tile_id": TILE, **FACTS, "plates": "mine.fits"}, survey="any")
    assert run(tmp_path, settings, unit)[1].warnings == ["of the 2 images in mine.fits only the first is searched"]


def test_a_real_plate_is_cut_and_the_other_survey_refused(tmp_path, shared_data):
    folder = tmp_path / "own"
    folder.mkdir()
    for source in ("dss1-m67/M6707HH.fits.gz", "dss2-not-poss1/m51_dss1.fits.gz"):
        content = gzip.decompress((shared_data / source).read_bytes())
        (folder / source.split("/")[1].removesuffix(".gz")).write_bytes(content)
    m67 = {**FACTS, "ra_deg": 132.85, "dec_deg": 11.8}
    m51 = {**FACTS, "ra_deg": 202.48, "dec_deg": 47.23}
    settings, units = own_units(tmp_path, {"tile_id": "m51", **m51}, {"tile_id": "m67", **m67})
    with pytest.raises(WrongSurvey, match="POSSII-F"):
        run(tmp_path, settings, units[0])
    _, result = run(tmp_path, settings, units[1])
    assert result.metrics["plate_id"] == "XE486"
    assert result.metrics["epoch_yr"] == pytest.approx(1951.91, abs=0.01)


@pytest.fixture
def light(tmp_path):
    """A calibrated light with a spoilt pixel, and its header."""
    header = Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 20.0, "CRPIX1": 17.0,
                     "CRPIX2": 12.0, "CDELT1": -5e-4, "CDELT2": 5e-4, "DATE-OBS": "2024-03-10T21:00:00"})  # fmt: skip
    data, dq = np.random.default_rng(3).normal(300, 5, (23, 33)).astype(np.float32), np.zeros((23, 33), np.uint16)
    dq[4, 7], dq[5, 8] = bits.dq("SATURATED"), bits.dq("HOT", "INTERPOLATED")
    return Planes(data, np.ones_like(data), dq), header, tmp_path / "light_1.fits"


@pytest.mark.parametrize("n_colours", [1, 3])
def test_a_calibrated_light_comes_without_the_pixels_that_must_not_be_used(light, tmp_path, n_colours):
    whole, header, path = light
    colours = np.stack([whole.data * each for each in (0.5, 1, 1.5)]) if n_colours == 3 else whole.data
    planes.write(path, replace(whole, data=colours, uncert=np.ones_like(colours)), header)
    unit = Unit("light_1", {"plate": path}, {**FACTS, "plates": path.name})
    out = Outputs({"image": tmp_path / "out.fits"})
    download(unit, params(source="frames", survey="any"), out)
    data, kept = read_image(out["image"])
    assert np.argwhere(np.isnan(data)).tolist() == [[4, 7]]
    assert np.nanmax(np.abs(data - whole.data)) < 1e-3
    assert kept["CRVAL1"] == 150.0


def test_a_light_without_a_sky_solution_is_refused(light, tmp_path):
    whole, _, path = light
    planes.write(path, whole, Header({"DATE-OBS": "2024-03-10T21:00:00"}))
    unit = Unit("light_1", {"plate": path}, {**FACTS, "plates": path.name})
    with pytest.raises(NoWCS):
        download(unit, params(source="frames", survey="any"), Outputs({"image": tmp_path / "out.fits"}))
