"""Payloads that pass for images, and those that do not."""

import gzip
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from tests.fakesky import FakeSky

from lostlight.core.errors import BadImage, NoWCS, WrongSurvey
from lostlight.science.plate.cutout import choose, circle_around, cut, margin_px
from lostlight.science.plate.validate import Asked, accept
from lostlight.science.plate.wcs import has_plate_solution, pix_to_sky, sky_wcs
from lostlight.science.sky.separation import separation_arcsec

FIELD = Asked(150.0, 20.0, 9.0, 6.0)


def payload(header=None, data=None, **cards):
    image, own = FakeSky().cutout(*FIELD)
    header = own if header is None else header
    for name, value in cards.items():
        header[name.replace("_", "-")] = value
    stream = BytesIO()
    fits.PrimaryHDU(image if data is None else data, header).writeto(stream)
    return stream.getvalue()


def refusal(content, survey="poss1_red", asked=FIELD):
    with pytest.raises((BadImage, WrongSurvey, NoWCS)) as caught:
        accept(content, survey, asked)
    assert caught.value.hint
    return caught.value.facts["reason"]


def test_pixels_and_cards_come_through():
    data, header = accept(payload(), "poss1_red", FIELD)
    assert data.shape == (212, 318)
    assert data.dtype.kind == "i"
    assert header["REGION"] == "XE309"


@pytest.mark.parametrize("n_bytes", [10, 100, 2880, 5000, 60_000])
def test_every_cut_is_seen(n_bytes):
    assert refusal(payload()[:n_bytes]) == "TRUNCATED"


@pytest.mark.parametrize("content", [b"", b"  \n"])
def test_nothing_is_empty(content):
    assert refusal(content) == "EMPTY"


def test_pages_and_archives_are_not_fits():
    assert refusal(b"<html><body>busy</body></html>") == "NON_FITS"
    assert refusal(gzip.compress(payload())) == "NON_FITS"


def test_tables_and_cubes_are_no_images():
    cube = np.zeros((2, 8, 9), dtype=np.int16)
    assert refusal(payload(data=cube)) == "EMPTY"


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_blank_images(value):
    assert refusal(payload(data=np.full((212, 318), value, dtype=np.float32))) == "EMPTY"


@pytest.mark.parametrize("survey", ["POSSII-F", "SERC-ER", "POSSI-O", "POSSI-E BLUE"])
def test_other_surveys(survey):
    content = payload(SURVEY=survey)
    assert refusal(content) == "WRONG_SURVEY"
    accept(content, "any", FIELD)


def test_no_solution_and_half_a_solution():
    header = FakeSky().header(150.0, 20.0, 318, 212)
    assert "XPIXELSZ" in header
    _, kept = accept(payload(header), "poss1_red", FIELD)
    assert "XPIXELSZ" not in kept, "half a plate solution stops wcslib"
    for name in [name for name in header if name.startswith(("CTYPE", "CRVAL", "CRPIX", "CD"))]:
        del header[name]
    assert refusal(payload(header)) == "NON_WCS"


@pytest.mark.parametrize("scale_arcsec", [1.70, 1.68, 1.01])
def test_size_is_judged_on_the_sky_whatever_the_scale(scale_arcsec):
    image, header = FakeSky(scale_arcsec=scale_arcsec).cutout(*FIELD)
    accept(payload(header, image), "poss1_red", FIELD)
    assert refusal(payload(header, image[:, : image.shape[1] // 2])) == "TRUNCATED"


def test_another_field_is_noticed():
    assert refusal(payload(), asked=FIELD._replace(ra_deg=150.2)) == "WRONG_FIELD"
    assert refusal(payload(), asked=FIELD._replace(dec_deg=-20.0)) == "WRONG_FIELD"


def test_real_first_edition_plate_is_red_poss1(shared_data):
    content = gzip.decompress((shared_data / "dss1-m67" / "M6707HH.fits.gz").read_bytes())
    data, header = accept(content, "poss1_red", Asked(132.8337, 11.8119, 30, 30))
    assert data.shape == (1059, 1059)
    assert has_plate_solution(header)


def test_real_second_epoch_plate_named_dss1_is_refused(shared_data):
    content = gzip.decompress((shared_data / "dss2-not-poss1" / "m51_dss1.fits.gz").read_bytes())
    assert refusal(content, asked=None) == "WRONG_SURVEY"
    data, _ = accept(content, "any")
    assert data.shape == (893, 891)


def test_a_cut_out_tile_keeps_the_sky_of_its_plate(shared_data):
    content = gzip.decompress((shared_data / "dss1-m67" / "M6707HH.fits.gz").read_bytes())
    data, header = accept(content)
    tile, moved = cut(data, header, Asked(132.90, 11.75, 8.0, 6.0))
    assert tile.shape == (212, 282)
    x, y = np.array([0.0, 100.0, 281.0]), np.array([0.0, 55.0, 211.0])
    place = np.argwhere((data[:-1, :-1] == tile[0, 0]) & (data[1:, 1:] == tile[1, 1]) & (data[1:, :-1] == tile[1, 0]))
    y0, x0 = next(p for p in place if (data[p[0] : p[0] + 212, p[1] : p[1] + 282] == tile).all())
    on_tile, on_plate = pix_to_sky(sky_wcs(moved), x, y), pix_to_sky(sky_wcs(header), x + x0, y + y0)
    assert np.max(separation_arcsec(*on_tile, *on_plate)) < 1e-3
    middle = pix_to_sky(sky_wcs(moved), 140.5, 105.5)
    assert separation_arcsec(*middle, 132.90, 11.75) < 1.7


def test_a_projection_is_moved_too():
    image, header = FakeSky().cutout(150.0, 20.0, 30.0, 24.0)
    _, header = accept(payload(header, image))
    tile, moved = cut(image, header, Asked(150.1, 20.05, 5.0, 4.0))
    assert tile.shape == (141, 176)
    assert separation_arcsec(*pix_to_sky(sky_wcs(moved), 87.5, 70), 150.1, 20.05) < 1.7


def test_positions_off_the_plate_are_refused():
    image, header = FakeSky().cutout(*FIELD)
    _, header = accept(payload(header, image))
    for asked in (Asked(151.0, 20.0, 2, 2), Asked(330.0, -20.0, 2, 2)):
        with pytest.raises(BadImage) as caught:
            cut(image, header, asked)
        assert caught.value.facts["reason"] == "WRONG_FIELD"


def test_the_plate_with_the_widest_margin_is_chosen():
    def header(ra_deg):
        return accept(payload(FakeSky().header(ra_deg, 20.0, 318, 212)))[1]

    headers = {"west": header(149.95), "east": header(150.05), "blind": fits.Header()}
    assert choose(headers, 150.03, 20.0) == "east"
    assert choose(headers, 149.96, 20.0) == "west"
    assert choose(headers, 152.0, 20.0) is None
    assert margin_px(headers["east"], 150.05, 20.0) == pytest.approx(106, abs=1)


def test_the_circle_holds_the_corners():
    _, header = accept(payload())
    circle = circle_around(header, 1.0)
    assert circle.radius_deg * 60 == pytest.approx(np.hypot(318, 212) * 1.7 / 120 + 1, rel=1e-3)


def test_an_extension_inherits_date_and_exposure():
    data, header = FakeSky().cutout(*FIELD)
    date, exposure = header.pop("DATE-OBS"), header.pop("EXPOSURE")
    primary = fits.PrimaryHDU()
    primary.header.update({"DATE-OBS": date, "EXPOSURE": exposure, "REGION": "of another", "NEXTEND": 1})
    primary.header["HISTORY"] = "made in a test"
    stream = BytesIO()
    fits.HDUList([primary, fits.ImageHDU(data, header)]).writeto(stream)
    _, whole = accept(stream.getvalue(), "poss1_red", FIELD)
    assert (whole["DATE-OBS"], whole["EXPOSURE"], whole["REGION"]) == (date, exposure, "XE309")
    assert "HISTORY" not in whole
    fits.PrimaryHDU(data, whole).verify("exception")


def test_infinite_pixels_are_blank():
    data = FakeSky().cutout(*FIELD)[0].astype("f4")
    data[3, 4], data[5, 6] = np.inf, -np.inf
    got, _ = accept(payload(data=data), "poss1_red", FIELD)
    assert np.isnan(got[3, 4]) and np.isnan(got[5, 6]) and np.isnan(got).sum() == 2


def test_a_cube_is_named_with_its_size():
    with pytest.raises(BadImage, match="cube of 2 x 8 x 9 pixels") as caught:
        accept(payload(data=np.zeros((2, 8, 9), dtype=np.int16)))
    assert "plane" in caught.value.hint
