"""A random forest on the Magpie features of matminer: the baseline that needs no tuning."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from peers.learner import Curve, Trained
from peers.settings import Forest
from peers.split import Part

_TREES_AT_ONCE = 10


def train_forest(settings: Forest, parts: dict[str, Part], seconds: float, seed: int) -> Trained:
    """Grow trees until there are enough, or the budget is used up; see :func:`peers.train.train_network`."""
    from sklearn.ensemble import RandomForestRegressor

    compositions = {name: _compositions(part) for name, part in parts.items()}
    began = time.process_time()
    features = {name: _magpie(value) for name, value in compositions.items()}
    preparation = time.process_time() - began
    forest = RandomForestRegressor(
        n_estimators=0, max_features=settings.features, warm_start=True, n_jobs=1, random_state=seed
    )
    curve = Curve(parts["validation"].energies, parts["test"].energies)
    spent = 0.0
    while forest.n_estimators < settings.trees and spent < seconds:
        forest.n_estimators = min(settings.trees, forest.n_estimators + _TREES_AT_ONCE)
        began = time.process_time()
        forest.fit(features["train"], parts["train"].energies)
        spent += time.process_time() - began
        if forest.n_estimators in _points(settings.trees) or spent >= seconds:
            curve.add(spent, *(forest.predict(features[name]) for name in ("validation", "test")))
    return Trained(
        curve,
        preparation,
        1.0,
        len(features["train"]) / spent,
        _inference_per_second(forest, features["test"]),
        sum(tree.tree_.node_count for tree in forest.estimators_),
        0,
    )


def _points(trees: int) -> set[int]:
    """Numbers of trees at which the errors are noted."""
    points = np.geomspace(_TREES_AT_ONCE, trees, 10) / _TREES_AT_ONCE
    return {round(point) * _TREES_AT_ONCE for point in points} | {trees}


def _compositions(part: Part) -> list[Any]:
    return [crystal.to_pymatgen().composition for crystal in part.crystals]


def _magpie(compositions: list[Any]) -> np.ndarray:
    """Statistics of elemental properties, shape ``(n, 132)``."""
    import warnings

    from matminer.featurizers.composition import ElementProperty

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that the table lacks
        featurizer = ElementProperty.from_preset("magpie", impute_nan=True)
        return np.array([featurizer.featurize(composition) for composition in compositions], dtype=np.float32)


def _inference_per_second(forest: Any, features: np.ndarray) -> float:
    began = time.process_time()
    forest.predict(features)
    return len(features) / (time.process_time() - began)
