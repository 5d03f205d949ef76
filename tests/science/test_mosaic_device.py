"""Blocks combined as on a graphics card: equal to those of the processor, whatever arrays they are made of."""

import shutil

import array_api_strict as strict
import numpy as np
import pytest
from tests.card import Card
from tests.mosaic_scene import levelled

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.coadd import coadd
from lostlight.science.mosaic.coadd_device import coadd_on, uncovered
from lostlight.science.mosaic.warp.warp import WarpRules
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule

DESIGN = {"layout": (2, 2), "tile_px": (141, 167), "overlap": 0.35, "n_stars": 250, "cosmics": 40, "rotation_deg": 8}
pytestmark = pytest.mark.filterwarnings("ignore:.*datfix")
SHRUNK, TOLERANCE = Rule(reject="shrunk"), 1e-5
RULES = [
    Rule(), Rule("median"), Rule("median", "shrunk", low=2.5), Rule(reject="shrunk", grow=1), Rule(reject="sigma"),
    Rule(reject="mad", low=4, high=4),
]  # fmt: skip


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is absent")
    return Card(tmp_path_factory.mktemp("card"))


@pytest.fixture(params=["numpy", "strict", "card"])
def xp(request):
    """NumPy, an array type that has nothing but the standard, and kernels of a card compiled for the processor."""
    return {"numpy": np, "strict": strict}.get(request.param) or request.getfixturevalue("card")


def scene(n_per_tile=3, channels=1, **more):
    found = levelled(3, n_per_tile=n_per_tile, channels=channels, trails=1, **DESIGN, **more)
    return found.placed(), found.canvas.shape


def with_holes(frames):
    """Frames with borders of NaN and bad pixels, as step 11 leaves them."""
    rng = np.random.default_rng(5)
    for frame in frames:
        image = frame.rows(0, frame.shape[0]).copy()
        image[:, :7], image[:, :, -5:] = np.nan, np.nan
        image[:, rng.random(frame.shape) < 0.004] = np.nan
        image[0, 40:44, 50:53] = np.nan
        object.__setattr__(frame, "rows", lambda y0, y1, image=image: image[:, y0:y1])
    return frames


def both(xp, frames, shape, rule=SHRUNK, warp_rules=None, window=None):
    window, warp_rules = window or Window(0, 0, *shape), warp_rules or WarpRules()
    ours = coadd(frames, window, shape, warp_rules, rule, backend="numpy")
    with np.errstate(all="ignore"):
        return ours, coadd_on(xp, frames, window, shape, warp_rules, rule)


def agree(ours, theirs):
    for name in ("cov", "rej"):
        assert (getattr(ours.layer, name) == getattr(theirs.layer, name)).all(), name
    for name in ("low", "high", "valid"):
        assert (getattr(ours.tally, name) == getattr(theirs.tally, name)).all(), name
    planes = {name: (getattr(ours.layer, name), getattr(theirs.layer, name)) for name in ("sci", "wht")}
    for name, (one, other) in {**planes, "wsum": (ours.wsum, theirs.wsum)}.items():
        assert other.dtype == np.float32
        scale = np.nanmedian(abs(one))
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=name)


@pytest.mark.parametrize("kernel", ["cubic", "lanczos3"])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_mosaics_are_those_of_the_processor(xp, channels, kernel):
    frames, shape = scene(channels=channels)
    ours, theirs = both(xp, with_holes(frames), shape, warp_rules=WarpRules(kernel, edge_px=2, jacobian="variable"))
    assert ours.tally.high.sum() > 100 and (ours.layer.cov.max() == 12)
    agree(ours, theirs)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.combine} {rule.reject} {rule.grow}")
def test_rules(xp, rule):
    frames, shape = scene()
    agree(*both(xp, frames, shape, rule))


@pytest.mark.parametrize("n_frames", [1, 2])
def test_few_frames(xp, n_frames):
    frames, shape = scene()
    ours, theirs = both(xp, with_holes(frames)[:n_frames], shape)
    assert ours.layer.cov.max() == n_frames
    agree(ours, theirs)


def test_more_frames_than_a_kernel_holds(card):
    frames, shape = scene()
    many = (frames * 6)[:66]
    before = len(card.launched)
    ours, theirs = both(card, many, shape, window=Window(90, 110, 61, 47))
    agree(ours, theirs)
    assert set(card.launched[before:]) == {"warp"}


def test_any_window_gives_the_same_bits(xp):
    frames, shape = scene()
    frames = with_holes(frames)
    with np.errstate(all="ignore"):
        whole, part = (
            coadd_on(xp, frames, window, shape, WarpRules(), SHRUNK, threads=threads)
            for window, threads in ((Window(0, 0, *shape), 1), (Window(83, 61, 37, 53), 3))
        )
    inside = (slice(None), *Window(83, 61, 37, 53).slices)
    for one, other in ((whole.layer.sci, part.layer.sci), (whole.layer.wht, part.layer.wht), (whole.wsum, part.wsum)):
        assert np.array_equal(one[inside], other, equal_nan=True)


def test_kernels_of_the_card_do_the_work(card):
    frames, shape = scene()
    before = len(card.launched)
    both(card, frames, shape, window=Window(90, 110, 61, 47))
    assert card.launched[before:].count("warp") == len(frames)
    assert card.launched[-2:] == ["middle_16", "combine_16"]


def test_a_window_without_frames(xp):
    frames, _ = scene()
    _, theirs = both(xp, frames, (5000, 5000), window=Window(4000, 4000, 13, 17))
    assert np.isnan(theirs.layer.sci).all() and not theirs.wsum.any()


@pytest.mark.parametrize(
    ("warp_rules", "rule", "named"),
    [
        (WarpRules("drizzle"), SHRUNK, "drizzle"),
        (WarpRules(), Rule(reject="gesd"), "gesd"),
        (WarpRules(), Rule("aawa"), "aawa"),
    ],
)
def test_what_a_card_cannot_do_is_named(warp_rules, rule, named):
    assert named in uncovered(warp_rules, rule)
    frames, shape = scene()
    with pytest.raises(ConfigError, match=named):
        coadd_on(np, frames, Window(0, 0, 20, 20), shape, warp_rules, rule)


def test_what_a_card_can_do():
    for kernel in ("cubic", "lanczos3", "linear", "nearest"):
        assert uncovered(WarpRules(kernel), SHRUNK) == ""


def test_of_each_frame_its_pixels_are_sent_once_and_as_they_are(card):
    frames, shape = scene(channels=3)
    card.sent.clear()
    both(card, frames, shape, warp_rules=WarpRules("lanczos3"), window=Window(90, 110, 61, 47))
    images = [each for each in card.sent if each.ndim == 3]
    assert len(images) == len(frames)
    assert {(each.dtype.name, len(each)) for each in images} == {("float32", 3)}
    assert sum(each.nbytes for each in card.sent) < 1.5 * sum(each.nbytes for each in images)
