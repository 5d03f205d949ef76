"""Simulated frames are written once, found by their name, and never half."""

import json
import os

import pytest

from lostlight.io import frame_list
from lostlight.sim import darkroom


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Let the darkroom write small files, and note what it was asked for."""
    calls = []

    def small(kind):
        def write(folder, seed):
            calls.append((kind, seed))
            (folder / f"{kind}.fits").write_bytes(b"frame")

        return write

    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr("lostlight.sim.camera_frames.write_frames", small("camera"))
    monkeypatch.setattr("lostlight.sim.mosaics_files.write_tiles", small("tiles"))
    monkeypatch.delenv(frame_list.SIMULATED, raising=False)
    return calls


def known():
    return json.loads(os.environ[frame_list.SIMULATED])


@pytest.mark.parametrize("kind", ["camera", "tiles"])
def test_a_run_finds_frames_by_their_name(kind, written):
    name = f"{kind}:7"
    with darkroom.frames_of(json.dumps({"frames": name, "other": "sky:9", "note": "tiles:x"})):
        folders = known()
        with darkroom.frames_of(json.dumps({"frames": name})):
            assert known() == folders
        assert (frame_list.resolve(name) / f"{kind}.fits").is_file()
    assert list(folders) == [name]
    assert known() == {}
    with darkroom.frames_of(json.dumps({"frames": name})):
        assert known() == folders
    assert written == [(kind, 7)]


def test_kinds_of_the_same_seed_are_two(written):
    with darkroom.frames_of('{"a": "camera:7", "b": "tiles:7"}'):
        assert len(set(known().values())) == 2
    assert written == [("camera", 7), ("tiles", 7)]


def test_what_was_not_written_to_its_end_is_not_kept(tmp_path, monkeypatch):
    def broken(folder, seed):
        (folder / "bias.fits").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr("lostlight.sim.camera_frames.write_frames", broken)
    with pytest.raises(OSError, match="disk full"):
        darkroom.frames("camera:1")
    assert list((tmp_path / "cameras").iterdir()) == []
