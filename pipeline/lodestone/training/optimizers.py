"""Which optimizer moves which parameters of a network."""

from __future__ import annotations

import torch
from torch import nn

from lodestone.training.muon import Muon


def optimizers_of(network: nn.Module, weight_decay: float) -> dict[str, torch.optim.Optimizer]:
    """Muon for the matrices of linear layers, AdamW for all else: biases, norms, embeddings, and the energy's weights.

    Args:
        network: Its linear layers with one output have no directions to make alike.
        weight_decay: Of both.
    """
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear) and layer.out_features > 1]
    inside = {id(layer.weight) for layer in linear}
    matrices = [parameter for parameter in network.parameters() if id(parameter) in inside]
    others = [parameter for parameter in network.parameters() if id(parameter) not in inside]
    return {
        "muon": Muon(matrices, weight_decay),
        "adamw": torch.optim.AdamW(others, weight_decay=weight_decay, fused=True),
    }
