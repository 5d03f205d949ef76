"""Rendered plates: what was planted is there, looks as on a real plate, and is the same from every window."""

import numpy as np
import pytest
import sep
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates
from scipy.spatial import KDTree

from lostlight.science.plate.wcs import pix_to_sky, sky_wcs
from lostlight.sim import emulsion
from lostlight.sim.plates import Plate
from lostlight.sim.sky import Sky

WINDOW = (150.0, 20.0, 31.0, 23.0)


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky(20)


@pytest.fixture(scope="module")
def window(sky: Sky) -> tuple[np.ndarray, fits.Header, Table]:
    return *sky.cutout(*WINDOW), sky.truth(*WINDOW)


def _detect(image: np.ndarray, threshold: float = 5.0) -> np.ndarray:
    data = image.astype(np.float32)
    background = sep.Background(data, bw=64, bh=64)
    return sep.extract(data - background.back(), threshold, err=background.globalrms, minarea=5)


def _fwhm(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """FWHM from the flux radius of a round Gaussian, sky taken from a ring."""
    data = image.astype(np.float32)
    data = data - sep.Background(data, bw=64, bh=64).back()
    radius, _ = sep.flux_radius(data, x, y, np.full(len(x), 12.0), 0.5, subpix=5)
    return 2 * radius


def _alone(table: Table, nearest_px: float) -> np.ndarray:
    tree = KDTree(np.column_stack([table["x_px"], table["y_px"]]))
    distance, _ = tree.query(tree.data, k=2)
    return distance[:, 1] > nearest_px


def _empty_sky(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    data = image.astype(np.float32)
    background = sep.Background(data, bw=64, bh=64)
    data = data - background.back()
    _, segments = sep.extract(data, 1.5, err=background.globalrms, minarea=5, segmentation_map=True)
    return data, ~binary_dilation(segments > 0, iterations=4)


def _correlation(image: np.ndarray, dy: int, dx: int) -> float:
    data, empty = _empty_sky(image)
    ny, nx = data.shape
    first, second = np.s_[: ny - dy, : nx - dx], np.s_[dy:, dx:]
    both = empty[first] & empty[second]
    return float(np.mean(data[first][both] * data[second][both]) / np.var(data[empty]))


def test_windows_of_one_plate_agree_pixel_by_pixel(sky: Sky) -> None:
    plate = sky.plate_at(150, 20)
    first, header_1 = sky.cutout(150, 20, 12, 9, plate=plate)
    second, header_2 = Sky(20).cutout(150.07, 20.03, 10, 14, plate=plate)
    dx, dy = header_2["CNPIX1"] - header_1["CNPIX1"], header_2["CNPIX2"] - header_1["CNPIX2"]
    y, x = np.mgrid[: first.shape[0], : first.shape[1]]
    inside = (x >= dx) & (x < dx + second.shape[1]) & (y >= dy) & (y < dy + second.shape[0])
    assert inside.sum() > 50_000
    assert np.array_equal(first[inside], second[y[inside] - dy, x[inside] - dx])


def test_every_bright_enough_object_is_found_where_the_truth_has_it(window) -> None:
    image, _, truth = window
    assert image.dtype == np.int16
    assert image.shape[1] > image.shape[0]
    found = _detect(image)
    tree = KDTree(np.column_stack([found["x"], found["y"]]))
    strong = truth[(truth["snr_plate"] > 17) & (truth["label"] != "galaxy") & _alone(truth, 8)]
    strong = strong[(strong["x_px"] > 9) & (strong["y_px"] > 9)]
    distance, _ = tree.query(np.column_stack([strong["x_px"], strong["y_px"]]))
    assert len(strong) > 100
    assert np.mean(distance < 1.0) > 0.95
    stars = strong["label"] == "star"
    assert np.median(distance[stars]) < 0.12


def test_detections_are_what_was_planted(window) -> None:
    image, _, truth = window
    found = _detect(image)
    tree = KDTree(np.column_stack([truth["x_px"], truth["y_px"]]))
    distance, _ = tree.query(np.column_stack([found["x"], found["y"]]))
    assert np.mean(distance > 4) < 0.04, "grain alone makes no sources; haloes and long scratches a few"


def test_the_header_puts_stars_on_the_sky_within_the_planted_residual(sky: Sky, window) -> None:
    image, header, truth = window
    plate = sky.plate_at(*WINDOW[:2])
    found = _detect(image, 10.0)
    stars = truth[(truth["label"] == "star") & (truth["snr_plate"] > 35)]
    distance, at = KDTree(np.column_stack([stars["x_px"], stars["y_px"]])).query(
        np.column_stack([found["x"], found["y"]])
    )
    ties = distance < 1
    ra, dec = pix_to_sky(sky_wcs(header), found["x"][ties], found["y"][ties])
    star = stars[at[ties]]
    east = (ra - star["ra_deg"]) * np.cos(np.radians(dec)) * 3600
    north = (dec - star["dec_deg"]) * 3600
    dx, dy = plate.residual_arcsec(star["x_px"] + header["CNPIX1"], star["y_px"] + header["CNPIX2"])
    assert len(star) > 100
    # Pixels run west on the plate; what is left after the planted residual is the noise of the centroids.
    assert np.abs(np.median(east + dx)) < 0.05 and np.abs(np.median(north - dy)) < 0.05
    assert 1.48 * np.median(np.abs(east + dx)) < 0.2 and 1.48 * np.median(np.abs(north - dy)) < 0.2


def test_vanished_sources_show_and_later_ones_do_not(sky: Sky) -> None:
    data, header = sky.cutout(150, 20, 60, 60)
    truth = sky.truth(150, 20, 60, 60)
    label = truth["label"].astype(str)
    vanished = truth[np.char.startswith(label, "vanished")]
    assert 10 <= len(vanished) <= 30
    background = np.median(data)
    for row in vanished[(vanished["snr_plate"] > 15) | (vanished["label"] == "vanished_C")]:
        x, y = round(row["x_px"]), round(row["y_px"])
        if not (2 < x < header["NAXIS1"] - 3 and 2 < y < header["NAXIS2"] - 3):
            continue
        peak = data[y - 1 : y + 2, x - 1 : x + 2].mean() - background
        if row["label"] != "vanished_C":
            assert peak > 500, row["truth_id"]
    assert np.isnan(vanished["mag_r"][vanished["label"] == "vanished_C"]).all()


def test_expected_signal_to_noise_is_that_of_the_scan(window) -> None:
    """Measured: flux in a Gaussian window over the scatter of the same window on empty sky."""
    image, _, truth = window
    data, empty = _empty_sky(image)
    stars = truth[
        (truth["label"] == "star") & (truth["snr_plate"] > 12) & (truth["snr_plate"] < 50) & _alone(truth, 12)
    ]
    x, y = np.array(stars["x_px"]), np.array(stars["y_px"])
    inside = (x > 15) & (y > 15) & (x < image.shape[1] - 15) & (y < image.shape[0] - 15)
    x, y, expected = x[inside], y[inside], np.array(stars["snr_plate"])[inside]
    filtered = gaussian_filter(data, np.nanmedian(_fwhm(image, x, y)) / 2.3548)
    noise = filtered[~binary_dilation(~empty, iterations=4)].std()
    measured = map_coordinates(filtered, [y, x], order=3) / noise
    assert len(x) > 25
    assert np.median(measured / expected) == pytest.approx(1.0, abs=0.2)


def test_half_of_the_sources_are_found_where_their_signal_is_weak(sky: Sky) -> None:
    image, truth = sky.cutout(200.0, 30.0, 40.0, 40.0)[0], sky.truth(200.0, 30.0, 40.0, 40.0)
    found = _detect(image)
    stars = truth[(truth["label"] == "star") & _alone(truth, 8)]
    distance, _ = KDTree(np.column_stack([found["x"], found["y"]])).query(
        np.column_stack([stars["x_px"], stars["y_px"]])
    )
    snr = stars["snr_plate"]
    assert np.mean(distance[snr > 18] < 2) > 0.95
    assert np.mean(distance[(snr > 3) & (snr < 5)] < 2) < 0.1


def test_images_of_stars_widen_with_brightness(window) -> None:
    image, _, truth = window
    stars = truth[(truth["label"] == "star") & _alone(truth, 14)]
    widths = []
    for bright in (12.5, 14.5, 16.0, 17.5):
        some = stars[np.abs(stars["mag_r"] - bright) < 0.75]
        widths.append(np.nanmedian(_fwhm(image, np.array(some["x_px"]), np.array(some["y_px"]))))
    assert np.all(np.diff(widths) < -0.2), widths
    assert 2.0 < widths[-1] < 3.2, "nothing is sharper than the scan aperture"


def test_empty_sky_is_like_that_of_a_real_plate(shared_data, sky: Sky) -> None:
    real = fits.getdata(shared_data / "dss1-m67" / "M6707HH.fits.gz")[:500, 550:]
    ours = [sky.cutout(ra, 20.0, 14.0, 11.0)[0] for ra in (140.0, 150.0, 160.0, 170.0, 180.0)]
    assert np.median([np.median(image) for image in ours]) == pytest.approx(np.median(real), abs=300)
    rms = []
    for image in (real, *ours):
        data, empty = _empty_sky(image)
        rms.append(data[empty].std())
    assert np.median(rms[1:]) == pytest.approx(rms[0], rel=0.25)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2)):
        assert np.median([_correlation(image, dy, dx) for image in ours]) == pytest.approx(
            _correlation(real, dy, dx), abs=0.12
        ), (dy, dx)


def test_scanning_cannot_make_anything_sharper_than_its_aperture(sky: Sky) -> None:
    plate = sky.plate_at(150, 20)
    clean = np.full((51, 47), 3900, np.float32)
    clean[20, 30] += 40_000
    nothing = np.zeros_like(clean)
    spot = emulsion.scan(plate, clean, (nothing, nothing)) - 3900
    _, i = np.mgrid[:51, :47]
    assert spot.sum() == pytest.approx(40_000, rel=1e-3)
    assert np.sqrt((spot * (i - 30) ** 2).sum() / spot.sum()) == pytest.approx(0.72, abs=0.03)
    assert np.unravel_index(spot.argmax(), spot.shape) == (20, 30)


def test_response_has_fog_toe_and_shoulder(sky: Sky) -> None:
    plate = sky.plate_at(150, 20)
    light = np.geomspace(1e-3, 1e4, 200)
    density = emulsion.density(plate, light)
    assert (np.diff(density) >= 0).all()
    assert density[0] == pytest.approx(2600, abs=1) and density[-1] == pytest.approx(plate.full_density, rel=1e-3)
    slope = np.diff(density) / np.diff(np.log(light))
    assert 0.5 < light[slope.argmax()] < 4, "steepest a little above the sky"


def test_the_rim_the_wedge_and_the_world_beyond(sky: Sky) -> None:
    plate = next(p for p in sky.plates() if p.n_px == 14000 and 10 < p.centre[1] < 40)
    ra, dec = (float(value) for value in plate.wcs.wcs_pix2world(6000, 60, 0))
    image, header = sky.cutout(ra, dec, 20.0, 12.0, plate=plate)
    rows = np.arange(image.shape[0]) + header["CNPIX2"]
    assert (image[rows < 0] == 0).all() and (rows < 0).sum() > 50
    wedge = np.median(image[(rows > 20) & (rows < 95)], axis=0)
    steps = np.unique(np.round(wedge / 400))
    assert len(steps) >= 3, "the step wedge crosses the window"
    assert wedge.max() > np.median(image[rows > 150]) + 2000


@pytest.mark.parametrize("position", [(0.01, 1.0), (40.0, 89.93), (250.0, 60.0)])
def test_stars_stand_in_their_places_anywhere(sky: Sky, position: tuple[float, float]) -> None:
    image, _ = sky.cutout(*position, 11.0, 7.0)
    truth = sky.truth(*position, 11.0, 7.0)
    found = _detect(image, 8.0)
    strong = truth[(truth["snr_plate"] > 30) & (truth["label"] == "star")]
    distance, _ = KDTree(np.column_stack([found["x"], found["y"]])).query(
        np.column_stack([strong["x_px"], strong["y_px"]])
    )
    assert len(strong) > 10
    assert np.median(distance) < 0.2


def test_fine_scans_show_the_same_sky_in_smaller_pixels(sky: Sky) -> None:
    plate = next(p for p in sky.plates() if p.pixel_um < 20 and 0 < p.centre[1] < 60)
    image, header = sky.cutout(*plate.centre, 9.0, 6.0)
    assert header["XPIXELS"] == 23040 and image.shape == (
        round(360 / plate.scale_arcsec),
        round(540 / plate.scale_arcsec),
    )
    truth = sky.truth(*plate.centre, 9.0, 6.0)
    stars = truth[(truth["label"] == "star") & (truth["snr_plate"] > 20) & _alone(truth, 15)]
    found = _detect(image)
    distance, _ = KDTree(np.column_stack([found["x"], found["y"]])).query(
        np.column_stack([stars["x_px"], stars["y_px"]])
    )
    assert len(stars) > 10 and np.median(distance) < 0.2


def test_overlapping_plates_show_the_same_stars_and_their_own_flashes(sky: Sky) -> None:
    home = sky.plate_at(150.0, 20.0)
    ra, dec = (float(value) for value in home.wcs.wcs_pix2world(7000, 13300, 0))
    others = [plate for plate in sky.plates() if plate.id != home.id and _covers(plate, ra, dec)]
    assert others, "the edges of plates overlap"
    first, second = sky.truth(ra, dec, 25, 25, plate=home), sky.truth(ra, dec, 25, 25, plate=others[0])
    stars = [set(table["truth_id"][(table["label"] == "star") & (table["mag_r"] < 18)]) for table in (first, second)]
    assert len(stars[0] & stars[1]) > 0.9 * max(map(len, stars))
    flashes = [set(table["truth_id"][table["label"] == "vanished_B"]) for table in (first, second)]
    assert not flashes[0] & flashes[1]


def _covers(plate: Plate, ra: float, dec: float) -> bool:
    x, y = plate.sky_to_pix(ra, dec)
    return bool(300 < x[0] < plate.n_px - 300 and 300 < y[0] < plate.n_px - 300)


def test_asteroids_leave_trails_of_rate_times_exposure(sky: Sky) -> None:
    truth = sky.truth(150, 12.5, 120, 120)
    plate = sky.plate_at(150, 12.5)
    bodies = truth[truth["label"] == "asteroid"]
    assert len(bodies) > 5
    known = sky.solar_system(150, 12.5, 1.6, plate.jd)
    for body in bodies:
        apart = (
            np.hypot((known["RA"] - body["ra_deg"]) * np.cos(np.radians(12.5)), known["DEC"] - body["dec_deg"]) * 3600
        )
        if apart.min() > 1:
            continue  # one in twenty is not known
        row = known[apart.argmin()]
        rate = np.hypot(row["pmRA"], row["pmDEC"]) / 60
        assert body["trail_px"] * plate.scale_arcsec == pytest.approx(rate * plate.exposure_min, rel=0.02, abs=0.1)


def test_flaws_come_in_the_number_asked_for() -> None:
    counts = []
    for density in (10.0, 400.0):
        truth = Sky(3, flaws_deg2=density).truth(200, 30, 60, 60)
        counts.append(np.sum(truth["label"] == "defect_flaw"))
    assert counts[0] == pytest.approx(10, abs=10) and counts[1] == pytest.approx(400, rel=0.2)


def test_flaws_holes_and_scratches_mark_the_plate_where_the_truth_has_them() -> None:
    sky = Sky(3, flaws_deg2=200.0)
    image, _ = sky.cutout(200, 30, 80, 60)
    truth = sky.truth(200, 30, 80, 60)
    data, _ = _empty_sky(image)
    stars = truth[truth["mag_r"] < 19]
    distance, _ = KDTree(np.column_stack([stars["x_px"], stars["y_px"]])).query(
        np.column_stack([truth["x_px"], truth["y_px"]])
    )
    inside = (truth["x_px"] > 3) & (truth["y_px"] > 3)
    inside &= (truth["x_px"] < image.shape[1] - 4) & (truth["y_px"] < image.shape[0] - 4)
    label = truth["label"].astype(str)

    def strength(chosen: np.ndarray) -> np.ndarray:
        places = truth[chosen & inside & (distance > 9)]
        return np.array(
            [data[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].mean() for x, y in places["x_px", "y_px"]]
        )

    flaws = strength((label == "defect_flaw") & (truth["snr_plate"] > 10))
    assert len(flaws) > 30 and np.mean(flaws > 400) > 0.95
    holes = strength(label == "defect_hole")
    assert holes.min() < -300
    lines = strength(np.isin(label, ["defect_scratch", "defect_trail"]))
    if len(lines):
        assert np.mean(np.abs(lines) > 300) > 0.5


def test_a_trail_across_a_window_is_in_its_truth(sky: Sky) -> None:
    image, _ = sky.cutout(150, 20, 60, 60)
    truth = sky.truth(150, 20, 60, 60)
    trail = truth[truth["label"] == "defect_trail"]
    assert len(trail) > 3, "a meteor crosses this window"
    background = np.median(image)
    inside = (np.abs(trail["x_px"] - 1059) < 1050) & (np.abs(trail["y_px"] - 1059) < 1050)
    for x, y in trail["x_px", "y_px"][inside]:
        assert image[round(y), round(x)] > background + 500
