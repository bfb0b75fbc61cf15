"""The table of the benchmark, as CSV and as markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.tables.files import write_atomically
from peers.scores import score
from peers.settings import OURS, TITLES

_MEASURED = (
    "preparation_seconds", "epochs", "training_per_second", "inference_per_second", "peak_memory_mib", "parameters",
    "refused",
)  # fmt: skip
_HEADINGS = (
    "model", "MAE, eV/atom (95 %)", "RMSE", "F1", "precision (n)", "recall", "DAF", "training/s", "inference/s",
    "memory, MiB", "preparation, s", "training, s", "epochs",
)  # fmt: skip


def make_table(results: list[dict[str, Any]], test: pl.DataFrame) -> pl.DataFrame:
    """One row per result, by size, then by MAE.

    Args:
        results: What the workers wrote.
        test: The test crystals; see :func:`peers.scores.score`.
    """
    rows = [
        {
            "model": result["key"]["model"],
            "size": result["key"]["size"],
            **score(np.array(result["predictions"][-1]["test"]), test),
            "training_seconds": result["curve"][-1]["seconds"],
            **{name: result[name] for name in _MEASURED},
        }
        for result in results
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort("size", "mae", "model")


def as_markdown(table: pl.DataFrame) -> str:
    """One section per size; ours in bold."""
    return "\n".join(_section(part) for part in table.partition_by("size", maintain_order=True))


def write_both(table: pl.DataFrame, folder: Path) -> None:
    """Write ``table.csv`` and ``table.md``."""
    write_atomically(folder / "table.csv", table.write_csv)
    write_atomically(folder / "table.md", lambda path: path.write_text(as_markdown(table)))


def _section(part: pl.DataFrame) -> str:
    first = part.row(0, named=True)
    title = f"### {first['size']:,} training crystals"
    note = f"n = {first['n']:,} test crystals of unseen chemical systems, {first['n_stable']:,} of them on the hull."
    heading = f"| {' | '.join(_HEADINGS)} |\n|---|{'---:|' * (len(_HEADINGS) - 1)}"
    return "\n".join([title, "", note, "", heading, *(_line(row) for row in part.iter_rows(named=True)), ""])


def _line(row: dict[str, Any]) -> str:
    title = TITLES.get(row["model"], row["model"])
    cells = [
        f"**{title}**" if row["model"].startswith(OURS) else title,
        f"{row['mae']:.4f} ({row['mae_low']:.4f} to {row['mae_high']:.4f})",
        f"{row['rmse']:.3f}",
        f"{row['f1']:.3f}",
        f"{row['precision']:.3f} ({row['n_called_stable']:,})",
        f"{row['recall']:.3f}",
        f"{row['daf']:.2f}",
        _count(row["training_per_second"]),
        _count(row["inference_per_second"]),
        _count(row["peak_memory_mib"]),
        _count(row["preparation_seconds"]),
        _count(row["training_seconds"]),
        _count(row["epochs"]),
    ]
    return f"| {' | '.join(cells)} |"


def _count(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
