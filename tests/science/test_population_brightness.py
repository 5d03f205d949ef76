"""Brightness by all its modes, magnitudes of lit bodies, and light curves."""

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.population.brightness import colour_of, fluxes
from lostlight.science.population.classes import CLASSES
from lostlight.science.population.light_curve import N_NUMBERS, LightCurves, light_curves
from lostlight.science.population.phase import absolute_mag, apparent_mag, phase_dimming, phase_slopes
from lostlight.science.population.relations import snr, stack_snr
from lostlight.vocab.movers import BRIGHTNESS

SIGMA, N_EFF = np.array([1.0, 1.5, 2.0, 1.2]), np.array([20.0, 25.0, 30.0, 22.0])
SCALE, GAIN = np.array([1.0, 1.1, 0.9, 1.3]), np.array([1.5, np.nan, 2.0, 1.0])
ZERO = 27.0 - 2.5 * np.log10(SCALE)
VALUES = np.array([4.0, 9.0, 30.0])


def planted(mode, value=VALUES, **other):
    told = {"sigma": SIGMA, "n_eff": N_EFF, "zero_mag": ZERO, "scale": SCALE, "gain": GAIN} | other
    return fluxes(mode, value, **told)


@pytest.mark.parametrize("colour", [0.0, np.array([0.0, 0.4, 0.0, -0.7])])
def test_signal_to_noise_of_the_stack_of_the_first_and_of_each_image(colour):
    def signal(mode):
        return snr(planted(mode, colour_mag=colour), SIGMA, N_EFF, GAIN)

    assert stack_snr(signal("snr_stack")) == pytest.approx(VALUES)
    assert signal("snr_frame_ref")[:, 0] == pytest.approx(VALUES)
    assert signal("snr_frame_each") == pytest.approx(np.tile(VALUES[:, None], 4))


@pytest.mark.parametrize("mode", ["snr_stack", "snr_frame_ref", "mag", "flux"])
def test_constant_sources_have_one_magnitude(mode):
    value = [20.0, 21.0] if mode == "mag" else [50.0, 500.0]
    mags = ZERO - 2.5 * np.log10(planted(mode, value))
    assert np.ptp(mags, axis=1) == pytest.approx(0, abs=1e-12)
    coloured = ZERO - 2.5 * np.log10(planted(mode, value, colour_mag=[0, 0.5, 0, 0]))
    assert coloured[:, 1] - coloured[:, 0] == pytest.approx(0.5)
    if mode == "mag":
        assert mags[:, 0] == pytest.approx(value)
    if mode == "flux":
        assert planted(mode, value)[:, 0] == pytest.approx(value)


def test_sources_of_the_old_modes_follow_the_noise():
    """Tenfold noise gives tenfold flux; a peak of rho sigma spread over a Gaussian is rho sigma 2 pi s^2."""
    assert planted("legacy_total") == pytest.approx(VALUES[:, None] * SIGMA)
    s = 1.3
    n_eff = 4 * np.pi * (s**2 + 1 / 12)
    assert planted("legacy_peak", [3.0], n_eff=[n_eff] * 4)[0] == pytest.approx(3 * SIGMA * 2 * np.pi * s**2)
    for mode in ("legacy_total", "legacy_peak"):
        assert planted(mode, sigma=10 * SIGMA) == pytest.approx(10 * planted(mode))


@pytest.mark.parametrize("mode", BRIGHTNESS)
def test_each_source_can_have_its_own_noise_on_each_image(mode):
    sigma = np.outer([1.0, 2.0, 3.0], SIGMA)
    together = planted(mode, sigma=sigma)
    assert together.shape == (3, 4)
    for row in range(3):
        assert together[row] == pytest.approx(planted(mode, VALUES[row], sigma=sigma[row])[0])


def test_brightness_that_cannot_be():
    with pytest.raises(ConfigError, match="no brightness mode 'snr'"):
        planted("snr")
    with pytest.raises(ConfigError, match="1 of 4 images have no zero point"):
        planted("mag", [20.0], zero_mag=[27, np.nan, 27, 27])


def test_colours_are_relative_to_the_first_image():
    assert colour_of(["r", "g", "r", "z"], {"r": 0.2, "g": 0.9}) == pytest.approx([0, 0.7, 0, -0.2])
    assert colour_of(["", ""], {}) == pytest.approx([0, 0])


def test_magnitudes_of_known_asteroids():
    """(1) Ceres, H = 3.34, G = 0.12, is at magnitude 6.7 to 6.9 at a mean opposition; Pluto about 15.1 (H = -0.45)."""
    assert apparent_mag(3.34, 2.77, 1.77, 1.0) == pytest.approx(6.85, abs=0.15)
    assert apparent_mag(-0.45, 39.5, 38.5, 0.1, 0.03) == pytest.approx(15.45, abs=0.1)
    assert absolute_mag(apparent_mag(7.1, 40, 39, 1.2, 0.12), 40, 39, 1.2, 0.12) == pytest.approx(7.1)
    assert absolute_mag(20.0, 2.5, 1.6, 12.0) == pytest.approx(
        20 - 5 * np.log10(2.5 * 1.6) - float(phase_dimming(12.0)), abs=1e-12
    )


def test_dimming_with_phase():
    """H, G: 0.3 mag of surge in the first two degrees or so, then about 0.03 mag a degree."""
    assert phase_dimming(0.0) == pytest.approx(0)
    assert 0.15 < phase_dimming(2.0) < 0.3
    assert phase_dimming(30.0) - phase_dimming(20.0) == pytest.approx(0.32, abs=0.06)
    assert phase_dimming(2.0, 0.12) == pytest.approx(0.24)
    slopes = phase_slopes(["plutino", "mba", "nobody", "centaur", "static"])
    assert slopes == pytest.approx([0.12, np.nan, np.nan, 0.1, np.nan], nan_ok=True)


def curves(kind, sample_type, subclass, n=4000, span=3.0):
    numbers = np.random.default_rng(1).random((n, N_NUMBERS))
    return light_curves(kind, sample_type, np.full(n, subclass), numbers, 60000.0, span)


def test_shapes_of_light_curves():
    phases = np.array([0.0, 0.25])
    for shape in ("sinusoid", "sawtooth"):
        made = LightCurves(np.full(2, shape), np.full(2, 0.6), np.full(2, 10.0), phases, 60000.0, 1.0)
        mag = -2.5 * np.log10(made.factor(60000 + np.linspace(0, 10, 2001) / 24))
        assert np.ptp(mag, axis=1) == pytest.approx(0.6, abs=1e-3)
        assert np.mean(mag, axis=1) == pytest.approx(0, abs=1e-3)
        # above 0.15 mag two peaks in a period
        assert mag[:, :1000] == pytest.approx(mag[:, 1000:-1], abs=1e-6)
        assert mag[0, 250] == pytest.approx(mag[1, 0], abs=1e-9)
        flat = LightCurves(np.full(1, shape), np.full(1, 0.1), np.full(1, 10.0), phases[:1], 60000.0, 1.0)
        half = -2.5 * np.log10(flat.factor(60000 + np.array([0, 5, 10]) / 24))[0]
        assert half[0] == pytest.approx(half[2])
        assert abs(half[0] - half[1]) > 0.05
    assert np.all(curves("none", "tno", "plutino", 5).factor([[60000.0, 60001.0]]) == 1)


def test_light_curves_of_classes():
    drawn = curves("drawn", "tno", "plutino")
    assert np.mean(drawn.amp_mag) == pytest.approx(0.2, abs=0.01)
    assert np.max(drawn.amp_mag) < 1.2
    assert np.mean(drawn.period_h) == pytest.approx(7.7, rel=0.03)
    assert np.mean(curves("drawn", "centaur", "centaur").period_h) == pytest.approx(8.95, rel=0.03)
    assert np.median(curves("drawn", "mba", "mba").period_h) == pytest.approx(7, rel=0.05)
    assert np.all(curves("drawn", "static", "static", 9).amp_mag == 0)
    plain = curves("sawtooth", "tno", "plutino", 7)
    assert (set(plain.shape), set(plain.amp_mag), set(plain.period_h)) == ({"sawtooth"}, {0.25}, {8.0})
    assert len(plain.only(np.array([1, 2])).phase) == 2
    assert all(kind.amplitude_mag and kind.period_h for kind in CLASSES.values())


def test_variable_stars_vary_whatever_is_asked_for_moving_sources():
    made = curves("none", "variable", "variable")
    assert set(made.shape) == {"sinusoid", "sawtooth"}
    assert 0.2 <= made.amp_mag.min() < 0.21
    assert 1.19 < made.amp_mag.max() <= 1.2


def test_transients_rise_fast_and_fall_slowly_from_a_time_within_the_span():
    made = curves("none", "transient", "transient", 500)
    mjd = 60000 + np.linspace(0, 3, 3001)
    flux = made.factor(mjd)
    begin = mjd[np.argmax(flux > 0, axis=1)]
    assert begin == pytest.approx(60000 + 3 * made.phase, abs=2e-3)
    for row in np.flatnonzero((made.phase < 0.1) & (made.period_h < 12))[:5]:
        peak = np.argmax(flux[row])
        assert flux[row, peak] == pytest.approx(1, abs=1e-3)
        rising, falling = mjd[peak] - begin[row], np.interp(-np.exp(-1), -flux[row, peak:], mjd[peak:]) - mjd[peak]
        assert falling > 2 * rising
        assert falling * 24 == pytest.approx(made.period_h[row], rel=0.25)
