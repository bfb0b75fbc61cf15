"""Which elements go on which prototype: charge-balanced compounds, intermetallics and the elements themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from lodestone.reference.charges import is_charge_balanced
from lodestone.reference.prototypes import ELEMENTS, METALLOIDS, METALS, Prototype
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.oxidation_states import ANIONS

Decoration = tuple[str, tuple[str, ...]]

_PALETTES = {"anion": ANIONS, "metalloid": METALLOIDS, "metal": METALS}

_CLOSE_PACKED = ("A_cF4_225_a", "A_cI2_229_a", "A_hP2_194_c")
_COVALENT = ("A_cF8_227_a", "A_hR2_166_c-3", "A_hP3_152_a", "A_oC8_64_f", "A_oC8_64_f-2", "A_oC8_64_f-3")
_MOLECULAR = ("A_cP8_205_c", "A_tP4_136_f", "A_cP8_198_2a", "A_mC4_12_i", "A_hR2_166_c")
_OWN_GROUND_STATE = {
    "B": ("A_hR12_166_2h",),
    "C": ("A_hP4_194_bc", "A_hP4_186_ab", "A_hR2_166_c-2"),
    "Sn": ("A_tI4_141_a",),
    "In": ("A_tI2_139_a", "A_tI2_139_a-2"),
    "Ga": ("A_oC8_64_f", "A_oC8_64_f-2", "A_oC8_64_f-3"),
}
# The most common salts; every metal or metalloid is tried with every anion in those that its charges allow.
_SALTS = (
    "AB_cF8_225_a_b",
    "AB_cF8_216_c_a",
    "AB_hP4_194_c_a",
    "AB2_cF12_225_a_c",
    "A2B_tP6_136_f_a",
    "AB2_hP3_164_a_d",
    "A2B3_hR10_167_c_e",
    "A2B3_hR5_166_c_ac",
    "AB3_hR8_148_c_f",
    "A3B_cP4_221_d_a",
)
# Decay length, on Pettifor's scale, of the probability of replacing one element by another.
_SIMILARITY_LENGTH = 20.0
_ANY_ELEMENT = 0.15


def element_decorations(prototypes: dict[str, Prototype], symbols: Sequence[str] = ELEMENTS) -> list[Decoration]:
    """Every element in the prototypes of its kind and in its known ground state, so that references are minima."""
    kinds = {"H": _MOLECULAR, "N": _MOLECULAR, "O": _MOLECULAR, "F": _MOLECULAR}
    chosen: list[Decoration] = []
    for element in symbols:
        usual = _CLOSE_PACKED if element not in (*ANIONS, *METALLOIDS, "As") else _CLOSE_PACKED + _COVALENT
        labels = {*kinds.get(element, usual), *_OWN_GROUND_STATE.get(element, ())}
        chosen += [(label, (element,)) for label in sorted(labels & prototypes.keys())]
    return chosen


def salt_decorations(prototypes: dict[str, Prototype]) -> list[Decoration]:
    """Every charge-balanced pair of a cation and an anion in the most common salts.

    Without them the hull of many systems would be the line between the elements, and rock salt a discovery.
    """
    pairs = list(itertools.product((*METALS, *METALLOIDS), ANIONS))
    swapped = [(anion, cation) for cation, anion in pairs]
    chosen: list[Decoration] = []
    for label in _SALTS:
        roles, counts = prototypes[label].roles, prototypes[label].counts
        anion_first = roles[0] == "anion"
        # Where the stoichiometry tells them apart, the ions may also swap places: fluorite and antifluorite.
        tried = pairs + swapped if counts[0] != counts[1] else swapped if anion_first else pairs
        chosen += [(label, elements) for elements in tried if is_charge_balanced(elements, counts)]
    return chosen


def compound_decorations(
    prototypes: dict[str, Prototype], per_prototype: dict[int, int], seed: int
) -> list[Decoration]:
    """A seeded sample of sensible decorations of each compound prototype.

    Args:
        prototypes: Prototypes by label.
        per_prototype: How many decorations, by number of elements of the prototype.
        seed: Root seed; each prototype draws from its own child.

    Returns:
        Decorations sorted by prototype; the elements of one decoration differ from each other.
    """
    chosen: list[Decoration] = []
    for label, prototype in prototypes.items():
        if len(prototype.elements) > 1:
            candidates = _draw(prototype, child_generator(seed, "decorate", label))
            count = per_prototype.get(len(prototype.elements), 0)
            chosen += [(label, elements) for elements in itertools.islice(candidates, count)]
    return chosen


def _draw(prototype: Prototype, generator: np.random.Generator, tries: int = 4000) -> Iterator[tuple[str, ...]]:
    ionic = "anion" in prototype.roles
    palettes = [_PALETTES[role] for role in prototype.roles]
    weights = [_similarity(old, palette) for old, palette in zip(prototype.elements, palettes, strict=True)]
    seen: set[tuple[str, ...]] = set()
    for _ in range(tries):
        elements = tuple(str(generator.choice(p, p=w)) for p, w in zip(palettes, weights, strict=True))
        if elements in seen or len(set(elements)) < len(elements):
            continue
        seen.add(elements)
        if not ionic or is_charge_balanced(elements, prototype.counts):
            yield elements


def _similarity(original: str, palette: tuple[str, ...]) -> np.ndarray:
    """Probabilities over a palette: near the original on Pettifor's scale, any element with a small chance."""
    from pymatgen.core import Element

    here = Element(original).mendeleev_no
    distance = np.array([abs(Element(symbol).mendeleev_no - here) for symbol in palette])
    near = np.exp(-distance / _SIMILARITY_LENGTH)
    return (1 - _ANY_ELEMENT) * near / near.sum() + _ANY_ELEMENT / len(palette)
