"""Features of an element before any training: its place in the periodic table and measured properties."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from lodestone.crystals.elements import SYMBOLS

_PROPERTIES = (
    "X",
    "group",
    "row",
    "mendeleev_no",
    "atomic_radius_calculated",
    "atomic_mass",
    "molar_volume",
    "melting_point",
    "electron_affinity",
    "ionization_energy",
)


def element_features() -> Tensor:
    """Standardized properties and one-hot blocks of each element.

    Returns:
        Shape ``(N_ELEMENTS, d)``, indexed by atomic number; 0 (the mean) where a property is unknown.
    """
    return _features().clone()  # a network keeps it, and loading weights overwrites it


@lru_cache(maxsize=1)
def _features() -> Tensor:
    from pymatgen.core import Element

    elements = [Element(symbol) for symbol in SYMBOLS[1:]]
    values = torch.tensor([[_number(element, name) for name in _PROPERTIES] for element in elements])
    known = ~torch.isnan(values)
    mean = values.nan_to_num().sum(0) / known.sum(0)
    centered = torch.where(known, values - mean, 0.0)
    scaled = centered / (centered.square().sum(0) / known.sum(0)).sqrt()
    blocks = [[float(element.block == name) for name in "spdf"] for element in elements]
    table = torch.cat([scaled, torch.tensor(blocks)], dim=1)
    return torch.cat([torch.zeros(1, table.shape[1]), table])


def covalent_radii() -> Tensor:
    """Covalent radii (Cordero et al., Dalton Trans. 2832 (2008)), shape ``(N_ELEMENTS,)``, Å, by atomic number."""
    from ase.data import covalent_radii as radii

    return torch.tensor(radii[: len(SYMBOLS)], dtype=torch.float32)


def _number(element: Any, name: str) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of every property that was never measured
        value = getattr(element, name)
    return float("nan") if value is None else float(value)


class ElementEmbedding(nn.Module):
    """A learned vector per element plus a linear map of its known properties: rare elements borrow from their kin.

    Args:
        width: Features per element.
    """

    features: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("features", element_features())
        self.learned = nn.Embedding(len(SYMBOLS), width)
        nn.init.normal_(self.learned.weight, std=0.1)
        self.known = nn.Linear(self.features.shape[1], width)

    def forward(self, z: Tensor) -> Tensor:
        """Vectors for atomic numbers of any shape, ``(..., width)``."""
        return self.learned(z) + self.known(self.features[z])
