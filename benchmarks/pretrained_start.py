"""What a campaign gains by starting from networks that were pretrained on other crystals (`warm_start: shipped`).

    python benchmarks/pretrained_start.py [--view VIEW] [--sizes 500 2000 10000] [--seeds 3]

The user's own crystals, and those that the errors are of, lie in chemical systems that pretraining held out: nothing in
the networks has seen one of them. Each seed draws the own crystals anew and trains one network: from scratch, and from
a pretrained one, for the epochs that a campaign gives the view. Errors in meV/atom on the same test crystals, mean and
standard deviation over the seeds.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from options import ROOT, one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.sections import ViewParams  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.models.inference import predict_members  # noqa: E402
from lodestone.models.weights import SavedView, load_view, save_view  # noqa: E402
from lodestone.prediction.shipped import PRETRAINED  # noqa: E402
from lodestone.pretraining.data import read_training_table  # noqa: E402
from lodestone.pretraining.settings import DEFAULT_SETTINGS, load_settings  # noqa: E402
from lodestone.runtime.seeds import child_generator, child_seed  # noqa: E402
from lodestone.training.train import fit_view  # noqa: E402

ENERGY, VALIDATION = "formation_energy_per_atom", 500
ROW = "{:>8} {:<34}{:>8}{:>16}{:>8}"


def main() -> None:
    """Print the table."""
    command = parser(__doc__, "pretrained_start")
    command.add_argument("--view", default="structure", choices=["composition", "structure"])
    command.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 10_000])
    command.add_argument("--seeds", type=int, default=3)
    command.add_argument("--test", type=int, default=1500, help="test crystals, about")
    command.add_argument("--networks", type=Path, default=PRETRAINED, help="folder of `lodestone pretrain`")
    options = command.parse_args()
    own, test = held_out(options.data / "mp_structures.parquet", options.out, options.test)
    networks = load_view(options.networks / "models" / options.view)
    params = own_params(options.view, networks.params)
    before = [error(replace(networks, members=[one]), test) for one in networks.members]
    print(f"{options.view} view; {len(own):,} own crystals to draw from, {len(test):,} test crystals\n")
    print(ROW.format("own", "start", "epochs", "MAE, meV/atom", "seeds"))
    print(ROW.format(0, "pretrained, as it is", 0, spread(before), len(before)))
    for size in (size for size in options.sizes if size + VALIDATION <= len(own)):
        errors: dict[tuple[str, int], list[float]] = {}
        for seed in range(options.seeds):
            for key, saved in trained(options.view, params, drawn(own, size, seed), networks, seed).items():
                errors.setdefault(key, []).append(error(saved, test))
        for (start, epochs), values in errors.items():
            print(ROW.format(size, start, epochs, spread(values), len(values)), flush=True)


def held_out(table: Path, folder: Path, n_test: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Crystals of the systems that pretraining held out: those that a user may own, and those to test on."""
    crystals = read_training_table(table, load_settings(DEFAULT_SETTINGS), folder)
    rows = crystals.filter(pl.col("split") != "train").with_columns(origin=pl.lit("snapshot"))
    systems = rows["chemsys"].unique().sort().to_numpy()
    order = pl.DataFrame({"chemsys": child_generator(0, "systems").permutation(systems)}).with_row_index("rank")
    dealt = rows.join(order, on="chemsys").sort("rank", "material_id")
    return dealt[n_test:], dealt[:n_test].filter(~pl.col("chemsys").is_in(dealt[n_test:]["chemsys"].implode()))


def own_params(view: str, pretrained: ViewParams) -> ViewParams:
    """What `params.yaml` says about training the view, with a single network of the size of the pretrained ones."""
    params = load_params(ROOT / "params.yaml").view(view)
    size = {name: getattr(pretrained, name) for name in ("width", "layers")}
    return params.model_copy(update={**size, "members": 1, "rehearsed": None})


def drawn(own: pl.DataFrame, size: int, seed: int) -> pl.DataFrame:
    """So many crystals to learn from, and 500 others to validate on."""
    rows = own.sample(size + VALIDATION, shuffle=True, seed=child_seed(seed, "drawn", size))
    parts = ["train"] * size + ["validation"] * VALIDATION
    return rows.with_columns(pl.Series("split", parts)).sort("material_id")


def trained(
    view: str, params: ViewParams, crystals: pl.DataFrame, networks: SavedView, seed: int
) -> dict[tuple[str, int], SavedView]:
    """Networks by how they were made: where they started, and for how many epochs they learned."""
    start = replace(networks, members=[networks.members[seed % len(networks.members)]])
    longer = params.model_copy(update={"fine_tune_epochs": params.epochs})
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LODESTONE_CHECKPOINTS"] = f"{folder}/checkpoints"
        warm = Path(folder, "pretrained")
        save_view(start, warm)
        return {
            ("scratch", params.epochs): fit_view(view, params, crystals, None, seed),
            ("pretrained", params.fine_tune_epochs): fit_view(view, params, crystals, warm, seed),
            ("pretrained, as long as from scratch", params.epochs): fit_view(view, longer, crystals, warm, seed),
        }


def error(saved: SavedView, test: pl.DataFrame) -> float:
    """Mean absolute error, meV/atom."""
    predicted = predict_members(saved, decode(test)).mean(axis=0)
    return float(1000 * np.abs(predicted - test[ENERGY].to_numpy()).mean())


def spread(values: list[float]) -> str:
    """Mean ± standard deviation."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.0f} ± {deviation:.0f}"


if __name__ == "__main__":
    main()
