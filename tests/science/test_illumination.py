import numpy as np
import pytest

from lostlight.science.calibrate import over_correction
from lostlight.science.calibrate.flat_checks import FlatAnalysis, advice, analyse_flat, flat_warnings
from lostlight.science.calibrate.illumination import banding, illumination, robust_fit, shape_change, surface
from lostlight.science.calibrate.tiles import averaged, smooth, tile_edges, tile_medians, tile_side


def grid(shape):
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return x, y


def flat(shape, vignetting=0.15, tilt=0.0, off=(0.0, 0.0), snr=200, seed=1):
    x, y = grid(shape)
    light = 1 - vignetting * ((x - off[0]) ** 2 + (y - off[1]) ** 2) + tilt / 2 * y
    return (light * np.random.default_rng(seed).normal(1, 1 / snr, shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(401, 307), (97, 131), (37, 29)])
def test_vignetting_and_tilt_are_recovered(shape):
    found = illumination(flat(shape, 0.15, 0.06))
    assert found.corner_over_center == pytest.approx(0.7, abs=0.01)
    assert found.tilt == pytest.approx(0.06, abs=0.006)
    assert found.tilt_angle_deg == pytest.approx(90, abs=8)


def test_the_centre_of_the_vignetting_is_recovered():
    found = illumination(flat((301, 401), 0.2, off=(0.2, -0.1)))
    assert found.center_x_px == pytest.approx(0.6 * 400, abs=3)
    assert found.center_y_px == pytest.approx(0.45 * 300, abs=3)


def test_dust_and_bad_columns_do_not_bend_the_surface():
    data = flat((301, 403))
    clean = illumination(data)
    data[20:80, 30:90] *= 0.9
    data[:, 200] = 0
    found = illumination(data)
    assert found.corner_over_center == pytest.approx(clean.corner_over_center, abs=0.004)
    x, y = grid(data.shape)
    assert np.abs(surface(found, data.shape) - (1 - 0.15 * (x**2 + y**2))).max() < 0.005


def test_an_even_flat_has_no_brightest_place_and_nothing_has_no_shape():
    assert np.isnan(illumination(flat((200, 220), 0.0)).center_x_px)
    assert np.isnan(illumination(np.full((40, 50), np.nan)).tilt)


def test_banding_is_one_without_and_large_with_it():
    rng = np.random.default_rng(3)
    even = rng.normal(0, 0.01, (211, 307))
    rows, columns = banding(even)
    assert (rows, columns) == (pytest.approx(1, abs=0.2), pytest.approx(1, abs=0.2))
    rows, columns = banding(even + rng.normal(0, 0.005, 211)[:, np.newaxis])
    assert rows > 4
    assert columns == pytest.approx(1, abs=0.2)


def test_the_shape_of_a_flat_is_compared_with_its_master():
    master = flat((301, 403), snr=2000)
    assert shape_change(3 * flat((301, 403), seed=5, snr=100), master) < 0.001
    x, _ = grid((301, 403))
    assert shape_change(flat((301, 403), seed=6) * (1 + 0.02 * x), master) == pytest.approx(0.02 / np.sqrt(3), rel=0.1)
    assert np.isnan(shape_change(np.full((8, 9), np.nan), np.ones((8, 9))))


def test_a_good_flat_is_praised():
    data = flat((201, 303), 0.05, snr=300)
    found = analyse_flat(data, data / 300, level=0.45)
    assert flat_warnings("m", found) == []
    assert advice(found) == ["Well exposed, evenly lit, clean: nothing to do better."]
    assert found.snr == pytest.approx(300, rel=1e-3)
    assert {verdict for row in found.tiles for verdict in row} == {"good"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"level": 0.1}, "CAL214"),
        ({"level": 0.85}, "CAL214"),
        ({"level": 0.5, "saturated_fraction": 0.001}, "CAL214"),
        ({"level": 0.5, "shape_changes": {"flat_3": 0.008}}, "CAL215"),
    ],
)
def test_a_flat_that_is_exposed_or_lit_badly_is_told(settings, code):
    data = flat((101, 103), 0.05, snr=300)
    heard = flat_warnings("m", analyse_flat(data, data / 300, **settings))
    assert [warning.code for warning in heard] == [code]
    assert heard[0].value > heard[0].threshold or settings["level"] == 0.1


def test_noise_tilt_and_exposure_come_with_advice():
    data = flat((201, 203), 0.05, tilt=0.2, snr=40)
    found = analyse_flat(data, data / 40, level=0.2)
    assert [warning.code for warning in flat_warnings("m", found)] == ["CAL213", "CAL215"]
    assert any("signal to noise of 40" in said for said in advice(found))
    assert any("20 % of saturation" in said for said in advice(found))
    assert any("75 % of saturation" in said for said in advice(analyse_flat(data, None, level=0.75)))


def test_banding_is_advised_on():
    lit = illumination(flat((50, 60)))
    found = FlatAnalysis(0.5, 0, 300, lit, (), 5.0, 1.0)
    assert any(said.startswith("Whole rows differ by 5.0") for said in advice(found))


def test_tiles_are_judged_by_sensitivity_and_by_what_is_usable():
    data = np.ones((128, 160), np.float32)
    data[:16, :20], data[16:32, :20], data[32:48, :10] = 0.7, 0.4, np.nan
    found = analyse_flat(data, None)
    assert found.tile_px == 16
    assert found.tiles[0][0] == "fair"
    assert found.tiles[1][0] == found.tiles[2][0] == "poor"
    assert found.tiles[-1][-1] == "good"
    assert analyse_flat(np.full((40, 48), np.nan, np.float32), None).dust == ()


def test_tiles_cover_an_image_once():
    rows, columns = tile_edges((101, 67), 16)
    assert (rows[0], rows[-1], columns[-1], len(rows)) == (0, 101, 67, 7)
    assert [tile_side((n, 5000)) for n in (4000, 300, 12)] == [64, 37, 2]
    data = np.arange(12.0).reshape(3, 4)
    data[0, 0] = np.nan
    assert tile_medians(data, 2).tolist() == [[5.0, 6.5]]


def test_smoothing_keeps_constants_and_ignores_what_is_not_good():
    data = np.full((90, 101), 3.0)
    good = np.ones(data.shape, bool)
    data[40:50, 40:50], good[40:50, 40:50] = 1e9, False
    for sigma in (2.0, 20.0):
        assert np.allclose(smooth(data, good, sigma), 3)
    assert np.isnan(averaged(data, good, 10)[4, 4])
    assert averaged(data, good, 9).shape == (10, 11)


def light(shape, pedestal, seed, vignetting=0.15, sky=1000.0):
    """A calibrated light of 1000 adu of sky whose pedestal was taken off wrongly, and its flat."""
    rng = np.random.default_rng(seed)
    x, y = grid(shape)
    response = 1 - vignetting * (x**2 + y**2)
    scene = sky * (1 + 0.02 * x)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for flux, cx, cy in zip(
        10 ** rng.uniform(2.5, 5, 40), rng.uniform(0, shape[1], 40), rng.uniform(0, shape[0], 40), strict=True
    ):
        scene = scene + flux / 16 * np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / (2 * 1.6**2))
    raw = scene * response
    return ((rng.normal(raw, np.sqrt(raw / 1.5 + 64)) + pedestal) / response).astype(np.float32), response


@pytest.mark.parametrize("shape", [(255, 319), (127, 151)])
@pytest.mark.parametrize("seed", range(3))
def test_a_pedestal_error_is_flagged_and_a_right_correction_is_not(shape, seed):
    right = over_correction.correction(*light(shape, 0, seed))
    assert not right.is_wrong
    assert abs(right.slope) < 5 * right.slope_error + 0.01
    for pedestal in (100, -100):
        image, response = light(shape, pedestal, seed)
        found = over_correction.correction(image, response)
        (heard,) = over_correction.wrong_correction("light_1", "flat_R", found)
        assert heard.code == "CAL217"
        assert ("too much" in heard.said) == (pedestal > 0)
    assert over_correction.wrong_correction("light_1", "flat_R", right) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("vignetting", [0.08, 0.15])
def test_all_pedestal_errors_are_flagged(seed, vignetting):
    shape = (511, 612)
    assert over_correction.correction(*light(shape, 100, seed, vignetting)).is_wrong
    assert over_correction.correction(*light(shape, -100, seed, vignetting)).is_wrong
    assert not over_correction.correction(*light(shape, 0, seed, vignetting)).is_wrong


def test_a_pedestal_that_was_added_on_purpose_is_no_error():
    image, response = light((255, 319), 0, 5)
    assert over_correction.correction(image + 400, response, pedestal=400).slope == pytest.approx(0, abs=0.02)
    assert abs(over_correction.correction(image + 400, response).slope) < 0.05
    assert over_correction.correction(image + 400, response).background == pytest.approx(1400, rel=0.01)


def test_a_large_frame_is_averaged_first():
    image, response = light((1025, 1100), 100, 2)
    assert over_correction.correction(image, response, np.ones(image.shape, bool)).is_wrong


def test_a_light_without_pixels_or_sky_tells_nothing():
    empty = over_correction.correction(np.full((64, 70), np.nan), np.ones((64, 70)))
    assert (empty.n_tiles, empty.is_wrong) == (0, False)
    dark = over_correction.correction(np.zeros((64, 70)), np.ones((64, 70)))
    assert np.isnan(dark.slope)
    assert dark.plain()["is_wrong"] is False


def test_the_fit_leaves_outliers_out_and_takes_exact_data():
    x = np.linspace(-1, 1, 60)
    terms = np.stack([np.ones(60), x], axis=-1)
    values = 2 + 3 * x
    assert robust_fit(terms, values)[0] == pytest.approx([2, 3])
    values[::7] += 50
    values += np.random.default_rng(1).normal(0, 0.01, 60)
    assert robust_fit(terms, values)[0] == pytest.approx([2, 3], abs=0.02)
