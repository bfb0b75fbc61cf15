"""DIEP (Tawfik et al., Digital Discovery (2024)) as an oracle, by the weights for r2SCAN that its package ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label
from lodestone.oracles.calculators.imported import forget, results_of
from lodestone.oracles.device import make_ready, named_device, weights_of
from lodestone.oracles.learned import OF_THE_MATERIALS_PROJECT, label_learned
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.relaxation import Results

if TYPE_CHECKING:
    from ase import Atoms


class DIEPSettings(RelaxationSettings):
    """How DIEP relaxes a crystal, and which results are refused."""

    min_energy_per_atom: float = Field(
        -120.0,
        le=-100.0,
        description="lower energies are artifacts, eV/atom; total energies of r2SCAN reach -90 for heavy elements",
    )


@ORACLES.register("diep", settings=DIEPSettings)
class DIEPOracle(Potential):
    """Relaxes cell and positions with DIEP, which has learned MatPES (Kaplan et al., arXiv:2503.04070) for r2SCAN."""

    settings: DIEPSettings
    packages = ("ase", "diep", "numpy", "pymatgen", "torch")
    modules = (*Potential.modules, "diep.pretrained")
    extra = "potentials"
    caveat = (
        "Energies are predictions of DIEP for the functional r2SCAN, a machine-learned interatomic potential, not DFT "
        "calculations and not measurements; they include no corrections."
    )

    @property
    def method(self) -> str:
        """Potential and functional."""
        return "diep-r2scan"

    @property
    def correction_scheme(self) -> str:
        """None."""
        return "none"

    @property
    def included_corrections(self) -> str | None:
        """None that the rules, which are for energies of PBE, could be applied to."""
        return None

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label crystals of elements that it has learned."""
        return label_learned(crystals, OF_THE_MATERIALS_PROJECT, super().label)

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """Results of several crystals, one by one; see :class:`lodestone.oracles.potential.Potential`."""
        calculator = _calculator(named_device(), derivatives)
        forget(calculator)
        return [results_of(calculator, atoms, derivatives=derivatives) for atoms in many]


@lru_cache(maxsize=2)  # with derivatives or without
def _calculator(device: str, derivatives: bool) -> Any:
    """A calculator, loaded once per process from the package's own files, whatever its environment variables say.

    Derivatives that nobody asks for take as long as the energy.
    """
    import diep.pretrained

    make_ready(device)
    folder = Path(diep.pretrained.__file__).parent / "pretrained_models" / "diep_fold1"
    with weights_of("diep", folder):
        calculator = diep.pretrained.make_calculator(folder, device=device, stress=derivatives)
    calculator.potential.calc_forces = derivatives
    return calculator
