"""What the benchmarks have in common: one thread per process, where the crystals are, their command lines."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("LODESTONE_SHARED_DATA", ROOT / ".." / "shared" / "data"))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


def one_thread() -> None:
    """One thread per process, of this one and of those it starts; to be called before numpy is imported."""
    os.environ |= ONE_THREAD


def parser(about: str | None, out: str) -> argparse.ArgumentParser:
    """A command line with ``--data`` and ``--out``.

    Args:
        about: Docstring of the benchmark.
        out: Folder below ``.bench`` that it writes to.
    """
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, default=SHARED, help="folder of mp_structures.parquet")
    made.add_argument("--out", type=Path, default=ROOT / ".bench" / out, help="folder for results")
    return made


def campaign_parser(about: str | None) -> argparse.ArgumentParser:
    """A command line with ``--campaign``, ``--params`` and ``--round``, for a benchmark of a finished campaign.

    Args:
        about: Docstring of the benchmark.
    """
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--campaign", type=Path, default=ROOT, help="folder with the data of a finished campaign")
    made.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    made.add_argument("--round", default="round_0")
    return made


def ensemble_parser(about: str | None, out: str, members: int, epochs: int) -> argparse.ArgumentParser:
    """Likewise, for a benchmark that trains one ensemble on crystals that :func:`materials_project.deal` draws.

    Args:
        about: Docstring of the benchmark.
        out: Folder below ``.bench`` that it writes to.
        members: How many networks, unless the command line says otherwise.
        epochs: How long, likewise.
    """
    made = parser(about, out)
    made.add_argument("--train", type=int, default=6000, help="training crystals")
    made.add_argument("--test", type=int, default=1500, help="crystals of unseen systems and elements, at most")
    made.add_argument("--members", type=int, default=members)
    made.add_argument("--epochs", type=int, default=epochs)
    made.add_argument("--max-sites", type=int, default=20)
    made.add_argument("--elements", default="Mn,Te", help="elements that are left out")
    return made
