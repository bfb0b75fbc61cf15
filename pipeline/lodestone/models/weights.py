"""Models on disk: safetensors and a typed config, never a pickle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lodestone.config.registry import VIEWS
from lodestone.config.sections import ViewParams
from lodestone.errors import LodestoneError
from lodestone.models.baseline import ElementBaseline
from lodestone.tables.files import read_json, write_atomically, write_json

Weights = dict[str, np.ndarray]

FORMAT_VERSION = 2


@dataclass(frozen=True)
class SavedView:
    """The networks of one view.

    Attributes:
        view: Name of the view.
        params: Parameters the networks were built with.
        baseline: Linear function of composition that the networks correct.
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
        "baseline": {
            "coefficients": saved.baseline.coefficients.tolist(),
            "scale": saved.baseline.scale,
            "seen": np.flatnonzero(saved.baseline.seen).tolist(),
        },
    }
    write_json(config, folder / "config.json")


def load_view(folder: str | Path) -> SavedView:
    """Read what :func:`save_view` wrote. Nothing in the folder is executed, whoever wrote it.

    Raises:
        LodestoneError: If files are missing, damaged, of another version, or do not belong together.
    """
    folder = Path(folder)
    path = folder / "config.json"
    config = read_versioned(path, FORMAT_VERSION)
    try:
        view, baseline = str(config["view"]), _baseline(config["baseline"])
        kind: type[Any] = VIEWS.settings_model(view)
        params, count = kind.model_validate(config["params"]), int(config["members"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise LodestoneError(f"{path} is damaged: {error}", "train again: `dvc repro`") from error
    paths = [folder / f"member_{number}.safetensors" for number in range(count)]
    members = [_load_weights(member_path) for member_path in paths]
    for member_path, weights in zip(paths, members, strict=True):
        check_weights(weights, view, params, member_path)
    return SavedView(view, params, baseline, members)


def read_versioned(path: Path, version: int) -> dict[str, Any]:
    """Read JSON whose version is in ``format_version``.

    Raises:
        LodestoneError: If the file is missing, no JSON or of another version.
    """
    content = read_json(path)
    actual = content.get("format_version") if isinstance(content, dict) else None
    if actual != version:
        raise LodestoneError(
            f"{path} has format {actual}, this version reads {version}",
            "make it again with this version: `dvc repro`, or install the version that wrote it",
        )
    return dict(content)


def check_weights(weights: Weights, view: str, params: ViewParams, path: Path) -> None:
    """Refuse weights of another network than the parameters describe.

    Args:
        weights: Arrays by name.
        view: Name of the view.
        params: Parameters of the network.
        path: File named in the message.

    Raises:
        LodestoneError: Names the first array that is missing, too many, of another shape or not finite.
    """
    from lodestone.models.registry import make_network

    expected = {name: tuple(value.shape) for name, value in make_network(view, params).state_dict().items()}
    for name in sorted(expected.keys() | weights.keys()):
        shape = weights[name].shape if name in weights else "missing"
        if shape != expected.get(name):
            raise LodestoneError(
                f"{path} does not fit its parameters: {name} is {shape}, should be {expected.get(name, 'absent')}",
                "weights and parameters are of different networks or versions: train again with these parameters",
            )
        if not np.isfinite(weights[name]).all():
            raise LodestoneError(f"{path} is damaged: {name} is not finite", "train again: `dvc repro`")


def _baseline(config: dict[str, Any]) -> ElementBaseline:
    coefficients = np.array(config["coefficients"], dtype=float)
    seen = np.zeros(len(coefficients), dtype=bool)
    seen[np.array(config["seen"], dtype=int)] = True
    return ElementBaseline(coefficients, float(config["scale"]), seen)


def _load_weights(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "train again: `dvc repro`") from error
    return weights
