"""The verbs of the library, as a person types them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from lostlight.core import atomic
from lostlight.core.errors import ConfigError, ContractError
from lostlight.core.manifest import Manifest, Product, UnitRecord
from lostlight.library_cli import library

CARDS = {
    "bias": {"IMAGETYP": "Master Bias", "EXPTIME": 0.0},
    "dark": {"IMAGETYP": "Master Dark", "EXPTIME": 300.0},
    "flat": {"IMAGETYP": "Master Flat", "EXPTIME": 2.0, "FILTER": "R"},
}
CAMERA = {"INSTRUME": "ZWO ASI1600MM Pro", "GAIN": 100, "OFFSET": 50, "CCD-TEMP": -10.0, "NCOMBINE": 20}


def write_frame(path, **cards):
    header = fits.Header()
    for name, value in {**CAMERA, "DATE-OBS": "2026-11-20T22:00:00", **cards}.items():
        header[name] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.writeto(path, np.full((13, 19), cards.get("level", 1.0), np.float32), header, overwrite=True)
    return path


@pytest.fixture
def run(tmp_path):
    """A run whose step 11 made three masters and a light."""
    folder, units = tmp_path / "night", []
    for kind, cards in CARDS.items():
        path = write_frame(folder / f"11_calibrate/products/master_{kind}.master.fits", **cards)
        details = path.with_name(f"master_{kind}.json")
        details.write_text(json.dumps({"method": {"combine": "mean"}, "stats": {"noise": 1.5}}))
        units.append(unit(folder, f"master_{kind}", {"master": path, "record": details}))
    units.append(unit(folder, "m31_001", {"image": write_frame(folder / "11_calibrate/products/m31_001.fits")}))
    write_manifest(folder, units)
    return folder


def unit(folder, name, files):
    products = {
        role: Product(
            path=path.relative_to(folder).as_posix(), sha256=atomic.sha256_file(path), bytes=path.stat().st_size
        )
        for role, path in files.items()
    }
    return UnitRecord(id=name, status="ok", outputs=products)


def write_manifest(folder, units):
    manifest = Manifest(run_id="night", step="11_calibrate", step_version=1, status="ok", units=tuple(units))
    atomic.write_json(folder / "11_calibrate" / "manifest.json", manifest.dump())


@pytest.fixture
def typed(tmp_path):
    def invoke(*words):
        done = CliRunner().invoke(
            library, ["--library", str(tmp_path / "shelf"), *map(str, words)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.output

    return invoke


def ids(text):
    return {line.split()[1]: line.split()[0] for line in text.splitlines()}


def test_the_masters_of_a_run_are_kept_and_listed(run, typed):
    added, again = typed("add", run), typed("add", run)

    assert sorted(ids(added)) == ["master_bias", "master_dark", "master_flat"]
    assert added.count("added") == 3 and again.count("was there") == 3
    listed = typed("list").splitlines()
    assert listed[0].split() == ["id", "name", "v", "camera", "frames", "night", "tags"]
    assert listed[1].split()[1:] == ["master_bias", "1", "asi1600mmpro", "20", "2026-11-20"]
    assert len(listed) == 4


def test_the_list_is_narrowed(run, typed):
    typed("add", run)

    assert sorted(ids(typed("list", "--kind", "dark"))) == ["master_dark", "name"]
    assert sorted(ids(typed("list", "--filter", "R"))) == ["master_flat", "name"]
    assert "no such masters" in typed("list", "--camera", "294")
    assert "no such masters" in typed("list", "--tag", "winter")


def test_a_master_is_tagged_and_shown(run, typed):
    dark = ids(typed("add", run))["master_dark"]

    assert typed("tag", dark, "winter", "good") == f"{dark} master_dark: good, winter\n"
    assert typed("tag", "--", dark, "-good") == f"{dark} master_dark: winter\n"
    assert "no tags" in typed("tag", "--", dark, "-winter")
    shown = typed("show", dark)
    assert '{"noise": 1.5}' in shown and "exptime_s     300.0" in shown and "night" in shown


def test_a_master_is_archived_and_brought_back(run, typed):
    dark = ids(typed("add", run))["master_dark"]

    typed("archive", dark)
    assert "master_dark" not in typed("list") and "master_dark (archived)" in typed("list", "--all")
    assert "none in the library" in typed("match", write_frame(run / "l.fits", IMAGETYP="Light", EXPTIME=300.0))
    typed("unarchive", dark)
    assert "master_dark" in typed("list")


def test_masters_are_ranked_for_a_light_with_reasons(run, typed, tmp_path):
    typed("add", run)
    light = write_frame(tmp_path / "light.fits", IMAGETYP="Light Frame", EXPTIME=60.0, FILTER="R")

    lines = {line.split()[0]: line for line in typed("match", light).splitlines()[1:]}

    assert set(lines) == {"bias", "dark", "flat"}
    assert lines["bias"].split()[2:] == ["master_bias", "good", "0.0", "exact"]
    assert " no " in lines["dark"] and "exposure 300 s is not 60 s" in lines["dark"]
    assert "good" in lines["flat"]


def test_masters_are_ranked_for_a_dark(run, typed, tmp_path):
    typed("add", run)

    told = typed("match", write_frame(tmp_path / "dark.fits", IMAGETYP="Dark", EXPTIME=300.0))

    assert told.splitlines()[1].split()[0] == "dark" and len(told.splitlines()) == 2


def test_what_is_wrong_is_told(run, typed, tmp_path):
    dark = ids(typed("add", run))["master_dark"]

    with pytest.raises(ConfigError) as caught:
        typed("show", dark[:-1] + "z")
    assert dark in caught.value.hint
    with pytest.raises(ConfigError, match="there is no frame"):
        typed("match", tmp_path / "none.fits")
    with pytest.raises(ConfigError, match="does not say what it is"):
        typed("match", write_frame(tmp_path / "odd.fits"))
    with pytest.raises(ContractError, match="there is no manifest"):
        typed("add", tmp_path / "nowhere")


def test_a_run_without_masters_is_told(tmp_path, typed):
    folder = tmp_path / "lights"
    write_manifest(folder, [unit(folder, "m31_001", {"image": write_frame(folder / "11_calibrate/products/m31.fits")})])

    with pytest.raises(ConfigError, match="made no masters"):
        typed("add", folder)


def test_the_folder_comes_from_the_configuration(tmp_path):
    settings = tmp_path / "own.yaml"
    settings.write_text(f"calibrate: {{library: '{tmp_path / 'mine'}'}}\n")

    done = CliRunner().invoke(library, ["--config", str(settings), "list"], catch_exceptions=False)

    assert f"{tmp_path / 'mine'}: no such masters" in done.output
