"""Simulated mosaics: their truth is true, measured on the frames by ways that the simulation does not use itself."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits as pyfits
from astropy.wcs import WCS
from click.testing import CliRunner
from scipy.ndimage import map_coordinates

from lostlight.cli import cli
from lostlight.io import frame_list
from lostlight.sim.mosaics import scene, write
from lostlight.sim.mosaics_files import tiles, write_tiles
from lostlight.sim.sky import Sky

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")

STARS_ALONE = {"nebula": 0.0, "n_stars": 12, "flux": (2e4, 2e5), "sigma": 0.0, "layout": (1, 2), "tile_px": (181, 240)}
SMALL = {"layout": (1, 2), "tile_px": (121, 160), "n_stars": 60}


def inside(truth, margin):
    """Stars at least so far inside a frame: numbers, x, y."""
    x, y = truth.star_pixels()
    ny, nx = truth.shape
    found = (x > margin) & (x < nx - 1 - margin) & (y > margin) & (y < ny - 1 - margin)
    return np.flatnonzero(found), x[found], y[found]


def alone(truth, margin, distance):
    """Stars inside a frame with no other so near."""
    index, x, y = inside(truth, margin)
    every_x, every_y = truth.star_pixels()
    neighbours = np.hypot(x[:, None] - every_x, y[:, None] - every_y) < distance
    single = neighbours.sum(axis=1) == 1
    return index[single], x[single], y[single]


def light_of(made, index):
    """A frame without noise and sky, at throughput 1; (C, ny, nx)."""
    truth = made.truth.frames[index]
    y, x = np.indices(truth.shape)
    return (made.expected(index) - truth.sky(y, x)) / truth.throughput[:, None, None]


def aperture(image, x, y, radius):
    """Sum the pixels whose centre is near enough, less the median of a ring around them."""
    rows, columns = np.indices(image.shape)
    distance = np.hypot(columns - x, rows - y)
    ring = np.median(image[(distance > 1.5 * radius) & (distance < 2.3 * radius)])
    disc = distance < radius
    return image[disc].sum() - ring * disc.sum()


@pytest.mark.parametrize(("beta", "lost"), [(None, 1e-6), (3.5, 2e-4)])
def test_stars_keep_their_flux(beta, lost):
    made = scene(3, **STARS_ALONE | {"layout": (1, 1), "tile_px": (501, 520)}, moffat_beta=beta)
    truth = made.truth.frames[0]
    index, x, y = alone(truth, 40, 75)
    assert len(index) >= 3
    for number, at_x, at_y in zip(index, x, y, strict=True):
        j, i = round(at_y), round(at_x)
        total = light_of(made, 0)[0, j - 35 : j + 36, i - 35 : i + 36].sum()
        assert total == pytest.approx(made.truth.stars["flux"][number], rel=lost)


@pytest.mark.parametrize("beta", [None, 3.0])
def test_pixels_hold_the_light_that_falls_on_them(beta):
    """Against the profile sampled at 41 x 41 points in each pixel."""
    made = scene(1, **STARS_ALONE, moffat_beta=beta, fwhm_px=2.0)
    index, x, y = alone(made.truth.frames[0], 5, 40)
    number, at_x, at_y = index[0], x[0], y[0]
    points = (np.arange(41) - 20) / 41
    j, i = round(at_y), round(at_x)
    dy, dx = (k + np.arange(-3, 4)[:, None] + points - at for k, at in ((j, at_y), (i, at_x)))
    r2 = dy[:, None, :, None] ** 2 + dx[:, None, :] ** 2
    if beta is None:
        profile = 4 * np.log(2) / (np.pi * 2.0**2) * np.exp(-4 * np.log(2) * r2 / 2.0**2)
    else:
        alpha = 1.0 / np.sqrt(2 ** (1 / beta) - 1)
        profile = (beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta
    seen = light_of(made, 0)[0, j - 3 : j + 4, i - 3 : i + 4] / made.truth.stars["flux"][number]
    np.testing.assert_allclose(seen, profile.mean(axis=(2, 3)), atol=1e-4)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"distortion_px": 4.0, "rotation_deg": 40.0, "scales": (1.0, 0.7)},
        {"distortion_px": 4.0, "distortion": "TPV", "turned": (1,)},
        {"centre": (0.01, 2.0), "flipped": (0,)},
        {"centre": (200.0, 90.0), "angle_deg": 70.0},
        {"centre": (10.0, -89.95), "dither_px": 9.0},
    ],
)
def test_the_sky_solution_of_the_header_is_where_the_stars_are(knobs):
    made = scene(3, **STARS_ALONE | {"n_stars": 40}, **knobs)
    checked = 0
    for frame, truth in zip(made.frames, made.truth.frames, strict=True):
        index, x, y = alone(truth, 12, 24)
        wcs = WCS(frame.header)
        stars = made.truth.stars[index]
        told_x, told_y = wcs.all_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
        light = light_of(made, truth.index)[0]
        for number in range(len(index)):
            j, i = round(y[number]), round(x[number])
            box = light[j - 9 : j + 10, i - 9 : i + 10]
            rows, columns = np.mgrid[j - 9 : j + 10, i - 9 : i + 10]
            assert (columns * box).sum() / box.sum() == pytest.approx(told_x[number], abs=0.005)
            assert (rows * box).sum() / box.sum() == pytest.approx(told_y[number], abs=0.005)
            checked += 1
    assert checked >= 6


def test_neighbouring_frames_share_what_the_overlap_says():
    made = scene(1, layout=(2, 2), tile_px=(200, 301), overlap=0.25)
    shared = []
    for one, other in ((0, 1), (2, 3), (0, 2), (1, 3)):
        first, second = (made.truth.frames[k] for k in (one, other))
        ny, nx = first.shape
        y, x = np.indices((ny, nx))
        at = second.wcs.all_world2pix(*first.wcs.all_pix2world(x, y, 0), 0)
        shared.append(np.mean((at[0] > -0.5) & (at[0] < nx - 0.5) & (at[1] > -0.5) & (at[1] < ny - 0.5)))
    np.testing.assert_allclose(shared, 0.25, atol=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_planted_gains_are_found_on_the_frames(channels):
    made = scene(5, layout=(1, 2), tile_px=(400, 301), overlap=0.6, n_stars=150, flux=(2e4, 1e5), channels=channels)
    one, other = made.truth.frames
    single = [
        dict(zip(found[0], np.transpose(found[1:]), strict=True)) for found in (alone(t, 16, 24) for t in (one, other))
    ]
    common = sorted(set(single[0]) & set(single[1]))
    assert len(common) >= 8
    data = [frame.data.reshape(channels, 400, 301).astype(float) for frame in made.frames]
    for channel in range(channels):
        fluxes = np.array([[aperture(data[k][channel], *single[k][star], 7) for star in common] for k in (0, 1)])
        ratio = np.exp(np.median(np.log(fluxes[0] / fluxes[1])))
        assert ratio == pytest.approx(one.throughput[channel] / other.throughput[channel], rel=0.003)
    assert abs(one.throughput / other.throughput - 1).max() > 0.05


def test_one_sky_lies_behind_all_frames():
    """The nebula of one frame, read off at the other's pixels."""
    made = scene(
        4, layout=(1, 2), tile_px=(200, 240), overlap=0.5, n_stars=0, rotation_deg=8, slopes=50, scales=(1.0, 1.3)
    )
    one, other = (light_of(made, k)[0] for k in (0, 1))
    first, second = (truth.wcs for truth in made.truth.frames)
    y, x = np.indices(other.shape)
    at_x, at_y = first.all_world2pix(*second.all_pix2world(x, y, 0), 0)
    both = (at_x > 2) & (at_x < 237) & (at_y > 2) & (at_y < 197)
    seen = map_coordinates(one, [at_y[both], at_x[both]], order=3) * 1.3**2
    assert both.mean() > 0.15
    np.testing.assert_allclose(other[both], seen, atol=0.06)
    assert np.ptp(other[both]) > 20


def test_the_true_image_keeps_fluxes_on_any_pixels():
    made = scene(7, **STARS_ALONE)
    truth = made.truth
    canvas = WCS(made.frames[0].header)
    canvas.wcs.cd = canvas.wcs.cd * 2
    canvas.wcs.crpix = [80.0, 60.0]
    image = truth.image(canvas, (111, 150), 1.5)[0]
    x, y = canvas.all_world2pix(truth.stars["ra_deg"], truth.stars["dec_deg"], 0)
    on = (x > 8) & (x < 141) & (y > 8) & (y < 102)
    crossing = (x > -8) & (x < 157) & (y > -8) & (y < 118) & ~on
    assert on.sum() >= 4 and not crossing.any()
    assert image.sum() == pytest.approx(truth.stars["flux"][on].sum(), rel=1e-6)


def test_the_nebula_goes_with_the_area_of_a_pixel():
    made = scene(6, **SMALL)
    canvas = WCS(made.frames[0].header)
    fine = made.truth.image(canvas, (100, 140), None)[0]
    canvas.wcs.cd = canvas.wcs.cd * 2
    canvas.wcs.crpix = (canvas.wcs.crpix - 0.5) / 2 + 0.5
    coarse = made.truth.image(canvas, (50, 70), None)[0]
    np.testing.assert_allclose(coarse, fine.reshape(50, 2, 70, 2).sum(axis=(1, 3)), rtol=2e-3, atol=0.4)
    everywhere = made.truth.nebula(made.truth.stars["ra_deg"], made.truth.stars["dec_deg"])
    assert everywhere.min() >= -1 and everywhere.max() <= 151


def test_the_background_is_the_sky_it_is_said_to_be():
    made = scene(7, layout=(1, 1), tile_px=(90, 121), n_stars=0, nebula=0, slopes=80, curves=30, sigma=2, gains=0)
    truth, data = made.truth.frames[0], made.frames[0].data
    v, u = np.meshgrid(np.linspace(-1, 1, 90), np.linspace(-1, 1, 121), indexing="ij")
    basis = np.stack([np.ones_like(u), v / 2, u / 2, v**2, u**2]).reshape(5, -1)
    fitted = np.linalg.lstsq(basis.T, data.ravel().astype(float), rcond=None)[0]
    told = np.concatenate([truth.offset, truth.slope[0], truth.curve[0]])
    np.testing.assert_allclose(fitted, told, atol=0.3)
    assert abs(truth.slope).max() > 10 and abs(truth.curve).max() > 2
    assert np.std(data - truth.sky(*np.indices((90, 121)))[0]) == pytest.approx(truth.sigma[0], rel=0.03)


def test_shot_noise_comes_on_top():
    made = scene(7, layout=(1, 1), tile_px=(300, 201), n_stars=0, nebula=0, sigma=3, gain_e_adu=0.5, offsets=(400, 400))
    noise = made.frames[0].data - made.expected(0)[0]
    assert np.std(noise) == pytest.approx(np.sqrt(9 + 400 / 0.5), rel=0.01)
    assert made.truth.frames[0].sigma[0] == pytest.approx(np.sqrt(9 + 400 / 0.5))
    assert made.frames[0].header["EGAIN"] == 0.5


def test_frames_do_not_depend_on_each_other():
    knobs = SMALL | {"trails": 1, "cosmics": 3, "hot_px": 5, "seeing": 0.1, "noises": 0.2, "dither_px": 4}
    whole = scene(8, **knobs).frames
    assert np.array_equal(scene(8, **knobs).frame(1).data, whole[1].data)
    wider = scene(8, **knobs | {"n_per_tile": 2}).truth.frames
    for few, many in zip(scene(8, **knobs).truth.frames, wider, strict=False):
        assert few.throughput == many.throughput
        assert few.offset == many.offset
        assert np.array_equal(few.cosmics, many.cosmics)


def test_one_choice_leaves_the_rest_as_it_was():
    plain = scene(9, **SMALL)
    other = scene(9, **SMALL, slopes=100)
    y, x = np.indices((121, 160))
    skies = [made.truth.frames[0].sky(y, x)[0] for made in (plain, other)]
    np.testing.assert_allclose(plain.frame(0).data - skies[0], other.frame(0).data - skies[1], atol=0.01)


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    paths = [write(tmp_path / name, scene(seed, **SMALL)) for name, seed in (("a", 4), ("b", 4), ("c", 5))]
    one, two, three = ([path.read_bytes() for path in written] for written in paths)
    assert one == two
    assert all(mine != theirs for mine, theirs in zip(one, three, strict=True))
    assert [path.name for path in paths[0]] == ["light_0000.fits", "light_0001.fits"]
    assert pyfits.getdata(paths[0][0]).dtype == np.dtype(">f4")


def test_a_trail_is_where_it_is_said_to_be():
    plain, crossed = scene(9, **SMALL), scene(9, **SMALL, trails=1)
    (trail,) = [trail for truth in crossed.truth.frames for trail in truth.trails]
    hit, missed = trail.frame, 1 - trail.frame
    assert np.array_equal(plain.frame(missed).data, crossed.frame(missed).data)
    added = crossed.frame(hit).data - plain.frame(hit).data
    (x0, y0), (x1, y1) = trail.start, trail.end
    y, x = np.indices(added.shape)
    distance = abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / np.hypot(x1 - x0, y1 - y0)
    assert added[distance < 0.5].min() > 0.8 * 400 and (distance < 0.5).sum() > 50
    assert abs(added[distance > 6]).max() < 1e-3
    assert len({trail.frame for truth in scene(9, **SMALL, trails=2).truth.frames for trail in truth.trails}) == 2


def test_flaws_are_where_they_are_said_to_be():
    plain, flawed = scene(9, **SMALL), scene(9, **SMALL, cosmics=8, hot_px=12)
    y, x, adu = flawed.truth.hot
    assert len(set(zip(y, x, strict=True))) == 12
    for index in (0, 1):
        added = flawed.frame(index).data - plain.frame(index).data
        rays = flawed.truth.frames[index].cosmics
        assert (rays > 0).sum() >= 4
        np.testing.assert_allclose(added[y, x] - rays[y, x], adu, rtol=0.01)
        added[y, x] = rays[y, x]
        np.testing.assert_allclose(added, rays, atol=0.05)
    assert not np.array_equal(flawed.truth.frames[0].cosmics, flawed.truth.frames[1].cosmics)


def test_borders_hold_no_value_and_nothing_is_beyond_saturation():
    made = scene(9, **SMALL, nan_border_px=7, n_saturated=3, saturate=30_000)
    data = made.frame(0).data
    assert np.isnan(data).sum() == 121 * 160 - 107 * 146
    full = [(data == 30_000).sum() for data in (frame.data for frame in made)]
    assert sum(full) >= 9
    assert made.frame(0).header["SATURATE"] == 30_000


def test_headers_tell_filters_exposures_and_nights():
    made = scene(9, **SMALL, filters=("R", "Ha"), n_per_tile=2, nights=2, exptimes_s=(60.0, 180.0), without_wcs=(3,))
    headers = [frame.header for frame in made]
    assert len(headers) == 8
    assert [header["FILTER"] for header in headers] == ["R", "R", "Ha", "Ha"] * 2
    assert [header["EXPTIME"] for header in headers] == [60.0] * 4 + [180.0] * 4
    assert len({header["DATE-OBS"][:10] for header in headers}) == 2
    assert [header["DATE-OBS"] for header in headers] == sorted(header["DATE-OBS"] for header in headers)
    assert ["CRVAL1" in header for header in headers] == [True] * 3 + [False] + [True] * 4
    assert {(header["IMAGETYP"], header["BUNIT"], header["GAIN"]) for header in headers} == {("LIGHT", "adu", 100)}
    assert made.truth.frames[2].name == "light_Ha_0002.fits"
    assert not any("CRVAL1" in frame.header for frame in scene(9, **SMALL, has_wcs=False))
    assert made.truth.frames[4].throughput[0] > 2 * made.truth.frames[0].throughput[0]


def test_colours_of_stars_differ_and_those_of_the_sky():
    made = scene(9, **SMALL, channels=3)
    frame = made.frame(0)
    assert frame.data.shape == (3, 121, 160)
    blue, red = made.truth.sky.fluxes("B"), made.truth.sky.fluxes("R")
    assert np.ptp(np.log(blue / red)) > 0.5
    levels = np.median(frame.data, axis=(1, 2))
    assert levels[0] > levels[1] > levels[2]


def test_what_is_wrong_with_frames_shows():
    faults = {1: "blurred", 2: "trailed", 3: "noisy", 4: "cloudy", 5: "starless", 6: "empty"}
    made = scene(9, **SMALL | {"layout": (1, 1)}, n_per_tile=7, bad=faults)
    good, *rest = made.truth.frames
    blurred, trailed, noisy, cloudy, starless, empty = rest
    assert [truth.fault for truth in rest] == list(faults.values())
    assert blurred.fwhm_px == pytest.approx(3 * good.fwhm_px)
    assert noisy.sigma[0] == pytest.approx(5 * good.sigma[0])
    assert cloudy.throughput[0] < 0.2 * good.throughput[0]
    assert np.isnan(made.frame(empty.index).data).all()
    assert made.frame(starless.index).data.max() < 1200 < made.frame(0).data.max()
    number, x, y = (values[0] for values in inside(trailed, 12))
    del number
    light, rows, columns = light_of(made, trailed.index)[0], *np.indices(trailed.shape)
    near = (abs(rows - y) < 3) & (abs(columns - x) < 11)
    weights = (light - light.min()) * near
    spread = [np.sqrt((weights * (at - middle) ** 2).sum() / weights.sum()) for at, middle in ((columns, x), (rows, y))]
    assert spread[0] > 1.5 * spread[1]


def test_tiles_are_a_small_mosaic_with_something_wrong(tmp_path):
    made = write_tiles(tmp_path, 3)
    assert len(frame_list.listed(tmp_path).rows) == len(made) == 24
    assert sum(len(truth.trails) for truth in made.truth.frames) == 1
    assert [truth.fault for truth in made.truth.frames].count("blurred") == 1
    assert {shot.night for shot in made.shots} == {0, 1}
    data, header = pyfits.getdata(tmp_path / "light_R_0000.fits", header=True)
    assert np.array_equal(data, made.frame(0).data)
    assert header["CTYPE1"] == "RA---TAN"
    assert tiles(3, colour=True).frame(0).data.shape == (3, 240, 320)


def test_stars_of_tiles_are_in_the_catalogues_of_their_sky():
    made = tiles(3)
    stars = made.truth.stars[made.truth.stars["flux"] > 1000]
    ra, dec = made.design.centre
    known = Sky(3).catalogue("I/355/gaiadr3", ra, dec, box_deg=(0.8, 0.6))
    there, listed = (SkyCoord(*at, unit="deg") for at in (
        (stars["ra_deg"], stars["dec_deg"]), (known["RA_ICRS"], known["DE_ICRS"]))
    )  # fmt: skip
    _, apart, _ = there.match_to_catalog_sky(listed)
    assert len(stars) > 200
    # Eight years of motion lie between; a few in a thousand are missing from the catalogue.
    assert (apart.arcsec < 2).mean() > 0.985
    other = scene(3, sky=4, centre=(110.0, 20.0)).truth.stars
    assert set(np.asarray(stars["ra_deg"])).isdisjoint(np.asarray(other["ra_deg"]))


def test_tiles_are_written_at_the_command_line(tmp_path):
    done = CliRunner().invoke(cli, ["sky", "frames", str(tmp_path / "t"), "--tiles", "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert np.array_equal(pyfits.getdata(tmp_path / "t/light_R_0005.fits"), tiles(3).frame(5).data)
    again = CliRunner().invoke(cli, ["sky", "frames", str(tmp_path / "t"), "--tiles"])
    assert again.exit_code and "is not empty" in again.output
