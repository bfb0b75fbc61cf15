"""What it costs to pin the kernels of numerical libraries, and whether bits are then equal on other processors.

Under each setting a process of its own trains one network of each view for a few epochs on the reference set, predicts
with it, and relaxes a few crystals with CHGNet. The table has the CPU seconds of each, and a digest of weights,
predictions and energies: equal digests, equal bits. Other processors are acted by this one, by what the libraries let
one forbid (`MKL_ENABLE_INSTRUCTIONS`, `GLIBC_TUNABLES`, and those that the pinned settings set themselves).

    python benchmarks/reproducible_kernels.py --epochs 4 --repeats 3
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from options import ROOT, one_thread

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
HASWELL = AVX2 | {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}
NEHALEM = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4",
}
SETTINGS: dict[str, dict[str, str]] = {
    "this processor": {},
    "acting Haswell": HASWELL,
    "acting Nehalem": NEHALEM,
    "pinned but for MKL": AVX2,
    "pinned, MKL_CBWR=AVX2": AVX2 | {"MKL_CBWR": "AVX2"},
    "pinned, MKL_CBWR=AVX2, on a Haswell": HASWELL | {"MKL_CBWR": "AVX2"},
    "pinned, MKL_CBWR=COMPATIBLE": AVX2 | {"MKL_CBWR": "COMPATIBLE"},
    "pinned, MKL_CBWR=COMPATIBLE, on a Haswell": HASWELL | {"MKL_CBWR": "COMPATIBLE"},
    "pinned, MKL_CBWR=COMPATIBLE, MKL of a Nehalem": AVX2
    | {"MKL_CBWR": "COMPATIBLE", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
}
WORK = ("composition", "structure", "oracle")


@dataclass(frozen=True)
class Outcome:
    """What one kind of work cost under one setting, and the digest of its result."""

    seconds: float
    digest: str


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4, help="of training")
    parser.add_argument("--crystals", type=int, default=4, help="to relax")
    parser.add_argument("--repeats", type=int, default=3, help="the median counts")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(dict(work(arguments.epochs, arguments.crystals))))
        return
    runs = [
        {name: run(name, variables, arguments) for name, variables in SETTINGS.items()}
        for _ in range(arguments.repeats)
    ]
    for line in table(runs):
        print(line)


def run(name: str, variables: dict[str, str], arguments: argparse.Namespace) -> dict[str, Outcome]:
    """All work in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--worker",
        "--epochs",
        str(arguments.epochs),
        "--crystals",
        str(arguments.crystals),
    ]
    done = subprocess.run(command, env=os.environ | variables, stdout=subprocess.PIPE, check=True)
    outcomes = {kind: Outcome(*one) for kind, one in json.loads(done.stdout.splitlines()[-1]).items()}
    texts = (f"{kind}: {one.seconds:.1f} s {one.digest}" for kind, one in outcomes.items())
    print(name, *texts, file=sys.stderr, flush=True)
    return outcomes


def table(runs: list[dict[str, dict[str, Outcome]]]) -> Iterator[str]:
    """One line per setting: for each kind of work seconds, their ratio to those without a setting, and the digest."""
    yield f"{'setting':<46}" + "".join(f"{name + ', s':>16}{'ratio':>8}  digest    " for name in WORK)
    seconds = {name: {kind: median(one[name][kind].seconds for one in runs) for kind in WORK} for name in SETTINGS}
    first = next(iter(SETTINGS))
    for name in SETTINGS:
        cells = ""
        for kind in WORK:
            digests = {one[name][kind].digest for one in runs}
            digest = digests.pop() if len(digests) == 1 else "differs"
            cells += f"{seconds[name][kind]:>16.1f}{seconds[name][kind] / seconds[first][kind]:>8.2f}  {digest:<10}"
        yield f"{name:<46}{cells}"


def work(epochs: int, n_crystals: int) -> Iterator[tuple[str, tuple[float, str]]]:
    """Train, predict and relax in this process."""
    one_thread()
    warnings.simplefilter("ignore")
    import polars as pl
    import torch

    from lodestone.config.load import load_params
    from lodestone.curation.splits import split_snapshot

    torch.set_num_threads(1)
    params = load_params(ROOT / "params.yaml")
    crystals = split_snapshot(pl.read_parquet(ROOT / "reference" / "crystals.parquet"), params.split)
    for view in WORK[:2]:
        settings = params.view(view).model_copy(update={"members": 1, "epochs": epochs})
        yield view, timed(training(view, settings, crystals, params.seed))
    yield "oracle", timed(relaxing(params.oracle, crystals, n_crystals, params.seed))


def training(view: str, settings: Any, crystals: Any, seed: int) -> Callable[[], list[bytes]]:
    """Fits one network and predicts all crystals that are held out; the data are prepared before."""
    import polars as pl

    from lodestone.crystals.encoding import decode
    from lodestone.models.baseline import ElementBaseline
    from lodestone.models.inference import predict_members
    from lodestone.models.weights import SavedView
    from lodestone.training.data import LabelledCrystals, TrainingData
    from lodestone.training.fit import fit_member
    from lodestone.training.tasks import FitTask

    def labelled(name: str) -> LabelledCrystals:
        rows = crystals.filter(pl.col("split") == name)
        return LabelledCrystals(decode(rows), rows["formation_energy_per_atom"].to_numpy())

    train, validation, test = labelled("train"), labelled("validation"), labelled("test")
    baseline = ElementBaseline.fit(train.fractions(), train.energies)
    data = TrainingData.prepare(view, settings, train, validation, baseline)

    def fit() -> list[bytes]:
        fitted = fit_member(FitTask(view, settings, 0, seed, data))
        saved = SavedView(view, settings, baseline, [fitted.weights])
        predicted = predict_members(saved, test.crystals, "relaxed")
        return [*(fitted.weights[name].tobytes() for name in sorted(fitted.weights)), *(x.tobytes() for x in predicted)]

    return fit


def relaxing(params: Any, crystals: Any, count: int, seed: int) -> Callable[[], list[bytes]]:
    """Relaxes a few crystals, blown up by a tenth so that there is something to do; the model is loaded before."""
    from lodestone.crystals.encoding import decode
    from lodestone.oracles.registry import make_oracle

    chosen = [crystal.scaled_to(1.1 * crystal.volume) for crystal in decode(crystals.sample(count + 1, seed=seed))]
    oracle = make_oracle(params)
    label_of(oracle, chosen[:1])

    return lambda: [repr(label.energy_per_atom).encode() for label in label_of(oracle, chosen[1:])]


def label_of(oracle: Any, crystals: list[Any]) -> list[Any]:
    """Labels in the order of the crystals."""
    labels = dict(oracle.label(crystals))
    return [labels[index] for index in range(len(crystals))]


def timed(function: Callable[[], list[bytes]]) -> tuple[float, str]:
    """User CPU seconds of a call, and a digest of what it returns."""
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    content = function()
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
    return seconds, hashlib.blake2b(b"".join(content), digest_size=4).hexdigest()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LODESTONE_CHECKPOINTS"] = str(Path(folder))
        main()
