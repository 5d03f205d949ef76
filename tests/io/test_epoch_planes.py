"""Planes of images of stacks: which is which, and what masks and noise of many kinds come to."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits import Header
from tests.epoch_scene import SHAPE, four_hdus, science

from lostlight.core.errors import BadImage
from lostlight.io import epoch_planes
from lostlight.io.epoch_places import NoChoice
from lostlight.io.epoch_planes import Planes
from lostlight.vocab.bits import stack

ZERO, FOUR = np.zeros(SHAPE, np.float32), np.full(SHAPE, 4, np.float32)


def some_set():
    mask = np.zeros(SHAPE, np.int32)
    mask[3, 4], mask[10, 2:5] = 1, 4
    return mask


def choice(**said):
    return SimpleNamespace(**{"science": "", "mask": "", "variance": "", "bad_bits": None, **said})


def read(path, **said):
    planes = epoch_planes.read(path, choice(**said))
    return planes, *epoch_planes.bad_pixels(planes, said.get("bad_bits")), *epoch_planes.variance_of(planes)


@pytest.mark.parametrize("order", ["mask first", "variance first"])
@pytest.mark.parametrize("mask", [ZERO, some_set().astype(np.float32)])
@pytest.mark.parametrize("variance", [FOUR, np.linspace(3.5, 4.5, ZERO.size, dtype=np.float32).reshape(SHAPE)])
def test_planes_without_names_are_told_apart_by_their_pixels(tmp_path, order, mask, variance):
    """A12: a file in the swapped order is told apart, constant planes of whole numbers among them."""
    image = science()
    planes = [image, mask, variance] if order == "mask first" else [image, variance, mask]
    got, bad, said, found, noise_said = read(four_hdus(tmp_path / "a.fits", planes))
    np.testing.assert_array_equal(got.science, image)
    np.testing.assert_array_equal(bad != 0, mask != 0)
    np.testing.assert_array_equal(found, variance)
    assert (said, noise_said) == ("", "")


@pytest.mark.parametrize("planes", [(FOUR, FOUR), (-FOUR, ZERO + 0.5), (ZERO, -FOUR)])
def test_planes_that_could_be_either_are_refused(tmp_path, planes):
    """A12: what cannot be told apart is refused, with the knobs that settle it."""
    path = four_hdus(tmp_path / "a.fits", [science(), *planes])
    with pytest.raises(BadImage, match=r"(?s)mask and which the variance.*planes\.mask"):
        epoch_planes.read(path, NoChoice())
    assert epoch_planes.read(path, choice(mask="none", variance="none")).noise is None


def test_one_more_plane_is_what_it_looks_like(tmp_path):
    _, bad, _, variance, _ = read(four_hdus(tmp_path / "a.fits", [science(), FOUR]))
    assert not bad.any()
    np.testing.assert_array_equal(variance, FOUR)
    _, bad, _, variance, _ = read(four_hdus(tmp_path / "b.fits", [science(), some_set()]))
    assert (bad != 0).sum() == 4
    assert variance is None
    _, bad, _, variance, _ = read(four_hdus(tmp_path / "c.fits", [science(), ZERO, ZERO]))
    assert not bad.any()
    assert variance is None


@pytest.mark.parametrize(
    ("names", "noise"),
    [(("SCI", "MASK", "VARIANCE"), FOUR), (("SCI", "DQ", "ERR"), FOUR / 2), (("IMAGE", "BPM", "WEIGHT"), 1 / FOUR)],
)
def test_names_tell_what_a_plane_is(tmp_path, names, noise):
    _, bad, _, variance, _ = read(four_hdus(tmp_path / "a.fits", [science(), some_set(), noise], names))
    assert (bad != 0).sum() == 4
    np.testing.assert_array_equal(variance, FOUR)


def test_a_choice_overrides_names_and_contents(tmp_path):
    other = science(7)
    path = four_hdus(tmp_path / "a.fits", [science(), some_set(), FOUR, other], ["SCI", "MASK", "VAR", "DIFF"])
    planes, bad, _, variance, _ = read(path, science="diff", mask="none", variance=3)
    np.testing.assert_array_equal(planes.science, other)
    assert not bad.any()
    np.testing.assert_array_equal(variance, FOUR)
    for wrong in ({"science": "DUFF"}, {"mask": 9}, {"variance": 0}):
        with pytest.raises(BadImage, match="it has 1 SCI, 2 MASK, 3 VAR, 4 DIFF"):
            read(path, **wrong)


@pytest.mark.parametrize("said", [{"variance": 2, "mask": 3}, {}])
def test_a_zero_variance_and_a_mask_that_is_all_set_are_taken_for_each_other(tmp_path, said):
    """A12: the swapped order, chosen or by name, on files whose pixels say otherwise."""
    names = None if said else ["SCI", "VARIANCE", "MASK"]
    path = four_hdus(tmp_path / "a.fits", [science(), ZERO, FOUR], names)
    planes = epoch_planes.read(path, choice(**said))
    bad, mask_said = epoch_planes.bad_pixels(planes)
    variance, noise_said = epoch_planes.variance_of(planes)
    assert not bad.any()
    np.testing.assert_array_equal(variance, FOUR)
    assert "taken for each other" in planes.warnings[0]
    assert (mask_said, noise_said) == ("", "")


def test_planes_that_say_nothing_are_absent_and_that_is_said(tmp_path):
    _, bad, said, variance, noise_said = read(
        four_hdus(tmp_path / "a.fits", [science(), FOUR, np.full(SHAPE, np.nan, np.float32)], ["SCI", "MASK", "VAR"])
    )
    assert not bad.any()
    assert "set on all pixels" in said
    assert variance is None
    assert "nowhere above zero" in noise_said


def test_several_images_in_a_file_are_refused(tmp_path):
    path = four_hdus(tmp_path / "a.fits", [science(), science(2)], ["N4", "S4"])
    with pytest.raises(BadImage, match="several images"):
        read(path)
    np.testing.assert_array_equal(read(path, science="S4")[0].science, science(2))
    with pytest.raises(BadImage, match="HDUs 2 and 3 and 4 have no name"):
        read(four_hdus(tmp_path / "b.fits", [science(), ZERO, FOUR, ZERO]))
    with pytest.raises(BadImage, match="no two-dimensional image"):
        read(four_hdus(tmp_path / "c.fits", []))
    with pytest.raises(BadImage, match="no two-dimensional image, but one of 3 x 5 x 7"):
        read(four_hdus(tmp_path / "d.fits", [np.zeros((3, 5, 7))]))


def test_a_plane_of_other_sides_does_not_belong_to_the_image(tmp_path):
    path = four_hdus(tmp_path / "a.fits", [science(), FOUR, np.ones((5, 5), np.float32)], ["SCI", "VAR", "PSF"])
    assert read(path)[3].shape == SHAPE
    with pytest.raises(BadImage, match="other sides"):
        read(path, mask="PSF")


def masked(mask, header=None, bad_bits=None):
    return epoch_planes.bad_pixels(Planes(science(), Header(), mask, header or {}), bad_bits)[0]


def test_bits_that_make_a_pixel_bad_can_be_chosen():
    """A12: bad_bits are respected."""
    mask = np.zeros(SHAPE, np.uint32)
    mask[0, 0], mask[0, 1], mask[0, 2], mask[0, 3] = 1, 2, 1 << 5, 1 << 31
    assert (masked(mask)[0, :5] != 0).tolist() == [True, True, True, True, False]
    assert (masked(mask, bad_bits=(0, 5))[0, :5] != 0).tolist() == [True, False, True, False, False]
    assert not masked(mask, bad_bits=()).any()


def test_bits_that_a_header_names_mean_what_it_says():
    header = {"MP_BAD": 0, "MP_SAT": 1, "MP_DETECTED": 5, "MP_NO_DATA": 8, "MP_DETECTED_NEGATIVE": 6}
    mask = np.zeros(SHAPE, np.uint32)
    mask[0, :6] = 1, 2, 1 << 5, 1 << 8, (1 << 6) | 1, 1 << 10
    expected = [stack("BAD"), stack("SATURATED"), 0, stack("NO_DATA"), stack("BAD"), stack("BAD")]
    assert masked(mask, header)[0, :6].tolist() == expected


def test_a_mask_that_is_no_set_of_bits_is_refused(tmp_path):
    with pytest.raises(BadImage, match=r"holds 0\.5"):
        read(four_hdus(tmp_path / "a.fits", [science(), ZERO + 0.5, FOUR], ["SCI", "MASK", "VAR"]))
    with pytest.raises(BadImage, match="holds nan"):
        read(four_hdus(tmp_path / "b.fits", [science(), ZERO * np.nan, FOUR], ["SCI", "MASK", "VAR"]))


def test_masks_of_negative_numbers_keep_their_bits(tmp_path):
    mask = np.zeros(SHAPE, np.int16)
    mask[2, 2] = -32768  # the highest bit
    path = four_hdus(tmp_path / "a.fits", [science(), mask], ["SCI", "MASK"])
    assert read(path, bad_bits=(15,))[1][2, 2] == stack("BAD")
    assert not read(path, bad_bits=(14, 16))[1].any()


def test_noise_that_is_not_above_zero_is_no_measurement():
    noise = FOUR.copy()
    noise[0, :4] = 0, -1, np.nan, np.inf
    for kind in ("variance", "sigma", "weight"):
        variance, _ = epoch_planes.variance_of(Planes(science(), Header(), noise=noise, noise_kind=kind))
        assert np.isnan(variance[0, :3]).all()
        assert np.isfinite(variance[0, 4:]).all()


def triple(folder, stem="a", shape=SHAPE, name="S4"):
    mask = np.zeros(shape, np.int32)
    mask[0, 0] = 3
    paths = {}
    for role, letter, plane in (
        ("science", "i", science(shape=shape)),
        ("noise", "w", np.full(shape, 0.25)),
        ("mask", "d", mask),
    ):
        paths[role] = folder / f"{stem}_oo{letter}_r.fits"
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 3))), fits.ImageHDU(plane, name=name)])
        hdus[1].name = "OTHER_WEIGHT"
        hdus.writeto(paths[role])
    return paths


def test_three_files_make_an_image(tmp_path):
    planes = epoch_planes.read_three(triple(tmp_path), choice(science="S4"))
    np.testing.assert_array_equal(epoch_planes.variance_of(planes)[0], FOUR)
    assert np.flatnonzero(epoch_planes.bad_pixels(planes)[0]).tolist() == [0]


def test_three_files_that_do_not_go_together_are_refused(tmp_path):
    paths = triple(tmp_path)
    (tmp_path / "b").mkdir()
    paths["mask"] = triple(tmp_path / "b", shape=(7, 9))["mask"]
    with pytest.raises(BadImage, match="no plane of 23 x 19 pixels for the image S4"):
        epoch_planes.read_three(paths, choice(science="S4"))
