"""The same files through Siril 1.0.6 itself: where definitions are the same the pixels are, elsewhere oracles know why.

Siril writes 16-bit frames with full scale as 1, takes 0 for no data when it rejects, and cuts at full scale.
"""

import subprocess

import numpy as np
import pytest
from astropy.io import fits
from tests.oracles import siril

from lostlight.io.rows import RowReader
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule

pytestmark = pytest.mark.needs_siril
SHAPE, N = (514, 523), 30
METHODS = {
    "median": "med",
    "mean": "rej n",
    "sigma": "rej s 3 3",
    "winsorized": "rej w 3 3",
    "percentile": "rej p 0.2 0.1",
    "linear_fit": "rej l 3 3",
    "gesdt": "rej g 0.3 0.05",
    "median_sigma": "rej m 3 3",
}
SAMPLE = np.random.default_rng(1).choice(SHAPE[0] * SHAPE[1], 1200, replace=False)


def stack_all(folder, methods):
    """Run all methods on the frames of a folder, in one go; each result in a file of its name."""
    commands = "".join(f"stack f_ {words} -nonorm -out=../{folder.name}_{name}\n" for name, words in methods.items())
    script = folder / "stack.ssf"
    script.write_text(f"requires 1.0.0\nsetext fit\nset32bits\ncd {folder}\n{commands}")
    subprocess.run(["siril-cli", "-s", str(script)], check=True, capture_output=True, timeout=300)


def write(folder, frames):
    folder.mkdir()
    for i, frame in enumerate(frames):
        fits.PrimaryHDU(frame).writeto(folder / f"f_{i + 1:05d}.fit")


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    """Folders `whole` and `real` of the same light, in counts and in fractions of full scale, with cosmic rays."""
    folder = tmp_path_factory.mktemp("siril")
    rng = np.random.default_rng(12)
    level = rng.uniform(800, 4000, SHAPE)
    frames = []
    for _ in range(N):
        frame = rng.poisson(level) + rng.normal(0, 8, SHAPE)
        struck = rng.random(SHAPE) < 3e-3
        frames.append(frame + np.where(struck, rng.uniform(50, 20_000, SHAPE), 0))
    write(folder / "whole", [np.rint(frame).astype(np.uint16) for frame in frames])
    write(folder / "real", [(frame / 65535).astype(np.float32) for frame in frames])
    for kind in ("whole", "real"):
        stack_all(folder / kind, METHODS)
    return folder


def theirs(folder, kind, method):
    return fits.getdata(folder / f"{kind}_{method}.fit").astype(np.float32)


def ours(folder, kind, rule, backend="numpy"):
    with RowReader(sorted((folder / kind).glob("f_*.fit"))) as read:
        result = combine(N, read.shape, read, rule, backend=backend)
    return siril.written(result.data) if kind == "whole" else result.data


def sample(folder, kind):
    """All samples of some pixels, shape (n_pixels, N)."""
    return np.array([fits.getdata(path).ravel()[SAMPLE] for path in sorted((folder / kind).glob("f_*.fit"))]).T


def foretold(folder, kind, method, **options):
    values = [getattr(siril, method)(x, **options)[0] for x in sample(folder, kind)]
    return siril.written(values) if kind == "whole" else np.array(values, np.float32)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", ["whole", "real"])
@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ("median", Rule("median")),
        ("mean", Rule()),
        ("sigma", Rule(reject="sigma")),
        ("percentile", Rule(reject="percentile")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_not_a_pixel_differs(stacks, kind, method, rule, backend):
    assert np.count_nonzero(ours(stacks, kind, rule, backend) != theirs(stacks, kind, method)) == 0


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_winsorized_within_ten_in_a_million(stacks, backend):
    found = ours(stacks, "real", Rule(reject="winsorized"), backend)
    assert np.count_nonzero(found != theirs(stacks, "real", "winsorized")) <= 1e-5 * found.size


def test_winsorized_counts_differ_by_whole_bounds_alone(stacks):
    differ = ours(stacks, "whole", Rule(reject="winsorized")) != theirs(stacks, "whole", "winsorized")
    assert 0.001 < differ.mean() < 0.02
    expected = theirs(stacks, "whole", "winsorized").ravel()[SAMPLE]
    np.testing.assert_array_equal(foretold(stacks, "whole", "winsorized", whole=True), expected)


@pytest.mark.parametrize("kind", ["whole", "real"])
def test_the_line_differs_by_stale_ranks_alone(stacks, kind):
    expected = theirs(stacks, kind, "linear_fit")
    rule = Rule(reject="linear_fit", fit_scale="siril", minkeep=1)
    assert (ours(stacks, kind, rule) != expected).mean() > 0.3
    assert np.count_nonzero(foretold(stacks, kind, "linear_fit") != expected.ravel()[SAMPLE]) <= 1
    mended = foretold(stacks, kind, "linear_fit", stale=False)
    assert np.count_nonzero(mended != ours(stacks, kind, rule).ravel()[SAMPLE]) <= 1


@pytest.mark.parametrize("kind", ["whole", "real"])
@pytest.mark.parametrize("method", ["gesdt", "median_sigma"])
def test_what_else_is_known_of_siril(stacks, kind, method):
    options = {"whole": kind == "whole"} if method == "median_sigma" else {}
    expected = theirs(stacks, kind, method).ravel()[SAMPLE]
    found = foretold(stacks, kind, method, **options)
    assert (abs(found - expected) <= np.spacing(expected)).mean() > 0.998


def test_zeros_and_full_scale(stacks, tmp_path):
    """What zero and one mean to Siril, they do not mean here."""
    frames = [np.array([[0.0, 0.5, 1.5, 0.25]] * 4, np.float32) for _ in range(6)]
    for frame in frames[:3]:
        frame[:, 0] = 0.3
    write(tmp_path / "small", frames)
    stack_all(tmp_path / "small", {"sigma": "rej s 3 3"})
    with RowReader(sorted((tmp_path / "small").glob("f_*.fit"))) as read:
        result = combine(6, read.shape, read, Rule(reject="sigma"), backend="numpy").data[1]
    assert theirs(tmp_path, "small", "sigma")[1].tolist() == pytest.approx([0.3, 0.5, 1.0, 0.25])
    assert result.tolist() == pytest.approx([0.15, 0.5, 1.5, 0.25])
