"""Where stacks are searched: on a card, in parts that its memory holds, or on the processor, and what is said of it."""

import logging
import shutil

import numpy as np
import pytest
from astropy.table import Table
from tests.card import Card
from tests.movers_run import PLANT, RECOVER, Outcome, small

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.errors import ConfigError
from lostlight.core.step import Lent
from lostlight.science.search.rules import SearchRules
from lostlight.science.search.velocities import shift_tables
from lostlight.science.stack import card as cards
from lostlight.steps.recovering.bench import Bench

pytestmark = pytest.mark.filterwarnings("ignore")
GPU, AUTO, CPU = (Lent(threads=2, device=device) for device in ("gpu", "auto", "cpu"))
RULES = SearchRules(4, 2)


class Small(Card):
    """A card whose memory holds arrays of so many bytes."""

    def __init__(self, folder, most_bytes):
        super().__init__(folder)
        self.most_bytes, self.refused = most_bytes, 0

    def zeros(self, shape, dtype):
        if np.prod(shape) * 4 > self.most_bytes:
            self.refused += 1
            raise MemoryError(f"{shape}")
        return self.__getattr__("zeros")(shape, dtype)


@pytest.fixture
def there(monkeypatch):
    """Say which card there is."""

    def put(found, why=""):
        monkeypatch.setattr(cards, "_look", lambda: (found, why))
        return found

    return put


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(8)
    phi = rng.uniform(0.5, 2, (6, 71, 53)).astype(np.float32)
    psi = (rng.standard_normal(phi.shape) * np.sqrt(phi)).astype(np.float32)
    gone = rng.random(phi.shape) < 0.05
    psi[gone] = phi[gone] = 0
    return psi, phi, *shift_tables(rng.uniform(-6, 6, (40, 2)), np.arange(6.0))


@pytest.fixture(scope="module")
def expected(given):
    bench = Bench(CPU)
    peaks = bench.search(*given, RULES)
    assert bench.used == ["numba"] and not bench.warnings
    return peaks


def same(one, other):
    assert one.window == other.window
    np.testing.assert_array_equal(one.lh, other.lh)
    np.testing.assert_array_equal(one.velocity, other.velocity)


@pytest.mark.parametrize("lent", [GPU, AUTO], ids=["gpu", "auto"])
def test_a_card_is_used_where_there_is_one(given, expected, there, tmp_path, lent):
    card = there(Card(tmp_path))
    bench = Bench(lent)
    same(bench.search(*given, RULES), expected)
    assert bench.used == ["cupy"] and not bench.warnings and card.launched


def test_without_a_card_auto_is_the_processor(given, expected, there):
    there(None, "CuPy is not installed")
    bench = Bench(AUTO)
    same(bench.search(*given, RULES), expected)
    assert bench.used == ["numba"] and not bench.warnings


def test_rows_that_its_memory_cannot_hold_are_halved(given, expected, there, tmp_path):
    psi, _, dx, dy = given
    rows = 30 + np.ptp(dy)
    card = there(Small(tmp_path, 4 * len(psi) * rows * (expected.window.shape[1] + np.ptp(dx))))
    bench = Bench(GPU)
    same(bench.search(*given, RULES), expected)
    assert bench.used == ["cupy"] and not bench.warnings
    assert len(card.launched) > 2 and card.refused < 4, "a size that was refused is not tried again"


def test_where_its_memory_holds_nothing_the_processor_goes_on(given, expected, there, tmp_path, caplog):
    card = there(Small(tmp_path, 1000))
    bench = Bench(GPU)
    with caplog.at_level(logging.WARNING, logger="lostlight"):
        same(bench.search(*given, RULES), expected)
    refused = card.refused
    same(bench.search(*given, RULES), expected)
    assert bench.used == ["numba"] and card.refused == refused < 8
    assert len(bench.warnings) == 1 and "memory" in bench.warnings[0]
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == bench.warnings


def test_memory_that_the_processor_lacks_is_an_error(given, monkeypatch):
    def none(*_, **__):
        raise MemoryError("all of it")

    monkeypatch.setattr("lostlight.steps.recovering.bench.search_tables", none)
    with pytest.raises(MemoryError, match="all of it"):
        Bench(CPU).search(*given, RULES)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run of step 13."""
    folder = tmp_path_factory.mktemp("movers")
    small(shape=(71, 84), n_epochs=5).write(folder / "frames")
    walk(folder / "frames", folder / "run", (PLANT,), "cpu")
    return folder


def walk(frames, run, steps, device, mode="local"):
    inject = {"images": str(frames), "n": 6}
    recover = {"grid": {"low": 0.2, "high": 1.2}, "mode": mode, "nulls": ["negative"]}
    overlay = {"inject": inject, "recover": recover, "run": {"device": device}}
    return list(chain.walk(configuration.check(overlay), run, steps=steps, workers=1))


def recovered(planted, folder, device, mode):
    """Run step 14 on a copy."""
    shutil.copytree(planted / "run", folder / device)
    (manifest,) = walk(planted / "frames", folder / device, (RECOVER,), device, mode)
    assert not [unit.failure for unit in manifest.units if unit.failure]
    tables = {
        f"{unit.id} {role}": Table.read(manifest.folder / product.path)
        for unit in manifest.units
        for role, product in unit.outputs.items()
        if role in ("movers", "recovered", "candidates", "recoveries")
    }
    return manifest, tables, Outcome(folder / device, {RECOVER: manifest}).report


def test_the_whole_step_gives_the_same_on_a_card(planted, there, tmp_path):
    """A16: candidates, false alarms and recovered sources of a card are those of the processor."""
    card = there(Card(tmp_path))
    (_, ours, told), (_, theirs, said) = (recovered(planted, tmp_path, device, "full") for device in ("cpu", "gpu"))
    assert ours.keys() == theirs.keys() and max(map(len, ours.values())) > 2
    for name, table in ours.items():
        for column in table.colnames:
            one, other = np.asarray(table[column]), np.asarray(theirs[name][column])
            if one.dtype.kind == "f":
                np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4, err_msg=f"{name} {column}")
            else:
                np.testing.assert_array_equal(other, one, err_msg=f"{name} {column}")
    assert (told["search"]["backend"], said["search"]["backend"]) == ("numba", "cupy")
    assert len(card.launched) == 2 + told["n_realisations"], "the search, its null, and each copy searched whole"


def test_without_a_card_the_step_says_so_at_once(planted, there, tmp_path):
    there(None, "CuPy is not installed")
    shutil.copytree(planted / "run", tmp_path / "run")
    with pytest.raises(ConfigError, match="CuPy is not installed"):
        walk(planted / "frames", tmp_path / "run", (RECOVER,), "gpu")
    assert not list((tmp_path / "run" / RECOVER).glob("products/*"))


def test_a_fallback_is_a_warning_of_the_step(planted, there, tmp_path):
    there(Small(tmp_path, 1000))
    manifest, _, told = recovered(planted, tmp_path, "auto", "local")
    warned = {unit.id: said for unit in manifest.units for said in unit.warnings if "on the processor" in said}
    assert len(warned) == 2, "the search and its null"
    assert told["search"]["backend"] == "numba"
