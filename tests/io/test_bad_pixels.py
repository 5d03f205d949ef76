"""Maps of bad pixels in every form a user may bring."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from lostlight.core.errors import ConfigError
from lostlight.io import bad_pixels, planes
from lostlight.io.planes import StoredPlanes

SHAPE = (11, 17)


def write(path, text):
    path.write_text(text)
    return path


def flagged(quality):
    """Where something is flagged: (x, y) counted from one, as people write it."""
    return {(int(x) + 1, int(y) + 1) for y, x in np.argwhere(quality)}


def test_a_list_counts_from_one_and_names_bits(tmp_path):
    listed = write(
        tmp_path / "bad.csv", "# made by hand\nx,y,w,h,flag\n1,1,,,\n17,11,,,HOT\n3,4,2,3,COLD+BAD\n5,9,1,1,512\n"
    )
    quality = bad_pixels.read(listed, SHAPE)
    assert quality.dtype == np.uint16
    assert quality[0, 0] == 1
    assert quality[10, 16] == 2
    assert np.all(quality[3:6, 2:4] == 5)
    assert quality[8, 4] == 512
    assert len(flagged(quality)) == 1 + 1 + 6 + 1


@pytest.mark.parametrize("suffix", ["ecsv", "fits"])
def test_tables_of_other_formats_say_the_same(tmp_path, suffix):
    path = tmp_path / f"bad.{suffix}"
    Table({"x": [2, 5], "y": [3, 7], "flag": ["HOT", "COLD"]}).write(path)
    quality = bad_pixels.read(path, SHAPE)
    assert flagged(quality) == {(2, 3), (5, 7)}
    assert quality[2, 1] == 2
    assert quality[6, 4] == 4


def test_regions_flag_pixels_whose_centre_is_inside(tmp_path):
    drawn = "image\ncircle(5,5,1.2)\nbox(12,3,3,1,0)\npoint(17,11)\n"
    quality = bad_pixels.read(write(tmp_path / "bad.reg", drawn), SHAPE)
    cross = {(5, 5), (4, 5), (6, 5), (5, 4), (5, 6)}
    assert flagged(quality) == cross | {(11, 3), (12, 3), (13, 3), (17, 11)}
    assert set(np.unique(quality)) == {0, 1}


def test_an_image_without_names_of_bits_is_bad_where_it_is_not_zero(tmp_path):
    image = np.zeros(SHAPE, np.uint8)
    image[2, 3] = 255
    fits.PrimaryHDU(image).writeto(tmp_path / "bad.fits")
    quality = bad_pixels.read(tmp_path / "bad.fits", SHAPE)
    assert quality[2, 3] == 1
    assert flagged(quality) == {(4, 3)}


def test_a_map_of_the_project_is_taken_bit_by_bit(tmp_path):
    dq = np.zeros(SHAPE, np.uint16)
    dq[1, 2], dq[3, 4] = 2 | 512, 4
    planes.write(tmp_path / "bad.fits", StoredPlanes(np.ones(SHAPE, np.float32), None, dq))
    assert np.array_equal(bad_pixels.read(tmp_path / "bad.fits", SHAPE), dq)


def image(path, shape=SHAPE, **cards):
    fits.PrimaryHDU(np.zeros(shape, np.uint8), fits.Header(cards)).writeto(path)
    return path


def test_geometry_and_binning_must_be_those_of_the_frames(tmp_path):
    with pytest.raises(ConfigError, match=r"CAL103.*17 x 10 pixels, the frames 17 x 11"):
        bad_pixels.read(image(tmp_path / "small.fits", (10, 17)), SHAPE)
    binned = image(tmp_path / "binned.fits", XBINNING=2, YBINNING=1)
    with pytest.raises(ConfigError, match=r"CAL103.*binning 2 x 1, the frames have 1 x 1"):
        bad_pixels.read(binned, SHAPE)
    assert not bad_pixels.read(binned, SHAPE, (2, 1)).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n18,3\n", "CAL103.*row 1 of bad.csv.*leave the frame"),
        ("x,y\n0,3\n", "CAL103"),
        ("x,y,w,h\n16,3,3,1\n", "CAL103"),
        ("x,y\n3,4.5\n", "CAL109.*y is '4.5', not a whole number"),
        ("x,y\n3,\n", "CAL109.*not a whole number"),
        ("x,y,flag\n3,4,WARM\n", "CAL109.*'WARM' is no bit: BAD, HOT"),
        ("x,y,flag\n3,4,70000\n", "CAL109.*not a sum of the bits"),
        ("col,row\n3,4\n", "CAL109.*columns are col, row"),
    ],
)
def test_what_is_wrong_in_a_list_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        bad_pixels.read(write(tmp_path / "bad.csv", text), SHAPE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image\ncircle(50,50,2)\n", "CAL103.*circle lies outside"),
        ("image\npoint(0,3)\n", "CAL103.*point lies outside"),
        ('fk5\ncircle(150.0,20.0,5")\n', "CAL109.*on the sky"),
        ("image\nsquircle(3,3,2)\n", "CAL109"),
    ],
)
def test_what_is_wrong_in_regions_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        bad_pixels.read(write(tmp_path / "bad.reg", text), SHAPE)


def test_what_is_no_map_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"CAL109: there is no map of bad pixels gone\.fits"):
        bad_pixels.read(tmp_path / "gone.fits", SHAPE)
    with pytest.raises(ConfigError, match="CAL109"):
        bad_pixels.read(write(tmp_path / "text.fits", "no FITS"), SHAPE)
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(ConfigError, match="neither an image nor a table"):
        bad_pixels.read(tmp_path / "empty.fits", SHAPE)
