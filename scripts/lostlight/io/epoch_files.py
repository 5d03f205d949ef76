"""Images of one field as files, of whatever layout: which they are, and the planes and facts of each.

Read are files of one image with or without mask and noise (kbmod's of four HDUs, calibrated frames, plain FITS), sets
of three files whose names tell image, weight and mask (DECam's ooi, oow, ood), and kbmod's WorkUnits.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, ConfigError
from lostlight.io import epoch_header, epoch_planes, frame_list, workunit
from lostlight.io.epoch_header import Exposure
from lostlight.io.epoch_places import Choice, NoChoice
from lostlight.io.epoch_planes import Planes
from lostlight.vocab.bits import STACK_BAD, stack

_TRIPLE = re.compile(r"_oo([iwd])_")
_ROLES = {"i": "science", "w": "noise", "d": "mask"}


@dataclass(frozen=True)
class EpochFile:
    """An image of a stack, and the files that hold it.

    Parameters
    ----------
    id : str
        Its name, unique among those listed together.
    paths : mapping of str to Path
        Files by role: `science`, and of sets of three `noise` and `mask`.
    layout : str
        image, triple or workunit.
    number : int
        Of the image in a WorkUnit.
    """

    id: str
    paths: Mapping[str, Path]
    layout: str = "image"
    number: int = 0


@dataclass(frozen=True, eq=False)
class Image:
    """An image of a stack as its file has it.

    Parameters
    ----------
    id : str
    science : (ny, nx) float32
        adu; NaN where the file has no number.
    variance : (ny, nx) float32 or None
        adu squared; NaN where it holds no measurement.
    bad : (ny, nx) uint32
        Bits of `lostlight.vocab.bits.STACK`.
    header : Header
    wcs : str
        Cards of the sky solution, empty where there is none; see `epoch_header.wcs_of`.
    exposure : Exposure
    gain_e_adu, zero_mag : float
        NaN where unknown.
    filter : str
    psf : (ky, kx) float64 or None
        Profile of a point that came with the image.
    warnings : tuple of str
        What was not as it should be, in sentences.
    """

    id: str
    science: NDArray[np.float32]
    variance: NDArray[np.float32] | None
    bad: NDArray[np.uint32]
    header: Header
    wcs: str
    exposure: Exposure
    gain_e_adu: float
    zero_mag: float
    filter: str
    psf: NDArray[np.float64] | None = None
    warnings: tuple[str, ...] = field(default=())


def listed(source: Path, n_images: int | None = None) -> tuple[EpochFile, ...]:
    """List the images of a folder (not of its subfolders), of a table with a column path, or of one file.

    Parameters
    ----------
    source : Path
    n_images : int, optional
        Take this many, the first by name.

    Raises
    ------
    ConfigError
        If there are none, or fewer than asked for.
    BadImage
        If a part of a set of three is missing.
    """
    if not source.exists():
        raise ConfigError(f"{source} does not exist", hint="name a folder of images, a table of them, or a WorkUnit")
    files = _files(source)
    found = (*_triples(files), *(image for path in files if not _TRIPLE.search(path.name) for image in _images(path)))
    ordered = tuple(sorted(found, key=lambda image: (image.id, image.number)))
    if not ordered:
        raise ConfigError(f"{source.name} holds no image", hint=f"put files ({', '.join(frame_list.SUFFIXES)}) there")
    if n_images is not None and len(ordered) < n_images:
        raise ConfigError(
            f"{n_images} images are asked for, but {source.name} holds {len(ordered)}",
            hint="ask for fewer, or add files",
            asked=n_images,
            found=len(ordered),
        )
    return ordered[:n_images]


def read(image: EpochFile, choice: Choice | None = None) -> Image:
    """Read an image with what belongs to it.

    Masks and variances that say nothing (all pixels set, none above zero) are taken for absent, with a warning. Pixels
    that are not finite, and those whose variance is not above zero, are BAD.

    Parameters
    ----------
    image : EpochFile
    choice : Choice, optional
        Which HDU holds what; by default names tell, else contents.

    Raises
    ------
    BadImage
        If a file is damaged, holds no image or several, or no pixel of it is good.
    BadDate
        If no card holds its time.
    """
    said = choice or NoChoice()
    if image.layout == "workunit":
        planes = workunit.read_image(image.paths["science"], image.number)
    elif image.layout == "triple":
        planes = epoch_planes.read_three(image.paths, said)
    else:
        planes = epoch_planes.read(image.paths["science"], said)
    return _finished(image, planes, said)


def _finished(image: EpochFile, planes: Planes, choice: Choice) -> Image:
    """Bring mask and noise to one form, and read the header."""
    file = image.paths["science"].name
    header, science = planes.header, planes.science
    bad, mask_said = epoch_planes.bad_pixels(planes, choice.bad_bits)
    variance, noise_said = epoch_planes.variance_of(planes)
    bad[~np.isfinite(science)] |= np.uint32(stack("BAD"))
    if variance is not None:
        bad[np.isnan(variance)] |= np.uint32(stack("BAD"))
    with np.errstate(invalid="ignore"):
        bad[science >= epoch_header.saturation_adu(header)] |= np.uint32(stack("SATURATED"))
    if ((bad & np.uint32(STACK_BAD)) != 0).all():
        raise BadImage(f"{file} has no good pixel", hint="leave it out, or set planes.bad_bits", file=file)
    return Image(
        id=image.id,
        science=science,
        variance=variance,
        bad=bad,
        header=header,
        wcs=epoch_header.wcs_text(header),
        exposure=epoch_header.exposure(header, file),
        gain_e_adu=epoch_header.gain_e_adu(header),
        zero_mag=epoch_header.zero_mag(header),
        filter=epoch_header.filter_name(header),
        psf=planes.psf,
        warnings=tuple(f"{file}: {said}" for said in (*planes.warnings, mask_said, noise_said) if said),
    )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        found = frame_list.listed(source)
        return [found.folder / path for path, _ in found.rows]
    return sorted(path for path in source.iterdir() if path.is_file() and frame_list.is_frame(path.name))


def _images(path: Path) -> Sequence[EpochFile]:
    stem, n_images = frame_list.stem(path.name), workunit.n_images(path)
    if n_images:
        digits = len(str(n_images - 1))
        paths = {"science": path}
        return [EpochFile(f"{stem}-{number:0{digits}d}", paths, "workunit", number) for number in range(n_images)]
    return [EpochFile(stem, {"science": path})]


def _triples(files: Sequence[Path]) -> list[EpochFile]:
    sets: dict[str, dict[str, Path]] = {}
    for path in files:
        if part := _TRIPLE.search(path.name):
            key = frame_list.stem(path.name[: part.start()] + path.name[part.end() - 1 :])
            sets.setdefault(key, {})[_ROLES[part[1]]] = path
    for paths in sets.values():
        if "science" not in paths:
            path = next(iter(paths.values()))
            raise BadImage(f"{path.name} has no image beside it (…_ooi_…)", hint="add it, or take this file away")
    return [EpochFile(key, paths, "triple") for key, paths in sets.items()]
