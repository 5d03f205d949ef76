"""A folder of simulated raw frames: what is in it, the same for the same seed."""

import numpy as np

from lostlight.io import fits
from lostlight.sim.camera import Camera
from lostlight.sim.camera_frames import write_frames

SMALL = {
    "shape": (31, 45),
    "overscan_px": 5,
    "n_bias": 2,
    "n_dark": 1,
    "n_flat": 1,
    "n_flat_dark": 1,
    "n_light": 2,
}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.fits"))}


def test_a_folder_holds_every_kind_for_every_exposure_and_filter(tmp_path):
    roll = write_frames(tmp_path, 4, **SMALL)
    assert sorted(contents(tmp_path)) == sorted(roll.shots)
    assert sorted(roll.shots) == [
        "bias/bias_000.fits",
        "bias/bias_001.fits",
        "dark/dark_120s_000.fits",
        "dark/dark_60s_000.fits",
        "flat/flat_R_2s_000.fits",
        "flat/flat_V_2s_000.fits",
        "flat_dark/flat_dark_2s_000.fits",
        "light/light_R_120s_000.fits",
        "light/light_R_120s_001.fits",
        "light/light_V_120s_000.fits",
        "light/light_V_120s_001.fits",
    ]


def test_files_hold_unsigned_counts_as_cameras_write_them(tmp_path):
    write_frames(tmp_path, 4, **SMALL)
    path = tmp_path / "flat/flat_R_2s_000.fits"
    raw = fits.fits.getheader(path, do_not_scale_image_data=True)
    assert (raw["BITPIX"], raw["BZERO"], raw["NAXIS1"], raw["NAXIS2"]) == (16, 32768, 50, 31)
    assert fits.fits.getdata(path).dtype == np.uint16


def test_a_frame_of_a_folder_can_be_taken_again_alone(tmp_path):
    roll = write_frames(tmp_path, 4, **SMALL)
    again = Camera(
        4, (31, 45), scene=roll.camera.scene, overscan_px=5, drift_adu=roll.camera.design.drift_adu, banding_adu=0.3
    )
    for path in ("light/light_V_120s_001.fits", "dark/dark_60s_000.fits"):
        data, _ = fits.read_image(tmp_path / path)
        assert np.array_equal(data, again.take(roll.shots[path]).data)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        write_frames(tmp_path / name, seed, **SMALL)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_a_colour_camera_needs_no_filters(tmp_path):
    roll = write_frames(tmp_path, 4, **SMALL, cfa="RGGB", dialect="nina")
    assert "light/light_120s_001.fits" in roll.shots
    assert fits.read_header(tmp_path / "light/light_120s_001.fits")["BAYERPAT"] == "RGGB"
