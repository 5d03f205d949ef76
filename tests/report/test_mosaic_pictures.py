"""Pictures of a mosaic: what is where, what is transparent, what is told apart."""

import io

import numpy as np
import pytest
from PIL import Image

from lostlight.report import mosaic_pictures
from lostlight.report.calibration_pictures import address

SHAPE = (61, 83)


def seen(picture):
    return np.asarray(Image.open(io.BytesIO(picture)))


def mosaic(n_channels=1, shape=SHAPE):
    """Sky at 100 with noise 5, one star near the lower left, the right tenth and a hole in one channel missing."""
    sci = np.random.default_rng(1).normal(100, 5, (n_channels, *shape)).astype(np.float32)
    sci[:, 5, 9] = 4000
    sci[:, :, -8:] = np.nan
    sci[-1, 30, 40] = np.nan
    return sci


@pytest.mark.parametrize(("n_channels", "mode"), [(1, "LA"), (3, "RGBA")])
def test_exactly_what_has_no_value_is_transparent(n_channels, mode):
    sci = mosaic(n_channels)
    picture = mosaic_pictures.png(sci)
    assert Image.open(io.BytesIO(picture)).mode == mode
    alpha = seen(picture)[::-1, :, -1]
    np.testing.assert_array_equal(alpha, np.where(np.isfinite(sci).all(axis=0), 255, 0))


def test_the_first_row_is_at_the_bottom_and_the_star_is_white():
    shown = seen(mosaic_pictures.png(mosaic()))
    assert shown[SHAPE[0] - 1 - 5, 9, 0] == 255
    assert np.median(shown[..., 0]) < 225


def test_each_channel_has_a_stretch_of_its_own():
    sci = mosaic(3)
    stronger = sci * np.float32([1, 4, 0.25])[:, None, None] + np.float32([0, -3000, 50])[:, None, None]
    plain, moved = (seen(mosaic_pictures.png(each)).astype(int) for each in (sci, stronger))
    assert np.abs(plain - moved).max() <= 2


def test_a_large_mosaic_is_averaged_in_whole_squares_and_says_so():
    sci = mosaic(shape=(203, 401))
    picture = mosaic_pictures.png(sci, 150)
    assert seen(picture).shape[:2] == (68, 134)
    assert "mean of 3 x 3 pixels" in Image.open(io.BytesIO(picture)).info["Comment"]
    assert "Comment" not in Image.open(io.BytesIO(mosaic_pictures.png(sci))).info
    # A square is transparent only where none of its pixels has a value.
    assert (seen(picture)[:, :131, 1] == 255).all() and (seen(picture)[:, 132:, 1] == 0).all()


def test_a_picture_too_large_for_a_page_is_made_smaller(monkeypatch):
    picture = mosaic_pictures.png(mosaic())
    assert mosaic_pictures.page_sized(picture) is picture
    monkeypatch.setattr(mosaic_pictures, "PAGE_PX", 40)
    assert seen(mosaic_pictures.page_sized(picture)).shape == (21, 28, 2)


def test_a_jpeg_is_black_where_nothing_is():
    for n_channels, mode in ((1, "L"), (3, "RGB")):
        picture = Image.open(io.BytesIO(mosaic_pictures.jpg(mosaic(n_channels, (203, 401)))))
        assert (picture.format, picture.mode, picture.size) == ("JPEG", mode, (401, 203))
        assert np.asarray(picture)[:, -4:].max() < 20


def test_a_step_of_level_is_seen_before_and_gone_after():
    after = mosaic()
    before = after.copy()
    before[:, :, 40:] += 60
    old, new = (seen(each)[..., 0].astype(float) for each in mosaic_pictures.before_after(before, after))
    assert np.median(old[:, 40:70]) - np.median(old[:, 10:40]) > 50
    assert abs(np.median(new[:, 40:70]) - np.median(new[:, 10:40])) < 8


def test_before_and_after_are_cut_alike_to_where_anything_is():
    after = np.full((1, 400, 300), np.nan, np.float32)
    after[:, 100:161, 20:103] = mosaic()
    before = np.where(np.arange(300) < 90, after, np.nan).astype(np.float32)
    assert [seen(each).shape[:2] for each in mosaic_pictures.before_after(before, after)] == [(61, 75)] * 2


def test_a_pedestal_alone_changes_no_picture():
    after = mosaic()
    old, new = mosaic_pictures.before_after(after + np.float32(512), after)
    assert np.abs(seen(old).astype(int) - seen(new)).max() <= 2


def test_coverage_is_brighter_where_more_frames_are():
    cov = np.zeros(SHAPE, np.uint16)
    cov[:, 10:] = 1
    cov[20:, 30:] = 4
    cov[40, 50] = 9
    shown = seen(mosaic_pictures.coverage(cov)).astype(int)[::-1]
    assert (shown[:, :10, 3] == 0).all() and (shown[:, 10:, 3] == 255).all()
    light = shown[..., :3] @ [0.3, 0.6, 0.1]
    assert light[5, 15] < light[30, 40] < light[40, 50] == light.max()
    # A single pixel of many frames is still seen when the map is made smaller.
    assert (seen(mosaic_pictures.coverage(cov, 30))[..., :3] @ [0.3, 0.6, 0.1]).max() == pytest.approx(light.max())


def test_weight_is_brighter_where_more_is_known():
    wht = np.zeros((3, *SHAPE), np.float32)
    wht[:, :, 20:] = 0.1
    wht[:, :, 50:] = 0.3
    for planes in (wht, wht[0]):
        shown = seen(mosaic_pictures.weight(planes)).astype(int)
        assert (shown[:, :20, 3] == 0).all()
        assert shown[0, 60, :3].sum() > shown[0, 30, :3].sum()


@pytest.mark.parametrize("value", [np.nan, 7.0])
def test_nothing_and_a_constant_can_be_drawn(value):
    sci = np.full((1, *SHAPE), value, np.float32)
    alpha = 0 if np.isnan(value) else 255
    pictures = [mosaic_pictures.png(sci), *mosaic_pictures.before_after(sci, sci)]
    assert all((seen(picture)[..., 1] == alpha).all() for picture in pictures)
    assert mosaic_pictures.jpg(sci)
    assert (seen(mosaic_pictures.coverage(np.zeros(SHAPE, np.uint16)))[..., 3] == 0).all()
    assert (seen(mosaic_pictures.weight(np.zeros(SHAPE, np.float32)))[..., 3] == 0).all()


def test_the_same_pixels_give_the_same_bytes():
    assert mosaic_pictures.png(mosaic(3)) == mosaic_pictures.png(mosaic(3))
    assert mosaic_pictures.jpg(mosaic()) == mosaic_pictures.jpg(mosaic())


def test_the_page_keeps_transparency_and_maps_lose_nothing():
    smooth = np.broadcast_to(np.linspace(90, 110, 400, dtype=np.float32), (1, 300, 400)).copy()
    smooth[:, :, :50] = np.nan
    kind, held = unpacked(address(mosaic_pictures.png(smooth)))
    assert kind == "webp" and (held[:, :48, 3] == 0).all() and (held[:, 52:, 3] == 255).all()
    cov = np.random.default_rng(2).integers(0, 9, (50, 60)).astype(np.uint16)
    plain = mosaic_pictures.coverage(cov)
    _, held = unpacked(address(plain, lossless=True))
    drawn = seen(plain)
    np.testing.assert_array_equal(held[drawn[..., 3] > 0], drawn[drawn[..., 3] > 0])


def unpacked(said):
    import base64

    head, content = said.split(",")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    return head.removeprefix("data:image/").removesuffix(";base64"), np.asarray(picture.convert("RGBA"))
