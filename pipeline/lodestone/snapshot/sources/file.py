"""Source ``file``: structures and energies of one's own, from a file or folder of any format that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams

if TYPE_CHECKING:
    from lodestone.snapshot.source import Source


class FileParams(SnapshotParams):
    """Crystals of a file or folder of one's own, which `path` names, and what its energies are."""

    label_method: str = Field(min_length=1, description="what made the energies, e.g. dft-pbe")
    correction_scheme: str = Field(min_length=1, description="correction scheme of the energies, e.g. MP-2019, or none")
    elemental_references: dict[str, float] | None = Field(
        None, description="total energy of each element, eV/atom, for a file of total energies without the elements"
    )


@SOURCES.register("file", settings=FileParams)
def open_file(params: FileParams) -> Source:
    """Open a file or folder; see :func:`lodestone.snapshot.files.file.read_file`."""
    from lodestone.snapshot.files.file import read_file

    return read_file(params)
