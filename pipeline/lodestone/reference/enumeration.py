"""Every decoration worth a prediction: all pairs of elements, and the families of ternary and quaternary compounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, permutations, product
from math import gcd

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.pairs import pairs_within
from lodestone.reference.decorations import Decoration
from lodestone.reference.families import Family, load_families
from lodestone.reference.prototypes import ELEMENTS, Prototype, all_prototypes
from lodestone.substitution.charges import is_charge_balanced

# Those of `make reference`, and more that CHGNet knows and that are common in compounds.
WIDE_ELEMENTS = tuple(
    sorted({*ELEMENTS, *"H Be Cs As La Ta Mo W Re Ru Rh Pd Ir Pt Au Cd Hg Tl Pb".split()})
)  # fmt: skip
LARGEST_CELL = 28  # sites
_REACH = 6.0  # Å: what tells two decorations of a prototype apart
_DIGITS = 3

Formula = tuple[tuple[str, int], ...]


def enumerate_decorations(
    elements: Sequence[str] = WIDE_ELEMENTS, largest_cell: int = LARGEST_CELL
) -> Iterator[Decoration]:
    """All decorations, lazily: those of pairs first, then the families; none is the same crystal as another.

    Args:
        elements: Symbols of the elements to use.
        largest_cell: Prototypes with more sites are left out.
    """
    prototypes = {label: p for label, p in all_prototypes().items() if len(p.crystal) <= largest_cell}
    yield from pair_decorations(prototypes, elements)
    by_prototype: dict[str, list[Family]] = defaultdict(list)
    for family in load_families():
        by_prototype[family.prototype].append(family)
    for label, families in by_prototype.items():
        if label in prototypes:
            yield from family_decorations(families, prototypes[label], elements)


def pair_decorations(prototypes: Mapping[str, Prototype], elements: Sequence[str]) -> Iterator[Decoration]:
    """Every pair of elements in every binary prototype, both ways round where that makes a difference."""
    for label, prototype in prototypes.items():
        if len(prototype.elements) == 2:
            yield from ((label, pair) for pair in _distinct(prototype, permutations(elements, 2)))


def family_decorations(
    families: Sequence[Family], prototype: Prototype, elements: Sequence[str]
) -> Iterator[Decoration]:
    """The decorations of the families of one prototype: different elements in the roles of one of them.

    Charges balance where the family says so.
    """
    chosen = chain.from_iterable(_in_roles(family, prototype, set(elements)) for family in families)
    return ((families[0].prototype, x) for x in _distinct(prototype, chosen))


def _in_roles(family: Family, prototype: Prototype, elements: set[str]) -> Iterator[tuple[str, ...]]:
    palettes = [[x for x in palette if x in elements] for palette in family.palettes(prototype)]
    counts = _reduced(prototype.counts)
    for chosen in product(*palettes):
        if not family.charges or is_charge_balanced(chosen, counts):
            yield chosen


def formula_of(prototype: Prototype, elements: tuple[str, ...]) -> Formula:
    """Elements and their smallest whole amounts, sorted: equal for equal compositions."""
    return tuple(sorted(zip(elements, _reduced(prototype.counts), strict=True)))


def _distinct(prototype: Prototype, chosen: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Different elements only, and of orders that give the same crystal only one."""
    orders = _same_crystal(prototype)
    seen: set[tuple[str, ...]] = set()
    for elements in chosen:
        first = min(tuple(elements[place] for place in order) for order in orders)
        if len(set(elements)) == len(elements) and first not in seen:
            seen.add(first)
            yield elements


def _same_crystal(prototype: Prototype) -> list[tuple[int, ...]]:
    """Orders of the elements that give the same crystal, the given one first; in rock salt both do."""
    places = range(len(prototype.elements))
    orders = [order for order in permutations(places) if all(_alike(prototype, i, order[i]) for i in places)]
    own = _fingerprint(prototype.crystal)
    return [x for x in orders if _fingerprint(prototype.decorate(tuple(prototype.elements[i] for i in x))) == own]


def _alike(prototype: Prototype, first: int, second: int) -> bool:
    return prototype.counts[first] == prototype.counts[second]


def _fingerprint(crystal: Crystal) -> Counter[tuple[str, str, float]]:
    """How often each distance occurs between each two elements."""
    first, second, distance = pairs_within(crystal, _REACH, "ijd")
    names = [SYMBOLS[z] for z in crystal.atomic_numbers]
    return Counter(
        (names[i], names[j], round(float(d), _DIGITS)) for i, j, d in zip(first, second, distance, strict=True)
    )


def _reduced(counts: tuple[int, ...]) -> tuple[int, ...]:
    divisor = gcd(*counts)
    return tuple(count // divisor for count in counts)
