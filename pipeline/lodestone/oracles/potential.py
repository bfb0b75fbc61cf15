"""Potentials: what gives energies, forces and stresses, from which all labels are made in one way."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from lodestone.config.sections import Count, Positive
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import STATIC_SUFFIX, Label, Oracle
from lodestone.oracles.relaxation import Results, relax_all
from lodestone.oracles.sanity import Limits

if TYPE_CHECKING:
    from ase import Atoms

_OF_A_RELAXATION = frozenset({"fmax", "max_steps", "max_volume_change"})


class RelaxationSettings(Limits):
    """How a crystal is relaxed, and which results are refused."""

    fmax: Positive = Field(description="largest residual force, eV/Å")
    max_steps: Count = Field(description="steps after which a relaxation counts as failed")


class Potential(Oracle):
    """An oracle that relaxes cell and positions by a potential, with BFGS and the Frechet cell filter of ASE.

    Args:
        settings: Instance of the settings model it was registered with.
        relaxes: Whether crystals are relaxed; otherwise they are labelled as they are, under another name.
    """

    settings: RelaxationSettings
    modules: tuple[str, ...] = ("ase.filters", "ase.optimize")

    def __init__(self, settings: RelaxationSettings, *, relaxes: bool = True) -> None:
        super().__init__(settings)
        self.relaxes = relaxes

    @abstractmethod
    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """What ASE calls the results of each of several crystals: energies in eV, forces in eV/Å, stresses in eV/Å3.

        Args:
            many: Crystals, which stay as they are.
            derivatives: Whether forces and stresses are asked for.
        """

    @property
    def method(self) -> str:
        """Name and version of the potential."""
        return self.settings.name

    @property
    def name(self) -> str:
        """That of the potential; marked where crystals are not relaxed, so that the two share no label."""
        return self.method if self.relaxes else self.method + STATIC_SUFFIX

    @property
    def width(self) -> int:
        """Crystals that a process relaxes at once."""
        return 1

    def static(self) -> Self:
        """Energies of crystals as they are: never below what they are relaxed to."""
        return type(self)(self.settings, relaxes=False)

    def label_settings(self) -> dict[str, Any]:
        """All of them; without a relaxation, those that do not concern one."""
        idle = frozenset() if self.relaxes else _OF_A_RELAXATION
        return {name: value for name, value in super().label_settings().items() if name not in idle}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Relax crystals, or label them as they are; see :class:`lodestone.oracles.base.Oracle`."""
        fault, fmax, max_steps = self.settings.fault, self.settings.fmax, self.settings.max_steps
        if self.relaxes:
            yield from relax_all(crystals, self.evaluate, fault, fmax=fmax, max_steps=max_steps, width=self.width)
            return
        for index, crystal in enumerate(crystals):
            energy = self._energy(crystal)
            reason = fault(crystal, crystal, energy)
            yield index, Label("ok", energy, crystal) if reason is None else Label(reason)

    def _energy(self, crystal: Crystal) -> float:
        """Of the crystal as it is, eV/atom."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            [results] = self.evaluate([crystal.to_ase()], derivatives=False)
        return float(results["energy"] / len(crystal))
