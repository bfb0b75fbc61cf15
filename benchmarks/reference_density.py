"""How dense is the hull of a reference set?

    python benchmarks/reference_density.py [--reference FILE] [--reach]

Reads `mp_energies.parquet`: of the formulas that the Materials Project has on its hull, among the elements of the
reference set, which share does the set hold, and which on its own hull? With `--reach`, also which share the
decorations of `lodestone reference --close` could reach. With 95 % Wilson intervals, by number of elements and by kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from options import ROOT, one_thread, parser

one_thread()

import polars as pl  # noqa: E402

from lodestone.ensemble.metrics import wilson_proportion  # noqa: E402
from lodestone.reference.enumeration import WIDE_ELEMENTS, enumerate_decorations, formula_of  # noqa: E402
from lodestone.reference.prototypes import all_prototypes  # noqa: E402
from lodestone.stability.hull import ConvexHull  # noqa: E402
from lodestone.substitution.oxidation_states import ANIONS  # noqa: E402
from lodestone.tables.files import read_table  # noqa: E402

FILE = "mp_energies.parquet"
ON_HULL = 1e-9  # eV/atom
ORDERS = {2: "binaries", 3: "ternaries", 4: "quaternaries"}


def main() -> None:
    """Print the table."""
    options = _options()
    reference = read_table(options.reference)
    elements = set(WIDE_ELEMENTS) if options.wide else elements_of(reference)
    stable = stable_formulas(options.data, elements)
    on_hull = reference.filter(pl.Series(ConvexHull.of(reference).distances == 0))
    holdings = {"held": set(reference["formula_pretty"]), "on its hull": set(on_hull["formula_pretty"])}
    if options.reach:
        holdings["in reach of the enumeration"] = reach(elements)
    print(f"{options.reference}: {len(reference)} crystals; stable formulas among {len(elements)} elements\n")
    print(report(stable, holdings))


def elements_of(reference: pl.DataFrame) -> set[str]:
    """Symbols of all elements of a table of crystals."""
    return set(reference["chemsys"].str.split("-").explode())


def stable_formulas(folder: Path, elements: set[str]) -> pl.DataFrame:
    """Formulas on the hull of the Materials Project that have these elements only, with their number of elements."""
    table = read_table(folder / FILE).filter(pl.col("energy_above_hull") <= ON_HULL)
    inside = pl.col("chemsys").str.split("-").list.set_difference(sorted(elements)).list.len() == 0
    rows = table.filter(inside).unique("formula").sort("formula")
    order = pl.col("chemsys").str.count_matches("-", literal=True) + 1
    has_anion = pl.col("chemsys").str.split("-").list.set_intersection(list(ANIONS)).list.len() > 0
    return rows.select("formula", "chemsys", order.alias("n_elements"), has_anion.alias("has_anion"))


def reach(elements: set[str]) -> set[str]:
    """Formulas of all decorations that are screened, pymatgen style."""
    from pymatgen.core import Composition

    prototypes = all_prototypes()
    formulas = {formula_of(prototypes[label], x) for label, x in enumerate_decorations(sorted(elements))}
    return {Composition(dict(formula)).reduced_formula for formula in formulas}


def report(stable: pl.DataFrame, holdings: Mapping[str, set[str]]) -> str:
    """One line per number of elements and kind: n, and each share with its interval."""
    lines = [f"{'':34}{'n':>6}" + "".join(f"  {name:>28}" for name in holdings)]
    for order, name in ORDERS.items():
        for kind, rows in _kinds(stable.filter(pl.col("n_elements") == order)).items():
            shares = [share(rows["formula"], known) for known in holdings.values()]
            lines.append(f"{name + kind:34}{len(rows):6}" + "".join(f"  {text:>28}" for text in shares))
    return "\n".join(lines)


def share(formulas: pl.Series, known: set[str]) -> str:
    """The share of formulas that are known, with its interval."""
    found = wilson_proportion(sum(formula in known for formula in formulas), len(formulas))
    if not found["n"]:
        return "-"
    return f"{found['hits']} = {found['rate']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


def _kinds(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {"": rows, " with an anion": rows.filter("has_anion"), " without": rows.filter(~pl.col("has_anion"))}


def _options() -> argparse.Namespace:
    made = parser(__doc__, "reference_density")
    made.add_argument("--reference", type=Path, default=ROOT / "reference" / "crystals.parquet", help="the set")
    made.add_argument("--reach", action="store_true", help="what the enumeration could reach (a minute)")
    made.add_argument("--wide", action="store_true", help="among all elements of --close, not those of the set")
    return made.parse_args()


if __name__ == "__main__":
    main()
