"""Single cases as npz files, without pickles: arrays under the names that other programs of this kind use."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ContractError
from lostlight.io import arrays

NEEDED = ("patch_stack", "X", "Y", "sigma_patch", "timestamps", "plate_scale", "psf_fwhm", "meta_json")


def write(
    path: Path,
    *,
    patch_stack: NDArray,
    x: NDArray,
    y: NDArray,
    sigma_patch: NDArray[np.float64],
    timestamps: NDArray[np.float64],
    plate_scale: float,
    psf_fwhm: NDArray[np.float64],
    meta: Mapping[str, Any],
    truth: NDArray | None = None,
) -> None:
    """Write a case, whole or not at all; equal cases give equal bytes.

    Parameters
    ----------
    path : Path
    patch_stack, x, y : (T, P, P)
        Images, images with the source, and the source alone.
    sigma_patch : (T,) float64
        Noise of a pixel, adu.
    timestamps : (T,) float64
        Hours since the first image.
    plate_scale : float
        Arcsec per pixel.
    psf_fwhm : (T,) float64
        Pixels.
    meta : mapping
        What is known of the case; plain JSON.
    truth : structured array, optional
        Rows of the tables of truth.

    Raises
    ------
    ContractError
        If `meta` is not plain JSON.
    """
    try:
        text = json.dumps(meta, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(f"the meta of a case is not plain JSON: {error}", hint="this is a bug") from error
    content = {
        "patch_stack": patch_stack,
        "X": x,
        "Y": y,
        "sigma_patch": np.asarray(sigma_patch, np.float64),
        "timestamps": np.asarray(timestamps, np.float64),
        "plate_scale": np.float64(plate_scale),
        "psf_fwhm": np.asarray(psf_fwhm, np.float64),
        "meta_json": np.asarray(text),
    }
    arrays.write(path, content if truth is None else {**content, "truth": truth})


def read(path: Path) -> dict[str, Any]:
    """Read a case: the arrays by name, and `meta` as it was given to `write`.

    Raises
    ------
    ContractError
        If it is not such a file: damaged, with pickles, or without one of the arrays.
    """
    content: dict[str, Any] = arrays.read(path)
    missing = [name for name in NEEDED if name not in content]
    if missing:
        raise ContractError(f"{path.name} is not a case: it lacks {', '.join(missing)}", hint="make it again")
    try:
        content["meta"] = json.loads(str(content["meta_json"]))
    except ValueError as error:
        raise ContractError(f"{path.name}: its meta_json is not JSON: {error}", hint="make it again") from error
    return content
