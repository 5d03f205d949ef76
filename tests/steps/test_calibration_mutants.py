"""Raw frames damaged at random: each run ends well, or with a coded error; never with a traceback."""

import gzip
import re

import numpy as np
import pytest
from tests.raw_night import KINDS, calibrate, copied, edit, edit_all, take

JUNK = (-1, 0, 1e30, -1e-30, 7.5, "", "x", "[5:1,1:9]", "[0:9,1:9]", "RGGB", True, "2024-13-45", "NaN", "light")
CARDS = (
    "IMAGETYP", "EXPTIME", "GAIN", "OFFSET", "EGAIN", "RDNOISE", "CCD-TEMP", "SET-TEMP", "SATURATE", "XBINNING",
    "YBINNING", "READOUTM", "FILTER", "INSTRUME", "DATE-OBS", "BIASSEC", "TRIMSEC", "BAYERPAT", "ROWORDER", "XBAYROFF",
    "CALSTAT", "PEDESTAL", "OBJECT", "CRPIX1", "CTYPE1", "CD1_1", "LTV1", "ROTATANG", "FOCALLEN", "NCOMBINE", "BIASSUB",
    "BUNIT", "PCOUNT", "EXTEND", "SWCREATE", "DATAMAX", "HISTORY", "TELESCOP",
)  # fmt: skip


def cut(data, rng):
    return data[: int(len(data) * rng.uniform(0.02, 0.98))]


def flip(data, rng, n=40, start=0):
    content = bytearray(data)
    for place in rng.integers(start, len(content), n):
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content)


def in_header(data, rng):
    content = bytearray(data)
    for place in rng.integers(0, 2880, int(rng.integers(1, 6))):
        content[place] = int(rng.integers(32, 127))
    return bytes(content)


def swap_cards(data, rng):
    first, second = sorted(80 * rng.choice(np.arange(1, 30), 2, replace=False))
    return (
        data[:first] + data[second : second + 80] + data[first + 80 : second] + data[first : first + 80]
        + data[second + 80 :]
    )  # fmt: skip


def structure(data, rng):
    """Change a number of the cards that say how pixels are stored."""
    key = (b"BITPIX  ", b"NAXIS   ", b"NAXIS1  ", b"NAXIS2  ", b"BZERO   ", b"BSCALE  ")[int(rng.integers(6))]
    value = (b"0", b"-1", b"1", b"3", b"-32", b"64", b"40", b"99999999999", b"'two'", b"1E400")[int(rng.integers(10))]
    return re.sub(rb"(?<=" + key + rb"= )[^/]{20}", value.rjust(20), data, count=1)


BYTES = {
    "cut": cut,
    "flip": flip,
    "pixel bits": lambda data, rng: flip(data, rng, 2000, 5760),
    "header letters": in_header,
    "cards swapped": swap_cards,
    "structure": structure,
    "empty": lambda data, rng: b"",
    "page": lambda data, rng: b"<html><body>Service unavailable</body></html>",
    "noise": lambda data, rng: rng.bytes(5000),
    "zeros": lambda data, rng: data[:5760] + bytes(len(data) - 5760),
    "packed and cut": lambda data, rng: gzip.compress(data)[: -int(rng.integers(1, 3000))],
    "packed": lambda data, rng: gzip.compress(data),
    "more": lambda data, rng: data + rng.bytes(int(rng.integers(1, 4000))),
}
PIXELS = {
    "nan": lambda data, rng: np.where(rng.random(data.shape) < rng.random(), np.nan, data).astype(np.float32),
    "infinite": lambda data, rng: np.where(rng.random(data.shape) < 0.1, np.inf, data).astype(np.float64),
    "constant": lambda data, rng: np.full_like(data, rng.integers(0, 65536)),
    "saturated": lambda data, rng: np.where(rng.random(data.shape) < rng.random(), 65535, data).astype(np.uint16),
    "normalised": lambda data, rng: (data / 65535).astype(np.float32),
    "signed": lambda data, rng: data.astype(np.int16),
    "wide": lambda data, rng: data.astype(np.int32) * 70000,
    "cropped": lambda data, rng: data[: rng.integers(1, 41), : rng.integers(1, 61)],
    "turned": lambda data, rng: np.ascontiguousarray(data.T),
    "third axis": lambda data, rng: data[np.newaxis],
    "cube": lambda data, rng: np.stack([data, data]),
    "huge numbers": lambda data, rng: data.astype(np.float32) * 1e30,
    "negative": lambda data, rng: -data.astype(np.int32),
}


def spoil(frames, rng, first_way):
    """Damage one frame, or all of a kind, in one way; gives what was done."""
    kind = str(rng.choice(KINDS))
    paths = sorted((frames / kind).glob("*.fits"))
    path = paths[int(rng.integers(len(paths)))]
    way = int(rng.integers(first_way, 4))
    if way == 0:
        name = str(rng.choice(list(BYTES)))
        path.write_bytes(BYTES[name](path.read_bytes(), rng))
    elif way == 1:
        name = str(rng.choice(list(PIXELS)))
        edit(path, lambda data: PIXELS[name](data, rng))
    elif way == 2:
        name = str(rng.choice(list(PIXELS)))
        edit_all(frames, kind, change=lambda data, number: PIXELS[name](data, rng))
    else:
        key, value = str(rng.choice(CARDS)), JUNK[int(rng.integers(len(JUNK)))]
        name = f"{key} = {value!r}"
        edit_all(frames, *((kind,) if rng.random() < 0.6 else KINDS), **{key.replace("-", "_"): value})
    return f"{kind}: {name}"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return take(tmp_path_factory.mktemp("night") / "f", seed=9)


SETTINGS = (
    {},
    {"on_bad_frame": "skip"},
    {"dark": {"mode": "scaled", "glow": "off"}},
    {"flat": {"normalize": "per_cfa"}, "on_bad_frame": "skip", "lacosmic": {"enable": "on"}},
    {"bias": {"superbias": "shrink", "pca": 1}, "light": {"unit": "electron"}, "on_bad_frame": "skip"},
    {"dark": {"mode": "scaled", "glow": "two_component"}, "on_bad_frame": "skip"},
    {"infer_type": True, "output": {"compress": "rice", "tiff": "16"}, "on_bad_frame": "skip"},
)


def check(night, folder, number):
    rng = np.random.default_rng(number)
    frames = copied(night, folder / "f")
    # bytes come last: what they spoil cannot be edited any more
    done = [spoil(frames, rng, first_way) for first_way in ([1, 0] if rng.random() < 0.5 else [0])]
    outcome = calibrate(frames, folder / "run", **SETTINGS[number % len(SETTINGS)])
    said = outcome.failures + ([outcome.error.message] if outcome.error else [])
    assert [message for message in said if not re.match(r"CAL[12]\d\d: ", message)] == [], done
    if outcome.error is None:
        assert outcome.report, done


@pytest.fixture(autouse=True)
def _without_page(monkeypatch):
    monkeypatch.setattr("lostlight.report.calibration_page.html", lambda content, pictures: "")


@pytest.mark.parametrize("number", range(20))
def test_twenty_mutants(night, tmp_path, number):
    check(night, tmp_path, number)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20, 220))
def test_two_hundred_mutants(night, tmp_path, number):
    check(night, tmp_path, number)
