"""Which version of its source a snapshot takes, in a small tracked file on which the stage ``snapshot`` depends.

DVC cannot see a change of a database on the network. `lodestone refresh` asks for its version and writes it down; the
file holds nothing else, and no date, so that it changes only when the source does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lodestone.config.sections import SnapshotParams
from lodestone.errors import LodestoneError
from lodestone.tables.files import write_atomically

VERSION_FILE = Path("snapshot.version")
_HEAD = "# Which version of its source the snapshot is taken from: `lodestone refresh` asks the source.\n"


@dataclass(frozen=True)
class Refreshed:
    """What a source was asked for.

    Attributes:
        source: Name of the source.
        before: Version that was written down; ``None`` if nobody has asked yet, or another source was.
        now: Version that it has now.
    """

    source: str
    before: str | None
    now: str

    @property
    def changed(self) -> bool:
        """Whether the source has another version."""
        return self.before != self.now


def refresh(params: SnapshotParams, folder: Path = Path()) -> Refreshed:
    """Ask the source for its version, and write it down if it is another one.

    Raises:
        LodestoneError: If the source is missing or cannot be reached, or the file cannot be written.
    """
    now = params.current_version() or _hash(params.path)
    refreshed = Refreshed(params.source, written_version(folder, params.source), now)
    if refreshed.changed:
        _write(folder, params.source, now)
    return refreshed


def written_version(folder: Path, source: str) -> str | None:
    """The version that is written down for a source; ``None`` if there is none."""
    try:
        return version_in((folder / VERSION_FILE).read_text(encoding="utf-8"), source)
    except OSError:
        return None


def version_in(text: str, source: str) -> str | None:
    """The version of a source in the text of the file; ``None`` if there is none, or the file is damaged."""
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    known = isinstance(content, dict) and content.get("source") == source and content.get("version")
    return str(content["version"]) if known else None


def ensure_version_file(params: SnapshotParams, folder: Path = Path()) -> None:
    """Write the file where it is missing, without asking anybody: DVC does not run a stage that lacks an input."""
    if not (folder / VERSION_FILE).exists():
        _write(folder, params.source, None)


def _write(folder: Path, source: str, version: str | None) -> None:
    import yaml

    text = _HEAD + yaml.safe_dump({"source": source, "version": version}, sort_keys=False, width=1000)
    write_atomically(folder / VERSION_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def _hash(path: Path) -> str:
    """Hash of a file, or of all files in a folder with their names."""
    if not path.exists():
        raise LodestoneError(f"snapshot.path: {path} does not exist", "correct the path in params.yaml")
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return f"blake2b {digest.hexdigest()}"
