"""A zarr store as one file: a zip archive of parts as they are; a piece of a part is read without the rest."""

import os
import struct
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

_DATE = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = 30
_CHUNK = 1 << 22


def pack(folder: Path, path: Path) -> None:
    """Move the files of a folder into a new archive; equal files give equal bytes. The folder is empty afterwards."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(found for found in folder.rglob("*") if found.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
            entry.external_attr = 0o644 << 16
            entry.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as target:
                while part := source.read(_CHUNK):
                    target.write(part)
            file.unlink()


class PackedStore(Store):
    """An archive made by `pack`, read-only, safe from several threads.

    `zarr.storage.ZipStore` reads the same files; of a shard it reads all to get at a piece of it.

    Raises
    ------
    zipfile.BadZipFile, OSError
        If the file is no such archive.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, path: Path) -> None:
        super().__init__(read_only=True)
        self.path = path
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise zipfile.BadZipFile("its parts are compressed once more")
        self._descriptor = os.open(path, os.O_RDONLY)
        self._places = {entry.filename: (self._start(entry), entry.file_size) for entry in entries}
        self._is_open = True

    def _start(self, entry: zipfile.ZipInfo) -> int:
        header = os.pread(self._descriptor, _LOCAL_HEADER, entry.header_offset)
        if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile(f"{entry.filename} is not where it should be")
        return entry.header_offset + _LOCAL_HEADER + sum(struct.unpack_from("<HH", header, 26))

    def __del__(self) -> None:
        if (descriptor := self.__dict__.pop("_descriptor", None)) is not None:
            os.close(descriptor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedStore) and self.path == other.path

    def __reduce__(self) -> tuple[type["PackedStore"], tuple[Path]]:
        return PackedStore, (self.path,)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read a part, or a range of its bytes; None if there is no such part."""
        if key not in self._places:
            return None
        start, size = self._places[key]
        first, last = _range(byte_range, size)
        return prototype.buffer.from_bytes(os.pread(self._descriptor, last - first, start + first))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Read several parts."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Say whether there is a part of this name."""
        return key in self._places

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: the store is read-only."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: the store is read-only."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """Give the names of all parts."""
        for key in self._places:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Give the names of the parts that begin so."""
        for key in self._places:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Give what is directly below a name."""
        begin = f"{prefix.rstrip('/')}/" if prefix else ""
        for name in sorted({key[len(begin) :].split("/")[0] for key in self._places if key.startswith(begin)}):
            yield name


def _range(wanted: ByteRequest | None, size: int) -> tuple[int, int]:
    if isinstance(wanted, RangeByteRequest):
        return wanted.start, min(wanted.end, size)
    if isinstance(wanted, OffsetByteRequest):
        return wanted.offset, size
    if isinstance(wanted, SuffixByteRequest):
        return max(size - wanted.suffix, 0), size
    return 0, size
