"""Phonons of known crystals, as a control group: what does the potential say of compounds that exist?

    python benchmarks/phonon_control.py --campaign . --count 40

For each discovery whose phonons the campaign has computed, a crystal on the hull of the Materials Project with as many
atoms and elements is drawn, without replacement, and its phonons are computed in the same way by the same potential.
Brackets are 95 % Wilson intervals. Verdicts are kept beside the label store of the working directory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from options import SHARED, campaign_parser, one_thread

one_thread()

import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.errors import LodestoneError  # noqa: E402
from lodestone.phonons.phonons import potential_of, verdicts_of  # noqa: E402
from lodestone.phonons.settings import PhononSettings  # noqa: E402
from lodestone.phonons.store import VerdictStore, default_folder  # noqa: E402
from lodestone.report.dynamics import WORDS  # noqa: E402
from lodestone.runtime.seeds import child_generator  # noqa: E402
from lodestone.tables.files import read_json  # noqa: E402
from lodestone.tables.layout import Layout  # noqa: E402
from materials_project import crystals_of, read_crystals  # noqa: E402
from shares import share_of  # noqa: E402


def main() -> None:
    """Print the shares of both groups."""
    asked = _arguments()
    finds = read_json(Layout(asked.campaign / "data").phonons)["finds"][: asked.count]
    if not finds:
        raise LodestoneError("the campaign has computed no phonons", "set phonons.most, and run it again")
    drawn = controls(finds, read_crystals(asked.data), asked.seed)
    oracle = potential_of(load_params(asked.params).oracle)
    known = verdicts_of(crystals_of(drawn), oracle, PhononSettings(), VerdictStore(default_folder()))
    for name, rows in (("discoveries", finds), ("known crystals", known)):
        print(f"{name}:")
        for line in shares(rows):
            print(f"- {line}")


def controls(finds: Sequence[Mapping[str, Any]], table: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A known stable crystal for each find, with as many atoms and elements; without one, a find has none."""
    stable = table.filter(pl.col("energy_above_hull") <= 0).with_columns(
        n_elements=pl.col("chemsys").str.count_matches("-", literal=True) + 1
    )
    order = child_generator(seed, "phonon control").permutation(len(stable))
    shuffled, left = stable[order.tolist()], []
    for size in sorted({_size(find) for find in finds}):
        wanted = sum(_size(find) == size for find in finds)
        left.append(shuffled.filter(pl.col("nsites") == size[0], pl.col("n_elements") == size[1]).head(wanted))
    return pl.concat(left)


def shares(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How many are stable, unstable, undecided, of those whose phonons could be computed."""
    computed = [row["is_stable"] for row in rows if row["is_computed"]]
    for word, name in WORDS.items():
        yield f"{name}: {share_of(sum(said is word for said in computed), len(computed))}"
    yield f"not computed: {len(rows) - len(computed)}"


def _size(find: Mapping[str, Any]) -> tuple[int, int]:
    return int(find.get("n_atoms", 0)), find["chemsys"].count("-") + 1


def _arguments() -> argparse.Namespace:
    made = campaign_parser(__doc__)
    made.add_argument("--data", type=Path, default=SHARED, help="folder of mp_structures.parquet")
    made.add_argument("--count", type=int, default=100, help="discoveries, at most")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
