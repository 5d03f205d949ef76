"""Astrometry.net: the real program on an index of planted stars; a stand-in where only its manners are of interest."""

import os

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from tests.astrometry_index import build, needs_program

from lostlight.core.errors import ToolMissing
from lostlight.io import astrometry_net, tools

SHAPE = (901, 1203)
STARS = ([10.0, 700.5, np.nan, 3.0], [20.0, 80.25, 5.0, 4.0], [1.0, 9.0, 3.0, 2.0])


@pytest.fixture(autouse=True)
def _looked_up_anew():
    tools.find.cache_clear()
    yield
    tools.find.cache_clear()


@pytest.fixture(scope="module")
def field():
    """Stars around (120, 40), and a frame of them turned by 33 degrees at 1.8 arcsec a pixel."""
    random = np.random.default_rng(1)
    dec = 40 + random.uniform(-1.5, 1.5, 4000)
    ra = 120 + random.uniform(-1.5, 1.5, 4000) / np.cos(np.radians(dec))
    mag = random.uniform(8, 15, 4000)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [120.1, 40.05], [601.5, 450.5]
    cos, sin = np.cos(np.radians(33)), np.sin(np.radians(33))
    wcs.wcs.cd = 1.8 / 3600 * np.array([[-cos, sin], [sin, cos]])
    x, y = wcs.all_world2pix(ra, dec, 0)
    inside = (x > 0) & (x < 1202) & (y > 0) & (y < 900)
    error = random.normal(0, 0.1, (2, inside.sum()))
    return (ra, dec, mag), wcs, (x[inside] + error[0], y[inside] + error[1], 10 ** (-0.4 * mag[inside]))


@pytest.fixture(scope="module")
def index(field, tmp_path_factory):
    """Configuration that names an index of the planted stars, made by the program itself."""
    return build(tmp_path_factory.mktemp("index"), *field[0])


@needs_program
@pytest.mark.parametrize("hint", [None, astrometry_net.Hint(120, 40, 2, (1.5, 2.2))])
def test_the_real_program_finds_the_planted_place(field, index, hint):
    _, truth, stars = field
    header = astrometry_net.solve(*stars, SHAPE, hint=hint, config=index)
    x, y = np.meshgrid(np.linspace(0, 1202, 7), np.linspace(0, 900, 7))
    ours, planted = (SkyCoord(*wcs.all_pix2world(x, y, 0), unit="deg") for wcs in (WCS(header), truth))
    assert np.median(ours.separation(planted).arcsec) < 0.2
    assert WCS(header).wcs.radesys == "ICRS"
    assert not {"DATE", "HISTORY", "COMMENT"} & set(header)


@needs_program
def test_the_real_program_finds_nothing_in_noise(index):
    random = np.random.default_rng(2)
    noise = random.uniform(0, 1203, 100), random.uniform(0, 901, 100), random.uniform(0, 1, 100)
    hint = astrometry_net.Hint(scale_arcsec=(1.5, 2.2))
    assert astrometry_net.solve(*noise, SHAPE, hint=hint, config=index, timeout_s=20) is None


@needs_program
def test_without_indexes_there_is_no_answer(field, tmp_path, caplog):
    config = tmp_path / "none.cfg"
    config.write_text(f"add_path {tmp_path}\n")
    assert astrometry_net.solve(*field[2], SHAPE, config=config, timeout_s=20) is None
    assert "index files" in caplog.text


def _stand_in(tmp_path, monkeypatch, script):
    program = tmp_path / "solve-field"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_the_program_is_told_the_stars_and_what_is_known(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, f'cp stars.xyls {tmp_path}/seen.fits; echo "$@" > {tmp_path}/words')
    hint = astrometry_net.Hint(120.5, -3.25, 2, (0.5, 1.5))
    config = tmp_path / "engine.cfg"
    assert astrometry_net.solve(*STARS, SHAPE, hint=hint, config=config) is None
    seen = fits.getdata(tmp_path / "seen.fits")
    assert seen["X"].tolist() == [701.5, 4, 11]
    assert seen["Y"].tolist() == [81.25, 5, 21]
    words = (tmp_path / "words").read_text()
    wanted = ("--width 1203", "--height 901", "--ra 120.5 --dec -3.25 --radius 2", "--scale-low 0.5", f"{config}")
    assert all(part in words for part in wanted)


def test_a_program_that_fails_is_no_error_of_the_frame(tmp_path, monkeypatch, caplog):
    _stand_in(tmp_path, monkeypatch, "echo engine failed >&2; exit 255")
    assert astrometry_net.solve(*STARS, SHAPE) is None
    assert "engine failed" in caplog.text


def test_a_program_that_does_not_end_is_left_alone(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(astrometry_net, "_GRACE_S", 0.2)
    assert astrometry_net.solve(*STARS, SHAPE, timeout_s=0.2) is None


def test_without_the_program_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not astrometry_net.available()
    with pytest.raises(ToolMissing, match="solve-field"):
        astrometry_net.solve(*STARS, SHAPE)
