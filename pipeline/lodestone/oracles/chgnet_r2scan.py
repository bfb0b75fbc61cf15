"""CHGNet's weights for r2SCAN (Huang et al., npj Comput. Mater. 11 (2025)) as an oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.oracles.base import Label
from lodestone.oracles.chgnet import CHGNetOracle, CHGNetSettings
from lodestone.oracles.learned import label_learned

# Elements without a crystal in what it learned from: its energies of the pure elements are 0 there.
_UNSEEN = frozenset({"Yb", "Po", "At", "Rn", "Fr", "Ra"})
_LEARNED = frozenset(SYMBOLS) - _UNSEEN


class CHGNetR2SCANSettings(CHGNetSettings):
    """How CHGNet relaxes a crystal by its weights for r2SCAN, and which results are refused."""

    min_energy_per_atom: float = Field(
        -120.0,
        le=-100.0,
        description="lower energies are artifacts, eV/atom; total energies of r2SCAN reach -90 for heavy elements, "
        "where those of PBE end at -15",
    )


@ORACLES.register("chgnet-r2scan", settings=CHGNetR2SCANSettings)
class CHGNetR2SCANOracle(CHGNetOracle):
    """Relaxes cell and positions with CHGNet on the scale of r2SCAN; see :class:`CHGNetOracle`."""

    settings: CHGNetR2SCANSettings
    weights = "r2scan"
    caveat = (
        "Energies are predictions of CHGNet for the functional r2SCAN, a machine-learned interatomic potential, not "
        "DFT calculations and not measurements; they include no corrections."
    )

    @property
    def included_corrections(self) -> str | None:
        """None that the rules, which are for energies of PBE, could be applied to."""
        return None

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label crystals of elements that it has learned."""
        return label_learned(crystals, _LEARNED, super().label)
