import numpy as np
import pytest

from lostlight.core.errors import ToolFailed, ToolTimeout
from lostlight.io import stilts
from lostlight.science.match.nearest import Sky
from lostlight.science.sky.separation import TangentPlane

pytestmark = pytest.mark.needs_stilts

CENTRES = [(150.0, 20.0), (0.0, -5.0), (359.995, 60.0), (77.0, 90.0), (12.0, -89.9)]


def group(rng, centre, n_detections=400, n_rows=6000, radius_arcsec=5.0):
    plane = TangentPlane(*centre)
    detections = plane.deproject(*rng.uniform(-900, 900, (2, n_detections)))
    catalogue = plane.deproject(*rng.uniform(-900, 900, (2, n_rows)))
    return stilts.Group(*detections, *catalogue, radius_arcsec)


def in_process(group):
    return Sky(group.ra_catalog_deg, group.dec_catalog_deg).nearest(group.ra_deg, group.dec_deg, group.radius_arcsec)


def test_many_groups_at_once_split_as_the_tree_does():
    """Crowded tiles across right ascension 0 and over both poles, the same sky twice, two radii, empty sides."""
    rng = np.random.default_rng(41)
    groups = [group(rng, centre) for centre in CENTRES]
    same_detections = stilts.Group(
        groups[0].ra_deg, groups[0].dec_deg, groups[1].ra_catalog_deg, groups[1].dec_catalog_deg, 5.0
    )
    nothing = np.empty(0)
    groups += [same_detections, group(rng, CENTRES[2], radius_arcsec=2.5)]
    groups += [
        stilts.Group(nothing, nothing, np.ones(3), np.ones(3), 5.0),
        stilts.Group(np.ones(3), np.ones(3), nothing, nothing, 5.0),
    ]
    matches = stilts.match_groups(groups, timeout_s=120)
    n_found = []
    for asked, (index, separation) in zip(groups, matches, strict=True):
        their_index, their_separation = in_process(asked)
        assert np.array_equal(index, their_index)
        np.testing.assert_allclose(separation, their_separation, atol=1e-6)
        n_found.append(int((index >= 0).sum()))
    assert all(40 < n < 390 for n in n_found[:5])
    assert n_found[5] == 0 and 0 < n_found[6] < n_found[2] and n_found[7:] == [0, 0]


def test_portions_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(42)
    groups = [group(rng, centre, 50, 800) for centre in CENTRES[:3]]
    whole = stilts.match_groups(groups, 60)
    monkeypatch.setattr(stilts, "MAX_ROWS", 1000)
    for one, other in zip(whole, stilts.match_groups(groups, 60), strict=True):
        assert np.array_equal(one[0], other[0])


def test_a_program_that_does_not_end_is_stopped():
    rng = np.random.default_rng(43)
    with pytest.raises(ToolTimeout):
        stilts.match_groups([group(rng, CENTRES[0])], timeout_s=0.05)


def test_lost_rows_are_noticed(tmp_path, monkeypatch):
    """A program that says all is well and returns fewer rows is not believed."""
    rng = np.random.default_rng(44)
    real = stilts.tools.run

    def shortened(program, args, cwd, timeout_s):
        kept = [arg.replace("keepcols", "head 7; keepcols") if str(arg).startswith("ocmd=") else arg for arg in args]
        return real(program, kept, cwd, timeout_s)

    monkeypatch.setattr(stilts.tools, "run", shortened)
    with pytest.raises(ToolFailed, match="400 detections and returned 7"):
        stilts.match_groups([group(rng, CENTRES[0])], 60)
