"""Simulated plates: their layout, their headers, and how the sky falls on them."""

import json
import tarfile
from datetime import datetime, timedelta

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.time import Time

from lostlight.science.plate.wcs import has_plate_solution, pix_to_sky, pixel_scale_arcsec, sky_wcs
from lostlight.sim.plate_header import cutout_header, date_obs
from lostlight.sim.plates import SOUTHERN_LIMIT_DEG, Layout, Plate


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout(20)


@pytest.fixture(scope="module")
def plates(layout: Layout) -> list[Plate]:
    return [layout.plate(index) for index in range(len(layout.ra_deg))]


def _northern(plates: list[Plate]) -> list[Plate]:
    return [plate for plate in plates if plate.centre[1] > SOUTHERN_LIMIT_DEG + 0.3]


def _even_sky(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    dec = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-29.5)), 1, n)))
    return rng.uniform(0, 360, n), dec


def test_the_survey_has_its_size_and_its_coverage(layout: Layout, plates: list[Plate]) -> None:
    assert 880 < len(_northern(plates)) < 980, "the survey has 936 plates"
    ra, dec = _even_sky(400)
    nearest = layout.nearest(ra, dec)
    inside = np.zeros(len(ra), bool)
    for index in np.unique(nearest):
        mine = nearest == index
        plate = layout.plate(int(index))
        x, y = plate.sky_to_pix(ra[mine], dec[mine])
        inside[mine] = (x > 0) & (x < plate.n_px) & (y > 0) & (y < plate.n_px)
    assert np.mean(~inside) < 0.03, "a few positions are on no plate"


def test_scans_dates_and_grades_come_as_in_the_archive(plates: list[Plate]) -> None:
    northern = _northern(plates)
    assert np.mean([plate.pixel_um < 20 for plate in northern]) == pytest.approx(0.124, abs=0.04)
    assert np.mean([int(date_obs(plate)[14:16]) >= 60 for plate in northern]) == pytest.approx(0.4, abs=0.07)
    assert {plate.grade for plate in northern} == {"0", "1", "2", "", "unavailabl"}
    epochs = np.array([plate.epoch_yr for plate in northern])
    assert 1949.8 < epochs.min() < 1951 and 1958 < epochs.max() < 1960
    assert np.median([plate.exposure_min for plate in northern]) in (45.0, 50.0)
    scales = {round(plate.scale_arcsec, 2) for plate in northern}
    assert {1.70, 1.68, 1.01} >= scales and len(scales) == 3


def test_dates_tell_the_middle_of_the_exposure_once_minutes_are_carried(plates: list[Plate]) -> None:
    for plate in plates[::17]:
        text = date_obs(plate)
        carried = datetime.fromisoformat(text[:10]) + timedelta(hours=int(text[11:13]), minutes=int(text[14:16]))
        assert carried == plate.mid_exposure
        assert Time(carried).jd == pytest.approx(plate.jd, abs=1e-6)
        assert Time(carried).jyear == pytest.approx(plate.epoch_yr, abs=1e-5)


@pytest.mark.parametrize("position", [(150.0, 20.0), (0.01, 0.2), (359.99, 45.0), (123.0, 89.9), (210.0, -27.0)])
def test_headers_carry_the_sky_where_the_plate_puts_it(layout: Layout, position: tuple[float, float]) -> None:
    plate = layout.plate(int(layout.nearest(*position)))
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.05 * plate.n_px, 0.95 * plate.n_px, (2, 60))
    ra, dec = pix_to_sky(sky_wcs(plate.header()), x, y)
    true_x, true_y = plate.sky_to_pix(ra, dec)
    dx, dy = plate.residual_arcsec(x, y)
    assert np.allclose((true_x - x) * plate.scale_arcsec, dx, atol=1e-3)
    assert np.allclose((true_y - y) * plate.scale_arcsec, dy, atol=1e-3)
    assert pixel_scale_arcsec(plate.header()) == pytest.approx(plate.scale_arcsec, rel=0.01)


def test_plate_solutions_are_wrong_by_a_smooth_few_tenths_of_an_arcsecond(plates: list[Plate]) -> None:
    rng = np.random.default_rng(2)
    rms = []
    for plate in plates[::40]:
        x, y = rng.uniform(0, plate.n_px, (2, 500))
        dx, dy = plate.residual_arcsec(x, y)
        rms.append(np.sqrt(np.mean(dx**2 + dy**2)))
        step = 60 / plate.scale_arcsec
        assert np.hypot(*np.subtract(plate.residual_arcsec(x + step, y), (dx, dy))).max() < 0.06, "smooth over 1 arcmin"
    assert 0.2 < np.median(rms) < 0.6
    assert max(rms) < 0.9


def test_a_window_has_both_solutions_and_they_agree_as_in_the_archive(layout: Layout) -> None:
    plate = layout.plate(int(layout.nearest(150, 20)))
    header = cutout_header(plate, 5000, 6000, 2118, 2100, (150.0, 20.0))
    assert has_plate_solution(header)
    tangent = Header(
        [card for card in header.cards if not card.keyword.startswith(("AMD", "PPO", "CNPIX", "PLT", "XP"))]
    )
    assert not has_plate_solution(tangent)
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 2117, 9), np.linspace(0, 2099, 9)))
    full = pix_to_sky(sky_wcs(plate.header()), x + 5000, y + 6000)
    window, approximate = pix_to_sky(sky_wcs(header), x, y), pix_to_sky(sky_wcs(tangent), x, y)
    scale = np.array([np.cos(np.radians(20)), 1])[:, None] * 3600
    assert np.abs(np.subtract(window, full) * scale).max() < 1e-4
    assert 0.01 < np.abs(np.subtract(approximate, full) * scale).max() < 1.5


def test_headers_have_the_keywords_of_real_plates(shared_data, layout: Layout) -> None:
    with tarfile.open(shared_data / "poss1-plates" / "plate_headers_dev.tar.gz") as archive:
        member = next(item for item in archive.getmembers() if "XE202" in item.name)
        real = json.load(archive.extractfile(member))["header"]
    ours = layout.plate(int(layout.nearest(150, 20))).header()
    assert set(real) - set(ours) == {"DATE"}, "a product holds no time of its making"
    for key, value in real.items():
        if key != "DATE":
            assert isinstance(ours[key], type(value)) or {type(ours[key]), type(value)} == {int, float}, key
    for key in ("SURVEY", "TELESCOP", "EMULSION", "BANDPASS", "PLTSCALE", "ASTRMASK", "NAXIS1"):
        assert ours[key] == real[key], key


def test_the_south_belongs_to_another_survey(layout: Layout) -> None:
    assert layout.plate(int(layout.nearest(80, -60))).header()["SURVEY"] != "POSSI-E"
    assert layout.plate(int(layout.nearest(80, -20))).header()["SURVEY"] == "POSSI-E"
