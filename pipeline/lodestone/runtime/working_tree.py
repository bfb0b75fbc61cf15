"""Which code runs: a copied folder must not run the code of the folder it was copied from."""

from __future__ import annotations

from pathlib import Path

from lodestone.errors import LodestoneError

PACKAGE = Path(__file__).resolve().parents[1]


def refuse_foreign_package(folder: str | Path = ".", package: Path = PACKAGE) -> None:
    """Refuse to run another folder's code: DVC hashes the code here, and would certify what has never run.

    A folder without code of its own, as `lodestone init` makes it, may be run by any installation.

    Args:
        folder: The working tree.
        package: Folder of the package that runs.

    Raises:
        LodestoneError: If the folder has a package of its own, which is another one.
    """
    own = Path(folder).resolve() / "pipeline" / package.name
    if own.is_dir() and not own.samefile(package):
        raise LodestoneError(
            f"this folder has its own {own.relative_to(own.parents[1])}, but the code that runs lies in {package}",
            "run `make install` here, and leave any environment that you have activated elsewhere",
        )
