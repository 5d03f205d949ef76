"""The block in the array API standard: it agrees with the kernel, in a namespace that has nothing but the standard."""

import numpy as np
import pytest
from tests.science.test_stack_shrunk import SIGMA, rows_of, scene

from lostlight.core.errors import ConfigError
from lostlight.science.stack import namespace, namespace_shrunk, shrunk
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule

strict = pytest.importorskip("array_api_strict")
RULES = {
    "mean": Rule(), "median": Rule("median"), "shrunk": Rule(reject="shrunk"),
    "median shrunk": Rule("median", "shrunk"),
    "grown": Rule(reject="shrunk", grow=1), "winsorized": Rule(reject="winsorized", low=1.8, high=2.2),
    "kappa": Rule(reject="kappa", low=1.6, high=1.8), "once": Rule(reject="sigma_once", low=1.6, high=1.8),
    "sigma": Rule(reject="sigma", low=1.7, high=1.9, minkeep=4), "mad": Rule(reject="mad", low=2.5, high=2, grow=1),
    "level two": Rule(reject="shrunk", low=5, high=5, prior=50, gradient=0, psf=0),
}  # fmt: skip


def kernel(cube, rule, **options):
    return combine(len(cube), cube.shape[1:], rows_of(cube), rule, backend="numpy", **options)


def block(cube, rule, xp, noises=None, weights=None, blurs=None, counted=None):
    columns = (None if values is None else xp.asarray(np.float32(values)) for values in (noises, weights, blurs))
    noises, weights, blurs = columns
    with np.errstate(all="ignore"):
        planes = namespace.combine_block(xp.asarray(cube), noises, weights, rule, xp, blurs=blurs, counted=counted)
    return {name: np.asarray(plane) for name, plane in planes.items()}


def agrees(planes, result):
    for name in ("n_used", "n_low", "n_high", "rejected_low", "rejected_high", "n_valid"):
        assert (planes[name] == getattr(result, name)).all(), name
    for name in ("data", "sigma", "sigma_empirical", "weight"):
        assert planes[name].dtype == np.float32
        np.testing.assert_allclose(planes[name], getattr(result, name), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("xp", [np, strict], ids=["numpy", "strict"])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("n_frames", [1, 2, 3, 8, 13])
def test_it_agrees_with_the_kernel(n_frames, name, xp):
    cube, rule = scene(n_frames, (14, 19), seed=n_frames), RULES[name]
    weighed = np.linspace(1, 2, n_frames) if rule.combine == "mean" else None
    for noises, weights in ((None, None), (np.linspace(5, 9, n_frames), weighed)):
        blurs = np.linspace(0, 0.4, n_frames)
        result = kernel(cube, rule, noises=noises, weights=weights, blurs=blurs)
        agrees(block(cube, rule, xp, noises, weights, blurs), result)


@pytest.mark.parametrize("xp", [np, strict], ids=["numpy", "strict"])
def test_noise_and_weight_of_pixels(xp):
    cube = scene(7, (12, 15))
    noises = np.random.default_rng(2).uniform(4, 9, cube.shape).astype(np.float32)
    noises[2, 3], noises[4, 5] = np.inf, np.nan
    weights = np.random.default_rng(3).uniform(1, 2, cube.shape).astype(np.float32)
    rule = Rule(reject="shrunk")
    result = kernel(cube, rule, noise_rows=rows_of(noises), weight_rows=rows_of(weights))
    agrees(block(cube, rule, xp, noises, weights), result)


@pytest.mark.parametrize("xp", [np, strict], ids=["numpy", "strict"])
def test_samples_are_counted_where_that_is_asked_for(xp):
    cube, rule, counted = scene(9, (14, 19)), Rule(reject="shrunk"), (slice(3, 12), slice(5, 18))
    planes = block(cube, rule, xp, np.full(9, 7.0), counted=counted)
    result = kernel(cube, rule, noises=np.full(9, 7.0), counted=counted)
    assert 0 < planes["rejected_high"].sum() < planes["n_high"].sum()
    agrees(planes, result)


def test_one_sample_stays_here_too():
    cube = np.random.default_rng(3).normal(300, SIGMA, (4, 20, 20)).astype(np.float32)
    rule = Rule(reject="shrunk", low=0.01, high=0.01, gradient=0, psf=0)
    agrees(block(cube, rule, strict, np.ones(4)), kernel(cube, rule, noises=np.ones(4)))


def test_tolerances_are_the_kernels():
    image = kernel(scene(5), Rule("median")).data
    for one, other in zip(
        namespace_shrunk.tolerances(image, 0.5, 1.5, np), shrunk.tolerances(image, 0.5, 1.5), strict=True
    ):
        np.testing.assert_allclose(one.ravel(), other, rtol=1e-5)


@pytest.mark.parametrize(
    ("rule", "weights"), [(Rule(reject="gesd"), None), (Rule("aawa"), None), (Rule("median"), [1, 2, 3])]
)
def test_what_a_block_cannot_do_is_refused(rule, weights):
    with pytest.raises(ConfigError):
        block(np.zeros((3, 4, 5), np.float32), rule, np, weights=weights)
