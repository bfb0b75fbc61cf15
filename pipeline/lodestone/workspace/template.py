"""What a folder needs to run a campaign, and `dvc.yaml` for folders that lack the code or lie below it."""

from __future__ import annotations

import re
from pathlib import Path

from lodestone.errors import LodestoneError

PACKAGE = Path(__file__).resolve().parents[1]
VERSION_FILE = Path("lodestone.version")
REQUIREMENTS_FILE = Path("requirements.lock")
IGNORED_BY_DVC = "__pycache__\n*.pyc\n.*.tmp\n"
IGNORED_BY_GIT = "".join(
    f"/{name}\n" for name in (".lodestone", "data", "metrics", "reports", "timings", "mlruns", "mlflow.db*")
)
# Files of the repository that stages depend on; whatever else they read is made by other stages of the same folder.
_INPUTS = r"stages/|pipeline/|requirements\.lock|lodestone\.version"


def template_folder(package: Path = PACKAGE) -> Path:
    """Folder with `params.yaml`, `dvc.yaml`, the stages and the reference snapshot.

    Args:
        package: Folder of the package: a wheel brings the template along, and in a checkout it lies two folders up.

    Raises:
        LodestoneError: If there is none.
    """
    for folder in (package / "template", package.parents[1]):
        if (folder / "dvc.yaml").is_file() and (folder / "stages").is_dir():
            return folder
    raise LodestoneError(f"{package} was installed without its template", "install the wheel, or run from a checkout")


def for_installed_code(dvc: str) -> str:
    """`dvc.yaml` for a folder without the code: stages depend on the version that is installed, not on single files.

    Args:
        dvc: Text of the repository's `dvc.yaml`.
    """
    return re.sub(r"(?m)(?:^( +)- pipeline/\S+\n)+", rf"\1- {VERSION_FILE}\n", dvc)


def for_folder_below(dvc: str, up: str) -> str:
    """`dvc.yaml` for a folder below that of the code: the same scripts and inputs, results of its own.

    Args:
        dvc: Text of the `dvc.yaml` above.
        up: Way from the folder to the one above, e.g. ``../..``.
    """
    dvc = re.sub(rf"(?m)^( +- )(?={_INPUTS})", rf"\1{up}/", dvc)
    return re.sub(r"(?m)^( +cmd: python )(?=stages/)", rf"\1{up}/", dvc)
