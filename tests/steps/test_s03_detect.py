"""Step 03 on made-up tiles, by both engines."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io.fits import Header
from tests.starfield import starfield

from lostlight.core.errors import BadImage, TooFewSources
from lostlight.core.params import DetectParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import fits, tables
from lostlight.steps.s03_detect import detect, engines
from lostlight.vocab import bits, columns

TILE = "tile_RA150.000_DECp20.000"
ENGINES = ["embedded", pytest.param("reference", marks=pytest.mark.needs_sextractor)]


def run(folder: Path, image, mask=None, engine="embedded", card=None, **params):
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(image.shape, int) if mask is None else mask
    fits.write_image(folder / "clean.fits", image, Header())
    fits.write_mask(folder / "mask.fits", mask, Header([("SATURATE", card)] if card else []))
    unit = Unit(TILE, {"clean": folder / "clean.fits", "mask": folder / "mask.fits"})
    out = Outputs({"p1": folder / f"{TILE}.p1.fits", "p1_ldac": folder / f"{TILE}.p1.cat"})
    return detect(unit, DetectParams(engine=engine, **params), out), out


@pytest.fixture(scope="module")
def field():
    return starfield(31, shape=(301, 343), n_stars=90)


@pytest.mark.parametrize("engine", ENGINES)
def test_products(field, tmp_path, engine):
    result, out = run(tmp_path, field.image, engine=engine)
    found = tables.read(out["p1"])
    assert tuple(found.colnames) == columns.PASS1
    assert result.metrics["n_sources"] == len(found) == out.sizes["p1"][0] > 60
    assert out["p1_ldac"].exists() == (engine == "reference")


@pytest.mark.parametrize("engine", ENGINES)
def test_same_input_same_bytes(field, tmp_path, engine):
    outs = [run(tmp_path / name, field.image, engine=engine)[1] for name in ("one", "two")]
    for role in ("p1", "p1_ldac") if engine == "reference" else ("p1",):
        assert outs[0][role].read_bytes() == outs[1][role].read_bytes()


@pytest.mark.needs_sextractor
def test_engines_agree(field, tmp_path):
    kept = {}
    for engine in ("embedded", "reference"):
        kept[engine] = tables.read(run(tmp_path / engine, field.image, engine=engine)[1]["p1"])
    assert len(kept["embedded"]) == len(kept["reference"])
    order = {name: np.lexsort((table["x_px"].round(2), table["y_px"].round(2))) for name, table in kept.items()}
    first, second = (kept[name][order[name]] for name in ("reference", "embedded"))
    clean = (first["extraction_flags"] == 0) & (second["extraction_flags"] == 0)
    for name in ("flux_radius_px", "snr_win", "flux_aper_adu", "flux_aper_err_adu", "flux_max_adu", "elongation"):
        assert np.median(np.abs(second[name] / first[name] - 1)[clean]) < 1e-3, name


@pytest.mark.parametrize("engine", ENGINES)
def test_blank_pixels_are_not_searched(field, tmp_path, engine):
    blank = np.indices(field.image.shape)[1] > 200
    mask = np.where(blank, bits.mask("BLANK"), bits.mask("EDGE"))
    image = np.where(blank, np.nan, field.image).astype(np.float32)
    found = tables.read(run(tmp_path, image, mask, engine)[1]["p1"])
    assert len(found) > 30
    assert found["x_px"].max() < 201


@pytest.mark.parametrize("engine", ENGINES)
def test_saturation_level_comes_from_the_mask(field, tmp_path, engine):
    level = float(np.percentile(field.image, 99.9))
    found = tables.read(run(tmp_path, field.image, engine=engine, card=level)[1]["p1"])
    peaks = found["flux_max_adu"] + field.level_adu
    saturated = (found["extraction_flags"] & 4) > 0
    assert saturated.any()
    assert peaks[saturated].min() > level - 60
    assert peaks[~saturated].max() < level + 60


@pytest.mark.parametrize("engine", ENGINES)
def test_no_source_is_an_error_with_a_way_out(tmp_path, engine):
    image = np.random.default_rng(1).normal(3800, 20, (97, 131)).astype(np.float32)
    with pytest.raises(TooFewSources, match="no source above 5 sigma on 131 x 97 pixels") as caught:
        run(tmp_path, image, engine=engine)
    assert "threshold_sigma" in caught.value.hint


@pytest.mark.parametrize("engine", ENGINES)
def test_blank_tile_is_refused(tmp_path, engine):
    image = np.full((97, 131), np.nan, dtype=np.float32)
    with pytest.raises(BadImage, match="every pixel is blank"):
        run(tmp_path, image, np.full(image.shape, bits.mask("BLANK")), engine)


def test_versions_enter_the_fingerprint():
    assert set(engines(DetectParams(engine="embedded"))) == {"sep"}


@pytest.mark.needs_sextractor
def test_version_of_the_program_enters_the_fingerprint():
    assert engines(DetectParams(engine="reference"))["source-extractor"][0].isdigit()
