"""ZIP archives that are the same bytes for the same content, checked by reopening them, and safe to unpack."""

import hashlib
import shutil
import stat
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from lostlight.core import atomic
from lostlight.core.errors import ContractError

SUMS = "SHA256SUMS"
"""Name of the list of hashes inside every archive."""

# The earliest date a ZIP can hold: an archive tells what was found, not when it was packed.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LARGE = 1 << 31


def pack(path: Path, members: Mapping[str, Path | bytes]) -> dict[str, str]:
    """Write files and byte strings to a ZIP archive, sorted by name, and last a list of their hashes: ``SHA256SUMS``.

    Parameters
    ----------
    members : mapping
        Relative POSIX name inside the archive to the file, or the bytes, it holds.

    Returns
    -------
    dict
        Name to sha256 of every member, the list of hashes included.

    Raises
    ------
    ContractError
        If a name would leave the folder it is unpacked in.
    """
    hashes = {}
    with atomic.replacing(path) as staging, zipfile.ZipFile(staging, "w") as archive:
        for name in sorted(members):
            hashes[name] = _add(archive, safe_name(name), members[name])
        hashes[SUMS] = _add(archive, SUMS, sums(hashes).encode())
    return hashes


def check(path: Path, hashes: Mapping[str, str]) -> None:
    """Reopen an archive and compare every member with the sha256 it must have.

    Raises
    ------
    ContractError
        Naming the first member that is missing, unknown, altered or unsafe.
    """
    with _opened(path) as archive:
        found = [info.filename for info in _safe_members(archive, path)]
        for name in sorted(set(found) ^ set(hashes)):
            problem = "lacks" if name in hashes else "holds an unknown file:"
            raise ContractError(f"{path.name} {problem} {name}", hint="make the package again", member=name)
        for name in found:
            try:
                with archive.open(name) as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except zipfile.BadZipFile as error:
                raise ContractError(
                    f"{path.name}: {name} is damaged: {error}", hint="make the package again", member=name
                ) from error
            if digest != hashes[name]:
                raise ContractError(
                    f"{path.name}: {name} has sha256 {digest[:16]}…, expected {hashes[name][:16]}…",
                    hint="make the package again",
                    member=name,
                )


def unpack(path: Path, folder: Path) -> list[Path]:
    """Unpack an archive into a folder and nowhere else; every name is judged before the first file is written.

    Raises
    ------
    ContractError
        If the archive cannot be read, or a member is absolute, climbs out with ``..``, is a link or comes twice.
    """
    with _opened(path) as archive:
        written = []
        for info in _safe_members(archive, path):
            target = folder / info.filename
            with archive.open(info) as source, atomic.replacing(target) as staging, staging.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            written.append(target)
        return written


def publish(package: Path, folder: Path, name: str) -> Path:
    """Copy a package to ``<folder>/<name>.zip`` with its ``.sha256`` beside it, and give the path of the copy."""
    target = folder / f"{name}.zip"
    with atomic.replacing(target) as staging:
        shutil.copyfile(package, staging)
    write_sha256(target)
    return target


def write_sha256(path: Path, sidecar: Path | None = None) -> None:
    """Write ``<path>.sha256`` in the format that ``sha256sum -c`` reads."""
    sidecar = sidecar or path.with_name(path.name + ".sha256")
    atomic.write_text(sidecar, sums({path.name: atomic.sha256_file(path)}))


def sums(hashes: Mapping[str, str]) -> str:
    """Give name-to-sha256 pairs as the text that ``sha256sum -c`` reads."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))


def safe_name(name: str) -> str:
    r"""Give the name back if it stays inside the folder it is unpacked in; raises ContractError if not.

    >>> safe_name("08_filter/products/a.fits")
    '08_filter/products/a.fits'
    """
    parts = PurePosixPath(name).parts
    # A backslash or a colon is a separator or a drive to some systems.
    if not parts or name.startswith("/") or ".." in parts or any(sign in name for sign in ("\\", ":", "\0")):
        raise ContractError(
            f"the archive member {name!r} would leave its folder", hint="do not unpack this archive", member=name
        )
    return name


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> str:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    if isinstance(content, bytes):
        archive.writestr(info, content)
        return hashlib.sha256(content).hexdigest()
    is_large = content.stat().st_size >= _LARGE
    with content.open("rb") as source, archive.open(info, "w", force_zip64=is_large) as sink:
        return _copy_hashed(source, sink)


def _copy_hashed(source: BinaryIO, sink: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := source.read(1 << 20):
        digest.update(block)
        sink.write(block)
    return digest.hexdigest()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ContractError(f"{path} cannot be opened as a ZIP archive: {error}", hint="make it again") from error


def _safe_members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    for info in archive.infolist():
        safe_name(info.filename.rstrip("/"))
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ContractError(f"{path.name}: {info.filename} is a link", hint="do not unpack this archive")
    _refuse_twice((info.filename for info in members), path)
    return members


def _refuse_twice(names: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ContractError(f"{path.name}: {name} comes twice", hint="do not unpack this archive", member=name)
        seen.add(name)
