"""Runs a published campaign again from its commit, and compares the hashes of what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.runtime.environment import command_variables
from lodestone.runtime.kernels import pinned_kernels
from lodestone.tracking.lock import LOCK_FILE, Stages, stages_of

# The second run must neither write into the store of the first nor take anything from its folders.
_OF_THE_FIRST = ("MLFLOW_TRACKING_URI", "LODESTONE_LABELS", "LODESTONE_CHECKPOINTS")

_STDERR = 2  # the descriptor, as `sys.stderr` need not be a file


@dataclass(frozen=True)
class Difference:
    """A file that is not what it was.

    Attributes:
        stage: That read or wrote it.
        kind: ``deps`` or ``outs``.
        path: Of the file or folder.
        before: Recorded hash; ``None`` if it was not there.
        after: Hash of the second run; ``None`` if it is not there.
    """

    stage: str
    kind: str
    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        what = "input" if self.kind == "deps" else "output"
        return f"{self.stage}: {what} {self.path}: {self.before or 'absent'} before, {self.after or 'absent'} now"


def differences(before: Stages, after: Stages) -> Iterator[Difference]:
    """Files with other hashes, in the order in which the second run met them; inputs of a stage before its outputs.

    Stages that only the record has come last.
    """
    for stage in [*after, *(name for name in before if name not in after)]:
        for kind in ("deps", "outs"):
            old, new = (stages.get(stage, {}).get(kind, {}) for stages in (before, after))
            for path in [*new, *(path for path in old if path not in new)]:
                if old.get(path) != new.get(path):
                    yield Difference(stage, kind, path, old.get(path), new.get(path))


def reproduce(lineage: Mapping[str, Any], repository: Path, folder: Path) -> list[Difference]:
    """Check out the commit of a model into a git worktree, run all its stages, and compare their hashes.

    Args:
        lineage: See :func:`lodestone.tracking.lineage.model_lineage`.
        repository: Has the commit.
        folder: Of the worktree; stays for a look at what differs.

    Returns:
        Differences, the first one first.

    Raises:
        LodestoneError: If the record does not suffice, the commit cannot be checked out, or a stage fails.
    """
    commit, recorded = _recorded(lineage)
    _check_out(commit, repository, folder)
    _pull(folder)
    (folder / LOCK_FILE).unlink(missing_ok=True)  # what is in it afterwards has run again
    if _dvc(folder, "repro", "--force"):
        stages = ", ".join(stages_of(folder / LOCK_FILE)) or "none"
        raise LodestoneError(f"a stage failed in {folder}; finished: {stages}", "see its message above")
    after = {name: stage for name, stage in stages_of(folder / LOCK_FILE).items() if name != "publish"}
    return list(differences(recorded, after))


def _recorded(lineage: Mapping[str, Any]) -> tuple[str, Stages]:
    code, stages = lineage["code"], lineage["stages"]
    if not code or not stages:
        lacking = "commit" if not code else "hashes of dvc.lock"
        raise LodestoneError(f"the {lacking} of this model is not recorded", "take a model that was published since")
    if not code["clean"]:
        changed = ", ".join(code.get("changed", [])) or "code or parameters"
        remedy = "commit before you run a campaign that is to be reproduced"
        raise LodestoneError(f"the commit is not what made this model: {changed} had changed", remedy)
    if code.get("folder"):
        remedy = f"check the commit out, run `lodestone discover --params {code['folder'].rstrip('/')}.yaml`, compare"
        raise LodestoneError(f"its campaign was run in {code['folder']}, which no commit holds", remedy)
    return str(code["commit"]), dict(stages)


def _check_out(commit: str, repository: Path, folder: Path) -> None:
    command = ["git", "-C", str(repository), "worktree", "add", "--detach", str(folder.absolute()), commit]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        reason = (outcome.stderr.strip().splitlines() or ["git failed"])[-1]
        remedy = "fetch the commit (`git fetch`), or choose a folder that is empty"
        raise LodestoneError(f"{commit} cannot be checked out into {folder}: {reason}", remedy)


def _pull(folder: Path) -> None:
    """Get what the commit keeps in the remote storage of DVC, not what its stages write: that is to be made again."""
    tracked = [path.relative_to(folder) for path in folder.rglob("*.dvc") if path.is_file()]
    if tracked and _dvc(folder, "pull", *map(str, tracked)):
        print(f"note: not all of {len(tracked)} tracked files could be pulled", file=sys.stderr)


def _dvc(folder: Path, *arguments: str) -> int:
    """Run DVC with the code of the worktree in this environment; its messages go to stderr."""
    kept = {name: value for name, value in os.environ.items() if name not in _OF_THE_FIRST}
    own = command_variables() | {"PYTHONPATH": str(folder.absolute() / "pipeline")}
    own |= pinned_kernels()  # as `lodestone discover` does
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, env=kept | own, stdout=_STDERR, check=False).returncode
