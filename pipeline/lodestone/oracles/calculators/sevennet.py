"""SevenNet as a calculator of energies alone.

`SevenNetCalculator` of the package takes the derivatives of every energy, asked for or not, and they take longer than
the energy.
"""

from __future__ import annotations

from typing import Any

import torch
from sevenn import _keys
from sevenn.calculator import SevenNetCalculator
from torch import Tensor, nn


class SevenNetEnergies(SevenNetCalculator):  # type: ignore[misc]
    """Energies (eV) by SevenNet, to the last bit those of the package; forces and stresses are 0.

    Args:
        arguments: As there.
        settings: As there.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.model.replace_module("force_output", _NoDerivatives())
        self.implemented_properties = ["energy", "free_energy", "energies"]

    def calculate(self, *arguments: Any, **settings: Any) -> None:
        """What ASE calls."""
        with torch.no_grad():
            super().calculate(*arguments, **settings)


class _NoDerivatives(nn.Module):
    """What the calculator reads from the network, without the derivatives."""

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """The same data with forces and stress of 0."""
        energy, n = data[_keys.PRED_TOTAL_ENERGY], int(data[_keys.NUM_ATOMS].sum())
        data[_keys.PRED_FORCE], data[_keys.PRED_STRESS] = energy.new_zeros(n, 3), energy.new_zeros(6)
        return data
