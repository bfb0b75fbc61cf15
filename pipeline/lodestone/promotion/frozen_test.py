"""What an ensemble predicted for its test crystals, and the part of it on which two ensembles can be compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.schemas.columns import Contract, check, field
from lodestone.stability.hull import ConvexHull
from lodestone.tables.files import read_table
from lodestone.tables.subsets import HELD_OUT

_ENERGY = "formation_energy_per_atom"
_SAME_LABEL = 1e-4  # eV/atom; other references or another oracle move labels by more
_KEY = ["material_id", "input_structure"]
OF_A_MODEL = (f"{_ENERGY}_pred", f"{_ENERGY}_lower", f"{_ENERGY}_upper")


class PredictedTestSet(Contract):
    """Predictions of one ensemble for its test crystals, kept beside the registered model."""

    material_id: str = field("Crystal")
    chemsys: str = field("Chemical system")
    input_structure: str = field("relaxed or unrelaxed", isin=INPUT_STRUCTURES)
    formation_energy_per_atom: pl.Float64 = field("Label", "eV/atom")
    hull_energy_per_atom: pl.Float64 = field("Energy of the hull of all crystals that are not held out", "eV/atom")
    formation_energy_per_atom_pred: pl.Float64 = field("Prediction", "eV/atom")
    formation_energy_per_atom_lower: pl.Float64 = field("Lower end of the 90 % interval", "eV/atom")
    formation_energy_per_atom_upper: pl.Float64 = field("Upper end of the 90 % interval", "eV/atom")

    _once = check("each geometry is predicted once", pl.struct(_KEY).is_unique())


@dataclass(frozen=True)
class CommonTest:
    """Test crystals that a candidate and the champion both have predicted, with the same labels.

    Attributes:
        table: Columns of :class:`PredictedTestSet`, and those of the champion with the ending ``_champion``. Hull
            energies are the candidate's, for both.
        n_candidate: Rows that the candidate has predicted.
        n_other_label: Rows left out because the labels differ.
    """

    table: pl.DataFrame
    n_candidate: int
    n_other_label: int

    @property
    def n_systems(self) -> int:
        """Chemical systems of the relaxed crystals."""
        return self.table.filter(input_structure="relaxed")["chemsys"].n_unique()

    @property
    def digest(self) -> str:
        """Hash of crystals and labels: equal for two decisions on the same test set."""
        rows = self.table.select(*_KEY, pl.col(_ENERGY).round(6)).sort(_KEY).write_csv()
        return hashlib.sha256(rows.encode()).hexdigest()[:16]


def predicted_test_set(predictions: pl.DataFrame, crystals: pl.DataFrame) -> pl.DataFrame:
    """The frozen test set of a round with its predictions.

    Args:
        predictions: Contract :class:`lodestone.schemas.Predictions`.
        crystals: Known crystals of the round (contract :class:`lodestone.schemas.Crystals`).

    Returns:
        Contract :class:`PredictedTestSet`, sorted by crystal.
    """
    others = crystals.filter(~pl.col("split").is_in(HELD_OUT))
    hull = ConvexHull(atomic_fractions(others["atomic_numbers"].to_list()), others[_ENERGY].to_numpy())
    tested = crystals.filter(split="test")
    floor = hull.hull_energies(atomic_fractions(tested["atomic_numbers"].to_list()))
    facts = tested.select("material_id", "chemsys").with_columns(
        hull_energy_per_atom=pl.Series(floor, dtype=pl.Float64)
    )
    rows = predictions.filter(split="test").join(facts, on="material_id")
    return rows.select(list(PredictedTestSet.to_schema().columns)).sort(_KEY)


def read_predicted_test_set(path: Path) -> pl.DataFrame:
    """Read the table beside a registered model.

    Raises:
        LodestoneError: If it is missing, or of another version.
    """
    return read_table(path, PredictedTestSet)


def common_test(candidate: pl.DataFrame, champion: pl.DataFrame) -> CommonTest:
    """The rows that both have predicted, with equal labels (contract :class:`PredictedTestSet`)."""
    theirs = champion.select(*_KEY, _ENERGY, *OF_A_MODEL)
    both = candidate.join(theirs, on=_KEY, suffix="_champion").sort(_KEY)
    same = (pl.col(_ENERGY) - pl.col(f"{_ENERGY}_champion")).abs() <= _SAME_LABEL
    table = both.filter(same)
    return CommonTest(table=table, n_candidate=len(candidate), n_other_label=len(both) - len(table))


def numbers_of(values: pl.Series) -> tuple[np.ndarray, int]:
    """Equal values as equal numbers from 0 on, shape ``(n,)``, and how many there are."""
    unique, numbers = np.unique(values.to_numpy(), return_inverse=True)
    return numbers, len(unique)
