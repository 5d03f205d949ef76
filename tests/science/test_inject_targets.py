import numpy as np
import pytest
from astropy.wcs import WCS
from scipy.spatial.distance import pdist

from lostlight.core.errors import ConfigError
from lostlight.science.inject.targets import Scene, TargetConfig, positions
from lostlight.vocab.movers import STRATEGIES

WIDTH, HEIGHT = 71, 53
BOX = Scene(0, 0, WIDTH, HEIGHT)


def drawn(strategy, n=2000, scene=BOX, seed=3, **options):
    return positions(TargetConfig(strategy, **options), n, scene, np.random.default_rng(seed))


@pytest.mark.parametrize("strategy", ["uniform", "mid", "visible"])
def test_uniform_fills_the_image_to_the_edges_of_its_pixels(strategy):
    x, y = drawn(strategy)
    counts, _, _ = np.histogram2d(x, y, bins=4, range=[[-0.5, WIDTH - 0.5], [-0.5, HEIGHT - 0.5]])
    assert counts.sum() == 2000
    assert np.sum((counts - 125) ** 2 / 125) < 37.7  # chi squared of 15 degrees of freedom, p = 0.001


def test_a_margin_is_kept_and_may_not_eat_the_image():
    x, y = drawn("uniform", margin_px=10)
    assert x.min() >= 9.5 and x.max() <= WIDTH - 10.5 and y.min() >= 9.5 and y.max() <= HEIGHT - 10.5
    with pytest.raises(ConfigError, match="margin"):
        drawn("uniform", margin_px=30)


def test_center_and_fixed():
    x, y = drawn("center", 3)
    assert (x == (WIDTH - 1) / 2).all() and (y == (HEIGHT - 1) / 2).all()
    assert [v.tolist() for v in drawn("fixed", 2, fixed_x=5.25, fixed_y=0)] == [[5.25, 5.25], [0, 0]]


def test_a_grid_counts_from_its_first_number_and_comes_round():
    config = TargetConfig("grid", grid_step_px=16)
    nodes = 4 * 3
    x, y = positions(config, nodes, BOX, np.random.default_rng(0))
    assert len(set(zip(x, y, strict=True))) == nodes
    assert np.diff(np.unique(x)) == pytest.approx(WIDTH / 4) and np.diff(np.unique(y)) == pytest.approx(HEIGHT / 3)
    again = positions(config, 1, BOX, np.random.default_rng(0), first=nodes + 5)
    assert (again[0][0], again[1][0]) == (x[5], y[5])


def test_sky_is_uniform_on_the_sphere_where_pixels_are_not():
    """A plate carrée near the pole: pixels shrink with the cosine of the declination."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---CAR", "DEC--CAR"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [30, 0], [36, -50], [-0.5, 1.0]
    x, y = drawn("sky", 20000, Scene(0, 0, WIDTH, 30, wcs))
    sine = np.sin(np.radians(wcs.all_pix2world(x, y, 0)[1]))
    ends = np.sin(np.radians(wcs.all_pix2world([0, 0], [-0.5, 29.5], 0)[1]))
    counts, _ = np.histogram(sine, bins=8, range=tuple(ends))
    assert np.sum((counts - 2500) ** 2 / 2500) < 24.3  # 7 degrees of freedom, p = 0.001


def test_sources_near_stars_are_as_near_as_asked():
    stars = np.array([[10.0, 20.0, 60.0], [10.0, 40.0, 25.0], [1.0, 1.0, 1.0]])
    x, y = drawn("near_star", 500, Scene(0, 0, WIDTH, HEIGHT, None, None, *stars), near_px=(2, 4))
    away = np.hypot(x[:, None] - stars[0], y[:, None] - stars[1])
    assert away.min(axis=1).min() >= 2 - 1e-9 and away.min(axis=1).max() <= 4 + 1e-9
    assert len(np.unique(away.argmin(axis=1))) == 3


def test_gaps_are_where_masked_pixels_meet_others():
    bad = np.zeros((HEIGHT, WIDTH), bool)
    bad[:, 30:40] = True
    x, _ = drawn("gap", 500, Scene(0, 0, WIDTH, HEIGHT, None, bad), near_px=(0, 1))
    assert (np.minimum(np.abs(x - 30), np.abs(x - 39)) <= 1 + 1e-9).all()


def test_edges_are_all_four():
    x, y = drawn("edge", 800, near_px=(0, 3))
    away = np.stack([x + 0.5, WIDTH - 0.5 - x, y + 0.5, HEIGHT - 0.5 - y])
    assert (away.min(axis=0) <= 3).all() and (away > -1e-9).all()
    assert len(np.unique(away.argmin(axis=0))) == 4
    x, y = drawn("edge", 200, near_px=(0, 1), margin_px=-2)
    assert (np.minimum(np.minimum(x, WIDTH - 1 - x), np.minimum(y, HEIGHT - 1 - y)) < -0.5).all()


def test_density_keeps_its_distance_while_there_is_room():
    x, y = drawn("density", 20, min_separation_px=10)
    assert pdist(np.stack([x, y], 1)).min() >= 10
    x, y = drawn("density", 60, min_separation_px=30)
    assert len(x) == 60 and pdist(np.stack([x, y], 1)).min() > 1


def test_each_source_may_have_a_box_of_its_own():
    corner = np.array([0.0, 100.0, 1000.0])
    scene = Scene(corner, 2 * corner, 10, 10, origin_x=corner, origin_y=2 * corner)
    for strategy in ("uniform", "center", "grid", "edge"):
        x, y = drawn(strategy, 3, scene, near_px=(0, 2))
        assert (np.abs(x - corner - 4.5) <= 5).all() and (np.abs(y - 2 * corner - 4.5) <= 5).all()
    assert drawn("fixed", 3, scene, fixed_x=3, fixed_y=4)[1].tolist() == [4, 204, 2004]


def test_all_strategies_are_known_and_the_same_for_one_seed():
    stars = np.array([[5.0], [6.0], [7.0]])
    bad = np.zeros((HEIGHT, WIDTH), bool)
    bad[3, 4] = True
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    scene = Scene(0, 0, WIDTH, HEIGHT, wcs, bad, *stars)
    for strategy in STRATEGIES:
        one, two = (drawn(strategy, 5, scene, fixed_x=1, fixed_y=2) for _ in range(2))
        assert np.array_equal(one, two) and np.isfinite(one).all()


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"strategy": "somewhere"}, "somewhere"),
        ({"strategy": "fixed", "fixed_x": 1}, "fixed_y"),
        ({"near_px": (3, 1)}, "near_px"),
    ],
)
def test_configurations_that_mean_nothing(config, word):
    with pytest.raises(ConfigError, match=word):
        TargetConfig(**config)


@pytest.mark.parametrize(("strategy", "word"), [("sky", "WCS"), ("near_star", "stars"), ("gap", "masked")])
def test_what_a_scene_lacks_is_said(strategy, word):
    with pytest.raises(ConfigError, match=word):
        drawn(strategy)
