"""The bars of the survey, through the whole chain: a real plate, simulated skies with truth, and the two engines."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.errors import TooManyFailures
from lostlight.core.manifest import load
from lostlight.core.params import MeasureParams
from lostlight.io import fits, psfex, sextractor, tables
from lostlight.science.detect import background
from lostlight.science.detect.parity import pair
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.spread import measure_psf
from lostlight.science.plate.wcs import sky_wcs
from lostlight.science.vet.completeness import measure_curve
from lostlight.sim import scorecard
from lostlight.sim.sky import Sky
from lostlight.vocab import bits
from lostlight.vocab.steps import PLANT, SURVEY

ENGINES = (
    "embedded",
    pytest.param("reference", marks=[pytest.mark.needs_sextractor, pytest.mark.needs_psfex, pytest.mark.needs_stilts]),
)
FAST = (
    "604895810921218432", "604898800218392960", "604905118114635904", "604915980087437952", "604949377753016448",
    "604972428842238080", "604974322923169152",
)  # fmt: skip
SHAPE_CUTS = bits.filters("EXTRACTION", "SNR", "SPREAD", "FWHM", "ELONGATION", "EXTENT", "CLIP", "LOCUS")


class Tile:
    """The products of the only tile of a run, or of the planted twin, up to step 08."""

    def __init__(self, run, twin=""):
        self.run, self.twin = run, twin

    def manifest(self, step_id):
        return load(chain.manifest_path(self.run, step_id, self.twin))

    def unit(self, step_id):
        (unit,) = self.manifest(step_id).ok()
        return unit

    def path(self, step_id, role):
        return self.manifest(step_id).product(self.unit(step_id), role)

    def table(self, step_id, role):
        return tables.read(self.path(step_id, role))


def walk(run, settings, steps=SURVEY[:9]):
    list(chain.walk(configuration.check(settings), run, steps=steps))
    return Tile(run)


def own_image(image, engine, **sections):
    return {
        "engine": engine,
        "tiles": {"mode": "single", "images": str(image)},
        "download": {"source": "folder", "folder": str(image)},
        "reference": {"usnob": False},
    } | sections


def m67(shared_data, run, engine, gates="locus", min_area_px=5):
    return walk(
        run,
        own_image(
            shared_data / "dss1-m67" / "M6707HH.fits.gz",
            engine,
            detect={"min_area_px": min_area_px},
            measure={"min_area_px": min_area_px},
            reference={
                "usnob": False,
                "own": {"path": str(shared_data / "dss1-m67" / "gaia_edr3_m67_r0.5deg.csv.gz")},
            },
            filter={"gates": gates},
        ),
    )


def simulated(engine, seed, ra_deg, dec_deg, n_planted=0, **tiles):
    url = f"sky:{seed}"
    where = {"mode": "single", "positions": [{"ra_deg": ra_deg, "dec_deg": dec_deg}]}
    return {
        "engine": engine,
        "tiles": where | tiles,
        "download": {"source": "sky", "url": url, "min_interval_s": 0},
        "masks": {"url": url},
        "reference": {"url": url, "gaia": True, "min_interval_s": 0},
        "filter": {"skybot": True, "skybot_url": url, "vsx": True, "vsx_url": url},
        "completeness": {"n_per_tile": n_planted},
    }


@pytest.mark.needs_shared
@pytest.mark.parametrize("engine", ENGINES)
def test_stars_of_a_real_plate_are_found_and_known(shared_data, tmp_path, engine):
    tile = m67(shared_data, tmp_path / "run", engine, "mnras2022", min_area_px=3)
    found, known, survivors = (
        tile.table(*role) for role in (("08_filter", "flags"), ("06_reference", "own"), ("08_filter", "survivors"))
    )
    metrics = tile.unit("07_xmatch").metrics
    assert len(found) == pytest.approx(1448, rel=0.01)
    assert metrics["n_matched_own"] == pytest.approx(1405, rel=0.01)
    assert max(metrics["scatter_ra_arcsec"], metrics["scatter_dec_arcsec"]) <= 0.20
    x, y = sky_wcs(fits.read_header(tile.path("02_masks", "clean"))).all_world2pix(known["ra_deg"], known["dec_deg"], 0)
    bright = known[(np.asarray(known["mag_ref"]) < 18) & (np.abs(x - 529) < 529) & (np.abs(y - 529) < 529)]
    places = [SkyCoord(table["ra_deg"], table["dec_deg"], unit="deg") for table in (bright, found)]
    assert (places[0].match_to_catalog_sky(places[1])[1].arcsec < 5).mean() >= 0.93
    matched = {str(name) for name in tile.table("07_xmatch", "matches")["ref_id"]}
    assert matched.issuperset(FAST)
    assert len(survivors) <= 3


@pytest.mark.needs_shared
@pytest.mark.parametrize("engine", ENGINES)
def test_what_survives_on_a_real_plate_is_lonely_and_starlike(shared_data, tmp_path, engine):
    """Four faint dots, unblended, with nothing in Gaia within 20 arcsec: neither halos nor halves of blends."""
    tile = m67(shared_data, tmp_path / "run", engine)
    survivors, known = tile.table("08_filter", "survivors"), tile.table("06_reference", "own")
    fast = known[np.isin(np.asarray(known["ref_id"], str), FAST)]
    assert len(fast) == len(FAST)
    assert 1 <= len(survivors) <= 6
    places = SkyCoord(survivors["ra_deg"], survivors["dec_deg"], unit="deg")
    stars = known[np.asarray(known["mag_ref"]) < 19]
    for others, apart_arcsec in ((fast, 30), (stars, 20)):
        nearest = places.match_to_catalog_sky(SkyCoord(others["ra_deg"], others["dec_deg"], unit="deg"))[1]
        assert nearest.arcsec.min() > apart_arcsec
    assert not np.asarray(survivors["extraction_flags"]).any()


@pytest.mark.needs_shared
def test_a_later_plate_named_after_the_first_survey_is_refused(shared_data, tmp_path):
    image = shared_data / "dss2-not-poss1" / "m51_dss1.fits.gz"
    with pytest.raises(TooManyFailures, match="POSSII-F, not POSSI-E"):
        walk(tmp_path / "run", own_image(image, "embedded"))
    (unit,) = load(tmp_path / "run" / "01_download" / "manifest.failed.json").units
    assert unit.failure.type == "WrongSurvey"


def agreement(one, other):
    """Fraction of the common detections on which the shape cuts of two runs agree, and the common fraction."""
    first, second = (tile.table("08_filter", "flags") for tile in (one, other))
    rows, mates = pair(first, second)
    passed = [(np.asarray(table["flags"]) & SHAPE_CUTS) == 0 for table in (first[rows], second[mates])]
    return np.mean(passed[0] == passed[1]), len(rows) / max(len(first), len(second))


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
@pytest.mark.needs_stilts
@pytest.mark.parametrize("field", ["real", "simulated"])
def test_engines_come_to_the_same_verdicts_with_a_psf_of_their_own(request, tmp_path, field):
    runs = []
    for engine in ("reference", "embedded"):
        if field == "real":
            runs.append(m67(request.getfixturevalue("shared_data"), tmp_path / engine / "run", engine))
        else:
            runs.append(walk(tmp_path / engine / "run", simulated(engine, 31, 200, 40)))
    agreed, common = agreement(*runs)
    assert common >= 0.997
    assert agreed >= 0.97
    survivors = [set(tile.table("08_filter", "survivors")["object_id"].tolist()) for tile in runs]
    assert abs(len(survivors[0]) - len(survivors[1])) <= 1


def spread_differences(image, psf):
    """Median difference of our SPREAD_MODEL from the program's, given the same PSF, in bins of signal to noise."""
    knobs, blank = MeasureParams(engine="reference", spread="native"), np.zeros(image.shape, bool)
    found = sextractor.extract(
        image, blank, knobs, 0.93 * image.max(), extra=sextractor.SPREAD_PARAMETERS, psf=psf
    )  # fmt: skip
    sky = background.split(image, blank, knobs.mesh_px, knobs.mesh_filter)
    model = PsfModel(**psfex.read_model(psf))
    own = measure_psf(sky.subtracted, sky.rms_adu, found["x_px"], found["y_px"], model, gain=knobs.gain)
    difference = own["spread_model"] - np.asarray(found["spread_model"])
    snr, clean = np.asarray(found["snr_win"]), np.asarray(found["extraction_flags"]) == 0
    bins = ((20, 50), (50, 100), (100, 300))
    return [np.median(difference[clean & (snr > low) & (snr <= high)]) for low, high in bins]


@pytest.mark.needs_sextractor
@pytest.mark.needs_psfex
@pytest.mark.parametrize("field", ["real", "simulated"])
def test_spread_model_is_the_programs(request, tmp_path, field):
    if field == "real":
        shared_data = request.getfixturevalue("shared_data")
        settings = own_image(shared_data / "dss1-m67" / "M6707HH.fits.gz", "reference")
    else:
        settings = simulated("reference", 31, 200, 40, width_arcmin=30, height_arcmin=28)
    tile = walk(tmp_path / "run", settings, SURVEY[:5])
    image, _ = fits.read_image(tile.path("02_masks", "clean"))
    psf = tile.path("04_psf", "psf")
    assert np.abs(spread_differences(np.ascontiguousarray(image[:700, :700]), psf)).max() <= 5e-4


@pytest.mark.parametrize(("seed", "ra_deg", "dec_deg"), [(31, 200, 40), (57, 170, 8)])
def test_vanished_sources_of_an_unseen_sky_are_recovered(tmp_path, seed, ra_deg, dec_deg):
    """A tile holds some 15 of them; of so few one may lie on another source."""
    walk(tmp_path / "run", simulated("embedded", seed, ra_deg, dec_deg))
    scores = scorecard.score(tmp_path / "run", seed)
    n_recovered, n_expected = scorecard.recovered_fraction(scores)
    assert n_expected > 10
    assert n_recovered >= 0.95 * n_expected - 1
    reported = {row.label: row.n_found for row in scores}
    flaws = sum(n for label, n in reported.items() if label.startswith("defect"))
    others = sum(reported.values()) - flaws - sum(reported[label] for label in scorecard.RECOVERABLE)
    assert flaws <= 20  # compact flaws as sharp as stars cannot be told from them on one plate
    assert others <= 2


def alone_and_unmasked(tile, truth, x_px, y_px):
    """Mark places on the clean part of a tile with nothing within 12 pixels that shows on the plate."""
    mask = fits.read_mask(tile.path("02_masks", "mask"))
    masked = maximum_filter((mask & bits.mask(*tile.manifest("08_filter").params["masked"])) != 0, 9)
    row, column = (
        np.rint(axis).astype(int).clip(0, size - 1) for axis, size in zip((y_px, x_px), mask.shape, strict=True)
    )
    shown = truth[np.nan_to_num(truth["snr_plate"]) > 3]
    places = cKDTree(np.column_stack([shown["x_px"], shown["y_px"]]))
    distance = places.query(np.column_stack([x_px, y_px]), k=2)[0]
    nearest_other = np.where(distance[:, 0] < 0.01, distance[:, 1], distance[:, 0])
    return (nearest_other > 12) & ~masked[row, column]


def depth(true_snr, x_px, y_px, found):
    """SNR_WIN at which half of the sources pass every cut but those of catalogues, and its error, both in magnitudes.

    What SNR_WIN a source should have is told by those so bright that all are found.
    """
    distance, row = cKDTree(np.column_stack([found["x_px"], found["y_px"]])).query(np.column_stack([x_px, y_px]))
    is_found, snr_win = distance < 2, np.asarray(found["snr_win"], float)[row]
    bright = is_found & (snr_win > 32) & (snr_win < 80)
    expected = np.poly1d(np.polyfit(np.log10(true_snr[bright]), np.log10(snr_win[bright]), 1))(np.log10(true_snr))
    passed = is_found & ((np.asarray(found["flags"])[row] & SHAPE_CUTS) == 0)
    used = (expected > 1.0) & (expected < 1.9)
    curve = measure_curve(-2.5 * expected[used], passed[used], 8)
    return curve.m50_mag, curve.m50_err_mag


@pytest.mark.soak
@pytest.mark.parametrize(("seed", "ra_deg", "dec_deg"), [(31, 200, 40), (57, 170, 8)])
def test_artificial_stars_are_lost_where_the_stars_of_the_sky_are(tmp_path, seed, ra_deg, dec_deg):
    """Completeness against truth: planted stars and those of the simulated sky fade out at the same signal to noise."""
    run = tmp_path / "run"
    tile = walk(run, simulated("embedded", seed, ra_deg, dec_deg, n_planted=400), SURVEY[:10])
    twin = Tile(run, "planted/")
    facts = tile.unit("01_download").facts
    truth = Sky(seed).truth(*(facts[name] for name in ("ra_deg", "dec_deg", "width_arcmin", "height_arcmin")))
    stars, planted = truth[truth["label"] == "star"], twin.table(PLANT, "planted")
    depths = []
    for sources, snr, view in ((stars, "snr_plate", tile), (planted, "snr_true", twin)):
        sources = sources[alone_and_unmasked(tile, truth, sources["x_px"], sources["y_px"])]
        true_snr = np.asarray(sources[snr], float)
        depths.append(depth(true_snr, sources["x_px"], sources["y_px"], view.table("08_filter", "flags")))
    (of_stars, error), (of_planted, planted_error) = depths
    assert abs(of_stars - of_planted) <= 3 * np.hypot(error, planted_error), depths


@pytest.mark.soak
def test_vanished_sources_of_three_hexagons_are_recovered(tmp_path):
    total = np.zeros(2, int)
    for seed, ra_deg, dec_deg in ((20, 150, 20), (57, 200, 40), (83, 30, -20)):
        run = tmp_path / str(seed) / "run"
        walk(run, simulated("embedded", seed, ra_deg, dec_deg, mode="hex30", rings=1))
        total += scorecard.recovered_fraction(scorecard.score(run, seed))
    assert total[0] >= 0.95 * total[1], total
