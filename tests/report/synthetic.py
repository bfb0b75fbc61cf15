"""A small made-up campaign on disk: real crystals of four structure types, energies from a toy formula.

Every file satisfies its contract, and hull distances are true ones (by linear programming, not by the code under test).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.load import parse_params
from lodestone.config.params import Params
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import describe
from lodestone.schemas import Candidates, Crystals, Phases, Predictions, References, Verifications
from lodestone.tables.files import write_json, write_table
from lodestone.tables.layout import Layout

ELECTRONEGATIVITY = {
    "Li": 0.98, "Na": 0.93, "K": 0.82, "Mg": 1.31, "Ca": 1.0, "Sr": 0.95, "Al": 1.61, "Zn": 1.65,
    "O": 3.44, "S": 2.58, "Se": 2.55, "F": 3.98, "Cl": 3.16, "Br": 2.96,
}  # fmt: skip
METALS, ANIONS = list(ELECTRONEGATIVITY)[:8], list(ELECTRONEGATIVITY)[8:]
MAX_DEPTH = 0.7  # eV/atom: so that some finds are deeper, and some others are pushed off the hull later
STATUSES = ("not_converged", "exploded", "atoms_overlap", "failed: ValueError: cell <too> flat")
_FCC = 0.5 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
_TYPES = {
    "rocksalt": (_FCC * 5.0, [[0, 0, 0], [0.5, 0.5, 0.5]], (0, 1), -0.05),
    "cscl": (np.eye(3) * 3.2, [[0, 0, 0], [0.5, 0.5, 0.5]], (0, 1), 0.02),
    "fluorite": (_FCC * 5.5, [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]], (0, 1, 1), -0.02),
    "antifluorite": (_FCC * 5.5, [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]], (1, 0, 0), 0.0),
}
_PEROVSKITE = (np.eye(3) * 4.2, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
ORACLE = {"name": "chgnet-0.3.0", "settings": {}, "versions": {"chgnet": "0.4.2"}, "caveat": "Energies are <made up>."}


def write_campaign(root: Path, seed: int = 1, rounds: int = 3, found: str = "some") -> tuple[Params, Layout, Path]:
    """Write a campaign under a folder.

    Args:
        root: Where ``data/`` and ``metrics/`` go.
        seed: Of everything made up.
        rounds: How many.
        found: ``"some"`` discoveries, ``"none"`` (every relaxation fails, no random baseline), or ``"nothing"`` (no
            candidate was verified at all).

    Returns:
        Parameters, layout and folder of the metrics.
    """
    for name, content in _files(seed, rounds, found).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return campaign_params(rounds), Layout(root / "data"), root / "metrics"


@lru_cache(maxsize=8)
def _files(seed: int, rounds: int, found: str) -> dict[Path, bytes]:
    """Its files: to make them takes a second, and many tests want the same."""
    with TemporaryDirectory() as folder:
        _write(Path(folder), seed, rounds, found)
        return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def _write(root: Path, seed: int, rounds: int, found: str) -> None:
    generator = np.random.default_rng(seed)
    layout, metrics = Layout(root / "data"), root / "metrics"
    world = _world(generator)
    is_element = ~pl.col("chemsys").str.contains("-")
    order = generator.permutation(world.height)
    known = world[order].filter(is_element | (pl.int_range(pl.len()) % 2 == 0)).sort("material_id")
    pool = world.join(known, on="material_id", how="anti")
    provenance = {"source": "reference", "label_method": "chgnet-0.3.0", "correction_scheme": "MP2020"}
    write_json(provenance | {"n_out": known.height, "filters": {"elements": None, "max_sites": 20}}, layout.provenance)
    labels = {"n_in": known.height + 2, "n_labelled": known.height, "rejected": {"exploded": 2}, "n_elements": 14}
    write_json(labels | {"oracle_vs_source": None}, metrics / "label.json")
    write_json(ORACLE, layout.oracle)
    _write_references(known, layout)
    write_table(Phases.empty(), layout.phases, Phases)
    total = 0
    for index in range(rounds):
        known = _with_hull(known)
        chosen, pool = pool[:20], pool[20:]
        verified = _verifications(chosen, known, f"round_{index}", generator, found)
        total += int(verified["is_stable"].sum())
        _write_round(layout, metrics, f"round_{index}", known, chosen, verified, total, generator)
        known = _grown(known, verified)
    write_table(_with_hull(known), layout.round(f"round_{rounds}").crystals, Crystals, "material_id")


def campaign_params(rounds: int) -> Params:
    """The repository's own settings with another number of rounds."""
    import yaml

    content = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    chain = {f"round_{k}": {"next": f"round_{k + 1}", "budget": 16, "random_baseline": 4} for k in range(rounds)}
    return parse_params(content | {"rounds": chain, "discovery": content["discovery"] | {"max_depth": MAX_DEPTH}})


def above_hull(crystals: pl.DataFrame, phases: pl.DataFrame) -> np.ndarray:
    """Distance of each crystal to the hull of some phases, by linear programming, eV/atom."""
    from scipy.optimize import linprog

    x, energies = _fractions(phases), phases["formation_energy_per_atom"].to_numpy()
    distances = []
    for row, energy in zip(_fractions(crystals), crystals["formation_energy_per_atom"], strict=True):
        inside = (x[:, row == 0] == 0).all(axis=1)
        best = linprog(energies[inside], A_eq=x[inside].T, b_eq=row)
        distance = energy - best.fun
        distances.append(0.0 if abs(distance) < 1e-9 else distance)
    return np.array(distances)


def _world(generator: np.random.Generator) -> pl.DataFrame:
    """Every crystal there is, known or to be found, with its formation energy."""
    made: list[tuple[Crystal, float]] = [
        (Crystal(_FCC * 4.0, np.array([ATOMIC_NUMBERS[symbol]]), np.zeros((1, 3))), 0.0) for symbol in ELECTRONEGATIVITY
    ]
    for metal in METALS:
        for anion in ANIONS:
            for lattice, sites, kinds, offset in _TYPES.values():
                symbols = [(metal, anion)[kind] for kind in kinds]
                made.append((_crystal(lattice, sites, symbols), _energy(symbols) + offset + generator.normal(0, 0.04)))
    for first, second, anion in [(a, b, x) for a in METALS for b in METALS for x in ANIONS if a < b]:
        symbols = [first, second, anion, anion, anion]
        made.append((_crystal(*_PEROVSKITE, symbols), _energy(symbols) + generator.normal(0, 0.15)))
    kept = [*made[:14], *(made[i] for i in sorted(14 + generator.permutation(len(made) - 14)[:230]))]
    table = describe([crystal for crystal, _ in kept])
    names = pl.Series("material_id", [f"syn-{index:04d}" for index in range(len(kept))])
    return table.with_columns(names, pl.Series("formation_energy_per_atom", [energy for _, energy in kept]))


def _crystal(lattice: np.ndarray, sites: list[list[float]], symbols: list[str]) -> Crystal:
    return Crystal(lattice, np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols]), np.array(sites, dtype=float))


def _energy(symbols: list[str]) -> float:
    chi = np.array([ELECTRONEGATIVITY[symbol] for symbol in symbols])
    return float(-0.45 * np.mean((chi[:, None] - chi[None, :]) ** 2))


def _fractions(crystals: pl.DataFrame) -> np.ndarray:
    numbers = [ATOMIC_NUMBERS[symbol] for symbol in ELECTRONEGATIVITY]
    return np.array([np.mean(np.asarray(z)[:, None] == numbers, axis=0) for z in crystals["atomic_numbers"]])


def _with_hull(known: pl.DataFrame) -> pl.DataFrame:
    is_compound = pl.col("chemsys").str.contains("-", literal=True)
    tested = is_compound & (pl.col("formula_pretty").rank("dense") % 5 == 0)
    split = pl.when(tested).then(pl.lit("test")).otherwise(pl.lit("train"))
    defaults = {"origin": pl.lit("snapshot"), "split": split}
    missing = [made.alias(name) for name, made in defaults.items() if name not in known.columns]
    return known.with_columns(
        *missing,
        pl.Series("energy_above_hull", np.maximum(above_hull(known, known), 0)),
        (pl.col("formation_energy_per_atom") - 3).alias("energy_per_atom"),
        pl.lit(None, pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit(None, pl.String).alias("created_at"),
    )


def _predicted(energies: pl.Series, generator: np.random.Generator) -> dict[str, Any]:
    noise = {"": 0.05, "_composition": 0.1, "_structure": 0.06}
    made = {
        f"formation_energy_per_atom_pred{view}": energies + generator.normal(0, s, len(energies))
        for view, s in noise.items()
    }
    made |= {f"formation_energy_per_atom_{kind}std": pl.lit(0.05) for kind in ("", "epistemic_")}
    ends = {"lower": -0.08, "upper": 0.08}
    made |= {
        f"formation_energy_per_atom_{end}": made["formation_energy_per_atom_pred"] + shift
        for end, shift in ends.items()
    }
    return made | {"out_of_distribution": pl.lit("system,latent")}


def _verifications(
    chosen: pl.DataFrame, known: pl.DataFrame, name: str, generator: np.random.Generator, found: str
) -> pl.DataFrame:
    table = chosen.with_columns(**_predicted(chosen["formation_energy_per_atom"], generator))
    distance = pl.Series("energy_above_hull", above_hull(chosen, known))
    failing = [STATUSES[i % 4] if found != "some" or i % 5 == 4 else "ok" for i in range(chosen.height)]
    order = pl.int_range(pl.len())
    table = table.with_columns(
        distance,
        pl.Series("status", failing, dtype=pl.String),
        round=pl.lit(name),
        acquired_by=pl.when((order % 4 == 1) & (found == "some")).then(pl.lit("random")).otherwise(pl.lit("model")),
        generator=pl.lit("substitution"),
        provenance=pl.lit('{"parent": "syn-0000", "substitution": "Na>K"}'),
        n_steps=pl.lit(12, pl.Int32),
        energy_above_hull_pred=distance + 0.01,
        stability_probability=pl.lit(0.5),
        incomplete_probability=pl.lit(0.1),
        energy_per_atom=pl.col("formation_energy_per_atom") - 3,
        n_competing_phases=pl.lit(3, pl.Int32),
        decomposition=pl.lit("0.60 Na2O + 0.40 Na"),
        stable_below=pl.lit(0.0),
        is_new=(pl.col("formation_energy_per_atom") < 0)
        & (order != 3)
        & pl.Series([s == "ok" for s in failing], dtype=pl.Boolean),
    )
    same = (pl.col("status") == "ok") & ~pl.col("is_new")
    table = table.with_columns(same_as=pl.when(same).then(pl.lit("syn-0000")))
    below = pl.col("is_new") & (pl.col("energy_above_hull") <= 0)
    deep = pl.col("energy_above_hull") < -MAX_DEPTH
    table = table.with_columns(is_stable=below & ~deep, is_discovery=below & ~deep, hull_is_incomplete=below & deep)
    unknown = [
        "energy_per_atom",
        "formation_energy_per_atom",
        "energy_above_hull",
        "stable_below",
        "decomposition",
        "spacegroup_number",
    ]
    unknown += ["prototype", "decorated_prototype", "lattice", "atomic_numbers", "frac_coords"]
    refused = [pl.when(pl.col("status") == "ok").then(pl.col(column)).alias(column) for column in unknown]
    table = table.with_columns(refused).select(list(Verifications.to_schema().columns))  # a pattern selects, too
    return table.clear() if found == "nothing" else table


def _grown(known: pl.DataFrame, verified: pl.DataFrame) -> pl.DataFrame:
    held_out = pl.col("formula_pretty").is_in(known.filter(pl.col("split") == "test")["formula_pretty"].implode())
    added = verified.filter("is_new").with_columns(
        origin=pl.col("round"),
        split=pl.when(held_out).then(pl.lit("holdout")).otherwise(pl.lit("train")),
        nsites=pl.col("atomic_numbers").list.len().cast(pl.Int32),
    )
    return pl.concat(
        [known, added.select([column for column in known.columns if column in added.columns])], how="diagonal"
    )


def _write_round(
    layout: Layout, metrics: Path, name: str, known: pl.DataFrame, chosen: pl.DataFrame,
    verified: pl.DataFrame, total: int, generator: np.random.Generator,
) -> None:  # fmt: skip
    files = layout.round(name)
    write_table(known, files.crystals, Crystals, "material_id")
    test = known.filter(pl.col("split") == "test").select("material_id", "split", "formation_energy_per_atom")
    test = test.with_columns(
        **_predicted(test["formation_energy_per_atom"], generator), input_structure=pl.lit("relaxed")
    )
    write_table(test, files.predictions, Predictions, "material_id")
    candidates = chosen.with_columns(
        **_predicted(chosen["formation_energy_per_atom"], generator),
        generator=pl.lit("substitution"), provenance=pl.lit('{"parent": "syn-0000"}'), weight=pl.lit(0.1),
        energy_above_hull_pred=pl.lit(0.0), stability_probability=pl.lit(0.5),
        incomplete_probability=pl.lit(0.1), acquired_by=pl.lit("model"),
    ).drop("formation_energy_per_atom")  # fmt: skip
    candidates = candidates.clear() if verified.is_empty() else candidates
    write_table(candidates, files.candidates, Candidates, "material_id")
    write_table(verified, files.verifications, Verifications, "material_id")
    write_json(_ensemble_metrics(test, known), metrics / name / "ensemble.json")
    write_json(_learning_metrics(verified, total), metrics / name / "active_learning.json")


def _ensemble_metrics(test: pl.DataFrame, known: pl.DataFrame) -> dict[str, Any]:
    suffixes = {"composition": "_composition", "structure": "_structure", "ensemble": ""}
    errors = {}
    for name, suffix in suffixes.items():
        error = test[f"formation_energy_per_atom_pred{suffix}"] - test["formation_energy_per_atom"]
        errors[name] = {"mae": error.abs().mean(), "rmse": float(np.sqrt((error**2).mean())), "n": test.height}
    n_train = known.filter(pl.col("split") == "train").height
    part = errors | {"uncertainty": _uncertainty(test.height), "stability": _stability(test.height)}
    facts = {"n_train": n_train, "strategy": "constant", "weights": {"composition": 0.3, "structure": 0.7}}
    return facts | {"test": part, "validation": part, "unrelaxed": facts | {"test": part, "validation": part}}


def _uncertainty(n: int) -> dict[str, Any]:
    rate = {"hits": n - 1, "n": n, "rate": (n - 1) / n, "low": 0.8, "high": 1.0}
    none = {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    by_reason = {"in_distribution": rate, "system": rate, "latent": none}
    curve = {"expected": [0.25, 0.5, 0.75], "observed": [0.3, 0.5, 0.7]}
    return {"coverage": rate, "miscalibration_area": 0.03, "by_reason": by_reason, **curve}


def _stability(n: int) -> dict[str, Any]:
    rates = {"hits": 1, "n": n, "rate": 0.3, "low": 0.1, "high": 0.5}
    bins = [{"claimed": claimed, **rates} for claimed in (0.1, 0.4, 0.9)]
    return {"brier": 0.1, "calibration_error": 0.05, "claimed": 0.4, "bins": bins}


def _learning_metrics(verified: pl.DataFrame, total: int) -> dict[str, Any]:
    done = verified.filter(pl.col("status") == "ok")
    error = (done["formation_energy_per_atom_pred"] - done["formation_energy_per_atom"]).abs().mean()
    return {
        "n_proposed": 2000, "n_known": 120, "n_tried": 10, "n_repeated": 20, "n_outside": 5,
        "n_excluded": 40, "n_unbalanced": 700,
        "n_screened": 90, "n_verified": verified.height, "n_ok": done.height,
        "n_stable_start": 60, "n_stable_end": 60 + total, "n_discovered": int(verified["is_stable"].sum()),
        "n_discovered_total": total, "rejected": {},
        "n_undecided": 0, "n_overtaken": 0, "n_hull_incomplete": int(verified["hull_is_incomplete"].sum()),
        "hit_rate": {who: _hit_rate(verified.filter(pl.col("acquired_by") == who)) for who in ("model", "random")},
        "predicted_hit_rate": {"model": 0.42, "random": None if verified.is_empty() else 0.11},
        "verified_mae": {"n": done.height, "composition": error, "structure": error, "ensemble": error},
    }  # fmt: skip


def _hit_rate(chosen: pl.DataFrame) -> dict[str, Any]:
    hits, n = int(chosen["is_stable"].sum()), chosen.height
    if n == 0:
        return {"hits": 0, "n": 0, "rate": None, "low": None, "high": None}
    rate, spread = hits / n, 1 / np.sqrt(n)
    return {"hits": hits, "n": n, "rate": rate, "low": max(0.0, rate - spread), "high": min(1.0, rate + spread)}


def _write_references(known: pl.DataFrame, layout: Layout) -> None:
    elements = known.filter(~pl.col("chemsys").str.contains("-"))
    table = elements.select(pl.col("chemsys").alias("element"), pl.lit(-3.0).alias("energy_per_atom"), "material_id")
    write_table(table, layout.references, References, "element")
