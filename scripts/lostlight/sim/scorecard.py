"""How a run on the simulated sky compares with the truth: planted, recovered, and falsely reported."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.table import Table, vstack
from scipy.spatial import cKDTree

from lostlight.core.manifest import load
from lostlight.io import fits, tables
from lostlight.science.detect.catalogue import mask_bits_under
from lostlight.sim.sky import Sky
from lostlight.vocab import bits

RECOVERABLE = ("vanished_A", "vanished_B", "vanished_D", "vanished_E")
"""Classes that are on the plate and in no later catalogue; class C appeared later and is on no plate."""

SNR_MIN = 15.0
_REACH_PX = 3.0


class Score(NamedTuple):
    """One line of the scorecard.

    `n_planted` sources of the class are on the plates; `n_expected` of them are outside masks and above the
    signal to noise where recovery is promised; `n_recovered` of those survived, and `n_found` of all.
    """

    label: str
    n_planted: int
    n_expected: int
    n_recovered: int
    n_found: int


def score(run_folder: Path, seed: int) -> list[Score]:
    """Compare the survivors of a run with the truth of its sky, class by class.

    Classes that a perfect search would not report (stars, galaxies, flaws, asteroids) have nothing expected; what
    was found of them, and ``nothing`` for survivors where the truth has no entry, are the false positives.

    Parameters
    ----------
    run_folder : Path
        A run on the simulated sky, finished up to step 08.
    seed : int
        Which sky.
    """
    truth = _truth(run_folder, Sky(seed))
    rows = [_tally(truth, label) for label in (*RECOVERABLE, *_others(truth["label"]))]
    return [row for row in rows if row.label in RECOVERABLE or row.n_found]


def recovered_fraction(scores: Iterable[Score]) -> tuple[int, int]:
    """Sum what was recovered and what was expected over the classes."""
    kept = [row for row in scores if row.label in RECOVERABLE]
    return sum(row.n_recovered for row in kept), sum(row.n_expected for row in kept)


def _truth(run_folder: Path, sky: Sky) -> Table:
    """Every true object on the tiles, once, with what became of it; and the survivors that are nothing."""
    downloaded, masked, filtered = (
        load(run_folder / step_id / "manifest.json") for step_id in ("01_download", "02_masks", "08_filter")
    )
    tiles = {unit.id: unit.facts for unit in downloaded.ok()}
    masks = {unit.id: masked.product(unit, "mask") for unit in masked.ok()}
    cut = bits.mask(*filtered.params["masked"])  # type: ignore[misc]
    parts = []
    for unit in filtered.ok():
        tile = tiles[unit.id]
        shape = (tile["ra_deg"], tile["dec_deg"], tile["width_arcmin"], tile["height_arcmin"])
        survivors = tables.read(filtered.product(unit, "survivors"))
        parts.append(_one_tile(sky.truth(*shape), survivors, fits.read_mask(masks[unit.id]) & cut))
    return _once(vstack(parts, metadata_conflicts="silent"))


def _one_tile(truth: Table, survivors: Table, masked: np.ndarray) -> Table:
    x_px, y_px = (
        np.clip(truth[name], 0, size - 1) for name, size in zip(("x_px", "y_px"), masked.shape[::-1], strict=True)
    )
    kept = truth["truth_id", "label", "snr_plate"]
    # As the second pass has it: a source whose core touches the mask is masked.
    kept["is_masked"] = mask_bits_under(masked, x_px, y_px, np.full(len(truth), _REACH_PX)) != 0
    kept["is_found"] = False
    nearest, n_nothing = _nearest(truth, survivors)
    kept["is_found"][nearest] = True
    for number in range(n_nothing):
        kept.add_row([f"nothing-{survivors['src_id'][0]}-{number}", "nothing", 0.0, False, True])
    return kept


def _nearest(truth: Table, survivors: Table) -> tuple[np.ndarray, int]:
    """Rows of the truth that the survivors are, the brightest within reach; and how many survivors are nothing."""
    if not len(survivors):
        return np.array([], dtype=int), 0
    tree = cKDTree(np.column_stack([truth["x_px"], truth["y_px"]]))
    found = tree.query_ball_point(np.column_stack([survivors["x_px"], survivors["y_px"]]), _REACH_PX)
    rows = [max(near, key=lambda i: truth["snr_plate"][i]) for near in found if near]
    return np.array(rows, dtype=int), sum(not near for near in found)


def _once(truth: Table) -> Table:
    """One row per true object; where tiles overlap the better view counts."""
    order = np.lexsort((truth["is_masked"], ~truth["is_found"], truth["truth_id"]))
    ordered = truth[order]
    _, first = np.unique(ordered["truth_id"], return_index=True)
    return ordered[first]


def _others(labels: np.ndarray) -> list[str]:
    return sorted(set(map(str, labels)) - set(RECOVERABLE))


def _tally(truth: Table, label: str) -> Score:
    here = truth[truth["label"] == label]
    expected = (here["snr_plate"] > SNR_MIN) & ~here["is_masked"] & (label in RECOVERABLE)
    return Score(
        label=label,
        n_planted=len(here),
        n_expected=int(expected.sum()),
        n_recovered=int((expected & here["is_found"]).sum()),
        n_found=int(here["is_found"].sum()),
    )
