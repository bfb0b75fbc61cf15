from itertools import product

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators.substitution import propose, relabel
from lodestone.substitution.oxidation_states import is_charge_balanced
from lodestone.substitution.probabilities import substitution_probabilities
from lodestone.substitution.volumes import AtomicVolumes

ALLOWED = frozenset("Li Na K Mg Ca Sr Ba Al Zn Ti O S Se F Cl Br".split())
CHARGES = {"O": -2, "S": -2, "Se": -2, "F": -1, "Cl": -1, "Br": -1, "Li": 1, "Na": 1, "K": 1}
CHARGES |= {"Mg": 2, "Ca": 2, "Sr": 2, "Ba": 2, "Zn": 2, "Al": 3, "Ti": 4}


@pytest.fixture(scope="module")
def drawn(known, discovery):
    """Proposals from all that is known, without a limit that would cut the list."""
    return propose(known, set(), ALLOWED, discovery.model_copy(update={"max_proposals": 10**6}), rng())


def rng(seed=0):
    return np.random.default_rng(seed)


def replacements(crystal, generator):
    """One or two elements of a crystal and others that are not in it."""
    present = np.unique(crystal.atomic_numbers)
    absent = np.setdiff1d(np.arange(1, 90), present)
    n = min(len(present), int(generator.integers(1, 3)))
    pairs = zip(generator.permutation(present)[:n], generator.permutation(absent)[:n], strict=True)
    return tuple((int(old), int(new)) for old, new in pairs)


def test_the_label_of_a_child_follows_from_its_parents_label(reference):
    """Over real parents of all prototypes: renaming the elements in the label is as good as a new symmetry search."""
    generator = rng(4)
    rows = reference.unique("prototype", keep="first", maintain_order=True)
    assert len(rows) > 200
    wrong = []
    for crystal, label in zip(decode(rows), rows["decorated_prototype"], strict=True):
        replacement = replacements(crystal, generator)
        found = symmetry_of(crystal.with_elements(dict(replacement))).decorated
        if relabel(label, replacement) != found:
            wrong.append((label, replacement, found))
    assert not wrong


def test_rescaling_rarely_changes_the_symmetry_that_is_found(drawn):
    """The tolerance is 0.1 Å whatever the volume, so a few borderline cells change their label when they shrink."""
    some = drawn.items[:600]
    same = sum(symmetry_of(proposal.crystal).decorated == proposal.decorated_prototype for proposal in some)
    assert same >= 0.97 * len(some)


def test_relabel_renames_elements_and_not_parts_of_names():
    label = "oF8_69_C2=4:mmm_Ca=4:mmm+8:mm2_Cl=2:m.."
    assert relabel(label, ((6, 14), (17, 9))) == "oF8_69_Ca=4:mmm+8:mm2_F=2:m.._Si2=4:mmm"
    assert relabel(label, ()) == label
    assert relabel(label, ((6, 17), (17, 6))) == "oF8_69_C=2:m.._Ca=4:mmm+8:mm2_Cl2=4:mmm"  # both at once


def test_candidates_are_new_and_no_two_alike(drawn, known):
    labels = [proposal.decorated_prototype for proposal in drawn.items]
    assert len(labels) > 300
    assert len(set(labels)) == len(labels)
    assert not set(labels) & set(known["decorated_prototype"])
    assert drawn.n_known > 0


def test_only_ideas_that_are_known_are_counted_as_known(known, discovery):
    """Strontium and barium may change places in their oxides: known. Both give the same KO: unbalanced, not known."""
    oxides = known.filter(
        pl.col("decorated_prototype").str.starts_with("cF8_225_"), pl.col("chemsys").is_in(["O-Sr", "Ba-O"])
    )
    likely = discovery.model_copy(update={"min_substitution_probability": 0.02})
    found = propose(oxides, set(), frozenset(["Sr", "Ba", "K"]), likely, rng())
    table = substitution_probabilities()
    assert len(oxides) == 2
    assert min(table[19, 38], table[19, 56], table[38, 56], table[56, 38]) > 0.02  # all four ideas are drawn
    assert (found.items, found.n_known) == ([], 2)


def test_what_was_tried_is_not_proposed_again(known, discovery, drawn):
    tried = {proposal.decorated_prototype for proposal in drawn.items[::2]}
    again = propose(known, tried, ALLOWED, discovery.model_copy(update={"max_proposals": 10**6}), rng())
    labels = {proposal.decorated_prototype for proposal in again.items}
    assert not labels & tried
    assert labels == {proposal.decorated_prototype for proposal in drawn.items[1::2]}


def test_candidates_come_from_their_parents_by_the_replacement_they_tell(drawn, known):
    parents = decode(known)
    table = substitution_probabilities()
    for proposal in drawn.items[::7]:
        parent, child = parents[proposal.parent], proposal.crystal
        mapping = dict(proposal.replacement)
        assert child.species == [SYMBOLS[mapping.get(int(z), int(z))] for z in parent.atomic_numbers]
        assert np.array_equal(child.frac_coords, parent.frac_coords)
        assert child.lattice == pytest.approx(parent.lattice * np.cbrt(child.volume / parent.volume))
        assert proposal.probability == pytest.approx(np.prod([table[new, old] for old, new in proposal.replacement]))
        assert proposal.substitution == ",".join(f"{SYMBOLS[a]}>{SYMBOLS[b]}" for a, b in proposal.replacement)


def test_candidates_start_nearer_to_the_right_volume_than_their_parents_volume_is(known):
    """Where parent and child are both known, the candidate can be compared with what the oracle relaxed to."""
    crystals, labels = decode(known), known["decorated_prototype"].to_list()
    volumes, rows = AtomicVolumes.fit(crystals), {label: row for row, label in enumerate(labels)}
    pairs = [
        (crystals[row], crystals[row].with_elements({old: new}), crystals[rows[child]])
        for row, crystal in enumerate(crystals)
        for old, new in product(np.unique(crystal.atomic_numbers).tolist(), map(ATOMIC_NUMBERS.get, sorted(ALLOWED)))
        if (child := relabel(labels[row], ((old, new),))) in rows and new not in crystal.atomic_numbers
    ]
    unrelaxed_structure = [np.log(volumes.rescale(parent, child).volume / true.volume) for parent, child, true in pairs]
    unscaled = [np.log(parent.volume / true.volume) for parent, _, true in pairs]
    assert len(pairs) > 100
    assert np.std(unrelaxed_structure) < 0.6 * np.std(unscaled)
    assert abs(np.mean(unrelaxed_structure)) < 0.05


def test_compounds_with_anions_are_charge_balanced(drawn):
    ionic = 0
    for proposal in drawn.items:
        symbols, counts = np.unique(proposal.crystal.species, return_counts=True)
        if {"O", "S", "Se", "F", "Cl", "Br"} & set(symbols) and len(symbols) > 1:
            ionic += 1
            assert np.dot([CHARGES[symbol] for symbol in symbols], counts) == 0, proposal.crystal.species
    assert 100 < ionic < len(drawn.items)  # intermetallics are proposed, too


@pytest.mark.parametrize(
    ("elements", "counts", "expected"),
    [
        (("Na", "Cl"), (1, 1), True),
        (("Na", "Cl"), (1, 2), False),
        (("Fe", "O"), (2, 3), True),
        (("Fe", "O"), (3, 4), False),  # needs both states at once, and each element has one
        (("Ca", "O", "Ti"), (1, 3, 1), True),
        (("Cl", "O"), (1, 1), False),
    ],
)
def test_charge_balance_by_hand(elements, counts, expected):
    assert is_charge_balanced(elements, counts) is expected


def test_only_allowed_elements_are_put_in(known, discovery):
    few = frozenset(["Li", "Na", "S"])
    found = propose(known, set(), few, discovery, rng())
    assert {SYMBOLS[new] for proposal in found.items for _, new in proposal.replacement} == few


def test_limits_on_parents_are_kept(known, discovery):
    strict = {"max_sites": 5, "max_elements": 2, "max_parent_energy_above_hull": 0.02}
    found = propose(known, set(), ALLOWED, discovery.model_copy(update=strict), rng())
    parents = known[sorted({proposal.parent for proposal in found.items})]
    assert parents["nsites"].max() == 5
    assert 0 < parents["energy_above_hull"].max() <= 0.02
    assert max(len(set(proposal.crystal.species)) for proposal in found.items) == 2
    assert max(len(proposal.crystal) for proposal in found.items) == 5


def test_improbable_replacements_are_left_out(known, discovery):
    found = propose(known, set(), ALLOWED, discovery.model_copy(update={"min_substitution_probability": 0.02}), rng())
    assert found.items
    assert min(proposal.probability for proposal in found.items) >= 0.02


def test_nothing_is_proposed_where_nothing_is_probable(known, discovery):
    found = propose(known, set(), ALLOWED, discovery.model_copy(update={"min_substitution_probability": 1.0}), rng())
    assert (found.items, found.n_known) == ([], 0)


def test_the_draw_follows_from_the_generator(known, discovery):
    some = discovery.model_copy(update={"max_proposals": 60})
    runs = [propose(known, set(), ALLOWED, some, rng(seed)).items for seed in (1, 1, 2)]
    first, again, other = ([proposal.decorated_prototype for proposal in items] for items in runs)
    assert len(first) == 60
    assert first == again
    assert set(first) != set(other)
    assert all(a.crystal.digest() == b.crystal.digest() for a, b in zip(*runs[:2], strict=True))


def test_likely_replacements_come_first_on_average(drawn):
    probabilities = [proposal.probability for proposal in drawn.items]
    half = len(probabilities) // 2
    assert np.mean(probabilities[:half]) > 1.5 * np.mean(probabilities[half:])
