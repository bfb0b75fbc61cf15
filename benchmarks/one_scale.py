"""How well does CHGNet judge crystals against the hull of the Materials Project, and how do the two meet on one scale?

Crystals of at most 20 sites are drawn at random, hidden from the hull with their formulas, and relaxed by CHGNet from
the given cells. Their energies are brought to the scale of the file by the rules of the correction schemes, by a
difference learned on other crystals, or by both; or the competing phases are labelled by CHGNet instead, as they are.
The truth is the file's own energy against the file's own hull. Labels are kept, and it goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain, combinations
from typing import Any

from options import ROOT, one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.sections import LabelParams  # noqa: E402
from lodestone.crystals.compositions import fractions_of_formulas, weighted_sums  # noqa: E402
from lodestone.crystals.encoding import encode  # noqa: E402
from lodestone.crystals.json_text import from_json  # noqa: E402
from lodestone.curation.difference import by_number, chemistry_name  # noqa: E402
from lodestone.curation.learned_difference import drawn  # noqa: E402
from lodestone.curation.source_scale import keep_labels, lowest_elements  # noqa: E402
from lodestone.ensemble.metrics import wilson_proportion  # noqa: E402
from lodestone.oracles.base import Label, Labeller  # noqa: E402
from lodestone.oracles.pool import label_all  # noqa: E402
from lodestone.oracles.registry import as_is, make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore, default_path  # noqa: E402
from lodestone.reference.elements import element_crystals  # noqa: E402
from lodestone.stability.hull import ConvexHull  # noqa: E402

ENERGY = "formation_energy_per_atom"
DRAWS = 2000


def main() -> None:
    options = _options()
    table = pl.read_parquet(options.data / "mp_structures.parquet").rename({"formula": "formula_pretty"})
    order = drawn(table, options.hidden + options.learned, least=0)
    with LabelStore(default_path()) as store:
        oracle = make_oracle(load_params(ROOT / "params.yaml").oracle)
        relax = partial(label_all, oracle, store=store, title="relaxing")
        static = partial(label_all, as_is(oracle), store=store, title="labelling as they are")
        hidden, labels = _relaxed(order.head(options.hidden), relax)
        truth = _distances(hidden, pl.read_parquet(options.data / "mp_energies.parquet"))
        print(f"{len(hidden)} hidden crystals, {(truth <= 0).sum()} of them stable\n")
        print("| way | n | error of the distance, meV/atom | median | F1 | precision | recall |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        others = order.tail(options.learned).filter(~pl.col("formula_pretty").is_in(hidden["formula_pretty"].implode()))
        elements = table.filter(~pl.col("chemsys").str.contains("-", literal=True))
        found: dict[str, np.ndarray] = {}
        for kind in ("corrections", "learned", "both"):
            params = LabelParams(scale="source", difference=kind, difference_crystals=len(others))
            known = _as_snapshot(pl.concat([others, elements]))
            difference = keep_labels(
                known, oracle, {}, params=params, label=relax, label_as_is=static, element_crystals=element_crystals
            ).difference
            added = difference.energies([label.crystal for label in labels if label.crystal is not None])
            energies = np.array([label.energy_per_atom for label in labels]) + added
            found[kind] = truth + energies - hidden[ENERGY].to_numpy()
            _report(kind, truth, found[kind])
        print(f"\nlearned on {len(others)} crystals; its error on formulas left out: {dict(difference.errors)}\n")
        few = hidden.head(options.systems)
        of_oracle = lowest_elements(_as_snapshot(table), relax, static, element_crystals)
        own, n = _on_its_own_scale(few, labels, near(few, table, options.near), of_oracle, static)
        known = np.isfinite(own)
        print(f"{n} competing phases labelled as they are, for {known.sum()} hidden crystals\n")
        _report("phases by CHGNet", truth[: len(few)][known], own[known])
        for kind, values in found.items():
            _report(f"{kind}, the same crystals", truth[: len(few)][known], values[: len(few)][known])
    _by_chemistry(hidden, truth, found["both"])


def _options() -> Any:
    made = parser(__doc__, "one_scale")
    made.add_argument("--hidden", type=int, default=300, help="crystals that CHGNet relaxes")
    made.add_argument("--learned", type=int, default=1000, help="other crystals that the difference is learned on")
    made.add_argument("--systems", type=int, default=100, help="hidden crystals whose phases CHGNet labels, too")
    made.add_argument("--near", type=float, default=0.03, help="of these phases, those so near the hull, eV/atom")
    return made.parse_args()


def _relaxed(rows: pl.DataFrame, relax: Labeller) -> tuple[pl.DataFrame, list[Label]]:
    labels = relax([from_json(text) for text in rows["structure"]])
    return rows.filter(pl.Series([label.ok for label in labels])), [label for label in labels if label.ok]


def _as_snapshot(rows: pl.DataFrame) -> pl.DataFrame:
    """What a snapshot has of the columns that the difference is learned from."""
    silent = pl.lit(None, dtype=pl.Float64)
    return rows.hstack(encode([from_json(text) for text in rows["structure"]])).with_columns(
        pl.lit("P1").alias("prototype"),
        pl.col("material_id").alias("decorated_prototype"),
        silent.alias("energy_per_atom"),
        pl.lit("dft-pbe").alias("label_method"),
        pl.lit("MP-2019-legacy").alias("correction_scheme"),
    )


def _distances(hidden: pl.DataFrame, phases: pl.DataFrame) -> np.ndarray:
    """Distance of each crystal to the hull of all other formulas, by the energies of the file, eV/atom."""
    hull = ConvexHull(fractions_of_formulas(phases["formula"]), phases[ENERGY].to_numpy())
    return hull.decomposition_energies(fractions_of_formulas(hidden["formula_pretty"]), hidden[ENERGY].to_numpy())


def near(hidden: pl.DataFrame, table: pl.DataFrame, highest: float) -> pl.DataFrame:
    """The lowest crystal of each formula in the systems of the hidden ones, if it is that near the hull."""
    systems = {
        "-".join(part)
        for system in hidden["chemsys"]
        for elements in [system.split("-")]
        for part in chain.from_iterable(combinations(elements, size) for size in range(2, len(elements) + 1))
    }
    near = table.filter(pl.col("chemsys").is_in(sorted(systems)) & (pl.col("energy_above_hull") <= highest))
    return near.sort("energy_above_hull", "material_id").unique("formula_pretty", keep="first", maintain_order=True)


def _on_its_own_scale(
    hidden: pl.DataFrame, labels: Sequence[Label], phases: pl.DataFrame, of_elements: dict[str, float], static: Labeller
) -> tuple[np.ndarray, int]:
    """Distances to the hull of competing phases that CHGNet has labelled, too, eV/atom, and the number of these."""
    found = static([from_json(text) for text in phases["structure"]])
    good = np.array([label.ok for label in found])
    fractions = fractions_of_formulas(phases["formula_pretty"])[good]
    mu = by_number(of_elements)
    energies = np.array([label.energy_per_atom for label in found if label.ok]) - weighted_sums(fractions, mu)
    hull = ConvexHull(fractions, energies)
    points = fractions_of_formulas(hidden["formula_pretty"])
    own = np.array([label.energy_per_atom for label in labels[: len(hidden)]]) - weighted_sums(points, mu)
    return hull.decomposition_energies(points, own), int(good.sum())


def _report(name: str, truth: np.ndarray, found: np.ndarray) -> None:
    error, stable, called = np.abs(found - truth), truth <= 0, found <= 0
    generator = np.random.default_rng(0)
    draws = generator.integers(len(truth), size=(DRAWS, len(truth)))
    mae, f1 = error[draws].mean(axis=1), [_f1(stable[rows], called[rows]) for rows in draws]
    precision = wilson_proportion(int((stable & called).sum()), int(called.sum()))
    recall = wilson_proportion(int((stable & called).sum()), int(stable.sum()))
    print(
        f"| {name} | {len(truth)} | {_interval(error.mean(), mae, 1000)} | {np.median(error) * 1000:.0f} | "
        f"{_interval(_f1(stable, called), f1, 100)} % | {_rate(precision)} | {_rate(recall)} |",
        flush=True,
    )


def _f1(stable: np.ndarray, called: np.ndarray) -> float:
    return float(2 * (stable & called).sum() / max(1, stable.sum() + called.sum()))


def _interval(value: float, draws: Any, factor: float) -> str:
    low, high = np.quantile(draws, [0.025, 0.975]) * factor
    return f"{value * factor:.0f} [{low:.0f}, {high:.0f}]"


def _rate(one: dict[str, Any]) -> str:
    return f"{one['rate']:.0%} [{one['low']:.0%}, {one['high']:.0%}] of {one['n']}" if one["n"] else "none"


def _by_chemistry(hidden: pl.DataFrame, truth: np.ndarray, found: np.ndarray) -> None:
    names = np.array([chemistry_name(from_json(text)) for text in hidden["structure"]])
    print("\n| chemistry | n | error, meV/atom |\n| --- | --- | --- |")
    for name in sorted(set(names), key=lambda one: -(names == one).sum()):
        rows = names == name
        print(f"| {name} | {rows.sum()} | {np.abs(found - truth)[rows].mean() * 1000:.0f} |")


if __name__ == "__main__":
    main()
