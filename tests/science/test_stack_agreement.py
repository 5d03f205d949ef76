"""The kernel beside the definitions of other programs, pixel by pixel: the same samples stay, or the known others."""

import numpy as np
import pytest
from tests.oracles import ccdproc, iraf, pixinsight, siril

from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule

SHAPE = (11, 13)
MODEL = NoiseModel(rdnoise_e=8, gain_e_adu=1.6, fraction=0.01)


def scene(n_frames, seed, struck=0.02, missing=0.0, shape=SHAPE):
    """Counts of electrons with cosmic rays, and fewer samples that are too low."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(600, 3000, shape)
    cube = rng.normal(level, np.sqrt(25 + level / 1.6), (n_frames, *shape))
    cube += np.where(rng.random(cube.shape) < struck, rng.uniform(100, 9000, cube.shape), 0)
    cube -= np.where(rng.random(cube.shape) < struck / 3, rng.uniform(200, 500, cube.shape), 0)
    cube[rng.random(cube.shape) < missing] = np.nan
    return cube.astype(np.float32)


@pytest.fixture(params=["numpy", "numba"])
def stacked(request):
    def stack(cube, rule, **options):
        def read_rows(frame, y0, y1, out):
            out[:] = cube[frame, y0:y1]

        return combine(len(cube), cube.shape[1:], read_rows, rule, backend=request.param, **options)

    return stack


def pixels(cube):
    return cube.reshape(len(cube), -1).T


def same(result, expected):
    """Which pixels have the same number rejected on each side, and the same value to the last bit but one."""
    value, n_low, n_high = np.array(expected, float).T
    counts = (result.n_low.ravel() == n_low) & (result.n_high.ravel() == n_high)
    return counts & (abs(result.data.ravel() - value) <= np.spacing(abs(value).astype(np.float32)))


def agrees(result, expected, at_least=10):
    """All pixels agree, and there was something to agree on."""
    assert same(result, expected).all()
    assert np.array(expected)[:, 1:].sum() >= at_least or at_least == 0


@pytest.mark.parametrize("n_frames", [18, 30, 31])
@pytest.mark.parametrize(
    ("theirs", "rule"),
    [
        (siril.median, Rule("median")),
        (siril.sigma, Rule(reject="sigma", minkeep=1)),
        (siril.winsorized, Rule(reject="winsorized", minkeep=1)),
        (siril.percentile, Rule(reject="percentile", minkeep=1)),
        (lambda x: siril.linear_fit(x, stale=False), Rule(reject="linear_fit", fit_scale="siril", minkeep=1)),
        (lambda x: siril.linear_fit(x, passes=1), Rule(reject="linear_fit", fit_scale="siril", iterations=1)),
        (
            lambda x: siril.mad(x, 3 * 1.4826, 4 * 1.4826, passes=1),
            Rule(reject="mad", high=4, iterations=1, minkeep=1),
        ),
    ],
    ids=["median", "sigma", "winsorized", "percentile", "linear fit mended", "linear fit, one pass", "mad, one pass"],
)
def test_siril(stacked, theirs, rule, n_frames):
    cube = scene(n_frames, seed=n_frames)
    agrees(stacked(cube, rule), [theirs(x) for x in pixels(cube)], 0 if rule.combine == "median" else 10)


def test_whole_bounds_are_sirils_alone(stacked):
    """Clamped at whole numbers, some pixels lose other samples: few of noisy frames, many of quiet ones."""
    rng = np.random.default_rng(1)
    cube = np.round(rng.normal(500, 1.3, (24, 25, 21))).astype(np.float32)
    result = stacked(cube, Rule(reject="winsorized", low=2.5, high=2.5, minkeep=1))
    assert same(result, [siril.winsorized(x, 2.5, 2.5) for x in pixels(cube)]).all()
    assert same(result, [siril.winsorized(x, 2.5, 2.5, whole=True) for x in pixels(cube)]).mean() < 0.9


def test_ranks_are_counted_anew(stacked):
    """Siril's ranks of the first pass pull later lines aside: its clean stacks are biased, ours are not."""
    rng = np.random.default_rng(2)
    cube = rng.normal(1000, 10, (30, 40, 41)).astype(np.float32)
    theirs = np.array([siril.linear_fit(x) for x in pixels(cube)])
    ours = stacked(cube, Rule(reject="linear_fit", fit_scale="siril", minkeep=1))
    unit = 10 / np.sqrt(30)
    assert (theirs[:, 0].mean() - 1000) / unit < -0.2
    assert abs(ours.data.mean() - 1000) / unit < 0.06
    assert 1 - same(ours, theirs).mean() > 0.2
    assert theirs[:, 2].sum() > 1.3 * theirs[:, 1].sum()


def test_two_are_not_always_outliers(stacked):
    rng = np.random.default_rng(3)
    cube = rng.normal(1000, 10, (30, 12, 13)).astype(np.float32)
    result = stacked(cube, Rule(reject="gesd"))
    theirs = np.array([siril.gesdt(x) for x in pixels(cube)])
    assert (theirs[:, 1:].sum(axis=1) >= 2).all()
    assert (result.n_low + result.n_high).mean() < 0.15
    # Two or more on one side are found by both, and both take the same.
    cube[4] += 200
    cube[9] += 150
    theirs = np.array([siril.gesdt(x) for x in pixels(cube)])
    above = theirs[:, 1] == 0
    assert above.mean() > 0.9
    assert same(stacked(cube, Rule(reject="gesd")), theirs)[above].mean() > 0.97


def test_zero_is_data(stacked):
    cube = np.array([0, 0, 3, 3, 0, 0], np.float32).reshape(6, 1, 1)
    assert stacked(cube, Rule(reject="sigma")).data == 1
    assert siril.sigma(cube.ravel())[0] == 3


@pytest.mark.parametrize("n_frames", [5, 8, 12, 31])
@pytest.mark.parametrize(
    ("theirs", "rule"),
    [
        (pixinsight.sigma, Rule(reject="sigma", low=4, minkeep=1)),
        (pixinsight.winsorized, Rule(reject="winsorized", low=4, minkeep=1)),
        (pixinsight.percentile, Rule(reject="percentile", minkeep=1)),
        (
            lambda x: pixinsight.ccd(x, 3, 4, 8, 1.6, 0.01),
            Rule(reject="noise_model", low=3, high=4, noise=MODEL, minkeep=1),
        ),
    ],
    ids=["sigma", "winsorized", "percentile", "ccd"],
)
def test_pixinsight(stacked, theirs, rule, n_frames):
    cube = scene(n_frames, seed=50 + n_frames, missing=0.03 if n_frames > 5 else 0)
    agrees(stacked(cube, rule), [theirs(x) for x in pixels(cube)], 10 if n_frames > 10 else 0)


@pytest.mark.parametrize("n_frames", [5, 8, 12, 31])
def test_pixinsights_line(stacked, n_frames):
    cube = scene(n_frames, seed=50 + n_frames, struck=0.05)
    rule = Rule(reject="linear_fit", low=5, high=2.5, fit="lad", fit_scale="pixinsight", minkeep=1)
    agree = same(stacked(cube, rule), [pixinsight.linear_fit(x) for x in pixels(cube)])
    # Of some samples, mostly of an even number, more than one line is the best.
    assert agree.mean() > 0.97


def test_averaged_is_of_a_line_of_one_pixel(stacked):
    """PixInsight measures the gain where IRAF's line is one pixel long."""
    cube = scene(14, seed=6, shape=(90, 1))
    rule = Rule(reject="avsigclip", low=4, minkeep=1)
    agrees(stacked(cube, rule), [pixinsight.averaged(x) for x in pixels(cube)])


@pytest.mark.parametrize(("nlow", "nhigh"), [(3, 2), (2, 4), (0, 3)])
def test_iraf_drops_a_share_of_fewer_samples(stacked, nlow, nhigh):
    cube = scene(15, seed=7, missing=0.3)
    expected = [iraf.minmax(x, nlow, nhigh) for x in pixels(cube)]
    agrees(stacked(cube, Rule(reject="minmax", nlow=nlow, nhigh=nhigh)), expected)
    assert len({n_high for _, _, n_high in expected}) > 1


@pytest.mark.parametrize("nkeep", [1, 4, 6, 8])
@pytest.mark.parametrize("clip", ["sigclip", "ccdclip"])
def test_iraf_keeps_the_nearest_with_ties(stacked, clip, nkeep):
    cube = np.round(scene(9, seed=8) / 20) * 20
    if clip == "sigclip":
        rule = Rule(reject="sigma", low=0.9, high=0.7, minkeep=nkeep)
        expected = [iraf.sigclip(x, 0.9, 0.7, nkeep) for x in pixels(cube)]
    else:
        rule = Rule(reject="noise_model", low=0.5, high=0.7, noise=MODEL, minkeep=nkeep)
        expected = [iraf.ccdclip(x, 0.5, 0.7, 8, 1.6, 0.01, nkeep) for x in pixels(cube)]
    result = stacked(cube, rule)
    agrees(result, expected)
    if nkeep == 6:
        assert (result.n_used > nkeep).any() and (result.n_used == nkeep).any()


def test_iraf_shares_the_gain_of_a_line(stacked):
    cube = scene(10, seed=9)
    expected = [pixel for y in range(SHAPE[0]) for pixel in iraf.avsigclip(cube[:, y])]
    agrees(stacked(cube, Rule(reject="avsigclip", minkeep=1)), expected)


def test_irafs_other_centre_is_seldom_another_choice(stacked):
    cube = scene(10, seed=9)
    rule = Rule(reject="noise_model", low=4, high=4, noise=MODEL, minkeep=1)
    theirs = [iraf.ccdclip(x, 4, 4, 8, 1.6, 0.01, centre="mean") for x in pixels(cube)]
    assert same(stacked(cube, rule), theirs).mean() > 0.9


@pytest.mark.parametrize("n_frames", [11, 14, 30])
def test_ccdproc_clips_once_about_the_mean(stacked, n_frames):
    cube = scene(n_frames, seed=10 + n_frames)
    result = stacked(cube, Rule(reject="sigma_once", low=2.2, high=2.4, minkeep=1))
    stays = np.array([ccdproc.sigma_clip(x, low=2.2, high=2.4) for x in pixels(cube)])
    assert (result.n_used.ravel() == stays.sum(axis=1)).all()
    means = [x[stay].astype(float).mean() for x, stay in zip(pixels(cube), stays, strict=True)]
    np.testing.assert_allclose(result.data.ravel(), means, rtol=1e-6)
    assert (~stays).sum() > 20
    by_frame = (result.rejected_low + result.rejected_high).tolist()
    assert by_frame == (~stays).sum(axis=0).tolist()


def test_masked_samples_are_no_extremes(stacked):
    x, masked = np.array([5, 6, 7, 8, 900]), np.array([0, 0, 0, 0, 1], bool)
    assert ccdproc.extrema(x, masked, 1, 1).tolist() == [False, True, True, True, False]
    cube = np.where(masked, np.nan, x).astype(np.float32).reshape(5, 1, 1)
    assert stacked(cube, Rule(reject="minmax", nlow=2, nhigh=2)).n_high == 1
