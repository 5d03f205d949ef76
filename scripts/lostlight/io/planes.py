"""Pixels, uncertainty and quality of one image in one FITS file that other programs read too.

Primary HDU: pixels. Extensions: UNCERT (float32, one standard deviation), MASK (uint8, 1 where a pixel must not be
used), DQ (uint16, bits named by the cards DQB00, DQB01, ...), and further planes under their own names.
``astropy.nddata.CCDData.read(path)`` takes data, uncertainty and mask, and with ``hdu_flags="DQ"`` the bits as well.
"""

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import plain_fits
from lostlight.io.fits import write_hdus
from lostlight.vocab.bits import DO_NOT_USE, DQ
from lostlight.vocab.calibration import CODES

ALL = ("SCI", "UNCERT", "DQ")

_STRUCTURE = ("BZERO", "BSCALE", "BLANK", "CHECKSUM", "DATASUM", "EXTNAME", "INHERIT", "UTYPE")
_COMPRESSED = {"rice": "RICE_1", "gzip2": "GZIP_2"}
_QUANTUM = 16
"""Rice stores floats in steps of this fraction of the noise."""


class HasPlanes(Protocol):
    """What can be written: pixels, and what travels with them."""

    data: NDArray[np.float32]
    uncert: NDArray[np.float32] | None
    dq: NDArray[np.uint16] | None
    extra: Mapping[str, NDArray[np.generic]]


@dataclass
class StoredPlanes:
    """Planes of a file, under the names of `lostlight.science.calibrate.planes.Planes`."""

    data: NDArray[np.float32]
    uncert: NDArray[np.float32] | None = None
    dq: NDArray[np.uint16] | None = None
    extra: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


def write(
    path: Path,
    content: HasPlanes,
    header: Header | None = None,
    *,
    planes: Collection[str] = ALL,
    dtype: str = "float32",
    compress: str = "none",
    do_not_use: int = DO_NOT_USE,
) -> None:
    """Write planes, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    content : Planes
        Pixels (ny, nx) or (3, ny, nx), with whatever travels with them.
    header : Header, optional
        Cards of the primary HDU, BUNIT among them; those of structure and DATE are dropped.
    planes : collection of str
        SCI, and of UNCERT and DQ what is wanted; MASK comes with DQ, further planes with either.
    dtype : str
        float32 or float64, of the pixels.
    compress : str
        none, rice (pixels and uncertainty in steps of a sixteenth of their noise) or gzip2 (lossless).
    do_not_use : int
        Bits of DQ that make a pixel of MASK 1.
    """
    hdus = [_pixels(content.data.astype(dtype, copy=False), _kept(header), None, compress)]
    unit = hdus[0].header.get("BUNIT", "")
    if content.uncert is not None and "UNCERT" in planes:
        cards = Header({"UTYPE": "StdDevUncertainty", "BUNIT": unit})
        hdus.append(_pixels(content.uncert.astype(np.float32, copy=False), cards, "UNCERT", compress))
    if content.dq is not None and "DQ" in planes:
        mask = ((content.dq & np.uint16(do_not_use)) != 0).view(np.uint8)
        hdus.append(_pixels(mask, Header(), "MASK", compress))
        hdus.append(_pixels(content.dq.astype(np.uint16, copy=False), _meanings(), "DQ", compress))
    if set(planes) != {"SCI"}:
        hdus += [_pixels(np.asarray(plane), Header(), name, compress) for name, plane in content.extra.items()]
    if compress == "none":
        plain_fits.write(path, hdus)
        return
    # a compressed image is a table, which a primary HDU cannot be
    hdus[0].name = "SCI"
    write_hdus(path, fits.HDUList([fits.PrimaryHDU(), *hdus]))


def read(path: Path, without: Collection[str] = ()) -> tuple[StoredPlanes, Header]:
    """Read planes written by `write`, compressed or not, and the header of the pixels.

    Parameters
    ----------
    without : collection of str
        Names of planes that are not wanted.

    Raises
    ------
    BadImage
        CAL111 if the file is not whole or holds no pixels.
    """
    try:
        with _strict(), fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
            first = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2), None)
            if first is None:
                raise ValueError("it holds no image")
            wanted = (hdu for hdu in hdus if hdu is not first and hdu.name not in ("MASK", *without))
            others = {hdu.name: _native(hdu.data) for hdu in wanted if hdu.data is not None}
            data, header = _native(first.data), first.header.copy()
    except (OSError, ValueError, TypeError, IndexError, fits.VerifyError, AstropyUserWarning) as error:
        code = CODES["CAL111"]
        raise BadImage(f"CAL111: {path.name} cannot be read: {error}", hint=code.hint, code=code.code) from error
    return StoredPlanes(data, others.pop("UNCERT", None), others.pop("DQ", None), others), header


@contextmanager
def _strict() -> Iterator[None]:
    """Make an error of the warning that a file breaks off."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*truncated.*", AstropyUserWarning)
        yield


def usable(path: Path) -> tuple[NDArray[np.float32], Header]:
    """Read the pixels of a file of planes for a search: NaN where quality forbids their use, colours averaged.

    Returns
    -------
    data : ndarray, shape (ny, nx), float32
    header : Header

    Raises
    ------
    BadImage
        As `read` does.
    """
    stored, header = read(path)
    with np.errstate(invalid="ignore"):
        data = stored.data.mean(axis=0) if stored.data.ndim > 2 else stored.data
    bad = np.zeros(data.shape, bool) if stored.dq is None else (stored.dq & np.uint16(DO_NOT_USE)) > 0
    for name in ("NAXIS3", "BUNIT"):
        header.remove(name, ignore_missing=True)
    return np.where(bad, np.nan, data).astype(np.float32), header


def _pixels(data: np.ndarray, header: Header, name: str | None, compress: str) -> fits.PrimaryHDU:
    if compress == "none":
        return fits.PrimaryHDU(data, header) if name is None else fits.ImageHDU(data, header, name=name)
    kind = _COMPRESSED[compress]
    if data.dtype.kind == "f":
        # dithered, so that means over many pixels keep their value; the seed is fixed to keep the bytes the same
        dither = {"quantize_level": _QUANTUM, "quantize_method": 1, "dither_seed": 1} if compress == "rice" else {}
        return fits.CompImageHDU(data, header, name=name, compression_type=kind, **(dither or {"quantize_level": 0}))
    return fits.CompImageHDU(data, header, name=name, compression_type=kind)


def _kept(header: Header | None) -> Header:
    kept = Header() if header is None else header.copy(strip=True)
    for name in _STRUCTURE:
        kept.remove(name, ignore_missing=True, remove_all=True)
    return kept


def _meanings() -> Header:
    cards = Header()
    for bit in DQ:
        cards[f"DQB{bit.value.bit_length() - 1:02d}"] = (bit.name, f"bit value {bit.value}")
    return cards


def _native(data: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
