"""How far off predictions are, for each kind of chemistry, beside published predictions for the same crystals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lodestone.ensemble.metrics import wilson_proportion
from lodestone.runtime.seeds import child_generator

_ENERGY = "formation_energy_per_atom"
_CHALCOGENS, _HALOGENS, _PNICTOGENS = {"S", "Se", "Te"}, {"F", "Cl", "Br", "I"}, {"N", "P", "As", "Sb", "Bi"}
_OTHER_ANIONS = {"H", "B", "C", "Si", "Ge"}
_F_ELEMENTS = set("La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Ac Th Pa U Np Pu".split())
_RESAMPLES = 500

Kind = Callable[[set[str]], bool]
# Each compound is of one of the first six; the others cut across them.
KINDS: Mapping[str, Kind] = {
    "oxides": lambda elements: "O" in elements,
    "chalcogenides without oxygen": lambda elements: _kind(elements) == 1,
    "halides without either": lambda elements: _kind(elements) == 2,
    "pnictides without these": lambda elements: _kind(elements) == 3,
    "hydrides, borides, carbides, silicides, germanides": lambda elements: _kind(elements) == 4,
    "metals only": lambda elements: _kind(elements) == 5,
    "with f elements": lambda elements: bool(elements & _F_ELEMENTS),
    "two elements": lambda elements: len(elements) == 2,
    "three elements": lambda elements: len(elements) == 3,
    "four or more elements": lambda elements: len(elements) >= 4,
}


@dataclass(frozen=True)
class ErrorsOfKind:
    """Errors on the test crystals of one kind.

    Attributes:
        kind: What they are.
        n: How many.
        mae: Mean absolute error, eV/atom, with the ends of its 95 % interval over chemical systems.
        coverage: Share inside the 90 % interval, see :func:`lodestone.ensemble.metrics.wilson_proportion`.
        published: Mean absolute errors of others on the same crystals, eV/atom; ``None`` where they have none.
    """

    kind: str
    n: int
    mae: tuple[float, float, float]
    coverage: Mapping[str, Any]
    published: Mapping[str, float | None]


def errors_by_chemistry(
    predictions: pl.DataFrame, crystals: pl.DataFrame, published: Mapping[str, str]
) -> list[ErrorsOfKind]:
    """Errors on all test crystals, then on those of each kind that has any.

    Args:
        predictions: Contract :class:`lodestone.schemas.Predictions`; those of relaxed test crystals count.
        crystals: ``material_id``, ``chemsys``, and the columns of others' predictions.
        published: These columns by the name of the model.
    """
    tested = predictions.filter((pl.col("split") == "test") & (pl.col("input_structure") == "relaxed"))
    columns = {name: column for name, column in published.items() if column in crystals.columns}
    rows = tested.join(crystals.select("material_id", "chemsys", *columns.values()), on="material_id", how="left")
    elements = [set(system.split("-")) for system in rows["chemsys"]]
    kinds: dict[str, Kind] = {"all": lambda _: True, **KINDS}
    chosen = {kind: rows.filter(pl.Series([belongs(one) for one in elements])) for kind, belongs in kinds.items()}
    return [_errors(kind, some, columns) for kind, some in chosen.items() if len(some)]


def _kind(elements: set[str]) -> int:
    anions: Iterator[set[str]] = iter(({"O"}, _CHALCOGENS, _HALOGENS, _PNICTOGENS, _OTHER_ANIONS))
    return next((number for number, group in enumerate(anions) if elements & group), 5)


def _errors(kind: str, rows: pl.DataFrame, columns: Mapping[str, str]) -> ErrorsOfKind:
    true = rows[_ENERGY].to_numpy()
    absolute = np.abs(rows[f"{_ENERGY}_pred"].to_numpy() - true)
    inside = (rows[f"{_ENERGY}_lower"].to_numpy() <= true) & (true <= rows[f"{_ENERGY}_upper"].to_numpy())
    others = {name: _mae(rows[column], true) for name, column in columns.items()}
    return ErrorsOfKind(
        kind=kind,
        n=len(rows),
        mae=(float(absolute.mean()), *_interval(absolute, rows["chemsys"])),
        coverage=wilson_proportion(int(inside.sum()), len(rows)),
        published=others,
    )


def _mae(predicted: pl.Series, true: np.ndarray) -> float | None:
    return None if predicted.null_count() else float(np.abs(predicted.to_numpy() - true).mean())


def _interval(absolute: np.ndarray, systems: pl.Series) -> tuple[float, float]:
    """95 % interval of a mean, by drawing chemical systems again and again: crystals of one err together."""
    _, number = np.unique(systems.to_numpy(), return_inverse=True)
    sums, sizes = np.bincount(number, absolute), np.bincount(number)
    drawn = child_generator(0, "interval").integers(0, len(sums), (_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
