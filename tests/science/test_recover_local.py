"""Planted light and the search around it, against the search of everything and against what white noise allows."""

from dataclasses import replace

import numpy as np
import pytest
from tests.white_sky import FWHM, SIGMA, THRESHOLD, WhiteSky

from lostlight.science.inject.psf import moffat
from lostlight.science.inject.render import add_stamps
from lostlight.science.population.relations import grid_loss, pixel_loss
from lostlight.science.recover import predict
from lostlight.science.recover.forced import correlations
from lostlight.science.recover.light import core, overlap, planted
from lostlight.science.recover.local import forced, recover, recover_planted, search_around
from lostlight.science.recover.straight import distance, straight
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.search import search
from lostlight.science.search.sigma_g import SigmaG
from lostlight.science.search.survivors import survivors

WIDTH = FWHM / 2.3548


@pytest.fixture(scope="module")
def sky():
    return WhiteSky()


def test_planted_evidence_is_that_of_images_with_the_light(sky):
    """By linearity: psi of the sum of image and light is the sum of both."""
    x, y = sky.path(100.3, 8.2, 31.0, -44.0)
    images = sky.images.copy()
    values, corner = sky.stamps(30, x, y)
    for image, value, where in zip(images, values, corner, strict=True):
        add_stamps(image, value[None], where[None])
    expected = np.stack([psi_phi(image, SIGMA**2, None, sky.psf)[0] for image in images])
    before = sky.ground.psi.copy()
    with planted(sky.ground.psi, sky.ground.phi, sky.light(30, x, y)):
        # core drops the outer ten thousandth of the squared profile
        assert np.abs(sky.ground.psi - expected).max() < 2e-3 * np.abs(expected).max()
        assert np.abs(sky.ground.psi - before).max() > 0.5
    assert np.array_equal(sky.ground.psi, before)


def test_light_on_masked_pixels_is_not_seen():
    bad = np.zeros((6, 81, 95), bool)
    bad[:3] = True
    bad[:3, :, :20] = False
    sky = WhiteSky(6, (81, 95), bad=bad)
    x, y = sky.path(60.0, 40.0, 0.0, 0.0)
    light = sky.light(20, x, y)
    assert np.abs(light.psi[:3]).max() == 0
    outcome = recover_planted(sky.ground, light, x, y)
    assert outcome.n_seen == 3
    assert outcome.lh_planted == pytest.approx(20 * np.sqrt(0.5), rel=0.01)


@pytest.mark.parametrize(("shape", "corner", "ours"), [
    ((3, 4), (-1, 2), (slice(1, 3), slice(0, 4))),
    ((3, 4), (9, -3), (slice(0, 1), slice(3, 4))),
    ((3, 4), (40, 0), (slice(-30, -30), slice(0, 4))),
])  # fmt: skip
def test_stamps_are_cut_to_the_image(shape, corner, ours):
    stamp, image = np.ones(shape), np.zeros((10, 11))
    mine, theirs = overlap(shape, corner, image.shape)
    assert mine == ours
    image[theirs] = stamp[mine]
    full = np.zeros((60, 60))
    full[20 + corner[0] : 20 + corner[0] + 3, 20 + corner[1] : 20 + corner[1] + 4] = 1
    assert np.array_equal(image, full[20:30, 20:31])


def test_a_core_keeps_what_it_promises():
    profile = moffat(2.5, 3.0).kernel()
    inner = core(profile, 1e-3)
    assert len(inner) < len(profile) / 3
    assert (inner**2).sum() >= 0.999 * (profile**2).sum()
    assert np.array_equal(core(profile, 0.0), profile)


def test_correlations_are_those_of_filtered_noise(sky):
    psi = sky.ground.psi[:, 20:-20, 20:-20].astype(float)
    norm = (psi**2).mean()
    measured = [
        (psi[:, : psi.shape[1] - dy, 1:-1] * psi[:, dy:, 1 + dx : psi.shape[2] - 1 + dx]).mean() / norm
        for dy in (0, 1)
        for dx in (-1, 0, 1)
    ]
    assert correlations(sky.psf.kernel()).ravel() == pytest.approx(measured, abs=0.02)


def test_likelihood_along_true_paths_is_signal_plus_unit_noise(sky):
    """On true paths the mean is the signal to noise that was planted, and the scatter is one."""
    rng, found = np.random.default_rng(3), []
    for _ in range(150):
        x, y = sky.draw(rng)
        with planted(sky.ground.psi, sky.ground.phi, sky.light(9, x, y)):
            found.append(forced(sky.ground, x, y).lh)
    assert np.mean(found) == pytest.approx(9, abs=3 / np.sqrt(150) + 0.03)
    assert np.std(found) == pytest.approx(1, abs=0.2)


def test_the_window_is_that_of_the_whole_search_to_the_last_bit(sky):
    x, y = sky.path(120.4, 99.7, 20.0, 33.0)
    with planted(sky.ground.psi, sky.ground.phi, sky.light(12, x, y)):
        whole = search(sky.ground.psi, sky.ground.phi, sky.days, sky.ground.velocities, sky.ground.search)
        window = search_around(sky.ground, 120.4, 99.7)
    rows, columns = (
        slice(first - start, first - start + side)
        for first, start, side in zip(window.window[:2], whole.window[:2], window.window.shape, strict=True)
    )
    assert np.array_equal(window.lh, whole.lh[:, rows, columns])
    assert np.array_equal(window.velocity, whole.velocity[:, rows, columns])


def agreement(n_copies, seed):
    """Plant sources in copies, far apart; compare what windows and the search of everything say of each."""
    sky, rng = WhiteSky(seed=seed, sigma_g=SigmaG()), np.random.default_rng(seed)
    ground, same = sky.ground, []
    for _ in range(n_copies):
        paths = [sky.path(x + rng.uniform(-4, 4), y + rng.uniform(-4, 4), *rng.uniform(-30, 30, 2))
                 for x in (50, 130, 210) for y in (50, 115, 180)]  # fmt: skip
        lights = [sky.light(rng.uniform(5, 10), *path) for path in paths]
        apart = [recover_planted(ground, light, *path) for light, path in zip(lights, paths, strict=True)]
        psi = ground.psi.copy()
        for light in lights:
            for t in range(len(psi)):
                ours, theirs = overlap(light.psi.shape[1:], tuple(light.corner[t]), psi.shape[1:])
                psi[t][theirs] += light.psi[t][ours]
        whole = replace(ground, psi=psi)
        peaks = search(psi, ground.phi, ground.days, ground.velocities, ground.search)
        found = survivors(psi, ground.phi, ground.days, ground.velocities, peaks, ground.rules)
        together = [
            recover(whole, *path, each.lh_planted, (peaks, found)) for path, each in zip(paths, apart, strict=True)
        ]
        same += [a.is_near == b.is_near for a, b in zip(apart, together, strict=True)]
    return same


def test_a18_windows_agree_with_the_search_of_everything():
    """A18: local = full for 99.5 %: here for each of 36."""
    assert all(agreement(4, 1))


@pytest.mark.soak
def test_a18_windows_agree_with_the_search_of_everything_in_full():
    """A18: local = full >= 99.5 %."""
    same = [each for seed in range(6) for each in agreement(15, seed)]
    assert np.mean(same) >= 0.995


def found_fractions(rhos, n, n_skies=1):
    """Plant n sources of each signal to noise; give the fraction found."""
    counts = np.zeros(len(rhos))
    for seed in range(n_skies):
        sky, rng = WhiteSky(seed=100 + seed), np.random.default_rng(seed)
        for k, rho in enumerate(rhos):
            for _ in range(n // n_skies):
                x, y = sky.draw(rng)
                counts[k] += recover_planted(sky.ground, sky.light(rho, x, y), x, y).is_near
    return counts / n


def check_prediction(rhos, n, n_skies):
    fractions = found_fractions(rhos, n, n_skies)
    days = np.linspace(0, 0.4, 20)
    tried = predict.Tried(days, np.ones(20), WIDTH, FWHM / 0.4)
    told = predict.probability_of_best(rhos, THRESHOLD, tried, np.random.default_rng(1), n_places=100)
    # 3 sigma of the counts, and what the prediction itself, which is drawn too, may be off
    assert (np.abs(fractions - told) <= 3 * np.sqrt(told * (1 - told) / n) + 0.015).all()


def test_a18_white_noise_lets_a_search_find_what_is_predicted():
    """A18: P(found) as predicted, with the bias of the best of many paths, within 3 sigma binomial in every bin."""
    check_prediction(np.array([5.0, 6.0, 7.0, 9.0]), 60, 2)


@pytest.mark.soak
def test_a18_white_noise_lets_a_search_find_what_is_predicted_in_full():
    """A18: the same with 1500 sources a bin."""
    check_prediction(np.arange(4.5, 9.1, 0.5), 1500, 30)


def test_the_best_of_many_paths_does_better_than_the_nearest():
    rhos = np.array([5.5, 6.5, 7.5, 8.5])
    loss = pixel_loss(WIDTH) + grid_loss(FWHM, WIDTH)
    tried = predict.Tried(np.linspace(0, 0.4, 20), np.ones(20), WIDTH, FWHM / 0.4)
    best = predict.probability_of_best(rhos, THRESHOLD, tried, np.random.default_rng(0))
    one = predict.probability(rhos, THRESHOLD, loss)
    assert (best > one).all()
    assert (best < predict.probability(rhos + 0.35, THRESHOLD)).all()
    assert one == pytest.approx([0.102, 0.373, 0.734, 0.943], abs=0.02)


def test_a_straight_path_is_fitted_through_what_is_seen(sky):
    since = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    x, y = 50 + 30 * since, 20 - 10 * since
    x[0] = np.nan
    line = straight(since, x, y)
    assert [line[key] for key in ("x", "y", "vx", "vy")] == pytest.approx([50, 20, 30, -10])
    assert (line["first"], line["last"]) == (-0.1, 0.2)
    assert straight(since, np.full(5, np.nan), y) is None


def test_a_source_on_no_image_has_no_outcome(sky):
    nothing = np.full(len(sky.days), np.nan)
    outcome = recover_planted(sky.ground, sky.light(9, *sky.path(-500.0, -500.0, 0, 0)), nothing, nothing)
    assert (outcome.n_seen, outcome.lh_planted, outcome.is_near) == (0, 0, False)
    assert np.isnan(outcome.lh_found)


def test_what_was_there_before_is_not_taken_for_the_planted_source(sky):
    """A faint source planted on a bright one does not count as found because the bright one is."""
    x, y = sky.path(150.0, 110.0, 12.0, 7.0)
    with planted(sky.ground.psi, sky.ground.phi, sky.light(25, x, y)):
        outcome = recover_planted(sky.ground, sky.light(3, x + 1, y), x + 1, y)
    assert outcome.lh_true > THRESHOLD
    assert not outcome.is_near
    assert not outcome.is_candidate


def test_a_found_source_is_measured_at_mid_arc(sky):
    x, y = sky.path(140.37, 121.62, -25.3, 18.9)
    outcome = recover_planted(sky.ground, sky.light(60, x, y), x, y)
    assert outcome.is_near
    assert outcome.found["x"] == pytest.approx(140.37, abs=0.1)
    assert outcome.found["y"] == pytest.approx(121.62, abs=0.1)
    assert outcome.found["vx"] == pytest.approx(-25.3, abs=0.8)
    assert outcome.found["flux"] == pytest.approx(sky.flux(60), rel=0.06)
    assert outcome.lh_found == pytest.approx(60, abs=4)
    assert outcome.offset_px < 0.5


def test_distances_of_paths_are_largest_where_they_part_most():
    true = {"x": 10.0, "y": 20.0, "vx": 5.0, "vy": 0.0, "first": -1.0, "last": 3.0}
    x, y, v = np.array([10.0, 13.0, 10.0]), np.array([20.0, 24.0, 20.0]), np.array([[5.0, 0], [5, 0], [7, 0]])
    assert distance(true, x, y, v) == pytest.approx([0, 5, 6])
    # places in a column and motions in a row give all pairs
    assert distance(true, x[:, None], y[:, None], v[None])[1] == pytest.approx([5, 5, np.hypot(9, 4)])
