"""How long `lodestone predict` takes, from a cold start: one CIF, and 1,000 crystals against the hull of all entries.

    python benchmarks/prediction_speed.py [--model FOLDER]

The crystals are drawn from `mp_structures.parquet`, the hull is `mp_energies.parquet`. Times are wall-clock of the
whole command, imports included, and CPU seconds of its process, which hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

from materials_project import crystals_of, read_crystals
from options import ONE_THREAD, ROOT, parser

HULL = ("--hull-scale", "dft-pbe/MP-2019-legacy", "--across-scales", "--hull")


def main() -> None:
    """Write the inputs, time the commands, print one table."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = read_crystals(arguments.data).sample(arguments.crystals, seed=0)
    table, cif = arguments.out / "crystals.parquet", arguments.out / "one.cif"
    rows.select("material_id", "structure").write_parquet(table)
    crystals_of(rows.head(1))[0].to_pymatgen().to(str(cif))
    model = ("--model", arguments.model) if arguments.model else ()
    hull = (*HULL, str(arguments.data / "mp_energies.parquet"))
    print("| question | wall, s | CPU, s |\n| --- | --- | --- |")
    for name, words in {
        "one CIF, no hull": (str(cif), *model),
        "one CIF, hull of 103,600 entries": (str(cif), *model, *hull),
        f"{arguments.crystals:,} crystals, no hull": (str(table), *model),
        f"{arguments.crystals:,} crystals, hull of 103,600 entries": (str(table), *model, *hull),
    }.items():
        wall, cpu = timed([*words, "--out", str(arguments.out / "answers.parquet")])
        print(f"| {name} | {wall:.1f} | {cpu:.1f} |", flush=True)
    answers = pl.read_parquet(arguments.out / "answers.parquet")
    assert len(answers) == arguments.crystals, f"{len(answers)} answers"


def timed(words: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of the command."""
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT / "pipeline")}
    before, began = _cpu(), time.perf_counter()
    command = [sys.executable, "-m", "lodestone", "predict", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, "prediction_speed")
    made.add_argument("--model", type=Path, help="default: the ensemble that ships with the package")
    made.add_argument("--crystals", type=int, default=1000)
    return made.parse_args()


if __name__ == "__main__":
    main()
