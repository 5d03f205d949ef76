import csv

import numpy as np
import pytest
from astropy.table import Table
from tests.tile_scene import Tile

from lostlight.core import step as steps
from lostlight.core.errors import BadAstrometry, BadCatalogue
from lostlight.core.params import XmatchParams
from lostlight.io import tables

STEP = steps.find("07_xmatch")
EMBEDDED = XmatchParams(engine="embedded")
REFERENCE = XmatchParams(engine="reference")


def run(tile, params=EMBEDDED, sub="out"):
    unit, out = tile.unit(), tile.outputs(STEP, sub)
    prepared = STEP.prepare([unit], params).get(unit.id)
    if isinstance(prepared, Exception):
        raise prepared
    result = STEP.run(steps.Unit(unit.id, unit.inputs, prepared=prepared), params, out)
    return result, {role: tables.read(out[role]) for role in ("detections", "matches", "unmatched")}, out


def read_csv(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_stars_match_and_vanished_sources_do_not(tmp_path):
    tile = Tile(tmp_path)
    result, made, out = run(tile)
    assert set(made["unmatched"]["object_id"]) == set(tile.p2["object_id"][tile.is_vanished])
    assert len(made["matches"]) == 300 and len(made["detections"]) == 312
    assert result.metrics["n_matched"] + result.metrics["n_unmatched"] == result.metrics["n_detections"] == 312
    assert all(check.passed for check in result.checks)
    assert result.metrics["scatter_ra_arcsec"] == pytest.approx(0.15, rel=0.25)
    assert result.metrics["residual_shift_arcsec"] == pytest.approx(0.5, abs=0.1)
    assert np.max(made["matches"]["separation_arcsec"]) < 1
    assert 0 < result.metrics["chance_fraction_usnob"] < 0.05
    assert made["detections"].meta["PIXSCALE"] == pytest.approx(1.7, abs=1e-4)
    assert np.array_equal(made["detections"]["ra_plate_deg"], tile.p2["ra_deg"])
    assert len(read_csv(out["local"])) == 12 and len(read_csv(out["xmatch"])) == 300


def test_a_catalogue_that_ends_within_the_tile_is_told(tmp_path):
    tile = Tile(tmp_path)
    assert run(tile)[0].warnings == []
    tile.usnob = tile.usnob[:110]
    (warning,) = run(tile)[0].warnings
    assert "only 35 %" in warning and "as wide and as deep" in warning


def test_cdss_holds_what_the_plate_lacks_inside_the_image(tmp_path):
    tile = Tile(tmp_path)
    _, made, out = run(tile)
    rows = read_csv(out["cdss"])
    x, y = tile.sky.all_world2pix([float(row["ra_deg"]) for row in rows], [float(row["dec_deg"]) for row in rows], 0)
    assert 80 < len(rows) < 150
    assert np.all((np.abs(x - 451) < 452) & (np.abs(y - 600) < 601.5))
    assert not {row["ref_id"] for row in rows} & set(made["matches"]["ref_id"])


def test_tables_without_rows_keep_their_header(tmp_path):
    result, _, out = run(Tile(tmp_path, n_vanished=0))
    assert result.metrics["n_unmatched"] == 0
    assert out["local"].read_text().startswith("src_id,tile_id,plate_id,object_id,ra_deg,dec_deg,")
    assert read_csv(out["local"]) == []


@pytest.mark.needs_stilts
@pytest.mark.parametrize("centre", [(150.0, 20.0), (0.001, -5.0), (40.0, 89.95)])
def test_both_engines_give_the_same_tables(tmp_path, centre):
    tile = Tile(tmp_path, centre=centre)
    # a second catalogue with duplicated rows and a first-epoch row beside every tenth star
    tile.other["gaia"] = Table(tile.usnob[[*range(300), *range(300)]], copy=True)
    _, one, ours = run(tile, EMBEDDED, "embedded")
    _, _, theirs = run(tile, REFERENCE, "reference")
    assert len(one["matches"]) > 300 and len(one["unmatched"]) == 12
    for role in STEP.makes:
        assert ours[role].read_bytes() == theirs[role].read_bytes(), role


@pytest.mark.needs_stilts
def test_a_tile_at_fault_does_not_touch_its_companions(tmp_path):
    good, bad = Tile(tmp_path / "good"), Tile(tmp_path / "bad", tile_id="tile_RA010.000_DECp20.000", seed=2)
    bad.usnob["dec_deg"][5] = np.nan
    units = [good.unit(), bad.unit()]
    together = STEP.prepare(units, REFERENCE)
    assert isinstance(together[bad.id], BadCatalogue) and "usnob: row 5" in str(together[bad.id])
    alone = STEP.prepare(units[:1], REFERENCE)[good.id]
    for one, other in zip(together[good.id][1]["usnob"], alone[1]["usnob"], strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_catalogue_or_the_wrong_one_fails_the_tile(tmp_path):
    tile = Tile(tmp_path)
    unit = tile.unit()
    without = steps.Unit(unit.id, {role: path for role, path in unit.inputs.items() if role != "usnob"})
    with pytest.raises(BadCatalogue, match="no reference catalogue"):
        STEP.run(without, EMBEDDED, tile.outputs(STEP))
    other = Tile(tmp_path / "other", seed=9)
    tile.usnob = other.usnob
    with pytest.raises(BadAstrometry):
        run(tile)


def test_the_same_bytes_twice(tmp_path):
    tile = Tile(tmp_path)
    _, _, first = run(tile, sub="first")
    _, _, second = run(tile, sub="second")
    for role in STEP.makes:
        assert first[role].read_bytes() == second[role].read_bytes(), role
