"""`python benchmarks/relaxation.py [--crystals 40]`: relaxations with one derivative of CHGNet's energy, and with two.

The same crystals of the reference set, 8 % too large, are relaxed by the oracle with its own calculator and with that
of the package, in this process, on one thread. Also says how far the energies lie apart.
"""

from __future__ import annotations

import argparse
import time
import warnings
from unittest.mock import patch

from options import ROOT, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from chgnet.model import CHGNet  # noqa: E402
from chgnet.model.dynamics import CHGNetCalculator  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.oracles.base import Label, Oracle  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402

TOO_LARGE = 1.08  # in volume


def main() -> None:
    """Print the table."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--crystals", type=int, default=40)
    n = command.parse_args().crystals
    warnings.simplefilter("ignore")
    known = decode(pl.read_parquet(ROOT / "reference" / "crystals.parquet").sample(n, seed=2))
    starts = [crystal.scaled_to(crystal.volume * TOO_LARGE) for crystal in known]
    oracle = make_oracle(load_params(ROOT / "params.yaml").oracle)
    theirs = CHGNetCalculator(CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False), use_device="cpu")
    timed(oracle, starts[:1])  # loads the network
    ours, seconds = timed(oracle, starts)
    with patch("lodestone.oracles.chgnet._calculator", return_value=theirs):
        others, longer = timed(oracle, starts)
    print(report(ours, others, seconds, longer))


def timed(oracle: Oracle, crystals: list[Crystal]) -> tuple[list[Label], float]:
    """Labels, and the CPU seconds that they took."""
    began = time.process_time()
    labels = dict(oracle.label(crystals))
    return [labels[row] for row in range(len(crystals))], time.process_time() - began


def report(ours: list[Label], others: list[Label], seconds: float, longer: float) -> str:
    """The table."""
    both = [(a, b) for a, b in zip(ours, others, strict=True) if a.ok and b.ok]
    apart = 1e6 * np.array([abs((a.energy_per_atom or 0) - (b.energy_per_atom or 0)) for a, b in both])
    rows = [("one derivative", seconds, ours), ("two derivatives", longer, others)]
    lines = [f"{name:<18}{time_:8.1f} CPU s{sum(x.n_steps for x in labels):8} steps" for name, time_, labels in rows]
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
