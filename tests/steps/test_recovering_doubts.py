"""What is doubtful about a search is told, once for all images of which it holds."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from tests.movers_run import CLEAN, MOVERS, RECOVER, make, small

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.params import RecoverParams
from lostlight.report import recovery_page
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.epochs.grid import union_grid
from lostlight.science.inject.psf import gaussian
from lostlight.steps.recovering.doubts import doubts
from lostlight.steps.recovering.ground import Ground
from lostlight.vocab.movers import DOUBTS

pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
SMALL = {"shape": (91, 113), "n_epochs": 6}


@pytest.fixture(scope="module", autouse=True)
def _short_page():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery_page, "_charts", lambda *_, **__: {})
        yield


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Images without stars, lengths of exposure and one zero point, some rounded times, one broken, and resampled."""
    folder = tmp_path_factory.mktemp("spoilt")
    paths = small(5, **SMALL | CLEAN | {"cadence_min": 45.0}).write(folder / "field")
    for number, path in enumerate(paths):
        with fits.open(path, mode="update") as hdus:
            header, data = hdus[0].header, hdus[0].data
            hdus[0].data = ((data + np.roll(data, 1, axis=1)) / 2).astype(np.float32)
            del header["EXPTIME"], header["DATE-OBS"]
            header["MJD-OBS"] = 60389 + number * 8 / 256
            if number == 2:
                del header["MAGZERO"]
            if number == 4:
                hdus[0].data[:] = np.nan
    settings = {"n": 40, "classes": {"drift": 1.0}, "rates": {"low": 200.0, "high": 220.0}}
    settings |= {"images": str(folder / "field"), "placement": {"strategy": "uniform"}}
    config = configuration.check({"inject": settings, "recover": {"threshold": 4.0}})
    list(chain.walk(config, folder / "run", steps=MOVERS, workers=1))
    return folder / "run" / RECOVER / "products"


def told(products, code=""):
    warnings = json.loads((products / "field.recovery.json").read_bytes())["warnings"]
    return [each for each in warnings if code in ("", each["code"])]


@pytest.mark.parametrize(("code", "where", "said"), [
    ("LEFT_OUT", "mover-004", "has no good pixel"),
    ("NOTED", "all 5 images", "how long the exposure was"),
    ("TIMES", "all images", "may be wrong by 169 s, and positions of sources of 3 arcsec/h by 0.14 arcsec"),
    ("PSF_GUESSED", "all 5 images", "a width of 2.5 px"),
    ("RESAMPLED", "all 5 images", "neighbouring pixels share up to "),
    ("NO_SCALE", "mover-002", "no zero point"),
    ("OUT_OF_FIELD", "planted sources", "on too few images"),
    ("LOW_THRESHOLD", "search", "noise alone is expected to pass it"),
])  # fmt: skip
def test_what_is_odd_is_told_once(spoilt, code, where, said):
    (each,) = told(spoilt, code)
    assert each["where"] == where
    assert said in each["said"]
    assert each["hint"]


def test_the_page_tells_the_same(spoilt):
    page = (spoilt / "field.html").read_text()
    codes = {each["code"] for each in told(spoilt)}
    assert codes <= set(DOUBTS)
    assert all(DOUBTS[code][1:] in page for code in codes)


def test_nothing_is_doubtful_about_good_images(tmp_path):
    """But that no star tells the profile: there is none."""
    small(8, **SMALL | CLEAN).write(tmp_path / "field")
    made = make(
        tmp_path / "field", tmp_path / "run", psf={"fwhm_px": 2.6}, n=30, classes={"drift": 1.0}, m50_error_mag=0.03
    )
    assert [each["code"] for each in made.report["warnings"]] == ["PSF_GUESSED"]
    assert made.report["frac_kept"] == pytest.approx(1, abs=0.05)
    finer = make(tmp_path / "field", tmp_path / "finer", psf={"fwhm_px": 2.6}, n=30, m50_error_mag=0.015)
    assert finer.report["n_wanted"] == pytest.approx(4 * made.report["n_wanted"], rel=0.01)


def test_images_without_any_zero_point_write_no_file_for_simulators(tmp_path):
    """Their magnitudes are of no system, and a simulator of a survey would take them for one."""
    for path in small(8, **SMALL | CLEAN).write(tmp_path / "field"):
        with fits.open(path, mode="update") as hdus:
            del hdus[0].header["MAGZERO"]
    made = make(tmp_path / "field", tmp_path / "run", psf={"fwhm_px": 2.6}, n=120, classes={"drift": 1.0})
    (each,) = told(made.run / RECOVER / "products", "NO_SCALE")
    assert "instrumental" in each["said"]
    assert made.report["curve"]["fits"]
    assert not [name for name in made.products(RECOVER) if name.endswith((".eff", ".sorcha.ini"))]


@pytest.fixture
def flawless():
    """A stack of four images of which nothing is doubtful."""
    epochs = Epochs(
        ids=tuple("abcd"), shape=(91, 113), mjd_mid=60389.123 + np.arange(4) / 48, exptime_s=np.full(4, 60.0),
        wcs=(None,) * 4, psfs=(gaussian(2.5),) * 4, sigma_adu=np.ones(4), gain_e_adu=np.ones(4),
        zero_mag=np.full(4, 28.0), scale=np.ones(4), filters=("r",) * 4,
    )  # fmt: skip
    store = SimpleNamespace(attributes={}, images=[{"id": name, "psf_source": "stars"} for name in "abcd"])
    return Ground(store, epochs, union_grid(epochs), RecoverParams())


def planted(acceptance=0.9, kept=1.0):
    return Table({"acceptance": [acceptance] * 9, "lost_because": [""] * 9, "frac_kept": [kept] * 8 + [np.nan]})


@pytest.mark.parametrize(("sources", "codes"), [
    (planted(), []),
    (planted(acceptance=0.02), ["PLACES"]),
    (planted(kept=0.9), ["SKY_LOSS"]),
    (planted(acceptance=np.nan, kept=np.nan), []),
    (planted()[:0], []),
])  # fmt: skip
def test_planted_sources_tell_of_places_and_of_the_sky(flawless, sources, codes):
    assert [each["code"] for each in doubts(flawless, sources, [], 1.0, flawless.params)] == codes


@pytest.mark.parametrize(
    ("counts", "said"), [([4, 2, 1], ""), ([9, 3, 1], "6.40 leaves one"), ([9, 7, 5], "above 6.40")]
)
def test_more_false_alarms_than_noise_explains_come_with_the_threshold_that_ends_them(flawless, counts, said):
    alarms = [{"kind": "negative", "n": counts[0], "n_expected": 1.0, "thresholds": [5.9, 6.15, 6.4], "counts": counts}]
    found = doubts(flawless, planted(), alarms, 1.0, flawless.params)
    assert [each["code"] for each in found] == (["FALSE_ALARMS"] if said else [])
    assert all(said in each["hint"] for each in found)
