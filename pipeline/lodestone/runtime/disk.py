"""Checks that files can be written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lodestone.errors import LodestoneError


def check_writable(folder: str | Path) -> None:
    """Check that files can be created in a folder.

    Raises:
        LodestoneError: If they cannot.
    """
    folder = Path(folder).resolve()
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise LodestoneError(
            f"{folder} cannot be written: {error.strerror or error}",
            "free some disk space, correct the permissions, or copy the folder to where you may write",
        ) from error
