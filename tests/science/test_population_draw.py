"""Drawn populations against the sky: positions, rates, and counts of bodies on orbits drawn without any placing."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from scipy.stats import chisquare, kstest

from lostlight.core.errors import ConfigError
from lostlight.science.motion.earth import observer_position
from lostlight.science.motion.geometry import ecliptic_pa, opposition_rate
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.rates import rates_at
from lostlight.science.population.classes import CLASSES, TNO, Population, with_rates
from lostlight.science.population.draw import N_NUMBERS, draw, from_numbers, members
from lostlight.science.population.laws import Flat, Normal
from lostlight.science.population.motions import motion_of
from lostlight.science.population.place import Elements
from lostlight.science.population.sight import along_ecliptic, opposition
from lostlight.science.sky.separation import separation_arcsec, unit_vectors
from lostlight.vocab.movers import KINEMATIC, MOVING, NEGATIVES, SAMPLE_TYPES

MJD = 60754.376
ORBITAL = (*TNO, "centaur", "trojan", "mba", "nea", "interstellar")


def drawn(kind, n=400, seed=1, **where):
    where = {"mjd": MJD, "ra_deg": 180.0, "dec_deg": 1.0} | where
    return draw(kind, n, np.random.default_rng(seed), **where)


def elements(draws):
    return [getattr(draws, name) for name in Elements._fields]


@pytest.mark.parametrize("kind", ORBITAL)
@pytest.mark.parametrize(("ra_deg", "dec_deg"), [(180.3, -7.8), (359.9999, 25.0), (95.0, 5.0), (40.0, 80.0)])
def test_bodies_are_where_they_are_asked_to_be_and_move_as_told(kind, ra_deg, dec_deg):
    draws = drawn(kind, ra_deg=ra_deg, dec_deg=dec_deg, observer="W84")
    motion = KeplerMotion(*elements(draws), MJD, "W84")
    assert separation_arcsec(*motion.at(MJD), ra_deg, dec_deg).max() < 1e-5
    near = np.min(draws.delta_au) < 0.3
    for told, found in zip((draws.rate_ra_arcsec_h, draws.rate_dec_arcsec_h), rates_at(motion, MJD), strict=True):
        assert told == pytest.approx(found, abs=2e-3 if near else 1e-5, rel=1e-5)
    assert np.linalg.norm(motion.seen(MJD)[0], axis=-1) == pytest.approx(draws.r_helio_au, rel=1e-8)
    assert np.all(np.isfinite(draws.weight) & (draws.weight >= 0))


def test_each_source_can_have_its_own_place_and_time():
    rng = np.random.default_rng(3)
    ra, dec, mjd = rng.uniform(0, 360, 50), rng.uniform(-20, 20, 50), rng.uniform(59000, 61000, 50)
    draws = drawn("tno", 50, ra_deg=ra, dec_deg=dec, mjd=mjd)
    for k in range(0, 50, 7):
        one = draws.only(np.array([k]))
        assert separation_arcsec(*KeplerMotion(*elements(one), mjd[k]).at(mjd[k]), ra[k], dec[k]).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "elong_deg", "rates"),
    [
        ("classical_cold", 180, (2.69, 2.89, 3.09)),
        ("classical_hot", 180, (2.48, 3.00, 3.42)),
        ("plutino", 180, (2.75, 3.18, 3.93)),
        ("scattering", 180, (0.50, 1.51, 3.62)),
        ("detached", 180, (0.20, 0.80, 2.61)),
        ("trojan", 180, (19.0, 20.0, 21.4)),
        ("mba", 180, (29.7, 35.1, 41.3)),
        ("mba", 90, (21, 33, 53)),
    ],
)
def test_rates_are_those_of_orbits_drawn_without_placing(kind, elong_deg, rates):
    """Percentiles of an independent simulation: bodies anywhere on their orbits, those near the ecliptic kept."""
    ra, dec = along_ecliptic(MJD, elong_deg)
    draws = drawn(kind, 20_000, ra_deg=ra, dec_deg=dec)
    assert np.percentile(draws.rate_arcsec_h, [5, 50, 95]) == pytest.approx(rates, rel=0.06)


def test_direction_at_opposition_is_west_along_the_ecliptic():
    ra, dec = opposition(MJD)
    west = ecliptic_pa(ra, dec) + 180
    spread = {}
    for kind in ("classical_cold", "classical_hot", "mba"):
        angle = (drawn(kind, 5000, ra_deg=ra, dec_deg=dec).pa_deg - west + 180) % 360 - 180
        assert abs(np.median(angle)) < 0.35
        spread[kind] = np.percentile(np.abs(angle), 90)
    assert spread == pytest.approx({"classical_cold": 0.6, "classical_hot": 3.9, "mba": 17}, rel=0.1)


def test_circular_orbits_in_the_ecliptic_have_the_rate_of_the_closed_form():
    """A7: 147.84 / (R + sqrt R) at opposition within 0.3 % over a year, and 1.8 % on any day: the Earth's ellipse."""
    for r in (2.5, 44.0):
        kind = {"mba": Population(a_au=Flat(r, r), ecc=Flat(0, 0), inc_deg=(0, 1e-4))}
        rates = []
        for mjd in MJD + np.arange(12) * 30.44:
            ra, dec = opposition(mjd)
            rng = np.random.default_rng(4)
            rates.append(np.mean(draw("mba", 20, rng, mjd=mjd, ra_deg=ra, dec_deg=dec, classes=kind).rate_arcsec_h))
        ratio = np.array(rates) / opposition_rate(r)
        assert np.mean(ratio) == pytest.approx(1, abs=3e-3)
        assert np.all(np.abs(ratio - 1) < 0.018 * (1 + 3 / r))


def everywhere(kind, n, seed):
    """Draw orbits without looking: angles uniform, inclinations as sin i times a Gaussian, by rejection."""
    rng = np.random.default_rng(seed)
    inc = np.empty(0)
    while inc.size < n:
        trial = rng.uniform(0, 180, 4 * n)
        height = np.sin(np.radians(trial)) * np.exp(-((trial - kind.inc_deg[0]) ** 2) / (2 * kind.inc_deg[1] ** 2))
        inc = np.r_[inc, trial[rng.random(4 * n) * height.max() < height]][:n]
    if kind.q_au is None:
        a, ecc = kind.a_au.at(rng.random(n)), kind.ecc.at(rng.random(n))
    else:
        a, q = kind.a_au.at(rng.random(n)), kind.q_au.at(rng.random(n))
        a, q = a[q <= a], q[q <= a]
        ecc, inc = 1 - q / a, inc[: a.size]
    return KeplerMotion(a, ecc, inc, *rng.uniform(0, 360, (3, a.size)), MJD), inc


CLOSE = Population(a_au=Flat(1.6, 2.6), ecc=Flat(0, 0.3), inc_deg=(0, 9))
NEAR = Population(a_au=Flat(0.9, 2.2), q_au=Flat(0.5, 1.1), inc_deg=(0, 11), delta_au=(0.15, 1.2))


@pytest.mark.parametrize(
    ("kind", "sun_deg", "latitude_deg"),
    [
        (CLOSE, 180, 0),
        (CLOSE, 180, 9),
        (CLOSE, 100, 12),
        (CLASSES["scattering"], 170, 8),
        (NEAR, 180, 3),
        (NEAR, 75, 3),
    ],
)
def test_weighted_draws_are_the_bodies_in_that_part_of_the_sky(kind, sun_deg, latitude_deg):
    """Weighted means of distance, rate and inclination are those of the bodies of a whole sky that lie there."""
    motion, inc = everywhere(kind, 800_000 if kind is NEAR else 500_000, 5)
    position, velocity = motion.seen(MJD)
    observer = observer_position(MJD)
    sight = position - observer
    delta = np.linalg.norm(sight, axis=-1)
    from_sun, tilt = -observer / np.linalg.norm(observer), np.radians(23.4392911)
    pole = np.array([0, -np.sin(tilt), np.cos(tilt)])
    east = np.cross(pole, from_sun)
    look = sight / delta[:, None]
    longitude = np.degrees(np.arctan2(look @ east, look @ from_sun))
    latitude = np.degrees(np.arcsin(look @ pole))
    here = (np.abs((longitude - sun_deg + 180) % 360 - 180) < 5) & (np.abs(np.abs(latitude) - latitude_deg) < 1.5)
    here &= (delta > kind.delta_au[0]) & (delta < kind.delta_au[1])
    relative = velocity - (observer_position(MJD + 0.01) - observer_position(MJD - 0.01)) / 0.02
    rate = np.linalg.norm(np.cross(look, relative), axis=-1) / delta * 206264.8 / 24

    angle, height = np.radians(sun_deg), np.radians(latitude_deg)
    towards = np.cos(height) * (np.cos(angle) * from_sun + np.sin(angle) * east) + np.sin(height) * pole
    ra, dec = np.degrees(np.arctan2(towards[1], towards[0])), np.degrees(np.arcsin(towards[2]))
    draws = draw("mba", 60_000, np.random.default_rng(6), mjd=MJD, ra_deg=ra, dec_deg=dec, classes={"mba": kind})
    w = draws.weight
    n_here = np.sum(here)
    assert n_here > 250
    for theirs, ours in ((delta, draws.delta_au), (inc, draws.inc_deg), (np.log(rate), np.log(draws.rate_arcsec_h))):
        mean = np.average(ours, weights=w)
        error = np.std(theirs[here]) * np.sqrt(1 / n_here + np.sum(w**2) / np.sum(w) ** 2)
        assert np.mean(theirs[here]) == pytest.approx(mean, abs=4 * error + 0.01 * abs(mean))


def test_weights_count_bodies_off_the_ecliptic():
    """Bodies of the hot belt at latitude 15 against those on the ecliptic: counted, and by the sums of weights."""
    motion, _ = everywhere(CLASSES["classical_hot"], 400_000, 7)
    position, _ = motion.seen(MJD)
    tilt = np.radians(23.4392911)
    sight = position - observer_position(MJD)
    latitude = np.degrees(np.arcsin(sight @ [0, -np.sin(tilt), np.cos(tilt)] / np.linalg.norm(sight, axis=-1)))
    counted = np.sum(np.abs(np.abs(latitude) - 15) < 1) / 2 / np.sum(np.abs(latitude) < 1) / np.cos(np.radians(15))
    # the same ecliptic longitude, for the same distance from the Sun
    dec = np.degrees(np.arcsin(np.sin(np.radians(15)) * np.cos(tilt)))
    ra = 180 + np.degrees(np.arctan2(np.sin(np.radians(15)) * np.sin(tilt), np.cos(np.radians(15))))
    above, on = (np.sum(drawn("classical_hot", 20_000, **p).weight) for p in (
        {"ra_deg": ra, "dec_deg": dec}, {"ra_deg": 180.0, "dec_deg": 0.0},
    ))  # fmt: skip
    assert above / on == pytest.approx(counted, rel=0.04)
    assert above / on < 0.65


def test_trojans_go_before_and_behind_jupiter():
    """Their weights are those of two swarms, 60 degrees from where the ephemeris of astropy has Jupiter."""
    time = Time(MJD, format="mjd")
    away = (get_body_barycentric("jupiter", time) - get_body_barycentric("sun", time)).get_xyz().to_value("au")
    tilt = np.radians(23.4392911)
    jupiter = np.degrees(np.arctan2(away[1] * np.cos(tilt) + away[2] * np.sin(tilt), away[0]))
    weights, degrees = [], np.arange(0, 360, 5)
    for turn in np.radians(jupiter + degrees):
        x, y = 5.2 * np.cos(turn), 5.2 * np.sin(turn)
        sight = np.array([x, y * np.cos(tilt), y * np.sin(tilt)]) - observer_position(MJD)
        ra, dec = np.degrees(np.arctan2(sight[1], sight[0])), np.degrees(np.arcsin(sight[2] / np.linalg.norm(sight)))
        draws = drawn("trojan", 100, ra_deg=ra, dec_deg=dec)
        # an even ring would show as many bodies as the square of the distance
        weights.append(np.mean(draws.weight / draws.delta_au**2))
    shares = np.array(weights) / np.sum(weights)
    assert np.sum(shares[np.abs(degrees - 60) <= 30]) == pytest.approx(0.48, abs=0.03)
    assert np.sum(shares[np.abs(degrees - 300) <= 30]) == pytest.approx(0.48, abs=0.03)
    assert shares[0] < 1e-3


def test_cold_bodies_are_rare_above_the_ecliptic_but_always_drawn():
    draws = drawn("classical_cold", 2000, ra_deg=180.0, dec_deg=12.0)
    assert np.all(draws.inc_deg > 10.5)
    assert draws.weight.max() < 1e-4


def test_a_source_does_not_depend_on_its_batch():
    numbers = np.random.default_rng(8).random((300, N_NUMBERS))
    where = {"mjd": MJD, "ra_deg": 181.0, "dec_deg": -2.0}
    for kind in ("tno", "nea", "interstellar", "tno:legacy", "fast"):
        whole = from_numbers(kind, numbers, **where)
        for part in (slice(7, 8), slice(100, 131)):
            some = from_numbers(kind, numbers[part], **where)
            for name, values in some.columns().items():
                assert np.array_equal(values, getattr(whole, name)[part], equal_nan=values.dtype.kind == "f"), name


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_every_sample_type_can_be_drawn(kind):
    draws = drawn(kind, 60)
    assert len(draws) == 60
    assert set(draws.subclass) <= set(members(kind)[0])
    assert np.all(np.isfinite(draws.rate_arcsec_h) & np.isfinite(draws.weight))
    moves = kind in MOVING or kind in TNO or kind in ("kbo", "tno:legacy")
    assert np.all((draws.rate_arcsec_h > 0) == moves)
    assert np.all(np.isfinite(draws.a_au)) == (moves and kind not in (*KINEMATIC, "tno:legacy"))
    if kind in NEGATIVES:
        assert set(draws.subclass) == {kind}


def test_mixture_of_tnos_has_the_declared_shares():
    draws = drawn("tno", 5000)
    counts = [np.sum(draws.subclass == name) for name in TNO]
    assert chisquare(counts, 5000 * np.array(list(TNO.values()))).pvalue > 1e-3
    assert np.array_equal(drawn("kbo", 50).a_au, drawn("tno", 50).a_au)


def test_interstellar_bodies_are_on_hyperbolas_and_fast_ones_have_no_distance():
    visitors = drawn("interstellar", 3000)
    assert np.all((visitors.ecc > 1) & (visitors.a_au < 0))
    speed_km_s = np.sqrt(-1 / visitors.a_au) * 29.784691
    assert np.mean(speed_km_s) == pytest.approx(26 * 2 / np.sqrt(np.pi), rel=0.02)
    fast = drawn("fast", 3000)
    assert np.isnan(fast.r_helio_au).all()
    assert 60 <= fast.rate_arcsec_h.min() < 66
    assert 3300 < fast.rate_arcsec_h.max() <= 3600


def test_legacy_mixture():
    draws = drawn("tno:legacy", 20_000, ra_deg=180.0, dec_deg=0.0)
    assert np.max(draws.rate_arcsec_h) <= 4.5
    assert np.mean(draws.rate_arcsec_h * draws.r_helio_au) == pytest.approx(128.5, rel=0.01)
    assert np.std(draws.pa_deg) == pytest.approx(10, rel=0.03)
    assert np.mean(draws.pa_deg) == pytest.approx(ecliptic_pa(180.0, 0.0) + 180, abs=0.3)


def test_models_of_motion_agree_for_a_night_and_part_within_a_month():
    draws = drawn("classical_hot", 40)
    motions = {model: motion_of(draws, model, MJD, 180.0, 1.0) for model in ("linear", "abg", "kepler")}
    hours, month = MJD + np.linspace(0, 4, 5) / 24, np.array([MJD + 30])
    for model in ("linear", "abg"):
        assert separation_arcsec(*motions[model].at(hours), *motions["kepler"].at(hours)).max() < 0.005
    assert separation_arcsec(*motions["abg"].at(month), *motions["kepler"].at(month)).max() < 0.1
    assert separation_arcsec(*motions["linear"].at(month), *motions["kepler"].at(month)).min() > 1
    still = motion_of(drawn("static", 3), "abg", MJD, np.array([1.0, 2.0, 3.0]), 0.0)
    assert still.at(month)[0][:, 0] == pytest.approx([1, 2, 3])


def test_opposition_and_the_ecliptic():
    sun = -observer_position(MJD) / np.linalg.norm(observer_position(MJD))
    for elong in (180.0, 120.0, 60.0):
        look = unit_vectors(*along_ecliptic(MJD, elong))
        assert np.degrees(np.arccos(look @ sun)) == pytest.approx(elong, abs=1e-5)
    evening = unit_vectors(*along_ecliptic(MJD, 60.0))
    # to the east of the Sun: it rises and sets after it
    assert np.cross(sun, evening)[2] > 0
    assert opposition(MJD) == pytest.approx(along_ecliptic(MJD, 180.0))


def test_absolute_magnitudes_make_the_sources_as_bright():
    draws = drawn("mba", 5).at_mags(20.0)
    assert np.all(draws.h_mag < 20 - 5 * np.log10(draws.r_helio_au * draws.delta_au))
    assert np.isnan(drawn("mba", 5).h_mag).all()
    assert np.isnan(drawn("static", 5).at_mags(20.0).h_mag).all()


def test_populations_can_be_replaced():
    cold = replace(CLASSES["classical_cold"], a_au=Normal(30, 0.1))
    where = {"mjd": MJD, "ra_deg": 180.0, "dec_deg": 0.0}
    draws = draw("classical_cold", 100, np.random.default_rng(1), **where, classes={**CLASSES, "classical_cold": cold})
    assert np.mean(draws.a_au) == pytest.approx(30, abs=0.1)


def test_unknown_sample_types_are_refused():
    with pytest.raises(ConfigError, match="no sample type 'comet'"):
        drawn("comet")


def test_drifts_are_even_in_the_logarithm_and_go_anywhere():
    limits = 0.02, 7.0
    draws = drawn("drift", 6000, classes=with_rates({"drift": limits}))
    share = np.log(draws.rate_arcsec_h / limits[0]) / np.log(limits[1] / limits[0])
    assert kstest(share, "uniform").pvalue > 1e-3
    assert kstest(draws.pa_deg / 360, "uniform").pvalue > 1e-3
    assert np.isnan(draws.a_au).all() and np.all(draws.weight == 1)
    assert drawn("drift", 3000).rate_arcsec_h.min() >= 0.1 and drawn("drift", 3000).rate_arcsec_h.max() <= 5
    fast = drawn("fast", 300, classes=with_rates({"drift": limits}))
    assert np.array_equal(fast.rate_arcsec_h, drawn("fast", 300).rate_arcsec_h)
