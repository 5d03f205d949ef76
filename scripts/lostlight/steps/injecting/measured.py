"""What is measured of each image, as it passes from unit to unit."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.io import arrays


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of an image: plain values, and its sky.

    Parameters
    ----------
    known : dict
        Plain JSON: `mjd_mid`, `exptime_s`, `sigma_adu`, `gain_e_adu`, `zero_mag` (null where unknown), `fwhm_px`,
        `filter`, `wcs`, `shape`, `psf` (record) and how each was come by.
    mesh, rms_mesh : (my, mx) float32
        Level and noise of the sky in cells, adu.
    sources, spikes : (ny, nx) bool
        Pixels of static sources; and those sharper than any star.
    """

    known: dict[str, Any]
    mesh: NDArray[np.float32]
    rms_mesh: NDArray[np.float32]
    sources: NDArray[np.bool_]
    spikes: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ny, nx = self.known["shape"]
        return int(ny), int(nx)


def write(path: Path, measured: Measured) -> None:
    """Write it; equal content gives equal bytes."""
    text = json.dumps(measured.known, sort_keys=True, allow_nan=False)
    packed = {
        "known": np.frombuffer(text.encode(), np.uint8), "mesh": measured.mesh, "rms_mesh": measured.rms_mesh,
        "sources": np.packbits(measured.sources, axis=1), "spikes": np.packbits(measured.spikes, axis=1),
    }  # fmt: skip
    arrays.write(path, packed)


def read(path: Path) -> Measured:
    """Read what `write` wrote; raises ContractError where the file is not that."""
    packed = arrays.read(path)
    known = json.loads(packed["known"].tobytes())
    sources, spikes = (
        np.unpackbits(packed[name], axis=1, count=known["shape"][1]).astype(bool) for name in ("sources", "spikes")
    )
    return Measured(known, packed["mesh"], packed["rms_mesh"], sources, spikes)


def number(value: float) -> float | None:
    """Give a number as JSON has it: null where it is not known."""
    return float(value) if np.isfinite(value) else None
