"""The first compounds of an element that has none, so that networks can learn what it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import permutations

from lodestone.reference.decorations import Decoration
from lodestone.reference.prototypes import all_prototypes
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.charges import is_charge_balanced
from lodestone.substitution.oxidation_states import ANIONS

_ALLOYS = ("AB_cP2_221_b_a", "AB_tP2_123_a_d", "AB3_cP4_221_a_c", "A2B_cF24_227_d_a", "AB5_hP6_191_a_cg")
_SALTS = (
    "AB_cF8_225_a_b",
    "AB_hP4_194_c_a",
    "AB_cF8_216_c_a",
    "AB2_cF12_225_a_c",
    "AB2_hP3_164_a_d",
    "A2B_tP6_136_f_a",
    "A2B3_hP5_164_d_ad-La2O3",
    "AB3_hR8_148_c_f",
    "AB3_cF16_225_a_bc",
    "AB4_tI10_139_a_ce-SnF4",
    "A2B5_oP14_59_f_a2f-V2O5",
    "AB6_cI14_229_a_e-MoF6",
)
_PER_PAIR = 2


def first_phases(
    new: Sequence[str], elements: Sequence[str], tried: Set[tuple[str, str]], seed: int
) -> Iterator[Decoration]:
    """Two simple compounds of each pair of elements of which one is new; charges balance where one is an anion.

    Args:
        new: Elements without a compound.
        elements: All elements, the new ones, too.
        tried: Prototypes and decorations that are left out.
        seed: Chooses among the compounds that a pair can form.
    """
    for pair in permutations(sorted(elements), 2):
        if pair[0] < pair[1] and not set(new).isdisjoint(pair):
            options = [item for item in _options(pair) if (item[0], "-".join(item[1])) not in tried]
            order = child_generator(seed, "first phases", *pair).permutation(len(options))
            yield from (options[place] for place in order[:_PER_PAIR])


def _options(pair: tuple[str, str]) -> Iterator[Decoration]:
    """Simple compounds of a pair, both ways round."""
    ionic = not set(ANIONS).isdisjoint(pair)
    for label in _SALTS if ionic else _ALLOYS:
        counts = all_prototypes()[label].counts
        orders = [pair] if counts[0] == counts[1] else [pair, pair[::-1]]
        yield from ((label, x) for x in orders if not ionic or is_charge_balanced(x, counts))
