"""Masters are kept under their content, counted by version, and never deleted."""

import json
import math
from concurrent.futures import ProcessPoolExecutor

import pytest

from lostlight.core.atomic import sha256_file
from lostlight.core.errors import ConfigError, ContractError
from lostlight.io.library import Library

DARK = {
    "imagetyp": "dark", "camera_id": "asi1600mmpro", "exptime_s": 300.0, "ccd_temp_c": -10.1, "gain_setting": 100.0,
    "egain_e_adu": math.nan, "filter": "", "n_sub": 20,
}  # fmt: skip


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library")


@pytest.fixture
def master(tmp_path):
    def made(content):
        path = tmp_path / f"{content}.master.fits"
        path.write_bytes(f"SIMPLE  =  T {content}".encode())
        return path

    return made


def test_a_master_is_kept_whole_with_what_is_known(library, master):
    path = master("one")

    entry = library.add(path, "master_dark_300s", DARK, run_id="night", stats={"noise": 1.5})
    path.unlink()

    assert library.path(entry).read_bytes() == b"SIMPLE  =  T one"
    assert library.path(entry) == library.root / "objects" / entry.sha256[:2] / f"{entry.sha256}.fits"
    assert sha256_file(library.path(entry)) == entry.sha256
    assert library.entries() == [entry]
    assert (entry.name, entry.run_id, entry.stats, entry.version) == ("master_dark_300s", "night", {"noise": 1.5}, 1)
    assert "egain_e_adu" not in entry.frame and "filter" not in entry.frame


def test_the_same_file_is_kept_once_with_its_record(library, master):
    first = library.tag(library.add(master("one"), "dark", DARK).id, ["good"])

    assert library.add(master("one"), "another name", {}) == first
    assert library.entries() == [first]


@pytest.mark.parametrize(
    ("changed", "version"),
    [
        ({}, 2),
        ({"ccd_temp_c": -9.8, "n_sub": 40, "date_obs_utc": "2026-11-21T00:00:00"}, 2),
        ({"ccd_temp_c": -15.0}, 1),
        ({"exptime_s": 60.0}, 1),
        ({"gain_setting": 0.0}, 1),
        ({"camera_id": "asi294mm"}, 1),
        ({"imagetyp": "bias"}, 1),
    ],
)
def test_a_later_master_of_the_same_settings_is_a_new_version(library, master, changed, version):
    library.add(master("one"), "dark", DARK)

    assert library.add(master("two"), "dark", DARK | changed).version == version
    assert len(library.entries()) == 2


def test_archived_masters_are_hidden_and_come_back(library, master):
    entry = library.add(master("one"), "dark", DARK)

    archived = library.archive(entry.id)

    assert library.entries() == [] and library.entries(archived=True) == [archived]
    assert library.path(archived).is_file()
    assert library.unarchive(entry.id) == entry == library.entries()[0]


def test_tags_are_added_and_taken_away(library, master):
    entry = library.add(master("one"), "dark", DARK)

    assert library.tag(entry.id, ["winter", "good"]).tags == ("good", "winter")
    assert library.tag(entry.id, ["-good", "cold"]).tags == ("cold", "winter")
    assert library.find(entry.id).tags == ("cold", "winter")


def test_a_wrong_id_is_refused_with_the_nearest(library, master):
    with pytest.raises(ConfigError, match="there is no master x") as empty:
        library.find("x")
    assert empty.value.hint == "the library is empty"

    entry = library.add(master("one"), "dark", DARK)
    with pytest.raises(ConfigError) as caught:
        library.archive(entry.id[:-1] + "z")
    assert entry.id in caught.value.hint
    assert library.find(entry.sha256[:5]) == entry


def test_an_id_that_is_not_unique_is_refused(library, master):
    ids = [library.add(master(f"m{i}"), "dark", DARK).sha256 for i in range(17)]  # two of them share a first letter
    letter = next(sha256[0] for sha256 in ids if sum(other[0] == sha256[0] for other in ids) > 1)

    with pytest.raises(ConfigError, match=f"{letter} is the beginning of"):
        library.find(letter)


def test_a_file_that_is_gone_is_told(library, master):
    entry = library.add(master("one"), "dark", DARK)
    library.path(entry).unlink()

    with pytest.raises(ContractError, match="is gone"):
        library.path(entry)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "master/0"}', '{"schema": "master/1", "tags": []}'])
def test_a_record_that_is_none_is_told(library, content):
    path = library.root / "records" / "ab.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)

    with pytest.raises(ContractError, match=r"ab\.json is not the record of a master"):
        library.entries()


def _add(root, path, name):
    return Library(root).add(path, name, DARK).version


def test_many_writers_at_once_lose_nothing(library, master):
    paths = [master(f"m{i}") for i in range(12)]

    with ProcessPoolExecutor(4) as pool:
        versions = list(pool.map(_add, [library.root] * 12, paths, [f"dark{i}" for i in range(12)]))

    assert sorted(versions) == list(range(1, 13))
    assert len(library.entries()) == 12
    assert all(json.loads(path.read_text()) for path in (library.root / "records").iterdir())
