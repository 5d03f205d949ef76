"""Images as programs and observers leave them behind, damaged, doubtful or of several kinds, through the whole step."""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from tests.injection_run import INJECT, make, take
from tests.mosaic_run import copied, edit, without_sky

from lostlight.core import config as configuration
from lostlight.core.errors import ConfigError, ContractError
from lostlight.io import stack_store
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.targets import TargetConfig
from lostlight.vocab.bits import STACK_BAD

ALL = [f"mover_{number:03d}.fits" for number in range(5)]
SIGMA = 14.6
"""Noise of a pixel of the images, adu."""


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Not to be changed."""
    return take(tmp_path_factory.mktemp("field") / "f")


@pytest.fixture
def images(field, tmp_path):
    return copied(field, tmp_path / "f")


def blank(path):
    """Leave nothing but sky and noise."""
    return edit(path, lambda data: np.random.default_rng(5).normal(300, 5, data.shape).astype(np.float32))


def planes(path, *more, names=()):
    """Write an image with further planes."""
    data, header = fits.getdata(path), fits.getheader(path)
    names = [*names, *[None] * len(more)]
    hdus = [fits.ImageHDU(plane, name=name) for plane, name in zip(more, names, strict=False)]
    first = fits.ImageHDU(data, header, name="SCI" if names[0] else None)
    fits.HDUList([fits.PrimaryHDU(header=fits.Header({"DATE-OBS": header["DATE-OBS"]})), first, *hdus]).writeto(
        path, overwrite=True
    )


def dated(path, **cards):
    return edit(path, DATE_OBS=None, **cards)


def started(path):
    return Time(fits.getheader(path)["DATE-OBS"]).mjd


def test_images_need_not_be_in_order_of_time(images, tmp_path):
    (images / ALL[0]).rename(images / "zz.fits")
    made = make(images, tmp_path / "run")
    assert not made.error and np.all(np.diff(made.stack.numbers["mjd_mid"]) > 0)
    assert made.stack.images[0]["id"] == "zz"


def test_two_images_of_one_time_are_named(images, tmp_path):
    edit(images / ALL[3], DATE_OBS=fits.getheader(images / ALL[1])["DATE-OBS"])
    made = make(images, tmp_path / "run")
    assert isinstance(made.error, ConfigError) and made.error.exit_code == 2
    assert "mover-001 and mover-003 have the same time" in made.error.message and "once" in made.error.hint
    assert not any(name.startswith("stack") for name in made.products)


@pytest.mark.parametrize("value", [None, "nan", float(10**6)])
def test_an_image_without_a_time_is_left_out(images, tmp_path, value):
    dated(images / ALL[2], MJD_OBS=value)
    made = make(images, tmp_path / "run")
    assert not made.error and len(made.stack.images) == 4
    failure = made.failures["measure_field_mover-002"]
    assert failure.type == "BadDate" and failure.message.startswith(("mover_002.fits: no card", "mover-002: 1000000"))
    assert "MJD" in failure.hint
    assert any(said.startswith("mover-002 is left out") for said in made.warnings)


@pytest.mark.parametrize("card", ["MJD-OBS", "MJD-MID"])
def test_times_of_32_bits_are_told_with_what_they_cost(images, tmp_path, card):
    for name in ALL:
        mjd = np.float32(started(images / name) + (0.002 if card == "MJD-MID" else 0))
        edit(images / name, **{"DATE_OBS": None, card.replace("-", "_"): float(mjd)})
    made = make(images, tmp_path / "run")
    assert not made.error
    assert "337.5 s" in made.said and "wrong by 169 s" in made.said and "0.14 arcsec" in made.said


def test_real_files_of_kbmod_have_such_times(shared_data, tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(3):
        shutil.copy(shared_data / "kbmod-small" / f"{number:06d}.fits.gz", folder)
    assert "337.5 s" in make(folder, tmp_path / "run").said


@pytest.mark.parametrize("names", [(), ("VARIANCE", "MASK"), ("MASK", "VARIANCE")])
def test_a_variance_of_nothing_and_a_full_mask_are_absent(images, tmp_path, names):
    """A12: in either order of the planes, named or not; a variance of zero is no perfect measurement."""
    for name in ALL:
        shape = fits.getdata(images / name).shape
        nothing, full = np.zeros(shape, np.float32), np.full(shape, 7, np.int32)
        planes(images / name, *((full, nothing) if names[:1] == ("MASK",) else (nothing, full)), names=names)
    made = make(images, tmp_path / "run")
    assert not made.error
    assert made.stack.numbers["sigma_adu"] == pytest.approx(SIGMA, rel=0.06)
    for image in range(len(ALL)):
        assert np.mean((made.stack.read("bad", image) & STACK_BAD) > 0) < 0.01
        assert np.nanmin(made.stack.read("variance", image)) > SIGMA**2 / 2
    assert any("mask is set on all pixels" in said or "sky scatters" in said for said in made.warnings)


def test_a_mask_that_leaves_nothing_is_passed_over_and_said(images, tmp_path):
    for name in ALL:
        planes(images / name, np.ones(fits.getdata(images / name).shape, np.int32), names=["MASK"])
    made = make(images, tmp_path / "run")
    assert not made.error and sum("mask is set on all pixels" in said for said in made.warnings) == 5


def test_cut_outs_narrower_than_a_point_or_larger_than_images_are_refused(images, tmp_path):
    for name in ALL:
        blank(images / name)
    narrow = make(images, tmp_path / "a", cases={"n": 3, "patch_px": 16}, psf={"fwhm_px": 40.0})
    assert narrow.error.exit_code == 2 and "40 px wide" in narrow.error.message and "16 x 16" in narrow.error.message
    large = make(images, tmp_path / "b", cases={"n": 3, "patch_px": 128})
    assert large.error.exit_code == 2 and "128 x 128" in large.error.message and "101 or less" in large.error.hint
    assert not any("cases" in name for name in (*narrow.products, *large.products))


def test_without_stars_a_width_is_taken_and_flagged(images, tmp_path):
    for name in ALL:
        blank(images / name)
    made = make(images, tmp_path / "run")
    assert not made.error and made.unit("stack_field").metrics["n_measured_psf"] == 0
    assert sum("too few to measure the profile" in said and "2.5 px" in said for said in made.warnings) == 5
    assert {record["psf_source"] for record in made.stack.images} == {"fallback"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"classes": {"centuar": 1}}, "did you mean centaur"),
        ({"placement": {"strategy": "visibel"}}, "did you mean 'visible'"),
        ({"placement": {"strategy": "fixed"}}, "placement.x_px"),
        ({"brightness": {"mode": "snr_stak"}}, "did you mean 'snr_stack'"),
        ({"rates": {"low": 3, "high": 1}}, "rates.low (3) is above rates.high (1)"),
        ({"motion": "table"}, "no table is named"),
    ],
)
def test_words_that_are_none_are_told_with_the_nearest(settings, says):
    with pytest.raises(ConfigError) as refused:
        configuration.check({"inject": settings})
    assert says in refused.value.message and refused.value.message.startswith("configuration: inject")


def test_functions_tell_the_nearest_word_too():
    with pytest.raises(ConfigError) as refused:
        InjectionRules(classes={"drfit": 1})
    assert refused.value.hint == "did you mean drift?"
    with pytest.raises(ConfigError) as refused:
        TargetConfig("vissible")
    assert refused.value.hint == "did you mean visible?"


def test_a_store_of_another_schema_is_refused(images, tmp_path):
    made = make(images, tmp_path / "run")
    packed = made.run / INJECT / "products" / "stack_field.zarr.zip"
    other = tmp_path / "other.zarr.zip"
    other.write_bytes(packed.read_bytes().replace(b"stack/1", b"stack/9"))
    assert other.read_bytes() != packed.read_bytes()
    refused = make(other, tmp_path / "again")
    assert isinstance(refused.error, ContractError | ConfigError) and "other.zarr.zip" in refused.said
    with pytest.raises(ContractError):
        stack_store.open_store(other)
    assert not refused.products


def test_images_that_cannot_be_laid_upon_each_other_are_refused(images, tmp_path):
    without_sky(images / ALL[1])
    mixed = make(images, tmp_path / "a")
    assert mixed.error.exit_code == 2 and "1 of 5 images have no sky solution" in mixed.error.message
    assert "mover-001" in mixed.error.message
    for name in ALL:
        without_sky(images / name)
    edit(images / ALL[4], lambda data: data[:-7])
    sizes = make(images, tmp_path / "b")
    assert sizes.error.exit_code == 2 and "127 x 94, 127 x 101" in sizes.error.message and sizes.error.hint
    assert not any(name.startswith("stack") for name in (*mixed.products, *sizes.products))


@pytest.mark.parametrize("n_left", [0, 2])
def test_too_few_images_are_refused_before_anything_is_done(images, tmp_path, n_left):
    for name in ALL[n_left:]:
        (images / name).unlink()
    made = make(images, tmp_path / "run")
    assert made.error.exit_code == 2 and made.error.hint and not made.products
    assert ("2 images; a search for motion needs 3" if n_left else "holds no image") in made.error.message


def test_a_damaged_file_is_left_out_and_the_rest_is_stacked(images, tmp_path):
    path = images / ALL[2]
    path.write_bytes(path.read_bytes()[:20_000])
    made = make(images, tmp_path / "run")
    assert not made.error and [record["id"] for record in made.stack.images] == [
        "mover-000", "mover-001", "mover-003", "mover-004",
    ]  # fmt: skip
    failure = made.failures["measure_field_mover-002"]
    assert failure.type == "BadImage" and "mover_002.fits breaks off at byte 20000" in failure.message
    assert "leave it out" in failure.hint and "calibrate" not in failure.hint
    assert "mover-002" in made.stack.attributes["left_out"]


def test_when_too_few_good_files_are_left_it_says_why(images, tmp_path):
    for name in ALL[2:]:
        (images / name).write_bytes(b"SIMPLE")
    made = make(images, tmp_path / "run")
    assert made.error.exit_code in (2, 4) and "2 of 5 images can be used, and 3 are needed" in made.said
    assert "mover_002.fits" in made.said and not any(name.startswith("stack") for name in made.products)


@pytest.mark.parametrize("level", [np.nan, 7.0])
def test_an_image_that_shows_nothing_is_left_out(images, tmp_path, level):
    edit(images / ALL[0], lambda data: np.full_like(data, level))
    made = make(images, tmp_path / "run")
    assert not made.error and len(made.stack.images) == 4
    assert ("no good pixel" if np.isnan(level) else "no noise") in made.failures["measure_field_mover-000"].message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no rows"),
        ("id,mjd,ra,dec\n", "holds no rows"),
        ("id,mjd,ra\na,60389,180\n", "no column"),
        ("id,mjd,ra,dec\na,60388.9,180,1\na,60389.9,180,1\n", "2 rows, where 4 are needed"),
        (None, "is no file"),
    ],
)
def test_tables_of_motions_that_tell_none_are_refused(images, tmp_path, content, says):
    table = tmp_path / "table.csv"
    if content is not None:
        table.write_text(content)
    made = make(images, tmp_path / "run", motion="table", table=str(table), n=3)
    assert made.error.exit_code == 2 and says in made.error.message and made.error.hint
    assert not any("sources" in name for name in made.products)


def test_a_table_plants_its_bodies_as_bright_as_it_says(images, tmp_path):
    """Rows in any order, magnitudes where they are known."""
    mjd = started(images / ALL[0]) + np.linspace(-0.2, 1.4, 9)
    rows = [f"b,{t:.6f},{180 - 0.004 * (t - mjd[0])},{1.0},21.0" for t in mjd[::-1]]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["id,mjd,ra,dec,mag", *rows]))
    made = make(images, tmp_path / "run", motion="table", table=str(table), n=3,
                brightness={"mode": "mag", "low": 25, "high": 25})  # fmt: skip
    assert not made.error, made.said
    truth = made.truth
    assert truth["subclass"].tolist() == ["b"] and truth["mag"][0] == pytest.approx(21)
    assert truth["rate_arcsec_h"][0] == pytest.approx(0.004 * 150, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"placement": {"strategy": "near_star"}}, "needs stars"),
        ({"placement": {"strategy": "gap"}}, "masked pixels"),
        ({"observer": "nowhere"}, "'nowhere'"),
    ],
)
def test_what_the_images_cannot_give_is_refused_when_it_is_known(images, tmp_path, settings, says):
    for name in ALL:
        blank(images / name)
    made = make(images, tmp_path / "run", n=3, **settings)
    assert made.error.exit_code == 2 and says in made.error.message and made.error.hint
    assert any(name.startswith("stack") for name in made.products)
    assert not any("sources" in name for name in made.products)


def test_magnitudes_need_zero_points(images, tmp_path):
    for name in ALL:
        edit(images / name, MAGZERO=None)
    made = make(images, tmp_path / "run", n=3, brightness={"mode": "mag", "low": 20, "high": 22})
    assert made.error.exit_code == 2 and "5 of 5 images have no zero point" in made.error.message
