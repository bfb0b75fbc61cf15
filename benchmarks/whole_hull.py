"""``python benchmarks/whole_hull.py``: the hull of a whole database at once, against one phase diagram per system.

Reads the energies of the Materials Project. pymatgen takes 18 minutes for all of them; ``--elements`` takes fewer.
"""

import argparse
import warnings
from pathlib import Path

from options import SHARED, one_thread

one_thread()

import hull  # noqa: E402
from timing import HEADER  # noqa: E402


def main() -> None:
    """Print one line; a ratio above 1 is in our favor."""
    options = _parser().parse_args()
    energies = hull.materials_project(options.data)
    if energies is None:
        raise SystemExit(f"{options.data} has no mp_energies.parquet: name its folder by --data")
    if options.elements:
        energies = hull.neighborhood(energies, options.elements)
    warnings.simplefilter("ignore")
    print(HEADER)
    print(hull.distances(energies, "the Materials Project").row())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of mp_energies.parquet")
    parser.add_argument("--elements", type=int, metavar="N", help="only the systems of N elements, drawn at random")
    return parser


if __name__ == "__main__":
    main()
