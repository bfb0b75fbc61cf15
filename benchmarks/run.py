"""`make bench`: our hot paths against the usual way, on the reference set, both in this one run on one thread."""

import os
import warnings
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"  # before numpy and polars are imported

import crystals  # noqa: E402
import hull  # noqa: E402
import polars as pl  # noqa: E402
from timing import HEADER  # noqa: E402

REFERENCE = Path(__file__).parents[1] / "reference" / "crystals.parquet"


def main() -> None:
    """Print one table; a ratio above 1 is in our favour."""
    warnings.simplefilter("ignore")
    table = pl.read_parquet(REFERENCE)
    print(HEADER)
    for comparison in (crystals.graphs(table[::4]), crystals.decoding(table), hull.distances(table)):
        print(comparison.row(), flush=True)


if __name__ == "__main__":
    main()
