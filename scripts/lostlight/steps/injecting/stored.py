"""Images of a stack that was made before: taken as they are, with what was measured then."""

from typing import Any

import numpy as np

from lostlight.io import stack_store
from lostlight.io.epoch_files import EpochFile
from lostlight.steps.injecting.measured import Measured, number
from lostlight.vocab import bits

NUMBERS = ("mjd_mid", "exptime_s", "sigma_adu", "gain_e_adu", "zero_mag", "fwhm_px")
"""What a store keeps as numbers of each image; all else that is known of it is in its record."""


def is_stored(image: EpochFile) -> bool:
    """Say whether an image is that of a store."""
    return image.layout == "store"


def known_of(image: EpochFile) -> Measured:
    """Give what a store knows of an image; raises ContractError if it cannot be read."""
    store = stack_store.open_store(image.paths["science"])
    known = {**store.images[image.number], **{name: number(store.numbers[name][image.number]) for name in NUMBERS}}
    del known["id"]
    ny, nx = known["shape"]
    marks = store.read("bad", image.number, slice(ny), slice(nx))
    stars, spikes = ((marks & np.uint32(bits.stack(name))) > 0 for name in ("STAR", "SPIKE"))
    mesh, rms_mesh = (store.extra(name, image.number) for name in ("mesh", "rms_mesh"))
    if mesh is None or rms_mesh is None:
        # a registered image has no sky left, and the noise of its pixels is known
        none = np.zeros((1, 1), np.float32)
        return Measured({**known, "from_plane": True}, none, none, stars, spikes)
    return Measured(known, mesh, rms_mesh, stars, spikes)


def sky_of(image: EpochFile) -> dict[str, Any]:
    """Tell how the sky of a store was measured."""
    return dict(stack_store.open_store(image.paths["science"]).attributes["sky"])
