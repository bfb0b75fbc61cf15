"""A folder or zip as files by name. A zip is read in memory, within limits; nothing is ever extracted to disk."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lodestone.errors import LodestoneError

MOST_BYTES = 2**33  # of a whole collection, unpacked
MOST_BYTES_PER_FILE = 2**28
# Others, above all bzip2, unpack whole blocks at once, no matter how much is requested or what the zip declares.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHER_METHODS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
_PIECE = 2**16  # bytes
_HIDDEN = ("__MACOSX",)


@dataclass(frozen=True)
class Collection:
    """Files of a folder or zip.

    Attributes:
        name: Name of the folder or zip, for messages.
        files: Paths relative to the collection, sorted.
        read: Returns the bytes of a file; raises ``ValueError`` with the reason if it cannot.
    """

    name: str
    files: list[str]
    read: Callable[[str], bytes]

    def digest(self) -> str:
        """Hash of the names and bytes of all files, as 32 hex digits."""
        total = hashlib.blake2b(digest_size=16)
        for file in self.files:
            try:
                content = hashlib.blake2b(self.read(file), digest_size=16).hexdigest()
            except ValueError:
                content = "unreadable"  # a rejected row says why
            total.update(f"{file}\0{content}\0".encode(errors="surrogateescape"))
        return total.hexdigest()


def any_file(_: str) -> bool:
    """Every file is wanted."""
    return True


@contextmanager
def opened_collection(path: Path, wanted: Callable[[str], bool] = any_file) -> Iterator[Collection]:
    """The files of a folder, or of a zip; or a single file.

    Args:
        path: The folder, zip or file.
        wanted: Which files count, by their path in it; others may be of any size.

    Raises:
        LodestoneError: If the zip is damaged, encrypted, too large when unpacked, or holds a path that leaves it.
    """
    if path.is_dir() or path.suffix.lower() != ".zip":
        yield _folder(path, wanted)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        remedy = "it may be truncated: make or download it again"
        raise LodestoneError(f"{path} is no readable zip: {error}", remedy) from error
    with archive:
        yield _zip(archive, path, wanted)


def _folder(path: Path, wanted: Callable[[str], bool]) -> Collection:
    root, inside = (path, path.rglob("*")) if path.is_dir() else (path.parent, [path])
    paths = {file.relative_to(root).as_posix(): file for file in inside if file.is_file()}
    files = sorted(file for file in paths if _is_visible(file) and wanted(file))
    _check_sizes({file: paths[file].stat().st_size for file in files}, path)

    def read(file: str) -> bytes:
        try:
            return paths[file].read_bytes()
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from error

    return Collection(str(path), files, read)


def _zip(archive: zipfile.ZipFile, path: Path, wanted: Callable[[str], bool]) -> Collection:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        _check_member(member, path)
    infos = {member.filename: member for member in members if _is_visible(member.filename) and wanted(member.filename)}
    if len({member.filename for member in members}) < len(members):
        raise LodestoneError(f"{path} holds two files of one name", "make the zip again, from a folder")
    _check_sizes({name: member.file_size for name, member in infos.items()}, path)

    def read(file: str) -> bytes:
        try:
            return _unpacked(archive, infos[file])
        except Exception as error:  # zlib, lzma, bz2 and zipfile raise types of their own
            raise ValueError(f"is damaged in the zip: {error}") from error

    return Collection(str(path), sorted(infos), read)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Bytes of a file, whose checksum must match; in pieces, so that no more than the declared size is unpacked."""
    content = bytearray()
    with archive.open(member) as stream:
        while piece := stream.read(_PIECE):
            content += piece
            if len(content) > member.file_size:
                raise ValueError(f"it has more than the {member.file_size} bytes that the zip declares")
    return bytes(content)


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    name = member.filename
    if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name:
        raise LodestoneError(
            f"{path} holds the path {name!a}, which leaves the zip", "make the zip again, from a folder"
        )
    if member.compress_type not in METHODS:
        method = _OTHER_METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise LodestoneError(
            f"{path}: {name!a} is packed with {method}", "make the zip again with `zip -r`, which stores or deflates"
        )
    if member.flag_bits & 1:
        raise LodestoneError(f"{path}: {name!a} is encrypted", "make the zip again, without a password")


def _check_sizes(sizes: dict[str, int], path: Path) -> None:
    for file, size in sizes.items():
        if size > MOST_BYTES_PER_FILE:
            raise LodestoneError(
                f"{path}: {file} has {size / 2**20:.0f} MiB, more than {MOST_BYTES_PER_FILE // 2**20}",
                "no structure is that large; a large table goes into a parquet file of its own",
            )
    if sum(sizes.values()) > MOST_BYTES:
        remedy = "make a parquet table of it, or several smaller collections"
        raise LodestoneError(f"{path} has more than {MOST_BYTES // 2**30} GiB when unpacked", remedy)


def _is_visible(file: str) -> bool:
    return not any(part.startswith(".") or part in _HIDDEN for part in PurePosixPath(file).parts)
