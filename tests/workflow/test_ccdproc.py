"""Frames through ccdproc itself: the same where definitions are the same, and its known defects are not here.

Each test of a defect shows it in ccdproc 2.5.1; of another version only what comes of ours is asked.
"""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from tests.oracles import ccdproc as oracle

from lostlight.io.rows import RowReader
from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.light import calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule

peer = pytest.importorskip("ccdproc")
AS_LISTED = peer.__version__ == "2.5.1"
pytestmark = pytest.mark.filterwarnings("ignore")


def ours(cube, rule=None, **options):
    cube = np.asarray(cube, np.float32)

    def read_rows(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]

    return combine(len(cube), cube.shape[1:], read_rows, rule or Rule(), backend="numpy", **options)


def frame(data, masked=False, sigma=None):
    data = np.asarray(data, float)
    uncertainty = None if sigma is None else StdDevUncertainty(np.full(data.shape, sigma))
    return CCDData(data, unit="adu", mask=np.broadcast_to(masked, data.shape), uncertainty=uncertainty)


def columns(values):
    """Frames of one value each."""
    return np.array(values, float)[:, None, None] * np.ones((2, 3))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(4)
    for i in range(14):
        pixels = rng.poisson(900, (101, 67)) + rng.normal(300, 6, (101, 67))
        pixels[rng.random(pixels.shape) < 4e-3] += 3000
        fits.PrimaryHDU(np.rint(pixels).astype(np.uint16)).writeto(folder / f"{i:02d}.fits")
    return sorted(folder.glob("*.fits"))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"method": "median"}, Rule("median")),
        ({"method": "average"}, Rule()),
        (
            {"method": "average", "sigma_clip": True, "sigma_clip_low_thresh": 3, "sigma_clip_high_thresh": 3},
            Rule(reject="sigma_once", minkeep=1),
        ),
        (
            {"method": "average", "clip_extrema": True, "nlow": 2, "nhigh": 1},
            Rule(reject="minmax", nlow=2, nhigh=1),
        ),
    ],
    ids=["median", "mean", "sigma clip", "extrema"],
)
def test_unmasked_frames_agree(files, options, rule):
    theirs = peer.combine([str(path) for path in files], unit="adu", **options)
    with RowReader(files) as read:
        result = combine(len(files), read.shape, read, rule)
    np.testing.assert_allclose(result.data, theirs.data, rtol=1e-6)
    if rule.reject == "sigma_once":
        assert result.n_high.sum() > 200


@pytest.mark.skipif(not AS_LISTED, reason="the oracle is of 2.5.1")
def test_the_oracle_is_ccdproc():
    rng = np.random.default_rng(5)
    values, masked = rng.normal(100, 9, 12), rng.random(12) < 0.25
    frames = [frame(x, out) for x, out in zip(columns(values), masked, strict=True)]
    kept = oracle.sigma_clip(values, masked, 1.5, 1.8)
    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 1.5, "sigma_clip_high_thresh": 1.8}
    assert kept.sum() < (~masked).sum()
    assert peer.combine(frames, **clip).data[0, 0] == pytest.approx(values[kept].mean(), rel=1e-6)
    kept = oracle.extrema(values, masked, 2, 3)
    clipped = peer.combine(frames, clip_extrema=True, nlow=2, nhigh=3)
    assert clipped.data[0, 0] == pytest.approx(values[kept].mean(), rel=1e-6)
    combiner = peer.Combiner(frames)
    combiner.weights = weights = rng.uniform(1, 5, 12)
    expected = oracle.weighted_mean(values, masked, weights)
    assert combiner.average_combine().data[0, 0] == pytest.approx(expected, rel=1e-6)
    combiner = peer.Combiner([frame(x) for x in columns(values)])
    errors = [stack().uncertainty.array[0, 0] for stack in (combiner.average_combine, combiner.median_combine)]
    assert errors == pytest.approx([oracle.mean_error(values), oracle.median_error(values)], rel=1e-6)


def test_masked_frames_have_no_weight():
    combiner = peer.Combiner([frame(np.full((2, 3), 10)), frame(np.ones((2, 3)), True)])
    combiner.weights = np.array([1.0, 1.0])
    assert combiner.average_combine().data[0, 0] == 5 or not AS_LISTED
    cube = columns([10, np.nan])
    assert (ours(cube, weights=[1, 1]).data == 10).all()


def test_masked_samples_have_no_part_in_the_width():
    values = [98, 99, 100, 101, 102, 99, 100, 101, 100, 100, 400]
    frames = [frame(x) for x in columns(values)] + [frame(columns([1e5])[0], True)]
    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 2.5, "sigma_clip_high_thresh": 2.5}
    assert peer.combine(frames, **clip).data[0, 0] > 120 or not AS_LISTED
    rule = Rule(reject="sigma_once", low=2.5, high=2.5)
    assert (ours(columns([*values, np.nan]), rule).data == 100).all()


def test_clipping_goes_on():
    """An outlier hides a smaller one: a second pass finds it."""
    values = [98, 99, 100, 101, 102, 99, 100, 101, 99, 101, 100, 160, 9000]
    if AS_LISTED:
        frames = [frame(x) for x in columns(values)]
        assert peer.combine(frames, sigma_clip=True, sigma_clip_high_thresh=3).data[0, 0] > 104
        with pytest.raises(TypeError):
            peer.Combiner(frames).sigma_clipping(maxiters=5)
    rule = Rule(reject="kappa", low=3, high=3, iterations=5)
    assert (ours(columns(values), rule).data == 100).all()


def test_frames_are_scaled_before_they_are_clipped():
    """Flats of rising brightness: one that is 40 % too bright for its level is amid the others before scaling."""
    levels = np.arange(100.0, 1300, 100)
    raw = columns(levels)
    raw[2] *= 1.4
    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 2.5, "sigma_clip_high_thresh": 2.5}
    theirs = peer.combine([frame(x) for x in raw], scale=1 / levels, **clip)
    assert theirs.data[0, 0] == pytest.approx(1 + 0.4 / 12) or not AS_LISTED
    result = ours(raw, Rule(reject="sigma_once", low=2.5, high=2.5), scales=1 / levels)
    assert result.data == pytest.approx(1, abs=1e-6)
    assert result.rejected_high.tolist() == [0, 0, 6] + 9 * [0]


def normal(n, sigma=10.0):
    return np.random.default_rng(n).normal(100, sigma, (n, 130, 140))


def test_a_median_is_as_uncertain_as_it_is():
    cube = normal(25)
    theirs = peer.combine([frame(x) for x in cube], method="median")
    assert np.median(theirs.uncertainty.array) / theirs.data.std() < 0.85 or not AS_LISTED
    result = ours(cube, Rule("median", noise=NoiseModel(10, 1, pedestal_adu=1e9)))
    assert np.median(result.sigma) / result.data.std() == pytest.approx(1, abs=0.03)
    empirical = ours(cube, Rule("median")).sigma
    assert np.median(empirical) / result.data.std() == pytest.approx(1, abs=0.04)


def test_the_scatter_of_three_is_not_that_of_a_population():
    cube = normal(3)
    theirs = peer.combine([frame(x) for x in cube], method="average")
    assert np.sqrt(np.mean(theirs.uncertainty.array**2)) / theirs.data.std() < 0.85 or not AS_LISTED
    result = ours(cube)
    assert np.sqrt(np.mean(result.sigma.astype(float) ** 2)) / result.data.std() == pytest.approx(1, abs=0.03)


def test_what_is_known_of_the_noise_counts():
    """Four equal samples of 5 adu noise are a mean known to 2.5, not to nothing."""
    theirs = peer.combine([frame(x, sigma=5) for x in columns([100, 100, 100, 100])])
    assert (theirs.uncertainty.array == 0).all() or not AS_LISTED
    result = ours(columns([100, 100, 100, 100]), Rule(noise=NoiseModel(5, 1, pedestal_adu=1e9)))
    assert result.sigma == pytest.approx(2.5)


def test_a_masked_pixel_is_no_part_of_the_level_of_a_flat():
    data, bad = np.full((12, 14), 100.0), np.zeros((12, 14), bool)
    data[6, 7], bad[6, 7] = 1e5, True
    if AS_LISTED:
        corrected = peer.flat_correct(frame(np.full(data.shape, 50.0)), frame(data, bad))
        assert np.median(corrected.data) > 300
    for method in ("median", "median_center", "mean3s", "per_cfa"):
        assert (level(data.astype(np.float32), method, bad) == 100).all()


def test_less_than_nothing_has_an_uncertainty():
    raw = np.array([[-5.0, 100.0]], np.float32)
    if AS_LISTED:
        theirs = peer.create_deviation(frame(raw), gain=1 * u.electron / u.adu, readnoise=5 * u.electron)
        assert np.isnan(theirs.uncertainty.array[0, 0])
    light = calibrate_light(raw, Recipe(egain_e_adu=1, rdnoise_e=5, zero_adu=0.0, step_adu=0))
    np.testing.assert_allclose(light.uncert, [[5, np.sqrt(125)]], rtol=1e-6)
