"""What screening and verification cost for each candidate, and what 10^9 of them would need: nodes, hours, bytes.

    python benchmarks/scale_out.py [--candidates 3000] [--verify 20] [--cores 64]

Candidates are drawn from the reference set as a round draws them, with the parameters of `params.yaml`; networks are
those that ship with the package. Times are CPU seconds, which hardly depend on what else the machine does; those of the
executor are of tasks that do nothing. The plan multiplies.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from options import ROOT, one_thread

one_thread()

import polars as pl  # noqa: E402

import lodestone  # noqa: E402
from lodestone.config.load import load_params  # noqa: E402
from lodestone.curation.labelling import energy_above_hull  # noqa: E402
from lodestone.curation.splits import empty_attempts, split_snapshot  # noqa: E402
from lodestone.discovery.proposals import propose  # noqa: E402
from lodestone.discovery.screening import screen  # noqa: E402
from lodestone.discovery.state import RoundState  # noqa: E402
from lodestone.models.inference import predict_members  # noqa: E402
from lodestone.oracles.attempt import label_one  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore, label_key  # noqa: E402
from lodestone.runtime.executor import DaskChoice  # noqa: E402
from lodestone.schemas import Crystals  # noqa: E402
from lodestone.stability.references import elemental_references  # noqa: E402

TASKS = 1_000
ALL, VERIFIED = 10**9, 10**6  # GNoME verified 2.2 million of its candidates


@dataclass(frozen=True)
class Step:
    """What one step costs: CPU seconds of one core and bytes for each candidate, and how many pass through it."""

    name: str
    seconds: float
    size: float
    n: int
    count: int


def main() -> None:
    """Measure, then print both tables."""
    asked = _arguments()
    steps = list(measured(asked))
    print("| step | CPU, ms per candidate | bytes per candidate | measured on |\n| --- | ---: | ---: | ---: |")
    for step in steps:
        print(f"| {step.name} | {1e3 * step.seconds:,.2f} | {step.size:,.0f} | {step.n:,} |")
    own = seconds_of_a_task()
    print(f"\nExecutor: {1e3 * own:.1f} ms of caller and scheduler for a task, so at most {1 / own:,.0f} a second.\n")
    print(f"| step | candidates | node hours ({asked.cores} cores) | with 100 nodes | bytes |")
    print("| --- | --- | ---: | ---: | ---: |")
    for step in steps:
        hours, size = step.seconds * step.count / 3600 / asked.cores, step.size * step.count / 1e9
        print(f"| {step.name} | {step.count:.0e} | {hours:,.0f} | {hours / 100:,.1f} h | {size:,.1f} GB |")


def measured(asked: argparse.Namespace) -> Iterator[Step]:
    """The steps of a round."""
    params = load_params(ROOT / "params.yaml")
    section = params.discovery.model_copy(update={"max_proposals": asked.candidates})
    state, ensemble = _state(params), lodestone.load().ensemble
    drawn, seconds = _timed(lambda: propose("round_0", state, section, params.snapshot.filters, params.seed))
    crystals, n = [proposal.crystal for _, proposal in drawn.items], len(drawn.items)
    message = len(pickle.dumps(crystals)) / n
    yield Step("generate", seconds / n, message, n, ALL)
    _, seconds = _timed(lambda: predict_members(ensemble.views["composition"], crystals))
    yield Step("predict, composition view alone", seconds / n, 8 * len(ensemble.views["composition"].members), n, ALL)
    prediction, seconds = _timed(lambda: ensemble.predict(crystals, "unrelaxed"))
    hull = state.hull()
    table, more = _timed(lambda: screen(drawn.items, prediction, hull, "round_0"))
    with TemporaryDirectory() as folder:
        table.write_parquet(Path(folder) / "table.parquet", compression="zstd")
        size = (Path(folder) / "table.parquet").stat().st_size / n
    yield Step("predict, all views", seconds / n, len(pickle.dumps(prediction)) / n, n, ALL)
    yield Step("distance to the hull, row of the table", more / n, size, n, ALL)
    lowest = table.with_row_index().sort("energy_above_hull_pred")["index"].head(asked.verify).to_list()
    yield verified([crystals[row] for row in lowest], params)


def verified(crystals: list[Any], params: Any) -> Step:
    """Relaxations by the oracle of `params.yaml`, and what the label store keeps of them."""
    oracle = make_oracle(params.oracle)
    label_one(oracle, crystals[0])  # loads the potential
    labels, seconds = _timed(lambda: [label_one(oracle, crystal) for crystal in crystals])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "labels.sqlite"
        with LabelStore(path) as store:
            for crystal, label in zip(crystals, labels, strict=True):
                store.put(label_key(oracle, crystal), oracle, label)
        size = path.stat().st_size / len(crystals)
    return Step(f"verify ({oracle.name})", seconds / len(crystals), size, len(crystals), VERIFIED)


def seconds_of_a_task() -> float:
    """CPU seconds of caller and scheduler, which are one process here, for a task that does nothing."""
    from distributed import LocalCluster

    from lodestone.runtime.dask_executor import dask_each

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(host="127.0.0.1", silence_logs=50, **options) as cluster:
        choice = DaskChoice(cluster.scheduler_address)
        list(dask_each(str, {"first": 0}, (), choice))
        outcomes, seconds = _timed(lambda: list(dask_each(str, {str(n): n for n in range(TASKS)}, (), choice)))
        assert len(outcomes) == TASKS
        return seconds / TASKS


def _state(params: Any) -> RoundState:
    """The reference set, as the first round of a campaign sees it."""
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("material_id")
    rows = rows.with_columns(
        energy_above_hull(rows, rows["formation_energy_per_atom"].to_numpy()),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit("snapshot").alias("origin"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.lit("train").alias("split"),
    )
    crystals = split_snapshot(rows, params.split).select(list(Crystals.to_schema().columns))
    return RoundState(crystals, empty_attempts(), elemental_references(crystals))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--candidates", type=int, default=3000)
    made.add_argument("--verify", type=int, default=20, help="relaxations")
    made.add_argument("--cores", type=int, default=64, help="of a node")
    return made.parse_args()


if __name__ == "__main__":
    main()
