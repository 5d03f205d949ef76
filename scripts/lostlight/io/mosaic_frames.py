"""The frames of a mosaic as files: which there are, what their headers say, and any rows of their pixels.

Thousands of frames can be open at once: none holds a file descriptor or pixels in memory.
"""

import hashlib
import re
import tempfile
import weakref
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, ConfigError
from lostlight.io import frame_files, frame_list, raw_camera, stored, tiff
from lostlight.io.stored import Stored
from lostlight.vocab.bits import DO_NOT_USE

_BEGINNING = 1 << 17
"""Bytes of a file that are compared before the whole is."""
_CODE = re.compile(r"^CAL\d+: ")
_KNOB = re.compile(r"\bcalibrate\.(?=frames\b|on_bad_frame\b)")


@dataclass(frozen=True, eq=False)
class FrameFile:
    """A calibrated frame whose rows are read when they are asked for.

    Pixels that must not be used are NaN: what is not finite, BLANK, and what step 11 marked so. Reading is safe from
    several threads.
    """

    header: Header
    """Header of the image, with what the primary one says of all extensions."""
    hdu: int
    pixels: Stored
    """Where they lie, in the file or in one they were unpacked to."""
    forbidden: Stored | None = None
    """Where the marks of step 11 lie."""
    bits: int = 0
    """Marks of pixels that must not be used."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape

    @property
    def n_channels(self) -> int:
        """Number of colours, 1 or 3."""
        return self.pixels.n_planes

    def rows(self, y0: int = 0, y1: int | None = None) -> NDArray[np.float32]:
        """Read rows y0 up to, not including, y1: shape (n_channels, y1 - y0, nx), float32.

        Raises
        ------
        BadImage
            If the file is not there any more, or has become shorter.
        """
        y0, y1, _ = slice(y0, y1).indices(self.shape[0])
        out = np.empty((self.n_channels, max(y1 - y0, 0), self.shape[1]), np.float32)
        with stored.opened(self.pixels.path) as descriptor:
            for channel in range(self.n_channels):
                self.pixels.read(descriptor, y0, y1, out[channel], channel)
            if self.forbidden is not None:
                marks = np.empty(out.shape[1:], np.float32)
                self.forbidden.read(descriptor, y0, y1, marks)
                out[:, marks.astype(np.int64) & self.bits > 0] = np.nan
        return out


def listed(source: str) -> list[tuple[str, Path]]:
    """List the files of a folder with its subfolders, or of a table with a column ``path``, by id.

    The id is the name without suffix; where two are the same their folders are added, and a number if that is not
    enough. ``tiles:<seed>`` names simulated frames.

    Raises
    ------
    ConfigError
        If there is no such folder or table, or no frame in it.
    """
    with _words():
        found = frame_list.listed(frame_list.resolve(source))
    names = [name for name, _ in found.rows]
    return [(frame_id, found.folder / name) for frame_id, name in zip(_ids(names), names, strict=True)]


def duplicates(paths: Iterable[Path]) -> list[list[Path]]:
    """Find files of the same content, whatever their names: a frame would count twice.

    Files that cannot be read are of no other's content. Of files of one size only the beginning is compared, and all
    of it where that is the same too.
    """
    same: dict[Hashable, list[Path]] = {0: list(paths)}
    for measure in (_size, _start, _digest):
        finer: dict[Hashable, list[Path]] = defaultdict(list)
        for key, some in same.items():
            for path in some:
                finer[key, measure(path)].append(path)
        same = {key: some for key, some in finer.items() if len(some) > 1}
    return list(same.values())


def headers(path: Path) -> list[tuple[int, Header]]:
    """Read the header of every image in a file, of one plane or three, by HDU; see `frame_files.headers`.

    Where some of several images have a sky solution, the others are taken for planes that belong to them: masks and
    variances often have no name.
    """
    with _words():
        found = frame_files.headers(path, colour=True)
    return [(hdu, header) for hdu, header in found if "CTYPE1" in header] or found


def open_frame(path: Path, hdu: int = 0, folder: Path | None = None) -> FrameFile:
    """Open one image of a file.

    Plain images are read from where they lie; packed ones (gzip, compressed tiles, TIFF, raw) are unpacked once, to a
    temporary file that goes with the frame.

    Parameters
    ----------
    path : Path
    hdu : int
        Number of the HDU, as `headers` gives it; 0 is the first image wherever it is.
    folder : Path, optional
        Where to unpack to; None means where the system keeps its temporary files.

    Raises
    ------
    BadImage
        If the file is damaged, has no image there, or colours in an order that is not understood.
    OSError
        If there is no room to unpack it.
    """
    found = dict(headers(path))
    number = next(iter(found)) if hdu == 0 else hdu
    if number not in found:
        raise BadImage(f"HDU {hdu} of {path.name} holds no image", f"it has images in {list(found)}", hdu=hdu)
    header = found[number]
    if path.name.lower().endswith((*tiff.SUFFIXES, *raw_camera.SUFFIXES)):
        with _words():
            data, _ = frame_files.read_frame(path)
        return _unpacked(header, number, data, folder)
    with _words(), frame_files.opened(path) as hdus:
        marks, bits = _marks(path, hdus, number)
        where, forbidden = _where(path, hdus[number]), _where(path, marks)
        if where is not None and (marks is None or forbidden is not None):
            return FrameFile(header, number, where, forbidden, bits)
        data = frame_files.pixels(hdus[number])
        if marks is not None:
            data[..., marks.data & bits > 0] = np.nan
    return _unpacked(header, number, data, folder)


def _unpacked(header: Header, hdu: int, data: NDArray[np.float32], folder: Path | None) -> FrameFile:
    """Move pixels to a file of their own: open files and memory must not grow with the number of frames."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="unpacked-", delete=False) as file:
        where = Stored(Path(file.name), data.shape[-2:], 0, data.dtype, n_planes=data.shape[0] if data.ndim > 2 else 1)
        frame = FrameFile(header, hdu, where)
        weakref.finalize(frame, where.path.unlink, missing_ok=True)
        file.write(np.ascontiguousarray(data))
    return frame


def _where(path: Path, hdu: fits.ImageHDU | None) -> Stored | None:
    """Find where the pixels of an image lie in its file; None if they are packed, or of a kind that must be."""
    if hdu is None or isinstance(hdu, fits.CompImageHDU) or frame_files.is_gzip(path):
        return None
    return stored.described(path, hdu.header, hdu.fileinfo()["datLoc"])


def _marks(path: Path, hdus: fits.HDUList, number: int) -> tuple[fits.ImageHDU | None, int]:
    """Find the marks of step 11, and which of them forbid the use of a pixel; those of others mean other things."""
    by_name = {hdu.name: hdu for hdu in hdus if hdu.is_image}
    if "DQB00" not in getattr(by_name.get("DQ"), "header", ()):
        return None, 0
    # MASK knows what was repaired, DQ does not
    name, bits = ("MASK", 1) if "MASK" in by_name else ("DQ", DO_NOT_USE)
    if by_name[name].shape != hdus[number].shape[-2:]:
        raise BadImage(f"{path.name}: {name} has another shape than the pixels", "calibrate the frame again")
    return by_name[name], bits


@contextmanager
def _words() -> Iterator[None]:
    """Speak of the knobs of step 12 in errors of files that both it and step 11 read."""
    try:
        yield
    except (BadImage, ConfigError) as error:
        facts = {name: fact for name, fact in error.facts.items() if name != "code"}
        said, hint = (_KNOB.sub("mosaic.", text) for text in (_CODE.sub("", error.message), error.hint))
        raise type(error)(said, hint, **facts) from error


def _ids(names: Sequence[str]) -> list[str]:
    """Name frames by their files, as briefly as tells them apart."""
    short = [_plain(frame_list.stem(Path(name).name)) for name in names]
    count = Counter(name.casefold() for name in short)
    ids = [
        brief if count[brief.casefold()] == 1 else _plain(frame_list.stem(Path(name).as_posix().lstrip("./")))
        for brief, name in zip(short, names, strict=True)
    ]
    taken: set[str] = set()
    for place in sorted(range(len(ids)), key=names.__getitem__):
        tries = (ids[place] if number == 1 else f"{ids[place]}_{number}" for number in count_from(1))
        ids[place] = next(each for each in tries if each.casefold() not in taken)
        taken.add(ids[place].casefold())
    return ids


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", name) or "_"


def _size(path: Path) -> Hashable:
    try:
        return path.stat().st_size or path
    except OSError:
        return path


def _start(path: Path) -> Hashable:
    return _digest(path, _BEGINNING)


def _digest(path: Path, n_bytes: int = -1) -> Hashable:
    try:
        with path.open("rb") as stream:
            if n_bytes < 0:
                return hashlib.file_digest(stream, "sha256").digest()
            return hashlib.sha256(stream.read(n_bytes)).digest()
    except OSError:
        return path
