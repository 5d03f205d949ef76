"""A stack as science sees it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostlight.io import stack_store
from lostlight.io.epoch_header import wcs_of
from lostlight.io.stack_store import Stack
from lostlight.science.epochs.background import level
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.psf import from_record
from lostlight.vocab.bits import STACK_BAD


def opened(path: Path, gain_e_adu: float | None = None) -> tuple[Stack, Epochs]:
    """Open a stack, with another gain if one is given; raises ContractError if it cannot be read."""
    store = stack_store.open_store(path)
    numbers, records = store.numbers, store.images
    epochs = Epochs(
        ids=tuple(str(record["id"]) for record in records),
        shape=store.shape[1:],
        mjd_mid=numbers["mjd_mid"],
        exptime_s=numbers["exptime_s"],
        wcs=tuple(wcs_of(str(record["wcs"])) for record in records),
        psfs=tuple(from_record(record["psf"]) for record in records),
        sigma_adu=numbers["sigma_adu"] * noise_gain(store),
        gain_e_adu=np.full(len(records), gain_e_adu) if gain_e_adu else numbers["gain_e_adu"],
        zero_mag=numbers["zero_mag"],
        scale=numbers["scale"],
        filters=tuple(str(record["filter"]) for record in records),
        is_psf_measured=tuple(record.get("psf_source") != "fallback" for record in records),
    )
    return store, epochs


def noise_gain(store: Stack) -> NDArray[np.float64]:
    """Give the factor by which the flux of a point is noisier than its pixels tell, (T,).

    It is 1 but for images that were resampled before, whose pixels share their noise with their neighbours.
    """
    return np.array([float(record.get("noise_gain", 1)) for record in store.images])


def sky(store: Stack, image: int) -> NDArray[np.float32]:
    """Give the sky of an image, (ny, nx) float32, adu; of its own size, which may be less than that of the stack."""
    mesh = store.extra("mesh", image)
    ny, nx = store.images[image]["shape"]
    return level(mesh, (int(ny), int(nx))) if mesh is not None else np.zeros((ny, nx), np.float32)


def is_bad(store: Stack, image: int) -> NDArray[np.bool_]:
    """Tell which pixels of an image hold no measurement, (H, W) bool."""
    return (store.read("bad", image) & STACK_BAD) > 0
