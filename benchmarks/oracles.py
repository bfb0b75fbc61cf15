"""Which oracle gives the best verdict per second?

    python benchmarks/oracles.py [--crystals 100] [--oracles chgnet-0.3.0 sevennet:SevenNet-l3i5 sevennet:SevenNet-0]

Compounds of the Materials Project are drawn, half of them on the hull, half at most 0.3 eV/atom above it. Each oracle
labels them as DFT left them, with the compounds in their systems that lie within 0.05 eV/atom of the hull. Elements are
the lowest of small crystals, which it relaxes, and of those on the file's hull. Distances to the hull of these phases
are compared with those by DFT, under the corrections of MP2020, on the hull of the same phases. Only cells that PBE
relaxed count (`crysxpp`), of at most 40 sites, and of each formula the lowest; the hull is theirs. Some crystals are
relaxed as well, in this process, for the seconds that it takes. Last comes the share of those that all oracles call
stable that are so by DFT.

The potentials have learned the Materials Project: this measures whether they agree with it, not what they do elsewhere.
Labels are kept, and it goes on where it was stopped. `LODESTONE_WORKERS=1` keeps to one process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from options import ROOT, one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.registry import ORACLES  # noqa: E402
from lodestone.corrections.chemistry import chemistry_of  # noqa: E402
from lodestone.corrections.rules import formation_change  # noqa: E402
from lodestone.corrections.schemes import scheme  # noqa: E402
from lodestone.crystals.compositions import fractions_of_formulas, weighted_sums  # noqa: E402
from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.curation.difference import by_number  # noqa: E402
from lodestone.ensemble.metrics import stability_scores, wilson_proportion  # noqa: E402
from lodestone.oracles.base import Label, Labeller, Oracle  # noqa: E402
from lodestone.oracles.pool import label_all  # noqa: E402
from lodestone.oracles.registry import as_is  # noqa: E402
from lodestone.oracles.store import LabelStore, default_path  # noqa: E402
from lodestone.stability.hull import ConvexHull  # noqa: E402
from lodestone.tables.files import read_table, write_json  # noqa: E402
from materials_project import ENERGY, crystals_of, read_crystals  # noqa: E402
from one_scale import near  # noqa: E402
from resampling import interval, resampled_sums  # noqa: E402

NAMES = ("chgnet-0.3.0", "sevennet:SevenNet-l3i5", "sevennet:SevenNet-0")
LIMITS = {
    "fmax": 0.05,
    "max_steps": 100,
    "max_volume_change": 2.0,
    "min_distance_ratio": 0.5,
    "min_energy_per_atom": -20.0,
}
HIGHEST, NEAR, ON_HULL = 0.3, 0.05, 0.005  # eV/atom above the hull
LARGEST_PHASE = 40  # sites of a competing phase
TOO_LARGE = 1.05  # in volume, where relaxations start that are timed
STABLE = 1e-9
DEPTHS = {"all call stable": 0.0, "and by the first at least 20 meV/atom": 0.02}  # eV/atom below the hull of the others


def main() -> None:
    """Print the table, and write it with its intervals."""
    options = _options()
    file, known = read_crystals(options.data), read_table(options.known)
    table = usable(file, set(known["chemsys"].str.split("-").explode()))
    hidden = draw(table, options.crystals, options.seed, options.max_sites).head(options.judged or options.crystals)
    phases = near(hidden, table, NEAR)
    rows = pl.concat([hidden, phases.join(hidden, on="material_id", how="anti")])
    elements = element_crystals(known, file)
    results = {}
    with LabelStore(default_path()) as store:
        for name in options.oracles:
            oracle = oracle_of(name)
            relax = partial(label_all, oracle, store=store, title=f"{oracle.name}: elements")
            static = partial(label_all, as_is(oracle), store=store, title=f"{oracle.name}: compounds")
            results[oracle.name] = formed(rows, elements, relax, static)
    timed = {oracle_of(n).name: seconds(oracle_of(n), crystals_of(hidden.head(options.timed))) for n in options.oracles}
    content = compared(rows, len(hidden), results, options.seed) | {"seconds": timed, "timed": options.timed}
    write_json(content, options.out / "oracles.json")
    print(text(content))


def _options() -> Any:
    made = parser(__doc__, "oracles")
    made.add_argument("--known", type=Path, default=ROOT / "reference" / "crystals.parquet", help="table of elements")
    made.add_argument("--crystals", type=int, default=100, help="compounds that are drawn")
    made.add_argument("--judged", type=int, help="only the first so many of the compounds that were drawn")
    made.add_argument("--oracles", nargs="+", default=list(NAMES), help="names, as sevennet:SevenNet-MF-0:PBE")
    made.add_argument("--max-sites", type=int, default=12, help="larger cells are not judged")
    made.add_argument("--timed", type=int, default=10, help="crystals that are relaxed for the seconds that it takes")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


def usable(table: pl.DataFrame, elements: set[str]) -> pl.DataFrame:
    """The lowest crystal of each compound of these elements whose cell PBE relaxed, with its distance to their hull."""
    symbols = pl.col("chemsys").str.split("-")
    ours = (symbols.list.len() > 1) & (symbols.list.set_difference(sorted(elements)).list.len() == 0)
    lowest = table.rename({"formula": "formula_pretty"}).sort("energy_above_hull", "material_id")
    lowest = lowest.unique("formula_pretty", keep="first", maintain_order=True)
    kept = lowest.filter(ours & (pl.col("source") == "crysxpp") & (pl.col("nsites") <= LARGEST_PHASE))
    hull = ConvexHull(fractions_of_formulas(kept["formula_pretty"]), kept[ENERGY].to_numpy())
    return kept.with_columns(energy_above_hull=pl.Series(hull.distances))


def draw(table: pl.DataFrame, n: int, seed: int, max_sites: int) -> pl.DataFrame:
    """Compounds of two and three elements, half of them on the hull, in random order."""
    small = table.filter((pl.col("nsites") <= max_sites) & (pl.col("chemsys").str.count_matches("-") <= 2))
    above = pl.col("energy_above_hull")
    parts = [small.filter(above <= 0), small.filter((above > 0) & (above <= HIGHEST))]
    halves = [part.sort("material_id").sample(n // 2, seed=seed, shuffle=True) for part in parts]
    return pl.concat(halves).sample(fraction=1.0, seed=seed, shuffle=True)


def oracle_of(name: str) -> Oracle:
    """By its name, its model and its modality, with colons between them."""
    oracle, *chosen = name.split(":")
    fields = ORACLES[oracle].settings.model_fields
    limits = {key: value for key, value in LIMITS.items() if key in fields and fields[key].is_required()}
    settings = {"name": oracle, **limits} | dict(zip(("model", "modality"), chosen, strict=False))
    made: Oracle = ORACLES.make(oracle, ORACLES.settings(oracle, settings))
    return made


def element_crystals(known: pl.DataFrame, file: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Crystals of pure elements that may be the lowest: small ones, to be relaxed, and those on the file's hull."""
    of_oracle = known.filter(~pl.col("chemsys").str.contains("-", literal=True))
    near_lowest = pl.col("energy_per_atom") <= pl.col("energy_per_atom").min().over("chemsys") + NEAR
    of_file = file.filter(~pl.col("chemsys").str.contains("-", literal=True) & (pl.col("nsites") <= LARGEST_PHASE))
    of_file = of_file.filter(pl.col("energy_above_hull") <= ON_HULL).sort("energy_above_hull", "nsites", "material_id")
    return of_oracle.filter(near_lowest), of_file.unique("chemsys", keep="first", maintain_order=True)


def formed(
    rows: pl.DataFrame, elements: tuple[pl.DataFrame, pl.DataFrame], relax: Labeller, static: Labeller
) -> np.ndarray:
    """Formation energies of compounds as they are, eV/atom; NaN where the oracle has none."""
    needed = set(rows["chemsys"].str.split("-").explode())
    small, large = (part.filter(pl.col("chemsys").is_in(sorted(needed))) for part in elements)
    labels = relax(decode(small)) + static(crystals_of(large))
    lowest: dict[str, float] = {}
    for symbol, label in zip([*small["chemsys"], *large["chemsys"]], labels, strict=True):
        if label.energy_per_atom is not None:
            lowest[symbol] = min(label.energy_per_atom, lowest.get(symbol, label.energy_per_atom))
    if failed := sorted(needed - set(lowest)):
        raise SystemExit(f"no energy of the elements {', '.join(failed)}")
    energies = np.array([energy(label) for label in static(crystals_of(rows))])
    return energies - weighted_sums(fractions_of_formulas(rows["formula_pretty"]), by_number(lowest))


def energy(label: Label) -> float:
    """Of a label, eV/atom; NaN if it has none."""
    return np.nan if label.energy_per_atom is None else label.energy_per_atom


def by_dft(rows: pl.DataFrame) -> np.ndarray:
    """Formation energies of the file under the corrections of MP2020 instead of those of 2019, eV/atom."""
    old, new = scheme("MP-2019"), scheme("MP-2020")
    changes = [formation_change(chemistry_of(crystal), old, new) for crystal in crystals_of(rows)]
    return rows[ENERGY].to_numpy() + np.array(changes)


def distances(rows: pl.DataFrame, energies: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Of the judged ones to the hull of all other formulas, eV/atom."""
    fractions = fractions_of_formulas(rows["formula_pretty"])
    return ConvexHull(fractions, energies).decomposition_energies(fractions[judged], energies[judged])


def compared(rows: pl.DataFrame, n: int, results: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Figures of each oracle, and by how much its errors exceed those of the first; all on the hull of the same phases.

    Args:
        rows: The judged compounds, then the other phases.
        n: How many are judged.
        results: Formation energies of all rows by the name of the oracle, eV/atom.
        seed: Of the resampling.
    """
    good = np.isfinite(np.stack(list(results.values()))).all(axis=0)
    kept, judged = rows.filter(pl.Series(good)), np.arange(int(good[:n].sum()))
    systems = kept["chemsys"].to_list()[: len(judged)]
    truth = distances(kept, by_dft(kept), judged)
    found = {name: distances(kept, energies[good], judged) for name, energies in results.items()}
    first = next(iter(found.values()))
    called = np.stack([own <= STABLE for own in found.values()]).all(axis=0)
    return {
        "all_agree": {name: agreed(truth, called & (first <= -depth)) for name, depth in DEPTHS.items()},
        "n": len(judged),
        "n_stable": int((truth <= STABLE).sum()),
        "n_phases": len(kept),
        "n_without_a_label": int((~good).sum()),
        "oracles": {
            name: figures(truth, own, systems, seed)
            | {"error_above_first": difference(np.abs(own - truth) - np.abs(first - truth), systems, seed)}
            for name, own in found.items()
        },
    }


def agreed(truth: np.ndarray, called: np.ndarray) -> dict[str, Any]:
    """How many of the compounds that are called stable are so by DFT: precision, with its 95 % Wilson interval."""
    return wilson_proportion(int((truth[called] <= STABLE).sum()), int(called.sum()))


def figures(truth: np.ndarray, found: np.ndarray, systems: Sequence[str], seed: int) -> dict[str, Any]:
    """Error of the distance and F1 of the verdicts, with bootstrap intervals over chemical systems."""
    error, stable, called = np.abs(found - truth), truth <= STABLE, found <= STABLE
    columns = np.stack([error, np.ones(len(error)), stable & called, stable, called]).astype(float)
    total, count, hits, all_stable, all_called = resampled_sums(columns, systems, seed)
    scores = stability_scores(found - STABLE, truth - STABLE)
    return {
        "mae": float(error.mean()),
        "mae_interval": interval(total / count),
        "median": float(np.median(error)),
        "bias": float((found - truth).mean()),
        "f1_interval": interval(2 * hits / np.maximum(all_stable + all_called, 1)),
    } | {name: scores[name] for name in ("f1", "precision", "recall", "n", "n_stable")}


def difference(values: np.ndarray, systems: Sequence[str], seed: int) -> dict[str, Any]:
    """Mean of paired differences with its interval."""
    total, count = resampled_sums(np.stack([values, np.ones(len(values))]), systems, seed)
    return {"mean": float(values.mean()), "interval": interval(total / count)}


def seconds(oracle: Oracle, crystals: Sequence[Crystal]) -> dict[str, Any]:
    """CPU seconds on one thread for each crystal: as it is, and relaxed from a cell that is too large."""
    starts = [crystal.scaled_to(crystal.volume * TOO_LARGE) for crystal in crystals]
    dict(as_is(oracle).label(starts[:1]))  # loads the weights
    static, _ = _timed(as_is(oracle), starts)
    relaxed, labels = _timed(oracle, starts)
    steps = [label.n_steps for label in labels]
    return {"static": static, "relaxation": relaxed, "steps": float(np.mean(steps)), "ok": sum(x.ok for x in labels)}


def _timed(oracle: Oracle, crystals: Sequence[Crystal]) -> tuple[float, list[Label]]:
    began = time.process_time()
    labels = [label for _, label in oracle.label(crystals)]
    return (time.process_time() - began) / len(crystals), labels


def text(content: dict[str, Any]) -> str:
    """The table, in meV/atom."""
    head = (
        f"{content['n']} compounds, {content['n_stable']} of them stable on the hull of {content['n_phases']} phases; "
        f"{content['n_without_a_label']} without a label left out; seconds of one core, mean of {content['timed']}\n"
    )
    lines = ["| oracle | error, meV/atom | above the first | F1 | static, s | relaxed, s | verdicts/h |"]
    lines += ["| --- |" + " --- |" * 6]
    for name, one in content["oracles"].items():
        took, above = content["seconds"][name], one["error_above_first"]
        lines.append(
            f"| {name} | {_milli(one['mae'], one['mae_interval'])} | {_milli(above['mean'], above['interval'])} | "
            f"{one['f1']:.2f} [{one['f1_interval'][0]:.2f}, {one['f1_interval'][1]:.2f}] | {took['static']:.2f} | "
            f"{took['relaxation']:.1f} | {3600 / max(took['relaxation'], 1e-9):.0f} |"
        )
    lines += ["", "| stable by DFT, of those that | |", "| --- | --- |"]
    lines += [f"| {name} | {_precision(one)} |" for name, one in content["all_agree"].items()]
    return "\n".join([head, *lines])


def _precision(one: dict[str, Any]) -> str:
    if not one["n"]:
        return "none"
    return f"{one['hits']} of {one['n']}, {one['rate']:.0%} [{100 * one['low']:.0f}, {100 * one['high']:.0f}]"


def _milli(value: float, bounds: Sequence[float]) -> str:
    return f"{1000 * value:.0f} [{1000 * bounds[0]:.0f}, {1000 * bounds[1]:.0f}]"


if __name__ == "__main__":
    main()
