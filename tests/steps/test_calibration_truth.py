"""Step 11 against a camera whose every flaw is known: error bars, masters, maps, factors and flats are true."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import median_filter

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.sim.camera_design import Scene, Shot
from lostlight.sim.camera_frames import write_frames
from lostlight.vocab.bits import dq

SHAPE = (257, 385)
OVERSCAN = 24
N_BIAS, N_DARK, N_FLAT = 10, 8, 10


class Night:
    """Frames of a camera, what step 11 made of them, and what is behind both."""

    def __init__(self, folder: Path, settings=None, **switches):
        known = {"shape": SHAPE, "overscan_px": OVERSCAN, "n_bias": N_BIAS, "n_dark": N_DARK, "n_flat": N_FLAT}
        known |= {"n_flat_dark": 8, "n_light": 3, "filters": ("R",), "dark_s": (120.0,)}
        self.roll = write_frames(folder / "raw", 20, **(known | switches))
        self.camera, self.truth = self.roll.camera, self.roll.camera.truth
        self.folder = folder
        self.calibrate(settings or {})

    def calibrate(self, settings):
        config = configuration.check({"calibrate": {"frames": str(self.folder / "raw"), **settings}})
        (self.manifest,) = chain.walk(config, self.folder / "run", steps=("11_calibrate",), workers=1)
        self.products = self.folder / "run" / "11_calibrate" / "products"
        self.report = json.loads((self.products / "calibration_report.json").read_text())

    def open(self, pattern):
        (path,) = self.products.glob(pattern)
        with fits.open(path) as hdus:
            return {hdu.name or "SCI": np.asarray(hdu.data) for hdu in hdus if hdu.data is not None}, hdus[0].header

    def raw(self, index):
        return self.camera.take(Shot("light", index, 120.0, filter="R"))

    def warned(self, code):
        return [warning for warning in self.report["warnings"] if warning["code"] == code]


def first(planes):
    return planes.get("PRIMARY", planes.get("SCI"))


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Night:
    """A matched night under a bright sky: its noise is told by the pixel itself to half a percent."""
    return Night(tmp_path_factory.mktemp("night"), scene=Scene(sky_e_s=100.0))


def level_free(pixels, truth, good=True):
    """Differences from the truth but for the level, which the overscan has taken off."""
    apart = pixels - truth
    return apart - np.median(apart[good & np.isfinite(apart)])


def test_error_bars_of_the_bias_are_true(night):
    planes, header = night.open("master_bias*.master.fits")
    apart = level_free(first(planes), night.truth.bias_adu)
    pull = apart / planes["UNCERT"]
    assert abs(pull.mean()) < 0.01 and pull.std() == pytest.approx(1, abs=0.02)
    theory = np.sqrt((night.camera.design.rdnoise_e / night.camera.design.gain_e_adu) ** 2 + 1 / 12) / np.sqrt(N_BIAS)
    drift = night.camera.design.drift_adu, night.camera.design.banding_adu  # the overscan does not see the banding
    assert drift[0] > 0 and apart.std() <= 1.03 * np.hypot(theory, drift[1] / np.sqrt(N_BIAS))
    assert header["RDNOISE"] == pytest.approx(night.camera.design.rdnoise_e, rel=0.02)


def test_error_bars_of_the_dark_are_true(night):
    planes, _ = night.open("master_dark*.master.fits")
    gain = night.camera.design.gain_e_adu
    charge = 120 * (night.truth.dark_e_s() + night.truth.glow_e_s) / gain
    good = ~night.truth.rts & (charge < 40_000)
    apart = level_free(first(planes), night.truth.bias_adu + charge, good)
    pull = (apart / planes["UNCERT"])[good]
    assert abs(pull.mean()) < 0.01 and pull.std() == pytest.approx(1, abs=0.02)
    theory = np.sqrt((night.camera.design.rdnoise_e / gain) ** 2 + 1 / 12 + 0.3**2 + charge / gain) / np.sqrt(N_DARK)
    assert np.sqrt(np.mean((apart / theory)[good] ** 2)) <= 1.03


def test_error_bars_of_the_flat_are_true(night):
    planes, _ = night.open("master_flat_R*.master.fits")
    flat = night.truth.flat("R")
    good = (planes["DQ"] & dq("NO_FLAT") == 0) & ~night.truth.rts
    flat = flat * first(planes)[good].mean() / flat[good].mean()
    pull = ((first(planes) - flat)[good]) / planes["UNCERT"][good]
    assert abs(pull.mean()) < 0.01 and pull.std() == pytest.approx(1, abs=0.02)
    theory = np.sqrt(flat / (25_000 * night.camera.design.gain_e_adu * N_FLAT))  # photons of flats of this level
    assert np.sqrt(np.mean(((first(planes) - flat) / theory)[good] ** 2)) <= 1.03


def test_error_bars_of_lights_are_true(night):
    means = [_mean_pull(night, index) for index in range(3)]
    # a pixel tells its own noise: where it is low by chance it seems better known, half a count in root 12,000
    assert abs(np.mean(means)) < 0.01 and np.mean(means) == pytest.approx(-0.5 / np.sqrt(12_000), abs=0.006)


def _mean_pull(night, index):
    planes, header = night.open(f"light_R_120s_00{index}.fits")
    raw = night.raw(index)
    flat, _ = night.open("master_flat_R*.master.fits")
    good = planes["DQ"] == 0
    good &= ~raw.truth.cosmic[:, OVERSCAN:] & ~night.truth.rts
    level = first(flat)[good].mean() / night.truth.flat("R")[good].mean()
    pull = ((first(planes) - raw.truth.scene_e / night.camera.design.gain_e_adu / level) / planes["UNCERT"])[good]
    assert good.mean() > 0.99
    assert pull.std() == pytest.approx(1, abs=0.02)
    assert header["CRPIX1"] == pytest.approx(raw.header["CRPIX1"] - OVERSCAN)
    return pull.mean()


def test_the_map_of_bad_pixels_is_that_of_the_camera(night):
    planes, _ = night.open("bad_pixels.bpm.fits")
    found, truth = planes["DQ"], night.truth
    column = np.zeros(SHAPE, bool)
    column[:, truth.bad_columns] = True
    hot, cold = found & dq("HOT") > 0, found & dq("COLD") > 0
    assert hot[truth.hot & ~column].mean() >= 0.995
    level = truth.bias_adu + 80 * truth.dark_e_s()
    stands_out = level > median_filter(level, 5) + 5 * 2.7  # what a pixel differs by from its neighbours
    assert (truth.hot | truth.rts | stands_out)[hot].mean() >= 0.995 and not (hot & column).any()
    assert cold[truth.cold].mean() >= 0.995 and truth.cold[cold].mean() >= 0.995
    assert (found[column] & dq("BAD") > 0).all() and not (found[~column] & dq("BAD")).any()


def test_hopping_pixels_are_told_as_unstable(night):
    planes, _ = night.open("bad_pixels.bpm.fits")
    unstable = planes["DQ"] & dq("UNSTABLE") > 0
    assert unstable[night.truth.rts].mean() >= 0.7  # one frame in eight apart from the others is a cosmic ray
    assert night.truth.rts[unstable].mean() >= 0.8
    light, _ = night.open("light_R_120s_000.fits")
    assert (light["DQ"][unstable] & dq("UNSTABLE") > 0).all()


def test_flats_correct_as_they_should(night):
    assert not night.warned("CAL217")
    for light in night.report["lights"]:
        assert abs(light["correction"]["slope"]) < 0.03 and not light["correction"]["is_wrong"]


def test_a_pedestal_that_nothing_takes_off_over_corrects(tmp_path):
    made = Night(tmp_path, overscan_px=0, drift_adu=0.0, n_bias=5, n_dark=3, n_flat=5, n_flat_dark=3, n_light=2,
                 scene=Scene(sky_e_s=12.5, gradient=0.0, n_stars=20))  # fmt: skip
    assert not made.warned("CAL217")
    for path in (tmp_path / "raw" / "light").iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = hdus[0].data + np.uint16(100)
    made.calibrate({})
    assert {each["where"] for each in made.warned("CAL217")} == {"light_R_120s_000", "light_R_120s_001"}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory) -> Night:
    """Darks of half the exposure of the lights, of a camera without glow."""
    return Night(
        tmp_path_factory.mktemp("scaled"), {"dark": {"mode": "scaled"}}, dark_s=(60.0,), glow_e_s=0.0, n_flat_dark=0,
        hot_fraction=5e-3, rts_fraction=0.0, n_light=2, n_dark=5, scene=Scene(sky_e_s=30.0),
    )  # fmt: skip


def test_the_factor_of_a_dark_is_found(scaled):
    for index in range(2):
        planes, header = scaled.open(f"light_R_120s_00{index}.fits")
        assert header["DARKSCAL"] == pytest.approx(2, rel=0.01)
        assert abs(header["DARKSCAL"] - 2) < 4 * header["DARKSERR"] + 0.005
        raw = scaled.raw(index)
        good = (planes["DQ"] == 0) & ~raw.truth.cosmic[:, OVERSCAN:]
        flat, _ = scaled.open("master_flat_R*.master.fits")
        level = first(flat)[good].mean() / scaled.truth.flat("R")[good].mean()
        apart = first(planes) - raw.truth.scene_e / scaled.camera.design.gain_e_adu / level
        pull = (apart / planes["UNCERT"])[good]
        assert abs(pull.mean()) < 0.03 and pull.std() == pytest.approx(1, abs=0.03)


def test_the_bias_comes_off_darks_and_flats_once(scaled):
    dark, header = scaled.open("master_dark*.master.fits")
    assert header["BIASSUB"] is True and header["CALSTAT"] == "B" and header["BIASID"]
    charge = 60 * scaled.truth.dark_e_s() / scaled.camera.design.gain_e_adu
    assert np.median(first(dark) - charge) == pytest.approx(0, abs=0.3)
    flat, header = scaled.open("master_flat_R*.master.fits")
    truth = scaled.truth.flat("R")
    good = flat["DQ"] == 0
    np.testing.assert_allclose(np.median((first(flat) / truth)[good]), 1, atol=2e-3)
    slope = np.polyfit(truth[good], first(flat)[good], 1)[0]
    assert slope == pytest.approx(1, abs=2e-3)  # a pedestal left in would flatten the vignetting
