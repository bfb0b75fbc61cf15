"""Results to and from the remote storage of DVC, and those of the commit that a retraining starts from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.runtime.processes import (
    DAMAGED_LOCK_FILE,
    DVC_LOCK_FILE,
    DVC_LOCKS,
    release_locks_of_the_dead,
    set_aside_half_written,
)
from lodestone.runtime.redaction import public_address

if TYPE_CHECKING:
    from dvc.repo import Repo

_LONGEST = 300  # characters of what DVC said


def restore(folder: Path) -> bool:
    """Get the results that `dvc.lock` names, and DVC's cache of earlier runs, as far as the storage has them.

    Each file is checked against its hash; one that does not fit is as if it were missing, and is computed again.

    Returns:
        Whether there is a storage.

    Raises:
        LodestoneError: If DVC is not set up, or the storage cannot be reached.
    """
    release_locks_of_the_dead(folder / DVC_LOCKS)
    set_aside_half_written(folder / DVC_LOCK_FILE, folder / DAMAGED_LOCK_FILE)
    with _storage(folder) as repo:
        if repo is None:
            print("No DVC remote is set up: earlier results are those of this machine only.")
        else:
            repo.pull(run_cache=True, force=True, allow_missing=True)
        return repo is not None


def keep(folder: Path) -> None:
    """Bring results to the storage, if there is one, so that another machine can go on from them.

    Raises:
        LodestoneError: If the storage cannot be written.
    """
    with _storage(folder) as repo:
        if repo is not None:
            repo.push(run_cache=True)


@contextmanager
def _storage(folder: Path) -> Iterator[Repo | None]:
    """The repository of a folder, if it has a default remote, which is then verified."""
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if not (folder / ".dvc").is_dir():
        raise LodestoneError(f"{folder.resolve()} is not under DVC", "run in the root of the campaign's repository")
    try:
        name = Config(str(folder / ".dvc")).get("core", {}).get("remote")
        if not name:
            yield None
            return
        remote: dict[str, Any] = {name: {"verify": True}}
        with Repo(str(folder), config={"remote": remote, "core": {"analytics": False}}) as repo:
            yield repo
    except (DvcException, OSError) as error:
        detail = public_address(" ".join(str(error).split())[:_LONGEST])
        raise LodestoneError(f"the DVC remote cannot be used: {detail}", "check .dvc/config and the network") from error


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

    try:
        files = DVCFileSystem(str(folder), rev=commit)
    except (DvcException, OSError):  # the commit has no campaign
        return
    for path in paths:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get_file(path.as_posix(), str(copy))
        except (DvcException, OSError):
            copy.unlink(missing_ok=True)
