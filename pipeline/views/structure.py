"""A crystal as a structure: a periodic graph of atoms and distances, one node for all atoms that symmetry makes equal.

Gated message passing on atoms and edges, after CGCNN (Xie & Grossman, PRL 120, 145301 (2018)) with edge updates; the
energy is the mean over all atoms, so that supercells give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter

from pipeline.crystals.crystal import Crystal
from pipeline.crystals.graph import orbit_graph
from pipeline.params import StructureParams
from pipeline.views.elements import ElementEmbedding

_N_RADIAL = 32
_SHORTEST = 0.8  # Å: the first radial function
_PART = 0.1  # brings sums over a dozen bonds to the size of means


class StructureDataset:
    """Orbit graphs of crystals, laid end to end in flat arrays.

    Args:
        crystals: Crystals to describe.
        params: ``cutoff`` and ``neighbours`` define the graphs.
    """

    def __init__(self, crystals: Sequence[Crystal], params: StructureParams) -> None:
        graphs = [orbit_graph(crystal, params.cutoff, params.neighbours) for crystal in crystals]
        self.numbers = _Ragged([graph.atomic_numbers for graph in graphs])
        self.atoms = _Ragged([graph.atoms for graph in graphs])
        self.source = _Ragged([graph.source for graph in graphs])
        self.target = _Ragged([graph.target for graph in graphs])
        self.distance = _Ragged([graph.distance for graph in graphs])
        self.bonds = _Ragged([graph.bonds for graph in graphs])

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
            batch=torch.repeat_interleave(torch.arange(len(rows)), sizes),
            n_crystals=len(rows),
        )


class _Ragged:
    """Arrays of different lengths end to end."""

    def __init__(self, pieces: list[np.ndarray]) -> None:
        self.values = torch.from_numpy(np.concatenate(pieces)) if pieces else torch.empty(0)
        self.sizes = torch.tensor([len(piece) for piece in pieces], dtype=torch.long)
        self.starts = torch.cumsum(self.sizes, 0) - self.sizes

    def take(self, rows: Tensor) -> Tensor:
        """The pieces of some rows, end to end."""
        sizes = self.sizes[rows]
        offset = torch.repeat_interleave(self.starts[rows] - (torch.cumsum(sizes, 0) - sizes), sizes)
        return self.values[offset + torch.arange(len(offset))]


class GatedConvolution(MessagePassing):  # type: ignore[misc]
    """One layer: edges learn from their atoms, atoms from their gated edges, then each atom by itself.

    The products of weights and atoms are taken per atom, before they are gathered on edges: with several edges per atom
    that is a fraction of the work of a matrix product per edge. Atoms get the mean and the sum over their bonds; the
    mean knows the kind of surroundings, the sum their number.

    Args:
        width: Features per atom and per edge.
    """

    def __init__(self, width: int) -> None:
        super().__init__(aggr="sum")
        self.norm = nn.LayerNorm(width)
        self.receiver = nn.Linear(width, 2 * width)
        self.sender = nn.Linear(width, 2 * width)
        self.edge = nn.Linear(width, 2 * width)
        self.refine: nn.Linear | None = nn.Linear(width, width)
        self.output = nn.Linear(2 * width, width)
        self.alone = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, edge_index: Tensor, edges: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
        """Update atoms, ``(n, width)``, and edges, ``(e, width)``, each of which stands for ``bonds``, ``(e,)``."""
        h = self.norm(x)
        source, target = edge_index
        gate, core = (self.receiver(h)[target] + self.sender(h)[source] + self.edge(edges)).chunk(2, dim=-1)
        message = torch.sigmoid(gate) * nn.functional.silu(core)
        total = self.propagate(edge_index, message=message * bonds[:, None], size=(len(x), len(x)))
        number = scatter(bonds, target, dim_size=len(x), reduce="sum")
        x = x + self.output(torch.cat([total / number[:, None], _PART * total], dim=-1))
        return x + self.alone(x), edges if self.refine is None else edges + self.refine(message)

    def message(self, message: Tensor) -> Tensor:
        """Messages are computed in :meth:`forward`, where edges need them too."""
        return message


class StructureNetwork(nn.Module):
    """Graphs to one number per crystal.

    Args:
        params: Parameters of the view.
    """

    def __init__(self, params: StructureParams) -> None:
        super().__init__()
        width = params.width
        self.embedding = ElementEmbedding(width)
        self.register_buffer("centres", torch.linspace(_SHORTEST, params.cutoff, _N_RADIAL))
        self.spacing = (params.cutoff - _SHORTEST) / (_N_RADIAL - 1)
        self.radial = nn.Sequential(nn.Linear(_N_RADIAL, width), nn.SiLU(), nn.Linear(width, width))
        layers = [GatedConvolution(width) for _ in range(params.layers)]
        layers[-1].refine = None  # nobody reads the edges after the last layer
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, batch: Data) -> Tensor:
        """Standardised residual formation energy per atom, shape ``(b,)``."""
        x = self.embedding(batch.z)
        scaled = (batch.distance[:, None] - self.centres) / self.spacing
        edges = self.radial(torch.exp(-0.5 * scaled**2))
        for layer in self.layers:
            x, edges = layer(x, batch.edge_index, edges, batch.bonds)
        energies = self.head(self.norm(x))[:, 0] * batch.atoms
        per_crystal = (
            scatter(v, batch.batch, dim_size=batch.n_crystals, reduce="sum") for v in (energies, batch.atoms)
        )
        total, atoms = per_crystal
        return total / atoms
