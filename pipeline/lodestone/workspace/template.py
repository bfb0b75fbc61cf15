"""The files a folder needs to run a campaign, and `dvc.yaml` for folders without the code or below it."""

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
# Repository files that stages depend on; their other inputs come from stages in the same folder.
_INPUTS = r"stages/|pipeline/|requirements\.lock|lodestone\.version"


def template_folder(package: Path = PACKAGE) -> Path:
    """Folder with `params.yaml`, `dvc.yaml`, the stages and the reference snapshot.

    Args:
        package: Folder of the package. A wheel contains the template; in a checkout it is two folders up.

    Raises:
        LodestoneError: If there is none.
    """
    for folder in (package / "template", package.parents[1]):
        if (folder / "dvc.yaml").is_file() and (folder / "stages").is_dir():
            return folder
    raise LodestoneError(f"{package} was installed without its template", "install the wheel, or run from a checkout")


def for_installed_code(dvc: str) -> str:
    """`dvc.yaml` for a folder without the code: stages depend on the installed version, not on single files.

    Args:
        dvc: Text of the repository's `dvc.yaml`.
    """
    return re.sub(r"(?m)(?:^( +)- pipeline/\S+\n)+", rf"\1- {VERSION_FILE}\n", dvc)


def for_folder_below(dvc: str, up: str) -> str:
    """`dvc.yaml` for a folder below the code: the same scripts and inputs, separate results.

    Args:
        dvc: Text of the `dvc.yaml` above.
        up: Relative path from the folder to the one above, e.g. ``../..``.
    """
    dvc = re.sub(rf"(?m)^( +- )(?={_INPUTS})", rf"\1{up}/", dvc)
    return re.sub(r"(?m)^( +cmd: python )(?=stages/)", rf"\1{up}/", dvc)
