"""One model, one size, one process: ``python -m peers.worker TASK.json`` trains it and writes its result."""

from __future__ import annotations

import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lodestone.runtime.processes import die_with_parent
from lodestone.runtime.seeds import child_seed
from lodestone.tables.files import read_json, write_json
from peers.learner import Learner, Trained
from peers.settings import Forest, Network, Ours, Settings, settings_of
from peers.split import Part, read_part, training_file


def main() -> None:
    """Read the task, train, write the result."""
    die_with_parent()
    task = read_json(Path(sys.argv[1]))
    key, folder = task["key"], Path(task["data"])
    parts = {name: read_part(folder / f"{name}.parquet") for name in ("validation", "test")}
    parts["train"] = read_part(training_file(folder, key["size"]))
    seed = child_seed(key["seed"], "peers", key["model"], key["size"])
    trained = train(settings_of(key["model"]), key["model"], parts, key["seconds"], seed)
    write_json({"key": key, "peak_memory_mib": peak_memory_mib(), **_measured(trained)}, Path(task["result"]))


def train(settings: Settings, model: str, parts: dict[str, Part], seconds: float, seed: int) -> Trained:
    """Train a model by its settings; see :func:`peers.train.train_network`."""
    if isinstance(settings, Forest):
        from peers.forest import train_forest

        return train_forest(settings, parts, seconds, seed)
    from peers.train import train_network

    return train_network(make_learner(model, settings), settings.training, parts, seconds, seed)


def make_learner(model: str, settings: Network | Ours) -> Learner:
    """The model's adapter; only its own package is imported, so that the memory of others is not counted."""
    if isinstance(settings, Ours):
        from peers.ours import OursLearner

        return OursLearner(settings.view, settings.params)
    if model == "aviary-roost":
        from peers.aviary import RoostLearner

        return RoostLearner()
    assert settings.cutoff is not None
    if model == "aviary-cgcnn":
        from peers.aviary import AviaryCgcnnLearner

        return AviaryCgcnnLearner(settings.cutoff)
    if model == "megnet":
        from peers.megnet import MegnetLearner

        return MegnetLearner(settings.cutoff)
    from peers.cgcnn2 import Cgcnn2Learner

    return Cgcnn2Learner(settings.cutoff)


def peak_memory_mib() -> float:
    """Most memory this process has held, imports and data included, MiB.

    Linux counts the size of the process that started this one into ``ru_maxrss``, so the kernel's own figure for this
    program goes first.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    kib = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    if kib:
        return kib[0] / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _measured(trained: Trained) -> dict[str, Any]:
    told = asdict(trained)
    curve = told.pop("curve")
    return {**told, "curve": curve["points"], "predictions": curve["predictions"]}


if __name__ == "__main__":
    main()
