"""Stores of zarr as one file: parts and pieces of parts, and archives that are none."""

import asyncio
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

from lostlight.io.packed import PackedStore, pack

PARTS = {"zarr.json": b"{}", "a/zarr.json": b"{ }", "a/c/0": bytes(range(200)), "ab": b""}


@pytest.fixture
def path(tmp_path):
    for name, content in PARTS.items():
        (tmp_path / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / name).write_bytes(content)
    pack(tmp_path / "store", tmp_path / "a.zip")
    assert not [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    return tmp_path / "a.zip"


def run(coroutine):
    """Run it in a thread of its own: that of a test may have a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def get(store, name, wanted=None):
    found = run(store.get(name, default_buffer_prototype(), wanted))
    return None if found is None else found.to_bytes()


async def gathered(names):
    return [name async for name in names]


def test_parts_and_pieces_of_them_are_read(path):
    store = PackedStore(path)
    assert {name: get(store, name) for name in PARTS} == PARTS
    assert get(store, "a/c/1") is None
    whole = PARTS["a/c/0"]
    for wanted, piece in (
        (RangeByteRequest(3, 9), whole[3:9]),
        (RangeByteRequest(190, 999), whole[190:]),
        (OffsetByteRequest(150), whole[150:]),
        (SuffixByteRequest(7), whole[-7:]),
        (SuffixByteRequest(999), whole),
    ):
        assert get(store, "a/c/0", wanted) == piece
    pieces = run(store.get_partial_values(default_buffer_prototype(), [("a/c/0", RangeByteRequest(0, 2)), ("x", None)]))
    assert [piece and piece.to_bytes() for piece in pieces] == [b"\0\1", None]


def test_names_are_listed(path):
    store = PackedStore(path)
    assert run(gathered(store.list())) == sorted(PARTS)
    assert run(gathered(store.list_prefix("a/"))) == ["a/c/0", "a/zarr.json"]
    assert run(gathered(store.list_dir(""))) == ["a", "ab", "zarr.json"]
    assert run(gathered(store.list_dir("a/"))) == ["c", "zarr.json"]
    assert run(store.exists("ab"))
    assert not run(store.exists("a"))


def test_a_packed_store_cannot_be_written_and_may_go_to_another_process(path):
    store = PackedStore(path)
    with pytest.raises(ValueError, match="read-only"):
        run(store.set("b", default_buffer_prototype().buffer.from_bytes(b"x")))
    with pytest.raises(ValueError, match="read-only"):
        run(store.delete("ab"))
    other = pickle.loads(pickle.dumps(store))
    assert other == store
    assert get(other, "a/c/0") == PARTS["a/c/0"]


def test_the_standard_library_finds_the_archive_whole(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_archives_of_another_kind_are_refused(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", "{}" * 100)
    with pytest.raises(zipfile.BadZipFile, match="compressed"):
        PackedStore(tmp_path / "b.zip")
    content = path.read_bytes()
    (tmp_path / "c.zip").write_bytes(b"XX" + content[2:])
    with pytest.raises(zipfile.BadZipFile, match="not where it should be"):
        PackedStore(tmp_path / "c.zip")
