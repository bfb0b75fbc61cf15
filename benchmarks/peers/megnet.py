"""matgl: MEGNet with its graph converter, batching and network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.models.baseline import ElementBaseline
from peers.learner import Prepared, mean_and_spread, samples

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from torch import Tensor, nn


class MegnetLearner:
    """MEGNet of Chen et al. (2019) in the package matgl.

    Args:
        cutoff: Radius of the graphs, Å.
    """

    def __init__(self, cutoff: float) -> None:
        self.cutoff = cutoff

    def translate(self, crystals: Sequence[Crystal]) -> list[Structure]:
        """Structures of pymatgen."""
        return [crystal.to_pymatgen() for crystal in crystals]

    def prepare(self, inputs: list[Structure]) -> Prepared:
        """Graphs of all neighbors within the cutoff; the network copes with those that have none."""
        from matgl.graph.data import collate_fn_graph

        return samples([self._graph(structure) for structure in inputs], collate_fn_graph)

    def _graph(self, structure: Structure) -> tuple[Any, ...]:
        """Graph, lattice, state and label as the package's batching wants them."""
        import torch
        from matgl.config import DEFAULT_ELEMENTS
        from matgl.ext.pymatgen import Structure2Graph

        graph, lattice, state = Structure2Graph(DEFAULT_ELEMENTS, self.cutoff).get_graph(structure)
        # The package's trainer computes these two anew for every batch.
        graph.pos = graph.frac_coords @ lattice[0]
        graph.pbc_offshift = graph.pbc_offset @ lattice[0]
        return graph, lattice, torch.tensor(state), {"target": 0.0}

    def network(self) -> nn.Module:
        """The network with its default sizes."""
        from matgl.models import MEGNet

        return MEGNet(cutoff=self.cutoff)

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized energies."""
        graph, _, state, _ = batch
        return network(graph, state_attr=state).reshape(-1)

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """Plain standardization."""
        return mean_and_spread(energies)
