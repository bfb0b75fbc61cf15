"""Source ``materials_project``: the Materials Project through its own client, with a key in ``MP_API_KEY``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams

if TYPE_CHECKING:
    from lodestone.snapshot.source import Source

ThermoType = Literal["GGA_GGA+U", "R2SCAN", "GGA_GGA+U_R2SCAN"]


class MaterialsProjectParams(SnapshotParams):
    """Thermo documents of the Materials Project; the key is in the environment, `MP_API_KEY`."""

    thermo_type: ThermoType = Field("GGA_GGA+U", description="functionals, and with them the hull")
    database_version: str | None = Field(None, description="refuse to download any other version of the database")

    def current_version(self) -> str:
        """Version of the database: the pinned one, or the one that the API serves now."""
        from lodestone.snapshot.materials_project.source import current_version

        return current_version(self)


@SOURCES.register("materials_project", settings=MaterialsProjectParams)
def open_materials_project(params: MaterialsProjectParams) -> Source:
    """Download, or open a finished download; see :func:`lodestone.snapshot.materials_project.source.open_documents`."""
    from lodestone.snapshot.materials_project.source import open_documents

    return open_documents(params)
