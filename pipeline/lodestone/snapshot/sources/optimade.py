"""Source ``optimade``: any provider of the OPTIMADE interface, without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams
from lodestone.snapshot.sources.materials_project import ThermoType

if TYPE_CHECKING:
    from lodestone.snapshot.source import Source


class OptimadeParams(SnapshotParams):
    """Crystals of an OPTIMADE provider; an address that is not listed here needs both labels."""

    provider: str = Field(
        min_length=1,
        description="materials_project, alexandria, alexandria_pbesol, oqmd, or the address of an endpoint",
    )
    label_method: str | None = Field(None, description="what made the energies, if the provider is not listed")
    correction_scheme: str | None = Field(None, description="their correction scheme, if the provider is not listed")
    thermo_type: ThermoType = Field("GGA_GGA+U", description="of provider: materials_project")

    def current_version(self) -> str:
        """Newest modification and number of the structures that the filters allow."""
        from lodestone.snapshot.optimade.source import current_version

        return current_version(self)


@SOURCES.register("optimade", settings=OptimadeParams)
def open_optimade(params: OptimadeParams) -> Source:
    """Ask an endpoint; see :func:`lodestone.snapshot.optimade.source.open_endpoint`."""
    from lodestone.snapshot.optimade.source import open_endpoint

    return open_endpoint(params)
