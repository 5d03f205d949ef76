"""Which files are the frames."""

import json

import pytest
from astropy.table import Table

from lostlight.core.errors import ConfigError
from lostlight.io import frame_list


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_is_searched_through_and_sorted(tmp_path):
    touch(tmp_path, "b.FITS", "a.fit", "night 2/ä.fits.gz", "night 2/x.fts.fz", "raw/img.CR2", "t.tiff", "notes.txt",
          "._b.fits", ".hidden/c.fits", "b.fits.bak")  # fmt: skip
    (tmp_path / "folder.fits").mkdir()
    found = frame_list.listed(tmp_path)
    paths = [path for path, _ in found.rows]
    assert paths == ["a.fit", "b.FITS", "night 2/x.fts.fz", "night 2/ä.fits.gz", "raw/img.CR2", "t.tiff"]
    assert found.folder == tmp_path


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "here/a.fits", "there/b.fits")
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "there")
    (tmp_path / "there" / "up").symlink_to(tmp_path / "here")
    assert [path for path, _ in frame_list.listed(tmp_path / "here").rows] == ["a.fits", "linked/b.fits"]


@pytest.mark.parametrize(
    ("name", "bare"),
    [("m31.fits.gz", "m31"), ("M31.FIT", "M31"), ("a.b.fits.fz", "a.b"), ("x.tif", "x"), ("IMG_1.CR2", "IMG_1")],
)
def test_the_stem_is_the_name_without_suffixes(name, bare):
    assert frame_list.stem(name) == bare


def test_a_table_overrides_what_it_fills_in(tmp_path):
    table = tmp_path / "frames.csv"
    table.write_text("\ufeffpath,imagetyp,exptime_s\na.fits,light,\nnight/b.fits,dark, 30 \n")
    assert frame_list.listed(table).rows == (
        ("a.fits", {"imagetyp": "light"}),
        ("night/b.fits", {"imagetyp": "dark", "exptime_s": "30"}),
    )
    Table({"path": ["a.fits"], "filter": ["R"], "xbin": [2]}).write(tmp_path / "frames.ecsv")
    found = frame_list.listed(tmp_path / "frames.ecsv")
    assert found.rows == (("a.fits", {"filter": "R", "xbin": "2"}),)
    assert found.folder == tmp_path


def test_a_single_frame_is_a_source_too(tmp_path):
    touch(tmp_path, "a.fits")
    assert frame_list.listed(tmp_path / "a.fits").rows == (("a.fits", {}),)


def test_tables_that_cannot_be_understood_are_refused(tmp_path):
    table = tmp_path / "frames.csv"
    table.write_text("file,imagetyp\na.fits,light\n")
    with pytest.raises(ConfigError, match=r"CAL109: frames\.csv has no column path, only file, imagetyp"):
        frame_list.listed(table)
    table.write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"CAL109: frames\.csv cannot be read as a table"):
        frame_list.listed(table)
    (tmp_path / "frames.ecsv").write_text("path\na.fits\n")
    with pytest.raises(ConfigError, match=r"CAL109: frames\.ecsv cannot be read"):
        frame_list.listed(tmp_path / "frames.ecsv")


def test_where_there_are_no_frames_it_is_said(tmp_path):
    touch(tmp_path, "notes.txt")
    (tmp_path / "none.csv").write_text("path\n")
    for source, said in ((tmp_path, "holds no frames"), (tmp_path / "notes.txt", "neither a folder nor a table"),
                         (tmp_path / "none.csv", "holds no frames")):  # fmt: skip
        with pytest.raises(ConfigError, match=f"CAL101.*{said}"):
            frame_list.listed(source)


def test_simulated_frames_are_found_by_their_name(tmp_path, monkeypatch):
    monkeypatch.setenv(frame_list.SIMULATED, json.dumps({"camera:7": str(tmp_path), "tiles:3": str(tmp_path / "t")}))
    (tmp_path / "t").mkdir()
    assert frame_list.resolve("camera:7") == tmp_path
    assert frame_list.resolve("tiles:3") == tmp_path / "t"
    with pytest.raises(ConfigError, match="CAL101: no simulated frames 'tiles:7' were made") as raised:
        frame_list.resolve("tiles:7")
    assert raised.value.hint == "made: camera:7, tiles:3"
    monkeypatch.delenv(frame_list.SIMULATED)
    with pytest.raises(ConfigError, match="CAL101"):
        frame_list.resolve("camera:7")


def test_a_path_must_exist(tmp_path):
    assert frame_list.resolve(str(tmp_path)) == tmp_path
    with pytest.raises(ConfigError, match=r"CAL101: calibrate.frames names '.*gone', which does not exist"):
        frame_list.resolve(str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="CAL101: no frames are named"):
        frame_list.resolve("")
