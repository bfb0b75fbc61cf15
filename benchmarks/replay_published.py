"""What published networks would choose from the pool of the replay, in one ranking: a bound for ours.

    python benchmarks/replay_published.py

Published are out-of-fold predictions (matbench v0.1, five folds), so no network has learned the label that it predicts,
but each knows what no campaign does: coNGN, ALIGNN and CGCNN see the relaxed structures, and other crystals of the same
formula may be among the four fifths that all of them learn from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from options import one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.replay.metrics import acceleration, area, mean_interval, share_of_ceiling  # noqa: E402
from lodestone.replay.summary import interval  # noqa: E402
from lodestone.replay.tables import DISTANCE, ENERGY  # noqa: E402
from lodestone.replay.thinning import thinned  # noqa: E402
from lodestone.runtime.seeds import child_generator  # noqa: E402
from replay_pool import make_tables  # noqa: E402

PUBLISHED = {
    "coNGN, relaxed structures": "congn_ef",
    "ALIGNN, relaxed structures": "alignn_ef",
    "CGCNN, relaxed structures": "cgcnn_ef",
    "Finder, compositions": "finder_comp_ef",
    "random forest, relaxed structures": "rf_ef",
}


def main() -> None:
    """Rank the pool by each prediction and print the figures."""
    asked = _arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    pool = pl.read_parquet(make_tables(asked)[1], columns=["material_id", ENERGY, DISTANCE])
    entries = pl.read_parquet(asked.data / "mp_energies.parquet", columns=["material_id", *PUBLISHED.values()])
    for line in table(pool.join(entries, on="material_id"), asked):
        print(line)


def table(pool: pl.DataFrame, asked: argparse.Namespace) -> Iterator[str]:
    """A line for each network.

    Args:
        pool: Labels, distances to the known hull, and the predictions.
        asked: Options ``share``, ``prevalence`` and ``seeds``.
    """
    true, distance = pool[ENERGY].to_numpy(), pool[DISTANCE].to_numpy()
    stable = distance <= 0
    kept = [
        thinned(stable, asked.prevalence, child_generator(seed, "replay", "prevalence")) for seed in range(asked.seeds)
    ]
    yield "| network | MAE, eV/atom | acceleration (95 %) | share of ceiling | area |"
    yield "|---|---:|---:|---:|---:|"
    for name, column in PUBLISHED.items():
        error = pool[column].cast(pl.Float64).to_numpy() - true
        found = [figures(stable[rows], (distance + error)[rows], asked.share) for rows in kept]
        cells = [
            interval(mean_interval(list(values)), form)
            for values, form in zip(zip(*found, strict=True), ("{:.2f}", "{:.0%}", "{:.2f}"), strict=True)
        ]
        yield f"| {name} | {np.abs(error).mean():.3f} | {' | '.join(cells)} |"


def figures(stable: np.ndarray, predicted: np.ndarray, share: float) -> tuple[float, float, float]:
    """Acceleration, share of the ceiling and area of one ranking.

    Args:
        stable: Shape ``(n,)``.
        predicted: Distance to the hull, shape ``(n,)``, eV/atom.
        share: Of the pool that is verified.
    """
    ranked = stable[np.argsort(predicted, kind="stable")]
    n, n_stable, budget = len(ranked), int(ranked.sum()), round(share * len(ranked))
    found = int(ranked[:budget].sum())
    return (
        acceleration(found, budget, n_stable, n),
        share_of_ceiling(found, budget, n_stable),
        area(ranked, n_stable, n),
    )


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, "replay")
    made.add_argument("--known", type=int, default=0, help="as of benchmarks/replay.py, like the next four")
    made.add_argument("--pool", type=int, default=3000)
    made.add_argument("--held-out", type=float, default=0.15)
    made.add_argument("--max-sites", type=int, default=500)
    made.add_argument("--prevalence", type=float, default=0.1)
    made.add_argument("--share", type=float, default=0.1, help="of the pool that is verified")
    made.add_argument("--seeds", type=int, default=20)
    return made.parse_args()


if __name__ == "__main__":
    main()
