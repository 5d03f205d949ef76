"""Every knob of how frames become masters is seen in the masters: one run for all four kinds at a time."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from tests.calibration_night import OVERSCAN, STACKS, Night, spoil

from lostlight.science.calibrate import overscan
from lostlight.science.stack.combine import combine
from lostlight.science.stack.expression import compile_expression
from lostlight.science.stack.rule import COMBINES, REJECTS, Rule

EXPRESSION = "abs(x - median) > 3 * 1.4826 * mad"
PLAIN = {"overscan": "off", "combine": "mean", "reject": "none"}
KNOBS = [
    ("combine", {"combine": "median"}),
    ("reject", {"reject": "mad"}),
    ("low", {"reject": "sigma", "low": 1.2}),
    ("high", {"reject": "sigma", "high": 1.2}),
    ("iterations", {"reject": "mad", "iterations": 1}),
    ("nlow", {"reject": "minmax", "nlow": 2}),
    ("nhigh", {"reject": "minmax", "nhigh": 2}),
    ("plow", {"reject": "percentile", "plow": 0.002}),
    ("phigh", {"reject": "percentile", "phigh": 0.002}),
    ("gesd_fraction", {"reject": "gesd", "gesd_fraction": 0.5}),
    ("gesd_alpha", {"reject": "gesd", "gesd_alpha": 0.4}),
    ("minkeep", {"reject": "mad", "low": 0.5, "high": 0.5, "minkeep": 4}),
    ("linear_fit.fit", {"reject": "linear_fit", "low": 1.5, "high": 1.5, "linear_fit": {"fit": "lad"}}),
    ("linear_fit.scale", {"reject": "linear_fit", "low": 1.5, "high": 1.5, "linear_fit": {"scale": "siril"}}),
    ("aawa_iterations", {"combine": "aawa", "aawa_iterations": 1}),
    ("expression", {"reject": "expression", "expression": "x > median + std"}),
]  # fmt: skip
SHOWN = {knob for knob, _ in KNOBS} | {
    "weights", "entropy_tile_px", "min_frames", "normalize", "overscan", "export",
}  # fmt: skip
"""Knobs of the four kinds that the tests below look at."""


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Night:
    made = Night(tmp_path_factory.mktemp("masters"), n_light=0)
    spoil(made)
    return made


def stacked(night, settings, **more):
    """One run in which all kinds have these settings."""
    return night.run(**{kind: {**PLAIN, **settings} for kind in STACKS}, cosmetic={"bpm": "none"}, **more)


def kernel(cube, settings):
    """What the kernel makes of a cube by these settings; its own tests hold it against other programs."""
    plain = {key: value for key, value in {**PLAIN, **settings}.items() if key not in ("overscan", "linear_fit")}
    line = settings.get("linear_fit", {})
    named = {"fit": line.get("fit", "ols"), "fit_scale": line.get("scale", "gauss")}
    if text := plain.pop("expression", ""):
        named["expression"] = compile_expression(text) if plain["reject"] == "expression" else None

    def read(number, y0, y1, out):
        out[:] = cube[number, y0:y1]

    columns = {name: np.full(len(cube), 1.0) for name in ("exptime", "temp", "level", "noise")}
    return combine(len(cube), cube.shape[1:], read, Rule(**plain, **named), context=columns)


def assert_is_kernels(night, made, kind, settings):
    planes, header = made.planes(f"master_{kind}_"), made.header(f"master_{kind}_")
    assert header["COMBMETH"] == settings.get("combine", "mean") and header["REJMETH"] == settings.get("reject", "none")
    if kind == "flat":  # scaled by their levels, which the test of normalize looks at
        assert abs(np.median(planes["SCI"]) - 1) < 1e-6
        return
    expected = kernel(night.cube(kind), settings)
    np.testing.assert_array_equal(planes["SCI"], expected.data)
    np.testing.assert_array_equal(planes["NUSED"], expected.n_used)


def differ(first, second, kind):
    one, other = (made.planes(f"master_{kind}_") for made in (first, second))
    return not np.array_equal(one["SCI"], other["SCI"], equal_nan=True)


def without(settings, knob):
    outer, _, inner = knob.partition(".")
    if knob == "expression":
        return {**settings, "expression": EXPRESSION}
    if inner:
        return {**settings, outer: {key: value for key, value in settings[outer].items() if key != inner}}
    return {key: value for key, value in settings.items() if key != outer}


@pytest.mark.parametrize(("knob", "settings"), KNOBS, ids=[knob for knob, _ in KNOBS])
def test_every_knob_of_the_kernel_reaches_every_kind(night, knob, settings):
    made, before = stacked(night, settings), stacked(night, without(settings, knob))
    for kind in STACKS:
        assert_is_kernels(night, made, kind, settings)
        assert differ(made, before, kind), f"{kind}.{knob} changes nothing"


WAYS = [(how, by) for how in COMBINES for by in REJECTS if by not in ("noise_model", "shrunk")]


FIRST = [pytest.param(first, marks=pytest.mark.soak if first % 3 else ()) for first in range(len(WAYS))]


@pytest.mark.parametrize("first", FIRST)
def test_all_ways_to_combine_and_to_reject_for_every_kind(night, first):
    """Each run takes another way for each kind; a third of them takes every way for some kind, all for all kinds."""
    ways = {kind: WAYS[(first + 7 * number) % len(WAYS)] for number, kind in enumerate(STACKS)}
    near = {"low": 1.5, "high": 1.5, "expression": EXPRESSION}  # of five frames none is three sigma from the others
    own = {kind: {"combine": how, "reject": by, **near} for kind, (how, by) in ways.items()}
    made = night.run(**{kind: {**PLAIN, **each} for kind, each in own.items()}, cosmetic={"bpm": "none"})
    for kind, each in own.items():
        assert_is_kernels(night, made, kind, each)
        rejected = made.planes(f"master_{kind}_")["NUSED"] < len(night.files(kind))
        assert rejected.any() == (each["reject"] != "none")


@pytest.mark.parametrize("how", COMBINES)
@pytest.mark.parametrize("by", ["noise_model", "auto"])
def test_the_noise_model_is_that_of_the_camera_and_the_default(night, how, by):
    made = stacked(night, {"combine": how, "reject": by})
    loose = stacked(night, {"combine": how, "reject": by, "low": 20, "high": 20})
    for kind in STACKS:
        assert made.header(f"master_{kind}_")["REJMETH"] == "noise_model"
        kept, all_kept = (each.planes(f"master_{kind}_")["NUSED"].mean() for each in (made, loose))
        assert kept < all_kept - 0.05


def test_without_gain_and_read_noise_auto_is_another_method(night):
    """SharpCap's way: nothing in the header says what an electron is; flats tell their gain by their noise."""
    table = Table({"path": [str(path.relative_to(night.raw)) for kind in STACKS for path in night.files(kind)]})
    table["egain_e_adu"] = 0.0
    path = night.raw / "silent.csv"
    table.write(path, format="csv", overwrite=True)
    made = stacked(night, {"reject": "auto"}, frames=str(path))
    assert made.header("master_dark_")["REJMETH"] == "winsorized" and "CAL226" in made.codes()
    path.unlink()


@pytest.mark.parametrize("how", ["noise", "exposure", "user"])
def test_weights(night, how):
    rows = [(path, number) for kind in STACKS for number, path in enumerate(night.files(kind))]
    table = Table({"path": [str(path.relative_to(night.raw)) for path, _ in rows]})
    table["weight"] = [1.0 + number for _, number in rows]
    table["exptime_s"] = [0.05 + 0.02 * number for _, number in rows]  # within a tenth of a second: one group
    path = night.raw / "weighed.csv"
    table.write(path, format="csv", overwrite=True)
    made = stacked(night, {"weights": how, "min_frames": 2}, frames=str(path))
    plain = stacked(night, {"min_frames": 2}, frames=str(path))
    path.unlink()
    for kind in STACKS:
        told = made.told(f"master_{kind}_")["inputs"]
        wanted = {
            "noise": [each["stats"]["noise"] ** -2 for each in told],
            "exposure": [0.05 + 0.02 * number for number in range(len(told))],
            "user": [1.0 + number for number in range(len(told))],
        }[how]
        assert [each["weight"] for each in told] == pytest.approx(np.array(wanted) / np.mean(wanted))
        assert made.header(f"master_{kind}_")["WEIGHTS"] == how and differ(made, plain, kind)
        if kind != "flat":
            expected = np.average(night.cube(kind).astype(float), axis=0, weights=wanted)
            np.testing.assert_allclose(made.data(f"master_{kind}_"), expected, rtol=1e-6)


def test_entropy_weights_and_their_tiles(night):
    made = stacked(night, {"weights": "entropy"})
    fine = stacked(night, {"weights": "entropy", "entropy_tile_px": 9})
    assert "CAL225" in made.codes()
    for kind in STACKS:
        assert differ(made, stacked(night, {}), kind) and differ(made, fine, kind)


def test_few_frames_are_told_from_the_number_on_that_is_asked_for(night):
    few = {warning["where"] for warning in stacked(night, {"min_frames": 7}).report["warnings"]
           if warning["code"] == "CAL204"}  # fmt: skip
    assert len(few) == len(STACKS) and "CAL204" not in stacked(night, {}).codes()


@pytest.mark.parametrize("how", ["median", "median_center", "mean3s", "per_cfa"])
def test_frames_are_brought_to_one_level(night, how):
    made, plain = stacked(night, {"normalize": how}), stacked(night, {"normalize": "none"})
    for kind in STACKS:
        assert differ(made, plain, kind)
        assert made.told(f"master_{kind}_")["method"]["normalize"] == how
        cube = night.cube(kind).astype(float)
        if kind == "flat":
            cube -= made.data("master_flat_dark_")
        product, scaled = made.data(f"master_{kind}_"), _scaled(cube, how).mean(axis=0)
        ratio = product / scaled
        ratio = ratio[made.planes(f"master_{kind}_")["DQ"] == 0]
        tolerance = 5e-5
        assert np.abs(ratio / np.median(ratio) - 1).max() < tolerance
        if kind != "flat":
            assert np.median(ratio) == pytest.approx(1, abs=tolerance)


def _scaled(cube, how):
    ny, nx = cube.shape[1:]
    box = np.s_[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4]
    if how != "per_cfa":
        middle = [each if how == "median" else each[box] for each in cube]
        levels = np.array([_clipped(each) if how == "mean3s" else np.median(each) for each in middle])
        return cube * (levels.mean() / levels)[:, None, None]
    inside = np.zeros((ny, nx), bool)
    inside[box] = True
    levels = np.array([
        [[np.median(each[y::2, x::2][inside[y::2, x::2]]) for x in (0, 1)] for y in (0, 1)] for each in cube
    ])  # fmt: skip
    overall = levels.mean(axis=(1, 2), keepdims=True)
    colours = levels / overall
    factors = (overall.mean() / overall) * colours.mean(axis=0) / colours
    scaled = cube.copy()
    for y, x in np.ndindex(2, 2):
        scaled[:, y::2, x::2] *= factors[:, y, x, None, None]
    return scaled


def _clipped(values):
    sigma = 1.4826 * np.median(np.abs(values - np.median(values)))
    return values[np.abs(values - np.median(values)) <= 3 * sigma].mean()


@pytest.mark.parametrize("how", ["auto", "mean3s", "row_median", "poly1", *(pytest.param(how, marks=pytest.mark.soak)
    for how in ("median", "poly2", "poly3"))])  # fmt: skip
def test_the_overscan_comes_off_every_kind(night, how):
    made, plain = stacked(night, {"overscan": how}), stacked(night, {})
    for kind in STACKS:
        assert "OVERSCAN" not in plain.header(f"master_{kind}_")
        assert made.header(f"master_{kind}_")["OVERSCAN"] == pytest.approx(1000, abs=8)
        if kind == "flat":
            continue
        raw = [fits.getdata(path).astype(float) for path in night.files(kind)]
        way = "median" if how == "auto" else how
        levels = [overscan.level(frame[:, 1:OVERSCAN], way)[0] for frame in raw]
        expected = np.mean([frame[:, OVERSCAN:] - level for frame, level in zip(raw, levels, strict=True)], axis=0)
        np.testing.assert_allclose(made.data(f"master_{kind}_"), expected, atol=1e-3)


def test_frames_are_kept_as_they_were_combined(night):
    made = stacked(night, {"export": True, "normalize": "median"})
    assert len(made.names(".reduced.fits")) == len(STACKS)
    for kind in STACKS:
        cube = made.planes(f"master_{kind}_", ".reduced.fits")["SCI"]
        assert cube.shape == night.cube(kind).shape
        medians = np.median(cube, axis=(1, 2))
        np.testing.assert_allclose(medians, medians[0], rtol=1e-5)
        product = made.data(f"master_{kind}_")
        ratio = product / cube.mean(axis=0)
        good = made.planes(f"master_{kind}_")["DQ"] == 0
        np.testing.assert_allclose(ratio[good], np.median(ratio), rtol=1e-4)
