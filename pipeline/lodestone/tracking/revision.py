"""The commit that a campaign was published with."""

from __future__ import annotations

import subprocess
from pathlib import Path

_DECISIVE = ("pipeline", "stages", "params.yaml", "dvc.yaml", "requirements.lock")  # files that affect the results


def git_tags(root: Path) -> dict[str, str]:
    """The commit as MLflow's tag, ``-dirty`` if files that affect the results differ; empty outside of git."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", *_DECISIVE)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": f"{commit}-dirty" if changed else commit}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
