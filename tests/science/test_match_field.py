import numpy as np
import pytest
from astropy.table import Table

from lostlight.core.errors import BadAstrometry, BadCatalogue
from lostlight.science.match import join
from lostlight.science.match.field import make_field
from lostlight.science.sky.separation import TangentPlane, separation_arcsec

SETTINGS = {"degree": 1, "min_ties": 20, "max_scatter_arcsec": 1.0, "radius_arcsec": 5.0}


def reference(ra, dec, prefix, lasting=True):
    n = len(ra)
    return Table({
        "ref_id": [f"{prefix}{k}" for k in range(n)], "ra_deg": ra, "dec_deg": dec, "mag_ref": np.full(n, 15.0),
        "is_second_epoch": np.full(n, lasting),
    })  # fmt: skip


@pytest.fixture
def scene():
    """200 stars; detections shifted by 2 arcsec, the last 10 of them of vanished sources."""
    rng = np.random.default_rng(31)
    plane = TangentPlane(0.02, -33.0)
    where = rng.uniform(-1500, 1500, (2, 200))
    stars = plane.deproject(*where)
    seen = np.c_[where[:, :150], rng.uniform(-1500, 1500, (2, 10))]
    true = plane.deproject(*seen)
    shown = plane.deproject(*(seen + np.array([[1.6], [-1.2]]) + rng.normal(0, 0.15, seen.shape)))
    detections = Table({
        "src_id": [f"t:{k + 1}" for k in range(160)], "object_id": np.arange(1, 161), "ra_deg": shown[0],
        "dec_deg": shown[1],
    })  # fmt: skip
    return detections, stars, true


def test_detections_move_onto_the_best_catalogue(scene):
    detections, stars, true = scene
    catalogs = {"usnob": reference(stars[0], stars[1] + 0.8 / 3600, "u"), "gaia": reference(*stars, "g")}
    field = make_field(detections, catalogs, **SETTINGS)
    assert field.frame == "gaia"
    assert np.median(separation_arcsec(*field.sky, *true)) < 0.3
    assert np.array_equal(field.detections["ra_plate_deg"], detections["ra_deg"])
    found = field.match()
    assert all((found[name][0] >= 0)[:150].all() for name in catalogs)
    assert (found["gaia"][0] < 0)[150:].sum() >= 8
    measures = field.measures(found, 45.0)
    assert measures["residual_shift_arcsec"] == pytest.approx(2.0, abs=0.1)
    assert measures["n_matched_gaia"] == (found["gaia"][0] >= 0).sum()


def test_a_short_catalogue_does_not_set_the_frame(scene):
    detections, stars, _ = scene
    catalogs = {"gaia": reference(stars[0][:8], stars[1][:8], "g"), "usnob": reference(*stars, "u")}
    assert make_field(detections, catalogs, **SETTINGS).frame == "usnob"


def test_rows_of_the_first_epoch_are_no_ties(scene):
    detections, stars, _ = scene
    with pytest.raises(BadAstrometry):
        make_field(detections, {"usnob": reference(*stars, "u", lasting=False)}, **SETTINGS)


def test_radius_by_the_scatter(scene):
    detections, stars, _ = scene
    field = make_field(detections, {"gaia": reference(*stars, "g")}, **SETTINGS, n_sigma=5)
    assert field.radius_arcsec == pytest.approx(0.75, rel=0.25)


def test_wrong_units_and_missing_catalogues_are_errors(scene):
    detections, stars, _ = scene
    catalogue = reference(*stars, "g")
    catalogue["dec_deg"].unit = "arcsec"
    with pytest.raises(BadCatalogue, match="arcsec"):
        make_field(detections, {"gaia": catalogue}, **SETTINGS)
    with pytest.raises(BadCatalogue, match="no reference catalogue"):
        make_field(detections, {}, **SETTINGS)
    detections["ra_deg"][4] = np.nan
    with pytest.raises(BadCatalogue, match="detections: row 4"):
        make_field(detections, {"gaia": reference(*stars, "g")}, **SETTINGS)


def test_both_sides_add_up(scene):
    detections, stars, _ = scene
    catalogue = reference(*stars, "g")
    field = make_field(detections, {"gaia": catalogue}, **SETTINGS)
    index, separation = field.match()["gaia"]
    matched = join.matched_rows(field.detections, catalogue, "gaia", index, separation, 5.0)
    assert len(matched) == (index >= 0).sum() and set(matched["catalog"]) == {"gaia"}
    for row in matched[::17]:
        star = int(row["ref_id"][1:])
        assert separation_arcsec(row["ra_deg"], row["dec_deg"], stars[0][star], stars[1][star]) == pytest.approx(
            row["separation_arcsec"], abs=1e-6
        )
    corners = TangentPlane(0.02, -33.0).deproject([-1600, 1600, 1600, -1600], [-1600, -1600, 1600, 1600])
    free = join.untaken_rows(catalogue, "gaia", index, *corners)
    assert set(free["ref_id"]) == set(catalogue["ref_id"]) - set(matched["ref_id"])
    corners = TangentPlane(0.02, -33.0).deproject([-1600, 0, 0, -1600], [-1600, -1600, 1600, 1600])
    west = join.untaken_rows(catalogue, "gaia", index, *corners)
    assert 0 < len(west) < len(free) and np.all((west["ra_deg"] > 300) | (west["ra_deg"] < 0.02))
    again, lasting = join.per_detection(matched[::-1], np.asarray(detections["object_id"]), "gaia")
    np.testing.assert_allclose(again, separation, atol=1e-6)
    assert np.array_equal(lasting, index >= 0)
