"""Ensures that a copied folder does not run the code of the original folder."""

from __future__ import annotations

from pathlib import Path

from lodestone.errors import LodestoneError

PACKAGE = Path(__file__).resolve().parents[1]


def refuse_foreign_package(folder: str | Path = ".", package: Path = PACKAGE) -> None:
    """Refuse to run another folder's code: DVC hashes the code here, and would certify code that never ran.

    A folder without its own code, as `lodestone init` creates it, may be run by any installation.

    Args:
        folder: The working tree.
        package: Folder of the running package.

    Raises:
        LodestoneError: If the folder has its own copy of the package, which is not the running one.
    """
    own = Path(folder).resolve() / "pipeline" / package.name
    if own.is_dir() and not own.samefile(package):
        raise LodestoneError(
            f"this folder has its own {own.relative_to(own.parents[1])}, but the code that runs lies in {package}",
            "run `make install` here, and leave any environment that you have activated elsewhere",
        )
