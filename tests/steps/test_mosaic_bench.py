"""Where blocks are combined: on a card, on parts of it that its memory holds, or on the processor, and what is said."""

import logging
import sys
import types

import numpy as np
import pytest
from astropy.io import fits
from tests.mosaic_run import STEP, make, take
from tests.mosaic_scene import levelled

from lostlight.core.errors import ConfigError
from lostlight.core.params import MosaicParams
from lostlight.core.step import Lent
from lostlight.science.mosaic.window import Window
from lostlight.science.stack import card as cards
from lostlight.science.stack.card import card
from lostlight.steps.mosaicking.assembling import assemble
from lostlight.steps.mosaicking.bench import Bench

pytestmark = pytest.mark.filterwarnings("ignore")
GPU, AUTO, CPU = (Lent(memory_mb=64, backend="numpy", device=device) for device in ("gpu", "auto", "cpu"))


class OutOfMemory(MemoryError):
    """As that of CuPy."""


class Namespace:
    """NumPy in the place of a card whose memory holds arrays of so many bytes."""

    def __init__(self, most_bytes=np.inf):
        self.most_bytes, self.refused, self.sizes = most_bytes, 0, []

    def __getattr__(self, name):
        return getattr(np, name)

    def full(self, shape, value, dtype=None):
        made = np.full(shape, value, dtype)
        if made.nbytes > self.most_bytes:
            self.refused += 1
            raise OutOfMemory(f"{made.nbytes} bytes")
        self.sizes.append(shape[-2:])
        return made


@pytest.fixture(scope="module")
def frames():
    found = levelled(5, layout=(1, 2), tile_px=(121, 150), n_per_tile=3, n_stars=150, dither_px=4, cosmics=20)
    return found.placed(), found.canvas.shape


@pytest.fixture
def there(monkeypatch):
    """Say which card there is."""

    def put(found, why=""):
        monkeypatch.setattr(cards, "_look", lambda: (found, why))
        return found

    return put


def combined(frames, bench, folder):
    placed, shape = frames
    return assemble(placed, [Window(0, 0, *shape)], shape, bench, folder)


def same(one, other):
    for name in ("sci", "wht", "cov", "rej"):
        np.testing.assert_allclose(getattr(one.layer, name), getattr(other.layer, name), rtol=1e-5, err_msg=name)
    for name in ("low", "high", "valid"):
        assert (getattr(one.tally, name) == getattr(other.tally, name)).all()


@pytest.fixture(scope="module")
def expected(frames, tmp_path_factory):
    bench = Bench(MosaicParams(), CPU)
    done = combined(frames, bench, tmp_path_factory.mktemp("cpu"))
    assert bench.device == "cpu" and not bench.warnings and done.tally.high.sum() > 10
    return done


@pytest.mark.parametrize("lent", [GPU, AUTO], ids=["gpu", "auto"])
def test_a_card_is_used_where_there_is_one(frames, expected, there, tmp_path, lent):
    space = there(Namespace())
    bench = Bench(MosaicParams(), lent)
    same(combined(frames, bench, tmp_path), expected)
    assert bench.device == "gpu" and not bench.warnings and space.sizes


def test_without_a_card_auto_is_the_processor(frames, expected, there, tmp_path):
    there(None, "CuPy is not installed")
    bench = Bench(MosaicParams(), AUTO)
    done = combined(frames, bench, tmp_path)
    assert np.array_equal(done.layer.sci, expected.layer.sci, equal_nan=True)
    assert bench.device == "cpu" and not bench.warnings


@pytest.mark.parametrize("parts", [3, 20])
def test_blocks_that_its_memory_cannot_hold_are_halved(frames, expected, there, tmp_path, parts):
    placed, shape = frames
    space = there(Namespace(4 * len(placed) * shape[0] * shape[1] / parts))
    bench = Bench(MosaicParams(), GPU)
    same(combined(frames, bench, tmp_path), expected)
    assert bench.device == "gpu" and not bench.warnings
    assert len(space.sizes) > parts
    assert space.refused < 2 * np.log2(4 * parts), "a size that was refused is not tried again"


def test_where_its_memory_holds_nothing_the_processor_goes_on(frames, expected, there, tmp_path, caplog):
    space = there(Namespace(100))
    bench = Bench(MosaicParams(), GPU)
    with caplog.at_level(logging.WARNING, logger="lostlight"):
        done = combined(frames, bench, tmp_path)
    assert np.array_equal(done.layer.sci, expected.layer.sci, equal_nan=True)
    assert bench.device == "cpu" and not space.sizes
    assert space.refused < 12
    assert len(bench.warnings) == 1 and "memory" in bench.warnings[0]
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == bench.warnings


def test_memory_that_runs_out_halfway(frames, expected, there, tmp_path):
    space = there(Namespace())
    bench = Bench(MosaicParams(), GPU)
    placed, shape = frames
    halves = [Window(0, 0, 50, shape[1]), Window(50, 0, shape[0] - 50, shape[1])]
    (first,) = bench.work(placed, halves[0], shape)
    space.most_bytes = 0
    rest = list(bench.work(placed, halves[1], shape))
    assert bench.device == "gpu" and bench.used == {"cpu", "gpu"} and len(bench.warnings) == 1
    for window, done in (first, *rest):
        np.testing.assert_allclose(done.layer.sci, expected.layer.sci[:, *window.slices], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"combine": {"reject": "gesd"}}, "rejection gesd"), ({"warp": {"kernel": "drizzle"}}, "kernel drizzle")],
)
def test_what_no_card_can_do_is_done_by_the_processor(there, changes, named, caplog):
    there(Namespace())
    with caplog.at_level(logging.WARNING, logger="lostlight"):
        bench = Bench(MosaicParams.model_validate(changes), AUTO)
    assert bench.card is None
    assert bench.warnings == [f"combined on the processor: {named} is not made for graphics cards"]
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == bench.warnings


@pytest.fixture
def cupy(monkeypatch):
    """Put something in the place of the package."""

    def put(module):
        monkeypatch.setitem(sys.modules, "cupy", module)
        cards._look.cache_clear()

    yield put
    cards._look.cache_clear()


def package(count):
    class CUDARuntimeError(RuntimeError):
        pass

    def get_device_count():
        if count is None:
            raise CUDARuntimeError("cudaErrorInsufficientDriver")
        return count

    runtime = types.SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=get_device_count)
    return types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))


def test_a_card_is_found(cupy):
    there = package(1)
    cupy(there)
    assert card("auto") is card("gpu") is there
    assert card("cpu") is None


@pytest.mark.parametrize(
    ("module", "why"),
    [(None, "CuPy is not installed"), (package(None), "cudaErrorInsufficientDriver"), (package(0), "finds no card")],
)
def test_a_card_that_must_be_there_and_is_not(cupy, module, why):
    cupy(module)
    assert card("auto") is None
    with pytest.raises(ConfigError, match=why) as caught:
        card("gpu")
    assert "run.device is gpu" in caught.value.message
    assert "lostlight[gpu]" in caught.value.hint


@pytest.fixture(scope="module")
def lights(tmp_path_factory):
    return take(tmp_path_factory.mktemp("lights") / "frames", cosmics=3.0)


def test_without_a_card_the_step_says_so_at_once(lights, there, tmp_path):
    there(None, "CuPy is not installed")
    outcome = make(lights, tmp_path / "run", policy={"device": "gpu"})
    assert isinstance(outcome.error, ConfigError) and "CuPy is not installed" in str(outcome.error)
    assert not list(outcome.folder.glob("*.npz"))


@pytest.mark.parametrize("mode", [{}, {"mode": "sds", "lots": {"min": 2, "target": 3}}, {"mode": "grid"}], ids=str)
def test_the_whole_step(lights, there, tmp_path, mode):
    there(Namespace())
    ours, theirs = (make(lights, tmp_path / device, policy={"device": device}, **mode) for device in ("cpu", "gpu"))
    assert (ours.error, theirs.error) == (None, None)
    for plane in ("SCI", "WHT"):
        np.testing.assert_allclose(theirs.plane(plane), ours.plane(plane), rtol=1e-5)
    told = [outcome.metrics["mosaic"] for outcome in (ours, theirs)]
    assert [each["device"] for each in told] == ["cpu", "gpu"]
    assert {key for key in told[0] if told[0][key] != told[1][key]} == {"device", "report_id"}
    for lot in theirs.folder.glob("*.lot.fits"):
        assert fits.getval(lot, "DEVICE") == "gpu"


def test_another_device_makes_nothing_anew(lights, there, tmp_path):
    run = tmp_path / "run"
    receipts = []
    for device in ("cpu", "gpu"):
        there(Namespace())
        make(lights, run, policy={"device": device})
        receipts.append({path.name: path.stat().st_mtime_ns for path in (run / STEP / "units").glob("*.json")})
    assert receipts[0] == receipts[1]


def test_a_fallback_is_a_warning_of_the_step(lights, there, tmp_path):
    there(Namespace(100))
    outcome = make(lights, tmp_path / "run", policy={"device": "gpu"})
    assert [said for said in outcome.warnings if "combined on the processor" in said]
    assert outcome.metrics["mosaic"]["device"] == "cpu"
