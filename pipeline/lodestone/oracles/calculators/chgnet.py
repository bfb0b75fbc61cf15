"""CHGNet as a calculator that takes one derivative of the energy, not two, of many crystals at once.

`CHGNetCalculator` of the package, made for training too, walks back through the network once for the forces and once
for the stress, and keeps what third derivatives would need; it also computes magnetic moments. Energies are the same to
the last bit, forces and stresses up to rounding; a relaxation takes three fifths of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from ase.calculators.calculator import Calculator, all_changes
from chgnet.model.model import BatchedGraph
from pymatgen.io.ase import AseAtomsAdaptor

if TYPE_CHECKING:
    from ase import Atoms
    from chgnet.graph import CrystalGraph
    from chgnet.model import CHGNet


class OneDerivative:
    """Energies (eV), forces (eV/Å) and stresses (eV/Å3) by CHGNet.

    Args:
        model: The network; its weights are frozen.
        device: Where it runs.
    """

    def __init__(self, model: CHGNet, device: str) -> None:
        model.eval().requires_grad_(requires_grad=False)
        self._device, self._converter = device, model.graph_converter
        # These stay on the CPU: a GPU would wait for dozens of small calls for each crystal.
        parts = (model.bond_basis_expansion, model.angle_basis_expansion, model.composition_model)
        self._bonds, self._angles, self._elements = (deepcopy(part).cpu() for part in parts)
        self._model = model.to(device)

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[dict[str, Any]]:
        """What ASE calls the results of each crystal, computed together.

        Args:
            many: Crystals; several at once are faster on a GPU, and no faster on a core.
            derivatives: Whether forces and stresses are asked for.
        """
        sizes, graphs = [len(atoms) for atoms in many], [self._graph(atoms) for atoms in many]
        batch = BatchedGraph.from_graphs(graphs, self._bonds, self._angles, compute_stress=True)
        per_atom = self._model._compute(self._moved(batch))["e"].cpu()
        energies = (per_atom.detach() + self._elements(graphs)).numpy()
        results = [_energy(float(energy * n)) for energy, n in zip(energies, sizes, strict=True)]
        if derivatives:
            gradients = torch.autograd.grad(
                (per_atom * torch.tensor(sizes)).sum(), [*batch.atom_positions, *batch.strains]
            )
            for row, (position, strain) in enumerate(zip(gradients[: len(many)], gradients[len(many) :], strict=True)):
                results[row] |= {"forces": -position.numpy(), "stress": (strain / batch.volumes[row]).numpy()}
        return results

    def _graph(self, atoms: Atoms) -> CrystalGraph:
        return self._converter(AseAtomsAdaptor.get_structure(atoms))

    def _moved(self, batch: BatchedGraph) -> BatchedGraph:
        """A batch on the device, what is derived for stays where it is."""
        stay = ("atom_positions", "strains", "volumes")
        moved = {x.name: getattr(batch, x.name).to(self._device) for x in fields(batch) if x.name not in stay}
        return replace(batch, **moved)


def _energy(energy: float) -> dict[str, Any]:
    return {"energy": energy, "free_energy": energy}


class OneDerivativeCalculator(Calculator):
    """The same as a calculator of ASE.

    Args:
        model: The network; its weights are frozen.
        device: Where it runs.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  # as ASE declares it

    def __init__(self, model: CHGNet, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._network = OneDerivative(model, device)

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = ("forces",), system_changes: Any = tuple(all_changes)
    ) -> None:
        """What ASE calls: the energy alone if nothing else is asked for, else all properties."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        current: Any = self.atoms  # a copy
        [self.results] = self._network.evaluate([current], derivatives=not set(properties) <= {"energy", "free_energy"})
