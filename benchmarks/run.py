"""`make bench`: our hot paths against the usual way, both in this one run on one thread.

On the reference set, and on the energies of the Materials Project where ``LODESTONE_SHARED_DATA`` names their folder.
"""

import warnings
from collections.abc import Iterator

from options import ROOT, SHARED, one_thread

one_thread()

import polars as pl  # noqa: E402

import crystals  # noqa: E402
import hull  # noqa: E402
from timing import HEADER, Comparison  # noqa: E402

REFERENCE = ROOT / "reference" / "crystals.parquet"


def main() -> None:
    """Print one table; a ratio above 1 is in our favor."""
    warnings.simplefilter("ignore")
    print(HEADER)
    for comparison in _comparisons(pl.read_parquet(REFERENCE), hull.materials_project(SHARED)):
        print(comparison.row(), flush=True)


def _comparisons(table: pl.DataFrame, energies: pl.DataFrame | None) -> Iterator[Comparison]:
    yield from crystals.graphs(table[::4])
    yield crystals.decoding(table)
    yield hull.distances(table.rename({"formula_pretty": "formula"}), "the reference set")
    if energies is None:
        print(f"no mp_energies.parquet in {SHARED}: the hull of the Materials Project is left out")
        return
    yield hull.distances(hull.neighborhood(energies, 20), "20 elements of MP")
    yield hull.arrivals(energies)


if __name__ == "__main__":
    main()
