"""Sets up a folder for campaigns run by the installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lodestone.errors import LodestoneError
from lodestone.tables.layout import REFERENCE_FILE
from lodestone.workspace.template import IGNORED_BY_DVC, IGNORED_BY_GIT, for_installed_code, template_folder
from lodestone.workspace.versions import write_versions


def init_folder(folder: Path) -> list[Path]:
    """Write the files of a campaign into a folder, and initialize git (if installed) and DVC.

    Args:
        folder: Created if missing; existing files are never overwritten.

    Returns:
        The files written, relative to the folder.

    Raises:
        LodestoneError: If one of the files already exists, or git or DVC fails.
    """
    contents = _contents(template_folder())
    taken = sorted(str(path) for path in contents if (folder / path).exists())
    if taken:
        remedy = "choose an empty folder, or move these files away"
        raise LodestoneError(f"{folder} already has {', '.join(taken)}", remedy)
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    write_versions(folder)
    _put_under_version_control(folder)
    return sorted(contents)


def _contents(template: Path) -> dict[Path, bytes]:
    as_they_are = [Path("params.yaml"), Path("snapshot.version"), REFERENCE_FILE]
    as_they_are += [path.relative_to(template) for path in sorted((template / "stages").glob("*.py"))]
    return {path: (template / path).read_bytes() for path in as_they_are} | {
        Path("dvc.yaml"): for_installed_code((template / "dvc.yaml").read_text()).encode(),
        Path(".dvcignore"): IGNORED_BY_DVC.encode(),
        Path(".gitignore"): IGNORED_BY_GIT.encode(),
    }


def _put_under_version_control(folder: Path) -> None:
    """DVC must be told whether git is available and whether the folder is the root of its repository."""
    how = ["--no-scm"]
    if shutil.which("git"):
        ask = ["git", "rev-parse", "--show-toplevel"]
        top = subprocess.run(ask, cwd=folder, check=False, capture_output=True, text=True)
        if top.returncode:
            _run(["git", "init", "--quiet"], folder)
        is_root = top.returncode or Path(top.stdout.strip()).samefile(folder)
        how = [] if is_root else ["--subdir"]
    if not (folder / ".dvc").is_dir():
        _run([sys.executable, "-m", "dvc", "init", "--quiet", *how], folder)


def _run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        raise LodestoneError(
            f"`{' '.join(command)}` failed in {folder}: {lines[-1] if lines else ended.returncode}",
            "the files are written; correct this, and run the command there by hand",
        )
