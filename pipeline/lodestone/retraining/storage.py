"""Results to and from the remote storage of DVC, and those of the commit that a retraining starts from."""

from __future__ import annotations

from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.retraining.commands import DVC, stream
from lodestone.runtime.processes import (
    DAMAGED_LOCK_FILE,
    DVC_LOCK_FILE,
    DVC_LOCKS,
    release_locks_of_the_dead,
    set_aside_half_written,
)


def has_storage(folder: Path) -> bool:
    """Whether DVC has a default remote."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        return bool(Config(str(folder / ".dvc")).get("core", {}).get("remote"))
    except DvcException as error:
        raise LodestoneError(f"DVC is not set up in {folder.resolve()}: {error}", "run `dvc init` there") from error


def restore(folder: Path) -> None:
    """Get the results that `dvc.lock` names, and DVC's cache of earlier runs, as far as the storage has them.

    Raises:
        LodestoneError: If the storage cannot be reached.
    """
    release_locks_of_the_dead(folder / DVC_LOCKS)
    set_aside_half_written(folder / DVC_LOCK_FILE, folder / DAMAGED_LOCK_FILE)
    if not has_storage(folder):
        print("No DVC remote is set up: results come from this machine only.")
    elif stream([*DVC, "pull", "--quiet", "--allow-missing", "--run-cache", "--force"], folder):
        raise LodestoneError("the results of earlier runs cannot be fetched", "heed the message of DVC above")


def keep(folder: Path) -> None:
    """Bring results to the storage, if there is one, so that another machine can go on from them.

    Raises:
        LodestoneError: If the storage cannot be written.
    """
    if has_storage(folder) and stream([*DVC, "push", "--quiet", "--run-cache"], folder):
        raise LodestoneError("the results cannot be brought to the DVC remote", "heed the message of DVC above")


def outputs_of(commit: str, paths: tuple[Path, ...], folder: Path, target: Path) -> None:
    """Copy outputs as `dvc.lock` of a commit names them; those that nobody has any more are left out.

    Args:
        commit: Of the repository.
        paths: Of outputs, relative to the campaign.
        folder: Root of the campaign.
        target: Folder for the copies.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    for path in paths:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            DVCFileSystem(str(folder), rev=commit, subrepos=False).get_file(path.as_posix(), str(copy))
        except (DvcException, OSError):
            copy.unlink(missing_ok=True)
