"""Do charge rules pass what exists, and still refuse what is made up?

    python benchmarks/charge_rules.py

Reads `mp_energies.parquet`: the formulas on the hull that have an anion and a metal, and decorations of the same
stoichiometries: elements at random; at random, but anions for anions; and as the generator of substitutions would
replace one or two of them, in its order. Prints the share that each rule passes, with 95 % Wilson intervals, beside the
rule that the reference set was decorated by, and beside smact's own test of validity on a sample.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from options import one_thread, parser

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS  # noqa: E402
from lodestone.ensemble.metrics import wilson_proportion  # noqa: E402
from lodestone.errors import LodestoneError  # noqa: E402
from lodestone.reference.charges import is_charge_balanced as in_the_reference_set  # noqa: E402
from lodestone.runtime.seeds import child_generator  # noqa: E402
from lodestone.substitution.charges import COMMON, STRICT, is_charge_balanced  # noqa: E402
from lodestone.substitution.draw import draw_substitutions  # noqa: E402
from lodestone.substitution.oxidation_states import ANIONS  # noqa: E402
from lodestone.substitution.probabilities.hautier import hautier_probabilities  # noqa: E402

FILE = "mp_energies.parquet"
ON_HULL = 1e-9  # eV/atom
Compound = tuple[tuple[str, ...], tuple[int, ...]]
RULES: Mapping[str, Callable[..., bool]] = {
    "strict": partial(is_charge_balanced, rule=STRICT),
    "common": partial(is_charge_balanced, rule=COMMON),
    "off": lambda *_: True,
    "the reference set's": in_the_reference_set,
}


def main() -> None:
    """Print both tables."""
    options = _options()
    known = on_hull(options.data)
    groups = {
        "on the hull of the Materials Project": known,
        "their stoichiometries, any elements": list(islice(random_decorations(known, options.seed), options.n)),
        "the same, anions for anions": list(islice(random_decorations(known, options.seed, by_kind=True), options.n)),
        "likely substitutions in them": list(islice(substitutions(known, options.seed), options.n)),
    }
    print(_table(groups, options.sample, options.seed))
    print(_by_anion(known))


def on_hull(folder: Path) -> list[Compound]:
    """Reduced formulas on the hull with an anion and a metal.

    Raises:
        LodestoneError: If the file is missing.
    """
    from pymatgen.core import Composition

    path = folder / FILE
    if not path.is_file():
        raise LodestoneError(f"{path} does not exist", f"name the folder of {FILE} by --data")
    rows = pl.read_parquet(path, columns=["formula", "energy_above_hull"])
    rows = rows.filter(pl.col("energy_above_hull") <= ON_HULL)
    reduced = [Composition(formula).reduced_composition for formula in rows["formula"].unique().sort()]
    found = [
        (tuple(element.symbol for element in one), tuple(int(amount) for amount in one.values())) for one in reduced
    ]
    return [compound for compound in found if is_ionic(compound[0])]


def is_ionic(elements: Sequence[str]) -> bool:
    """Whether there are an anion and a metal among the elements."""
    from pymatgen.core import Element

    return not set(elements).isdisjoint(ANIONS) and any(Element(symbol).is_metal for symbol in elements)


def random_decorations(known: Sequence[Compound], seed: int, by_kind: bool = False) -> Iterator[Compound]:
    """Stoichiometries of known compounds with elements drawn at random, without end.

    Args:
        known: Compounds, of whose elements others are made.
        seed: Root seed.
        by_kind: Whether anions are replaced by anions, and all others by others.
    """
    rng = child_generator(seed, "charge rules", "random", int(by_kind))
    every = sorted({symbol for elements, _ in known for symbol in elements})
    kinds = [[s for s in every if (s in ANIONS) is anion] for anion in (True, False)] if by_kind else [every]
    while True:
        elements, counts = known[rng.integers(len(known))]
        new: dict[str, str] = {}
        for kind in kinds:
            old = [symbol for symbol in elements if symbol in kind]
            new |= dict(zip(old, rng.choice(kind, len(old), replace=False).tolist(), strict=True))
        decorated = tuple(new[symbol] for symbol in elements)
        if is_ionic(decorated):
            yield decorated, counts


def substitutions(known: Sequence[Compound], seed: int, parents: int = 3000) -> Iterator[Compound]:
    """Children of some known compounds, in the order in which the generator would propose them."""
    rng = child_generator(seed, "charge rules", "substitutions")
    some = [known[row] for row in rng.permutation(len(known))[:parents]]
    numbers = [np.sort([ATOMIC_NUMBERS[symbol] for symbol in elements]) for elements, _ in some]
    every = np.unique([ATOMIC_NUMBERS[symbol] for elements, _ in known for symbol in elements])
    for idea in draw_substitutions(numbers, every, hautier_probabilities(), rng):
        new = {SYMBOLS[old]: SYMBOLS[put] for old, put in idea.replacement}
        elements, counts = some[idea.parent]
        child = tuple(new.get(symbol, symbol) for symbol in elements)
        if is_ionic(child):
            yield child, counts


def _smact(elements: tuple[str, ...], counts: tuple[int, ...]) -> bool:
    from smact.screening import smact_validity

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return smact_validity("".join(f"{symbol}{n}" for symbol, n in zip(elements, counts, strict=True)))


def _table(groups: Mapping[str, Sequence[Compound]], sample: int, seed: int) -> str:
    """The share of each group that each rule passes."""
    heads = ["compounds", "n", *RULES, f"smact_validity (n = {sample:,})", "common: seconds per million"]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name, group in groups.items():
        seconds = _seconds(group)
        rows = child_generator(seed, "charge rules", "sample").permutation(len(group))[:sample]
        shares = [_share(passes, group) for passes in RULES.values()]
        cells = [name, f"{len(group):,}", *shares, _share(_smact, [group[row] for row in rows]), f"{seconds:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _seconds(group: Sequence[Compound]) -> float:
    """Processor time of a million verdicts on compounds of this kind, none of them seen before."""
    is_charge_balanced.cache_clear()
    start = time.process_time()
    for compound in group:
        is_charge_balanced(*compound, COMMON)
    return 1e6 * (time.process_time() - start) / len(group)


def _by_anion(known: Sequence[Compound]) -> str:
    lines = ["| on the hull, with | n | common |", "| --- | --- | --- |"]
    for anion in ANIONS:
        group = [compound for compound in known if anion in compound[0]]
        lines.append(f"| {anion} | {len(group):,} | {_share(is_charge_balanced, group)} |")
    return "\n".join(lines)


def _share(passes: Callable[..., bool], compounds: Sequence[Compound]) -> str:
    share = wilson_proportion(sum(passes(*compound) for compound in compounds), len(compounds))
    return f"{100 * share['rate']:.1f} % [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def _options() -> argparse.Namespace:
    options = parser(__doc__, "charge_rules")
    options.add_argument("--n", type=int, default=20_000, help="decorations of each kind")
    options.add_argument("--sample", type=int, default=2_000, help="compounds of each kind that smact judges")
    options.add_argument("--seed", type=int, default=0)
    return options.parse_args()


if __name__ == "__main__":
    main()
