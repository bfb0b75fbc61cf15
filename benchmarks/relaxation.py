"""Relaxations with one derivative of CHGNet's energy and with two, or on a GPU and on all cores.

    python benchmarks/relaxation.py [--crystals 40] [--device cuda]

The same crystals of the reference set, 8 % too large, are relaxed by the oracle with its own calculator and with that
of the package, in this process, on one thread. With `--device`, they are relaxed there, many in lockstep by a process
on each core, and a tenth of them on the cores alone. Also says how far the energies lie apart.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from options import ROOT, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from ase import Atoms  # noqa: E402
from chgnet.model import CHGNet  # noqa: E402
from chgnet.model.dynamics import CHGNetCalculator  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.oracles.base import Label, Oracle  # noqa: E402
from lodestone.oracles.pool import label_all  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore  # noqa: E402

TOO_LARGE = 1.08  # in volume
NAMES = ("one derivative", "two derivatives")


def main() -> None:
    """Print the table."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--crystals", type=int, default=40)
    command.add_argument("--device", help="such as cuda; 4,000 crystals and more keep it busy")
    asked = command.parse_args()
    n = asked.crystals
    warnings.simplefilter("ignore")
    known = decode(pl.read_parquet(ROOT / "reference" / "crystals.parquet").sample(n, seed=2))
    starts = [crystal.scaled_to(crystal.volume * TOO_LARGE) for crystal in known]
    oracle = make_oracle(load_params(ROOT / "params.yaml").oracle)
    if asked.device:
        print(on_device(oracle, starts, asked.device))
        return
    theirs = CHGNetCalculator(CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False), use_device="cpu")
    timed(oracle, starts[:1])  # loads the network
    ours, seconds = timed(oracle, starts)
    with patch("lodestone.oracles.chgnet._network", return_value=TwoDerivatives(theirs)):
        others, longer = timed(oracle, starts)
    print(report(ours, others, seconds, longer))


class TwoDerivatives:
    """The calculator of the package, asked as the oracle asks its own."""

    def __init__(self, calculator: CHGNetCalculator) -> None:
        self._calculator = calculator

    def evaluate(self, many: list[Atoms], *, derivatives: bool = True) -> list[dict[str, Any]]:
        """Results of each of some crystals, derivatives always among them."""
        results = []
        for atoms in many:
            self._calculator.calculate(atoms.copy())
            results.append({name: self._calculator.results[name] for name in ("energy", "forces", "stress")})
        return results


def on_device(oracle: Oracle, crystals: list[Crystal], device: str) -> str:
    """Relaxations a second on a device, over those of the cores alone."""
    there, fast = with_store(oracle, crystals, device)
    few = crystals[::10]
    here, slow = with_store(oracle, few, "cpu")
    rows = {crystal.digest(): label for crystal, label in zip(crystals, there, strict=True)}
    return report([rows[x.digest()] for x in few], here, fast / len(crystals), slow / len(few), (device, "cores alone"))


def with_store(oracle: Oracle, crystals: list[Crystal], device: str) -> tuple[list[Label], float]:
    """Labels as a stage makes them, on all cores, and the seconds that they took."""
    with (
        TemporaryDirectory() as folder,
        LabelStore(Path(folder) / "labels") as store,
        patch.dict(os.environ, LODESTONE_DEVICE=device),
    ):
        began = time.perf_counter()
        labels = label_all(oracle, crystals, store, f"relaxing on {device}")
        return labels, time.perf_counter() - began


def timed(oracle: Oracle, crystals: list[Crystal]) -> tuple[list[Label], float]:
    """Labels, and the CPU seconds that they took."""
    began = time.process_time()
    labels = dict(oracle.label(crystals))
    return [labels[row] for row in range(len(crystals))], time.process_time() - began


def report(
    ours: list[Label], others: list[Label], seconds: float, longer: float, names: tuple[str, str] = NAMES
) -> str:
    """The table; seconds are of all crystals or of each."""
    both = [(a, b) for a, b in zip(ours, others, strict=True) if a.ok and b.ok]
    apart = 1e6 * np.array([abs((a.energy_per_atom or 0) - (b.energy_per_atom or 0)) for a, b in both])
    rows = zip(names, (seconds, longer), (ours, others), strict=True)
    lines = [f"{name:<18}{time_:10.4g} s{sum(x.n_steps for x in labels):8} steps" for name, time_, labels in rows]
    same = sum(a.status == b.status for a, b in zip(ours, others, strict=True))
    return "\n".join(
        [
            *lines,
            f"ratio {longer / seconds:.2f}; same status {same} of {len(ours)}; energies of {len(both)} apart by "
            f"{np.median(apart):.1f} (median) and {apart.max():.1f} µeV/atom (largest)",
        ]
    )


if __name__ == "__main__":
    main()
