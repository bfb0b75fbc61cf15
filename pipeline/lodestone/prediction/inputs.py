"""What may be asked about, as crystals with names: objects of pymatgen and ASE, formulas, files, folders, tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import chemical_system, reduced_formula
from lodestone.crystals.soundness import why_unsound
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.objects import crystal_of
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure

MOST_SITES = 2000
_FORMULA = re.compile(r"(?:[A-Z][a-z]?|[()\[\]]|\d++\.?\d*+)++")  # never goes back: digits could be split in many ways
_LONGEST = 200  # characters of a formula
_MOST_ATOMS = 1000  # of a formula
_VOLUME = 20.0  # Å3/atom, of a formula's cell, which nothing reads


@dataclass(frozen=True)
class Query:
    """One crystal, or one formula.

    Attributes:
        name: What the result calls it.
        source: Where it comes from: a file, or the formula itself.
        crystal: Of a formula, atoms without places.
        is_formula: Whether it is one.
    """

    name: str
    source: str
    crystal: Crystal
    is_formula: bool = False

    @cached_property
    def formula(self) -> str:
        """Reduced formula."""
        return reduced_formula(self.crystal.atomic_numbers)

    @cached_property
    def chemsys(self) -> str:
        """Elements, joined by ``-``."""
        return chemical_system(self.crystal.atomic_numbers)


@dataclass(frozen=True)
class Unread:
    """What could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Queries:
    """All that was given: what can be predicted, and what cannot."""

    good: list[Query] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def __add__(self, other: Queries) -> Queries:
        return Queries(self.good + other.good, self.unread + other.unread)


def formula_query(text: str) -> Query:
    """A formula as a query.

    Raises:
        LodestoneError: If it is none.
    """
    from pymatgen.core import Composition

    remedy = "a formula is made of element symbols, numbers and brackets, e.g. NaCl or Ca3(PO4)2"
    if not is_formula(text):
        raise LodestoneError(f"{text[:60]!r} is neither a file nor a formula", remedy)
    try:
        amounts, _ = Composition(text).get_integer_formula_and_factor()
        counts = {symbol: int(n) for symbol, n in Composition(amounts).get_el_amt_dict().items()}
        kinds = [ATOMIC_NUMBERS[symbol] for symbol in counts]
    except Exception as error:  # pymatgen raises many types for an invalid formula
        raise LodestoneError(f"{text[:60]!r} is no formula: {str(error)[:80] or 'it has no atoms'}", remedy) from error
    total = sum(counts.values())
    if not 0 < total <= _MOST_ATOMS:
        raise LodestoneError(f"{text[:60]!r} has {total} atoms in a formula unit", f"at most {_MOST_ATOMS}")
    numbers = np.repeat(kinds, list(counts.values()))
    cell = np.eye(3) * (_VOLUME * len(numbers)) ** (1 / 3)
    return Query(text, text, Crystal(cell, numbers, np.zeros((len(numbers), 3))), is_formula=True)


def is_formula(text: str) -> bool:
    """Whether text can only be meant as a formula."""
    return len(text) <= _LONGEST and bool(_FORMULA.fullmatch(text))


def queries_of(objects: Any) -> Queries:
    """Objects as queries: a crystal, a formula, or any number of these.

    Args:
        objects: pymatgen ``Structure`` or ``ComputedStructureEntry``, ASE ``Atoms``, :class:`Crystal`, a formula, an
            entry or composition without a structure, or an iterable of these.
    """
    several = isinstance(objects, Iterable) and not isinstance(objects, str) and not _is_one(objects)
    queries = Queries()
    for place, one in enumerate(objects if several else [objects]):
        queries += _query_of(one, place)
    return distinct(queries)


def _is_one(value: Any) -> bool:
    return isinstance(value, Crystal) or any(
        hasattr(value, name) for name in ("get_atomic_numbers", "composition", "fractional_composition")
    )


def _query_of(value: Any, place: int) -> Queries:
    try:
        if isinstance(value, str):
            return Queries([formula_query(value)])
        name, crystal = str(getattr(value, "entry_id", None) or f"crystal {place}"), _crystal_of(value)
    except (LodestoneError, UnreadableStructureError) as error:
        reason = error.problem if isinstance(error, LodestoneError) else str(error)
        return Queries(unread=[Unread(f"crystal {place}", reason)])
    if crystal is not None:
        return checked(Query(name, type(value).__name__, crystal))
    composition = getattr(value, "composition", value)
    formula = formula_query(str(composition.formula).replace(" ", ""))
    named = name if getattr(value, "entry_id", None) else str(composition.reduced_formula)
    return Queries([replace(formula, name=named, source=type(value).__name__)])


def _crystal_of(value: Any) -> Crystal | None:
    """The crystal of an object, or ``None`` where it has a composition only."""
    structure = getattr(value, "structure", value)
    has_places = isinstance(structure, Crystal) or any(
        hasattr(structure, name) for name in ("get_atomic_numbers", "frac_coords")
    )
    if has_places:
        return crystal_of(structure)
    if hasattr(value, "composition") or hasattr(value, "fractional_composition"):
        return None
    raise UnreadableStructureError(f"a {type(value).__name__} is neither a crystal nor a formula")


def checked(query: Query, most_sites: int = MOST_SITES) -> Queries:
    """A query whose atoms can be a crystal, or why they cannot."""
    if len(query.crystal) > most_sites:
        reason = f"it has {len(query.crystal):,} atoms, more than {most_sites:,}; give its primitive cell"
        return Queries(unread=[Unread(query.name, reason)])
    try:
        reason = why_unsound(parse_structure(query.crystal)) or ""
    except UnreadableStructureError as error:
        reason = str(error)
    return Queries(unread=[Unread(query.name, reason)]) if reason else Queries([query])


def distinct(queries: Queries) -> Queries:
    """The same with names of their own: equal ones get their source, then a number."""
    good = _numbered([query.name for query in queries.good], [query.source for query in queries.good])
    return Queries(
        [replace(query, name=name) for query, name in zip(queries.good, good, strict=True)], list(queries.unread)
    )


def _numbered(names: Sequence[str], sources: Sequence[str]) -> list[str]:
    counts = Counter(names)
    named = [name if counts[name] == 1 else source for name, source in zip(names, sources, strict=True)]
    totals, seen = Counter(named), Counter[str]()
    result = []
    for name in named:
        seen[name] += 1
        result.append(name if totals[name] == 1 else f"{name} ({seen[name]})")
    return result
