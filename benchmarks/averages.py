"""What the weighted average of the views is worth, and what it is worth to learn from unrelaxed structures: one table.

Both views are trained on crystals of the Materials Project, the structure view twice: on relaxed crystals only, and
with unrelaxed structures of them (`structure.unrelaxed`). Every aggregation strategy is fitted on validation crystals,
once relaxed and once unrelaxed, and tested on other formulas, on unseen chemical systems, and on unrelaxed structures
of the latter.

    python benchmarks/averages.py --train 6000 --members 4 --epochs 40

Writes `table.md` to `.bench/averages`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from options import ROOT, ensemble_parser, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.registry import AGGREGATIONS  # noqa: E402
from lodestone.config.sections import ViewParams  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.ensemble.predictor import Aggregation  # noqa: E402
from lodestone.models.inference import predict_members  # noqa: E402
from lodestone.models.weights import SavedView  # noqa: E402
from lodestone.substitution.unrelaxed import UnrelaxedStructures, unrelaxed_held_out  # noqa: E402
from lodestone.training.train import fit_view  # noqa: E402
from materials_project import ENERGY, deal  # noqa: E402

PARTS = ("validation", "formulas", "systems")
TRAININGS = {0.0: "relaxed crystals only", 0.5: "relaxed crystals and guesses"}
SETS = {
    "other formulas": ("formulas", "relaxed"),
    "unseen systems": ("systems", "relaxed"),
    "unseen systems, unrelaxed structure": ("systems", "unrelaxed"),
}


def main() -> None:
    """Train, combine, measure, and write the table."""
    arguments = ensemble_parser(__doc__, "averages", members=4, epochs=40).parse_args()
    table = deal(arguments)
    held_out = {split: _held_out(table, split) for split in PARTS}
    lines: list[str] = []
    composition = _members(_trained("composition", table, arguments), held_out)
    for share, description in TRAININGS.items():
        structure = _members(_trained("structure", table, arguments, unrelaxed=share), held_out)
        lines += [f"Structure view trained on {description}:", "", *_table(composition, structure, held_out), ""]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "table.md").write_text("\n".join(lines))
    print("\n".join(lines))


def _held_out(table: pl.DataFrame, split: str) -> dict[str, UnrelaxedStructures]:
    """The crystals of a part, as they are and as training crystals suggest them."""
    rows = table.filter(pl.col("split") == split).sort("material_id")
    known = table.filter(pl.col("split") == "train")
    test = pl.concat([known, rows.with_columns(split=pl.lit("test"))])
    return {"relaxed": UnrelaxedStructures(rows, decode(rows)), "unrelaxed": unrelaxed_held_out(test, 0)}


def _trained(view: str, table: pl.DataFrame, arguments: argparse.Namespace, **changes: float) -> SavedView:
    params: ViewParams = load_params(ROOT / "params.yaml").view(view)
    sizes = {"members": arguments.members, "epochs": arguments.epochs}
    known = table.filter(pl.col("split").is_in(["train", "validation"]))
    return fit_view(view, params.model_copy(update=sizes | changes), known, None, 0)


def _members(
    saved: SavedView, held_out: dict[str, dict[str, UnrelaxedStructures]]
) -> dict[tuple[str, str], np.ndarray]:
    return {
        (split, input_structure): predict_members(saved, held.crystals, input_structure)
        for split, input_structures in held_out.items()
        for input_structure, held in input_structures.items()
    }


def _table(
    composition: dict[tuple[str, str], np.ndarray],
    structure: dict[tuple[str, str], np.ndarray],
    held_out: dict[str, dict[str, UnrelaxedStructures]],
) -> Iterator[str]:
    """MAE in meV/atom of every strategy on every set."""
    counts = [
        f"{name} (n = {len(held_out[split][input_structure].crystals):,})"
        for name, (split, input_structure) in SETS.items()
    ]
    yield f"| MAE, meV/atom | {' | '.join(counts)} |"
    yield "|---|" + "---:|" * len(SETS)
    for strategy in (*AGGREGATIONS.names(), "composition", "structure"):
        maes = []
        for key in SETS.values():
            fitting = "validation", key[1]
            true = held_out[fitting[0]][fitting[1]].table[ENERGY].to_numpy()
            watched = {"composition": composition[fitting], "structure": structure[fitting]}
            tested = {"composition": composition[key], "structure": structure[key]}
            error = Aggregation.fit(strategy, watched, true).aggregate(tested).mean
            error = error - held_out[key[0]][key[1]].table[ENERGY].to_numpy()
            maes.append(f"{1e3 * np.abs(error).mean():.1f}")
        yield f"| {strategy} | {' | '.join(maes)} |"


if __name__ == "__main__":
    main()
