"""Mode sds: lots, each combined before, to one layer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lostlight.core.errors import NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.io import mosaic_file
from lostlight.science.mosaic.blocks import blocks
from lostlight.science.mosaic.coadd_lots import BYTES, PlacedLot, coadd_lots
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import SHARE, joined
from lostlight.steps.mosaicking.lot import CORNER
from lostlight.steps.mosaicking.record import Made

THRESHOLD, PRIOR = 5.0, 50.0
"""Lots are rejected beyond so many sigma, with so much trust in their inverse variance: as that of so many frames."""


def join_lots(unit: Unit, params: MosaicParams, folder: Path) -> Made:
    """Combine the lots; scratch files go to `folder`."""
    lots = {name: open_lot(path) for name, path in given.given(unit, given.LOT).items()}
    if not lots:
        raise NoWork("no lot has a frame that is used")
    shape = given.Places.of(unit).canvas.shape
    own = Rule(reject=params.combine.lots_reject, low=THRESHOLD, high=THRESHOLD, prior=PRIOR, gradient=0.0, psf=0.0)
    some, lent = list(lots.values()), unit.lent

    parts = list(
        blocks(Window(0, 0, *shape), [lot.window for lot in some], BYTES * some[0].n_channels, SHARE * lent.memory_mb)
    )
    done = joined(
        parts,
        lambda part: coadd_lots(
            some, part, own, threads=lent.threads, memory_mb=(1 - SHARE) * lent.memory_mb, backend=lent.backend
        ),
        len(some),
        some[0].n_channels,
        folder,
    )
    empty = [f"{name} is dropped: {why}" for name, why in given.missing(unit, given.LOT).items()]
    return Made(done.layer, done.tally, _told(unit, lots), empty)


def open_lot(path: Path) -> PlacedLot:
    """Open a lot where it lies on the canvas."""
    stored = mosaic_file.open_lot(path)
    x0, y0 = (int(stored.header[card]) for card in CORNER)
    return PlacedLot(stored.rows, Window(y0, x0, *stored.shape), stored.n_channels)


def _told(unit: Unit, lots: Mapping[str, PlacedLot]) -> list[dict[str, Any]]:
    told = []
    area = np.prod(given.Places.of(unit).canvas.shape)
    for name, lot in lots.items():
        counts = lot.rows("COV", 0, lot.window.height)[0]
        sci = lot.rows("SCI", 0, lot.window.height)
        window = lot.window
        told.append(
            {
                "id": name,
                "n": int(counts.max(initial=0)),
                "coverage": float(np.count_nonzero(counts) / area),
                "window": [window.y0, window.x0, window.height, window.width],
                "gain": [1.0] * lot.n_channels,
                "offset": [0.0] * lot.n_channels,
                "median_after": np.nanmedian(sci, axis=(1, 2)),
                "n_rejected": int(lot.rows("REJ", 0, window.height).sum(dtype=np.int64)),
            }
        )
    return told
