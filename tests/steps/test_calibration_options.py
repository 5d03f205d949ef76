"""Every knob of step 11 does what it says: each is set, the step runs, and its effect is seen in what was made."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from pydantic import BaseModel
from tests.calibration_night import OVERSCAN, SHAPE, STACKS, Night
from tests.steps import test_calibration_stacks as stacks

from lostlight.core.errors import LostlightError
from lostlight.core.params import CalibrateParams
from lostlight.io import fits as fits_io
from lostlight.library_cli import library
from lostlight.sim.camera_design import Scene, Shot
from lostlight.vocab.bits import dq

CASES: set[str] = {f"{kind}.{knob}" for kind in STACKS for knob in stacks.SHOWN}
GAIN = 1.5


def shows(*knobs):
    """Note which knobs a test looks at."""
    CASES.update(knobs)
    return lambda test: test


def _knobs(kind: type[BaseModel], before: str = ""):
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _knobs(field.annotation, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def test_every_knob_has_a_test():
    assert set(_knobs(CalibrateParams)) == CASES


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Night:
    return Night(
        tmp_path_factory.mktemp("night"), hot_fraction=0.05, hot_e_s=(5.0, 40.0), glow_e_s=0.0, rts_fraction=0.0,
        cold_fraction=3e-3, n_dark=4, n_flat=3, n_flat_dark=3, dark_s=(60.0, 120.0),
        scene=Scene(sky_e_s=8.0, n_stars=4),
    )  # fmt: skip


LIGHT = "light_R_120s_000"
PLAIN = {"light": {"order": ["overscan", "trim", "bias", "dark"]}, "cosmetic": {"bpm": "none"}}
"""A light less its pedestal and dark, and no more."""
SCALED = {"dark": {"mode": "scaled"}}


def of_dark(night, **dark):
    return night.run(dark={"mode": "scaled", "scale": "exposure", **dark}, **PLAIN)


# --- what comes in, and the plan


@shows("frames", "on_bad_frame")
def test_frames_are_found_and_bad_ones_stop_the_run_or_are_left_out(night, tmp_path):
    made = night.run()
    assert {group["kind"] for group in made.report["groups"]} == {*STACKS, "light"}
    for path in night.files("bias"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / night.files("bias")[0].name
    broken.write_bytes(broken.read_bytes()[:4000])
    with pytest.raises(LostlightError, match="CAL111"):
        night.run(frames=str(tmp_path))
    made = night.run(frames=str(tmp_path), on_bad_frame="skip")
    assert made.header("master_bias")["NCOMBINE"] == 5 and "CAL223" in made.codes()


@shows("infer_type")
def test_types_are_guessed_where_that_is_asked_for(night, tmp_path):
    for path in night.files("bias"):
        header, data = fits.getheader(path), fits.getdata(path)
        del header["IMAGETYP"]
        fits.writeto(tmp_path / path.name.replace("bias", "zero"), data, header)
    with pytest.raises(LostlightError, match="CAL102"):
        night.run(frames=str(tmp_path))
    made = night.run(frames=str(tmp_path), infer_type=True)
    assert made.header("master_bias")["NCOMBINE"] == 6 and "CAL218" in made.codes()


@shows("plan")
def test_an_edited_plan_is_followed(night, tmp_path):
    made = night.run()
    plan = Table.read(made.folder / "plan.csv", format="csv", converters={"*": str})
    moved = [i for i, row in enumerate(plan) if row["kind"] == "bias" and row["id"].endswith("005")]
    plan.remove_rows(moved)  # one bias dropped
    row = next(i for i, row in enumerate(plan) if row["id"] == "dark_60s_002")
    plan["group"] = plan["group"].astype("U64")
    short, long = (str(made.path(f"master_dark_{s}").name).partition(".")[0] for s in ("60s", "120s"))
    plan["group"][row] = long  # one dark moved
    light = next(i for i, row in enumerate(plan) if row["id"] == LIGHT)
    plan["dark"] = plan["dark"].astype("U64")
    plan["dark"][light] = short  # another master
    plan.write(tmp_path / "mine.csv", format="csv")
    edited = night.run(plan=str(tmp_path / "mine.csv"))
    assert edited.header("master_bias")["NCOMBINE"] == 5
    assert (edited.header("master_dark_60s")["NCOMBINE"], edited.header("master_dark_120s")["NCOMBINE"]) == (3, 5)
    assert edited.told(LIGHT)["masters"]["dark"] == short and edited.told("light_R_120s_001")["masters"]["dark"] == long
    assert edited.header(LIGHT)["DARKID"] != made.header(LIGHT)["DARKID"]


@shows("library", "reuse")
def test_masters_of_the_library_are_offered_used_or_passed_over(night, tmp_path):
    made = night.run(cosmetic={"bpm": "none"})
    shelf = tmp_path / "library"
    kept = CliRunner().invoke(library, ["--library", str(shelf), "add", str(made.folder.parents[1])])
    assert kept.exit_code == 0, kept.output
    few = tmp_path / "raw"
    for path in (*night.files("light"), *night.files("bias")):
        (few / path.parent.name).mkdir(parents=True, exist_ok=True)
        (few / path.parent.name / path.name).write_bytes(path.read_bytes())
    known = {"frames": str(few), "library": str(shelf), "cosmetic": {"bpm": "none"}}
    used = night.run(**known, reuse="use")
    head = used.header(LIGHT)
    assert head["CALSTAT"] == "DF" and head["DARKID"] == made.header(LIGHT)["DARKID"]
    good = used.planes(LIGHT)["DQ"] == 0
    np.testing.assert_allclose(used.data(LIGHT)[good], made.data(LIGHT)[good], rtol=1e-5, atol=1e-3)
    offered, off = night.run(**known), night.run(**known, reuse="off")
    assert "CAL224" in offered.codes() and "CAL224" not in off.codes()
    assert offered.header(LIGHT)["CALSTAT"] == off.header(LIGHT)["CALSTAT"] == "B"


@shows("match.good", "match.usable", "match.temp_bin_c", "dark.temp_tolerance_c", "dark.exp_tolerance")
def test_how_near_a_master_must_be(night, tmp_path):
    table = Table({"path": [str(path.relative_to(night.raw)) for kind in (*STACKS, "light")
                            for path in night.files(kind)]})  # fmt: skip
    table["ccd_temp_c"] = [-9.0 - 1.2 * ("dark_120s_00" in path and path[-6] in "23") for path in table["path"]]
    table["ccd_temp_c"] += [1.0 * path.startswith("light") for path in table["path"]]
    table["exptime_s"] = [_seconds(path) for path in table["path"]]
    table["exptime_s"][[path.startswith("light") for path in table["path"]]] = 117.0
    path = night.raw / "cold.csv"
    table.write(path, format="csv", overwrite=True)

    def run(**settings):
        return night.run(frames=str(path), cosmetic={"bpm": "none"}, **settings)

    with pytest.raises(LostlightError, match="CAL105"):
        run()  # 117 s and 120 s are three percent apart
    made = run(dark={"exp_tolerance": 0.1})
    assert made.header("master_dark_120s")["NCOMBINE"] == 4  # both temperatures lie in one bin of one degree
    assert len(run(dark={"exp_tolerance": 0.1}, match={"temp_bin_c": 0.5}).names("master.fits")) == 6
    with pytest.raises(LostlightError, match="CAL105"):
        run(dark={"exp_tolerance": 0.1, "temp_tolerance_c": 0.5})
    loose = run(dark={"exp_tolerance": 0.1}, match={"good": 50, "usable": 60})
    assert "CAL202" in made.codes() or "CAL201" in made.codes()
    assert len(loose.report["warnings"]) <= len(made.report["warnings"])
    with pytest.raises(LostlightError, match="CAL105"):
        run(dark={"exp_tolerance": 0.1}, match={"good": 0.5, "usable": 0.6})
    path.unlink()


def _seconds(path):
    told = (part for part in path.removesuffix(".fits").split("_") if part.endswith("s") and part[0].isdigit())
    return 0.0 if path.startswith("bias") else next((float(part[:-1]) for part in told), 2.0)


@shows("match.days", "match.flat_days")
def test_days_count_as_distance(night, tmp_path):
    table = Table({"path": [str(path.relative_to(night.raw)) for kind in (*STACKS, "light")
                            for path in night.files(kind)]})  # fmt: skip
    table["date_obs_utc"] = ["2024-03-20T22:00:00" if path.startswith("light") else "2024-03-10T22:00:00"
                             for path in table["path"]]  # fmt: skip
    table["session"] = [date[:10] for date in table["date_obs_utc"]]
    path = night.raw / "old.csv"
    table.write(path, format="csv", overwrite=True)

    def terms(role, **match):
        made = night.run(frames=str(path), match=match)
        return next(each["distance"] for each in made.report["matches"]
                    if each["role"] == role and each["target"].startswith("light"))  # fmt: skip

    assert terms("dark", days=5) > terms("dark") + 1
    assert terms("flat", flat_days=5) > terms("flat") + 0.4
    path.unlink()


# --- bias


@shows("bias.superbias", "bias.superbias_layers", "bias.superbias_trim", "bias.superbias_axes")
def test_superbiases(night):
    plain = night.run(bias={"overscan": "off"}, cosmetic={"bpm": "none"})

    def error(**own):
        made = night.run(bias={"overscan": "off", **own}, cosmetic={"bpm": "none"})
        apart = made.data("master_bias") - night.camera.truth.bias_adu
        return made, np.std(apart)

    shrunk, better = error(superbias="shrink")
    classic, _ = error(superbias="classic")
    assert shrunk.told("master_bias")["facts"]["superbias"] == "shrink" and better <= error()[1] * 1.001
    assert not np.array_equal(shrunk.data("master_bias"), plain.data("master_bias"))
    assert classic.data("master_bias").std() < plain.data("master_bias").std()
    columns = error(superbias="classic", superbias_axes="cols")[0].data("master_bias")
    rows = error(superbias="classic", superbias_axes="rows")[0].data("master_bias")
    by_columns, by_rows = (np.std(np.median(each, axis=0)) for each in (columns, rows))
    assert by_columns > 1.3 * by_rows  # columns differ by two counts, which rows alone do not keep
    for own in ({"superbias_layers": 3}, {"superbias_trim": 0.4}):
        varied = error(superbias="classic", **own)[0].data("master_bias")
        assert not np.array_equal(varied, classic.data("master_bias"))


@shows("bias.pca")
def test_banding_is_kept_in_the_bias_and_taken_off_lights(tmp_path):
    made = Night(tmp_path, banding_adu=15.0, drift_adu=0.0, n_bias=9, n_dark=0, n_flat=0, n_flat_dark=0)
    banded, plain = made.run(bias={"pca": 1}), made.run()
    assert "PCAROWS" in banded.planes("master_bias") and "PCAROWS" not in plain.planes("master_bias")
    rows = [np.std(np.diff(np.median(each.data(LIGHT), axis=1))) for each in (banded, plain)]
    assert rows[0] < 0.7 * rows[1]


@shows("bias.synthetic.constant_adu", "bias.synthetic.keyword", "bias.synthetic.factor")
def test_a_bias_without_frames(tmp_path):
    made = Night(tmp_path, overscan_px=0, drift_adu=0.0, n_bias=0, n_flat_dark=0, glow_e_s=0.0, dark_s=(60.0,))
    truth = made.camera.truth.flat("R")
    for synthetic in ({"constant_adu": 1000.0}, {"keyword": "OFFSET", "factor": 20}):
        run = made.run(bias={"synthetic": synthetic}, dark={"mode": "scaled", "scale": "exposure"})
        assert run.header(LIGHT)["CALSTAT"] == "BDF"
        dark = run.header("master_dark")
        assert dark["BIASSUB"] is True and abs(np.median(run.data("master_dark"))) < 6
        flat, good = run.planes("master_flat"), run.planes("master_flat")["DQ"] == 0
        assert np.polyfit(truth[good], flat["SCI"][good], 1)[0] == pytest.approx(1, abs=0.01)
    wrong = made.run(bias={"synthetic": {"constant_adu": 700.0}}, dark={"mode": "scaled", "scale": "exposure"})
    assert abs(np.median(wrong.data(LIGHT) - run.data(LIGHT))) > 250


# --- darks


@shows("dark.mode")
def test_darks_matched_scaled_and_as_rates(night):
    matched, scaled = night.run(**PLAIN), of_dark(night)
    rate = night.run(dark={"mode": "rate"}, **PLAIN)
    assert [each.header(LIGHT)["DARKMODE"] for each in (matched, scaled, rate)] == ["matched", "scaled", "rate"]
    assert [each.header(LIGHT)["CALSTAT"] for each in (matched, scaled, rate)] == ["D", "BD", "BD"]
    assert rate.header(LIGHT)["DARKSCAL"] == pytest.approx(120, rel=0.05)  # the lights were a little warmer or colder
    truth = night.camera.truth.dark_e_s() / GAIN
    slopes = rate.data("master_rate")
    assert np.median((slopes / truth)[night.camera.truth.hot]) == pytest.approx(1, abs=0.02)
    for made in (scaled, rate):
        assert np.std((made.data(LIGHT) - matched.data(LIGHT))[~night.camera.truth.hot]) < 6


@shows("dark.scale", "dark.factor", "dark.doubling_c")
def test_the_factor_of_a_dark(night, tmp_path):
    table = Table({"path": [str(path.relative_to(night.raw)) for kind in (*STACKS, "light")
                            for path in night.files(kind) if "120s" not in path.name or kind == "light"]})  # fmt: skip
    table["ccd_temp_c"] = [-10.0 + 3 * path.startswith("light") for path in table["path"]]
    path = night.raw / "warm.csv"
    table.write(path, format="csv", overwrite=True)

    def factor(**own):
        made = night.run(frames=str(path), dark={"mode": "scaled", **own}, **PLAIN)
        return made.header(LIGHT)["DARKSCAL"]

    assert factor(scale="exposure") == pytest.approx(2)
    assert factor(scale="temperature") == pytest.approx(2**0.5)
    assert factor(scale="temperature", doubling_c=4) == pytest.approx(2**0.75)
    assert factor(scale="fixed", factor=1.25) == 1.25
    assert factor(scale="optimize") == pytest.approx(2, rel=0.02)  # the pixels say that it was not warmer
    assert factor() == factor(scale="optimize")
    path.unlink()


def test_darks_at_three_temperatures_tell_how_their_current_grows(tmp_path):
    made = Night(tmp_path, doubling_c=4.5, hot_fraction=0.1, hot_e_s=(4.0, 40.0), glow_e_s=0.0, n_dark=0, n_flat=0,
                 n_flat_dark=0, n_light=1, rts_fraction=0.0)  # fmt: skip
    for temp_c in (-16.0, -5.0, 2.0):
        for index in range(3):
            raw = made.camera.take(Shot("dark", index, 120.0, temp_c))
            fits_io.write_image(made.raw / "dark" / f"dark_{temp_c:+.0f}_{index}.fits", raw.data, raw.header)
    run = made.run(dark={"mode": "scaled", "scale": "temperature"}, **PLAIN)
    head, dark = run.header(LIGHT), run.told(LIGHT)["masters"]["dark"]
    from_c = run.header(dark)["CCD-TEMP"]
    assert head["DARKSCAL"] == pytest.approx(2 ** ((head["CCD-TEMP"] - from_c) / 4.5), rel=0.05)
    fixed = made.run(dark={"mode": "scaled", "scale": "exposure"}, **PLAIN)
    assert fixed.header(LIGHT)["DARKSCAL"] == 1


@shows("dark.exposures_s")
def test_rates_of_some_exposures(tmp_path):
    made = Night(tmp_path, dark_s=(30.0, 60.0, 120.0), n_flat=0, n_flat_dark=0, n_light=1, hot_fraction=0.02)
    every = made.run(dark={"mode": "rate"}, **PLAIN)
    two = made.run(dark={"mode": "rate", "exposures_s": [30, 60]}, **PLAIN)
    assert every.told("master_rate")["method"]["exposures_s"].count(",") == 2
    assert two.told("master_rate")["method"]["exposures_s"].count(",") == 1
    assert not np.array_equal(every.data("master_rate"), two.data("master_rate"))


@shows("dark.glow")
def test_amplifier_glow(tmp_path):
    made = Night(
        tmp_path, glow_e_s=12.0, dark_s=(60.0,), n_dark=9, hot_fraction=0.06, hot_e_s=(5.0, 40.0), n_light=1,
        n_flat=0, n_flat_dark=0, rts_fraction=0.0, shape=(101, 123), scene=Scene(sky_e_s=2.0, n_stars=0),
    )  # fmt: skip
    assert "CAL212" in made.run(dark={"mode": "scaled"}, **PLAIN).failures[0]
    corner, rest = np.s_[:12, :12], np.s_[60:, 60:]

    def left(glow, **own):
        run = made.run(dark={"mode": "scaled", "glow": glow, **own}, **PLAIN)
        return np.median(run.data(LIGHT)[corner]) - np.median(run.data(LIGHT)[rest])

    wrong = {"scale": "fixed", "factor": 1.0}
    assert left("off", **wrong) > 200  # half of the glow is left by half of the dark
    assert abs(left("off", scale="exposure")) < 40
    assert abs(left("model", **wrong)) < 0.5 * left("off", **wrong)
    assert abs(left("two_component")) < 60


# --- flats


@shows("flat.min_value", "flat.max_error")
def test_which_pixels_of_a_flat_are_corrected(night):
    def lost(**own):
        return np.count_nonzero(night.run(flat=own).planes("master_flat_R")["DQ"] & dq("NO_FLAT"))

    plain = lost()
    assert lost(min_value=0.85) > plain + 100
    assert lost(max_error=0.0035) > plain + 100


@shows("flat.repair_hot", "flat.pedestal_from")
def test_hot_pixels_of_flats_and_where_their_pedestal_comes_from(tmp_path):
    made = Night(tmp_path, hot_fraction=0.01, hot_e_s=(900.0, 3000.0), n_light=1, dark_s=(2.0,), n_flat_dark=5)
    hot = made.camera.truth.hot & (made.camera.truth.flat("R") > 0.5)
    plain, left = made.run(), made.run(flat={"repair_hot": False})
    apart = [np.abs(each.data("master_flat_R") / made.camera.truth.flat("R") - 1)[hot] for each in (plain, left)]
    assert (plain.planes("master_flat_R")["DQ"][hot] & dq("INTERPOLATED") > 0).mean() > 0.9
    assert not (left.planes("master_flat_R")["DQ"] & dq("INTERPOLATED")).any() and apart[0].mean() < 0.05
    for role in ("flat_dark", "dark", "bias"):
        run = made.run(flat={"pedestal_from": role}, cosmetic={"bpm": "none"})
        assert [*run.told("master_flat_R")["masters"]] == [role]
    assert [*plain.told("master_flat_R")["masters"]] == ["flat_dark"]
    both = made.run(flat={"pedestal_from": "dark"}, dark={"mode": "scaled", "scale": "fixed", "factor": 10})
    assert {*both.told("master_flat_R")["masters"]} == {"dark", "bias"}  # the dark has lost its bias
    good = both.planes("master_flat_R")["DQ"] == 0
    np.testing.assert_allclose(
        both.data("master_flat_R")[good],
        made.run(flat={"pedestal_from": "dark"}, cosmetic={"bpm": "none"}).data("master_flat_R")[good],
        atol=2e-3,
    )


# --- hot pixels and cosmic rays


@shows("cosmetic.hot_sigma", "cosmetic.cold_sigma", "cosmetic.method", "cosmetic.masters")
def test_hot_and_cold_pixels(night):
    def bits(made, name, of="bad_pixels.bpm"):
        return made.planes(of)["DQ"] & dq(name) > 0

    plain = night.run()
    assert bits(plain, "HOT").sum() > 100 and bits(plain, "COLD").any()
    assert bits(night.run(cosmetic={"hot_sigma": 3}), "HOT").sum() > bits(plain, "HOT").sum()
    assert not bits(night.run(cosmetic={"hot_sigma": None}), "HOT").any()
    assert not bits(night.run(cosmetic={"cold_sigma": None}), "COLD").any()
    hot = bits(plain, "HOT")
    by_mean, flagged, none = (night.run(cosmetic={"method": how}) for how in ("mean3", "flag_only", "none"))
    assert (bits(plain, "INTERPOLATED", LIGHT)[hot]).mean() > 0.95
    assert (by_mean.data(LIGHT) != plain.data(LIGHT))[hot].mean() > 0.9
    assert not bits(flagged, "INTERPOLATED", LIGHT).any() and bits(flagged, "HOT", LIGHT)[hot].all()
    assert not none.names(".bpm.fits") and not bits(none, "HOT", LIGHT).any()
    mended = night.run(cosmetic={"masters": True})
    assert (bits(mended, "INTERPOLATED", "master_dark_120s")[hot]).mean() > 0.5
    assert bits(mended, "HOT")[hot].mean() > 0.95 and bits(mended, "INTERPOLATED", LIGHT)[hot].mean() > 0.95
    assert mended.data("master_dark_120s").max() < 0.5 * plain.data("master_dark_120s").max()


@shows("cosmetic.bpm")
@pytest.mark.parametrize("kind", ["fits", "csv", "reg"])
def test_maps_of_the_users_own(night, tmp_path, kind):
    path = tmp_path / f"mine.{kind}"
    if kind == "fits":
        image = np.zeros(SHAPE, np.uint16)
        image[20:23, 30:34] = dq("BAD")
        fits.writeto(path, image)
    else:
        text = {"csv": "x,y,w,h,flag\n31,21,4,3,BAD\n", "reg": "image\nbox(32.5,22,4,3,0)\n"}[kind]
        path.write_text(text)
    made = night.run(cosmetic={"bpm": str(path)})
    found = made.planes("bad_pixels.bpm")["DQ"] & dq("BAD") > 0
    auto = night.run().planes("bad_pixels.bpm")["DQ"] & dq("BAD") > 0
    assert np.argwhere(found & ~auto).tolist() == [
        [y, x] for y in range(20, 23) for x in range(30, 34) if not auto[y, x]
    ]
    assert (made.planes(LIGHT)["DQ"][20:23, 30:34] & dq("BAD") > 0).all()


@shows("lacosmic.enable", "lacosmic.sigclip", "lacosmic.sigfrac", "lacosmic.objlim", "lacosmic.niter")
def test_cosmic_rays_on_single_lights(tmp_path):
    made = Night(tmp_path, n_bias=3, n_dark=3, n_flat=3, n_flat_dark=3, n_light=3, hot_fraction=0.0, rts_fraction=0.0,
                 cold_fraction=0.0, scene=Scene(n_stars=12, fwhm_px=3.0, zero_mag=23.0))  # fmt: skip
    path = made.files("light")[0]
    rng = np.random.default_rng(5)
    with fits.open(path, mode="update") as hdus:
        image = hdus[0].data.astype(int)
        for size in np.geomspace(60, 4000, 60):
            y, x = rng.integers(2, SHAPE[0] - 2), rng.integers(OVERSCAN + 2, SHAPE[1] - 3)
            image[y, x : x + rng.integers(1, 4)] += int(size)
        hdus[0].data = image.astype(np.uint16)

    def hits(**own):
        return np.count_nonzero(made.run(lacosmic=own).planes(LIGHT)["DQ"] & dq("COSMIC"))

    found = hits(enable="on")
    assert found > 30 and hits(enable="off") == 0
    assert hits() == 0  # three lights follow: stacking does it
    assert made.run(lacosmic={"enable": "on"}).told(LIGHT)["method"]["stages"].split(", ")[-1] == "lacosmic"
    assert hits(enable="on", sigclip=20) < found
    assert hits(enable="on", sigfrac=0.01) > found
    assert hits(enable="on", objlim=60) < hits(enable="on", objlim=2)
    assert hits(enable="on", niter=1) <= found
    (made.files("light")[2]).unlink()
    assert np.count_nonzero(made.run(lacosmic={"niter": 4, "enable": "auto"}).planes(LIGHT)["DQ"] & dq("COSMIC")) > 30


# --- lights


@shows("light.overscan")
@pytest.mark.parametrize("how", ["auto", "off", *(pytest.param(how, marks=pytest.mark.soak) for how in (
    "median", "mean3s", "poly2", "poly3")), "row_median", "poly1"])  # fmt: skip
def test_the_overscan_of_a_light(night, how):
    made = night.run(light={"overscan": how, "order": ["overscan", "trim"]}, cosmetic={"bpm": "none"})
    level = float(np.median(made.data(LIGHT)))
    raw = fits.getdata(night.files("light")[0])
    if how == "off":
        assert "OVERSCAN" not in made.header(LIGHT) and level == np.median(raw[:, OVERSCAN:])
    else:
        assert made.header(LIGHT)["OVERSCAN"] == pytest.approx(raw[:, :OVERSCAN].mean(), abs=0.6)
        assert level == pytest.approx(np.median(raw[:, OVERSCAN:]) - raw[:, :OVERSCAN].mean(), abs=1)


@shows("light.pedestal_adu", "light.unit")
def test_pedestal_and_unit(night):
    plain, raised, electrons = (night.run(light=own) for own in ({}, {"pedestal_adu": 150}, {"unit": "electron"}))
    np.testing.assert_allclose(raised.data(LIGHT) - plain.data(LIGHT), 150, atol=1e-2)
    assert (raised.header(LIGHT)["PEDESTAL"], plain.header(LIGHT)["PEDESTAL"]) == (-150, 0)
    np.testing.assert_allclose(electrons.data(LIGHT), GAIN * plain.data(LIGHT), rtol=1e-5, atol=1e-2)
    uncert = [each.planes(LIGHT)["UNCERT"] for each in (plain, electrons)]
    np.testing.assert_allclose(uncert[1], GAIN * uncert[0], rtol=1e-5)
    assert [each.header(LIGHT)["BUNIT"] for each in (plain, electrons)] == ["adu", "electron"]


@shows("light.order")
def test_what_is_left_out_is_skipped_and_told(night):
    whole, part = night.run(), night.run(light={"order": ["overscan", "trim", "dark"]})
    assert (whole.header(LIGHT)["CALSTAT"], part.header(LIGHT)["CALSTAT"]) == ("DF", "D")
    assert "flat skipped: left out of light.order" in part.told(LIGHT)["method"]["stages"]
    assert any("flat skipped" in line for line in part.header(LIGHT)["HISTORY"])
    uncut = night.run(light={"order": ["overscan"]}, cosmetic={"bpm": "none"})
    assert uncut.data(LIGHT).shape == (SHAPE[0], SHAPE[1] + OVERSCAN)
    with pytest.raises(LostlightError, match="CAL109"):
        night.run(light={"order": ["overscan", "trim", "flat", "dark"]})


@pytest.fixture(scope="module")
def colour(tmp_path_factory) -> Night:
    return Night(tmp_path_factory.mktemp("colour"), cfa="RGGB", shape=(64, 82), n_light=1, n_flat=3, n_bias=3, n_dark=3,
                 n_flat_dark=3)  # fmt: skip


@shows("light.debayer")
def test_colours(colour, night):
    name = "light_120s_000"
    shapes = {how: colour.run(light={"debayer": how}).data(name).shape
              for how in ("auto", "off", "bilinear", "superpixel")}  # fmt: skip
    assert shapes == {"auto": (3, 64, 82), "off": (64, 82), "bilinear": (3, 64, 82), "superpixel": (3, 32, 41)}
    assert night.run(light={"debayer": "bilinear"}).data(LIGHT).ndim == 2


# --- what goes out, and the camera


@shows("output.dtype", "output.planes", "output.compress", "output.tiff")
def test_what_is_written(night):
    import tifffile

    plain = night.run()
    double = night.run(output={"dtype": "float64"})
    assert double.data(LIGHT).dtype == np.float64 and plain.data(LIGHT).dtype == np.float32
    np.testing.assert_array_equal(double.data(LIGHT).astype(np.float32), plain.data(LIGHT))
    bare = night.run(output={"planes": ["SCI"]})
    assert [*bare.planes(LIGHT)] == ["SCI"] and "UNCERT" in plain.planes(LIGHT)
    for how in ("rice", "gzip2"):
        packed = night.run(output={"compress": how})
        apart = np.abs(packed.data(LIGHT) - plain.data(LIGHT)) / plain.planes(LIGHT)["UNCERT"]
        assert 0 < np.median(apart) < 1 / 16 if how == "rice" else not apart.any()
    for bits, kind in (("16", np.uint16), ("32", np.float32)):
        made = night.run(output={"tiff": bits})
        image = tifffile.imread(made.path(LIGHT, ".tif"))
        assert image.dtype == kind and image.shape == SHAPE
        if bits == "32":
            np.testing.assert_array_equal(image, made.data(LIGHT))
    assert not plain.names(".tif")


@shows("camera.egain_e_adu", "camera.rdnoise_e", "camera.saturate_adu", "camera.nonlinear_adu")
def test_what_headers_say_wrongly(night):
    plain = night.run()

    def camera(**own):
        return night.run(camera=own)

    assert camera(egain_e_adu=2.5).header(LIGHT)["EGAIN"] == 2.5
    noisy = camera(rdnoise_e=40.0)
    assert noisy.header(LIGHT)["RDNOISE"] == 40
    assert np.median(noisy.planes(LIGHT)["UNCERT"]) > 1.3 * np.median(plain.planes(LIGHT)["UNCERT"])
    raw = fits.getdata(night.files("light")[0])[:, OVERSCAN:]
    bent = camera(nonlinear_adu=1800.0).planes(LIGHT)["DQ"] & dq("NONLINEAR") > 0
    np.testing.assert_array_equal(bent, raw >= 1800)
    full = camera(saturate_adu=45_000.0).planes(LIGHT)["DQ"] & dq("SATURATED") > 0
    np.testing.assert_array_equal(full, raw >= 45_000)
    assert bent.any()


# --- what no knob says


def test_a_supplied_dark_loses_its_bias_where_it_is_scaled(night, tmp_path):
    whole = of_dark(night)
    matched = night.run(**PLAIN)
    for kind in ("bias", "light"):
        for path in night.files(kind):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    dark = matched.path("master_dark_120s", ".master.fits")
    (tmp_path / "mine.fits").write_bytes(dark.read_bytes())
    assert fits.getheader(dark)["IMAGETYP"] == "Master Dark"
    made = night.run(frames=str(tmp_path), dark={"mode": "scaled", "scale": "exposure"}, **PLAIN)
    head = made.header("master_dark")
    assert head["CALSTAT"] == "B" and head["BIASSUB"] is True and head["BIASID"]
    np.testing.assert_allclose(made.data(LIGHT), whole.data(LIGHT), atol=0.1)
    assert made.header(LIGHT)["CALSTAT"] == "BD"


def test_a_pedestal_of_the_header_comes_off_once(tmp_path):
    made = Night(tmp_path, overscan_px=0, drift_adu=0.0, n_light=1, n_bias=3, n_dark=3, n_flat=3, n_flat_dark=3)
    plain = made.run()
    for path in made.files("light"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = hdus[0].data + np.uint16(100)
            hdus[0].header["PEDESTAL"] = -100
    again = made.run(light={"pedestal_adu": 0.0}, output={"dtype": "float32"}, match={"good": 3.0, "usable": 6.5})
    np.testing.assert_allclose(again.data(LIGHT), plain.data(LIGHT), atol=1e-3)
    assert again.header(LIGHT)["PEDESTAL"] == 0
    assert any("pedestal level_adu=100" in line for line in again.header(LIGHT)["HISTORY"])
