import numpy as np
import pytest

from lostlight.science.calibrate.dust import find_dust
from lostlight.science.calibrate.flat_checks import analyse_flat, flat_warnings
from lostlight.sim.camera_design import Design
from lostlight.sim.camera_maps import CameraTruth


def planted(shape, patches, kind="disc", snr=150, seed=0, vignetting=0.15):
    """A flat with shadows: (x, y, r, depth)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 1 - vignetting * ((2 * x / shape[1] - 1) ** 2 + (2 * y / shape[0] - 1) ** 2)
    for cx, cy, r, depth in patches:
        away = np.hypot(x - cx, y - cy)
        inside = 0.5 * (1 + np.tanh(r - away))
        light = light * (1 - depth * (inside if kind == "disc" else inside * 0.5 * (1 + np.tanh(away - 0.4 * r))))
    return (light * rng.normal(1, 1 / snr, shape)).astype(np.float32)


def hits(found, truth):
    return [any(np.hypot(d.x_px - t[0], d.y_px - t[1]) < 0.5 * t[2] for d in found) for t in truth]


PATCHES = [(60, 50, 8, 0.011), (150, 60, 12, 0.05), (250, 120, 20, 0.02), (90, 180, 25, 0.012), (170, 190, 9, 0.3)]


@pytest.mark.parametrize("kind", ["disc", "ring"])
def test_dust_is_found_with_place_size_and_depth(kind):
    found = analyse_flat(planted((240, 311), PATCHES, kind), None).dust
    assert len(found) == len(PATCHES)
    assert all(hits(found, PATCHES))
    assert [d.depth for d in found] == sorted((d.depth for d in found), reverse=True)
    for d in found:
        _, _, r, depth = min(PATCHES, key=lambda t: np.hypot(t[0] - d.x_px, t[1] - d.y_px))
        assert d.r_px == pytest.approx(r, rel=0.3)
        assert d.depth == pytest.approx(depth, rel=0.25, abs=0.004)


def test_touching_shadows_are_parted():
    truth = [(100, 100, 15, 0.03), (132, 100, 15, 0.05)]
    found = analyse_flat(planted((230, 251), truth, "ring"), None).dust
    assert all(hits(found, truth))
    assert len(found) == 2


def test_columns_gradients_hot_pixels_and_noise_are_no_dust():
    data = planted((301, 350), [], snr=60, vignetting=0.25)
    data[:, 100], data[:, 201:203], data[200] = 0.8, 0.9, 0.95
    rng = np.random.default_rng(1)
    data[rng.random(data.shape) < 1e-3] = 3.0
    data[rng.random(data.shape) < 1e-3] = 0.1
    assert analyse_flat(data, None).dust == ()


def test_shallow_or_bright_patches_are_none():
    found = analyse_flat(planted((200, 210), [(100, 100, 15, 0.003), (50, 60, 12, -0.02)], snr=400), None).dust
    assert not any(hits(found, [(100, 100, 15), (50, 60, 12)]))


def test_nothing_is_found_where_there_is_nothing():
    assert find_dust(np.full((60, 70), np.nan)) == []
    assert find_dust(np.zeros((33, 41))) == []


def test_the_warning_names_the_deepest():
    found = analyse_flat(planted((240, 311), PATCHES), None, level=0.5)
    (heard,) = [warning for warning in flat_warnings("m", found) if warning.code == "CAL216"]
    assert heard.value == 5
    assert heard.said.startswith("5 shadows of dust")
    assert "x 170, y 190" in heard.said


def score(seeds, shape, n_dust=6):
    n_truth = n_hit = n_found = n_right = 0
    for seed in seeds:
        camera = CameraTruth(seed, Design(shape=shape, n_dust=n_dust))
        response = camera.flat("R")
        error = np.sqrt(response / 3e5)
        noisy = np.random.default_rng(seed).normal(response, error).astype(np.float32)
        found = analyse_flat(noisy, error.astype(np.float32)).dust
        truth = [tuple(row) for row in camera.dust.iterrows() if row[2] >= 8 and row[3] >= 0.01]
        n_truth, n_hit = n_truth + len(truth), n_hit + sum(hits(found, truth))
        n_found += len(found)
        n_right += sum(any(np.hypot(d.x_px - t[0], d.y_px - t[1]) < t[2] for t in truth) for d in found)
    return n_hit / n_truth, n_right / n_found


def test_the_dust_of_the_simulated_camera_is_found():
    recall, precision = score(range(4), (384, 512))
    assert recall >= 0.95
    assert precision >= 0.9


@pytest.mark.soak
@pytest.mark.parametrize("shape", [(384, 512), (1023, 1535)])
def test_the_dust_of_many_simulated_cameras_is_found(shape):
    recall, precision = score(range(30), shape, 8)
    assert recall >= 0.95
    assert precision >= 0.9
