"""DFT by VASP, with the input sets of the Materials Project, by the user's own program and pseudopotentials."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, WithJsonSchema, field_validator, model_validator

from lodestone.config.registry import ORACLES
from lodestone.config.sections import Count
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import reduced_formula
from lodestone.oracles.attempt import reason
from lodestone.oracles.base import STATIC_SUFFIX, TOO_LARGE, Label, Oracle, RejectedError
from lodestone.oracles.calculators.arguments import digest
from lodestone.oracles.sanity import Limits, with_lowest
from lodestone.oracles.store import default_path
from lodestone.vasp.calculation import calculated
from lodestone.vasp.corrections import numbers_of
from lodestone.vasp.custody import RELAXATION, STATIC
from lodestone.vasp.faults import UnreadableRunError
from lodestone.vasp.folder import RunFolder
from lodestone.vasp.inputs import INPUT_SETS, InputSet, input_files
from lodestone.vasp.runs import Run, corrected_run

RUNS_VARIABLE = "LODESTONE_VASP_RUNS"
_OF_THE_MACHINE = frozenset({"KPAR", "LPLANE", "NCORE", "NPAR", "NSIM"})  # keys of INCAR that change no energy
_OURS = frozenset({"GGA", "IBRION", "ISIF", "LHFCALC", "METAGGA", "NSW", "SYSTEM"})
_LOWEST = {"MPRelaxSet": -15.0, "MPScanRelaxSet": -120.0}  # eV/atom

Incar = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]


class VaspSettings(Limits):
    """Which settings VASP computes with, and which results are refused."""

    input_set: Literal["MPRelaxSet", "MPScanRelaxSet"] = Field(
        "MPRelaxSet",
        description="of pymatgen: MPRelaxSet for PBE(+U) with the corrections of MP2020, MPScanRelaxSet for r2SCAN",
    )
    incar: Incar = Field(
        {},
        description="keys of INCAR that differ from the input set, as ENCUT: 600; "
        f"{', '.join(sorted(_OF_THE_MACHINE))} change no label",
    )
    max_atoms: Count = Field(100, description="larger cells are rejected before anything is computed, and not stored")
    max_errors: Count = Field(5, description="errors that custodian mends in one crystal before it gives up")
    min_energy_per_atom: float = Field(
        -15.0, description="lower energies are artifacts, eV/atom; for MPScanRelaxSet -120 by default"
    )

    @model_validator(mode="before")
    @classmethod
    def _lowest_of_the_functional(cls, content: Any) -> Any:
        return with_lowest(content, "input_set", _LOWEST)

    @field_validator("incar")
    @classmethod
    def _leaves_functional_and_relaxation(cls, incar: dict[str, Any]) -> dict[str, Any]:
        if wrong := sorted(key for key in incar if key != key.upper()):
            raise ValueError(f"{wrong[0]}: keys of INCAR are written in capitals")
        if ours := sorted(_OURS & set(incar)):
            raise ValueError(f"{ours[0]} is decided by input_set, and by whether crystals are relaxed")
        return incar


@ORACLES.register("vasp", settings=VaspSettings)
class VaspOracle(Oracle):
    """Relaxes crystals by VASP under custodian, and brings their energies to the scale of the Materials Project.

    Each crystal has a folder, below ``$LODESTONE_VASP_RUNS`` or in ``vasp`` beside the label store. A run that has
    ended there is read, one that was interrupted goes on.

    Args:
        settings: Which settings VASP computes with.
        relaxes: Whether crystals are relaxed; otherwise they are labelled as they are, under another name.
    """

    settings: VaspSettings
    modules = ("pymatgen.io.vasp.sets",)
    extra = "vasp"

    def __init__(self, settings: VaspSettings, *, relaxes: bool = True) -> None:
        super().__init__(settings)
        self.relaxes = relaxes

    @property
    def input_set(self) -> InputSet:
        """That of the settings."""
        return INPUT_SETS[self.settings.input_set]

    @property
    def name(self) -> str:
        """The method, as snapshots of the Materials Project have it."""
        return self.input_set.label_method if self.relaxes else self.input_set.label_method + STATIC_SUFFIX

    @property
    def correction_scheme(self) -> str:
        """That of the input set."""
        return self.input_set.correction_scheme

    @property
    def caveat(self) -> str:
        """What was computed, and how it may differ from the Materials Project's."""
        scheme, own = self.correction_scheme, self._incar()
        corrections = "without corrections" if scheme == "none" else f"with the corrections of {scheme}"
        changed = f", but for {', '.join(f'{key} = {own[key]}' for key in sorted(own))}" if own else ""
        return (
            f"Energies are DFT calculations by VASP with the settings of {self.settings.input_set}{changed}, "
            f"{corrections}; other magnetic orders than the ferromagnetic one were not tried."
        )

    def static(self) -> Self:
        """Energies of crystals as they are, by the static settings of the same input set."""
        return type(self)(self.settings, relaxes=False)

    def label_settings(self) -> dict[str, Any]:
        """What changes an energy, and the numbers of input set and corrections that the installed pymatgen has."""
        idle = {"max_atoms"} if self.relaxes else {"max_atoms", "max_volume_change"}
        settings = {name: value for name, value in super().label_settings().items() if name not in idle}
        return {**settings, "incar": self._incar(), "numbers": self._numbers()}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Compute crystals, one after the other; see :class:`lodestone.oracles.base.Oracle`.

        Raises:
            LodestoneError: If VASP, its pseudopotentials or custodian are not there.
        """
        for index, crystal in enumerate(crystals):
            try:
                label = self._label(crystal)
            except RejectedError as error:
                label = Label(reason(error))
            yield index, label

    def _label(self, crystal: Crystal) -> Label:
        if len(crystal) > self.settings.max_atoms:
            raise RejectedError(f"{TOO_LARGE}: {len(crystal)} atoms, at most {self.settings.max_atoms}")
        try:
            run = self._run(crystal)
        except UnreadableRunError as error:
            raise RejectedError(f"{error.kind}: {error.details}") from error
        relaxed = run.crystal if self.relaxes else crystal
        if fault := self.settings.fault(crystal, relaxed, run.energy_per_atom):
            raise RejectedError(fault)
        return Label("ok", run.energy_per_atom, relaxed, run.n_steps)

    def _run(self, crystal: Crystal) -> Run:
        name = self._folder_name(crystal)
        folder = RunFolder(_runs() / name, RELAXATION if self.relaxes else STATIC)

        def files() -> dict[str, str]:
            return input_files(crystal, name, self.input_set, incar=self.settings.incar, relaxes=self.relaxes)

        content = calculated(folder, files, max_errors=self.settings.max_errors)
        return corrected_run(content, self.input_set.label_method, self.correction_scheme)

    def _folder_name(self, crystal: Crystal) -> str:
        """By the content of all that VASP's answer depends on."""
        what = [crystal.digest(), self.name, self._incar(), digest(self.input_set.numbers())]
        key = blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=8).hexdigest()
        return f"{reduced_formula(crystal.atomic_numbers)}-{key}"

    def _incar(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.incar.items() if key not in _OF_THE_MACHINE}

    def _numbers(self) -> str:
        return digest([self.input_set.numbers(), numbers_of(self.correction_scheme)])


def _runs() -> Path:
    """``$LODESTONE_VASP_RUNS``, or ``vasp`` beside the label store."""
    return Path(os.environ.get(RUNS_VARIABLE) or default_path().parent / "vasp").absolute()
