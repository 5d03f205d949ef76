"""The real program: what it found elsewhere, what it must not leave behind, and what it does with odd input."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from tests.starfield import starfield

from lostlight.core.errors import ToolTimeout
from lostlight.core.params import MeasureParams
from lostlight.io import fits, sextractor, tools
from lostlight.science.detect import background, embedded
from lostlight.science.plate.wcs import pix_to_sky, sky_wcs
from lostlight.vocab.extraction import EXTRACTED

pytestmark = pytest.mark.needs_sextractor

KNOBS = MeasureParams(engine="reference")
STAMPS = ("VIGNET(35,35)",)


@pytest.fixture(scope="module")
def image():
    return starfield(3, shape=(251, 287), n_stars=60).image


def nowhere(image):
    return np.zeros(image.shape, dtype=bool)


def test_columns_are_those_of_the_other_engine(image):
    assert set(sextractor.extract(image, nowhere(image), KNOBS, 1e9).colnames) == set(EXTRACTED)


def test_pixels_count_from_zero():
    image = np.random.default_rng(1).normal(3800, 20, (67, 91))
    image[40:43, 50:53] += 5000
    # Without the filter, whose reach would widen the box by a pixel.
    found = sextractor.extract(image, nowhere(image), MeasureParams(filter=False), 1e9)
    assert len(found) == 1
    row = found[0]
    assert (row["x_px"], row["y_px"]) == pytest.approx((51, 41), abs=0.02)
    assert (row["xwin_px"], row["ywin_px"]) == pytest.approx((51, 41), abs=0.05)
    assert (row["x_min_px"], row["x_max_px"], row["y_min_px"], row["y_max_px"]) == (50, 52, 40, 42)


def test_two_runs_leave_the_same_bytes(image, tmp_path):
    kept = [tmp_path / "one" / "tile.cat", tmp_path / "elsewhere" / "other.cat"]
    for path in kept:
        sextractor.extract(image, nowhere(image), KNOBS, 1e9, "pass1.param", STAMPS, keep=path)
    assert kept[0].read_bytes() == kept[1].read_bytes()


def test_nothing_of_clock_or_machine_is_kept(image, tmp_path):
    path = tmp_path / "tile.cat"
    sextractor.extract(image, nowhere(image), KNOBS, 1e9, "pass1.param", STAMPS, keep=path)
    content = path.read_bytes()
    assert not re.search(rb"\d\d:\d\d:\d\d|\d\d/\d\d/\d\d\d\d", content)
    assert str(tmp_path).encode() not in content
    assert b"lostlight-" not in content
    with astropy_fits.open(path) as hdus:
        assert {"X_IMAGE", "SNR_WIN", "ELONGATION", "VIGNET"} <= set(hdus["LDAC_OBJECTS"].data.names)
        assert hdus["LDAC_OBJECTS"].data["VIGNET"].shape[1:] == (35, 35)


def test_what_is_blanked_keeps_its_length():
    cards = b"SEXDATE = '20/11/2026'         / Extraction date".ljust(80) + b"SEXBKGND=  3.8E+03".ljust(80)
    cleaned = sextractor.timeless(cards)
    assert len(cleaned) == len(cards)
    assert b"2026" not in cleaned
    assert cleaned[80:] == cards[80:]


def test_noise_alone_gives_no_rows():
    image = np.random.default_rng(5).normal(3800, 20, (67, 91))
    found = sextractor.extract(image, nowhere(image), KNOBS, 1e9)
    assert len(found) == 0
    assert set(found.colnames) == set(EXTRACTED)


def test_blank_wedge_is_not_searched(image):
    y, x = np.indices(image.shape)
    wedge = x + y > 350
    found = sextractor.extract(np.where(wedge, np.nan, image), wedge, KNOBS, 1e9)
    assert len(found) > 10
    assert not wedge[np.rint(found["y_px"]).astype(int), np.rint(found["x_px"]).astype(int)].any()


def test_the_brightest_star_alone_is_saturated(image):
    found = sextractor.extract(image, nowhere(image), KNOBS, float(image.max()) - 1)
    assert (np.asarray(found["extraction_flags"]) & 4).astype(bool).sum() == 1


def test_big_endian_input(image):
    native = sextractor.extract(image, nowhere(image), KNOBS, 1e9)
    other = sextractor.extract(image.astype(">f4"), nowhere(image), KNOBS, 1e9)
    assert np.array_equal(native["x_px"], other["x_px"])


def test_a_run_that_does_not_end(image):
    with pytest.raises(ToolTimeout, match="did not end"):
        sextractor.extract(image, nowhere(image), MeasureParams(timeout_s=1e-4), 1e9)


@pytest.mark.needs_shared
@pytest.mark.parametrize("engine", ["reference", "embedded"])
def test_the_published_catalogue_of_another_image(shared_data, engine):
    image, _ = fits.read_image(shared_data / "sextractor-ref" / "image.fits.gz")
    published = Table.read(shared_data / "sextractor-ref" / "image.cat", format="ascii.sextractor")
    knobs = MeasureParams(threshold_sigma=1.5, deblend_contrast=1, gain=0, aperture_px=10, mask_neighbours=False)
    if engine == "reference":
        found = sextractor.extract(image, nowhere(image), knobs, 50000)
    else:
        found = embedded.extract(background.split(image, None, knobs.mesh_px, knobs.mesh_filter), knobs, 50000)
    assert len(found) == len(published) == 65
    apart = np.hypot(
        np.asarray(found["x_px"])[:, None] - (published["X_IMAGE"] - 1),
        np.asarray(found["y_px"])[:, None] - (published["Y_IMAGE"] - 1),
    )
    mate = apart.argmin(axis=0)
    assert apart.min(axis=0).max() < 0.01
    assert len(set(mate)) == 65
    assert np.allclose(found["flux_aper_adu"][mate], published["FLUX_APER"], rtol=1e-3)
    assert np.allclose(found["flux_aper_err_adu"][mate], published["FLUXERR_APER"], rtol=1e-3)
    agreed = np.asarray(found["extraction_flags"])[mate] == published["FLAGS"]
    assert agreed.all() if engine == "reference" else agreed.mean() > 0.95


@pytest.mark.needs_shared
def test_the_program_cannot_read_a_plate_solution_and_we_can(shared_data, tmp_path):
    image, header = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    fits.write_image(tmp_path / "plate.fits", image, header)
    asked = tmp_path / "asked.param"
    asked.write_text("X_IMAGE\nY_IMAGE\nALPHA_J2000\nDELTA_J2000\n")
    args = ["plate.fits", "-c", tools.config_file("sextractor/extraction.sex"), "-PARAMETERS_NAME", asked]
    args += ["-CATALOG_NAME", "sky.cat", "-CATALOG_TYPE", "FITS_1.0", "-DETECT_THRESH", "20"]
    args += ["-FILTER_NAME", tools.config_file("sextractor/default.conv")]
    tools.run(sextractor.PROGRAM, args, tmp_path, timeout_s=60)
    rows = Table.read(tmp_path / "sky.cat")
    assert len(rows) > 100
    assert not np.any(rows["ALPHA_J2000"])
    assert not np.any(rows["DELTA_J2000"])
    ra, dec = pix_to_sky(sky_wcs(header), rows["X_IMAGE"] - 1, rows["Y_IMAGE"] - 1)
    assert np.all(np.abs(ra - 132.83) < 0.4)
    assert np.all(np.abs(dec - 11.81) < 0.3)


def test_settings_name_only_what_is_not_the_default():
    """A comment for each value that differs, and no value that does not."""
    dumped = tools.run(sextractor.PROGRAM, ["-dd"], Path.cwd(), timeout_s=60).stdout
    defaults = settings(dumped)
    ours = settings(tools.config_file("sextractor/extraction.sex").read_text())
    assert ours
    for key, value in ours.items():
        assert key in defaults
        assert value != defaults[key], f"{key} {value} is the default"


def settings(text):
    lines = (line.partition("#")[0].split(None, 1) for line in text.splitlines())
    return {words[0]: words[1].strip() if len(words) > 1 else "" for words in lines if words}


def test_neither_sky_positions_nor_stamps_are_asked_for_in_the_second_pass():
    first, second = (tools.config_file(f"sextractor/pass{n}.param").read_text() for n in (1, 2))
    assert not re.search(r"^VIGNET", second, re.M)
    assert not re.search(r"^(ALPHA|DELTA)", first + second, re.M)
