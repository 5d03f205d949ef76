"""`inject` as its users call it: exact sums, the keys it tells, noise maps, the sky, and everything it refuses."""

import json
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from tests.injection_scene import CENTRE, SCALE, SHAPE, sky

import lostlight
from lostlight import PSFParams, TargetConfig, inject
from lostlight.core.errors import ConfigError, LostlightError
from lostlight.science.inject.arguments import BadArgument
from lostlight.science.inject.psf import gaussian
from lostlight.science.inject.rules import Brightness
from lostlight.vocab import bits
from lostlight.vocab.movers import NEGATIVES, SAMPLE_TYPES

T, H, W = 5, 63, 71
HOURS = np.arange(T) * 0.5
PATCH = np.random.default_rng(0).normal(10, 3, (T, H, W)).astype(np.float32)
PSF = PSFParams(fwhm_pixels=2.5)
LEGACY = (
    "sample_type", "seed", "plate_scale_arcsec_per_px", "n_frames", "patch_shape", "flux_peak",
    "motion_ra_arcsec_per_hour", "motion_dec_arcsec_per_hour", "start_x_px", "start_y_px", "trajectory_x",
    "trajectory_y", "frames_in_patch", "psf", "target_strategy", "sigma_calibrated", "prior_extra",
)  # fmt: skip
NEW = (
    "schema_version", "rng", "flux_definition", "brightness_mode", "snr_frame", "snr_stack", "n_eff", "trail_len_px",
    "motion_frame", "pa_deg", "r_helio_au", "delta_au", "elong_deg", "phase_deg", "mag", "flux_expected",
    "flux_realised", "visible", "flags", "code_version", "config_hash", "input_hashes",
)  # fmt: skip


@pytest.mark.parametrize("sample_type", SAMPLE_TYPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("noise", ["none", "poisson"])
def test_the_sum_is_exact(sample_type, dtype, noise):
    """A1: bit by bit in the type of the result, for all sample types, with and without photon noise."""
    patch = PATCH.copy()
    patch[1, 2, 3] = np.nan
    x, y, meta = inject(patch, HOURS, 0.187, PSF, sample_type, seed=4, dtype=dtype, noise=noise, gain=1.5,
                        brightness={"mode": "snr_stack", "value": 20})  # fmt: skip
    assert x.dtype == y.dtype == np.dtype(dtype) and np.isfinite(y).all()
    assert np.array_equal(x, patch.astype(dtype) + y, equal_nan=True) and np.isnan(x[1, 2, 3])
    assert meta["label"] == int(sample_type not in NEGATIVES)


def test_meta_has_the_keys_of_old_and_new_in_plain_json():
    _, _, meta = inject(PATCH, HOURS, 0.187, PSF, "tno", seed=5)
    assert set(LEGACY) | set(NEW) <= set(meta)
    assert json.loads(json.dumps(meta, allow_nan=False)) == meta
    assert meta["seed"] == 5 and meta["n_frames"] == T and meta["patch_shape"] == [H, W]
    assert meta["motion_frame"] == "pixel" and meta["flux_definition"] == "total"
    dx = meta["motion_ra_arcsec_per_hour"] / 0.187 * HOURS
    assert meta["trajectory_x"] == pytest.approx(meta["start_x_px"] + dx, abs=1e-5)
    assert len(meta["snr_frame"]) == len(meta["visible"]) == len(meta["mag"]) == T


def test_a_tenth_of_the_noise_is_a_tenth_of_the_light():
    """A10: the first of four behaviours of sigma_map."""
    one, ten = (inject(PATCH, HOURS, 0.187, PSF, "tno", 6, sigma_map=np.full(T, s))[1].sum() for s in (1.0, 10.0))
    assert ten / one == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(
    "wrong", [np.ones(T + 1), np.ones(T - 1), np.ones((T, 2)), 3.0, np.zeros(T), np.full(T, np.nan)]
)
def test_a_noise_map_of_another_length_is_refused(wrong):
    """A10: the second."""
    with pytest.raises(ValueError, match="sigma_map"):
        inject(PATCH, HOURS, 0.187, PSF, "tno", 6, sigma_map=wrong)


def test_meta_tells_whether_noise_was_given_and_how_flux_was_meant():
    """A10: the third."""
    with_map, without = (inject(PATCH, HOURS, 0.187, PSF, "tno", 6, sigma_map=s)[2] for s in (np.full(T, 2.0), None))
    assert with_map["sigma_calibrated"] is True and with_map["brightness_mode"] == "legacy_total"
    assert without["sigma_calibrated"] is False and without["brightness_mode"] == "flux"


def test_without_a_noise_map_nothing_changes():
    """A10: the fourth: flux is what was drawn, the same on all images, and with noise of one too."""
    given = {"target_config": TargetConfig("center"), "dtype": "float64"}
    _, y, meta = inject(PATCH, HOURS, 0.187, PSF, "static", 6, **given)
    assert y.sum(axis=(1, 2)) == pytest.approx(meta["flux_peak"], rel=1e-6)
    assert np.array_equal(y, inject(PATCH, HOURS, 0.187, PSF, "static", 6, sigma_map=np.ones(T), **given)[1])
    uneven = inject(PATCH, HOURS, 0.187, PSF, "static", 6, sigma_map=np.arange(1.0, 6), **given)[1]
    assert uneven.sum(axis=(1, 2)) == pytest.approx(meta["flux_peak"] * np.arange(1.0, 6), rel=1e-6)


def test_a_map_of_the_noise_of_each_pixel_counts_by_its_median():
    full = np.ones(PATCH.shape) * np.arange(1.0, 6)[:, None, None]
    one, other = (inject(PATCH, HOURS, 0.187, PSF, "tno", 6, sigma_map=s)[1] for s in (full, np.arange(1.0, 6)))
    assert np.array_equal(one, other)


def test_drawn_fluxes_are_those_of_the_first_injectors():
    drawn = np.array([inject(PATCH[:1], [0], 0.187, PSF, "static", seed)[2]["flux_peak"] for seed in range(300)])
    assert drawn.min() >= 3 and drawn.max() <= 10
    assert np.mean(drawn > 6) == pytest.approx(0.25, abs=0.1)


def test_one_seed_is_one_source_and_each_use_has_its_own_numbers():
    """A2"""
    one, again, other = (inject(PATCH, HOURS, 0.187, PSF, "tno", seed)[1] for seed in (7, 7, 8))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    plain, noisy = (
        inject(PATCH, HOURS, 0.187, PSF, "tno", 7, noise=noise, gain=1.0, dropout=drop)[2]
        for noise, drop in (("none", 0), ("poisson", 0.5))
    )
    assert plain["trajectory_x"] == noisy["trajectory_x"] and plain["flux_peak"] == noisy["flux_peak"]


@pytest.mark.parametrize(
    ("sample_type", "rates"),
    [
        ("tno", (-2.69042359944373, 1.17932733370779)),
        ("mba", (-31.818659122219795, 12.211357858417738)),
        ("tno:legacy", (-2.5258274091667094, 0.08712667278190273)),
    ],
)
def test_seeds_of_today_are_seeds_of_tomorrow(sample_type, rates):
    """A2: values of this release; a change of them is a change of what every seed means, and is to be announced."""
    meta = inject(PATCH, HOURS, 0.187, PSF, sample_type, 42)[2]
    assert meta["start_x_px"] == pytest.approx(6.992114696505822, rel=1e-12)
    assert meta["start_y_px"] == pytest.approx(27.44257083965508, rel=1e-12)
    assert meta["flux_peak"] == pytest.approx(4.547647914058926, rel=1e-12)
    told = meta["motion_ra_arcsec_per_hour"], meta["motion_dec_arcsec_per_hour"]
    assert told == pytest.approx(rates, rel=1e-6)


def test_a_seed_that_was_not_given_is_told():
    first = inject(PATCH, HOURS, 0.187, PSF, "tno")
    again = inject(PATCH, HOURS, 0.187, PSF, "tno", first[2]["seed"])
    assert np.array_equal(first[1], again[1])
    assert first[2]["rng"]["entropy"] == first[2]["seed"]


def test_light_has_the_signal_to_noise_asked_for():
    """Against the matched filter itself, on noise measured from the images."""
    rng = np.random.default_rng(3)
    big = rng.normal(0, np.array([2.0, 3, 4, 5, 6])[:, None, None], (T, 201, 203))
    psfs = [gaussian(w) for w in (2.0, 2.5, 3.0, 3.5, 4.0)]
    _, y, meta = inject(big, HOURS, 0.187, psfs, "static", 1, brightness=Brightness("snr_stack", 12, 12),
                        target_config=TargetConfig("fixed", 100, 90), dtype="float64")  # fmt: skip
    sigma = big.std(axis=(1, 2))
    matched = np.sum(y**2, axis=(1, 2)) / sigma**2
    assert np.sqrt(matched.sum()) == pytest.approx(12, rel=0.01)
    assert np.sqrt(matched) == pytest.approx(meta["snr_frame"], rel=0.02)
    assert meta["n_eff"] == pytest.approx([1 / np.sum(p.kernel() ** 2) for p in psfs], rel=1e-6)


def test_motion_is_that_on_the_sky_where_there_is_one():
    wcs, mjd = sky(turned_deg=30), 60754.6 + HOURS / 24
    patch = np.zeros((T, *SHAPE))
    bright = {"mode": "flux", "value": 1e3}
    _, y, meta = inject(patch, HOURS, SCALE, PSF, "fast", 3, wcs=wcs, mjd_mid=mjd, brightness=bright,
                        target_config=TargetConfig("center"))  # fmt: skip
    start = SkyCoord(*wcs.all_pix2world((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2, 0), unit="deg")
    rate = np.hypot(meta["motion_ra_arcsec_per_hour"], meta["motion_dec_arcsec_per_hour"])
    there = start.directional_offset_by(meta["pa_deg"] * u.deg, rate * HOURS * u.arcsec)
    x, yy = wcs.all_world2pix(there.ra.deg, there.dec.deg, 0)
    assert meta["motion_frame"] == "sky"
    assert meta["trajectory_x"] == pytest.approx(x, abs=1e-4) and meta["trajectory_y"] == pytest.approx(yy, abs=1e-4)
    columns = np.arange(SHAPE[1])
    assert (y[0] * columns).sum() / y[0].sum() == pytest.approx(x[0], abs=1e-3)
    assert meta["elong_deg"] > 179 and abs(start.ra.deg - CENTRE[0]) < 0.01


def test_times_that_were_kept_in_32_bits_are_doubted_in_numbers():
    """At steps of 337.5 s, half of one is an error of rate x 169 s."""
    days = 60754 + np.array([64, 65, 70, 71, 77]) / 256
    meta = inject(PATCH, HOURS, 0.187, PSF, "tno", 3, mjd_mid=days)[2]
    assert len(meta["warnings"]) == 1 and "169" in meta["warnings"][0]
    assert inject(PATCH, HOURS, 0.187, PSF, "tno", 3, mjd_mid=days + 1e-4)[2]["warnings"] == []


def test_the_truth_holds_variance_mask_and_light_before_noise():
    """A11: the variance of added light is that light over the gain."""
    mask = np.zeros((T, H, W), np.uint32)
    mask[:, 5] = bits.stack("SATURATED")
    mask[:, 6] = bits.stack("STAR")
    variance = np.full((T, H, W), 9.0)
    x, y, meta, truth = inject(
        PATCH, HOURS, 0.187, PSF, "tno", 9, variance=variance, mask=mask, gain=2.0, noise="poisson",
        brightness={"mode": "flux", "value": 5000}, target_config=TargetConfig("mid", margin_px=25), return_truth=True,
        zero_mag=25.0,
    )  # fmt: skip
    assert truth.variance - 9 == pytest.approx(truth.expected / 2.0, abs=1e-9) and (variance == 9).all()
    assert not np.array_equal(truth.expected, y) and y.sum() == pytest.approx(truth.expected.sum(), rel=0.05)
    assert (truth.mask[:, 5] & bits.stack("BAD")).all() and not (truth.mask[:, 6] & bits.stack("BAD")).any()
    lit = truth.mask & bits.stack("INJECTED") > 0
    assert np.array_equal(lit, truth.expected > 0.01 * truth.expected.max(axis=(1, 2), keepdims=True))
    assert len(truth.sources) == 1 and len(truth.images) == T
    assert truth.images["flux_realised_adu"].tolist() == meta["flux_realised"]
    assert meta["mag"] == pytest.approx([25 - 2.5 * np.log10(5000)] * T)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_pixel_is_lifted_above_its_full_well(dtype):
    """A1: and the sum is exact all the same."""
    patch = PATCH.copy()
    patch[0, 30, 30], patch[1, 30, 30] = np.nan, 500
    x, y, meta, truth = inject(
        patch, HOURS, 0.187, PSF, "static", 9, saturation=200.0, dtype=dtype, return_truth=True,
        brightness={"mode": "flux", "value": 3e4}, target_config=TargetConfig("fixed", 30, 30),
    )  # fmt: skip
    assert np.array_equal(x, patch.astype(dtype) + y, equal_nan=True)
    assert np.nanmax(np.delete(x, 30, axis=1)) <= 200 * (1 + 1e-6) and x[1, 30, 30] == 500
    assert y[0, 30, 30] > 3900  # what has no value has no level either
    full = truth.mask & bits.stack("SATURATED") > 0
    assert 10 < full[2].sum() < 200 and np.array_equal(full[2], truth.expected[2] > 200 - patch[2])
    assert all("SATURATED" in flags for flags in meta["flags"])
    assert meta["flux_realised"][2] < 0.5 * meta["flux_expected"][2]


def test_light_on_masked_pixels_is_told():
    mask = np.zeros((H, W), bool)
    mask[:, :31] = True
    meta = inject(PATCH, HOURS, 0.187, PSF, "static", 9, mask=mask, target_config=TargetConfig("fixed", 30.5, 30))[2]
    assert meta["frac_flux_masked"] == pytest.approx([0.5] * T, abs=1e-4)
    assert meta["visible"] == [False] * T and all("MASKED" in flags for flags in meta["flags"])


def test_a_source_may_be_left_out_of_every_image():
    _, y, meta = inject(PATCH, HOURS, 0.187, PSF, "tno", 9, dropout=1.0)
    assert not y.any() and meta["flux_expected"] == [0] * T and all("DROPOUT" in flags for flags in meta["flags"])


def test_trails_are_as_long_as_the_exposure_makes_them():
    _, _, meta = inject(PATCH, HOURS, 0.187, PSF, "mba", 9, exptime_s=120.0)
    rate = np.hypot(meta["motion_ra_arcsec_per_hour"], meta["motion_dec_arcsec_per_hour"])
    assert meta["trail_len_px"] == pytest.approx([rate / 30 / 0.187] * T, rel=1e-5)


def test_a_grid_is_filled_by_seeds_that_follow_each_other():
    where = [inject(PATCH, HOURS, 0.187, PSF, "tno", seed, target_config=TargetConfig("grid"))[2] for seed in range(12)]
    assert len({(m["start_x_px"], m["start_y_px"]) for m in where}) == 12


def test_images_without_a_good_pixel_have_no_noise():
    patch = np.full((T, H, W), np.nan)
    x, _, meta = inject(patch, HOURS, 0.187, PSF, "tno", 1)
    assert np.isnan(x).all() and meta["snr_stack"] in (None, 0.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"patch_stack": PATCH[0]}, "patch_stack"), ({"patch_stack": PATCH[:0]}, "patch_stack"),
        ({"timestamps": HOURS[::-1]}, "timestamps"), ({"timestamps": HOURS[:3]}, "timestamps"),
        ({"timestamps": [0, 1, 1, 2, 3]}, "rise"), ({"mjd_mid": [np.nan] * T}, "mjd_mid"),
        ({"plate_scale": 0}, "plate scale"), ({"psf_params": [PSF] * 2}, "psf_params"), ({"sample_type": "ufo"}, "ufo"),
        ({"seed": -3}, "seed"), ({"seed": 1.5}, "seed"), ({"wcs": [None] * 2}, "wcs"),
        ({"exptime_s": [1, 2]}, "exptime_s"),
        ({"noise": "salt"}, "salt"), ({"noise": "poisson"}, "gain"), ({"mask": np.zeros((2, 2), bool)}, "mask"),
        ({"dtype": "int16"}, "dtype"), ({"brightness": {"mode": "flux", "much": 3}}, "brightness"),
        ({"brightness": {"mode": "lumens"}}, "lumens"), ({"motion": "warp"}, "warp"),
        ({"brightness": {"mode": "mag", "value": 22}}, "zero point"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, word):
    given = {"patch_stack": PATCH, "timestamps": HOURS, "plate_scale": 0.187, "psf_params": PSF, "seed": 1} | change
    with pytest.raises(LostlightError, match=word):
        inject(**given)


def test_wrong_arguments_are_errors_of_the_project_and_of_python():
    assert issubclass(BadArgument, ConfigError) and issubclass(BadArgument, ValueError)


def test_the_package_loads_nothing_heavy_before_it_is_asked():
    code = "import sys, lostlight; print([m for m in ('numpy', 'astropy', 'numba', 'scipy') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
    assert {"inject", "inject_images", "inject_batch", "PSFParams", "TargetConfig"} <= set(dir(lostlight))
    assert all(getattr(lostlight, name) is not None for name in lostlight.__all__)
    with pytest.raises(AttributeError, match="eject"):
        lostlight.eject  # noqa: B018
