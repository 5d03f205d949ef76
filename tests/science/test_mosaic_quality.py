"""Which frames are left out of a mosaic, and the reasons given."""

import numpy as np
import pytest

from lostlight.science.mosaic.frame.measure import measure
from lostlight.science.mosaic.frame.quality import QualityRules, judge_quality
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.sim.mosaics import Scene
from lostlight.sim.mosaics_design import MosaicDesign

RULES = QualityRules()


def frame(name, n_stars=100, fwhm=2.5, elongation=1.1, sigma=(5.0,), area=0.0):
    empty = Stars.none(len(sigma)), Cells.none(len(sigma)), Cells.none(len(sigma))
    return FrameStats(name, *empty, np.array(sigma), fwhm, elongation, n_stars, area_px=area)


def judged(*frames, gains=None):
    channels = len(frames[0].sigma)
    return judge_quality(frames, np.ones((len(frames), channels)) if gains is None else np.array(gains), RULES)


GOOD = tuple(frame(f"good{k}", 100 + k) for k in range(5))


def test_all_good():
    assert judged(*GOOD) == {}
    assert judge_quality([], np.ones((0, 1)), RULES) == {}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (frame("bad", fwhm=5.2), "FWHM 5.2 px is 2.1 times the median"),
        (frame("bad", elongation=2.2), "elongation 2.20 is 2.0 times the median"),
        (frame("bad", n_stars=20), "20 stars are 0.20 times the median"),
        (frame("bad", 0, np.nan, np.nan), "0 stars are 0.00 times the median"),
        (frame("bad", sigma=(20.0,)), "noise is 4.0 times the median"),
        (frame("bad", sigma=(np.nan,)), "no noise that could be measured"),
        (frame("bad", sigma=(0.0,)), "no noise that could be measured"),
    ],
)
def test_a_bad_frame_goes_and_it_is_said_why(bad, said):
    assert judged(*GOOD, bad) == {"bad": said}


def test_limits_are_the_knobs():
    wide = frame("bad", fwhm=5.2)
    assert judge_quality([*GOOD, wide], np.ones((6, 1)), QualityRules(max_fwhm=2.2)) == {}
    assert judge_quality([*GOOD, frame("bad", 0)], np.ones((6, 1)), QualityRules(min_stars=0)) == {}


def test_noise_counts_after_the_gain_and_in_the_worst_channel():
    frames = [*GOOD, frame("dim", sigma=(2.0,))]
    assert judged(*frames, gains=[[1.0]] * 5 + [[2.5]]) == {}
    assert "noise is 2.0" not in str(judged(*frames, gains=[[1.0]] * 5 + [[4.0]]))
    assert judged(*frames, gains=[[1.0]] * 5 + [[0.1]]) == {"dim": "gain 0.1 is beyond a factor of 5"}
    assert judged(*frames, gains=[[1.0]] * 5 + [[np.nan]]) == {}
    colours = [frame(f"f{k}", sigma=(5.0, 5.0, 5.0)) for k in range(4)]
    assert "noise is 4.0" in judged(*colours, frame("red", sigma=(20.0, 5.0, 5.0)))["red"]


def test_several_reasons():
    assert (
        judged(*GOOD, frame("bad", 3, 9.0))["bad"]
        == "3 stars are 0.03 times the median; FWHM 9.0 px is 3.6 times the median"
    )


def test_stars_are_compared_per_area():
    assert judged(*[frame(f"f{k}", 100, area=1e6) for k in range(4)], frame("small", 25, area=2.5e5)) == {}


def test_a_nebula_without_stars_keeps_its_frames():
    assert judged(*[frame(f"f{k}", 0, np.nan, np.nan) for k in range(3)]) == {}


def test_one_frame_and_two_frames():
    assert judged(frame("a", 1, 20.0, 9.0)) == {}
    assert judged(frame("a"), frame("b", fwhm=3.5)) == {}
    assert list(judged(frame("a"), frame("b", fwhm=25.0))) == ["b"]


def test_never_all_frames_go():
    odd = [
        frame("a", fwhm=2.0, sigma=(50.0,)),
        frame("b", fwhm=8.0, sigma=(5.0,)),
    ]
    assert set(judged(*odd)) <= {"a", "b"}
    assert len(judged(*odd)) < 2
    gone = judged(*GOOD[:2], gains=[[6.0], [30.0]])
    assert list(gone) == ["good1"]
    assert list(judged(frame("dead", sigma=(np.nan,)), frame("wild"), gains=[[1.0], [9.0]])) == ["dead"]


def test_faults_of_simulated_frames_are_found_and_no_others():
    bad = {1: "blurred", 4: "trailed", 6: "noisy", 7: "starless", 10: "empty"}
    design = MosaicDesign(layout=(3, 4), tile_px=(300, 340), bad=bad, seeing=0.08, n_stars=1500, gains=0.1)
    scene = Scene(2, design)
    stats = []
    for shot in scene.frames:
        found = measure(shot.data[None], 60_000.0)
        empty = Stars.none(1), Cells.none(1), Cells.none(1)
        stats.append(FrameStats(shot.name, *empty, found.sigma, found.fwhm_px, found.elongation, found.n_stars))
    gains = np.array([1 / truth.throughput for truth in scene.truth.frames])
    assert set(judge_quality(stats, gains, RULES)) == {scene.frames[k].name for k in bad}
