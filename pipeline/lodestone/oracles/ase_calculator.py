"""Any calculator of ASE as an oracle, by its import path and its arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, JsonValue, WithJsonSchema, field_validator

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, installed_versions
from lodestone.oracles.calculators.arguments import by_content, digest, secret_among
from lodestone.oracles.calculators.imported import calculator_of, forget, results_of
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.relaxation import Results

if TYPE_CHECKING:
    from ase import Atoms

Arguments = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]
Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.!_]+$")]
_CORRECTED = ("PBE", "PBE+U")  # functionals that the rules of correction schemes are for
_ABOUT_THE_ENERGIES = ("model", "functional", "correction_scheme", "one_process")


class CalculatorSettings(RelaxationSettings):
    """Which calculator of ASE, what its energies are, how it relaxes a crystal, and which results are refused."""

    calculator: str = Field(
        pattern=r"^[A-Za-z_][\w.]*[:.][A-Za-z_]\w*$",
        description="import path of a class or function that gives a calculator, module:Class or module.function; "
        "what stands there is imported and run",
    )
    arguments: Arguments = Field(
        {},
        description="its arguments by name; a file among them counts by its content. No keys and passwords: label "
        "store and report would show them",
    )
    packages: tuple[Pinned, ...] = Field(
        (), description="packages that make its numbers, as mace-torch==0.3.14; other versions are refused"
    )
    model: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$",
        description="what it is called in label_method, ase-<model>-<hash of calculator, arguments and packages>; by "
        "default as the class or function",
    )
    functional: str = Field(min_length=1, description="what its energies stand for: PBE, PBE+U, r2SCAN, none, ...")
    correction_scheme: str = Field(
        min_length=1, description="corrections that its energies include: MP2020, MP-2019, none, ..."
    )
    one_process: bool = Field(
        False,
        description="whether one process labels all crystals, as suits a GPU; else each core loads the model",
    )

    @field_validator("arguments")
    @classmethod
    def _hold_no_secret(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        name = secret_among(arguments)
        if name is not None:
            raise ValueError(
                f"{name} looks like a key or password, which label store and report would show; let the calculator "
                "read it from the environment"
            )
        return arguments


@ORACLES.register("ase", settings=CalculatorSettings)
class CalculatorOracle(Potential):
    """Relaxes cell and positions with a calculator that the parameters name."""

    settings: CalculatorSettings

    def __init__(self, settings: CalculatorSettings, *, relaxes: bool = True) -> None:
        super().__init__(settings, relaxes=relaxes)
        self.packages = ("ase", "numpy", *(pinned.split("==")[0] for pinned in settings.packages))

    @property
    def method(self) -> str:
        """What it is called, and a hash of what it is: no label of two calculators bears one name."""
        called = self.settings.model or re.split("[:.]", self.settings.calculator)[-1].lower()
        return f"ase-{called}-{digest(self._facts)}"

    @property
    def caveat(self) -> str:
        """Which calculator, and what its energies are said to be."""
        what = ", ".join([self.settings.calculator, *self.settings.packages])
        return (
            f"Energies are those of a calculator that the parameters name ({self.method}: {what}). That they stand for "
            f"{self.settings.functional} with the corrections {self.settings.correction_scheme} is what the parameters "
            "say, and was not checked."
        )

    @property
    def correction_scheme(self) -> str:
        """That of the settings."""
        return self.settings.correction_scheme

    @property
    def included_corrections(self) -> str | None:
        """The same, if its energies stand for a functional that the rules are for."""
        return self.correction_scheme if self.settings.functional.upper() in _CORRECTED else None

    @property
    def one_process(self) -> bool:
        """That of the settings."""
        return self.settings.one_process

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Versions of its packages, which are those that the settings state.

        Raises:
            LodestoneError: If another one is installed, or none.
        """
        installed = installed_versions(self.packages, self.settings.name)
        for package, version in (pinned.split("==") for pinned in self.settings.packages):
            if installed[package] != version:
                raise LodestoneError(
                    f"oracle.packages: {package} {installed[package]} is installed, not {version}",
                    f"pip install {package}=={version}, or state {installed[package]}: all is then labelled anew",
                )
        return installed

    def label_settings(self) -> dict[str, Any]:
        """What changes a label: the calculator, what it is given, and how crystals are relaxed."""
        kept = {name: value for name, value in super().label_settings().items() if name not in _ABOUT_THE_ENERGIES}
        return kept | self._facts

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label one crystal after the other: no label depends on what the calculator remembers of the last one."""
        for index, crystal in enumerate(crystals):
            forget(self._calculator())
            for _, label in super().label([crystal]):
                yield index, label

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """Results of several crystals, one by one; see :class:`lodestone.oracles.potential.Potential`."""
        return [results_of(self._calculator(), atoms, derivatives=derivatives) for atoms in many]

    def _calculator(self) -> Any:
        _ = self.versions  # refuses others than the settings state
        arguments = json.dumps(self.settings.arguments, sort_keys=True)
        return calculator_of(self.settings.calculator, arguments, self.settings.packages)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What makes the numbers, files by their content, read once."""
        return {
            "calculator": self.settings.calculator,
            "arguments": by_content(self.settings.arguments),
            "packages": sorted(self.settings.packages),
        }
