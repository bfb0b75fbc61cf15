"""SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)) as an oracle, by weights that its package ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from lodestone.config.registry import ORACLES
from lodestone.corrections.chemistry import chemistry_of
from lodestone.corrections.rules import correction
from lodestone.corrections.schemes import scheme
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label
from lodestone.oracles.calculators.imported import forget, results_of
from lodestone.oracles.device import make_ready, named_device, weights_of
from lodestone.oracles.learned import OF_THE_MATERIALS_PROJECT, label_learned
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.relaxation import Results
from lodestone.oracles.sanity import with_lowest

if TYPE_CHECKING:
    from ase import Atoms

SCHEME = "MP2020"
MULTI_FIDELITY = "SevenNet-MF-0"
# File of each in the package; others, such as SevenNet-omni, it would download.
_FILES = {
    "SevenNet-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
    "SevenNet-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    MULTI_FIDELITY: "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth",
}
_LOWEST = {"PBE": -15.0, "R2SCAN": -120.0}  # eV/atom
_UNSEEN = {"R2SCAN": frozenset({"Yb"})}  # no crystal of r2SCAN holds it: its energy of the pure element is 0 there


class SevenNetSettings(RelaxationSettings):
    """Which weights of SevenNet, how they relax a crystal, and which results are refused."""

    model: str = Field("SevenNet-l3i5", description=f"weights that the package ships: {', '.join(_FILES)}")
    modality: Literal["PBE", "R2SCAN"] | None = Field(
        None, description=f"for {MULTI_FIDELITY} alone, which has learned two functionals: the one that is asked for"
    )
    min_energy_per_atom: float = Field(
        -15.0,
        description="lower energies are artifacts, eV/atom; for R2SCAN -120 by default and at most -100, since total "
        "energies of heavy elements reach -90 there",
    )

    @model_validator(mode="before")
    @classmethod
    def _lowest_of_the_functional(cls, content: Any) -> Any:
        return with_lowest(content, "modality", _LOWEST)

    @field_validator("model")
    @classmethod
    def _comes_with_the_package(cls, model: str) -> str:
        if model not in _FILES:
            raise ValueError(
                f"{model!r} does not come with the package sevenn, and nothing is downloaded: it is one of "
                f"{', '.join(_FILES)}; for a checkpoint of your own, take the oracle `ase`"
            )
        return model

    @model_validator(mode="after")
    def _modality_where_there_are_two(self) -> SevenNetSettings:
        if (self.modality is None) == (self.model == MULTI_FIDELITY):
            raise ValueError(f"modality, PBE or R2SCAN, is needed for {MULTI_FIDELITY}, and for no other model")
        if self.functional == "R2SCAN" and self.min_energy_per_atom > -100:
            raise ValueError("min_energy_per_atom is at most -100 for R2SCAN, whose total energies reach -90 eV/atom")
        return self

    @property
    def functional(self) -> str:
        """What its energies stand for."""
        return self.modality or "PBE"


@ORACLES.register("sevennet", settings=SevenNetSettings)
class SevenNetOracle(Potential):
    """Relaxes cell and positions with SevenNet.

    It has learned total energies as DFT gives them. Those of PBE get the corrections of MP2020 once a crystal is
    relaxed, by the rules of :mod:`lodestone.corrections`; those of r2SCAN stay as they are.
    """

    settings: SevenNetSettings
    packages = ("ase", "e3nn", "numpy", "sevenn", "smact", "torch")  # smact: oxidation states, for the corrections
    modules = (*Potential.modules, "sevenn.calculator")
    extra = "potentials"

    @property
    def method(self) -> str:
        """Weights and functional, as in ``sevennet-l3i5-pbe``: energies of two functionals share no name."""
        return f"{self.settings.model}-{self.settings.functional}".lower()

    @property
    def caveat(self) -> str:
        """Whose predictions they are, for which functional, and with which corrections."""
        functional, corrections = "r2SCAN", "they include no corrections"
        if self.correction_scheme == SCHEME:
            functional, corrections = "PBE and PBE+U", f"the {SCHEME} corrections were added to them by this project"
        return (
            f"Energies are predictions of {self.settings.model} for {functional}, a machine-learned interatomic "
            f"potential, not DFT calculations and not measurements; {corrections}."
        )

    @property
    def correction_scheme(self) -> str:
        """MP2020 for PBE; the rules are for no other functional."""
        return SCHEME if self.settings.functional == "PBE" else "none"

    @property
    def included_corrections(self) -> str | None:
        """Those that are added; none that the rules could be applied to for r2SCAN."""
        return SCHEME if self.correction_scheme == SCHEME else None

    def label_settings(self) -> dict[str, Any]:
        """All, and the version of the corrections."""
        added = f"{SCHEME} ({scheme(SCHEME).version})" if self.correction_scheme == SCHEME else "none"
        return super().label_settings() | {"corrections": added}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label crystals of elements that it has learned, with the corrections of what they have relaxed to."""
        learned = OF_THE_MATERIALS_PROJECT - _UNSEEN.get(self.settings.functional, frozenset())
        for index, label in label_learned(crystals, learned, super().label):
            yield index, _corrected(label) if self.correction_scheme == SCHEME else label

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """Results of several crystals, one by one, without corrections; see :class:`Potential`."""
        calculator = _calculator(named_device(), self.settings.model, self.settings.modality, derivatives)
        forget(calculator)
        return [results_of(calculator, atoms, derivatives=derivatives) for atoms in many]


def _corrected(label: Label) -> Label:
    """The same with the corrections of its crystal."""
    if label.crystal is None or label.energy_per_atom is None:
        return label
    added = correction(chemistry_of(label.crystal), scheme(SCHEME))
    return replace(label, energy_per_atom=label.energy_per_atom + added)


@lru_cache(maxsize=4)  # a chain has two, with derivatives or without
def _calculator(device: str, model: str, modality: str | None, derivatives: bool) -> Any:
    """A calculator, loaded once per process from the package's own file: by its name it might be downloaded."""
    import sevenn
    from sevenn.calculator import SevenNetCalculator

    from lodestone.oracles.calculators.sevennet import SevenNetEnergies

    make_ready(device)
    path = Path(sevenn.__file__).parent / "pretrained_potentials" / _FILES[model]
    with weights_of("sevenn", path):
        return (SevenNetCalculator if derivatives else SevenNetEnergies)(path, device=device, modal=modality)
