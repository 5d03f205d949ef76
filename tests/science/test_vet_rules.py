import numpy as np
import pytest
from astropy.table import Table

from lostlight.core.errors import BadCatalogue
from lostlight.science.sky.separation import TangentPlane
from lostlight.science.vet import ledger
from lostlight.science.vet.catalogues import catalogue_marks, red_magnitudes
from lostlight.science.vet.high_pm import high_pm_rule
from lostlight.science.vet.persistence import persistence
from lostlight.science.vet.spikes import spike_rule
from lostlight.science.vet.trail import distance_to_trails
from lostlight.vocab import bits

ARCSEC = 1 / 3600


@pytest.mark.parametrize(
    ("distance_arcsec", "mag", "is_marked"),
    [
        (89.9, 12.4, True), (90.1, 12.4, False), (80.0, 12.41, False), (30.0, 12.5, True), (32.0, 12.5, False),
        (10.0, 14.39, True), (10.0, 14.41, False), (6.0, 14.7, True), (20.0, np.nan, False), (20.0, 18.0, False),
    ],
)  # fmt: skip
def test_spike_rule_at_its_limits(distance_arcsec, mag, is_marked):
    """0.09 magnitudes per arcsec, from 15.3; 90 arcsec, not arcmin."""
    assert spike_rule([359.9999], [10.0], [359.9999], [10.0 + distance_arcsec * ARCSEC], [mag])[0] == is_marked


def test_a_star_does_not_remove_itself():
    assert not spike_rule([50.0], [0.0], [50.0], [1 * ARCSEC], [9.0])[0]
    assert list(spike_rule([50.0, 50.0], [0.0, 20 * ARCSEC], [50.0], [0.0], [9.0])) == [False, True]


def test_spikes_are_judged_by_the_brighter_red_magnitude():
    usnob = Table({"ra_deg": [1.0, 2.0], "dec_deg": [0.0, 0.0], "mag_r1": [11.0, np.nan], "mag_r2": [12.0, 9.0]})
    gaia = Table({"ra_deg": [1.0], "dec_deg": [0.0], "mag_ref": [3.0]})
    assert list(red_magnitudes({"gaia": gaia, "usnob": usnob})[2]) == [11.0, 9.0]
    assert list(red_magnitudes({"gaia": gaia})[2]) == [3.0]


def moving_star(then, now, has_pm=True, lasting=True):
    return Table({
        "ref_id": ["1"], "ra_deg": [10.0], "dec_deg": [then * ARCSEC], "ra_catalog_deg": [10.0], "mag_ref": [15.0],
        "dec_catalog_deg": [now * ARCSEC], "has_pm": [has_pm], "is_second_epoch": [lasting],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("star", "is_marked"),
    [
        (moving_star(1, 20), True),
        (moving_star(1, 40), False),
        (moving_star(6, 20), False),
        (moving_star(1, 4), False),
        (moving_star(1, 20, has_pm=False), False),
    ],
)
def test_stars_that_were_here(star, is_marked):
    assert high_pm_rule([10.0], [0.0], star)[0] == is_marked


def test_a_first_epoch_row_proves_nothing_but_hides_no_lasting_one():
    """Detection 0 has both, the first-epoch row nearer; 1 only the first-epoch row; 2 only the lasting; 3 none."""
    catalogue = Table({
        "ra_deg": [10.0, 10.0, 20.0, 30.0], "dec_deg": [0.5 * ARCSEC, 3 * ARCSEC, 1 * ARCSEC, 1 * ARCSEC],
        "is_second_epoch": [False, True, False, True],
    })  # fmt: skip
    matched, lasting = np.array([True, True, True, False]), np.array([False, False, True, False])
    persistent, first_only = persistence([10.0, 20.0, 30.0, 40.0], np.zeros(4), matched, lasting, catalogue, 5.0)
    assert list(persistent) == [True, False, True, False]
    assert list(first_only) == [False, True, False, False]


def scene():
    detections = Table({"object_id": [1, 2, 3], "ra_deg": [10.0, 20.0, 30.0], "dec_deg": np.zeros(3)})
    rows = {"ra_catalog_deg": [10.0, 20.0], "dec_catalog_deg": [0.0, 0.0], "has_pm": [False] * 2}
    usnob = Table(rows | {"ra_deg": [10.0, 20.0], "dec_deg": [ARCSEC, ARCSEC], "is_second_epoch": [True, False]})
    gaia = Table(rows | {"ra_deg": [50.0, 20.0], "dec_deg": [0.0, 2 * ARCSEC], "is_second_epoch": [True, True]})
    matches = Table({
        "object_id": [1, 2, 2], "catalog": ["usnob", "usnob", "gaia"], "separation_arcsec": [1.0, 1.0, 2.0],
        "is_second_epoch": [True, False, True],
    })  # fmt: skip
    settings = {"radius_arcsec": 5.0, "high_pm_radius_arcsec": 30.0, "high_pm_match_arcsec": 5.0}
    return detections, matches, {"usnob": usnob, "gaia": gaia}, settings


@pytest.mark.parametrize(
    ("vetoing", "epoch_logic", "matched", "first_only"),
    [
        (("usnob", "gaia"), True, [True, True, False], [False, False, False]),
        (("usnob",), True, [True, False, False], [False, True, False]),
        (("usnob",), False, [True, True, False], [False, False, False]),
        (("gaia",), True, [False, True, False], [False, False, False]),
    ],
)
def test_only_catalogues_that_veto_count(vetoing, epoch_logic, matched, first_only):
    detections, matches, catalogs, settings = scene()
    marks, nearest = catalogue_marks(
        detections, matches, catalogs, vetoing=vetoing, epoch_logic=epoch_logic, **settings
    )
    assert list(marks["MATCHED"]) == matched
    assert list(marks["FIRST_EPOCH_ONLY"]) == first_only
    assert np.isnan(nearest[2])


def test_without_a_catalogue_that_vetoes_nothing_is_decided():
    detections, matches, catalogs, settings = scene()
    with pytest.raises(BadCatalogue, match="ps1"):
        catalogue_marks(detections, matches, catalogs, vetoing=("ps1",), epoch_logic=True, **settings)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.01, 70.0), (45.0, 89.9)])
def test_a_trail_is_a_segment(centre):
    """A body at 0.5 arcsec a minute moves 22.5 arcsec in 45 minutes: a point check with 5 arcsec would miss it."""
    plane = TangentPlane(*centre)
    at = lambda xi, eta: plane.deproject([xi], [eta])  # noqa: E731
    rate = 0.5 * np.array([np.cos(0.6), np.sin(0.6)])
    along, across = np.array([np.cos(0.6), np.sin(0.6)]), np.array([-np.sin(0.6), np.cos(0.6)])
    for offset, expected in (
        (0 * along, 0.0), (11.2 * along, 0.0), (-11.2 * along, 0.0), (7 * along + 3 * across, 3.0),
        (11.25 * along + 4 * along, 4.0), (-11.25 * along - 3 * along + 4 * across, 5.0),
    ):  # fmt: skip
        # the body's rates are along its own meridian, which near the pole is not that of the plane's centre
        found = distance_to_trails(*at(*offset), *at(0.0, 0.0), [rate[0]], [rate[1]], 45.0)[0]
        assert found == pytest.approx(expected, abs=0.02)


def test_the_nearest_trail_counts_and_none_is_far():
    assert distance_to_trails([10.0], [0.0], [10.0, 11.0], [2 * ARCSEC, 0.0], [0, 0], [0, 0], 45.0)[0] == pytest.approx(
        2
    )
    assert np.isinf(distance_to_trails([10.0], [0.0], [], [], [], [], 45.0)[0])


def test_cuts_are_counted_alone_and_one_after_the_other():
    flags = ledger.combine({
        "MATCHED": np.array([True, True, False, False, False]), "SNR": np.array([False, True, True, False, False]),
        "FIRST_EPOCH_ONLY": np.array([False, False, True, True, False]),
    }, 5)  # fmt: skip
    counted = ledger.count(flags)
    cuts = {cut["name"]: (cut["n_alone"], cut["n_removed"], cut["n_left"]) for cut in counted["cuts"]}
    assert cuts["MATCHED"] == (2, 2, 3) and cuts["SNR"] == (2, 1, 2) and cuts["LOCUS"] == (0, 0, 2)
    assert counted["n_survivors"] == 2 == ledger.survives(flags).sum()
    labels = {label["name"]: (label["n_rows"], label["n_survivors"]) for label in counted["labels"]}
    assert labels["FIRST_EPOCH_ONLY"] == (2, 1)
    assert list(ledger.reasons(flags, "gone")) == [
        "MATCHED", "MATCHED; SNR", "SNR; FIRST_EPOCH_ONLY", "gone; FIRST_EPOCH_ONLY", "gone",
    ]  # fmt: skip


def test_every_bit_but_the_labels_removes():
    for bit in bits.FILTER:
        assert ledger.survives([bit.value])[0] == (bit.name in bits.LABELS)
