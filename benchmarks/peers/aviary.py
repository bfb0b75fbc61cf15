"""aviary: CGCNN on structures and Roost on compositions, with its datasets, batching and networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.models.baseline import ElementBaseline
from peers.learner import Prepared, mean_and_spread, samples

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

_TASK = {"target": "regression"}
_COMMON: dict[str, Any] = {"task_dict": _TASK, "robust": False, "n_targets": [1], "device": "cpu"}


class AviaryCgcnnLearner:
    """CGCNN of Xie & Grossman (2018) in the package aviary.

    Args:
        cutoff: Radius of the graphs, Å.
    """

    def __init__(self, cutoff: float) -> None:
        self.cutoff = cutoff

    def translate(self, crystals: Sequence[Crystal]) -> pd.DataFrame:
        """A data frame of pymatgen structures."""
        import pandas as pd

        return pd.DataFrame({"structure": [crystal.to_pymatgen() for crystal in crystals], "target": 0.0})

    def prepare(self, inputs: pd.DataFrame) -> Prepared:
        """Graphs of up to 12 neighbors; the package refuses crystals with isolated atoms."""
        from aviary.cgcnn.data import CrystalGraphData, collate_batch

        dataset = CrystalGraphData(inputs, _TASK, radius_cutoff=self.cutoff)
        graphs: list[Any] = [None] * len(inputs)
        for place, row in enumerate(dataset.df.index):
            graphs[row] = dataset[place]
        return samples(graphs, collate_batch)

    def network(self) -> nn.Module:
        """The network with its default sizes."""
        from aviary.cgcnn.model import CrystalGraphConvNet

        return CrystalGraphConvNet(radius_cutoff=self.cutoff, **_COMMON)

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized energies."""
        return network(*batch[0])[0][:, 0]

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """Plain standardization, as the package does it."""
        return mean_and_spread(energies)


class RoostLearner:
    """Roost of Goodall & Lee (2020) in the package aviary."""

    def translate(self, crystals: Sequence[Crystal]) -> pd.DataFrame:
        """A data frame of compositions."""
        import pandas as pd

        formulas = [crystal.to_pymatgen().composition.reduced_formula for crystal in crystals]
        return pd.DataFrame({"material_id": range(len(crystals)), "composition": formulas, "target": 0.0})

    def prepare(self, inputs: pd.DataFrame) -> Prepared:
        """Complete graphs of the elements."""
        from aviary.roost.data import CompositionData, collate_batch

        dataset = CompositionData(inputs, _TASK)
        return samples([dataset[row] for row in range(len(dataset))], collate_batch)

    def network(self) -> nn.Module:
        """The network with its default sizes."""
        from aviary.roost.model import Roost

        return Roost(**_COMMON)

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized energies."""
        return network(*batch[0])[0][:, 0]

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """Plain standardization, as the package does it."""
        return mean_and_spread(energies)
