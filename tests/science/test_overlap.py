import numpy as np
import pytest
from astropy.table import Table, vstack

from lostlight.science.vet import overlap
from lostlight.science.vet.dedupe import across_tiles
from lostlight.vocab import bits

NAMES = ("a", "b", "c", "d")


def _tiles(ra0_deg, dec0_deg, seed=4):
    """Four overlapping tiles of two plates that see the same sources, each with its own flags and small offsets."""
    rng = np.random.default_rng(seed)
    cos_dec = max(np.cos(np.radians(dec0_deg)), 0.01)
    east, north = rng.uniform(-0.3, 0.3, (2, 400))
    dec = np.where(np.abs(dec0_deg + north) > 90, 2 * np.sign(dec0_deg) * 90 - dec0_deg - north, dec0_deg + north)
    tiles = {}
    for number, name in enumerate(NAMES):
        inside = (np.abs(east - 0.12 * (number - 1.5)) < 0.12) & (np.abs(north) < 0.2)
        n = int(inside.sum())
        jitter = rng.normal(0, 0.05 / 3600, (2, n))
        tiles[name] = Table(
            {
                "src_id": [f"{name}:{row}" for row in range(n)],
                "plate_id": ["XE1" if number < 3 else "XE2"] * n,
                "ra_deg": (ra0_deg + (east[inside] + jitter[0]) / cos_dec) % 360,
                "dec_deg": np.clip(dec[inside] + jitter[1], -90, 90),
                "edge_distance_px": rng.uniform(0, 100, n).astype("f4"),
                "flags": np.where(rng.random(n) < 0.5, 0, bits.filters("MATCHED")).astype("i4"),
                "n_plates": np.ones(n, "i2"),
                "reason": ["x"] * n,
            }
        )
        for axis in ("ra", "dec"):
            tiles[name][f"{axis}_plate_deg"] = tiles[name][f"{axis}_deg"]
    return tiles


@pytest.mark.parametrize(("ra_deg", "dec_deg"), [(150, 20), (0.0, -30), (0.1, 89.9), (200, -89.8)])
def test_tile_by_tile_is_the_same_as_all_at_once(ra_deg, dec_deg):
    tiles = _tiles(ra_deg, dec_deg)
    whole = across_tiles(vstack([tiles[name] for name in NAMES]))
    parts = vstack([table for _, table in overlap.merged(NAMES, tiles.__getitem__, 0.25, 5.0)])
    assert (np.asarray(whole["flags"]) & bits.filters("DUPLICATE")).any()
    for column in ("src_id", "flags", "n_plates", "reason"):
        np.testing.assert_array_equal(np.asarray(parts[column]), np.asarray(whole[column]))


def test_tiles_far_apart_are_read_twice_only():
    reads = []
    tiles = {"a": _tiles(10, 0)["a"], "b": _tiles(50, 0)["b"], "empty": _tiles(10, 0)["a"][:0]}
    merged = dict(overlap.merged(list(tiles), lambda name: (reads.append(name), tiles[name])[1], 0.25, 5.0))
    assert sorted(reads) == ["a", "a", "b", "b", "empty", "empty"]
    assert [len(merged[name]) for name in tiles] == [len(table) for table in tiles.values()]
