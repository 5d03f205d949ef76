"""Damaged inputs of every kind: each is a clear error or a failed tile with its reason, never a traceback."""

import gzip
import json
import shutil

import numpy as np
import pytest
import yaml
from tests.steps.conftest import TINY, walk

from lostlight import chain
from lostlight.chain import manifest_path
from lostlight.core import config as configuration
from lostlight.core.errors import LostlightError
from lostlight.core.manifest import load
from lostlight.io import tables
from lostlight.vocab.columns import REFERENCE

PIXELS = ("00_tiles", "01_download", "02_masks", "03_detect")
HARMLESS = ("a card lost", "a card twice", "pixel bits", "one byte")
"""Damage that may leave a usable input; what comes of it is then a result like any other."""


def cut(data, rng):
    return data[: int(len(data) * rng.uniform(0.1, 0.95))]


def flip(data, rng):
    content = bytearray(data)
    for place in rng.integers(0, len(content), 40):
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content)


def one_byte(data, rng):
    content = bytearray(data)
    content[int(rng.integers(0, min(len(content), 5760)))] = int(rng.integers(32, 127))
    return bytes(content)


def card(data, rng, change):
    at = 80 * int(rng.integers(3, 60))
    return change(data, at)


FITS = {
    "cut": cut,
    "flip": flip,
    "one byte": one_byte,
    "empty": lambda data, rng: b"",
    "page": lambda data, rng: b"<html><body>Service unavailable</body></html>",
    "a card lost": lambda data, rng: card(data, rng, lambda d, at: d[:at] + b" " * 80 + d[at + 80 :]),
    "a card twice": lambda data, rng: card(data, rng, lambda d, at: d[:at] + d[at - 80 : at] + d[at + 80 :]),
    "pixel bits": lambda data, rng: data[:20000] + flip(data[20000:], rng),
    "zeros": lambda data, rng: data[:20160] + bytes(len(data) - 20160),
    "broken gzip": lambda data, rng: gzip.compress(data)[:-400],
    "swapped axes": lambda data, rng: data.replace(b"NAXIS1  =", b"NAXIS9  =", 1),
    "noise": lambda data, rng: rng.bytes(5000),
}
TEXT = {
    "cut": cut,
    "flip": flip,
    "empty": lambda data, rng: b"",
    "page": lambda data, rng: b"<html><body>Service unavailable</body></html>",
    "no header": lambda data, rng: data.split(b"\n", 1)[1],
    "nan": lambda data, rng: data.replace(b"150.", b"nan", 1),
    "negative": lambda data, rng: data.replace(b",150.", b",-150.", 3),
    "renamed": lambda data, rng: data.replace(b"ra_deg", b"alpha_hours", 1),
    "words": lambda data, rng: data.replace(b"150.", b"unknown", 2),
    "noise": lambda data, rng: rng.bytes(3000),
}


def pick(kinds, number):
    """The damage and the random numbers of one mutant."""
    names = list(kinds)
    return names[number % len(names)], np.random.default_rng(number)


def judge(name, manifests, error):
    """A mutant ended well if its tile failed with a reason, or the step said what is wrong."""
    for manifest in manifests:
        for unit in manifest.units:
            assert not (unit.failure and unit.failure.traceback), f"{name}: {unit.failure.traceback}"
    failures = [unit.failure for manifest in manifests for unit in manifest.units if unit.failure]
    if error is not None:
        assert error.message and "Traceback" not in str(error), name
        assert "a bug stopped" not in error.message, f"{name}: {error}"
    elif name not in (*HARMLESS, "flip", "cut"):
        assert failures, f"{name}: the damage went unnoticed"
    assert all(failure.message and failure.type for failure in failures)


def attempt(config, run, steps):
    """Walk as far as it goes; the manifests on disk and the error that ended it."""
    try:
        walk(run, config, steps=steps)
        error = None
    except LostlightError as caught:
        error = caught
    found = [path for step_id in steps for path in (run / step_id).glob("manifest*.json")]
    return [load(path) for path in found], error


@pytest.fixture(scope="module")
def tiny_source(tmp_path_factory):
    """Bytes of a good plate of one's own and of a catalogue for it, and the run they come from."""
    run = tmp_path_factory.mktemp("source") / "run"
    tile = {"positions": [{"ra_deg": 150.0, "dec_deg": 20.0}], "width_arcmin": 8, "height_arcmin": 8}
    config = configuration.check(configuration.merge(TINY, {"tiles": tile}))
    manifests = {m.step: m for m in chain.walk(config, run, steps=(*PIXELS, "04_psf", "05_measure", "06_reference"))}
    unit = next(iter(manifests["01_download"].ok()))
    reference = tables.read(run / f"06_reference/products/{unit.id}.usnob.fits")
    csv = run.parent / "own.csv"
    tables.write(reference, csv, REFERENCE)
    return manifests["01_download"].product(unit, "image").read_bytes(), csv.read_bytes(), run


def check_image(source, folder, number):
    name, rng = pick(FITS, number)
    own = folder / "own.fits"
    own.write_bytes(FITS[name](source[0], rng))
    settings = {
        "tiles": {"images": str(own), "positions": []},
        "download": {"source": "folder", "folder": str(own), "survey": "any", "url": ""},
    }
    judge(name, *attempt(configuration.check(configuration.merge(TINY, settings)), folder / "run", PIXELS))


def check_catalogue(source, folder, number):
    name, rng = pick(TEXT, number)
    own = folder / "own.csv"
    own.write_bytes(TEXT[name](source[1], rng))
    shutil.copytree(source[2], folder / "run", dirs_exist_ok=True)
    shutil.rmtree(folder / "run/06_reference")
    settings = configuration.merge(TINY, {"reference": {"usnob": False, "gaia": False, "own": {"path": str(own)}}})
    config = configuration.check(settings)
    manifests, error = attempt(config, folder / "run", ("06_reference",))
    judge(name, manifests, error)


def check_manifest(source, folder, number):
    rng = np.random.default_rng(number)
    shutil.copytree(source[2], folder / "run", dirs_exist_ok=True)
    path = manifest_path(folder / "run", "02_masks")
    data = path.read_bytes()
    damage = (cut, flip, one_byte, FITS["noise"], FITS["empty"], _drop_key)[number % 6]
    path.write_bytes(damage(data, rng))
    shutil.rmtree(folder / "run/03_detect")
    manifests, error = attempt(configuration.check(TINY), folder / "run", ("03_detect",))
    if _parsed(path) == json.loads(data):
        return  # the damage hit white space alone
    assert error is not None and error.exit_code == 3, f"{damage}: the damage went unnoticed"
    assert "manifest" in error.message
    judge("manifest", manifests, error)


def _parsed(path):
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def check_config(source, folder, number):
    rng = np.random.default_rng(number)
    text = yaml.safe_dump(TINY)
    path = folder / "config.yaml"
    damage = (cut, flip, one_byte, _drop_key, FITS["noise"], _shout)[number % 6]
    path.write_bytes(damage(text.encode(), rng))
    try:
        configuration.load([path])
    except LostlightError as error:
        assert error.message and error.exit_code == 2


def _drop_key(data, rng):
    lines = data.splitlines(keepends=True)
    del lines[int(rng.integers(len(lines)))]
    return b"".join(lines)


def _shout(data, rng):
    return data.replace(b"arcmin", b"ARCMIN", 1)


CHECKS = (check_image, check_catalogue, check_manifest, check_config)


@pytest.mark.parametrize("number", range(20))
def test_twenty_mutants(tiny_source, tmp_path, number):
    CHECKS[number % 4](tiny_source, tmp_path, number // 4 + 1)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(200))
def test_two_hundred_mutants(tiny_source, tmp_path, number):
    CHECKS[number % 4](tiny_source, tmp_path, number // 4)
