import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from lostlight.io.bintable import Field, decode, encode


def fields(n=7):
    rng = np.random.default_rng(61)
    return [
        Field("ra_deg", rng.uniform(0, 360, n), "deg", "pos.eq.ra", "right ascension, ICRS"),
        Field("snr_win", rng.normal(50, 9, n).astype("f4")),
        Field("object_id", np.arange(n, dtype="i4")),
        Field("big", np.full(n, -(2**40))),
        Field("extraction_flags", np.arange(n).astype("i2") - 3, "", "meta.code"),
        Field("has_pm", rng.random(n) < 0.5),
        Field("src_id", np.array([f"tile_RA150.000_DECp20.000:{k}" for k in range(n)])),
        Field("reason", np.array(["", "MATCHED; SNR", *["x"] * (n - 2)]) if n else np.empty(0, "U1")),
        Field("pm_ra_mas_yr", np.where(rng.random(n) < 0.5, np.nan, 3.5), "mas.yr-1", "", "a sentence " * 9),
    ]


META = {"RADIUS": 5.0, "EPOCH": 1951.909654321, "PLATE": "XE486", "N": 3, "OK": True, "LONG": "word " * 40 + "end"}


@pytest.mark.parametrize("n", [0, 1, 7, 400])
def test_astropy_reads_the_same_with_valid_checksums(n):
    content = encode(fields(n) if n > 1 else [Field(f.name, f.values[:n], *f[2:]) for f in fields()], META)
    assert len(content) % 2880 == 0
    with fits.open(io.BytesIO(content), checksum=True) as hdus:
        hdus.verify("exception")
        for hdu in hdus:
            assert hdu.verify_checksum() == hdu.verify_datasum() == 1
        assert {key: hdus[1].header[key] for key in META} == META
        assert hdus[1].header["TUNIT1"] == "deg" and hdus[1].header["TUCD1"] == "pos.eq.ra"
        assert hdus[1].header["TCOMM9"].startswith("a sentence a sentence")
        table = Table(hdus[1].data)
    for field in fields(n) if n > 1 else []:
        np.testing.assert_array_equal(np.asarray(table[field.name]).astype(field.values.dtype), field.values)


@pytest.mark.parametrize("n", [0, 1, 400])
def test_there_and_back(n):
    given = [Field(f.name, f.values[:n], *f[2:]) for f in fields(max(n, 7))]
    read, meta = decode(encode(given, META))
    assert meta == META
    for one, other in zip(given, read, strict=True):
        assert (one.name, *one[2:4], one.text.strip()) == (other.name, *other[2:4], other.text.strip())
        assert one.values.dtype.kind == other.values.dtype.kind and other.values.dtype.isnative
        np.testing.assert_array_equal(one.values, other.values)


def test_reads_what_astropy_writes():
    table = Table(
        {
            "a": np.arange(5.0),
            "s": ["x ", "yy", "", "z", "w"],
            "b": [True, False] * 2 + [True],
            "v": np.ones((5, 3), "f4"),
        }
    )
    buffer = io.BytesIO()
    hdus = fits.HDUList([fits.PrimaryHDU(np.zeros((11, 7), "f4")), fits.table_to_hdu(table)])
    hdus.writeto(buffer)
    read = {field.name: field.values for field in decode(buffer.getvalue())[0]}
    assert list(read["s"]) == ["x", "yy", "", "z", "w"] and list(read["b"]) == [True, False, True, False, True]
    np.testing.assert_array_equal(read["a"], np.arange(5.0))
    assert read["v"].shape == (5, 3)


@pytest.mark.parametrize("damage", ["empty", "no table", "header", "rows", "scaled"])
def test_damage_is_noticed(damage):
    content = encode(fields(400), META)
    broken = {"empty": b"", "no table": content[:2880], "header": content[:5000], "rows": content[:-2880]}
    if damage == "scaled":
        buffer = io.BytesIO()
        fits.BinTableHDU.from_columns([fits.Column("u", "J", bzero=2**31, array=np.arange(3, dtype="u4"))]).writeto(
            buffer
        )
        broken["scaled"] = buffer.getvalue()
    with pytest.raises(ValueError, match="it"):
        decode(broken[damage])


def test_text_keeps_the_width_of_its_column():
    """Parts of one table must be laid out alike, whatever text they hold."""
    content = encode([Field("reason", np.array(["SNR", ""], dtype="U20"))], {})
    with fits.open(io.BytesIO(content)) as hdus:
        assert hdus[1].header["TFORM1"] == "20A"
