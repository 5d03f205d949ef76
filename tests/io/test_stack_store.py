"""Stores of stacks: written image by image, read in any window, of one schema, whole or not there."""

import json
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
import zarr

from lostlight.core.errors import ConfigError, ContractError
from lostlight.io import stack_store
from lostlight.vocab.bits import stack

SHAPE = (4, 141, 275)  # several chunks, none of them whole


def scene():
    rng = np.random.default_rng(5)
    science = rng.normal(100, 5, SHAPE).astype(np.float32)
    science[1, 3, 4] = np.nan
    bad = (rng.random(SHAPE) < 0.01).astype(np.uint32)
    bad[0, 0, 0] = 1 << 31
    return science, bad


def write(path, attributes=None):
    science, bad = scene()
    with stack_store.writing(path, SHAPE, attributes) as store:
        for number in (2, 0, 3, 1):
            store.put(
                number,
                science[number],
                bad[number],
                variance=None if number == 1 else science[number] ** 2,
                numbers={"mjd_mid": 59000.125 + number, "sigma_adu": 5.0},
                record={"id": f"i{number}", "wcs": "", "psf": {"model": "gaussian", "fwhm_px": 2.5}},
                extra={"sky": np.full((2, number + 3), number, np.float32)} if number else None,
            )
    return path


@pytest.fixture(params=["s.zarr", "s.zarr.zip"])
def path(request, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return write(tmp_path / request.param, {"observer": "geocentre"})


def test_what_is_written_is_read_again_bit_by_bit(path):
    """A20: no deprecated call of zarr (warnings are errors), and every plane and record comes back."""
    science, bad = scene()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored = stack_store.open_store(path)
        assert stored.shape == SHAPE
        assert stored.read("science").tobytes() == science.tobytes()
        assert stored.read("bad").tobytes() == bad.tobytes()
        np.testing.assert_array_equal(stored.read("variance", 3), science[3] ** 2)
        assert np.isnan(stored.read("variance", 1)).all()
    assert stored.numbers["mjd_mid"].tolist() == [59000.125, 59001.125, 59002.125, 59003.125]
    assert np.isnan(stored.numbers["gain_e_adu"]).all()
    assert [image["id"] for image in stored.images] == ["i0", "i1", "i2", "i3"]
    assert stored.images[2]["psf"] == {"model": "gaussian", "fwhm_px": 2.5}
    assert stored.attributes["observer"] == "geocentre"
    assert stored.extra("sky", 0) is None
    np.testing.assert_array_equal(stored.extra("sky", 2), np.full((2, 5), 2))


def test_any_window_of_all_images_is_read(path):
    science, _ = scene()
    stored = stack_store.open_store(path)
    for y0, x0 in ((0, 0), (100, 120), (77, 211)):
        rows, columns = slice(y0, y0 + 64), slice(x0, x0 + 64)
        np.testing.assert_array_equal(stored.read("science", slice(None), rows, columns), science[:, rows, columns])
    np.testing.assert_array_equal(stored.read("science", slice(1, 3)), science[1:3])


def test_other_programs_open_the_store(path):
    """A20: plain zarr 3 reads it, with names of axes, units and the meaning of bits."""
    store = zarr.storage.ZipStore(path, mode="r") if path.suffix == ".zip" else path
    group = zarr.open_group(store, mode="r")
    np.testing.assert_array_equal(group["science"][:, 5:9, 3], scene()[0][:, 5:9, 3])
    assert group["science"].metadata.zarr_format == 3
    assert group["science"].metadata.dimension_names == ("image", "y", "x")
    assert group.attrs["schema"] == "stack/1"
    assert group.attrs["creator"].startswith("lostlight ")
    assert group.attrs["bad_bits"]["SATURATED"][0] == stack("SATURATED")


def test_nothing_is_pickled(path):
    """A20: metadata are JSON, and no array is of objects."""
    if path.is_dir():
        texts = [file.read_bytes() for file in path.rglob("zarr.json")]
    else:
        with zipfile.ZipFile(path) as archive:
            texts = [archive.read(name) for name in archive.namelist() if name.endswith("zarr.json")]
    kinds = {json.loads(text).get("data_type") for text in texts}
    assert kinds == {None, "float32", "uint32", "float64"}
    assert not any(b"pickle" in text for text in texts)


def test_equal_stacks_give_equal_bytes(tmp_path):
    one, other = write(tmp_path / "a.zarr.zip"), write(tmp_path / "b.zarr.zip")
    assert one.read_bytes() == other.read_bytes()
    assert write(tmp_path / "c.zarr.zip", {"observer": "W84"}).read_bytes() != one.read_bytes()


def test_smaller_images_fill_the_beginning_and_the_rest_holds_no_data(tmp_path):
    with stack_store.writing(tmp_path / "s.zarr", (1, 9, 12)) as store:
        store.put(0, np.ones((7, 10), np.float32), np.zeros((7, 10), np.uint32), numbers={}, record={"id": "a"})
        with pytest.raises(ContractError, match="12 x 10 pixels does not fit a stack of 12 x 9"):
            store.put(0, np.ones((10, 12), np.float32), np.zeros((10, 12), np.uint32), numbers={}, record={"id": "a"})
    stored = stack_store.open_store(tmp_path / "s.zarr")
    outside = np.ones((9, 12), bool)
    outside[:7, :10] = False
    np.testing.assert_array_equal(stored.read("bad", 0) == stack("NO_DATA"), outside)
    np.testing.assert_array_equal(np.isnan(stored.read("science", 0)), outside)


@pytest.mark.parametrize("name", ["s.zarr", "s.zarr.zip"])
def test_a_store_that_breaks_off_leaves_what_was_there(tmp_path, name):
    write(tmp_path / name)
    with pytest.raises(RuntimeError, match="stop"), stack_store.writing(tmp_path / name, (2, 5, 5)) as store:
        store.put(0, np.ones((5, 5), np.float32), np.zeros((5, 5), np.uint32), numbers={}, record={"id": "a"})
        raise RuntimeError("stop")
    assert stack_store.open_store(tmp_path / name).shape == SHAPE
    assert [file.name for file in tmp_path.iterdir()] == [name]
    write(tmp_path / name, {"observer": "W84"})
    assert stack_store.open_store(tmp_path / name).attributes["observer"] == "W84"


def test_a_folder_that_is_no_store_is_not_replaced(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.fits").write_bytes(b"x")
    with pytest.raises(ConfigError, match="not a store that could be replaced"):
        write(tmp_path / "images")
    assert (tmp_path / "images" / "a.fits").exists()


def test_stores_of_another_schema_are_refused(tmp_path):
    zarr.open_group(tmp_path / "old.zarr", mode="w", attributes={"schema": "stack/0"})
    zarr.open_group(tmp_path / "other.zarr", mode="w").create_array("images", data=np.ones((2, 3, 3)))
    for name, said in (("old", "stack/0, not stack/1"), ("other", "no schema that is known here, not stack/1")):
        with pytest.raises(ContractError, match=said):
            stack_store.open_store(tmp_path / f"{name}.zarr")


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "text.zarr.zip").write_text("nothing of the kind")
    (tmp_path / "empty.zarr").mkdir()
    for name, said in (
        ("none.zarr", "does not exist"),
        ("text.zarr.zip", "not a store"),
        ("empty.zarr", "not a store"),
    ):
        with pytest.raises(ContractError, match=said):
            stack_store.open_store(tmp_path / name)


def test_damaged_stores_are_refused(tmp_path):
    content = write(tmp_path / "s.zarr.zip").read_bytes()
    (tmp_path / "half.zarr.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(ContractError, match="damaged"):
        stack_store.open_store(tmp_path / "half.zarr.zip")
    place = content.index(b"science/c/0/0/0") + 500
    (tmp_path / "hit.zarr.zip").write_bytes(content[:place] + bytes(4000) + content[place + 4000 :])
    with pytest.raises(ContractError, match="science of the store cannot be read"):
        stack_store.open_store(tmp_path / "hit.zarr.zip").read("science")


def test_a_store_that_lost_pixels_is_refused(tmp_path):
    """To zarr a part that is not there is empty, and every pixel of it a good one without a value."""
    (write(tmp_path / "s.zarr") / "science/c/2/0/0").unlink()
    with pytest.raises(ContractError, match="images are missing"):
        stack_store.open_store(tmp_path / "s.zarr")


def test_stores_of_zarr_2_are_read(tmp_path):
    new = zarr.open_group(write(tmp_path / "s.zarr"), mode="r")
    old = zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2, attributes=dict(new.attrs))
    for name, array in new.arrays():
        old.create_array(name, data=array[...])
    assert (tmp_path / "old.zarr/.zgroup").is_file()
    np.testing.assert_array_equal(stack_store.open_store(tmp_path / "old.zarr").read("science"), scene()[0])


@pytest.mark.parametrize("name", ["science", "bad", "mjd_mid"])
def test_a_store_without_one_of_its_arrays_or_of_another_shape_is_refused(tmp_path, name):
    write(tmp_path / "s.zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="a")
    del group[name]
    with pytest.raises(ContractError, match=r"s\.zarr of the store cannot be read"):
        stack_store.open_store(tmp_path / "s.zarr")
    group.create_array(name, data=np.zeros(3))
    with pytest.raises(ContractError, match=r"other shapes or types than stack/1|cannot be read"):
        stack_store.open_store(tmp_path / "s.zarr")


def test_a_packed_store_is_read_only(tmp_path):
    path = write(tmp_path / "s.zarr.zip")
    group = stack_store.open_store(path)._group
    with pytest.raises(ValueError, match="read-only"):
        group["science"][0, 0, 0] = 1
    with pytest.raises(RuntimeError):
        del group["science"]
    assert sorted(group["extra/sky"].array_keys()) == ["0001", "0002", "0003"]


def test_records_that_are_no_plain_json_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"), stack_store.writing(tmp_path / "s.zarr", (1, 3, 3)) as store:
        store.put(0, np.ones((3, 3), np.float32), np.zeros((3, 3), np.uint32), numbers={}, record={"id": np.nan})


def test_writing_holds_one_image_at_a_time(tmp_path):
    shape = (12, 512, 512)
    image, bad = np.random.default_rng(1).normal(size=shape[1:]).astype(np.float32), np.zeros(shape[1:], np.uint32)
    tracemalloc.start()
    with stack_store.writing(tmp_path / "s.zarr.zip", shape) as store:
        for number in range(shape[0]):
            store.put(number, image, bad, variance=image, numbers={}, record={"id": str(number)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * image.nbytes
