"""Every model of the benchmark with the settings it is trained with, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lodestone.config.load import load_params
from lodestone.config.sections import ViewParams
from lodestone.errors import LodestoneError
from options import ROOT

OURS = "ours-"
ENSEMBLE = "ours-ensemble"


@dataclass(frozen=True)
class Training:
    """How the driver trains a network; the same driver trains all of them.

    Attributes:
        rate: Largest learning rate; it warms up over 5 % of the budget, then falls along a cosine.
        batch_size: Crystals per step.
        loss: On standardized targets.
        weight_decay: Of AdamW; 0 makes it Adam.
        clip: Largest norm of the gradient, or ``None``.
        ema: Decay of the average of the weights that is evaluated beside the weights themselves.
        useful: Seconds per training crystal before a network has learned them by heart. What is left of the budget
            trains further networks, which are averaged; ``None`` for one network, where more did not help.
    """

    rate: float
    batch_size: int
    loss: Literal["l1", "mse"]
    weight_decay: float = 0.0
    clip: float | None = None
    ema: float = 0.999
    useful: float | None = None

    def members(self, seconds: float, crystals: int) -> int:
        """Networks that share a budget."""
        return 1 if self.useful is None else max(1, round(seconds / (self.useful * crystals)))


@dataclass(frozen=True)
class Network:
    """A peer with a network.

    Attributes:
        package: What is imported, and whose version is part of the settings.
        training: See :class:`Training`.
        cutoff: Radius of its graphs, Å; ``None`` for compositions.
    """

    package: str
    training: Training
    cutoff: float | None = None


@dataclass(frozen=True)
class Forest:
    """The random forest: trees, and the share of the features that each split may choose from."""

    package: str = "matminer"
    trees: int = 500
    features: float = 1 / 3


@dataclass(frozen=True)
class Ours:
    """One of our views.

    Attributes:
        view: ``composition`` or ``structure``.
        training: See :class:`Training`.
        changes: Parameters of the view that differ from `params.yaml`.
    """

    view: str
    training: Training
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def params(self) -> ViewParams:
        """Parameters of the view; rate and batch size are those of the training."""
        training = {"learning_rate": self.training.rate, "batch_size": self.training.batch_size}
        view = load_params(ROOT / "params.yaml").view(self.view)
        return type(view).model_validate(view.model_dump() | dict(self.changes) | training)


Settings = Network | Forest | Ours

# Those of the peers were searched for, each on 6,000 crystals and 300 s: untuned defaults are up to a third worse.
SETTINGS: dict[str, Settings] = {
    "ours-structure": Ours("structure", Training(0.002, 64, "l1", weight_decay=1e-4, clip=1.0, useful=0.03)),
    "ours-composition": Ours(
        "composition", Training(0.002, 128, "l1", weight_decay=1e-4, clip=1.0, useful=0.0085), {"layers": 3}
    ),
    "cgcnn2": Network("cgcnn2", Training(0.01, 64, "mse", useful=0.075), cutoff=8.0),
    "aviary-cgcnn": Network("aviary-models", Training(0.005, 128, "mse"), cutoff=5.0),
    "aviary-roost": Network("aviary-models", Training(0.001, 32, "l1", useful=0.075)),
    "megnet": Network("matgl", Training(0.003, 32, "l1"), cutoff=4.0),
    "magpie-forest": Forest(),
}

TITLES = {
    "ours-structure": "ours, structure",
    "ours-composition": "ours, composition",
    ENSEMBLE: "ours, both views",
    "cgcnn2": "CGCNN (cgcnn2)",
    "aviary-cgcnn": "CGCNN (aviary)",
    "aviary-roost": "Roost (aviary)",
    "megnet": "MEGNet (matgl)",
    "magpie-forest": "random forest (Magpie)",
}


def settings_of(model: str) -> Settings:
    """Settings of a model by name.

    Raises:
        LodestoneError: If there is no such model.
    """
    if model not in SETTINGS:
        raise LodestoneError(f"--models: there is no model {model!r}", f"choose from {', '.join(SETTINGS)}")
    return SETTINGS[model]


def as_json(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, for the file of results."""
    told = asdict(settings)
    if isinstance(settings, Ours):
        told |= {"changes": dict(settings.changes), "params": settings.params.model_dump(mode="json")}
    return told
