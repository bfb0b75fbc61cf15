"""Source ``reference``: the crystals that this project made itself and ships; energies from CHGNet 0.3.0, not DFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams

if TYPE_CHECKING:
    from lodestone.snapshot.source import Source


class ReferenceParams(SnapshotParams):
    """Crystals of a reference snapshot, which `path` names; `lodestone reference` makes such files."""


@SOURCES.register("reference", settings=ReferenceParams)
def open_reference(params: ReferenceParams) -> Source:
    """Open a reference snapshot; see :func:`lodestone.snapshot.reference.read_reference`."""
    from lodestone.snapshot.reference import read_reference

    return read_reference(params.path)
