"""WorkUnits, the files of kbmod: all images of a stack in one FITS file, with variance, mask and PSF of each.

Primary header: NUMIMG. For each image i the HDUs SCI_i, VAR_i, MSK_i (above zero where a pixel must not be used) and
PSF_i; its MJD (the middle of the exposure) in SCI_i; its WCS there or, as JSON, in the table IMG_META. In shards the
HDUs of image i are in a file of their own, `i_<name>`, beside the one with the tables.
"""

import gzip
import json
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import bintable, epoch_places, frame_files, plain_fits
from lostlight.io.epoch_planes import Planes, whole_numbers
from lostlight.io.stack_store import Stack
from lostlight.vocab.bits import STACK_BAD

_WCS_COLUMN = "_WCSSTR_per_image_wcs"
_CONFIG = {"num_obs": "3"}


@dataclass(frozen=True, eq=False)
class WorkImage:
    """An image to be written: pixels (ny, nx) and their variance, where they are bad, its PSF, time and sky.

    `mjd_mid` is the middle of the exposure (UTC), `psf` has odd sides and unit sum, `wcs` is text as of `wcs_text`.
    """

    science: NDArray[np.float32]
    variance: NDArray[np.float32]
    is_bad: NDArray[np.bool_]
    psf: NDArray[np.float64]
    mjd_mid: float
    wcs: str = ""


def parts(path: Path) -> list[Path]:
    """Give the file of each image of a WorkUnit; none of any other file.

    Raises
    ------
    BadImage
        If a shard is missing.
    """
    shards = [path.with_name(f"{number}_{path.name}") for number in range(_n_images(path))]
    if not shards or not shards[0].exists():
        return [path] * len(shards)
    missing = [shard.name for shard in shards if not shard.exists()]
    if missing:
        raise BadImage(f"{path.name} lacks its shard {missing[0]}", hint="copy it beside the others", file=path.name)
    return shards


def read_image(path: Path, number: int) -> Planes:
    """Read an image of a WorkUnit, counted from 0.

    Raises
    ------
    BadImage
        If the file is damaged or the image is not in it.
    """
    with frame_files.opened(path, whole=True) as hdus:
        names = [name for name in ("SCI", "VAR", "MSK", "PSF") if f"{name}_{number}" in hdus]
        planes = {name: hdus[f"{name}_{number}"] for name in names}
        for name in dict.fromkeys(("SCI", *names)):
            if name not in planes or not epoch_places.is_plane(planes[name]):
                said = f"{path.name} holds no image {name}_{number}"
                raise BadImage(said, hint="write the WorkUnit again", file=path.name)
        header = frame_files.inherited(hdus, hdus.index_of(f"SCI_{number}"))
        if "CTYPE1" not in header:
            header.update(_wcs_of_table(hdus, number))
        return Planes(
            science=frame_files.pixels(planes["SCI"]),
            header=header,
            mask=whole_numbers(planes["MSK"], path.name) if "MSK" in planes else None,
            noise=frame_files.pixels(planes["VAR"]) if "VAR" in planes else None,
            psf=np.array(planes["PSF"].data, np.float64) if "PSF" in planes else None,
        )


def write(path: Path, images: Iterable[WorkImage], n_images: int, config: Mapping[str, str] = _CONFIG) -> None:
    """Write a WorkUnit, whole or not at all; equal images give equal bytes.

    Parameters
    ----------
    path : Path
    images : iterable of WorkImage
        They may be made one by one: one at a time is held.
    n_images : int
    config : mapping of str to str
        Settings of a search by kbmod, as YAML.
    """
    settings = [bintable.Field(name, np.array([value])) for name, value in config.items()]
    plain_fits.write(path, _hdus(images, n_images), [bintable.table(settings, {"EXTNAME": "KBMOD_CONFIG"})])


def images_of(
    stack: Stack, psfs: Sequence[NDArray[np.float64]], sky: Callable[[int], NDArray[np.float32]] | None = None
) -> Iterator[WorkImage]:
    """Take the images of a stack one by one, to be written as a WorkUnit.

    Parameters
    ----------
    stack : Stack
    psfs : sequence of (ky, kx) float64
        Profile of a point on each image, with odd sides and unit sum.
    sky : callable, optional
        Gives the sky (H, W) of an image by its number, to be taken off: kbmod searches images without one.
    """
    for number, psf in enumerate(psfs):
        science, variance = stack.read("science", number), stack.read("variance", number)
        noise = float(stack.numbers["sigma_adu"][number]) ** 2
        yield WorkImage(
            science=science if sky is None else science - sky(number),
            variance=np.where(np.isnan(variance), np.float32(noise), variance),
            is_bad=(stack.read("bad", number) & np.uint32(STACK_BAD)) != 0,
            psf=psf,
            mjd_mid=float(stack.numbers["mjd_mid"][number]),
            wcs=str(stack.images[number].get("wcs", "")),
        )


def _hdus(images: Iterable[WorkImage], n_images: int) -> Iterator[fits.PrimaryHDU | fits.ImageHDU]:
    yield fits.PrimaryHDU(header=Header({"NUMIMG": n_images, "NCON": n_images, "REPRJCTD": False}))
    for number, image in enumerate(images):
        cards = Header.fromstring(image.wcs, sep="\n") if image.wcs else Header()
        for axis in ("NAXIS1", "NAXIS2"):
            cards.remove(axis, ignore_missing=True)
        cards["MJD"] = (image.mjd_mid, "[d] middle of the exposure, UTC")
        cards["NIND"], cards["IND_0"] = 1, number
        yield fits.ImageHDU(image.science, cards, name=f"SCI_{number}")
        yield fits.ImageHDU(image.variance, name=f"VAR_{number}")
        yield fits.ImageHDU(image.is_bad.astype(np.uint8), name=f"MSK_{number}")
        yield fits.ImageHDU(image.psf.astype(np.float32), name=f"PSF_{number}")


def _n_images(path: Path) -> int:
    """Count the images that the primary header tells of; 0 of a file that is no WorkUnit, or damaged."""
    try:
        with gzip.open(path) if frame_files.is_gzip(path) else path.open("rb") as stream:
            if stream.read(6) != b"SIMPLE":
                return 0
            stream.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)
                number = Header.fromfile(stream).get("NUMIMG", 0)
    except (OSError, EOFError, ValueError, zlib.error, fits.VerifyError):
        return 0  # damage is told by whoever reads it
    return number if isinstance(number, int) and number > 0 else 0


def _wcs_of_table(hdus: fits.HDUList, number: int) -> dict[str, object]:
    """Give the cards of the WCS that the table of images holds for one of them; none where it holds none."""
    rows = hdus["IMG_META"].data if "IMG_META" in hdus else None
    if rows is None or _WCS_COLUMN not in rows.names or number >= len(rows):
        return {}
    try:
        return {key: value for key, value in json.loads(rows[_WCS_COLUMN][number]).items() if key[:5] != "NAXIS"}
    except (ValueError, AttributeError):
        return {}
