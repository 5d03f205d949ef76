"""The steps of polishing: what each takes, what it leaves, and that the planes stay together."""

import numpy as np
import pytest
from scipy import ndimage

from lostlight.core.errors import BadImage
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.polish.altaz import smooth_rim
from lostlight.science.mosaic.polish.coverage_cut import typical_weight, well_covered
from lostlight.science.mosaic.polish.polish import PolishRules, polish
from lostlight.science.mosaic.window import Window

OFF = PolishRules(min_rel=0, min_abs=1, open_px=0, erode_px=0, crop="none", noise=None)


def layer(cov, channels=1, sigma=5.0):
    """A mosaic in which every frame counts alike; its image tells where each pixel was."""
    wht = np.repeat((cov / sigma**2)[None], channels, 0).astype(np.float32)
    place = np.arange(cov.size, dtype=np.float32).reshape(cov.shape)
    sci = np.where(wht > 0, place, np.nan).astype(np.float32)
    return Layer(sci, wht, cov.astype(np.uint16), (cov // 4).astype(np.uint16))


def two_by_two(tile=300, overlap=99, depth=100, pad=16):
    side = 2 * tile - overlap
    cov = np.zeros((side + 2 * pad, side + 2 * pad + 7), int)
    for y in (pad, pad + tile - overlap):
        for x in (pad, pad + tile - overlap):
            cov[y : y + tile, x : x + tile] += depth
    return cov


def turning(n=40, size=(260, 380), canvas=(481, 507), span_deg=25):
    """Coverage of frames that turn about their middle."""
    y, x = np.indices(canvas) - np.array([240, 250])[:, None, None]
    cov = np.zeros(canvas, int)
    for angle in np.radians(np.linspace(0, span_deg, n)):
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        cov += (np.abs(u) < size[1] / 2) & (np.abs(v) < size[0] / 2)
    return cov


@pytest.mark.parametrize("depth", [1, 2, 100])
@pytest.mark.parametrize("pad", [0, 16])
def test_two_by_two_tiles_keep_their_area(depth, pad):
    cov = two_by_two(depth=depth, pad=pad)
    found, crop, report = polish(layer(cov), PolishRules())
    assert report.covered_px == np.count_nonzero(cov)
    assert report.kept_px > 0.97 * report.covered_px
    assert found.shape == crop.shape
    assert report.cut_px == report.noise_px == report.crop_px == 0


def test_everything_off_changes_nothing():
    cov = two_by_two()
    before, given = layer(cov), layer(cov)
    found, crop, report = polish(given, OFF)
    for name in ("sci", "wht", "cov", "rej"):
        np.testing.assert_array_equal(getattr(found, name), getattr(before, name))
    assert crop == Window(0, 0, *cov.shape)
    assert report.kept_px == report.covered_px == np.count_nonzero(cov)


def test_planes_stay_together_and_pixels_stay_themselves():
    cov = two_by_two()
    cov[18:60, 18:60] = 0
    whole = layer(cov, channels=3)
    place = whole.sci.copy()
    found, crop, report = polish(layer(cov, channels=3), PolishRules())
    known = found.cov > 0
    np.testing.assert_array_equal(found.sci[:, known], place[:, *crop.slices][:, known])
    np.testing.assert_array_equal(np.isfinite(found.sci[1]), known)
    np.testing.assert_array_equal(found.wht[2] > 0, known)
    assert not found.rej[~known].any()
    assert known.sum() == report.kept_px
    assert known.any(axis=0).all()
    assert known.any(axis=1).all()


def test_the_counts_add_up():
    cov = turning()
    cov[5:9, 5:9] = 3
    report = polish(layer(cov), PolishRules(min_abs=2, crop="inscribed"))[2]
    taken = report.cut_px + report.altaz_px + report.noise_px + report.crop_px
    assert report.covered_px - taken == report.kept_px
    assert min(report.cut_px, report.altaz_px, report.crop_px) > 0
    plain = report.plain()
    assert plain["crop"] == [report.crop.y0, report.crop.x0, report.crop.height, report.crop.width]
    assert plain["kept_px"] == report.kept_px


def test_coverage_cut_is_by_the_median_weight():
    cov = two_by_two(depth=100)
    cov[16:50, 16:50] = 10
    keep = well_covered(layer(cov), 0.15, 1)
    np.testing.assert_array_equal(keep, cov >= 0.15 * np.median(cov[cov > 0]))
    np.testing.assert_array_equal(well_covered(layer(cov), 0, 11), cov >= 11)


def test_one_channel_without_weight_is_enough_to_go():
    given = layer(np.full((20, 30), 8), channels=3)
    given.wht[2, :5] = 0.01
    assert well_covered(given, 0.15, 1).sum() == 15 * 30


def test_typical_weight_of_few_rows():
    weight = np.zeros((3001, 2000), np.float32)
    weight[1] = 7
    assert typical_weight(weight) == 7
    assert typical_weight(np.zeros((4, 5), np.float32)) == 0


def test_teeth_go_and_holes_do_not_grow():
    covered = np.zeros((200, 260), bool)
    covered[40:160, 40:220] = True
    covered[10:40, 100:104] = True  # a tooth
    covered[70:72, 90:92] = covered[100, 40:220] = False  # bad pixels and a bad row
    covered[5:9, 5:9] = True  # a scrap
    keep = smooth_rim(covered, 3, 2)
    wanted = np.zeros_like(covered)
    wanted[42:158, 42:218] = True
    wanted &= covered
    assert np.count_nonzero(keep ^ wanted) < 60
    assert not keep[:38].any()
    assert not (keep & ~covered).any()
    assert keep[100 - 1].sum() > 170


def test_turning_frames_get_a_smooth_rim_but_keep_nearly_all():
    cov = turning(n=9)
    keep = smooth_rim(cov > 0, 3, 2)
    assert keep.sum() > 0.97 * np.count_nonzero(cov)
    y, x = np.mgrid[-3:4, -3:4]
    disc = y**2 + x**2 <= 4
    assert (ndimage.binary_opening(keep, disc) == keep).mean() > 0.999


def test_rim_left_alone():
    covered = np.random.default_rng(1).random((40, 50)) < 0.5
    np.testing.assert_array_equal(smooth_rim(covered, 0, 0), covered)


def test_scraps_of_half_a_percent_go_but_two_fields_both_stay():
    covered = np.zeros((200, 300), bool)
    covered[10:90, 10:110] = covered[110:190, 150:290] = True
    covered[10:18, 250:260] = True
    keep = smooth_rim(covered, 3, 0)
    assert not keep[:100, 200:].any()
    assert keep[50, 50]
    assert keep[150, 200]


def test_noisy_rows_become_unknown_even_without_a_crop():
    cov = np.full((300, 350), 100)
    cov[:32] = 20
    found, crop, report = polish(layer(cov), PolishRules(crop="none", erode_px=0, open_px=0))
    assert crop == Window(0, 0, 300, 350)
    assert report.noise_px == 32 * 350
    assert np.isnan(found.sci[:, :32]).all()
    assert not found.cov[:32].any()


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (PolishRules(min_abs=500), "min_abs"),
        (PolishRules(open_px=90), "open_px"),
        (PolishRules(erode_px=100), "erode_px"),
    ],
)
def test_nothing_left_is_said_with_the_knob(rules, named):
    with pytest.raises(BadImage, match=named):
        polish(layer(np.full((90, 120), 3)), rules)


def test_a_mosaic_without_any_pixel():
    with pytest.raises(BadImage, match="nothing"):
        polish(layer(np.zeros((20, 30), int)), PolishRules())


class Again:
    """A second pass whose residuals are known beforehand; each shifts the image by one."""

    def __init__(self, *residuals):
        self.residuals, self.seen = list(residuals), []

    def __call__(self, given):
        self.seen.append(given)
        before, after = self.residuals.pop(0)
        return Layer(given.sci + 1, given.wht.copy(), given.cov.copy(), given.rej.copy()), before, after


@pytest.mark.parametrize(
    ("residuals", "shift", "rounds"),
    [
        ([(0.3, 0.1), (0.1, 0.05), (0.05, 0.01)], 2, 2),
        ([(0.3, 0.1), (0.1, 0.1)], 1, 2),
        ([(0.3, 0.4)], 0, 1),
        ([(0.3, np.nan)], 0, 1),
    ],
)
def test_a_second_pass_is_taken_only_while_it_helps(residuals, shift, rounds):
    cov = two_by_two()
    again = Again(*residuals)
    found, crop, report = polish(layer(cov), OFF, again)
    before = layer(cov)
    np.testing.assert_array_equal(found.sci, before.sci[:, *crop.slices] + shift)
    assert len(report.rounds) == rounds
    assert report.plain()["rounds"][0] == pytest.approx(list(residuals[0]), nan_ok=True)


def test_the_second_pass_sees_the_cut_mosaic_and_brings_nothing_back():
    cov = np.full((60, 70), 100)
    cov[:10] = 2
    again = Again((0.2, 0.1), (0.1, 0.2))
    found, _, report = polish(layer(cov), PolishRules(open_px=0, erode_px=0, noise=None), again)
    assert np.isnan(again.seen[0].sci[:, :10]).all()
    assert report.cut_px == 10 * 70
    assert found.shape == (50, 70)


def test_memory_mapped_planes(tmp_path):
    given = layer(two_by_two())
    mapped = {}
    for name in ("sci", "wht", "cov", "rej"):
        np.save(tmp_path / f"{name}.npy", getattr(given, name))
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r+")
    found, _, report = polish(Layer(**mapped), PolishRules())
    wanted, _, other = polish(given, PolishRules())
    np.testing.assert_array_equal(found.sci, wanted.sci)
    assert report == other
