"""The same frames through Siril: median and sigma clipping give the same bits, winsorized the same samples."""

import subprocess

import numpy as np
import pytest
from astropy.io import fits

from lostlight.io.rows import RowReader
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule

pytestmark = pytest.mark.needs_siril
SHAPE = (210, 331)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Float frames between 0 and 1, which Siril neither rounds nor takes for missing."""
    folder = tmp_path_factory.mktemp("siril")
    rng = np.random.default_rng(12)
    level = rng.uniform(800, 4000, SHAPE)
    for i in range(16):
        frame = rng.poisson(level) + rng.normal(0, 8, SHAPE)
        struck = rng.random(SHAPE) < 3e-3
        frame[struck] += rng.uniform(50, 20_000, struck.sum())
        fits.PrimaryHDU((np.rint(frame) / 65535).astype(np.float32)).writeto(folder / f"f_{i + 1:05d}.fit")
    return folder


@pytest.mark.parametrize(
    ("words", "rule", "most"),
    [
        ("median", Rule("median"), 0),
        ("rej s 3 3", Rule(reject="sigma"), 0),
        ("rej w 3 3", Rule(reject="winsorized"), 1),
    ],
)
def test_the_result_is_sirils(frames, words, rule, most):
    script = frames / "stack.ssf"
    script.write_text(f"requires 1.0.0\nsetext fit\nset32bits\ncd {frames}\nstack f_ {words} -nonorm -out=result\n")
    subprocess.run(["siril-cli", "-s", str(script)], check=True, capture_output=True, timeout=120)
    theirs = fits.getdata(frames / "result.fit").astype(np.float32)
    with RowReader(sorted(frames.glob("f_*.fit"))) as read:
        result = combine(16, read.shape, read, rule, backend="numpy")
    # Siril rejects no more once the samples kept, less all that were rejected, are four.
    compared = result.n_used > (16 + 4) // 2
    assert np.count_nonzero(compared) > 0.99 * compared.size
    assert np.count_nonzero((result.data != theirs)[compared]) <= most
    assert result.n_high.sum() > 1000 or rule.combine == "median"
