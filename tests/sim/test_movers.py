"""The simulated field of movers: its images show what its truth says, and bodies move as the sky demands."""

import json
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS
from click.testing import CliRunner

from lostlight.cli import cli
from lostlight.io import frame_list
from lostlight.sim import darkroom
from lostlight.sim.movers import Movers
from lostlight.sim.movers_design import Body

SMALL = {"shape": (101, 127), "n_stars": 12, "n_epochs": 4}


def test_same_seed_same_bytes_and_an_image_is_the_same_alone(tmp_path):
    paths = [Movers(3, **SMALL).write(tmp_path / name) for name in ("a", "b")]
    assert [path.name for path in paths[0]] == [f"mover_{k:03d}.fits" for k in range(4)]
    for first, second in zip(*paths, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert np.array_equal(fits.getdata(paths[0][2]), Movers(3, **SMALL).image(2))
    assert not np.array_equal(Movers(4, **SMALL).image(2), Movers(3, **SMALL).image(2))


def test_the_header_tells_time_place_and_scale(tmp_path):
    made = Movers(3, **SMALL, rotation_deg=5.0)
    header = fits.getheader(made.write(tmp_path)[3])
    start = Time(header["DATE-OBS"], scale="utc").mjd
    assert start + header["EXPTIME"] / 172_800 == pytest.approx(made.mjd_mid[3], abs=1e-8)
    told = WCS(header).all_world2pix(made.stars["ra_deg"], made.stars["dec_deg"], 0)
    np.testing.assert_allclose(told, made.star_pixels(3), atol=1e-6)
    assert header["MAGZERO"] == pytest.approx(28 + 2.5 * np.log10(made.throughput[3]))


def test_truth_lies_beside_the_images(tmp_path):
    made = Movers(3, **SMALL)
    made.write(tmp_path)
    truth = Table.read(tmp_path / "truth.ecsv")
    x, y = made.body_pixels(0)
    np.testing.assert_allclose(truth["x_px"], x, atol=1e-9)
    np.testing.assert_allclose(truth["y_px"], y, atol=1e-9)
    x, y = WCS(fits.getheader(tmp_path / "mover_000.fits")).all_world2pix(truth["ra_deg"], truth["dec_deg"], 0)
    np.testing.assert_allclose([x, y], [truth["x_px"], truth["y_px"]], atol=1e-6)


@pytest.mark.parametrize("delta_au", [9.0, 30.0, 60.0])
def test_bodies_at_opposition_move_as_circular_orbits_do(delta_au):
    """The closed form 147.84 / (R + sqrt R) arcsec/h, westward; the Earth's own orbit is not a circle."""
    body = Body(delta_au=delta_au, inc_deg=0.0, snr=9, at=(0.5, 0.5))
    (row,) = Movers(1, bodies=(body,), nights=1, n_epochs=3, shape=(11, 13)).truth
    radius = row["r_helio_au"]
    assert row["rate_arcsec_h"] == pytest.approx(147.8412 / (radius + np.sqrt(radius)), rel=0.02)
    # west on the sky, along the ecliptic, which falls by 23.4 degrees here
    assert row["pa_deg"] == pytest.approx(270 + 23.4, abs=0.5)


def test_inclination_turns_the_motion_off_the_ecliptic():
    north, south = (
        Movers(1, bodies=(Body(40.0, inc, 9, (0.5, 0.5)),), shape=(11, 13)).truth["pa_deg"][0] for inc in (20, -20)
    )
    radius = 41.0
    angle = np.degrees(np.arctan(np.sin(np.radians(20)) / (np.sqrt(radius) - np.cos(np.radians(20)))))
    assert (north - south) / 2 == pytest.approx(angle, rel=0.03)


def test_the_light_on_the_image_is_that_of_the_truth():
    made = Movers(5, shape=(121, 131), n_stars=0, n_saturated=0, nights=1)
    for index in (0, 7):
        light = made.light(index)
        x, y = made.body_pixels(index)
        rows, columns = np.indices(light.shape)
        for k, flux in enumerate(made.truth["flux_adu"] * made.throughput[index]):
            near = np.hypot(rows - y[k], columns - x[k]) < 12
            assert light[near].sum() == pytest.approx(flux, rel=0.01)
            assert (light * columns)[near].sum() / light[near].sum() == pytest.approx(x[k], abs=0.02)
            assert (light * rows)[near].sum() / light[near].sum() == pytest.approx(y[k], abs=0.02)


def test_noise_is_that_of_photons_and_reading():
    made = Movers(2, cosmics=0, hot_px=0)
    ratio = (made.image(1) - made.expected(1)) / np.sqrt(
        made.expected(1) / made.design.gain_e_adu + made.design.read_adu**2
    )
    plain = made.expected(1) < 0.9 * made.design.saturate
    assert ratio[plain].std() == pytest.approx(1, abs=0.01)
    assert made.sigma_adu[1] == pytest.approx(np.median(np.abs(ratio[plain])) / 0.6745 * 14.7, rel=0.02)


def test_flaws_are_where_a_camera_has_them():
    made, clean = Movers(2, cosmics=3, hot_px=15), Movers(2, cosmics=0, hot_px=0)
    y, x, _ = made.hot
    off = [np.argwhere(np.abs(made.image(k) - clean.image(k)) > 30) for k in (0, 1)]
    both = {tuple(at) for at in off[0]} & {tuple(at) for at in off[1]}
    assert {(int(j), int(i)) for j, i in zip(y, x, strict=True)} >= both
    assert len(both) >= 10
    assert made.image(0).max() == made.design.saturate


def test_galaxies_are_wider_than_stars():
    made = Movers(2, n_galaxies=9)
    assert (made.stars["width"] >= 2).sum() == 9
    assert len(made.stars) == 60 + 1 + 9


def test_a_folder_by_its_name():
    with darkroom.frames_of('{"images": "movers:12"}'):
        folder = frame_list.resolve("movers:12")
        known = json.loads(os.environ[frame_list.SIMULATED])
    assert known == {"movers:12": str(folder)}
    assert len(list(folder.glob("*.fits"))) == 10
    assert (folder / "truth.ecsv").is_file()


def test_a_user_writes_them(tmp_path):
    done = CliRunner().invoke(cli, ["sky", "frames", str(tmp_path / "m"), "--movers", "--seed", "12"])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "m").glob("*.fits"))) == 10
