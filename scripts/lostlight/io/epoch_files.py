"""Images of one field as files, of whatever layout: which they are, and the planes and facts of each.

Read are files of one image with or without mask and noise (kbmod's of four HDUs, calibrated frames, plain FITS), sets
of three files whose names tell image, weight and mask (DECam's ooi, oow, ood), kbmod's WorkUnits, and stores of stacks.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, ConfigError
from lostlight.io import epoch_header, epoch_places, epoch_planes, frame_files, frame_list, stack_store, workunit
from lostlight.io.epoch_header import Exposure
from lostlight.io.epoch_places import Choice, NoChoice
from lostlight.io.epoch_planes import Planes
from lostlight.vocab.bits import STACK_BAD, stack

_TRIPLE = re.compile(r"_oo([iwd])_")
_ROLES = {"i": "science", "w": "noise", "d": "mask"}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochFile:
    """An image of a stack, and the files that hold it.

    Parameters
    ----------
    id : str
        Its name: that of the file without suffixes.
    paths : mapping of str to Path
        Files by role: `science`, and of sets of three `noise` and `mask`.
    layout : str
        image, triple, workunit or store.
    number : int
        Of the image in a WorkUnit or store.
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
    """List the images of a folder (not of its subfolders), of a table with a column path, of a WorkUnit or a store.

    A WorkUnit in a folder of images is a stack of its own, and left out.

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
        If a part of a set of three, or a shard of a WorkUnit, is missing.
    """
    if not source.exists():
        raise ConfigError(f"{source} does not exist", hint="name a folder of images, a table of them, or a WorkUnit")
    images = _of_store(source) if stack_store.is_store(source) else _of_files(source)
    if not images:
        raise ConfigError(f"{source.name} holds no image", hint=f"put files ({', '.join(frame_list.SUFFIXES)}) there")
    if n_images is not None and len(images) < n_images:
        raise ConfigError(
            f"{n_images} images are asked for, but {source.name} holds {len(images)}",
            hint="ask for fewer, or add files",
            asked=n_images,
            found=len(images),
        )
    return tuple(images[:n_images])


def filter_of(image: EpochFile) -> str:
    """Read the filter of an image, and no pixels; empty where its header does not tell."""
    if image.layout == "store":
        return str(stack_store.open_store(image.paths["science"]).images[image.number].get("filter", ""))
    with frame_files.opened(image.paths["science"]) as hdus:
        number = next((number for number, hdu in enumerate(hdus) if epoch_places.is_plane(hdu)), 0)
        return epoch_header.filter_name(frame_files.inherited(hdus, number))


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
    NoWCS
        If its sky solution makes no sense.
    """
    said = choice or NoChoice()
    if image.layout == "store":
        return _stored(image)
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
    exposure = epoch_header.exposure(header, file)
    length_said = "" if exposure.exptime_s else "no card tells how long the exposure was; sources leave no trails on it"
    return Image(
        id=image.id,
        science=science,
        variance=variance,
        bad=bad,
        header=header,
        wcs=epoch_header.wcs_text(header, file),
        exposure=exposure,
        gain_e_adu=epoch_header.gain_e_adu(header),
        zero_mag=epoch_header.zero_mag(header),
        filter=epoch_header.filter_name(header),
        psf=planes.psf,
        warnings=tuple(f"{file}: {said}" for said in (*planes.warnings, mask_said, noise_said, length_said) if said),
    )


def _of_files(source: Path) -> list[EpochFile]:
    if source.is_file():
        rows = frame_list.listed(source)
        files = [rows.folder / path for path, _ in rows.rows]
    else:
        files = sorted(path for path in source.iterdir() if path.is_file() and frame_list.is_frame(path.name))
    units = {path: parts for path in files if (parts := workunit.parts(path))}
    shards = {part for parts in units.values() for part in parts}
    single = [path for path in files if path not in units and path not in shards]
    if not single and len(units) == 1:
        return _of_workunit(*next(iter(units.items())))
    if units and not single:
        raise ConfigError(f"{source.name} holds {len(units)} WorkUnits", hint="name one of them")
    for path in units:
        _LOG.warning("%s is a WorkUnit, a stack of its own, and left out of %s", path.name, source.name)
    plain = [
        EpochFile(frame_list.stem(path.name), {"science": path}) for path in single if not _TRIPLE.search(path.name)
    ]
    return sorted([*plain, *_triples(single)], key=lambda image: image.id)


def _of_workunit(path: Path, parts: Sequence[Path]) -> list[EpochFile]:
    stem, digits = frame_list.stem(path.name), len(str(len(parts) - 1))
    return [
        EpochFile(f"{stem}-{number:0{digits}d}", {"science": part}, "workunit", number)
        for number, part in enumerate(parts)
    ]


def _of_store(path: Path) -> list[EpochFile]:
    records = stack_store.open_store(path).images
    return [EpochFile(str(record["id"]), {"science": path}, "store", k) for k, record in enumerate(records)]


def _stored(image: EpochFile) -> Image:
    """Read an image of a store of stacks."""
    store, number = stack_store.open_store(image.paths["science"]), image.number
    numbers = {name: float(values[number]) for name, values in store.numbers.items()}
    record = store.images[number]
    ny, nx = record.get("shape", store.shape[1:])
    science, variance, bad = (store.read(name, number, slice(ny), slice(nx)) for name in stack_store.PLANES)
    return Image(
        id=image.id,
        science=science,
        variance=None if np.isnan(variance).all() else variance,
        bad=bad,
        header=Header(),
        wcs=str(record.get("wcs", "")),
        exposure=Exposure(numbers["mjd_mid"], "mid", numbers["exptime_s"]),
        gain_e_adu=numbers["gain_e_adu"],
        zero_mag=numbers["zero_mag"],
        filter=str(record.get("filter", "")),
    )


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
