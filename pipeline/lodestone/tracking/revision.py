"""The commit that a campaign was published with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

# Files that affect the results; those of the code lie at the top, also for a campaign in a folder below.
_DECISIVE = (":/pipeline", ":/stages", ":/requirements.lock", "pipeline", "stages", "requirements.lock")
_OF_CAMPAIGN = ("params.yaml", "dvc.yaml")


def code_of(root: Path) -> dict[str, Any]:
    """Commit, whether the files that affect the results were those of the commit, and which were not.

    Returns:
        ``commit``, ``clean``, ``changed`` (paths), and ``folder``: where in the repository the campaign is; empty
        outside of git.
    """
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        folder = _git(root, "rev-parse", "--show-prefix").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *_DECISIVE, *_OF_CAMPAIGN)
    except (OSError, subprocess.CalledProcessError):
        return {}
    paths = [line[3:] for line in changed.splitlines()]
    return {"commit": commit, "clean": not paths, "changed": paths, "folder": folder}


def git_tags(root: Path) -> dict[str, str]:
    """The commit as MLflow's tag, ``-dirty`` if files that affect the results differ; empty outside of git."""
    code = code_of(root)
    if not code:
        return {}
    return {"mlflow.source.git.commit": code["commit"] if code["clean"] else f"{code['commit']}-dirty"}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
