"""Stores of cases: what was planted, kept in shards; cut-out and source together, bit by bit; npz files of one case."""

import warnings

import numpy as np
import pytest
import zarr

from lostlight.core.errors import ConfigError, ContractError
from lostlight.io import case_files, case_store

N, SHAPE, SIDES = 37, (3, 17, 15), (61, 83)


def scene(dtype="float32", n=N):
    rng = np.random.default_rng(8)
    base = {name: rng.normal(100, 5, (SHAPE[0], *SIDES)).astype(dtype) for name in ("north", "south")}
    base["south"][1, 30, 40] = np.nan
    y = np.abs(rng.normal(0, 1e-3, (n, *SHAPE))).astype(dtype) * (rng.random((n, 1, 1, 1)) < 0.9)
    truth = {
        "stack": rng.choice(["north", "south"], n),
        "row": rng.integers(0, SIDES[0] - SHAPE[1] + 1, n),
        "column": rng.integers(0, SIDES[1] - SHAPE[2] + 1, n),
        "inj_id": np.array([f"case {number} ü" for number in range(n)]),
        "flux_adu": rng.normal(size=n),
        "x_px": rng.normal(size=(n, SHAPE[0])),
        "is_source": rng.random(n) < 0.5,
    }
    return base, y, truth


def write(path, dtype="float32", step=10, n=N, store_x=False):
    base, y, truth = scene(dtype, n)
    with case_store.writing(path, n, SHAPE, {"plate_scale": 0.26}, dtype=dtype, store_x=store_x) as cases:
        for name, images in base.items():
            cases.base(name, SIDES, iter(images))
        for k in range(0, n, step):
            part = slice(k, k + step)
            cases.put(
                y[part], {name: values[part] for name, values in truth.items()}, x=y[part] + 1 if store_x else None
            )
    return path


def expected(base, y, truth, number):
    row, column = truth["row"][number], truth["column"][number]
    cut = base[truth["stack"][number]][:, row : row + SHAPE[1], column : column + SHAPE[2]]
    return cut + y[number]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["c.zarr", "c.zarr.zip"])
def test_cut_out_and_source_together_are_their_sum_bit_by_bit(tmp_path, dtype, name):
    """A1, A20: X == patch + Y after the way through the store, for both precisions; no deprecated call of zarr."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cases = case_store.open_cases(write(tmp_path / name, dtype))
    base, y, truth = scene(dtype)
    assert len(cases) == N
    assert cases.y(slice(None)).tobytes() == y.tobytes()
    for number in range(N):
        x = cases.x(number)
        assert x.dtype == dtype
        np.testing.assert_array_equal(x, expected(base, y, truth, number))
        np.testing.assert_array_equal(x, cases.patch(number) + cases.y(number))
    np.testing.assert_array_equal(cases.x(slice(3, 30, 4)), [cases.x(number) for number in range(3, 30, 4)])


def test_truth_comes_back_with_its_types(tmp_path):
    cases = case_store.open_cases(write(tmp_path / "c.zarr.zip"))
    truth = scene()[2]
    assert set(cases.truth) == set(truth)
    for name, values in truth.items():
        np.testing.assert_array_equal(cases.truth[name], values)
        assert cases.truth[name].dtype.kind == values.dtype.kind
    assert cases.attributes["plate_scale"] == 0.26


def test_bytes_do_not_depend_on_how_cases_arrive(tmp_path):
    """A2: the store is the same however many cases are made at once."""
    whole = write(tmp_path / "a.zarr.zip", step=N).read_bytes()
    for step in (1, 7):
        assert write(tmp_path / "b.zarr.zip", step=step).read_bytes() == whole


def test_more_cases_than_a_shard_holds(tmp_path):
    n = 1100
    cases = case_store.open_cases(write(tmp_path / "c.zarr", step=300, n=n))
    y = scene(n=n)[1]
    assert cases.y(slice(None)).tobytes() == y.tobytes()
    assert (
        len([file for file in (tmp_path / "c.zarr/y").rglob("*") if file.is_file() and file.name != "zarr.json"]) == 3
    )


def test_x_is_kept_on_demand(tmp_path):
    group = zarr.open_group(write(tmp_path / "c.zarr", store_x=True), mode="r")
    np.testing.assert_array_equal(group["x"][...], scene()[1] + 1)
    assert "x" not in zarr.open_group(write(tmp_path / "d.zarr"), mode="r")


def test_cut_outs_larger_than_the_images_are_refused(tmp_path):
    with (
        pytest.raises(ConfigError, match="cut-outs of 15 x 17 pixels do not fit images of 99 x 16"),
        case_store.writing(tmp_path / "c.zarr", 1, SHAPE) as cases,
    ):
        cases.base("a", (16, 99), [])
    assert list(tmp_path.iterdir()) == []


def bad_put(cases, how):
    _, y, truth = scene()
    if how == "too few":
        return
    changed = {
        "too many": (y, truth),
        "other shape": (y[:5, :2], {name: values[:5] for name, values in truth.items()}),
        "no row": (y[:5], {name: values[:5] for name, values in truth.items() if name != "row"}),
        "other length": (y[:5], {name: values[:4] for name, values in truth.items()}),
        "no base": (y[:5], {name: values[:5] for name, values in truth.items()}),
    }
    cases.put(*changed[how])


@pytest.mark.parametrize("how", ["too few", "too many", "other shape", "no row", "other length", "no base"])
def test_cases_that_do_not_go_together_are_refused(tmp_path, how):
    with pytest.raises(ContractError), case_store.writing(tmp_path / "c.zarr", 5, SHAPE) as cases:
        if how != "no base":
            for name, images in scene()[0].items():
                cases.base(name, SIDES, images)
        bad_put(cases, how)
    assert list(tmp_path.iterdir()) == []


def test_stores_that_are_no_cases_or_damaged_are_refused(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"schema": "stack/1"})
    zarr.open_group(tmp_path / "b.zarr", mode="w", attributes={"schema": "cases/1"})
    with pytest.raises(ContractError, match="stack/1, not cases/1"):
        case_store.open_cases(tmp_path / "a.zarr")
    with pytest.raises(ContractError, match=r"b\.zarr of the store of cases cannot be read"):
        case_store.open_cases(tmp_path / "b.zarr")
    group = zarr.open_group(write(tmp_path / "c.zarr"), mode="a")
    del group["truth/row"]
    with pytest.raises(ContractError, match="not those of cases/1"):
        case_store.open_cases(tmp_path / "c.zarr")
    for lost in ("y/c/0/0/0/0", "base/south/c/1/0/0"):
        (write(tmp_path / "e.zarr") / lost).unlink()
        with pytest.raises(ContractError, match="cases or images are missing"):
            case_store.open_cases(tmp_path / "e.zarr")
    content = bytearray(write(tmp_path / "d.zarr.zip").read_bytes())
    place = content.rindex(b"y/c/0/0/0/0", 0, content.index(b"PK\x01\x02")) + 200
    content[place : place + 50] = bytes(50)
    (tmp_path / "d.zarr.zip").write_bytes(content)
    with pytest.raises(ContractError, match="y of the store of cases cannot be read"):
        case_store.open_cases(tmp_path / "d.zarr.zip").y(0)


def one_case(dtype="float32"):
    base, y, truth = scene(dtype)
    patch = expected(base, np.zeros_like(y), truth, 4)
    rows = np.array([("c4", 1.5), ("c5", np.nan)], [("inj_id", "U2"), ("flux_adu", "f8")])
    times = [0, 1.5, 24.25]
    return {
        "patch_stack": patch, "x": patch + y[4], "y": y[4], "sigma_patch": np.arange(3.0), "timestamps": times,
        "plate_scale": 0.26, "psf_fwhm": [2.5, 2.6, 2.7], "meta": {"sample_type": "tno", "trajectory_x": [1.5, 2]},
        "truth": rows,
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_single_case_goes_through_npz(tmp_path, dtype):
    """A1, A20: the keys that other programs look for, the sum bit by bit, no pickles."""
    case = one_case(dtype)
    case_files.write(tmp_path / "c.npz", **case)
    with np.load(tmp_path / "c.npz", allow_pickle=False) as stored:
        assert set(stored.files) == {*case_files.NEEDED, "truth"}
        np.testing.assert_array_equal(stored["X"], stored["patch_stack"] + stored["Y"])
        assert stored["X"].dtype == dtype
    content = case_files.read(tmp_path / "c.npz")
    assert content["meta"] == case["meta"]
    assert content["timestamps"].tolist() == [0, 1.5, 24.25]
    for name in ("inj_id", "flux_adu"):
        np.testing.assert_array_equal(content["truth"][name], case["truth"][name])
    case_files.write(tmp_path / "d.npz", **case)
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()


@pytest.mark.parametrize("meta", [{"a": np.float64(1)}, {"a": np.arange(2)}, {"a": float("nan")}])
def test_a_meta_that_is_no_plain_json_is_refused(tmp_path, meta):
    if isinstance(meta["a"], np.float64):  # a subclass of float, and written as one
        case_files.write(tmp_path / "c.npz", **{**one_case(), "meta": meta})
        assert case_files.read(tmp_path / "c.npz")["meta"] == {"a": 1.0}
        return
    with pytest.raises(ContractError, match="not plain JSON"):
        case_files.write(tmp_path / "c.npz", **{**one_case(), "meta": meta})


def test_npz_files_that_are_no_cases_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones(3))
    with pytest.raises(ContractError, match="lacks patch_stack, Y"):
        case_files.read(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", meta=np.array({"a": 1}, object))
    with pytest.raises(ContractError, match=r"b\.npz cannot be read"):
        case_files.read(tmp_path / "b.npz")
    case = {name: np.ones(2) for name in case_files.NEEDED} | {"meta_json": np.asarray("{")}
    np.savez(tmp_path / "c.npz", **case)
    with pytest.raises(ContractError, match="meta_json is not JSON"):
        case_files.read(tmp_path / "c.npz")
    (tmp_path / "d.npz").write_bytes(b"PK\x03\x04 and no more")
    np.save(tmp_path / "e", np.ones(3))
    for name in ("d.npz", "e.npy"):
        with pytest.raises(ContractError, match=f"{name} cannot be read"):
            case_files.read(tmp_path / name)
