"""`python benchmarks/warm_start.py [VIEW]`: what a round gains by going on from the networks of the last round.

The networks of the first round see the training crystals of the reference set but for one in ten. Then those come in,
and networks are trained on all of them: from the first ones, for a few epochs; from scratch for as many; and from
scratch for all epochs of a first round. Errors are means over the members, on crystals that none has seen.
"""

import argparse
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from options import ROOT, one_thread

one_thread()

import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.sections import ViewParams  # noqa: E402
from lodestone.curation.splits import split_snapshot  # noqa: E402
from lodestone.models.weights import save_view  # noqa: E402
from lodestone.runtime.seeds import child_seed  # noqa: E402
from lodestone.training.train import TrainedView, train_view  # noqa: E402

MEMBERS, FIRST, LATER = 2, 16, 5  # what fits into three minutes on two cores


@dataclass(frozen=True)
class Way:
    """One way to train, and what came of it."""

    name: str
    epochs: int
    mae: float
    n: int
    seconds: float

    def row(self) -> str:
        """One line of the table."""
        return f"{self.name:<38}{self.epochs:>8}{1000 * self.mae:>18.1f}{self.n:>8}{self.seconds:>11.1f}"


def main() -> None:
    """Print one table for a view."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("view", nargs="?", default="structure", choices=["composition", "structure"])
    warnings.simplefilter("ignore")
    view = parser.parse_args().view
    params = load_params(ROOT / "params.yaml")
    small = {"members": MEMBERS, "epochs": FIRST, "fine_tune_epochs": LATER, "rehearsed": None}
    settings = params.view(view).model_copy(update=small)
    crystals = split_snapshot(pl.read_parquet(ROOT / "reference" / "crystals.parquet"), params.split)
    print(f"{view} view, {MEMBERS} members\n{'way':<38}{'epochs':>8}{'MAE, meV/atom':>18}{'n':>8}{'seconds':>11}")
    for way in ways(view, settings, crystals, params.seed):
        print(way.row(), flush=True)


def ways(view: str, params: ViewParams, crystals: pl.DataFrame, seed: int) -> list[Way]:
    """Train in each way."""
    few = without_a_tenth(crystals, seed)
    short = params.model_copy(update={"epochs": params.fine_tune_epochs})
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LODESTONE_CHECKPOINTS"] = f"{folder}/checkpoints"
        first, before = measured("nine tenths of the crystals", view, params, few, None, seed=seed)
        save_view(first.saved, Path(folder, "first"))
        return [
            before,
            measured("all, from scratch, as short", view, short, crystals, None, seed=seed)[1],
            measured("all, warm start", view, params, crystals, Path(folder, "first"), seed=seed)[1],
            measured("all, from scratch, in full", view, params, crystals, None, seed=seed)[1],
        ]


def measured(
    name: str, view: str, params: ViewParams, crystals: pl.DataFrame, start: Path | None, *, seed: int
) -> tuple[TrainedView, Way]:
    """Train once; the error is that of single members on the test crystals, in eV/atom."""
    began = time.perf_counter()
    trained = train_view(view, params, crystals, start, child_seed(seed, "benchmark", name))
    seconds = time.perf_counter() - began
    tested = trained.predictions.filter(pl.col("split") == "test").join(crystals, on="material_id")
    error = pl.col("formation_energy_per_atom_pred") - pl.col("formation_energy_per_atom")
    mae, epochs = tested.select(error.abs().mean()).item(), params.epochs if start is None else params.fine_tune_epochs
    return trained, Way(name, epochs, mae, tested["material_id"].n_unique(), seconds)


def without_a_tenth(crystals: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same crystals less a tenth of those to learn from."""
    kept = crystals.filter(pl.col("split") == "train").sample(fraction=0.9, seed=child_seed(seed, "benchmark"))
    return pl.concat([kept, crystals.filter(pl.col("split") != "train")])


if __name__ == "__main__":
    main()
