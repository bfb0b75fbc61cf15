"""Oracle ``pair-potential-1``: a Lennard-Jones potential between all atoms; how to add an oracle, in one file.

Each pair has its lowest energy at the sum of the two covalent radii; unlike elements attract each other more. A
crystal is relaxed in its volume alone, for which the potential has a formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams, Positive
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, Oracle


class PairPotentialParams(OracleParams):
    """How strong the bonds of the toy are."""

    depth: Positive = Field(0.2, description="energy of a bond between like atoms, eV")
    ionicity: float = Field(0.1, ge=0, description="what a difference in electronegativity of one adds to it, eV")


@ORACLES.register("pair-potential-1", settings=PairPotentialParams)
class PairPotential(Oracle):
    """Lennard-Jones pairs; relaxes the volume and nothing else."""

    settings: PairPotentialParams
    packages = ("ase", "numpy", "pymatgen", "vesin")
    caveat = "Energies are those of a toy pair potential: they show how an oracle is added, and nothing about nature."

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label one crystal after the other; see :class:`lodestone.oracles.base.Oracle`."""
        for index, crystal in enumerate(crystals):
            yield index, self._relaxed(crystal)

    def _relaxed(self, crystal: Crystal) -> Label:
        ratio, depth = _pairs(crystal, self.settings)
        if len(ratio) == 0:
            return Label("not_bound: no two atoms are near each other")
        # E(x) = (A x² - 2 B x) / 2 with x = (old edge / new edge)^6 is lowest at x = B / A.
        repulsion, attraction = float((depth * ratio**12).sum()), float((depth * ratio**6).sum())
        volume = crystal.volume * (repulsion / attraction) ** 0.5
        energy = -0.5 * attraction**2 / repulsion
        return Label("ok", energy / len(crystal), crystal.scaled_to(volume), n_steps=1)


def _pairs(crystal: Crystal, settings: PairPotentialParams) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the radii over the distance, and depth in eV, of each pair within 8 Å, both ways round."""
    import vesin  # here and not above: every command checks the parameters, and imports this file
    from ase.data import covalent_radii
    from pymatgen.core import Element

    first, second, distance = vesin.ase_neighbor_list("ijd", crystal.to_ase(), 8.0)
    numbers = crystal.atomic_numbers
    radii = covalent_radii[numbers]
    electronegativity = np.array([Element.from_Z(int(number)).X for number in numbers])
    unlike = np.abs(electronegativity[first] - electronegativity[second])
    return (radii[first] + radii[second]) / distance, settings.depth + settings.ionicity * unlike
