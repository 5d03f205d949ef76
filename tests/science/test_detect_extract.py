"""Planted stars are found, where they are, with the right flags."""

import numpy as np
import pytest
from tests.starfield import add_star, starfield

from lostlight.core.errors import BadImage
from lostlight.core.params import MeasureParams
from lostlight.science.detect import background, embedded
from lostlight.science.detect import extract as extraction
from lostlight.vocab.extraction import BLENDED, EXTRACTED, SATURATED, TRUNCATED

KNOBS = MeasureParams(engine="embedded")


def extract(image, blank=None, saturation=1e9, knobs=KNOBS):
    return embedded.extract(background.split(image, blank, knobs.mesh_px, knobs.mesh_filter), knobs, saturation)


def noise(shape=(151, 203), seed=3, rms=60.0):
    return np.random.default_rng(seed).normal(3800, rms, shape)


def row_at(found, x, y):
    distance = np.hypot(found["x_px"] - x, found["y_px"] - y)
    assert distance.min() < 2
    return found[int(np.argmin(distance))]


@pytest.fixture(scope="module")
def field():
    return starfield(7, shape=(401, 367))


@pytest.fixture(scope="module")
def found(field):
    return extract(field.image)


def test_columns_are_those_of_the_schema(found):
    assert tuple(found.colnames) == EXTRACTED
    assert list(found["object_id"]) == list(range(1, len(found) + 1))


def test_every_planted_star_is_found_and_little_else(field, found):
    near = np.hypot(
        np.asarray(found["x_px"])[:, None] - np.asarray(field.stars["x_px"]),
        np.asarray(found["y_px"])[:, None] - np.asarray(field.stars["y_px"]),
    )
    # A star of 1e4 adu and 3 px peaks at 14 sigma.
    bright = np.asarray(field.stars["flux_adu"]) > 1e4
    assert (near.min(axis=0) < 1)[bright].mean() > 0.98
    assert (near.min(axis=1) < 1).mean() > 0.98


def test_windowed_positions_and_fluxes_are_the_truth(field, found):
    x, y, flux = (np.asarray(field.stars[name]) for name in ("x_px", "y_px", "flux_adu"))
    inside = (x > 15) & (x < 350) & (y > 15) & (y < 385) & (flux > 2e4)
    rows = [row_at(found, *place) for place in zip(x[inside], y[inside], strict=True)]
    dx = np.array([row["xwin_px"] for row in rows]) - x[inside]
    dy = np.array([row["ywin_px"] for row in rows]) - y[inside]
    assert np.std(dx) < 0.06
    assert np.std(dy) < 0.06
    assert abs(np.mean(dx)) < 0.02
    assert abs(np.mean(dy)) < 0.02
    # Kron apertures miss a few per cent of a Moffat profile.
    ratio = np.array([row["flux_auto_adu"] for row in rows]) / flux[inside]
    assert 0.88 < np.median(ratio) < 1.0


def test_one_source_alone():
    image = noise()
    add_star(image, 60.3, 70.8, 3e4, 3.0)
    found = extract(image)
    assert len(found) == 1
    assert found["xwin_px"][0] == pytest.approx(60.3, abs=0.1)
    assert found["ywin_px"][0] == pytest.approx(70.8, abs=0.1)
    assert found["extraction_flags"][0] == 0


def test_nothing_but_noise_gives_no_rows_and_all_columns():
    found = extract(noise())
    assert len(found) == 0
    assert tuple(found.colnames) == EXTRACTED


def test_saturated_star_is_flagged_and_its_neighbour_is_not():
    image = noise()
    add_star(image, 50, 50, 4e5, 3.0)
    add_star(image, 150, 100, 4e4, 3.0)
    image = np.minimum(image, 15000)
    found = extract(image, saturation=14500)
    assert row_at(found, 50, 50)["extraction_flags"] & SATURATED
    assert not row_at(found, 150, 100)["extraction_flags"] & SATURATED


def test_star_cut_by_the_edge_is_flagged():
    image = noise()
    add_star(image, 1.0, 75, 8e4, 3.0)
    assert row_at(extract(image), 1.0, 75)["extraction_flags"] & TRUNCATED


def test_close_pair_is_taken_apart_and_flagged():
    image = noise()
    add_star(image, 60, 60, 6e4, 3.0)
    add_star(image, 66, 60, 5e4, 3.0)
    found = extract(image)
    assert len(found) == 2
    assert all(flags & BLENDED for flags in found["extraction_flags"])


def test_nothing_is_found_in_a_blank_wedge():
    field = starfield(11, shape=(301, 347), n_stars=120)
    y, x = np.indices(field.image.shape)
    wedge = x + 0.5 * y > 330
    image = np.where(wedge, np.nan, field.image).astype(np.float32)
    found = extract(image)
    assert not wedge[np.rint(found["y_px"]).astype(int), np.rint(found["x_px"]).astype(int)].any()
    whole = extract(field.image)
    far = np.asarray(whole["x_px"]) + 0.5 * np.asarray(whole["y_px"]) < 300
    assert abs(len(whole[far]) - np.sum(np.asarray(found["x_px"]) + 0.5 * np.asarray(found["y_px"]) < 300)) <= 3


def test_turned_image_gives_turned_sources():
    field = starfield(5, shape=(201, 187), n_stars=25, min_distance_px=25)
    knobs = MeasureParams(engine="embedded", mesh_px=50, clean=False)
    here, there = extract(field.image, knobs=knobs), extract(field.image.T.copy(), knobs=knobs)
    order_here = np.lexsort((here["y_px"], here["x_px"]))
    order_there = np.lexsort((there["x_px"], there["y_px"]))
    assert len(here) == len(there)
    for name in ("fwhm_px", "snr_win", "flux_auto_adu", "flux_radius_px", "elongation"):
        assert np.allclose(here[name][order_here], there[name][order_there], rtol=5e-3), name


def test_same_image_same_bytes(field, found):
    again = extract(field.image.copy())
    for name in EXTRACTED:
        assert np.asarray(again[name]).tobytes() == np.asarray(found[name]).tobytes(), name


def test_more_pixels_above_the_threshold_than_there_is_room_for(field, monkeypatch):
    monkeypatch.setattr(extraction, "_PIXEL_STACK", 100)
    with pytest.raises(BadImage, match="too much of the image stands above 5 sigma"):
        extract(field.image)
