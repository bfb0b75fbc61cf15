"""Which commit of the code a campaign was published with."""

from __future__ import annotations

import subprocess
from pathlib import Path

_DECISIVE = ("pipeline", "stages", "params.yaml", "dvc.yaml", "requirements.lock")  # of the results


def git_tags(root: Path) -> dict[str, str]:
    """The commit as MLflow's tag, with ``-dirty`` if what decides the results differs from it; none outside of git."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", *_DECISIVE)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": f"{commit}-dirty" if changed else commit}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
