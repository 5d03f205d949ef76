"""Whole images with sources: exact sums, the noise of photons, and stamps that depend on nothing beside them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.injection_scene import SHAPE, bad_pixels, epochs, images

from lostlight.core.errors import ConfigError
from lostlight.io import epoch_files
from lostlight.io.epoch_header import wcs_of
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.images import inject_images, render_stamps
from lostlight.science.inject.plan import plan_injections
from lostlight.science.inject.psf import gaussian
from lostlight.science.inject.render import render_cases
from lostlight.science.inject.rules import Brightness, InjectionRules
from lostlight.science.inject.targets import TargetConfig

RULES = InjectionRules(
    seed=8,
    n=40,
    classes={"tno": 0.6, "fast": 0.1, "cosmic_ray": 0.1, "satellite": 0.1, "none": 0.1},
    motion="abg",
    brightness=Brightness("snr_stack", 20, 40),
    max_coverage=1.0,
    min_separation_fwhm=5,
)


@pytest.fixture(scope="module")
def plan():
    return plan_injections(epochs(), bad_pixels(), RULES)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("poisson", [True, False])
def test_images_and_light_add_up_bit_by_bit(plan, dtype, poisson):
    """A1: full frames, with and without photon noise; what had no value has none."""
    given = [image.astype(dtype) for image in images(epochs())]
    plan = replace(plan, rules=replace(RULES, poisson=poisson))
    x, y, _ = inject_images(given, epochs(), plan)
    for before, after, light in zip(given, x, y, strict=True):
        assert after.dtype == light.dtype == dtype and light.any() and np.isfinite(light).all()
        assert np.array_equal(after, before + light, equal_nan=True)
        assert np.isnan(after[3, 5:9]).all()


def test_stamps_are_the_light_of_whole_images(plan):
    """Against planes rendered whole, one source on each."""
    known = epochs(gain=np.nan)
    stamps = render_stamps(known, plan)
    true = render_cases(known.psfs, SHAPE, plan.x, plan.y, plan.flux, np.float64)
    real = ~np.isin(plan.kind, ["cosmic_ray", "satellite", "none"])
    for t in range(5):
        light = stamps.light(t, SHAPE, real)
        assert light == pytest.approx(true[real, t].sum(axis=0), abs=1e-3)
    inside = np.asarray(plan.images["frac_on_image"]).reshape(len(plan), 5) > 1 - 1e-5
    flux = stamps.flux(len(plan), 5)
    assert flux[real][inside[real]] == pytest.approx(plan.flux.sum(axis=2)[real][inside[real]], rel=1e-4)


def test_a_stamp_is_the_same_whatever_is_rendered_with_it(plan):
    """A2: shares, and the order in them, change no bit."""
    whole = render_stamps(epochs(), plan)
    shares = [render_stamps(epochs(), plan, np.arange(k, len(plan), 3)[::-1]) for k in range(3)]
    found = {
        (s, t): share.stamp(i)
        for share in shares
        for i, (s, t) in enumerate(zip(share.source, share.epoch, strict=True))
    }
    assert len(found) == len(whole) == sum(map(len, shares))
    for i, key in enumerate(zip(whole.source, whole.epoch, strict=True)):
        light = whole.light(key[1], SHAPE, np.arange(len(plan)) == key[0])
        k = key[0] % 3
        assert np.array_equal(light, shares[k].light(key[1], SHAPE, np.arange(len(plan)) == key[0]))
        assert whole.stamp(i).sum() == pytest.approx(found[key].sum(), rel=1e-5)


def test_photons_come_whole_and_with_their_variance(plan):
    """A11: of the light that is added, in electrons."""
    known = epochs(gain=1.7)
    noisy, exact = (render_stamps(known, replace(plan, rules=replace(RULES, poisson=p))) for p in (True, False))
    real = np.isin(plan.kind[noisy.source], ["tno", "fast"])
    electrons = np.concatenate([noisy.stamp(i).ravel() for i in np.flatnonzero(real)]).astype(float) * 1.7
    expected = np.concatenate([exact.stamp(i).ravel() for i in np.flatnonzero(real)]).astype(float) * 1.7
    assert np.abs(electrons - np.rint(electrons)).max() < 1e-3
    lit = expected > 0.5
    pull = (electrons - expected)[lit] / np.sqrt(expected[lit])
    assert abs(pull.mean()) < 4 / np.sqrt(lit.sum()) and pull.var() == pytest.approx(1, abs=6 / np.sqrt(lit.sum()))


def test_copies_hold_their_own_sources_alone(plan):
    apart = plan_injections(epochs(), bad_pixels(), replace(RULES, min_separation_fwhm=20, max_coverage=0.01))
    given = [np.zeros(SHAPE, np.float32) for _ in range(5)]
    sums = [np.sum(inject_images(given, epochs(), apart, copy)[1]) for copy in range(apart.realisation.max() + 1)]
    for copy, total in enumerate(sums):
        stamps = render_stamps(epochs(), apart, np.flatnonzero(apart.realisation == copy))
        on = sum(stamps.light(t, SHAPE).sum() for t in range(5))
        assert total == pytest.approx(on, rel=1e-5)
    assert not inject_images(given, epochs(), apart, 99)[1][0].any()


def test_nothing_is_rendered_of_nothing(plan):
    stamps = render_stamps(epochs(), plan, [])
    assert len(stamps) == 0 and not stamps.light(0, SHAPE).any() and not stamps.flux(2, 5).any()


def test_images_must_be_those_of_the_plan(plan):
    with pytest.raises(ConfigError, match="2 images for a plan of 5"):
        inject_images([np.zeros(SHAPE)] * 2, epochs(), plan)


def test_real_images_take_sources_where_their_own_sky_puts_them(shared_data):
    """On the images of kbmod, whose axes are turned by a quarter: light is where astropy says, and all of it."""
    files = [epoch_files.read(file) for file in epoch_files.listed(shared_data / "kbmod-small")]
    files.sort(key=lambda image: image.exposure.mid())
    wcs = [wcs_of(image.wcs) for image in files]
    known = Epochs(
        ids=tuple(image.id for image in files),
        shape=files[0].science.shape,
        mjd_mid=np.array([image.exposure.mid() for image in files]),
        exptime_s=np.zeros(10),
        wcs=tuple(wcs),
        psfs=tuple(gaussian(1.6) for _ in files),
        sigma_adu=np.full(10, 2.0),
        gain_e_adu=np.full(10, np.nan),
        zero_mag=np.full(10, np.nan),
        scale=np.ones(10),
        filters=("r",) * 10,
    )
    rules = InjectionRules(
        seed=2, n=5, motion="abg", brightness=Brightness("flux", 5e4, 5e4), target=TargetConfig("mid")
    )
    plan = plan_injections(known, None, rules)
    stamps = render_stamps(known, plan)
    assert len(stamps)
    for i in range(len(stamps)):
        row = stamps.source[i] * 10 + stamps.epoch[i]
        light = stamps.stamp(i).astype(float)
        rows, columns = np.indices(light.shape)
        x, y = wcs[stamps.epoch[i]].all_world2pix(plan.images["ra_deg"][row], plan.images["dec_deg"][row], 0)
        assert (light * columns).sum() / light.sum() + stamps.corner[i, 1] == pytest.approx(float(x), abs=1e-3)
        assert (light * rows).sum() / light.sum() + stamps.corner[i, 0] == pytest.approx(float(y), abs=1e-3)
        assert light.sum() == pytest.approx(5e4, rel=1e-4)
    given = [image.science for image in files]
    after, added, _ = inject_images(given, known, plan)
    assert all(np.array_equal(x, p + y, equal_nan=True) for x, p, y in zip(after, given, added, strict=True))
