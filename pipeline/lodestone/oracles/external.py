"""Results that are computed elsewhere, on a cluster or by hand, and come in by `lodestone labels import`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import WaitingError
from lodestone.oracles.base import Label, Oracle


class ExternalParams(OracleParams):
    """What the imported energies are: the same as those of the snapshot, whose hull they meet."""

    scales: ClassVar[tuple[str, ...]] = ("source",)
    label_method: str = Field(min_length=1, description="what makes the energies; that of the snapshot, e.g. dft-pbe")
    correction_scheme: str = Field(
        min_length=1, description="correction scheme of the energies; that of the snapshot, e.g. MP2020, or none"
    )


@ORACLES.register("external", settings=ExternalParams)
class ExternalOracle(Oracle):
    """Computes nothing: what the label store does not know is waited for.

    Labels are kept under the method and the scheme, without versions of packages: no update of this machine changes
    what another one has computed.
    """

    settings: ExternalParams

    @property
    def name(self) -> str:
        """The method: candidates and snapshot share it."""
        return self.settings.label_method

    @property
    def correction_scheme(self) -> str:
        """That of the settings."""
        return self.settings.correction_scheme

    @property
    def caveat(self) -> str:
        """Whose energies they are."""
        return (
            f"Energies were computed elsewhere by {self.name} (corrections: {self.correction_scheme}) and imported, "
            "as those of the snapshot are; settings that the files do not state were not checked."
        )

    @property
    def one_process(self) -> bool:
        """In the stage itself, which then waits."""
        return True

    def label_settings(self) -> dict[str, Any]:
        """What the energies are."""
        return {"label_method": self.name, "correction_scheme": self.correction_scheme}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Wait for the labels of all these crystals.

        Raises:
            WaitingError: Always, if there are any; the round says which they are.
        """
        if crystals:
            raise WaitingError(
                f"labels of {len(crystals)} crystals are computed elsewhere and not there yet",
                "write them with `lodestone candidates`, and bring the results with `lodestone labels import`",
            )
        yield from ()
