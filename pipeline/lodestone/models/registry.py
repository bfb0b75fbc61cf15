"""Which dataset and network belong to a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from lodestone.config.sections import StructureParams, ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.models.composition import CompositionDataset, CompositionNetwork
from lodestone.models.structure import StructureDataset, StructureNetwork

Dataset = CompositionDataset | StructureDataset


def make_dataset(
    view: str, crystals: Sequence[Crystal], params: ViewParams, unrelaxed: Sequence[bool] | None = None
) -> Dataset:
    """The dataset of a view; a composition is the same before and after relaxation."""
    if view == "structure":
        return StructureDataset(crystals, _structure(params), unrelaxed)
    return CompositionDataset(crystals, params)


def make_network(view: str, params: ViewParams) -> nn.Module:
    """A freshly initialised network of a view."""
    return StructureNetwork(_structure(params)) if view == "structure" else CompositionNetwork(params)


def _structure(params: Any) -> StructureParams:
    if not isinstance(params, StructureParams):
        raise LodestoneError(
            "the structure view needs cutoff and neighbors", "use the section `structure` of params.yaml"
        )
    return params
