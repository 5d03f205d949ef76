"""Profiles: their widths, noise pixels and records, and what is no profile."""

import json
import math

import numpy as np
import pytest

from lostlight.core.errors import BadPSF, ConfigError
from lostlight.science.inject.profile import FWHM
from lostlight.science.inject.psf import (
    PSFParams,
    elliptical,
    empirical,
    from_record,
    gaussian,
    moffat,
    psf_of,
    sampled,
)
from lostlight.science.inject.render import render_cases


@pytest.mark.parametrize(("fwhm", "error"), [(1.8, 2.5e-3), (1.9, 2e-3), (2.5, 2e-3), (3.6, 2e-3), (6.0, 2e-3)])
def test_noise_pixels_of_a_gaussian(fwhm, error):
    """A4: 1 / sum(p^2) is 4 pi (s^2 + 1/12), which is itself true to 0.23 % at 1.8 px; photons weigh 4/3."""
    psf, s = gaussian(fwhm), fwhm / FWHM
    assert psf.n_eff == pytest.approx(4 * math.pi * (s**2 + 1 / 12), rel=error)
    assert psf.sum_p3 * psf.n_eff**2 == pytest.approx(4 / 3, rel=0.05)


@pytest.mark.parametrize("beta", [2.0, 2.5, 4.765])
def test_noise_pixels_of_a_wide_moffat_are_those_of_the_formula(beta):
    fwhm = 9.0
    alpha = fwhm / 2 / math.sqrt(2 ** (1 / beta) - 1)
    n_eff = math.pi * alpha**2 * (2 * beta - 1) / (beta - 1) ** 2
    assert moffat(fwhm, beta).n_eff == pytest.approx(n_eff, rel=0.02)


def test_a_signal_asked_for_is_the_signal_measured():
    """A4: the mean of matched filters at the true places, in 1000 skies, is the signal to noise asked for, to 1 %."""
    rng, asked = np.random.default_rng(8), 10.0
    sigmas, shape = np.array([1.0, 1.6, 2.0, 1.3]), (21, 24)
    psfs = [gaussian(2.4), gaussian(3.6), moffat(2.8, 3.0), elliptical(3.0, 0.8, 20)]
    x, y = rng.uniform(9, 13, (2, 1, 4, 1))
    flux = asked / math.sqrt(sum(1 / (s**2 * psf.n_eff) for s, psf in zip(sigmas, psfs, strict=True)))
    profiles = render_cases(psfs, shape, x, y, np.ones((1, 4, 1)), np.float64)[0]
    skies = rng.normal(0, 1, (1000, 4, *shape)) * sigmas[:, None, None]
    weights = profiles / sigmas[:, None, None] ** 2
    found = ((flux * profiles + skies) * weights).sum((1, 2, 3)) / math.sqrt((profiles * weights).sum())
    assert found.mean() == pytest.approx(asked, rel=0.01)
    assert found.std() == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize(
    "psf", [gaussian(1.3), gaussian(4.2), moffat(2.5, 2.2), elliptical(3.0, 0.5, 70), empirical(gaussian(3).kernel())]
)
def test_kernels_are_centred_odd_and_of_unit_sum(psf):
    kernel = psf.kernel()
    assert kernel.shape == (2 * psf.half_width() + 1,) * 2
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert np.unravel_index(kernel.argmax(), kernel.shape) == (psf.half_width(),) * 2
    assert (kernel**2).sum() == pytest.approx(1 / psf.n_eff)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-9)
    kernel[:] = 0
    assert psf.kernel().sum() == pytest.approx(1)


@pytest.mark.parametrize("psf", [gaussian(2.5), moffat(2.5, 2.5), elliptical(2.5, 0.4, 0), elliptical(2.5, 0.4, 90)])
@pytest.mark.parametrize("lost", [1e-2, 1e-3, 1e-5])
def test_a_stamp_holds_the_light_that_is_asked_of_it(psf, lost):
    half = psf.half_width(lost)
    size = 2 * half + 1
    whole = render_cases([psf], (size, size), *np.array([[[[half + 0.5]]], [[[half - 0.5]]], [[[1.0]]]]), np.float64)
    assert 1 - lost <= whole.sum() <= 1
    assert half < psf.half_width(1e-7)


def test_position_angles_run_from_x_to_y():
    kernel = elliptical(4.0, 0.5, 30).kernel()
    y, x = np.indices(kernel.shape) - kernel.shape[0] // 2
    xx, yy, xy = ((kernel * each).sum() for each in (x * x, y * y, x * y))
    assert math.degrees(math.atan2(2 * xy, xx - yy)) / 2 == pytest.approx(30, abs=0.1)
    short, long = np.linalg.eigvalsh([[xx - 1 / 12, xy], [xy, yy - 1 / 12]])
    assert math.sqrt(short / long) == pytest.approx(0.5, rel=0.002)


PSFS = [
    gaussian(2.3), moffat(2.9, 2.6), elliptical(2.5, 0.7, 12), elliptical(2.5, 0.7, 12, 3.1),
    sampled(np.outer(np.hanning(9)[:-2], np.hanning(9)[1:-1]), 0.5), empirical(gaussian(2).kernel()),
]  # fmt: skip


@pytest.mark.parametrize("psf", PSFS)
def test_records_make_the_same_profile(psf):
    again = from_record(json.loads(json.dumps(psf.record())))
    np.testing.assert_array_equal(again.kernel(), psf.kernel())
    assert again.fwhm_px == psf.fwhm_px


def test_a_few_words_make_a_profile():
    assert psf_of(PSFParams()).record() == {"model": "gaussian", "fwhm_px": 2.5}
    assert psf_of(PSFParams(3.0, model="moffat", beta=2.5)).record() == {"model": "moffat", "fwhm_px": 3.0, "beta": 2.5}
    kernel = moffat(3.0, 3.0).kernel()
    assert psf_of(PSFParams(kernel=kernel, model="empirical")).fwhm_px == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: gaussian(0), ConfigError),
        (lambda: gaussian(math.nan), ConfigError),
        (lambda: moffat(-1, 3), ConfigError),
        (lambda: moffat(2, 1.2), ConfigError),
        (lambda: elliptical(2, 0, 0), ConfigError),
        (lambda: elliptical(2, 1.5, 0), ConfigError),
        (lambda: psf_of(PSFParams(model="airy")), ConfigError),
        (lambda: psf_of(PSFParams(model="empirical")), ConfigError),
        (lambda: from_record({"model": "airy"}), ConfigError),
        (lambda: from_record({"model": "gaussian", "width": 3}), ConfigError),
        (lambda: from_record({}), ConfigError),
        (lambda: empirical(np.ones((4, 5))), BadPSF),
        (lambda: empirical(np.ones(5)), BadPSF),
        (lambda: empirical(-np.ones((5, 5))), BadPSF),
        (lambda: empirical(np.full((5, 5), np.nan)), BadPSF),
        (lambda: sampled(np.ones((5, 5)), 5.0), BadPSF),
        (lambda: sampled(np.ones((5, 9)), 0.25), BadPSF),
    ],
)
def test_what_is_no_profile_is_refused(make, error):
    with pytest.raises(error) as refused:
        make()
    assert refused.value.hint
