"""The sha256 of a file is that of what it holds now, also where it was told before."""

import hashlib
import os
import time

import pytest

from lostlight.core import atomic


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A file that was written long ago, by the clock."""
    path = tmp_path / "master.fits"
    path.write_bytes(b"as it was")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 60)
    return path


def test_a_settled_file_is_read_once(settled, monkeypatch):
    first = atomic.sha256_file(settled)
    assert first == hashlib.sha256(b"as it was").hexdigest()
    monkeypatch.setattr(atomic, "_sha256", lambda path: pytest.fail(f"{path} is read again"))
    assert atomic.sha256_file(settled) == first


def test_a_file_altered_in_place_is_noticed(settled):
    before = atomic.sha256_file(settled)
    state = settled.stat()
    time.sleep(0.05)  # clocks of file systems tick
    settled.write_bytes(b"as it is!")
    os.utime(settled, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert atomic.sha256_file(settled) == hashlib.sha256(b"as it is!").hexdigest() != before


def test_a_new_file_is_read_each_time(tmp_path, monkeypatch):
    path = tmp_path / "new.fits"
    path.write_bytes(b"new")
    read = []
    monkeypatch.setattr(atomic, "_sha256", lambda file: read.append(file) or "0")
    for _ in range(2):
        atomic.sha256_file(path)
    assert len(read) == 2


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic.sha256_file(tmp_path / "none.fits")
