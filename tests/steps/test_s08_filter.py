import json

import numpy as np
import pytest
from astropy.table import Table, vstack
from tests.fakesky import FakeSky
from tests.tile_scene import Tile, reference

from lostlight.core import step as steps
from lostlight.core.errors import BadCatalogue, BadMatch, RemoteError
from lostlight.core.params import FilterParams, LocusGates, XmatchParams
from lostlight.io import tables
from lostlight.science.plate import wcs
from lostlight.sim.server import serve
from lostlight.vocab import bits, columns

XMATCH = steps.find("07_xmatch")
STEP = steps.find("08_filter")
WIDE = FilterParams(locus=LocusGates(k_sigma=8))
"""A locus so wide that no star of 312 falls out by chance."""


EMBEDDED = XmatchParams(engine="embedded")


def matched(tile, params=EMBEDDED):
    unit, out = tile.unit(), tile.outputs(XMATCH)
    XMATCH.run(unit, params, out)
    return steps.Unit(unit.id, {**unit.inputs, **{role: out[role] for role in XMATCH.makes}})


def run(tile, params=WIDE, unit=None, sub="filter"):
    unit, out = unit or matched(tile), tile.outputs(STEP, sub)
    result = STEP.run(unit, params, out)
    return result, tables.read(out["flags"]), tables.read(out["survivors"]), json.loads(out["ledger"].read_text())


def has(table, name):
    return (np.asarray(table["flags"]) & bits.filters(name)) != 0


def near(tile, row, arcsec):
    """Position some arcsec north of where the source of a row truly is."""
    return tile.true[0][row], tile.true[1][row] + arcsec / 3600


def test_every_detection_keeps_its_row_and_the_vanished_survive(tmp_path):
    tile = Tile(tmp_path)
    result, flags, survivors, ledger = run(tile)
    assert list(flags["object_id"]) == list(tile.p2["object_id"])
    assert set(survivors["object_id"]) == set(tile.p2["object_id"][tile.is_vanished])
    assert np.array_equal(has(flags, "MATCHED"), ~tile.is_vanished)
    assert set(survivors["reason"]) == {"no lasting counterpart in usnob"}
    assert set(flags["reason"][~tile.is_vanished]) == {"MATCHED"}
    assert np.all(np.isnan(survivors["separation_arcsec"])) and np.all(survivors["n_plates"] == 1)
    assert ledger["n_rows"] == 312 and ledger["n_survivors"] == 12 == result.metrics["n_survivors"]
    assert result.checks[0].value < 1e-6


def test_a_star_seen_at_the_first_epoch_only_is_the_best_class(tmp_path):
    tile = Tile(tmp_path)
    rows = np.flatnonzero(tile.is_vanished)[:3]
    first = reference(*near(tile, rows, 0.2), "F", is_second_epoch=np.zeros(3, bool))
    lasting = reference(*near(tile, rows[:1], 3.0), "L")
    tile.usnob = vstack([tile.usnob, first, lasting])
    _, flags, survivors, _ = run(tile)
    assert list(has(flags, "FIRST_EPOCH_ONLY")[rows]) == [False, True, True]
    assert list(has(flags, "MATCHED")[rows]) == [True, False, False]
    assert len(survivors) == 11
    assert flags["reason"][rows[1]] == "no lasting counterpart in usnob; FIRST_EPOCH_ONLY"
    assert flags["separation_arcsec"][rows[1]] < 1
    _, _, survivors, _ = run(tile, WIDE.model_copy(update={"epoch_logic": False}))
    assert len(survivors) == 9


def test_masked_pixels_cut_but_halos_do_not(tmp_path):
    tile = Tile(tmp_path)
    rows = np.flatnonzero(tile.is_vanished)
    tile.p2["mask_bits"][rows[:3]] = [bits.mask("SPIKE"), bits.mask("HALO"), bits.mask("HALO", "EDGE")]
    _, flags, survivors, _ = run(tile)
    assert list(has(flags, "MASKED")[rows[:4]]) == [True, False, True, False]
    assert len(survivors) == 10
    _, _, survivors, _ = run(tile, WIDE.model_copy(update={"masked": ("HALO",)}))
    assert len(survivors) == 10


def test_the_same_source_twice_gives_one_survivor(tmp_path):
    tile = Tile(tmp_path)
    twin = Table(tile.p2[[305]], copy=True)
    twin["object_id"], twin["src_id"] = 900, f"{tile.id}:900"
    twin["dec_deg"] += 0.2 / 3600
    tile.p2 = vstack([tile.p2, twin])
    _, flags, survivors, _ = run(tile)
    assert list(has(flags, "DUPLICATE")[[305, 312]]) == [False, True]
    assert len(survivors) == 12


def test_published_gates_with_spikes_and_fast_stars(tmp_path):
    tile = Tile(tmp_path)
    rows = np.flatnonzero(tile.is_vanished)
    for name, value in (("snr_win", 100), ("spread_model", 0.001), ("fwhm_px", 3.2), ("elongation", 1.05)):
        tile.p2[name] = value
    tile.p2["fwhm_px"] += np.linspace(-0.1, 0.1, len(tile.p2))
    tile.p2["elongation"] += np.linspace(-0.01, 0.01, len(tile.p2))
    bright = reference(*near(tile, rows[:1], 60.0), "B", mag_r2=np.array([11.0]))
    then, now = near(tile, rows[1:2], 0.3), near(tile, rows[1:2], 12.0)
    fast = reference(*then, "P", ra_catalog_deg=now[0], dec_catalog_deg=now[1], has_pm=np.array([True]))
    tile.usnob = vstack([tile.usnob, bright, fast])
    _, flags, survivors, ledger = run(tile, FilterParams(gates="mnras2022"))
    assert has(flags, "SPIKE_RULE")[rows[0]] and not has(flags, "SPIKE_RULE")[rows[2]]
    assert has(flags, "HIGH_PM")[rows[1]] and has(flags, "MATCHED")[rows[1]]
    lost = has(flags, "SPIKE_RULE") | has(flags, "CLIP") | has(flags, "MATCHED")
    assert set(survivors["object_id"]) == set(flags["object_id"][~lost]) and 5 < len(survivors) < 11
    assert ledger["gates"] == "mnras2022"


@pytest.mark.parametrize("what", ["detection moved", "catalogue moved", "match dropped"])
def test_a_match_that_no_longer_holds_fails_the_tile(tmp_path, what):
    tile = Tile(tmp_path)
    unit = matched(tile)
    role = {"detection moved": "detections", "catalogue moved": "usnob", "match dropped": "matches"}[what]
    schema = {"detections": (*columns.DETECTIONS, "ra_plate_deg", "dec_plate_deg"), "usnob": columns.USNOB}
    table = tables.read(unit[role])
    if role == "matches":
        tables.write(table[1:], unit[role], columns.MATCHES, {"RADIUS": 5.0})
    else:
        table["dec_deg"][40] += 0.5 / 3600
        tables.write(table, unit[role], schema[role], table.meta)
    with pytest.raises(BadMatch, match="usnob"):
        run(tile, unit=unit)


def test_the_validator_follows_the_radius_of_the_match(tmp_path):
    tile = Tile(tmp_path, noise_arcsec=0.1)
    unit = matched(tile, XmatchParams(engine="embedded", radius="sigma", n_sigma=6))
    assert has(run(tile, unit=unit)[1], "MATCHED").sum() > 290
    with pytest.raises(BadMatch):
        run(tile, WIDE.model_copy(update={"within_arcsec": 0.05}), unit=unit)


def test_a_catalogue_that_does_not_veto_is_no_catalogue(tmp_path):
    with pytest.raises(BadCatalogue, match="gaia"):
        run(Tile(tmp_path), WIDE.model_copy(update={"catalogs": ("gaia",)}))


def test_at_the_pole_and_across_zero(tmp_path):
    for k, centre in enumerate([(0.0, 0.0), (0.0, 90.0), (180.0, -89.95)]):
        tile = Tile(tmp_path / str(k), centre=centre)
        assert set(run(tile)[2]["object_id"]) == set(tile.p2["object_id"][tile.is_vanished])


def test_true_positions_are_recovered(tmp_path):
    """The correction brings survivors to the catalogue's frame to a fraction of the scatter of one star."""
    tile = Tile(tmp_path, noise_arcsec=0.05, shift_arcsec=(2.0, 1.5))
    _, _, survivors, _ = run(tile)
    x, y = wcs.sky_to_pix(tile.sky, survivors["ra_deg"], survivors["dec_deg"])
    true_x, true_y = wcs.sky_to_pix(tile.sky, *(axis[tile.is_vanished] for axis in tile.true))
    assert np.max(np.hypot(x - true_x, y - true_y)) * 1.7 < 0.25


class VetoSky(FakeSky):
    """A sky whose only body passes one source of a tile and whose only variable is another."""

    def __init__(self, tile, passed, variable):
        super().__init__(*tile.centre)
        self.passed, self.variable = near(tile, passed, 0.0), near(tile, variable, 1.5)

    def solar_system(self, ra_deg, dec_deg, radius_deg, jd):
        bodies = super().solar_system(ra_deg, dec_deg, radius_deg, jd)
        # at mid-exposure 20 arcsec south of the source, moving north by 54 arcsec an hour: 22 in half the exposure
        bodies["RA"], bodies["DEC"] = self.passed[0], self.passed[1] - 20 / 3600
        bodies["pmRA"], bodies["pmDEC"] = 0.0, 54.0
        return bodies

    def catalogue(self, vizier_id, ra_deg, dec_deg, radius_deg=None, box_deg=None):
        assert vizier_id.startswith("B/vsx")
        return Table({"RAJ2000": [self.variable[0]], "DEJ2000": [self.variable[1]]})


def dated(tile, **cards):
    tile.header.update({"DATE-OBS": "1953-01-10T05:05:00", "PLTLABEL": "E678", "REGION": "XE123"} | cards)
    return tile


def test_asteroids_are_found_along_their_trails_and_variables_in_their_list(tmp_path):
    tile = dated(Tile(tmp_path), EXPOSURE=50.0)
    rows = np.flatnonzero(tile.is_vanished)
    with serve(VetoSky(tile, rows[0], rows[1])) as server:
        asked = {
            "skybot": True,
            "skybot_url": server.base_url,
            "vsx": True,
            "vsx_url": server.base_url,
            "skybot_arcsec": 3.0,
        }
        _, flags, survivors, _ = run(tile, WIDE.model_copy(update=asked))
        assert list(np.flatnonzero(has(flags, "SKYBOT"))) == [rows[0]]
        assert list(np.flatnonzero(has(flags, "VSX"))) == [rows[1]]
        assert len(survivors) == 10 and not has(flags, "NOT_COVERED").any()
        untimed = dated(Tile(tmp_path / "untimed"))
        _, flags, _, _ = run(untimed, WIDE.model_copy(update=asked))
    assert not has(flags, "SKYBOT").any(), "without an exposure the body is a point 20 arcsec away"
    assert has(flags, "NOT_COVERED").all(), "and nobody can say that it was elsewhere"


def test_a_veto_that_cannot_be_asked_fails_the_tile(tmp_path):
    tile = dated(Tile(tmp_path), EXPOSURE=50.0)
    with pytest.raises(RemoteError):
        run(tile, WIDE.model_copy(update={"skybot": True, "skybot_url": "http://127.0.0.1:9", "offline": True}))


def test_second_catalogues_veto_where_they_look(tmp_path):
    tile = Tile(tmp_path)
    rows = np.flatnonzero(tile.is_vanished)
    north = tile.true[1] > np.median(tile.true[1])
    seen = rows[north[rows]][:1]
    listed = np.flatnonzero(north & ~tile.is_vanished)
    listed = np.r_[listed[tile.true[1][listed] > np.median(tile.true[1]) + 0.2], seen]
    Table({"ra_deg": tile.true[0][listed], "dec_deg": tile.true[1][listed]}).write(tmp_path / "second.csv")
    _, flags, survivors, _ = run(tile, WIDE.model_copy(update={"second_catalogs": (str(tmp_path / "second.csv"),)}))
    assert has(flags, "SECOND_CATALOG")[seen].all() and len(survivors) == 11 - (
        has(flags, "SECOND_CATALOG")[rows].sum() - 1
    )
    covered = ~has(flags, "NOT_COVERED")
    assert 0.2 < covered.mean() < 0.9 and covered[listed].all()
    southernmost = np.argsort(tile.true[1])[:30]
    assert not covered[southernmost].any()
