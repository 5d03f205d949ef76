"""Step 00 from every kind of request."""

import math
import re

import astropy.units as u
import numpy as np
import pytest
from mocpy import MOC
from tests.plate_scene import header

from lostlight.core.errors import ConfigError
from lostlight.core.params import TilesParams
from lostlight.core.step import Outputs
from lostlight.io import fits, positions, tables
from lostlight.steps.s00_tiles import _plan, tiles
from lostlight.vocab.columns import TILES


@pytest.fixture
def run(tmp_path):
    def _run(**knobs):
        params = TilesParams(**knobs)
        names = {"tiles": "tiles.fits", "tiles_csv": "tiles.csv", "moc": "coverage.moc.fits"}
        out = Outputs({role: tmp_path / name for role, name in names.items()})
        result = tiles(_plan([], params)[0], params, out)
        return tables.read(out["tiles"]), result, out

    return _run


@pytest.fixture
def csv(tmp_path):
    def _csv(text):
        path = tmp_path / "positions.csv"
        path.write_text(text)
        return str(path)

    return _csv


def test_one_position(run):
    table, result, out = run(positions=[{"ra_deg": 150, "dec_deg": 20}])
    assert tuple(table.colnames) == TILES
    assert list(table["tile_id"]) == ["tile_RA150.000_DECp20.000"]
    assert (tables.read(out["tiles_csv"])["tile_id"] == table["tile_id"]).all()
    covered = MOC.load(out["moc"], "fits")
    assert covered.contains_lonlat([150.4, 150.7] * u.deg, [20.4, 20.0] * u.deg).tolist() == [True, False]
    assert result.metrics["sky_fraction"] * 41253 == pytest.approx(1.0, abs=0.1)


def test_the_same_bytes_again(run):
    first = [
        run(region={"ra_deg": 0, "dec_deg": 89.5, "radius_deg": 1})[2][role].read_bytes() for role in ("tiles", "moc")
    ]
    again = [
        run(region={"ra_deg": 0, "dec_deg": 89.5, "radius_deg": 1})[2][role].read_bytes() for role in ("tiles", "moc")
    ]
    assert first == again


def test_positions_from_a_table(run, csv):
    table, _, _ = run(positions_csv=csv("# mine\nname;RA_deg;DEC_deg\na;10.5;-5\n\nb;11.5;-6\n"), rings=1)
    assert len(table) == 14
    assert list(table["ra_deg"][[0, 7]]) == [10.5, 11.5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ra,dec\n150,20\n361,3\n", "row 2: ra_deg = 361"),
        ("ra,dec\n150,20\n150,20\n", "row 2.*row 1"),
        ("ra,dec\n150,nan\n", "row 1: dec = 'nan'"),
        ("ra,dec\n10:00:00,+20:00:00\n", "decimal degrees"),
        ("ra,dec\n150\n", "row 1: dec = ''"),
        ("ra,dec\n", "no positions"),
        ("", "empty"),
        ("x,y\n1,2\n", "no columns ra_deg and dec_deg"),
    ],
)
def test_bad_tables_are_refused_by_row(run, csv, text, words):
    with pytest.raises(ConfigError) as caught:
        run(positions_csv=csv(text))
    assert re.search(words, str(caught.value))


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"random_n": 3, "all_sky": True},
        {"mode": "single", "positions": [{"ra_deg": 1, "dec_deg": 1}], "rings": 1},
        {"mode": "plate"},
        {"positions_csv": "nowhere.csv"},
        {"images": "nowhere"},
        {"positions": [{"ra_deg": 1, "dec_deg": 1}, {"ra_deg": 1.0001, "dec_deg": 1}]},
    ],
)
def test_requests_without_sense_are_refused(run, knobs):
    with pytest.raises(ConfigError):
        run(**knobs)


def test_not_a_text_file(tmp_path):
    path = tmp_path / "positions.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        positions.read(path)


def test_plates_of_the_survey(run, shared_data):
    archive = str(shared_data / "poss1-plates" / "plate_headers_dev.tar.gz")
    table, _, _ = run(mode="plate", plates=archive, region={"ra_deg": 133.98, "dec_deg": 11.45, "radius_deg": 1.0})
    assert len(table) > 3
    assert all(names.split()[0] == "XE486" for names in table["plates"])
    centres = str(shared_data / "poss1-plates" / "plate_manifest.csv")
    table, _, _ = run(positions=[{"ra_deg": 133.0, "dec_deg": 11.8}], plates=centres)
    assert "XE486" in table["plates"][0].split()


def test_own_images(run, tmp_path, shared_data):
    folder = tmp_path / "own"
    folder.mkdir()
    image = np.arange(90 * 121, dtype=np.float32).reshape(90, 121)
    fits.write_image(folder / "a.fits", image, header(image.shape, 5.0, 0.05, -30.0))
    fits.write_image(folder / "b.fits", image, header(image.shape, 5.0, 40.0, 30.0))
    fits.write_image(folder / "c.fits", image, header(image.shape, 5.0, 40.0, 30.0))
    fits.write_image(folder / "d.fits", image)
    (folder / "e.fits").write_bytes(b"not FITS")
    (folder / "notes.txt").write_text("no image")
    table, result, _ = run(images=str(folder))
    assert list(table["plates"]) == ["a.fits", "b.fits", "c.fits", "d.fits", "e.fits"]
    assert list(table["tile_id"]) == [
        "tile_RA000.050_DECm30.000", "tile_RA040.000_DECp30.000_b", "tile_RA040.000_DECp30.000_c", "tile_d", "tile_e",
    ]  # fmt: skip
    assert table["width_arcmin"][0] == pytest.approx(121 * 5 / 60, rel=1e-4)
    assert table["height_arcmin"][0] == pytest.approx(90 * 5 / 60, rel=1e-4)
    assert table["ra1_deg"][0] > 0.1  # south-east first
    assert table["dec1_deg"][0] < -30
    assert result.metrics["n_unplaced"] == 2
    assert all(math.isnan(table["ra_deg"][k]) for k in (3, 4))


def test_the_real_plate(run, shared_data):
    table, _, _ = run(images=str(shared_data / "dss1-m67" / "M6707HH.fits.gz"))
    assert list(table["tile_id"]) == ["tile_RA132.834_DECp11.812"]
    assert table["width_arcmin"][0] == pytest.approx(30.01, abs=0.02)
