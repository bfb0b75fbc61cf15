"""The composition view against the published predictions of its peers, five-fold by composition as these were made.

    python benchmarks/compositions.py --members 4 --epochs 60

Reads `mp_compositions.parquet`: energies of ground states by composition, and what seven models predicted out of fold
(Bartel et al., npj Comput. Mater. 6, 97 (2020)). A composition is stable if its decomposition energy is not positive;
that of a model follows from its own predictions for all compositions. F1 is compared in bootstrap samples of chemical
systems. Writes the predictions of each fold, which are not computed again, and `table.md` to `.bench/compositions`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from options import ROOT, one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.compositions import fractions_of_formulas  # noqa: E402
from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode, encode  # noqa: E402
from lodestone.ensemble.metrics import errors, stability_scores  # noqa: E402
from lodestone.models.inference import predict_members  # noqa: E402
from lodestone.stability.hull import ConvexHull  # noqa: E402
from lodestone.tables.files import write_table  # noqa: E402
from lodestone.training.train import fit_view  # noqa: E402
from materials_project import ENERGY, hash_of  # noqa: E402
from resampling import interval, resampled_sums  # noqa: E402

FOLDS = 5
WATCHED = 20  # one composition in so many is watched, not learned from
PEERS = {"Roost": "roost_ef", "CGCNN (saw structures)": "cgcnn_ef", "ElemNet": "elemnet_ef", "AutoMat": "automat_ef"}
PEERS |= {"Magpie": "magpie_ef", "Meredig": "meredig_ef", "ElFrac": "elfrac_ef"}


def main() -> None:
    """Predict every composition out of fold, then compare."""
    arguments = _arguments()
    table = pl.read_parquet(arguments.data / "mp_compositions.parquet").sort("formula")
    table = table.with_columns(fold=hash_of("formula") % FOLDS, watched=hash_of("formula") // FOLDS % WATCHED == 0)
    table = table.hstack(encode([_cell(formula) for formula in table["formula"]]))
    folds = [_fold(table, fold, arguments) for fold in range(arguments.folds)]
    both = table.join(pl.concat(folds), on="formula", maintain_order="left")  # rows of the folds that were done
    lines = list(_lines(both, {"**ours, composition view**": "ours_ef"} | PEERS))
    (arguments.out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _fold(table: pl.DataFrame, fold: int, arguments: argparse.Namespace) -> pl.DataFrame:
    """Predictions for the compositions of one fold."""
    path = arguments.out / f"fold_{fold}_of_{FOLDS}_{arguments.members}x{arguments.epochs}.parquet"
    if path.is_file():
        return pl.read_parquet(path)
    split = pl.when(pl.col("fold") == fold).then(pl.lit("out"))
    split = split.when(pl.col("watched")).then(pl.lit("validation")).otherwise(pl.lit("train"))
    cells = ("lattice", "atomic_numbers", "frac_coords")
    labelled = table.select(pl.col("formula").alias("material_id"), ENERGY, split.alias("split"), *cells)
    sizes = {"members": arguments.members, "epochs": arguments.epochs, "layers": 3, "batch_size": 256}
    params = load_params(ROOT / "params.yaml").view("composition").model_copy(update=sizes)
    saved = fit_view("composition", params, labelled.filter(pl.col("split") != "out"), None, fold)
    out = labelled.filter(pl.col("split") == "out")
    predicted = predict_members(saved, decode(out)).mean(axis=0)
    predictions = pl.DataFrame({"formula": out["material_id"], "ours_ef": predicted})
    write_table(predictions, path)
    return predictions


def _cell(formula: str) -> Crystal:
    """A cell with the atoms of a formula; the composition view sees no more."""
    from pymatgen.core import Composition

    numbers = [element.Z for element, n in Composition(formula).items() for _ in range(round(n))]
    return Crystal(np.eye(3), numbers, np.zeros((len(numbers), 3)))


def _lines(table: pl.DataFrame, models: dict[str, str]) -> Iterator[str]:
    """One row per model, the best first; ours is the first of the models."""
    fractions, true = fractions_of_formulas(table["formula"]), table[ENERGY].to_numpy()
    energies = np.stack([table[column].to_numpy() for column in models.values()])
    known, *distances = (ConvexHull(fractions, row).decomposition_energies(fractions, row) for row in (true, *energies))
    absolute, called = np.abs(energies - true), np.stack(distances) <= 0
    maes, f1s = _resampled(absolute, called, known <= 0, table["chemsys"].to_list())
    yield f"| n = {len(table):,} | MAE, eV/atom (95 %) | RMSE | F1 of stability | precision | recall | ours less F1 |"
    yield "|---|" + "---:|" * 6
    for model in np.argsort(absolute.mean(axis=1)):
        scores = errors(energies[model], true) | stability_scores(distances[model], known)
        cells = " | ".join(f"{scores[key]:.3f}" for key in ("rmse", "f1", "precision", "recall"))
        mae = f"{scores['mae']:.4f} ({_between(maes[model], '.4f')})"
        yield f"| {list(models)[model]} | {mae} | {cells} | {_between(f1s[0] - f1s[model], '+.3f')} |"


def _resampled(
    absolute: np.ndarray, called: np.ndarray, stable: np.ndarray, systems: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """MAE and F1 of each model in the same bootstrap samples, both of shape ``(m, samples)``."""
    columns = [absolute, 2.0 * (called & stable), called.astype(float) + stable, np.ones((1, len(stable)))]
    *sums, counts = resampled_sums(np.concatenate(columns), systems, 0)
    errors_of, hits, either = np.reshape(sums, (3, len(absolute), -1))
    return errors_of / counts, hits / either


def _between(samples: np.ndarray, digits: str) -> str:
    low, high = interval(samples)
    return f"{low:{digits}} to {high:{digits}}"


def _arguments() -> argparse.Namespace:
    options = parser(__doc__, "compositions")
    options.add_argument("--folds", type=int, default=FOLDS, help="do so many of the five; the table is of these rows")
    options.add_argument("--members", type=int, default=4)
    options.add_argument("--epochs", type=int, default=60)
    return options.parse_args()


if __name__ == "__main__":
    main()
