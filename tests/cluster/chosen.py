"""Three candidates that a round has chosen, and one that it has not."""

from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe

ROOT = Path(__file__).parents[2]
KIND = {"label_method": "dft-pbe", "correction_scheme": "MP2020"}
CRYSTALS = {
    "round_0-mno": Crystal(np.diag([4.0, 4.2, 4.4]), [25, 8], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "round_0-nacl": Crystal(4.0 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "round_0-na2o": Crystal(4.5 * np.eye(3), [11, 8, 11], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]),
}
REFERENCES = {"Cl": -1.8, "K": -1.1, "Mn": -9.0, "Na": -1.3, "O": -3.0}  # eV/atom
OTHER = {"round_0-other": Crystal(5.0 * np.eye(3), [19, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])}  # proposed, not chosen
_NUMBERS = (
    "energy_above_hull_pred",
    "stability_probability",
    "incomplete_probability",
    "formation_energy_per_atom_std",
    "weight",
)
_ENERGIES = ("pred", "pred_composition", "pred_structure", "epistemic_std", "lower", "upper")


def candidates() -> pl.DataFrame:
    crystals = CRYSTALS | OTHER
    acquired = ["model", "random", "model", "none"]
    return describe(list(crystals.values())).with_columns(
        pl.Series("material_id", list(crystals)),
        pl.Series("acquired_by", acquired),
        *(pl.lit(0.1).alias(name) for name in _NUMBERS),
        *(pl.lit(0.2).alias(f"formation_energy_per_atom_{name}") for name in _ENERGIES),
        out_of_distribution=pl.lit(""),
        generator=pl.lit("substitution"),
        provenance=pl.lit('{"parent": "mp-1, mp-2"}'),
    )
