"""What the driver asks of a model with a network, and what every model hands back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.models.baseline import ElementBaseline

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Prepared:
    """Crystals in a model's own representation.

    Attributes:
        batch: Makes a batch of some rows, with the model's own batching.
        size: How many crystals there are.
        usable: Rows the model can represent, ascending; for the others the mean of the training set is predicted.
    """

    batch: Callable[[Tensor], Any]
    size: int
    usable: Tensor


class Learner(Protocol):
    """A model with a network, through the public classes of its package."""

    def translate(self, crystals: Sequence[Crystal]) -> Any:
        """Crystals in the form that the package reads; not timed, as another user's data may have this form."""
        ...

    def prepare(self, inputs: Any) -> Prepared:
        """The package's own graphs or features; timed as preparation."""
        ...

    def network(self) -> nn.Module:
        """A freshly initialized network."""
        ...

    def outputs(self, network: nn.Module, batch: Any) -> Tensor:
        """Standardized energies, shape ``(b,)``."""
        ...

    def baseline(self, fractions: np.ndarray, energies: np.ndarray) -> ElementBaseline:
        """How targets are standardized; see :class:`lodestone.models.baseline.ElementBaseline`."""
        ...


@dataclass
class Curve:
    """Errors and predictions as training goes on, eV/atom.

    Attributes:
        validation: True energies, shape ``(n_validation,)``.
        test: True energies, shape ``(n_test,)``.
        points: Seconds so far, and both MAEs.
        predictions: Those of each point, for validation and test crystals.
    """

    validation: np.ndarray
    test: np.ndarray
    points: list[dict[str, float]] = field(default_factory=list)
    predictions: list[dict[str, list[float]]] = field(default_factory=list)

    def add(self, seconds: float, validation: np.ndarray, test: np.ndarray) -> None:
        """Note the predictions made after so many seconds of training."""
        errors = {"validation_mae": validation - self.validation, "test_mae": test - self.test}
        maes = {name: float(np.abs(values).mean()) for name, values in errors.items()}
        self.points.append({"seconds": seconds, **maes})
        self.predictions.append({"validation": validation.tolist(), "test": test.tolist()})


@dataclass(frozen=True)
class Trained:
    """What a model hands back.

    Attributes:
        curve: Its errors and predictions; the last are its result.
        preparation_seconds: To make graphs or features of all crystals.
        epochs: Passes over the training set.
        training_per_second: Training structures a second.
        inference_per_second: Test structures a second, graphs or features being there.
        parameters: Numbers that were learned (of a forest: nodes of its trees).
        refused: Crystals it could not represent.
    """

    curve: Curve
    preparation_seconds: float
    epochs: float
    training_per_second: float
    inference_per_second: float
    parameters: int
    refused: int


def samples(items: Sequence[Any], collate: Callable[[list[Any]], Any]) -> Prepared:
    """Prepared crystals of a package that has one sample each, ``None`` where it could make none."""
    import torch

    usable = torch.tensor([row for row, item in enumerate(items) if item is not None], dtype=torch.long)
    return Prepared(lambda rows: collate([items[row] for row in rows.tolist()]), len(items), usable)


def mean_and_spread(energies: np.ndarray) -> ElementBaseline:
    """Plain standardization: the mean of the training set for every composition."""
    return ElementBaseline(np.full(len(SYMBOLS), energies.mean()), float(energies.std()))
