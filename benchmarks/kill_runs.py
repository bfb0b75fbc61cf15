"""The run that `kills.py` kills: a batch of crystals, labelled by worker processes into one store, with a log.

Lines of the log are ``start KEY PID`` and ``end KEY PID`` of a worker, before and after it computes a label, and
``kept KEY PID`` of the run, once the label store has returned.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore, label_key
from lodestone.tables.files import write_table


class ToyOracle(Oracle):
    """Takes a random fraction of a second; what it says depends on the crystal alone.

    Args:
        log: File that gets a line before and after each label.
        mean: Mean time of a label, s.
    """

    packages = ("numpy",)
    caveat = "Energies are made up."

    def __init__(self, log: Path, mean: float) -> None:
        super().__init__(OracleParams(name="toy"))
        self.log = log
        self.mean = mean

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Energies from the volume; every eleventh crystal explodes."""
        for index, crystal in enumerate(crystals):
            key = label_key(self, crystal)
            write_line(self.log, "start", key)
            time.sleep(random.uniform(0, 2 * self.mean))  # noqa: S311 - no secret
            write_line(self.log, "end", key)
            explodes = round(1000 * crystal.lattice[0, 0]) % 11 == 0
            label = Label("exploded") if explodes else Label("ok", -crystal.volume / 7, crystal.scaled_to(30.0), 3)
            yield index, label


class LoggedStore(LabelStore):
    """Writes a line for each label that is kept."""

    def __init__(self, path: Path, log: Path) -> None:
        super().__init__(path)
        self.log = log

    def put(self, key: str, oracle: Oracle, label: Label) -> None:
        """Store a label; only then say so."""
        super().put(key, oracle, label)
        write_line(self.log, "kept", key)


def write_line(log: Path, word: str, key: str) -> None:
    """Append a line in one call of the system, which is written whole or not at all."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, f"{word} {key} {os.getpid()}\n".encode())
    finally:
        os.close(handle)


def crystals_of(lane: int, batch: int, n: int) -> list[Crystal]:
    """Crystals that no other lane or batch has."""
    edges, shift = 3 + 0.001 * np.arange(n), batch // 90 / 100
    atoms, sites = [1 + lane, 1 + batch % 90], [[0, 0, 0], [0.5, 0.5, 0.4 + shift]]
    return [Crystal(edge * np.eye(3), atoms, sites) for edge in edges]


def table_of(labels: Sequence[Label]) -> pl.DataFrame:
    """What is written of labels: all but the time."""
    return pl.DataFrame(
        {
            "status": [label.status for label in labels],
            "energy_per_atom": [label.energy_per_atom for label in labels],
            "edge": [None if label.crystal is None else float(label.crystal.lattice[0, 0]) for label in labels],
            "n_steps": [label.n_steps for label in labels],
        },
        schema={"status": pl.String, "energy_per_atom": pl.Float64, "edge": pl.Float64, "n_steps": pl.Int32},
    )


def label_batch(store: Path, log: Path, table: Path, *, lane: int, batch: int, crystals: int, mean: float) -> None:
    """Label a batch and write its table; one with faults that pass is not the last word, and is not written."""
    with LoggedStore(store, log) as opened:
        labels = label_all(ToyOracle(log, mean), crystals_of(lane, batch, crystals), opened, "labels")
    if not any(label.is_passing for label in labels):
        write_table(table_of(labels), table)


def main() -> None:
    """Label the batch that the command line names."""
    made = argparse.ArgumentParser(description=__doc__)
    for name in ("--store", "--log", "--table"):
        made.add_argument(name, type=Path, required=True)
    for name in ("--lane", "--batch", "--crystals"):
        made.add_argument(name, type=int, required=True)
    made.add_argument("--mean", type=float, required=True, help="seconds of a label")
    label_batch(**vars(made.parse_args()))
