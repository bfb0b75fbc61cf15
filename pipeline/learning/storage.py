"""Models on disk: safetensors and a typed config, never a pickle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import LodestoneError
from pipeline.learning.baseline import ElementBaseline
from pipeline.learning.fit import Weights
from pipeline.params import StructureParams, ViewParams
from pipeline.tables import read_json, write_atomically, write_json

FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedView:
    """The networks of one view.

    Attributes:
        view: ``composition`` or ``structure``.
        params: Parameters the networks were built with.
        baseline: Linear part.
        members: Weights of each member.
    """

    view: str
    params: ViewParams
    baseline: ElementBaseline
    members: list[Weights]


def save_view(saved: SavedView, folder: Path) -> None:
    """Write ``config.json`` and one ``member_k.safetensors`` per member."""
    from safetensors.numpy import save_file

    for number, weights in enumerate(saved.members):
        contiguous = {name: np.ascontiguousarray(value) for name, value in sorted(weights.items())}
        write_atomically(folder / f"member_{number}.safetensors", partial(save_file, contiguous))
    config = {
        "format_version": FORMAT_VERSION,
        "view": saved.view,
        "params": saved.params.model_dump(),
        "members": len(saved.members),
        "baseline": {"coefficients": saved.baseline.coefficients.tolist(), "scale": saved.baseline.scale},
    }
    write_json(config, folder / "config.json")


def load_view(folder: Path) -> SavedView:
    """Read what :func:`save_view` wrote.

    Raises:
        LodestoneError: If files are missing, damaged, or of another version.
    """
    config = read_json(folder / "config.json")
    found = config.get("format_version") if isinstance(config, dict) else None
    if found != FORMAT_VERSION:
        raise LodestoneError(
            f"{folder} holds models of format {found}, this version reads {FORMAT_VERSION}",
            "train again with this version, or install the version that wrote them",
        )
    try:
        kind = StructureParams if config["view"] == "structure" else ViewParams
        baseline = ElementBaseline(np.array(config["baseline"]["coefficients"]), config["baseline"]["scale"])
        params, count = kind.model_validate(config["params"]), int(config["members"])
    except (KeyError, TypeError, ValueError) as error:
        raise LodestoneError(f"{folder / 'config.json'} is damaged: {error}", "train again: `dvc repro`") from error
    members = [_load_weights(folder / f"member_{number}.safetensors") for number in range(count)]
    return SavedView(config["view"], params, baseline, members)


def _load_weights(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "train again: `dvc repro`") from error
    return weights
