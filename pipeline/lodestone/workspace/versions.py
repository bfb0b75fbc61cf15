"""Installed versions, as files that DVC watches in folders without the code."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from lodestone import __version__
from lodestone.errors import LodestoneError
from lodestone.workspace.template import PACKAGE, REQUIREMENTS_FILE, VERSION_FILE

DISTRIBUTION = "lodestone-materials"


def write_versions(folder: Path) -> None:
    """Write the installed versions, if they have changed.

    ``lodestone.version`` holds the version of this package and a digest of its code, and every stage depends on it;
    ``requirements.lock`` holds the versions of its dependencies, and stages that label or train depend on it.

    Raises:
        LodestoneError: If a required package is not installed.
    """
    for name, text in ((VERSION_FILE, _own_version()), (REQUIREMENTS_FILE, _requirements())):
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def refresh_versions(folder: Path) -> None:
    """Update these files in a folder without the code; elsewhere ``requirements.lock`` belongs to the repository."""
    if (folder / VERSION_FILE).is_file():
        write_versions(folder)


def _own_version() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(PACKAGE.rglob("*.py")):
        if "template" not in path.relative_to(PACKAGE).parts:
            digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return f"{DISTRIBUTION} {__version__}\ncode {digest.hexdigest()}\n"


def _requirements() -> str:
    try:
        needed = [text for text in requires(DISTRIBUTION) or () if "extra ==" not in text]
        names = sorted({re.split(r"[^A-Za-z0-9._-]", text)[0] for text in needed}, key=str.lower)
        return "".join(f"{name}=={version(name)}\n" for name in names)
    except PackageNotFoundError as error:
        raise LodestoneError(f"the package {error} is not installed", f"pip install {DISTRIBUTION}") from error
