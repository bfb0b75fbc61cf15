"""How long it takes to say what is new about many crystals, and how much memory.

    python benchmarks/novelty.py [--known 100000] [--candidates 1000000]

Known crystals and candidates are those of the reference set with one element exchanged for another that is likely
there: real chemistry, but synthetic in number. One candidate in a thousand is a known crystal whose atoms were moved,
so that its label is another; it must be known all the same. Candidates come in chunks, and only the time of the answers
counts: CPU seconds of one thread, which hardly depend on what else the machine does. The same is done on a sample as
people do it: pymatgen's `StructureMatcher` against one known crystal after the other, and against those of the formula
alone. Writes a table and `novelty.json`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from options import ROOT, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode, describe, reduced_formula  # noqa: E402
from lodestone.discovery.duplicates import ANGLE_TOLERANCE, LENGTH_TOLERANCE, SITE_TOLERANCE  # noqa: E402
from lodestone.discovery.generators.substitution import relabel  # noqa: E402
from lodestone.novelty.classes import KNOWN, Known  # noqa: E402
from lodestone.runtime.progress import track  # noqa: E402
from lodestone.substitution.probabilities.hautier import hautier_probabilities  # noqa: E402
from lodestone.tables.files import write_json  # noqa: E402

CHUNK = 50_000
MOVED = 0.001  # share of candidates that are known crystals with other labels
FARTHEST = 0.1  # Å along each axis
COLUMNS = ["material_id", "formula_pretty", "prototype", "decorated_prototype"]
CRYSTAL = ["lattice", "atomic_numbers", "frac_coords"]


def main() -> None:
    """Make the crystals, time both ways, print one table."""
    arguments = _arguments()
    draw = np.random.default_rng(arguments.seed)
    base = pl.read_parquet(arguments.reference)
    known = known_crystals(base, arguments.known, draw)
    began = time.process_time()
    prepared = Known.of([known])
    result: dict[str, Any] = {"n_known": len(known), "seconds_preparing": time.process_time() - began}
    result |= held(prepared, base, known, arguments.candidates, draw) | one_by_one(base, known, arguments, draw)
    result["ratio_to_all"] = result["us_per_candidate_against_all"] / result["us_per_candidate"]
    result["ratio_to_formula"] = result["us_per_candidate_against_its_formula"] / result["us_per_candidate"]
    result["peak_memory_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(result, arguments.out / "novelty.json")
    print(json.dumps(result, indent=1))
    print(_table(result))


def known_crystals(base: pl.DataFrame, n: int, draw: np.random.Generator) -> pl.DataFrame:
    """So many crystals of different labels: those of the set, then their children."""
    columns = [*COLUMNS, "energy_per_atom", *CRYSTAL]
    tables = [base.select(columns).head(n)]
    while sum(map(len, tables)) < n:
        made = children(base, n, draw).with_columns(energy_per_atom=pl.lit(0.0)).select(columns)
        tables = [pl.concat([*tables, made]).unique("decorated_prototype", keep="first", maintain_order=True)]
    return tables[0].head(n).with_columns(material_id=pl.format("known-{}", pl.int_range(pl.len())))


def children(base: pl.DataFrame, n: int, draw: np.random.Generator) -> pl.DataFrame:
    """Crystals of a set with one element exchanged; label and formula follow without a search for symmetry."""
    parents = base[draw.integers(len(base), size=n)].with_columns(material_id=pl.format("find-{}", pl.int_range(n)))
    chances, rows = hautier_probabilities(), []
    for numbers, label in zip(parents["atomic_numbers"], parents["decorated_prototype"], strict=True):
        elements = np.unique(numbers.to_numpy())
        old = int(draw.choice(elements))
        weights = chances[:, old].copy()
        weights[elements] = 0.0
        new = int(draw.choice(len(weights), p=weights / weights.sum())) if weights.any() else old
        replaced = [new if z == old else z for z in numbers]
        rows.append((_formula(tuple(sorted(Counter(replaced).items()))), relabel(label, ((old, new),)), replaced))
    schema = {"formula_pretty": pl.String, "decorated_prototype": pl.String, "atomic_numbers": pl.List(pl.UInt8)}
    made = pl.DataFrame(rows, schema=schema, orient="row")
    return parents.select("material_id", "prototype", "lattice", "frac_coords").hstack(made)


def moved(known: pl.DataFrame, n: int, draw: np.random.Generator) -> pl.DataFrame:
    """Known crystals with atoms moved by up to a tenth of an Å, described anew."""
    chosen = decode(known[draw.integers(len(known), size=n)])
    shaken = [
        Crystal(
            one.lattice, one.atomic_numbers, one.frac_coords + draw.uniform(-FARTHEST, FARTHEST, (len(one), 3)) @ inv
        )
        for one in chosen
        for inv in [np.linalg.inv(one.lattice)]
    ]
    return describe(shaken).with_columns(material_id=pl.format("moved-{}", pl.int_range(n)))


def _shaken(one: Crystal, draw: np.random.Generator) -> Crystal:
    shifts = draw.uniform(-FARTHEST, FARTHEST, (len(one), 3))
    return Crystal(one.lattice, one.atomic_numbers, one.frac_coords + shifts @ np.linalg.inv(one.lattice))


def held(prepared: Known, base: pl.DataFrame, known: pl.DataFrame, n: int, draw: np.random.Generator) -> dict[str, Any]:
    """Answers for so many candidates, chunk by chunk."""
    counts: Counter[str] = Counter()
    seconds, n_moved, n_seen = 0.0, 0, 0
    for size in track(_sizes(n), -(-n // CHUNK), "novelty"):
        shaken = max(1, round(MOVED * size))
        columns = [*COLUMNS, *CRYSTAL]
        finds = pl.concat(
            [children(base, size - shaken, draw).select(columns), moved(known, shaken, draw).select(columns)]
        )
        began = time.process_time()
        answers = prepared.novelty(finds)
        seconds += time.process_time() - began
        counts.update(dict(answers["novelty"].value_counts().iter_rows()))
        n_moved += shaken
        n_seen += int((answers.tail(shaken)["novelty"] == KNOWN).sum())
    return {
        "n_candidates": n,
        "seconds": seconds,
        "us_per_candidate": 1e6 * seconds / n,
        "classes": dict(sorted(counts.items())),
        "moved": {"n": n_moved, "known": n_seen},
    }


def one_by_one(
    base: pl.DataFrame, known: pl.DataFrame, arguments: argparse.Namespace, draw: np.random.Generator
) -> dict[str, float]:
    """Time for one candidate if `StructureMatcher` compares it with known crystals one after the other.

    Against all of them, it is measured on a part of these and grows with their number.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(LENGTH_TOLERANCE, SITE_TOLERANCE, ANGLE_TOLERANCE)
    few = [crystal.to_pymatgen() for crystal in decode(children(base, arguments.sample, draw))]
    part = [crystal.to_pymatgen() for crystal in decode(known.sample(arguments.part, seed=0))]
    began = time.process_time()
    for one in few[: arguments.few]:
        sum(matcher.fit(one, other) for other in part)  # all of them, as most candidates are new
    all_known = (time.process_time() - began) / arguments.few * len(known) / len(part)
    by_formula = defaultdict(list)
    wanted = {one.composition.reduced_formula for one in few}
    alike = known.filter(pl.col("formula_pretty").is_in(wanted))
    for formula, crystal in zip(alike["formula_pretty"], decode(alike), strict=True):
        by_formula[formula].append(crystal.to_pymatgen())
    began = time.process_time()
    for one in few:
        any(matcher.fit(one, other) for other in by_formula[one.composition.reduced_formula])
    formula_only = (time.process_time() - began) / len(few)
    return {
        "us_per_candidate_against_all": 1e6 * all_known,
        "us_per_candidate_against_its_formula": 1e6 * formula_only,
        "n_sample": len(few),
    }


@cache
def _formula(counts: tuple[tuple[int, int], ...]) -> str:
    return reduced_formula(np.repeat([z for z, _ in counts], [n for _, n in counts]))


def _sizes(n: int) -> Iterator[int]:
    for start in range(0, n, CHUNK):
        yield min(CHUNK, n - start)


def _table(result: dict[str, Any]) -> str:
    lines = [
        "| known | candidates | to prepare, s | answers, s | each, µs | peak, GiB | one by one: all | its formula |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| {result['n_known']:,} | {result['n_candidates']:,} | {result['seconds_preparing']:.1f} | "
        f"{result['seconds']:.1f} | {result['us_per_candidate']:.0f} | {result['peak_memory_gib']:.1f} | "
        f"{result['ratio_to_all']:,.0f} x | {result['ratio_to_formula']:.1f} x |",
        "",
        ", ".join(f"{n:,} {word}" for word, n in result["classes"].items()),
        f"known among those with moved atoms: {result['moved']['known']:,} of {result['moved']['n']:,}",
    ]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--reference", type=Path, default=ROOT / "reference" / "crystals.parquet")
    made.add_argument("--known", type=int, default=100_000)
    made.add_argument("--candidates", type=int, default=1_000_000)
    made.add_argument("--sample", type=int, default=2000, help="candidates for the comparison by formula")
    made.add_argument("--few", type=int, default=5, help="candidates for the comparison with all")
    made.add_argument("--part", type=int, default=2000, help="known crystals for that")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--out", type=Path, default=ROOT / ".bench" / "novelty")
    return made.parse_args()


if __name__ == "__main__":
    main()
