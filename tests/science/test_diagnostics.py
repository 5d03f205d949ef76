import numpy as np
import pytest

from lostlight.core.calibration_report import Group as GroupRecord
from lostlight.core.calibration_report import Match as MatchRecord
from lostlight.core.calibration_report import UnitRecord
from lostlight.science.calibrate.diagnostics import Source, plan_record, unit_record
from lostlight.science.calibrate.distance import Candidate
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.plan_model import Match, Plan
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.statistics import statistics
from lostlight.science.calibrate.trouble import warn
from lostlight.vocab import bits


def test_a_master_is_told_whole_and_fits_the_schema():
    rng = np.random.default_rng(1)
    cube = rng.normal(500, 6, (5, 70, 81))
    used = np.full((70, 81), 5, np.uint16)
    low, high = np.zeros((2, 70, 81), np.uint8)
    used[0, 0], high[0, 0] = 4, 1
    planes = Planes(
        cube.mean(axis=0).astype(np.float32), np.full((70, 81), 6 / np.sqrt(5), np.float32),
        np.zeros((70, 81), np.uint16), {"NUSED": used, "REJLOW": low, "REJHIGH": high},
    )  # fmt: skip
    sources = [Source(f"bias_{k}", stats=statistics(frame), flags=("level",)) for k, frame in enumerate(cube)]
    scatter = cube.std(axis=0, ddof=1) / np.sqrt(5)
    record = unit_record("bias", "master_bias", planes, sources=sources, empirical=scatter,
                         method={"reject": "none"}, warnings=[warn("CAL204", "m", "5 frames", 5)])  # fmt: skip
    told = UnitRecord.model_validate(record)
    assert told.uncertainty.ratio == pytest.approx(1, abs=0.03)
    assert told.rejected_high == pytest.approx(1 / (5 * 70 * 81))
    assert told.rejected_low == 0
    assert told.inputs[3].stats.median == pytest.approx(500, abs=1)
    assert told.warnings[0].threshold == 5


def test_a_light_and_a_map_fit_the_schema_and_nan_is_null():
    data = np.full((20, 31), 7.0, np.float32)
    light = unit_record("light", "light_1", Planes(data), scale=(1.01, np.nan), facts={"exptime_s": np.nan})
    told = UnitRecord.model_validate(light)
    assert (told.scale.factor, told.scale.error, told.facts["exptime_s"]) == (1.01, None, None)
    assert told.uncertainty is None
    assert told.rejected_low is None
    marks = np.zeros((20, 31), np.uint16)
    marks[2, 3] = bits.dq("HOT", "UNSTABLE")
    record = UnitRecord.model_validate(unit_record("bpm", "bpm", Planes(marks)))
    assert (record.dq_counts["HOT"], record.dq_counts["UNSTABLE"], record.dq_counts["COLD"]) == (1, 1, 0)
    empty = unit_record("light", "light_2", Planes(data * np.nan, data * np.nan))
    assert UnitRecord.model_validate(empty).uncertainty.model is None


def test_a_plan_is_told_with_its_reasons():
    fits = Candidate("dark_a", 0.4, {"temperature": 0.4, "exposure": 0.0})
    other = Candidate("dark_b", 40.0, {"exposure": 40.0}, "exposure 30 s instead of 300 s")
    like = Frame("light_1", "light_1.fits")
    plan = Plan(
        groups=(Group("dark_a", "dark", ("d1", "d2"), like), Group("dark_b", "dark", ("d3",), like)),
        rows=(),
        matches=(
            Match("light_1", "dark", "dark_a", (fits, other)),
            Match("light_1", "flat", ""),
            Match("light_1", "bias", "synthetic"),
        ),
        warnings=(),
    )
    told = plan_record(plan)
    groups = [GroupRecord.model_validate(group) for group in told["groups"]]
    dark, flat, bias = (MatchRecord.model_validate(match) for match in told["matches"])
    assert (groups[0].n_frames, groups[1].frames) == (2, ("d3",))
    assert (dark.chosen, dark.distance, dark.reason) == ("dark_a", 0.4, "temperature 0.4")
    assert [(c.id, c.reason) for c in dark.candidates] == [("dark_b", "exposure 30 s instead of 300 s")]
    assert (flat.reason, bias.reason) == ("nothing fits", "")
