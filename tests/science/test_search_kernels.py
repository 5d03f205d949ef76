"""The kernels of the search give the very paths and likelihoods of a search by brute force."""

import tracemalloc

import numpy as np
import pytest
from tests.card import Card

from lostlight.core.errors import ConfigError, ToolMissing
from lostlight.science.search import compiled, raw, tiles
from lostlight.science.search.reference import search_window, shifted
from lostlight.science.search.rules import SearchRules, Window
from lostlight.science.search.search import margin_of, search, search_tables
from lostlight.science.search.velocities import shift_tables, velocity_grid

DAYS = np.array([0.0, 0.03, 0.07, 0.11, 1.0, 1.04, 1.09, 2.0, 2.02, 2.05, 2.9])


@pytest.fixture
def planes():
    """Noise with masked pixels, an image that is masked altogether, and rows that end where no vector does."""
    rng = np.random.default_rng(5)
    shape = (len(DAYS), 43, 61)
    phi = rng.uniform(0.5, 2, shape).astype(np.float32)
    psi = (rng.standard_normal(shape) * np.sqrt(phi)).astype(np.float32)
    gone = rng.random(shape) < 0.1
    gone[4] = True
    psi[gone] = phi[gone] = 0
    return psi, phi


def test_numba_gives_the_paths_of_brute_force(planes):
    """A16: exact argmax, and likelihoods to the bit, beyond the edges and around masked pixels too."""
    v = velocity_grid(0, 1.0, DAYS[-1], 2.5)
    for rules in (SearchRules(6), SearchRules(9, margin_px=3), SearchRules(1, top=4)):
        expected = search(*planes, DAYS, v, rules, backend="reference")
        found = search(*planes, DAYS, v, rules)
        assert found.window == expected.window
        np.testing.assert_array_equal(found.lh, expected.lh)
        np.testing.assert_array_equal(found.velocity, expected.velocity)
    assert np.isneginf(search(*planes, DAYS, v, SearchRules(11)).lh).all(), "no path has the image that is masked"


def test_brute_force_is_the_sum_along_each_path(planes):
    """A16: the reference itself, against a loop over single paths in double precision."""
    psi, phi = planes
    v = np.array([[3.0, -2.0], [0.0, 0.0], [-5.3, 4.9], [11.0, 6.0]])
    peaks = search(psi, phi, DAYS, v, SearchRules(6, margin_px=4), backend="reference")
    middle = (DAYS[0] + DAYS[-1]) / 2
    for y, x in ((0, 0), (20, 33), (42, 60), (-4, 10), (46, 64)):
        scores = []
        for vx, vy in v:
            pixels = [
                (int(np.floor(y + vy * (t - middle) + 0.5)), int(np.floor(x + vx * (t - middle) + 0.5))) for t in DAYS
            ]
            seen = [(t, *at) for t, at in enumerate(pixels) if 0 <= at[0] < 43 and 0 <= at[1] < 61 and phi[t, *at] > 0]
            weight = sum(float(phi[at]) for at in seen)
            scores.append(sum(float(psi[at]) for at in seen) / np.sqrt(weight) if len(seen) >= 6 else -np.inf)
        found = peaks.lh[0, y + 4, x + 4]
        assert found == pytest.approx(max(scores), abs=1e-5)
        assert peaks.velocity[0, y + 4, x + 4] == (np.argmax(scores) if np.isfinite(found) else -1)


def test_uniform_weights_take_a_shorter_way_to_the_same_bits(planes):
    psi = planes[0]
    phi = np.broadcast_to(np.linspace(0.7, 1.9, len(DAYS), dtype=np.float32)[:, None, None], psi.shape).copy()
    v = velocity_grid(0, 0.05, DAYS[-1], 2.5)
    rules = SearchRules(len(DAYS), margin_px=-6)
    found = search(psi, phi, DAYS, v, rules)
    expected = search(psi, phi, DAYS, v, rules, backend="reference")
    batch = tiles.batches(*shift_tables(v, DAYS))[0]
    tile = Window(8, 8, (10, 12))
    memory = np.empty((2, len(DAYS) * tiles._block_size(batch, tile)), np.float32)
    assert tiles._Block(psi, phi, batch, tile, memory).uniform.size == len(DAYS), "or this shows nothing"
    np.testing.assert_array_equal(found.lh, expected.lh)
    np.testing.assert_array_equal(found.velocity, expected.velocity)


def test_threads_and_tiles_change_nothing(planes, monkeypatch):
    v = velocity_grid(0, 1.5, DAYS[-1], 2.0)
    whole = search(*planes, DAYS, v, SearchRules(5, top=2))
    monkeypatch.setattr(tiles, "TILE_ROWS", 16)
    monkeypatch.setattr(tiles, "TILE_COLUMNS", 66)
    monkeypatch.setattr(tiles, "SPREAD", (7, 5))
    monkeypatch.setattr(tiles, "BLOCK_BYTES", 100_000)
    told = []
    pieces = search(*planes, DAYS, v, SearchRules(5, top=2), threads=3, progress=lambda *at: told.append(at))
    np.testing.assert_array_equal(pieces.lh, whole.lh)
    np.testing.assert_array_equal(pieces.velocity, whole.velocity)
    assert told[-1][0] == told[-1][1] == len(told)


def test_a_part_of_the_places_gives_that_part(planes):
    tables = shift_tables(velocity_grid(0, 0.4, DAYS[-1], 2.5), DAYS)
    whole = search_tables(*planes, *tables, SearchRules(6, margin_px=2))
    part = search_tables(*planes, *tables, SearchRules(6), window=Window(11, -2, (9, 30)))
    np.testing.assert_array_equal(part.lh, whole.lh[:, 13:22, :30])
    np.testing.assert_array_equal(part.velocity, whole.velocity[:, 13:22, :30])


def test_a_card_gives_the_same(planes, tmp_path, monkeypatch):
    """A16: CPU and GPU agree to the bit; the kernel runs here on the processor, from its very source."""
    card = Card(tmp_path)
    monkeypatch.setattr(raw, "ROWS", 17)
    v = velocity_grid(0, 0.4, DAYS[-1], 2.5)
    for top in (1, 3):
        rules = SearchRules(6, top)
        expected = search(*planes, DAYS, v, rules)
        dx, dy = shift_tables(v, DAYS)
        found = raw.search_on_card(*planes, dx, dy, expected.window, 6, top, card)
        np.testing.assert_array_equal(found.lh, expected.lh)
        # Of motions that go through the same pixels a card is told of one alone, too.
        same = found.velocity == expected.velocity
        assert all(
            np.array_equal(dx[a], dx[b]) and np.array_equal(dy[a], dy[b])
            for a, b in zip(found.velocity[~same], expected.velocity[~same], strict=True)
        )


def test_without_a_card_the_message_tells_what_to_do(planes):
    with pytest.raises(ToolMissing, match="numba"):
        search(*planes, DAYS, [[1.0, 0.0]], backend="cupy")


def test_planes_may_be_memory_maps(planes, tmp_path):
    psi = np.lib.format.open_memmap(tmp_path / "psi.npy", "w+", np.float32, planes[0].shape)
    psi[:] = planes[0]
    v = velocity_grid(0, 0.4, DAYS[-1], 2.5)
    found = search(np.load(tmp_path / "psi.npy", mmap_mode="r"), planes[1], DAYS, v)
    np.testing.assert_array_equal(found.lh, search(*planes, DAYS, v).lh)


def test_the_margin_is_as_far_as_paths_with_enough_images_reach():
    dx, dy = shift_tables([[10.0, 0.0]], [0.0, 1.0, 2.0, 3.0, 4.0])
    assert margin_of(dx, dy, SearchRules(2)) == 10, "at mid-arc 10 pixels outside, the last two are inside"
    assert margin_of(dx, dy, SearchRules(3)) == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [({"backend": "abacus"}, "abacus"), ({"psi": np.zeros((3, 4, 5))}, "float32"), ({"days": [0.0, 1.0]}, "3 images")],
)
def test_what_does_not_go_together_is_refused(change, match):
    plane = np.zeros((3, 4, 5), np.float32)
    given = {"psi": plane, "phi": plane, "days": [0.0, 1, 2], "velocities": [[0.0, 0.0]], "backend": "numba"} | change
    with pytest.raises(ConfigError, match=match):
        search(given["psi"], given["phi"], given["days"], given["velocities"], backend=given["backend"])


def test_kernels_line_by_line(planes, monkeypatch):
    """The same loops without the compiler."""
    for name, kernel in vars(compiled).copy().items():
        if hasattr(kernel, "py_func"):
            monkeypatch.setattr(compiled, name, kernel.py_func)
    psi, phi = (np.concatenate([plane, plane[:2]])[:, :12, :9].copy() for plane in planes)
    days = np.append(DAYS, [3.0, 3.1])
    v = velocity_grid(0, 0.15, DAYS[-1], 3.0)
    tables = shift_tables(v, days)
    with np.errstate(invalid="ignore", divide="ignore"):
        for top in (1, 2):
            found = search_tables(psi, phi, *tables, SearchRules(5, top, margin_px=1))
            expected = search_tables(psi, phi, *tables, SearchRules(5, top, margin_px=1), backend="reference")
            np.testing.assert_array_equal(found.lh, expected.lh)
    rules, still = SearchRules(5, margin_px=-4), np.zeros((1, len(days)), np.int32)
    for weight in (phi + 0.5, np.ones_like(phi)):
        found = search_tables(psi, weight, still, still, rules)
        expected = search_tables(psi, weight, still, still, rules, backend="reference")
        np.testing.assert_array_equal(found.lh, expected.lh)

    tie = np.zeros((2, 3), np.float32)
    numbers = np.full((2, 3), 7, np.int32)
    compiled.keep_several(np.array([0.0, 1, -1], np.float32), np.ones(3, np.float32), np.int32(3), tie, numbers)
    assert numbers.tolist() == [[3, 3, 7], [7, 7, 7]], "of equals the lower number comes first"


def test_a_window_beyond_a_plane_is_zero():
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(shifted(plane, Window(0, 0, (2, 2)), 3, 2), [[11, 0], [0, 0]])
    assert not shifted(plane, Window(0, 0, (2, 2)), -9, 0).any()


def test_equals_keep_their_order():
    """Of paths that are worth the same the motion with the lower number comes first, whatever comes after."""
    psi = np.zeros((2, 1, 5), np.float32)
    psi[0, 0, 2], psi[1, 0, 1:4] = 1, (3, 3, 9)
    phi = np.ones_like(psi)
    dx = np.array([[0, -1], [0, 0], [0, 1]], np.int32)
    dy = np.zeros_like(dx)
    peaks = search_window(psi, phi, dx, dy, Window(0, 2, (1, 1)), 2, 3)
    assert peaks.velocity[:, 0, 0].tolist() == [2, 0, 1]
    found = search_tables(psi, phi, dx, dy, SearchRules(2, 3))
    assert found.velocity[:, 0, 2 - found.window.x0].tolist() == [2, 0, 1]


def test_memory_does_not_grow_with_the_number_of_motions():
    """Sums of all motions would take 300 MB here; only best paths are kept, and the tables of shifts."""
    rng = np.random.default_rng(3)
    psi = rng.standard_normal((5, 180, 210), np.float32)
    phi, days, peaks = np.ones_like(psi), np.arange(5.0), {}
    for high in (0.5, 2.0):
        v = velocity_grid(0, high, 4.0, 10.0)
        search(psi, phi, days, v)
        tracemalloc.start()
        search(psi, phi, days, v, SearchRules(5))
        peaks[len(v)] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    (few, small), (many, large) = peaks.items()
    assert many > 10 * few
    assert large < small + 100 * 5 * many, "tables alone: some integers for each motion and image"


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(6, 60))])
def test_any_stack_gives_the_paths_of_brute_force(seed):
    """A16: sizes, times, masks and rules drawn at random."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(2, 24)), *map(int, rng.integers(5, 130, 2)))
    phi = rng.uniform(0.5, 2, shape).astype(np.float32) if seed % 2 else np.ones(shape, np.float32)
    psi = (rng.standard_normal(shape) * np.sqrt(phi)).astype(np.float32)
    gone = rng.random(shape) < rng.choice([0, 0.02, 0.3])
    psi[gone] = phi[gone] = 0
    days = np.sort(rng.uniform(0, 3, shape[0]))
    v = rng.uniform(-40, 40, (int(rng.integers(1, 120)), 2))
    rules = SearchRules(int(rng.integers(1, shape[0] + 1)), int(rng.integers(1, 4)), rng.choice([None, 0, 5]))
    found, expected = (search(psi, phi, days, v, rules, backend=name) for name in ("numba", "reference"))
    np.testing.assert_array_equal(found.lh, expected.lh)
    np.testing.assert_array_equal(found.velocity, expected.velocity)
