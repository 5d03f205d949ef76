"""From paths to candidates: clipped, one for each source, measured between the pixels, vetted."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lostlight.core.errors import ConfigError
from lostlight.science.inject.mixture import gaussian
from lostlight.science.inject.render import add_stamps, stamps
from lostlight.science.search.candidates import candidates
from lostlight.science.search.cluster import independent, together
from lostlight.science.search.curves import Curves
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.nulls import Negative, shuffled
from lostlight.science.search.refine import refine
from lostlight.science.search.rules import SearchRules, Window
from lostlight.science.search.search import search, search_tables
from lostlight.science.search.sigma_g import SigmaG, percentile, unclipped
from lostlight.science.search.survivors import CandidateRules, survivors
from lostlight.science.search.threshold import expected_alarms, lattice_step, threshold_for, trials
from lostlight.science.search.velocities import shift_tables, velocity_grid
from lostlight.science.search.vet import TESTS, Vetting, autocorrelation
from lostlight.vocab.movers import MOVERS

PSF = gaussian(2.6)
DAYS = np.array([0.0, 0.02, 0.05, 0.08, 1.0, 1.03, 1.06, 1.09, 2.0, 2.02, 2.05, 2.1])
MIDDLE = (DAYS[0] + DAYS[-1]) / 2
SIGMA = 4.0
SHAPE = (71, 83)


def scene(rng, movers, spots=(), days=DAYS):
    """Images of noise with sources (x, y, vx, vy, flux) that move, x and y at the first, and single spots."""
    frames = rng.normal(0, SIGMA, (len(days), *SHAPE)) if rng else np.zeros((len(days), *SHAPE))
    for x, y, vx, vy, flux in movers:
        for frame, t in zip(frames, days, strict=True):
            add_stamps(frame, *stamps(PSF, *(np.array([[v]]) for v in (x + vx * t, y + vy * t, flux))))
    for t, x, y, flux in spots:
        frames[t, y, x] += flux
    sums = [psi_phi(frame, SIGMA**2, None, PSF) for frame in frames]
    return tuple(np.array(each) for each in zip(*sums, strict=True))


def flux_for(lh):
    return lh * SIGMA * np.sqrt(PSF.n_eff / len(DAYS))


def found(psi, phi, threshold=6.5, days=DAYS, velocities=None, **rules):
    v = velocity_grid(0, 0.6, days[-1] - days[0], PSF.fwhm_px) if velocities is None else velocities
    peaks = search(psi, phi, days, v, SearchRules(6))
    return candidates(psi, phi, days, v, peaks, CandidateRules(threshold, PSF.fwhm_px, 6, **rules), PSF.kernel())


def test_each_source_is_found_once_and_no_other():
    """Bright ones as well, whose light makes thousands of poor paths good."""
    movers = [(12.3, 30.6, 14.2, 3.1, flux_for(60)), (40.2, 60.9, -6.5, -9.3, flux_for(25)),
              (60.2, 10.4, -4.8, 6.1, flux_for(12)), (66.4, 50.7, 0.0, 0.0, flux_for(15))]  # fmt: skip
    table = found(*scene(np.random.default_rng(3), movers))
    assert table.colnames == list(MOVERS)
    assert len(table) == 4
    assert not table["is_vetted_out"].any()
    assert table["cand_id"].tolist() == [1, 2, 3, 4]
    for row, (x, y, vx, vy, flux) in zip(table, sorted(movers, key=lambda one: -one[-1]), strict=True):
        for name, error, truth in (("x_px", "x_err_px", x), ("y_px", "y_err_px", y), ("flux", "flux_err", flux),
                                   ("vx_px_day", "vx_err_px_day", vx), ("vy_px_day", "vy_err_px_day", vy)):  # fmt: skip
            assert abs(row[name] - truth) < 4 * row[error] + 0.01 * abs(truth) * (name == "flux"), name
        assert row["lh"] == pytest.approx(flux / row["flux_err"], abs=4)


def test_positions_and_rates_scatter_as_their_errors_say():
    """Paths between the pixels: pulls of unit width, no bias, over 100 sources of signal to noise 12."""
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(100):
        x, y, vx, vy = (*rng.uniform(30, 45, 2), *rng.uniform(-8, 8, 2))
        psi, phi = scene(rng, [(x, y, vx, vy, flux_for(12))])
        at = np.floor([[x + vx * MIDDLE + 0.5], [y + vy * MIDDLE + 0.5]])
        one = refine(psi, phi, DAYS, *at, [[vx + 0.5, vy - 0.4]])
        truth = (x + vx * MIDDLE, y + vy * MIDDLE, vx, vy)
        values = np.array([one.x, one.y, one.vx, one.vy])[:, 0]
        pulls.append([*(values - truth) / np.sqrt(np.diag(one.covariance[0])),
                      (one.psi[0] / one.phi[0] - flux_for(12)) * np.sqrt(one.phi[0])])  # fmt: skip
    pulls = np.array(pulls)
    assert abs(np.median(pulls, axis=0)).max() < 0.4
    np.testing.assert_allclose(pulls.std(axis=0), 1, atol=0.25)


def test_without_noise_a_path_is_found_to_a_hundredth_of_a_pixel():
    truth = (31.37, 35.81, 5.3, -3.9)
    psi, phi = scene(None, [(*truth, 1000.0)])
    one = refine(psi, phi, DAYS, [37.0], [32.0], [[5.0, -3.4]])
    at_mid = (truth[0] + truth[2] * MIDDLE, truth[1] + truth[3] * MIDDLE)
    np.testing.assert_allclose([one.x[0], one.y[0]], at_mid, atol=0.01)
    np.testing.assert_allclose([one.vx[0], one.vy[0]], truth[2:], atol=0.01)
    assert one.psi[0] / one.phi[0] == pytest.approx(1000, rel=0.005), "nearest pixels would lose some percent"
    hole = refine(-psi, phi, DAYS, [37.0], [32.0], [[5.0, -3.4]])
    assert hole.psi[0] / np.sqrt(hole.phi[0]) > -abs(one.psi[0] / np.sqrt(one.phi[0])), "a hole is fled from"
    assert len(refine(psi, phi, DAYS, [], [], np.empty((0, 2))).x) == 0


def test_a_flash_on_one_image_is_clipped_and_a_mover_is_not():
    flash = [(5, 40, 35, 900.0)]
    alone = scene(np.random.default_rng(5), [], flash)
    assert not found(*alone, sigma_g=None, vetting=Vetting(False, False, False, False))["is_vetted_out"].all()
    assert len(found(*alone)) == 0
    psi, phi = scene(np.random.default_rng(5), [(20.0, 30.0, 5.0, 1.0, flux_for(15))], flash)
    table = found(psi, phi)
    assert len(table) == 1
    assert table["x_px"][0] == pytest.approx(20, abs=0.6)


def test_clipping_goes_by_percentiles_of_what_is_seen():
    phi = np.ones((3, 11), np.float32)
    psi = np.tile(np.arange(11, dtype=np.float32) / 10, (3, 1))
    psi[0, 3], psi[1, 3] = 40, -40
    phi[2, 3:5] = 0
    keep = unclipped(psi, phi, SigmaG())
    assert keep.sum(axis=1).tolist() == [10, 10, 9]
    assert not keep[0, 3] and not keep[1, 3]
    assert unclipped(psi, phi, SigmaG(high_only=True))[1, 3]
    values = np.random.default_rng(0).normal(size=(5, 9))
    for percent in (10, 25, 50, 90):
        np.testing.assert_allclose(
            percentile(values, values > -9, percent), np.percentile(values, percent, axis=1), atol=1e-12
        )
    assert percentile(values, values > 9, 50).tolist() == [0] * 5


def test_paths_together_at_both_ends_are_one():
    ends = np.array([[10.0, 40], [11, 41], [10, 45], [30, 40]])
    assert together(ends, ends * 0, 2.0).tolist() == [0, 0, 2, 3]
    assert together(np.empty((0, 2)), np.empty((0, 2)), 2.0).size == 0


def test_a_path_that_lives_off_the_light_of_another_joins_it():
    x = np.array([[0.0, 1, 2, 3], [9, 9, 2, 3], [50, 50, 50, 50]])
    psi = np.array([[9.0, 9, 9, 9], [0, 0, 9, 9], [4, 4, 4, 4]], np.float32)
    curves = Curves(psi, np.ones_like(psi), psi, psi, psi > -1)
    leader, taken = independent(x, x * 0, curves, 5.0, 1, 2.0)
    assert leader.tolist() == [0, 0, 2]
    assert taken.tolist() == [[False] * 4, [False, False, True, True], [False] * 4]
    psi[1, :2] = 6
    assert independent(x, x * 0, curves, 5.0, 1, 2.0)[0].tolist() == [0, 1, 2]
    assert independent(x, x * 0, curves, 5.0, 3, 2.0)[0].tolist() == [0, 0, 2], "two images are left to it"


def test_vetting_tells_what_speaks_against_a_candidate():
    mover = (20.0, 30.0, 6.0, 2.0, flux_for(30))
    beside = (22.5, 34.0, 6.0, 2.0, -flux_for(28))
    along = {
        "hole": [mover, beside],
        "wide": [(20.0 + i * 1.7, 30.0 + j * 1.7, 6.0, 2.0, flux_for(9)) for i in range(3) for j in range(3)],
    }
    tables = {name: found(*scene(np.random.default_rng(6), movers)) for name, movers in along.items()}  # fmt: skip
    assert TESTS["negatives"] in tables["hole"]["why_vetted_out"][0]
    assert TESTS["shape"] in tables["wide"]["why_vetted_out"][0]
    assert tables["wide"]["is_vetted_out"][0]
    psi, phi = scene(np.random.default_rng(6), [mover])
    psi[6:] = scene(np.random.default_rng(7), [])[0][6:]
    half = found(psi, phi, sigma_g=None)
    assert TESTS["halves"] in half["why_vetted_out"][0]
    assert not found(psi, phi, sigma_g=None, vetting=Vetting(False, False, shape=False))["is_vetted_out"].any()


def test_what_comes_and_goes_is_no_body_and_what_turns_is_one():
    """Light on three images of twelve; beside it a body with a light curve of 1.2 mag from peak to peak."""
    turning = 1 + 0.5 * np.sin(np.arange(len(DAYS)) * 2.1)
    frames = [[], []]
    for t, now in enumerate(DAYS):
        x, y, flux = 30.0 + 5 * now, 30.0 + 4 * now, flux_for(14)
        for frame, factor in zip(frames, (turning[t], 3.0 if t in (1, 6, 10) else 0.3), strict=True):
            frame.append((x, y, flux * factor))
    said = []
    for frame in frames:
        images = np.random.default_rng(21).normal(0, SIGMA, (len(DAYS), *SHAPE))
        for image, one in zip(images, frame, strict=True):
            add_stamps(image, *stamps(PSF, *(np.array([[each]]) for each in one)))
        sums = [psi_phi(image, SIGMA**2, None, PSF) for image in images]
        table = found(*(np.array(each) for each in zip(*sums, strict=True)), sigma_g=None)
        said.append(str(table["why_vetted_out"][0]))
    assert said[0] == ""
    assert TESTS["steady"] in said[1]


def test_a_candidate_must_do_without_its_brightest_images():
    """A cap of four sigma: paths that two flashes make are none, refined or not."""
    flashes = [(2, 30, 30, 400.0), (8, 33, 31, 400.0)]
    planes = scene(np.random.default_rng(22), [], flashes)
    peaks = search(*planes, DAYS, velocity_grid(0, 0.6, DAYS[-1], PSF.fwhm_px), SearchRules(6))
    v = velocity_grid(0, 0.6, DAYS[-1], PSF.fwhm_px)
    free = CandidateRules(6.5, PSF.fwhm_px, 6, sigma_g=None)
    assert len(survivors(*planes, DAYS, v, peaks, free).candidates) > 0
    held = survivors(*planes, DAYS, v, peaks, replace(free, cap=4.0))
    assert len(held.candidates) == 0
    given = survivors(*planes, DAYS, v, peaks, free)
    table = candidates(*planes, DAYS, v, peaks, replace(free, cap=4.0), PSF.kernel(), found=given)
    assert all(TESTS["outliers"] in said for said in table["why_vetted_out"])


def test_sources_that_are_known_take_their_light():
    """A bright mover beyond the pixels that are searched makes no path from it to a faint one in them."""
    bright, faint = (20.0, 12.0, 6.0, 1.0, flux_for(60)), (34.0, 50.0, 5.0, -4.0, flux_for(10))
    planes = scene(np.random.default_rng(23), [bright, faint])
    v = velocity_grid(0, 1.2, DAYS[-1], PSF.fwhm_px)
    rules = CandidateRules(6.5, PSF.fwhm_px, 6)
    window = Window(38, 30, (16, 20))
    peaks = search_tables(*planes, *shift_tables(v, DAYS), SearchRules(6), window=window)
    track = tuple(np.array([at + speed * DAYS]) for at, speed in ((bright[0], bright[2]), (bright[1], bright[3])))
    unknown, known = (survivors(*planes, DAYS, v, peaks, rules, each) for each in (None, track))
    taken = []
    for found_there in (unknown, known):
        at = found_there.paths.take(found_there.candidates)
        off = np.hypot(at.x - (faint[0] + faint[2] * MIDDLE), at.y - (faint[1] + faint[3] * MIDDLE))
        assert off.min() < 2
        taken.append(int(found_there.taken[found_there.candidates[off.argmin()]].sum()))
    assert taken[0] > 0, "a path from the bright one to it has its light"
    assert taken[1] == 0
    assert known.alone(known.candidates).candidates.tolist() == list(range(len(known.candidates)))


def test_single_hot_pixels_are_not_the_shape_of_a_point():
    spots = [(t, 40, 35, 60.0) for t in range(len(DAYS))]
    table = found(*scene(np.random.default_rng(8), [], spots))
    assert TESTS["shape"] in table["why_vetted_out"][0]


def test_the_autocorrelation_is_that_of_the_noise_of_likelihoods():
    expected = autocorrelation(PSF.kernel())
    half = len(expected) // 2
    rng = np.random.default_rng(9)
    lh = np.concatenate([psi / np.sqrt(phi) for psi, phi in (psi_phi(rng.normal(size=(400, 400)), 1, None, PSF),)])
    inner = lh[20:-20, 20:-20]
    for dy, dx in ((0, 1), (2, 1), (3, 0)):
        moved = lh[20 + dy : -20 + dy, 20 + dx : lh.shape[1] - 20 + dx]
        assert np.mean(inner * moved) == pytest.approx(expected[half + dy, half + dx], abs=0.04)


def test_candidates_know_sky_time_and_magnitude():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [0.001, 30], [40, 40]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    psi, phi = scene(np.random.default_rng(10), [(30.0, 40.0, 6.0, 8.0, flux_for(40))])
    v = np.array([[6.0, 8.0]])
    peaks = search(psi, phi, DAYS, v)
    rules = CandidateRules(8, PSF.fwhm_px)
    row = candidates(
        psi, phi, DAYS, v, peaks, rules, PSF.kernel(), stack_id="s1", origin=(-5, -3), wcs=wcs, mjd_first=57000.5,
        zero_mag=25.0, found=survivors(psi, phi, DAYS, v, peaks, rules),
    )[0]  # fmt: skip
    assert (row["x_px"], row["y_px"]) == (pytest.approx(25, abs=0.2), pytest.approx(37, abs=0.2))
    ra, dec = wcs.all_pix2world(row["x_px"], row["y_px"], 0)
    assert (row["ra_deg"], row["dec_deg"]) == (pytest.approx(ra, abs=1e-9), pytest.approx(dec, abs=1e-9))
    assert row["rate_arcsec_h"] == pytest.approx(10 / 24, rel=0.02)
    assert row["pa_deg"] == pytest.approx(np.degrees(np.arctan2(-6, 8)) % 360, abs=1)
    assert row["mag"] == pytest.approx(25 - 2.5 * np.log10(flux_for(40)), abs=0.1)
    assert (row["stack_id"], row["mjd_ref"]) == ("s1", 57000.5)


def test_nothing_found_is_an_empty_table():
    table = found(*scene(np.random.default_rng(11), []), threshold=9)
    assert len(table) == 0
    assert table.colnames == list(MOVERS)


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    ("step", "n_epochs", "n_stacks"),
    [(0.5, 10, 3), (1.0, 10, 3), *(pytest.param(*each, marks=SOAK) for each in ((0.5, 20, 9), (1, 6, 20), (1, 30, 9)))],
)
def test_false_alarms_are_as_many_as_expected(step, n_epochs, n_stacks):
    """A17: sources at 5 sigma in noise alone, within three Poisson errors of the prediction."""
    rng = np.random.default_rng(12)
    days = np.linspace(0, 1, n_epochs)
    v = velocity_grid(0, 0.5, 1.0, PSF.fwhm_px, step_fwhm=step)
    n, alarms = 0, 0
    for _ in range(n_stacks):
        sums = [psi_phi(rng.normal(size=(260, 270)), 1.0, None, PSF) for _ in days]
        psi, phi = (np.array(each) for each in zip(*sums, strict=True))
        peaks = search(psi, phi, days, v, SearchRules(5))
        rules = CandidateRules(5.0, PSF.fwhm_px, 5, sigma_g=None)
        alarms += len(survivors(psi, phi, days, v, peaks, rules).candidates)
        n += peaks.lh[0].size
    expected = float(expected_alarms(5.0, n, v, days, PSF.fwhm_px))
    assert expected > 3, "or this shows nothing"
    assert abs(alarms - expected) <= 3 * np.sqrt(expected) + 1


def test_thresholds_are_those_of_published_numbers_of_trials():
    """Of independent paths: 6.0 for 1e9 trials, 6.7 for 1e11, 7.35 for 1e13."""
    days = np.linspace(0, 1, 9)
    v = velocity_grid(0, 2.0, 1.0, 3.0, step_fwhm=4)
    for n_trials, expected in ((1e9, 6.0), (1e11, 6.7), (1e13, 7.35)):
        assert threshold_for(1.0, n_trials / len(v), v, days, 3.0) == pytest.approx(expected, abs=0.08)
    u = threshold_for(0.3, 10_000, v, days, 3.0)
    assert float(expected_alarms(u, 10_000, v, days, 3.0)) == pytest.approx(0.3, rel=1e-4)
    assert 0.1 < trials(6.0, 10_000, v, days, 3.0) / (10_000 * len(v)) <= 1
    assert threshold_for(1e12, 10, v, days, 3.0) == 2.0
    assert threshold_for(1.0, 10_000, [[0.0, 0.0]], days, 3.0) < threshold_for(1.0, 10_000, v, days, 3.0)
    assert lattice_step(v) == pytest.approx(12.0)
    with pytest.raises(ConfigError):
        threshold_for(0, 10, v, days, 3.0)


def test_nulls_find_nothing_real():
    psi, phi = scene(np.random.default_rng(13), [(15.0, 20.0, 14.0, 9.0, flux_for(25))])
    assert len(found(psi, phi)) == 1
    negative = Negative(psi)
    assert len(found(negative, phi)) == 0
    assert len(found(-psi, phi)) == 0
    np.testing.assert_array_equal(np.array(list(negative)), -psi)
    order = shuffled(DAYS, np.random.default_rng(1))
    assert sorted(order) == DAYS.tolist()
    v = velocity_grid(0, 0.6, 2.1, PSF.fwhm_px)
    assert (
        search(psi, phi, order, v, SearchRules(6)).lh.max() < 0.7 * search(psi, phi, DAYS, v, SearchRules(6)).lh.max()
    )
    with pytest.raises(ConfigError):
        shuffled([0.0, 1.0], np.random.default_rng(1))


def test_the_object_of_the_kbmod_images_is_the_best_candidate(shared_data):
    """On the ten images that kbmod tests itself with: x0 = 11, y0 = 26 and (16, 4) pixels per day, to a pixel."""
    files = sorted((shared_data / "kbmod-small").glob("00000?.fits.gz"))
    images, mjd = zip(*((fits.getdata(f, 1).astype(float), fits.getheader(f)["MJD"]) for f in files), strict=True)
    days, psf = np.array(mjd) - mjd[0], gaussian(1.6)
    sums = [psi_phi(image, 4.0, None, psf) for image in images]
    psi, phi = (np.array(each) for each in zip(*sums, strict=True))
    v = velocity_grid(0, 1.0, days[-1], 1.6)
    peaks = search(psi, phi, days, v, SearchRules(5))
    threshold = threshold_for(1.0, peaks.lh[0].size, v, days, 1.6)
    table = candidates(psi, phi, days, v, peaks, CandidateRules(threshold, 1.6, 5), psf.kernel())
    kept = table[~table["is_vetted_out"]]
    assert len(kept) == 1
    best = kept[0]
    assert (best["x_px"], best["y_px"]) == (pytest.approx(11, abs=1), pytest.approx(26, abs=1))
    assert (best["vx_px_day"], best["vy_px_day"]) == (pytest.approx(16, abs=0.7), pytest.approx(4, abs=0.7))
    for image, t in zip(images, days, strict=True):
        x, y = best["x_px"] + best["vx_px_day"] * t, best["y_px"] + best["vy_px_day"] * t
        around = image[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        peak = np.unravel_index(around.argmax(), around.shape)
        assert np.hypot(round(y) - 3 + peak[0] - y, round(x) - 3 + peak[1] - x) < 1.3, "where the light is"
