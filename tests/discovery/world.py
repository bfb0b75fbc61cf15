"""A made-up world: what is true, what the models believe of it, and an oracle that sometimes fails."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.ensemble.calibration import Calibration
from lodestone.ensemble.predictor import Prediction
from lodestone.oracles.base import Label
from lodestone.stability.hull import ConvexHull

ELEMENTS = "Li Na K Rb Mg Ca Al Zn O S Se F Cl".split()
BUDGET, BASELINE = 30, 10
ROUNDS = ("round_0", "round_1", "round_2")


@dataclass(frozen=True)
class World:
    """What is true, what the models believe of it, and an oracle that sometimes fails.

    Attributes:
        hull: Hull of what is known before the first round; truth lies -0.15 to 0.1 eV/atom above it.
        references: Elemental references.
        asked: Sizes of the batches that the oracle was given.
    """

    hull: ConvexHull
    references: pl.DataFrame
    asked: list[int] = field(default_factory=list)

    def offsets(self, crystals):
        return np.array([int(crystal.digest()[:8], 16) / 0xFFFFFFFF * 0.25 - 0.15 for crystal in crystals])

    def formation_energies(self, crystals):
        fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
        return self.hull.hull_energies(fractions) + self.offsets(crystals)

    def energies(self, crystals):
        mu = dict(self.references.select("element", "energy_per_atom").iter_rows())
        reference = np.array([np.mean([mu[symbol] for symbol in crystal.species]) for crystal in crystals])
        return self.formation_energies(crystals) + reference

    def predict(self, crystals, input_structure="unrelaxed"):
        assert input_structure == "unrelaxed"
        true = self.formation_energies(crystals)
        error = 0.05 * np.sin(1e4 * true)
        std, out_of_distribution = np.full(len(true), 0.05), ["system"] * len(true)
        return Prediction(
            mean=true + error,
            std=std,
            views={"composition": true - 0.1, "structure": true + 0.2},
            spread=std,
            weights={"composition": np.ones(len(true)), "structure": np.zeros(len(true))},
            out_of_distribution=out_of_distribution,
            calibration=Calibration.none(),
        )

    def predict_formulas(self, formulas):
        return self.predict(formulas)

    def fails(self, crystal):
        return int(crystal.digest()[-2:], 16) % 6 == 0

    def label(self, crystals):
        self.asked.append(len(crystals))
        return [
            Label("not_converged: 100 steps", None, None, 100, 0.0)
            if self.fails(crystal)
            else Label("ok", float(energy), crystal, 12, 0.0)
            for crystal, energy in zip(crystals, self.energies(crystals), strict=True)
        ]


def acquired_of(result, how=("model", "random")):
    return result.candidates.filter(pl.col("acquired_by").is_in(how)).sort("material_id")
