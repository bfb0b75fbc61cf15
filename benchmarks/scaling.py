"""Test error against the number of training crystals, up to all of the Materials Project, and its power law.

Both views are trained on nested sets of crystals and tested on chemical systems that none of these has. Beside ours
stand the published out-of-fold errors of coNGN, ALIGNN and CGCNN for the same test crystals: these networks had four
fifths of 132,752 crystals to learn from, other crystals of the test systems among them.

    python benchmarks/scaling.py --sizes 1000 3000 10000 30000 0

Size 0 is all that there are. Writes the predictions of each size, which are not computed again, then `table.md` and
`scaling.svg`, to `.bench/scaling`. A run that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from options import ROOT, one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.ensemble.predictor import Aggregation  # noqa: E402
from lodestone.models.inference import predict_members  # noqa: E402
from lodestone.runtime.seeds import child_seed  # noqa: E402
from lodestone.tables.files import read_table, write_table  # noqa: E402
from lodestone.training.train import fit_view  # noqa: E402
from materials_project import ENERGY, packed, read_crystals, split_by_system  # noqa: E402
from resampling import mae_interval  # noqa: E402
from scaling_plot import Curve, write_plot  # noqa: E402

PUBLISHED = {"coNGN": "congn_ef", "ALIGNN": "alignn_ef", "CGCNN": "cgcnn_ef"}
VIEWS = ("composition", "structure")
NAMES = {"composition": "composition view", "structure": "structure view", "both": "both, weighted average"}


def main() -> None:
    """Train what is not there yet, then compare."""
    arguments = _arguments()
    table = packed(split_by_system(read_crystals(arguments.data), arguments.max_sites))
    os.environ.setdefault("LODESTONE_CHECKPOINTS", str(arguments.out / "checkpoints"))
    full = table.filter(pl.col("split") == "train").height
    sizes = sorted({min(size or full, full) for size in arguments.sizes})
    test = table.filter(pl.col("split") == "test").sort("material_id")
    curves = _curves(table, test, sizes, arguments)
    published = {name: np.abs(test[column] - test[ENERGY]).mean() for name, column in PUBLISHED.items()}
    lines = list(_lines(curves, published, test))
    (arguments.out / "table.md").write_text("\n".join(lines) + "\n")
    write_plot(curves, published, arguments.out / "scaling.svg")
    print("\n".join(lines))


def _curves(
    table: pl.DataFrame, test: pl.DataFrame, sizes: list[int], arguments: argparse.Namespace
) -> dict[str, Curve]:
    """Errors by size, of each view and of their weighted average."""
    true, systems = test[ENERGY].to_numpy(), test["chemsys"].to_list()
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES}
    for size in sizes:
        members = {view: _members(view, size, table, arguments) for view in VIEWS}
        predicted = {view: found["test"].mean(axis=0) for view, found in members.items()}
        predicted["both"] = _weighted(members, table)
        for name, energies in predicted.items():
            absolute = np.abs(energies - true)
            rows[name].append((absolute.mean(), *mae_interval(absolute, systems, 0)))
    return {name: Curve(NAMES[name], np.array(sizes), np.array(found)) for name, found in rows.items()}


def _weighted(members: dict[str, dict[str, np.ndarray]], table: pl.DataFrame) -> np.ndarray:
    watched = table.filter(pl.col("split") == "validation").sort("material_id")[ENERGY].to_numpy()
    predicted = {split: {view: members[view][split] for view in VIEWS} for split in ("validation", "test")}
    return Aggregation.fit("constant", predicted["validation"], watched).aggregate(predicted["test"]).mean


def _members(view: str, size: int, table: pl.DataFrame, arguments: argparse.Namespace) -> dict[str, np.ndarray]:
    """Predictions of the members for validation and test crystals, shapes ``(m, n)``; trained unless they are there."""
    epochs = epochs_of(arguments, view, size)
    path = arguments.out / f"{view}_{size}_{arguments.members}x{epochs}_{arguments.max_sites}.parquet"
    if not path.is_file():
        changes = {"members": arguments.members, "epochs": epochs}
        changes |= {"unrelaxed": 0.0} if view == "structure" else {"layers": 3}
        params = load_params(ROOT / "params.yaml").view(view).model_copy(update=changes)
        train = table.filter(pl.col("split") == "train").sort("rank").head(size)
        known = pl.concat([train, table.filter(pl.col("split") != "train")])
        print(f"{view} view, {size:,} crystals, {epochs} epochs", flush=True)
        saved = fit_view(view, params, known, None, child_seed(0, "scaling", view, size))
        held_out = table.filter(pl.col("split") != "train").sort("material_id")
        predicted = pl.DataFrame(
            predict_members(saved, decode(held_out)).T, schema=[f"{m}" for m in range(arguments.members)]
        )
        write_table(held_out.select("material_id", "split").hstack(predicted), path)
    predictions = read_table(path)
    splits = {split: predictions.filter(pl.col("split") == split) for split in ("validation", "test")}
    return {split: rows.drop("material_id", "split").to_numpy().T for split, rows in splits.items()}


def epochs_of(arguments: argparse.Namespace, view: str, size: int) -> int:
    """Few crystals are seen more often, as far as it helps; by the composition view, which is cheap, twice as often."""
    once = int(np.clip(arguments.seen // size, arguments.epochs, 5 * arguments.epochs))
    return once if view == "structure" else 2 * once


def _lines(curves: dict[str, Curve], published: dict[str, float], test: pl.DataFrame) -> Iterator[str]:
    sizes = next(iter(curves.values())).sizes
    yield f"| test MAE, meV/atom, n = {len(test):,} | {' | '.join(f'{size:,}' for size in sizes)} | power law |"
    yield "|---|" + "---:|" * len(sizes) + "---|"
    for curve in curves.values():
        maes = (f"{1e3 * mae:.1f} ({1e3 * low:.1f} to {1e3 * high:.1f})" for mae, low, high in curve.maes)
        yield f"| {curve.name} | {' | '.join(maes)} | {curve.power_law_text()} |"
    for name, mae in published.items():
        yield f"| {name}, published, out of fold | {' | '.join([''] * (len(sizes) - 1))} | {1e3 * mae:.1f} | |"


def _arguments() -> argparse.Namespace:
    options = parser(__doc__, "scaling")
    options.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10000, 30000, 0], help="0: all")
    options.add_argument("--members", type=int, default=2)
    options.add_argument("--epochs", type=int, default=20, help="of the structure view with all crystals")
    options.add_argument(
        "--seen", type=int, default=300_000, help="small sets are seen more often, up to so many crystals"
    )
    options.add_argument("--max-sites", type=int, default=500)
    return options.parse_args()


if __name__ == "__main__":
    main()
