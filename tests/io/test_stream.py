import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table, vstack

from lostlight.io import stream, tables

SCHEMA = ("src_id", "ra_deg", "flags", "has_pm", "fwhm_px", "reason")
WIDTHS = {"src_id": 12, "reason": 20}


def _block(rng, n):
    return Table(
        {
            "src_id": [f"t:{number}" for number in range(n)],
            "ra_deg": rng.uniform(0, 360, n),
            "flags": rng.integers(0, 99, n).astype("i4"),
            "has_pm": rng.random(n) > 0.5,
            "fwhm_px": np.where(rng.random(n) > 0.2, rng.random(n), np.nan).astype("f4"),
            "reason": rng.choice(["", "SNR", "MATCHED; SNR"], n),
        }
    )


@pytest.mark.parametrize("lengths", [(), (0, 0), (1,), (3, 0, 700, 41)])
def test_blocks_appended_are_the_table_written_at_once(tmp_path, lengths):
    rng = np.random.default_rng(3)
    blocks = [_block(rng, n) if n else tables.empty(SCHEMA) for n in lengths]
    with stream.opened(tmp_path / "long.fits", SCHEMA, WIDTHS) as table:
        for block in blocks:
            table.append(block)
    found = tables.read(tmp_path / "long.fits")
    expected = vstack([block for block in blocks if len(block)]) if sum(lengths) else tables.empty(SCHEMA)
    assert len(found) == sum(lengths) == tables.n_rows(tmp_path / "long.fits")
    for name in SCHEMA if sum(lengths) else ():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(expected[name]))
    with fits.open(tmp_path / "long.fits") as hdus:
        hdus.verify("exception")
        assert hdus[1].header["TUCD2"] == "pos.eq.ra;meta.main"
        assert "CHECKSUM" not in hdus[1].header
    assert (tmp_path / "long.fits").stat().st_size % 2880 == 0


def test_text_that_does_not_fit_is_an_error_and_leaves_no_file(tmp_path):
    with (
        pytest.raises(ValueError, match="src_id"),
        stream.opened(tmp_path / "long.fits", SCHEMA, {"src_id": 1, "reason": 20}) as table,
    ):
        table.append(_block(np.random.default_rng(3), 12))
    assert not list(tmp_path.iterdir())
