"""Networks that were trained elsewhere, laid where the first round starts from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from lodestone.errors import LodestoneError


def lay_warm_start(source: Path, views: Sequence[str], target: Path) -> dict[str, str]:
    """Copy the networks of an ensemble to where a round takes its warm start from.

    Args:
        source: A folder that `lodestone pretrain` wrote; the networks of each view are in ``models/VIEW``.
        views: Views of the campaign; those that the ensemble lacks start from scratch.
        target: Folder of the warm start.

    Returns:
        SHA-256 of each file, by its path below ``models``.

    Raises:
        LodestoneError: If the folder has networks of none of the views.
    """
    models = source / "models"
    present = [view for view in views if (models / view).is_dir()]
    if not present:
        raise LodestoneError(
            f"warm_start: {source} has networks of none of the views {', '.join(views)}",
            "name a folder that `lodestone pretrain` wrote, or set warm_start to shipped or none",
        )
    for view in present:
        shutil.copytree(models / view, target / view, dirs_exist_ok=True)
    files = sorted(path for view in present for path in (models / view).iterdir())
    return {str(path.relative_to(models)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
