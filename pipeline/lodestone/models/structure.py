"""A crystal as a structure: a periodic graph of atoms, distances and angles, one node for all atoms equal by symmetry.

Gated message passing on atoms and bonds, after CGCNN (Xie & Grossman, PRL 120, 145301 (2018)) with a perceptron per
message, and bonds that are updated too, as in MEGNet (Chen et al., Chem. Mater. 31, 3564 (2019)). The energy is the
mean over all atoms, so that supercells give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from lodestone.config.registry import VIEWS
from lodestone.config.sections import StructureParams
from lodestone.crystals.angles import N_ANGULAR
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.graph import OrbitGraph, orbit_graph
from lodestone.models.base import ViewDataset, ViewNetwork
from lodestone.models.element_features import ElementEmbedding, covalent_radii
from lodestone.models.geometric import Data, MessagePassing, scatter
from lodestone.models.layers import Ragged, Residual, gaussians

_N_RADIAL = 32
_SHORTEST = 0.8  # Å: the first radial function
_RELATIVE = (0.6, 2.8)  # sums of covalent radii
_MARK = 0.1  # size of a vector that is added to an element's
_PART = 0.1  # brings sums over a dozen bonds to the size of means


class StructureDataset(ViewDataset):
    """Orbit graphs of crystals, laid end to end in flat arrays.

    Args:
        crystals: Crystals to describe.
        params: ``cutoff`` and ``neighbors`` define the graphs.
        unrelaxed: Which crystals are unrelaxed, shape ``(n,)``. Where ``params.unrelaxed`` is 0 the
            networks have not learned what the mark means, and it is not set.
    """

    def __init__(self, crystals: Sequence[Crystal], params: StructureParams, unrelaxed: Sequence[bool]) -> None:
        self._lay([orbit_graph(crystal, params.cutoff, params.neighbors) for crystal in crystals], params, unrelaxed)

    @classmethod
    def of_graphs(cls, graphs: Sequence[OrbitGraph], params: StructureParams, unrelaxed: Sequence[bool]) -> Self:
        """The same from graphs that are known already, as those of children of one parent are."""
        dataset = cls.__new__(cls)
        dataset._lay(graphs, params, unrelaxed)
        return dataset

    def _lay(self, graphs: Sequence[OrbitGraph], params: StructureParams, unrelaxed: Sequence[bool]) -> None:
        self.numbers = Ragged([graph.atomic_numbers for graph in graphs])
        self.atoms = Ragged([graph.atoms for graph in graphs])
        self.source = Ragged([graph.source for graph in graphs])
        self.target = Ragged([graph.target for graph in graphs])
        self.distance = Ragged([graph.distance for graph in graphs])
        self.bonds = Ragged([graph.bonds for graph in graphs])
        self.angles = Ragged([graph.angles for graph in graphs])
        marked = [flag and params.unrelaxed > 0 for flag in unrelaxed]
        self.unrelaxed = torch.tensor(marked, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.numbers.sizes)

    def batch(self, rows: Tensor) -> Data:
        """The crystals of some rows as one disconnected torch-geometric graph."""
        sizes = self.numbers.sizes[rows]
        first = torch.repeat_interleave(torch.cumsum(sizes, 0) - sizes, self.source.sizes[rows])
        return Data(
            z=self.numbers.take(rows),
            atoms=self.atoms.take(rows),
            edge_index=torch.stack([self.source.take(rows) + first, self.target.take(rows) + first]),
            distance=self.distance.take(rows),
            bonds=self.bonds.take(rows),
            angles=self.angles.take(rows),
            unrelaxed=self.unrelaxed[rows],
            batch=torch.repeat_interleave(torch.arange(len(rows)), sizes),
            n_crystals=len(rows),
        )


class BondFeatures(nn.Module):
    """Features of a bond: its length, in Å and in sums of covalent radii, and its angles with others.

    The relative length means the same for all elements, so that what is learned from one pair holds for others.

    Args:
        cutoff: Longest bond, Å.
        width: Features per bond.
    """

    lengths: Tensor
    relative: Tensor
    radii: Tensor

    def __init__(self, cutoff: float, width: int) -> None:
        super().__init__()
        self.register_buffer("lengths", torch.linspace(_SHORTEST, cutoff, _N_RADIAL))
        self.register_buffer("relative", torch.linspace(*_RELATIVE, _N_RADIAL))
        self.register_buffer("radii", covalent_radii())
        self.mix = nn.Sequential(nn.Linear(2 * _N_RADIAL + N_ANGULAR, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, z: Tensor, edge_index: Tensor, distance: Tensor, angles: Tensor) -> Tensor:
        """Features of bonds, shape ``(e, width)``.

        Args:
            z: Atomic numbers, shape ``(n,)``.
            edge_index: Atoms that each bond joins, shape ``(2, e)``.
            distance: Its length, shape ``(e,)``, Å.
            angles: Its angular features, shape ``(e, N_ANGULAR)``.
        """
        source, target = z[edge_index]
        relative = distance / (self.radii[source] + self.radii[target])
        lengths = (gaussians(distance, self.lengths), gaussians(relative, self.relative))
        return self.mix(torch.cat([*lengths, angles], dim=-1))


class GatedConvolution(MessagePassing):  # type: ignore[misc]
    """One layer: messages from both atoms and their bond, gathered by the atoms, then each atom on its own.

    The first products of weights and atoms are taken per atom, before they are gathered on edges: with several edges
    per atom that is a fraction of the work of a matrix product per edge. Atoms get the mean and the sum over their
    bonds; the mean knows the kind of surroundings, the sum their number. The message also refines its bond.

    Args:
        width: Features per atom and per edge.
        last: Nothing reads the bonds after the last layer, so it does not refine them.
    """

    def __init__(self, width: int, last: bool) -> None:
        super().__init__(aggr="sum")
        self.norm = nn.LayerNorm(width)
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width)
        self.edge = nn.Linear(width, width)
        self.gated = nn.Linear(width, 2 * width)
        self.refine = None if last else nn.Linear(width, width)
        self.output = nn.Linear(2 * width, width)
        self.alone = Residual(width)

    def forward(self, x: Tensor, edge_index: Tensor, edges: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
        """Update atoms, ``(n, width)``, and edges, ``(e, width)``, each of which stands for ``bonds``, ``(e,)``."""
        h = self.norm(x)
        source, target = edge_index
        hidden = nn.functional.silu(self.receiver(h)[target] + self.sender(h)[source] + self.edge(edges))
        gate, core = self.gated(hidden).chunk(2, dim=-1)
        message = torch.sigmoid(gate) * nn.functional.silu(core)
        total = self.propagate(edge_index, message=message * bonds[:, None], size=(len(x), len(x)))
        number = scatter(bonds, target, dim_size=len(x), reduce="sum")
        x = x + self.output(torch.cat([total / number[:, None], _PART * total], dim=-1))
        return self.alone(x), edges if self.refine is None else edges + self.refine(message)

    def message(self, message: Tensor) -> Tensor:
        """Messages are computed in :meth:`forward`, where edges need them too."""
        return message


@VIEWS.register("structure", settings=StructureParams)
class StructureNetwork(ViewNetwork):
    """Graphs to one number per crystal.

    Args:
        params: Parameters of the view.
    """

    dataset = StructureDataset

    def __init__(self, params: StructureParams) -> None:
        super().__init__()
        width = params.width
        self.embedding = ElementEmbedding(width)
        self.mark = nn.Embedding(2, width)  # relaxed or not
        nn.init.normal_(self.mark.weight, std=_MARK)
        self.bonds = BondFeatures(params.cutoff, width)
        self.layers = nn.ModuleList(GatedConvolution(width, i == params.layers - 1) for i in range(params.layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, batch: Data) -> Tensor:
        """Standardized residual formation energy per atom, shape ``(b,)``."""
        return _mean_over_atoms(self.head(self._atoms(batch)), batch)[:, 0]

    def latent(self, batch: Data) -> Tensor:
        """The features of each crystal from which the energy is computed, shape ``(b, width)``."""
        return _mean_over_atoms(self._atoms(batch), batch)

    def _atoms(self, batch: Data) -> Tensor:
        x = self.embedding(batch.z) + self.mark(batch.unrelaxed)[batch.batch]
        edges = self.bonds(batch.z, batch.edge_index, batch.distance, batch.angles)
        for layer in self.layers:
            x, edges = layer(x, batch.edge_index, edges, batch.bonds)
        return self.norm(x)


def _mean_over_atoms(values: Tensor, batch: Data) -> Tensor:
    """Mean over the atoms of each crystal of values per orbit, ``(o, k)``: shape ``(b, k)``."""
    atoms = batch.atoms[:, None]
    total, number = (
        scatter(terms, batch.batch, dim_size=batch.n_crystals, reduce="sum") for terms in (values * atoms, atoms)
    )
    return total / number
