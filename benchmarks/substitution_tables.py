"""Which table of substitution probabilities would have led to the compounds that came later?

    python benchmarks/substitution_tables.py --day 2015-01-01

What the Materials Project knew before a day are parents; all replacements of one or two of their elements are ideas,
ranked by their probability. A stable entry of a new formula since is recalled within so many ideas where one of the
ideas that lead to it is among them. No network and no potential has a part in it. Counted are entries whose prototype
was known and that two replacements can reach; ideas of one probability come in a random order. Ideas that lead to known
formulas or break charge rules take up room, too. Brackets are 95 % bootstrap intervals over chemical systems.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from options import one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from dated import deal_by_date  # noqa: E402
from lodestone.config.registry import PROBABILITIES  # noqa: E402
from lodestone.crystals.encoding import describe  # noqa: E402
from lodestone.replay.tables import on_own_hull  # noqa: E402
from lodestone.substitution.draw import MOST_ABOVE_HULL  # noqa: E402
from lodestone.substitution.parents import Family, families, sorted_elements  # noqa: E402
from lodestone.substitution.table import probability_table  # noqa: E402
from materials_project import ENERGY, crystals_of, read_crystals  # noqa: E402
from resampling import interval, resampled_sums  # noqa: E402

BUDGETS = (10_000, 100_000, 1_000_000, 10_000_000)
EDGES = np.linspace(-16, 0, 16_001)  # bins of log-probability


def main() -> None:
    """Print one line for each table."""
    asked = _arguments()
    table = read_crystals(asked.data).filter(pl.col("nsites") <= asked.max_sites)
    dealt = deal_by_date(table, asked.day)
    known = on_own_hull(_described(dealt.known))
    since = _described(dealt.later.filter(pl.col("energy_above_hull") <= 0))
    near = (pl.col("energy_above_hull") <= MOST_ABOVE_HULL) & pl.col("chemsys").str.contains("-", literal=True)
    parents = families(known.filter(near))
    everything = np.unique(np.concatenate([family.elements.ravel() for family in parents.values()]))
    tables = {name: probability_table(name, known, MOST_ABOVE_HULL) for name in PROBABILITIES.names()}
    tables["uniform"] = np.full_like(next(iter(tables.values())), 1 / (len(everything) - 1))
    tables = {name: among(one, everything) for name, one in tables.items()}
    targets = reachable(since, parents, tables["uniform"])
    print(f"{len(known):,} entries before {asked.day}, {len(since):,} stable since, of which {len(targets):,} in reach")
    print(f"| table | median rank | {' | '.join(f'recall in {n:,}' for n in BUDGETS)} |")
    print(f"| --- | --- |{' --- |' * len(BUDGETS)}")
    for name, one in tables.items():
        print(f"| {name} | {' | '.join(line(one, parents, targets, everything))} |", flush=True)


Targets = Sequence[tuple[Family, np.ndarray, str]]  # family of parents, elements in the order of its orbits, system


def among(table: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """A table in which only some elements, and none itself, replace any."""
    kept, inside = np.zeros_like(table), np.ix_(elements, elements)
    kept[inside] = table[inside]
    np.fill_diagonal(kept, 0.0)
    return kept


def reachable(since: pl.DataFrame, parents: Mapping[str, Family], anything: np.ndarray) -> Targets:
    """The crystals that some parent leads to."""
    rows = since.select("prototype", "decorated_prototype", "chemsys").iter_rows()
    found = [(parents[p], np.array(sorted_elements(label)[1]), system) for p, label, system in rows if p in parents]
    return [one for one in found if one[0].probabilities(one[1], anything).any()]


def line(table: np.ndarray, parents: Mapping[str, Family], targets: Targets, elements: np.ndarray) -> Iterator[str]:
    """Median rank of the targets, and the share that is recalled within each budget."""
    ideas = ideas_by_bin(table, parents, elements)
    ways = [family.probabilities(new, table) for family, new, _ in targets]
    best = np.array([one.max() for one in ways])
    ties = np.array([(one >= one.max() * (1 - 1e-9)).sum() for one in ways])
    place = _bins(best)
    likelier = (ideas[::-1].cumsum()[::-1] - ideas)[place]
    yield f"{np.median(likelier + ideas[place] / 2):,.0f}"
    for budget in BUDGETS:
        share = np.clip((budget - likelier) / np.maximum(ideas[place], 1), 0, 1)  # of the bin of the best that is seen
        recalled = np.where(best > 0, 1 - (1 - share) ** ties, 0.0)
        sums, n = resampled_sums(np.stack([recalled, np.ones(len(best))]), [system for *_, system in targets], 0)
        low, high = interval(sums / n)
        yield f"{100 * recalled.mean():.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def ideas_by_bin(table: np.ndarray, parents: Mapping[str, Family], elements: np.ndarray) -> np.ndarray:
    """How many replacements of one or two elements of any parent have a probability, by bin."""
    singles, pairs = np.zeros(len(table)), np.zeros_like(table)
    for family in parents.values():
        for row in family.elements:
            singles[row] += 1
            for a, b in combinations(sorted(row), 2):
                pairs[a, b] += 1
    counts = np.zeros(len(EDGES) - 1)
    for old in elements:
        _count(counts, table[:, old], singles[old])
    for a, b in np.argwhere(pairs):
        _count(counts, np.outer(table[:, a], table[:, b]).ravel(), pairs[a, b])
    return counts


def _count(counts: np.ndarray, probabilities: np.ndarray, weight: float) -> None:
    np.add.at(counts, _bins(probabilities[probabilities > 0]), weight)


def _bins(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(np.maximum(probabilities, np.exp(EDGES[0])))
    return np.clip(np.digitize(logs, EDGES) - 1, 0, len(EDGES) - 2)


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.sort("material_id")
    return describe(crystals_of(rows)).hstack(rows.select("material_id", ENERGY))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, "substitution_tables")
    made.add_argument("--day", default="2015-01-01")
    made.add_argument("--max-sites", type=int, default=20)
    return made.parse_args()


if __name__ == "__main__":
    main()
