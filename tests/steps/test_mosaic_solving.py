"""Frames without a sky solution, registered by their stars, get their place from astrometry.net."""

from functools import partial

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS
from tests.astrometry_index import build, needs_program
from tests.mosaic_scene import step

from lostlight.io import astrometry_net, tools
from lostlight.sim.mosaics import scene, write
from lostlight.steps.mosaicking.solving import hint

SCALE = 3.6


@pytest.fixture(autouse=True)
def _looked_up_anew():
    tools.find.cache_clear()
    yield
    tools.find.cache_clear()


@needs_program
def test_the_mosaic_of_registered_frames_lies_where_the_stars_are(tmp_path, monkeypatch):
    made = scene(
        3, layout=(1, 1), n_per_tile=3, tile_px=(420, 500), dither_px=9, rotation_deg=2, scale_arcsec=SCALE,
        n_stars=300, has_wcs=False,
    )  # fmt: skip
    write(tmp_path / "frames", made)
    stars = made.truth.stars
    (tmp_path / "index").mkdir()
    config = build(tmp_path / "index", stars["ra_deg"], stars["dec_deg"], -2.5 * np.log10(stars["flux"]))
    monkeypatch.setattr(astrometry_net, "solve", partial(astrometry_net.solve, config=config))
    mosaic = step(tmp_path / "run", tmp_path / "frames")["mosaic"]
    wcs = WCS(mosaic.header)
    assert wcs.has_celestial
    x, y = wcs.all_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    found = _brightest(mosaic.sci[0])
    away = np.min(np.hypot(x[:, None] - found[0], y[:, None] - found[1]), axis=0)
    assert np.median(away) < 0.3


def _brightest(image, n=20):
    import sep

    clean = np.where(np.isfinite(image), image, np.nanmedian(image)).astype(np.float32)
    level = sep.Background(clean)
    stars = np.sort(sep.extract(clean - level.back(), 20, err=level.globalrms), order="flux")[-n:]
    return stars["x"], stars["y"]


@pytest.mark.parametrize(
    ("cards", "place", "scale"),
    [
        ({"RA": 31.3, "DEC": 46.8, "IM_SCALE": 5.2}, (31.3, 46.8), 5.2),
        ({"OBJCTRA": "02 05 15", "OBJCTDEC": "-46 46 09"}, (31.3125, -46.769167), None),
        ({"RA": "not known", "DEC": 3, "PIXSCALE": -1}, (None, None), None),
        ({}, (None, None), None),
    ],
)
def test_what_a_header_says_of_the_place_is_a_hint(cards, place, scale):
    told = hint(Header(cards))
    assert (told.ra_deg, told.dec_deg) == (pytest.approx(place) if place[0] else place)
    if scale is None:
        assert told.scale_arcsec is None
    else:
        assert told.scale_arcsec[0] < scale < told.scale_arcsec[1]
