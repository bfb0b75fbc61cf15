"""One, two, three or more views are combined alike, and a new way to combine them is one class."""

from itertools import product

import numpy as np
import pytest

from lodestone.config.registry import AGGREGATIONS
from lodestone.ensemble.out_of_distribution import OutOfDistribution
from lodestone.ensemble.predictor import Aggregation
from lodestone.ensemble.strategies import fixed, mixture
from lodestone.models.inference import no_latents
from lodestone.models.registry import latent_view

NAMES = ("bonds", "sets", "toy", "words")


def views(n, seed=1, crystals=60):
    """Labels and three members of each view; what members of a view get wrong together differs between views."""
    generator = np.random.default_rng(seed)
    true = generator.normal(0, 1, crystals)
    shared = generator.normal(0, 0.1, (n, crystals)) * np.linspace(1, 1.5, n)[:, None]
    noise = generator.normal(0, 0.05, (n, 3, crystals))
    return true, {name: true + shared[k] + noise[k] for k, name in enumerate(NAMES[:n])}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["constant", "inverse_variance", "mean", "median", "bonds"])
def test_weights_are_on_the_simplex(name, n):
    true, members = views(n)
    found = Aggregation.fit(name, members, true).aggregate(members)
    weights = np.stack([found.weights[view] for view in members])
    assert weights.shape == (n, len(true))
    assert weights.min() >= 0
    assert weights.sum(axis=0) == pytest.approx(np.ones(len(true)))
    assert (found.spread > 0).all()
    if name != "median":
        mean = sum(found.weights[view] * members[view].mean(axis=0) for view in members)
        assert found.mean == pytest.approx(mean)


@pytest.mark.parametrize("seed", range(4))
def test_constant_weights_are_the_best_there_are(seed):
    """For three views no point of a grid of the simplex does better, but for rounding to hundredths."""
    true, members = views(3, seed)
    errors = np.stack([one.mean(axis=0) - true for one in members.values()])
    steps = np.linspace(0, 1, 51)
    grid = [(a, b, 1 - a - b) for a, b in product(steps, steps) if a + b <= 1 + 1e-9]
    best = min(np.abs(np.array(point) @ errors).mean() for point in grid)
    weights = Aggregation.fit("constant", members, true).parameters["weights"]
    assert list(weights) == list(members)
    assert all(100 * weight == pytest.approx(round(100 * weight)) for weight in weights.values())
    assert np.abs(np.array(list(weights.values())) @ errors).mean() <= best + 2e-3
    assert best < 0.98 * np.abs(errors).mean(axis=1).min()  # so that it is worth to mix


def test_two_views_keep_the_grid_of_hundredths():
    true, members = views(2)
    first, second = (one.mean(axis=0) - true for one in members.values())
    grid = np.linspace(0, 1, 101)
    share = grid[np.argmin([np.abs(w * second + (1 - w) * first).mean() for w in grid])]
    assert Aggregation.fit("constant", members, true).parameters["weights"] == {"bonds": 1 - share, "sets": share}


def test_the_spread_of_a_mixture_is_that_of_its_members():
    generator = np.random.default_rng(0)
    members = {name: generator.normal(k / 5, 0.1 + k / 10, (4000, 2)) for k, name in enumerate(NAMES[:3])}
    found = mixture(members, {name: np.full(2, 1 / 3) for name in members})
    assert found.spread == pytest.approx(np.concatenate(list(members.values())).std(axis=0), rel=1e-3)


def test_a_way_to_combine_is_one_class():
    @AGGREGATIONS.register("best")
    class Best:
        def fit(self, members, true):
            return {"view": min(members, key=lambda view: np.abs(members[view].mean(axis=0) - true).mean())}

        def aggregate(self, members, parameters):
            return fixed(members, {view: float(view == parameters["view"]) for view in members})

    try:
        true, members = views(3)
        assert Aggregation.fit("best", members, true).aggregate(members).weights["bonds"].tolist() == [1.0] * 60
    finally:
        del AGGREGATIONS._entries["best"]


def test_the_last_view_with_latent_vectors_judges():
    assert latent_view(["composition", "structure"]) == "structure"
    assert latent_view(["structure", "composition"]) == "composition"
    assert latent_view([]) is None


def test_without_latent_vectors_chemistry_judges_alone(known):
    from lodestone.crystals.encoding import decode

    crystals = decode(known.head(40))
    none = {"relaxed": no_latents(3), "unrelaxed": no_latents(3)}
    seen = OutOfDistribution.fit(crystals[:20], no_latents(20), none)
    reasons = seen.reasons(crystals, no_latents(40))
    assert reasons[:20] == [""] * 20
    assert set(reasons) <= {"", "element", "pair", "system"}
