import io

import numpy as np
import pytest
from PIL import Image

from lostlight.report.calibration_pictures import draw
from lostlight.report.figures import levels, overlay, preview
from lostlight.science.calibrate.statistics import histogram
from lostlight.vocab import bits

VALUES = {bit.name: bit.value for bit in bits.DQ}


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def sky(shape=(61, 83)):
    return np.random.default_rng(1).normal(500, 5, shape).astype(np.float32)


def test_the_first_row_is_at_the_bottom_and_nan_is_grey():
    data = sky()
    data[:5] += 60
    data[-1, 0] = np.nan
    shown = opened(preview.preview(data))
    assert shown.shape == data.shape
    assert shown[-5:].min() > shown[:-8].mean() + 40
    assert shown[0, 0] == preview.MISSING
    assert preview.preview(data) == preview.preview(data.copy())


@pytest.mark.parametrize("max_px", [83, 42, 41, 20])
def test_large_images_are_averaged_and_single_marks_survive(max_px):
    data, dq = sky(), np.zeros((61, 83), np.uint16)
    dq[60, 82] = bits.dq("HOT")
    shown = opened(overlay.dq_overlay(data, dq, VALUES, max_px))
    assert max(shown.shape[:2]) <= max_px
    assert tuple(shown[0, -1]) == overlay.BITS["HOT"]
    assert preview.shrink(data, max_px).mean() == pytest.approx(data.mean(), abs=1)


def test_empty_and_flat_images_can_be_drawn():
    assert (opened(preview.preview(np.full((9, 11), np.nan))) == preview.MISSING).all()
    assert opened(preview.preview(np.full((9, 11), 7.0))).std() == 0
    assert np.isnan(preview.shrink(np.full((9, 12), np.nan), 4)).all()


def test_pixels_that_must_not_be_used_do_not_decide_the_stretch():
    data, dq = sky((200, 210)), np.zeros((200, 210), np.uint16)
    data[:40], dq[:40] = 6e4, bits.dq("SATURATED")
    low, high = preview.scale(data, dq)
    assert 470 < low < 500 < high < 560


def test_before_and_after_share_their_range():
    after = sky((120, 131))
    before, calibrated = (opened(content) for content in preview.before_after(after + 1000, after))
    assert np.abs(before.astype(int) - calibrated).max() <= 1


def test_colour_images_are_drawn_in_colour():
    data = np.stack([sky(), sky() + 30, sky()])
    shown = opened(preview.preview(data))
    assert shown.shape == (61, 83, 3)
    assert shown[..., 1].mean() > shown[..., 0].mean()
    assert opened(overlay.dq_overlay(data, np.zeros((61, 83), np.uint16), VALUES)).shape == (61, 83, 3)


def test_rejected_samples_are_blue_below_and_orange_above():
    low, high = np.zeros((2, 30, 41), np.uint8)
    low[0, 0], high[29, 40], high[29, 0] = 1, 1, 5
    shown = opened(overlay.rejection_map(low, high)).astype(int)
    assert shown[-1, 0, 2] > shown[-1, 0, 0]
    assert shown[0, -1, 0] > shown[0, -1, 2]
    assert shown[0, 0].sum() > shown[0, -1].sum()
    assert shown[10, 10].sum() == 0


def test_tiles_and_dust_are_where_they_belong():
    flat = np.ones((64, 80), np.float32)
    tiles = [["poor", *["good"] * 4], *[["good"] * 5] * 3]
    shown = opened(overlay.flat_overlay(flat, tiles, 16, [{"x_px": 60, "y_px": 50, "r_px": 6}])).astype(int)
    assert shown[-1, 0, 0] > shown[-1, 0, 1]
    assert shown[0, 0, 1] > shown[0, 0, 0]
    ring = np.argwhere((shown == overlay.YELLOW).all(axis=-1))
    assert ring.mean(axis=0) == pytest.approx([63 - 50, 60], abs=1)
    assert opened(overlay.flat_overlay(flat, [], 16, [], 40)).shape == (32, 40, 3)


def test_marks_grow_in_pictures_that_are_shown_smaller():
    dq = np.zeros((410, 402), np.uint16)
    dq[5, 7] = bits.dq("COLD")
    shown = opened(overlay.dq_overlay(None, dq, VALUES))
    assert (shown == overlay.BITS["COLD"]).all(axis=-1).sum() == 4


@pytest.mark.parametrize("spread", [1.0, 30000.0])
def test_a_histogram_is_a_chart_in_the_look_of_the_page(spread):
    rng = np.random.default_rng(2)
    data = np.rint(rng.normal(500, 3, (90, 100)))
    data[0, :5] += spread
    found = histogram(data)
    drawn = levels.histogram("h-1", found, "adu")
    assert drawn == levels.histogram("h-1", found, "adu")
    assert 'class="chart"' in drawn
    assert "Histogram of 9,000 pixels about 500 adu" in drawn
    assert levels.edges(found)[-1] == pytest.approx(found["high"])


def test_each_kind_of_product_has_its_pictures():
    data, marks = sky(), np.zeros((61, 83), np.uint16)
    marks[4, 5] = bits.dq("HOT")
    extra = {"REJLOW": np.zeros((61, 83), np.uint8), "REJHIGH": np.ones((61, 83), np.uint8)}
    flat = {"tiles": [["good"]], "tile_px": 64, "dust": []}
    assert set(draw({"id": "b", "kind": "bias", "flat": None}, data, marks, extra)) == {"b", "b.rejected"}
    assert set(draw({"id": "f", "kind": "flat", "flat": flat}, data, None, extra)) == {"f", "f.rejected", "f.flat"}
    assert set(draw({"id": "m", "kind": "bpm", "flat": None}, marks)) == {"m"}
    light = {"id": "l", "kind": "light", "flat": None}
    assert set(draw(light, data, marks, before=data)) == {"l.before", "l.after", "l.dq"}
    assert set(draw(light, data)) == {"l"}
