"""Mode stack: all frames at once, on the whole canvas."""

from pathlib import Path

from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import assemble
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.placed import placed
from lostlight.steps.mosaicking.record import Made


def stack(unit: Unit, params: MosaicParams, folder: Path, bench: Bench) -> Made:
    """Combine the frames; scratch files go to `folder`."""
    shape = given.Places.of(unit).canvas.shape
    frames = list(placed(unit, params, folder).values())
    done = assemble(frames, [Window(0, 0, *shape)], shape, bench, folder)
    return Made(done.layer, done.tally)
