"""Draw any number of substitutions without replacement, with their probabilities as weights.

Gumbel's trick: sorting by log-weight plus Gumbel noise, in descending order, draws without replacement. Only the head
of that order is kept in memory; to read beyond it, the same noise is drawn again for a longer head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from lodestone.crystals.elements import SYMBOLS

LEAST_PROBABILITY = 0.001  # GNoME's
MOST_ABOVE_HULL = 0.1  # of a parent, eV/atom
MOST_REPLACED = 2  # elements of one parent

Replacement = tuple[tuple[int, int], ...]  # pairs of atomic numbers (old, new)
_Found = tuple[tuple[int, ...], tuple[np.ndarray, ...], np.ndarray]  # old elements, new ones, probabilities

_IDEA = np.dtype(
    [
        ("later", "?"),
        ("key", "f8"),
        ("probability", "f8"),
        ("parent", "i4"),
        ("old", "u1", 2),
        ("new", "u1", 2),
        ("number", "i8"),
    ]
)
_AT_ONCE = 1 << 17  # ideas sorted together


@dataclass(frozen=True)
class Substitution:
    """One or two elements of a crystal replaced.

    Attributes:
        parent: Index of the crystal.
        replacement: Pairs of atomic numbers, old and new. Where it is partial, the first one leaves some atoms of its
            old element, and a second one of the same element takes these.
        probability: Product of the conditional probabilities of the replacements.
    """

    parent: int
    replacement: Replacement
    probability: float


def draw_substitutions(
    parents: Sequence[np.ndarray],
    allowed: np.ndarray,
    table: np.ndarray,
    rng: np.random.Generator,
    *,
    least: float = LEAST_PROBABILITY,
    at_first: int = 10_000,
    urgent: Sequence[np.ndarray] = (),
    partial: bool = False,
) -> Iterator[Substitution]:
    """All substitutions of one or two elements, in an order drawn with their probabilities as weights.

    Which ones are urgent changes no draw: they come first, in the order they would have had among each other.

    Args:
        parents: Distinct atomic numbers of each crystal, ascending.
        allowed: Atomic numbers that may replace others, ascending.
        table: Probability of each replacement by atomic numbers, ``[new, old]``.
        rng: Decides the order.
        least: Smallest probability; impossible replacements are always left out.
        at_first: Length of the first head that is kept.
        urgent: Chemical systems, atomic numbers each; substitutions that lead to one of them, or to a part of one, come
            first.
        partial: Whether the first replacement of each takes only some atoms of its element.
    """
    systems = _membership(urgent)
    noise, read, length = rng.bit_generator.state, 0, at_first
    while True:
        rng.bit_generator.state = noise
        head = _head(parents, allowed, table, rng, least=least, length=length, systems=systems, partial=partial)
        for idea in head[read:]:
            pairs = zip(idea["old"].tolist(), idea["new"].tolist(), strict=True)
            replacement = tuple((old, new) for old, new in pairs if old)
            yield Substitution(int(idea["parent"]), replacement, float(idea["probability"]))
        if len(head) < length:
            return
        read, length = len(head), 4 * length


def _head(
    parents: Sequence[np.ndarray],
    allowed: np.ndarray,
    table: np.ndarray,
    rng: np.random.Generator,
    *,
    least: float,
    length: int,
    systems: np.ndarray,
    partial: bool,
) -> np.ndarray:
    """The first ideas of the order."""
    kept, number = np.empty(0, _IDEA), 0
    for drawn in _in_portions(_ideas_of_all(parents, allowed, table, least=least, systems=systems, partial=partial)):
        drawn["number"] = number + np.arange(len(drawn))
        drawn["key"] = -(np.log(drawn["probability"]) + rng.gumbel(size=len(drawn)))
        kept, number = _first(kept, drawn, length), number + len(drawn)
    return kept


def _ideas_of_all(
    parents: Sequence[np.ndarray],
    allowed: np.ndarray,
    table: np.ndarray,
    *,
    least: float,
    systems: np.ndarray,
    partial: bool,
) -> Iterator[np.ndarray]:
    """Ideas of all parents, those of the same elements, which have the same ideas, one after the other."""
    groups: dict[bytes, list[int]] = {}
    for parent, present in enumerate(parents):
        groups.setdefault(present.tobytes(), []).append(parent)
    for group in groups.values():
        present = parents[group[0]]
        ideas = ideas_of(present, allowed, table, least, partial)
        ideas["later"] = ~_leads_into(systems, present, ideas, partial)
        for parent in group:
            ideas["parent"] = parent
            yield ideas.copy()


def _in_portions(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Many small arrays in a few large ones, which take less time."""
    waiting, n_waiting = [np.empty(0, _IDEA)], 0
    for part in parts:
        waiting.append(part)
        n_waiting += len(part)
        if n_waiting > _AT_ONCE:
            yield np.concatenate(waiting)
            waiting, n_waiting = waiting[:1], 0
    yield np.concatenate(waiting)


def _first(kept: np.ndarray, drawn: np.ndarray, length: int) -> np.ndarray:
    """The first of those that are kept, in order, and of others."""
    if len(kept) == length:  # most others come after the last of them, and need no sorting
        last = kept[-1]
        drawn = drawn[
            (drawn["later"] < last["later"]) | (drawn["key"] < last["key"]) & (drawn["later"] == last["later"])
        ]
    ideas = np.concatenate([kept, drawn])
    return ideas[np.lexsort((ideas["number"], ideas["key"], ideas["later"]))[:length]]


def _membership(systems: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each element belongs to each system, shape ``(s, elements)``; 0, which is no element, belongs to all."""
    member = np.zeros((len(systems), len(SYMBOLS)), dtype=bool)
    member[:, 0] = True
    for row, system in zip(member, systems, strict=True):
        row[system] = True
    return member


def _leads_into(systems: np.ndarray, present: np.ndarray, ideas: np.ndarray, partial: bool) -> np.ndarray:
    """Which ideas lead into one of the systems or a part of it: they replace every element that is foreign there."""
    inside = np.zeros(len(ideas), dtype=bool)
    gone = ideas["old"][:, 1:] if partial else ideas["old"]
    foreign = (~systems[:, present]).sum(axis=1)
    near = foreign <= MOST_REPLACED
    for member, count in zip(systems[near], foreign[near], strict=True):
        inside |= member[ideas["new"]].all(axis=1) & ((~member[gone]).sum(axis=1) == count)
    return inside


def ideas_of(
    present: np.ndarray, allowed: np.ndarray, table: np.ndarray, least: float, partial: bool = False
) -> np.ndarray:
    """All ideas of one crystal: single replacements, then pairs of them.

    Args:
        present: Its distinct atomic numbers, ascending.
        allowed: Atomic numbers that may replace others, ascending.
        table: Probability of each replacement by atomic numbers, ``[new, old]``.
        least: Smallest probability; impossible replacements are always left out.
        partial: Whether the first replacement of each takes only some atoms of its element.

    Returns:
        Fields ``old`` and ``new``, pairs of atomic numbers filled up by 0, ``probability``, and others.
    """
    new = allowed[(allowed[:, None] != present).all(axis=1)]
    singles = {int(old): _likely(new, table[new, old], least) for old in present}
    ways = product(present.tolist(), repeat=2) if partial else combinations(present.tolist(), 2)
    found: list[_Found] = [((old,), (new,), probability) for old, (new, probability) in singles.items()]
    found += [((a, b), *_pairs(singles[a], singles[b], least)) for a, b in ways]
    ideas, end = np.zeros(sum(len(probability) for *_, probability in found), _IDEA), 0
    for old, chosen, probability in found:
        own = ideas[end : (end := end + len(probability))]
        own["probability"] = probability
        for place, (before, after) in enumerate(zip(old, chosen, strict=True)):
            own["old"][:, place], own["new"][:, place] = before, after
    return ideas


def _likely(new: np.ndarray, probability: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Elements that may replace another one, and their probabilities."""
    likely = (probability >= least) & (probability > 0)
    return new[likely], probability[likely]


def _pairs(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], least: float
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Unlike elements that may replace two others at once, and their probabilities."""
    probability = np.multiply.outer(first[1], second[1])
    one, other = np.nonzero((first[0][:, None] != second[0]) & (probability >= least))
    return (first[0][one], second[0][other]), probability[one, other]
