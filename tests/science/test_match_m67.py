"""The match on a real plate: POSS-I E of M 67, exposed 1951-11-29, against Gaia 64 years later."""

import numpy as np
import pytest
import sep
from astropy.table import Table

from lostlight.io import fits
from lostlight.science.match.field import make_field
from lostlight.science.plate import wcs

EPOCH_YR = 1951.91
FAST = (
    604895810921218432, 604898800218392960, 604905118114635904, 604915980087437952, 604949377753016448,
    604972428842238080, 604974322923169152,
)  # fmt: skip
KERNEL = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])


@pytest.fixture(scope="module")
def detections(shared_data):
    data, header = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    background = sep.Background(data, bw=64, bh=64)
    found = sep.extract(data - background, 5.0, err=background.globalrms, minarea=5, filter_kernel=KERNEL)
    ra, dec = wcs.pix_to_sky(wcs.sky_wcs(header), found["x"], found["y"])
    return Table({"ra_deg": ra, "dec_deg": dec})


def gaia(shared_data, epoch_yr):
    table = Table.read(shared_data / "dss1-m67" / "gaia_edr3_m67_r0.5deg.csv.gz", format="ascii.csv")
    pm_ra, pm_dec = (np.ma.filled(table[name].astype(float), 0.0) for name in ("pmra", "pmdec"))
    years = (epoch_yr - 2016.0) / 3.6e6
    return Table({
        "ref_id": table["source_id"], "ra_deg": table["ra"] + years * pm_ra / np.cos(np.radians(table["dec"])),
        "dec_deg": table["dec"] + years * pm_dec, "is_second_epoch": np.ones(len(table), bool),
    })  # fmt: skip


def field(detections, catalogue, degree=1):
    return make_field(
        detections, {"gaia": catalogue}, degree=degree, min_ties=20, max_scatter_arcsec=1.0, radius_arcsec=5.0
    )


def test_nearly_all_detections_are_gaia_stars(shared_data, detections):
    moved = field(detections, gaia(shared_data, EPOCH_YR))
    index, separation = moved.match()["gaia"]
    assert 1300 < len(detections) < 1500
    assert (index >= 0).mean() == pytest.approx(1405 / 1448, abs=0.02)
    assert max(moved.residual.scatter_ra_arcsec, moved.residual.scatter_dec_arcsec) <= 0.20
    assert moved.residual.n_ties > 900
    assert np.nanmedian(separation) < 0.35
    assert moved.measures(moved.match(), 45.0)["chance_fraction_gaia"] == pytest.approx(0.067, abs=0.015)


def test_fast_stars_are_matched_at_the_epoch_of_the_plate_only(shared_data, detections):
    then, now = gaia(shared_data, EPOCH_YR), gaia(shared_data, 2016.0)
    matches = {}
    for name, catalogue in (("then", then), ("now", now)):
        index = field(detections, catalogue).match()["gaia"][0]
        matches[name] = set(np.asarray(catalogue["ref_id"])[index[index >= 0]].tolist())
    assert set(FAST) <= matches["then"]
    assert len(set(FAST) & matches["now"]) < len(FAST), "without proper motions some of them would have vanished"


def test_the_correction_is_better_than_the_plate_solution(shared_data, detections):
    catalogue = gaia(shared_data, EPOCH_YR)
    scatter = [field(detections, catalogue, degree).residual.scatter_ra_arcsec for degree in (0, 1)]
    assert field(detections, catalogue).residual.shift_arcsec == pytest.approx(0.33, abs=0.05)
    assert scatter[1] <= scatter[0]
