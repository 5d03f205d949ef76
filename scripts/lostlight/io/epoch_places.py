"""Which HDU of an image file is the image, which its mask and which its noise: by choice, by name, else by content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lostlight.core.errors import BadImage

NAMES: Mapping[str, tuple[str, ...]] = {
    "science": ("SCI", "SCIENCE", "IMAGE", "DATA"),
    "mask": ("MASK", "MSK", "DQ", "BPM", "FLAGS"),
    "variance": ("VARIANCE", "VAR"),
    "sigma": ("UNCERT", "ERR", "ERROR", "SIGMA", "RMS", "STDDEV"),
    "weight": ("WEIGHT", "WHT", "IVAR", "INVVAR"),
}
"""What each kind of plane is called, the better name first."""

NOISE = ("variance", "sigma", "weight")
_NO_NAMES = ("", "PRIMARY", "COMPRESSED_IMAGE")
_HINT = "set planes.science, planes.mask and planes.variance to their names or numbers, or to none"


class Choice(Protocol):
    """What a user can say of the planes of a file: names or numbers of HDUs, `none`, or nothing."""

    science: int | str
    mask: int | str
    variance: int | str
    bad_bits: tuple[int, ...] | None


@dataclass(frozen=True)
class NoChoice:
    """Nothing is said."""

    science: int | str = ""
    mask: int | str = ""
    variance: int | str = ""
    bad_bits: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Places:
    """Numbers of the HDUs that hold the planes of an image; `noise_kind` tells what the noise is."""

    science: int
    mask: int | None = None
    noise: int | None = None
    noise_kind: str = "variance"


def find(hdus: fits.HDUList, choice: Choice, file: str) -> Places:
    """Find the planes of an image.

    Names decide (EXTNAME), of what kind a plane is. Planes without a name are told apart by their pixels: a mask holds
    whole numbers and leaves some pixels unset, a variance is above zero on most.

    Parameters
    ----------
    hdus : HDUList
    choice : Choice
    file : str
        Name of the file, for messages.

    Raises
    ------
    BadImage
        If there is no image, there are several, or mask and variance cannot be told apart.
    """
    images = [number for number, hdu in enumerate(hdus) if is_plane(hdu)]
    science = _chosen(hdus, choice.science, "science", file)
    if science is None:
        science = _science(hdus, images, file)
    shape = _sides(hdus[science])
    rest = [number for number in images if number != science and _sides(hdus[number]) == shape]
    mask, noise = _told(hdus, rest, choice, file)
    for number in (mask, noise):
        if number is not None and _sides(hdus[number]) != shape:
            raise _unclear(f"{file}: HDU {number} has other sides than the image in HDU {science}")
    kinds = (kind for kind in NOISE if noise is not None and _name(hdus[noise]) in NAMES[kind])
    return Places(science, mask, noise, next(kinds, "variance"))


def _told(hdus: fits.HDUList, rest: Sequence[int], choice: Choice, file: str) -> tuple[int | None, int | None]:
    """Find mask and noise: as chosen, else by name, else by content."""
    mask, noise = _chosen(hdus, choice.mask, "mask", file), _chosen(hdus, choice.variance, "variance", file)
    left = [number for number in rest if number not in (mask, noise)]
    by_name = (
        _named(hdus, left, NAMES["mask"]),
        _named(hdus, left, [name for kind in NOISE for name in NAMES[kind]]),
    )
    found = by_name
    if by_name == (None, None) and not (choice.mask and choice.variance):
        found = _by_content(hdus, [number for number in left if _name(hdus[number]) in _NO_NAMES], file)
    return (mask if choice.mask else found[0]), (noise if choice.variance else found[1])


def is_plane(hdu: Any) -> bool:
    """Say whether an HDU holds an image of two axes, none of them empty."""
    if not hdu.is_image:
        return False
    shape = hdu.shape
    return len(shape) >= 2 and min(shape) > 0 and prod(shape[:-2]) == 1


def could_be_mask(plane: NDArray) -> bool:
    """Say whether pixels may be those of a mask: whole numbers, none negative, not all set."""
    with np.errstate(invalid="ignore"):
        whole = bool(np.all((plane >= 0) & (plane == np.floor(plane))))
    return whole and not plane.all()


def could_be_variance(plane: NDArray) -> bool:
    """Say whether pixels may be those of a variance: above zero on most, nowhere below."""
    with np.errstate(invalid="ignore"):
        return bool((plane > 0).mean() > 0.5 and not (plane < 0).any())


def _by_content(hdus: fits.HDUList, numbers: Sequence[int], file: str) -> tuple[int | None, int | None]:
    """Tell mask and variance apart by their pixels."""
    if not numbers:
        return None, None
    if len(numbers) > 2:
        raise _unclear(f"{file}: HDUs {_list(numbers)} have no name (EXTNAME) that tells what they are")
    planes = {number: np.asarray(hdus[number].data) for number in numbers}
    masks = [number for number, plane in planes.items() if could_be_mask(plane)]
    variances = [number for number, plane in planes.items() if could_be_variance(plane)]
    pairs = [(mask, noise) for mask in masks for noise in variances if mask != noise]
    if len(numbers) == 1:
        pairs = [(masks[0], None)] if masks else [(None, variances[0])] if variances else []
    elif not pairs and len(masks) == 2 and not any(plane.any() for plane in planes.values()):
        pairs = [(numbers[0], None)]
    if len(pairs) == 1:
        return pairs[0]
    both = "any of them could be either" if pairs else "none of them is like one"
    raise _unclear(f"{file}: which of HDU {_list(numbers)} is the mask and which the variance? By their pixels, {both}")


def _science(hdus: fits.HDUList, images: Sequence[int], file: str) -> int:
    named = _named(hdus, images, NAMES["science"])
    if named is not None:
        return named
    others = {name for kind, names in NAMES.items() if kind != "science" for name in names}
    left = [number for number in images if _name(hdus[number]) not in others]
    if not left:
        cubes = [
            f", but one of {' x '.join(map(str, hdu.shape))}" for hdu in hdus if hdu.is_image and len(hdu.shape) > 2
        ]
        said = "".join(cubes[:1])
        raise BadImage(f"{file} holds no two-dimensional image{said}", hint="give one plane of pixels", file=file)
    unknown = [number for number in left if _name(hdus[number]) not in _NO_NAMES]
    if len(unknown) > 1:
        names = ", ".join(hdus[number].name for number in unknown)
        raise _unclear(f"{file} holds several images ({names})")
    return left[0]


def _named(hdus: fits.HDUList, numbers: Sequence[int], names: Sequence[str]) -> int | None:
    found = (number for name in names for number in numbers if _name(hdus[number]) == name)
    return next(found, None)


def _chosen(hdus: fits.HDUList, said: int | str, role: str, file: str) -> int | None:
    """Give the number of the HDU that a user names; None where nothing, or `none`, is said."""
    if said == "" or str(said).lower() == "none":
        return None
    wanted = str(said).strip()
    numbers = [
        number
        for number, hdu in enumerate(hdus)
        if (wanted.isdecimal() and number == int(wanted)) or _name(hdu) == wanted.upper()
    ]
    if not numbers or not is_plane(hdus[numbers[0]]):
        known = ", ".join(f"{number} {hdu.name}".strip() for number, hdu in enumerate(hdus) if is_plane(hdu))
        raise _unclear(f"{file} has no image in HDU {said} (planes.{role}); it has {known or 'none'}")
    return numbers[0]


def _name(hdu: Any) -> str:
    return str(hdu.name).strip().upper()


def _sides(hdu: Any) -> tuple[int, ...]:
    return tuple(hdu.shape[-2:])


def _list(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _unclear(said: str) -> BadImage:
    return BadImage(said, hint=_HINT)
