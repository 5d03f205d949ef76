"""The planes of an image as its file has them, and what its mask and its noise come to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import epoch_places, frame_files
from lostlight.io.epoch_places import Choice
from lostlight.vocab.bits import stack

_MASK_PLANE = re.compile(r"MP_(\w+)")
"""Cards of LSST's masks: the number of the bit that has this name."""
_HARMLESS = frozenset({
    "DETECTED", "DETECTED_NEGATIVE", "INEXACT_PSF", "INJECTED", "INJECTED_CORE", "INJECTED_TEMPLATE", "NOT_DEBLENDED",
})  # fmt: skip
_MEANINGS = {"SAT": "SATURATED", "NO_DATA": "NO_DATA"}


@dataclass(frozen=True, eq=False)
class Planes:
    """Pixels of an image, its mask and its noise, all of shape (ny, nx), and the header of the image.

    `noise_kind` is variance, sigma or weight; `psf` the profile of a point, if it comes with the image.
    """

    science: NDArray[np.float32]
    header: Header
    mask: NDArray | None = None
    mask_header: Mapping[str, Any] = field(default_factory=dict)
    noise: NDArray[np.float32] | None = None
    noise_kind: str = "variance"
    psf: NDArray[np.float64] | None = None
    warnings: tuple[str, ...] = ()


def read(path: Path, choice: Choice) -> Planes:
    """Read the planes of a file of one image; raises as `epoch_places.find` does, and if the file is damaged."""
    with frame_files.opened(path, whole=True) as hdus:
        places = epoch_places.find(hdus, choice, path.name)
        header = frame_files.inherited(hdus, places.science)
        mask = None if places.mask is None else hdus[places.mask]
        noise = None if places.noise is None else frame_files.pixels(hdus[places.noise])
        return _exchanged(
            Planes(
                frame_files.pixels(hdus[places.science]),
                header,
                None if mask is None else whole_numbers(mask, path.name),
                {} if mask is None else dict(mask.header),
                noise,
                places.noise_kind,
            )
        )


def read_three(paths: Mapping[str, Path], choice: Choice) -> Planes:
    """Read image, noise (a weight: one over variance) and mask from a file each.

    Raises
    ------
    BadImage
        If a file is damaged, or its planes have other sides than the image.
    """
    path = paths["science"]
    with frame_files.opened(path, whole=True) as hdus:
        place = epoch_places.find(hdus, choice, path.name).science
        planes = Planes(frame_files.pixels(hdus[place]), frame_files.inherited(hdus, place))
        name = hdus[place].name
    if (mask := paths.get("mask")) is not None:
        with frame_files.opened(mask, whole=True) as hdus:
            hdu = _beside(hdus, name, place, planes.science.shape, mask.name)
            planes = replace(planes, mask=whole_numbers(hdu, mask.name), mask_header=dict(hdu.header))
    if (noise := paths.get("noise")) is not None:
        with frame_files.opened(noise, whole=True) as hdus:
            hdu = _beside(hdus, name, place, planes.science.shape, noise.name)
            planes = replace(planes, noise=frame_files.pixels(hdu), noise_kind="weight")
    return planes


def whole_numbers(hdu: Any, file: str) -> NDArray[np.uint32]:
    """Read the pixels of a mask; raises BadImage where they are no whole numbers of 32 bits."""
    plane = np.asarray(hdu.data).reshape(hdu.shape[-2:])
    if plane.dtype.kind in "iu" and plane.dtype.itemsize <= 4:
        # the highest bit of a signed number is one as any other
        return plane.astype(plane.dtype.newbyteorder("=")).view(f"u{plane.dtype.itemsize}").astype(np.uint32)
    with np.errstate(invalid="ignore"):
        is_whole = (plane >= 0) & (plane < 2**32) & (plane == np.floor(plane))
    if not is_whole.all():
        raise BadImage(
            f"{file}: the mask, {hdu.name or 'without a name'}, holds {plane[~is_whole][0]}, which is no set of bits",
            hint="set planes.mask to the mask, or to none",
            file=file,
        )
    return plane.astype(np.uint32)


def bad_pixels(planes: Planes, bad_bits: tuple[int, ...] | None = None) -> tuple[NDArray[np.uint32], str]:
    """Turn a mask into bits of `lostlight.vocab.bits.STACK`.

    Parameters
    ----------
    planes : Planes
    bad_bits : tuple of int, optional
        Numbers, from 0, of the bits that make a pixel bad. By default all do but those that the header names and that
        stand for light (LSST's DETECTED and the like).

    Returns
    -------
    bad : (ny, nx) uint32
        BAD, SATURATED or NO_DATA.
    warning : str
        Empty, or that the mask was passed over since all of it is set.
    """
    bad = np.zeros(planes.science.shape, np.uint32)
    if planes.mask is None:
        return bad, ""
    for bits, name in _bits(planes.mask_header, bad_bits):
        bad[(planes.mask & np.uint32(bits)) != 0] |= np.uint32(stack(name))
    if (bad != 0).all():
        return np.zeros_like(bad), "its mask is set on all pixels; it is passed over"
    return bad, ""


def variance_of(planes: Planes) -> tuple[NDArray[np.float32] | None, str]:
    """Turn noise of any kind into a variance.

    Returns
    -------
    variance : (ny, nx) float32 or None
        NaN where it is not above zero; None if that is so everywhere.
    warning : str
        Empty, or that there is no variance though there is a plane for it.
    """
    noise = planes.noise
    if noise is None:
        return None, ""
    with np.errstate(all="ignore"):
        variance = {"variance": noise, "sigma": noise * noise, "weight": 1 / noise}[planes.noise_kind]
        variance = np.where((noise > 0) & np.isfinite(variance), variance, np.float32(np.nan)).astype(np.float32)
    if np.isnan(variance).all():
        return None, f"its {planes.noise_kind} is nowhere above zero; it is passed over"
    return variance, ""


def _exchanged(planes: Planes) -> Planes:
    """Exchange mask and variance where their names are those of each other."""
    mask, noise = planes.mask, planes.noise
    if mask is None or noise is None or planes.noise_kind != "variance" or noise.any() or not mask.all():
        return planes
    said = "its mask is set on all pixels and its variance is zero: they are taken for each other"
    return replace(
        planes,
        mask=noise.astype(np.uint32),
        mask_header={},
        noise=mask.astype(np.float32),
        warnings=(*planes.warnings, said),
    )


def _bits(header: Mapping[str, Any], bad_bits: tuple[int, ...] | None) -> list[tuple[int, str]]:
    """Give the bits of a mask that count, and what each means on a stack."""
    if bad_bits is not None:
        return [(1 << bit, "BAD") for bit in bad_bits if 0 <= bit < 32]
    named = {
        found[1]: 1 << int(number)
        for card, number in header.items()
        if (found := _MASK_PLANE.fullmatch(str(card))) and isinstance(number, int) and 0 <= number < 32
    }
    harmless = sum(bit for name, bit in named.items() if name in _HARMLESS or name in _MEANINGS)
    return [(0xFFFFFFFF & ~harmless, "BAD")] + [
        (named[name], meaning) for name, meaning in _MEANINGS.items() if name in named
    ]


def _beside(hdus: fits.HDUList, name: str, place: int, shape: tuple[int, ...], file: str) -> Any:
    """Find the HDU that goes with the image: of its name, else at its place."""
    named = [hdu for hdu in hdus if name and hdu.name == name and epoch_places.is_plane(hdu)]
    here = [hdus[place]] if place < len(hdus) and epoch_places.is_plane(hdus[place]) else []
    for hdu in (*named, *here):
        if tuple(hdu.shape[-2:]) == tuple(shape):
            return hdu
    sides = " x ".join(map(str, shape[::-1]))
    raise BadImage(
        f"{file} holds no plane of {sides} pixels for the image {name or place}", hint="check the files", file=file
    )
