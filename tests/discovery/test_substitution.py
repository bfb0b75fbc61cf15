from itertools import product

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators.substitution import relabel
from lodestone.substitution.probabilities.hautier import hautier_probabilities
from lodestone.substitution.volumes import AtomicVolumes

ALLOWED = frozenset("Li Na K Mg Ca Sr Ba Al Zn Ti O S Se F Cl Br".split())
CHARGES = {"O": (-2,), "S": (-2, 6), "Se": (-2, 4, 6), "F": (-1,), "Cl": (-1,), "Br": (-1,), "Li": (1,), "Na": (1,)}
CHARGES |= {"K": (1,), "Mg": (2,), "Ca": (2,), "Sr": (2,), "Ba": (2,), "Zn": (2,), "Al": (3,), "Ti": (3, 4)}


@pytest.fixture(scope="module")
def proposals(known, substitute):
    """Proposals from all that is known, without a limit that would cut the list."""
    return substitute(known, ALLOWED, rng(), limit=10**6)


@pytest.fixture(scope="module")
def candidates(proposals):
    return [proposal for _, proposal in proposals.items]


def labels_of(proposals):
    return [proposal.label for _, proposal in proposals.items]


def pairs_of(proposal):
    """What was replaced by what, by the provenance."""
    pairs = proposal.provenance["substitution"].split(",")
    return [tuple(ATOMIC_NUMBERS[symbol] for symbol in pair.split(">")) for pair in pairs]


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
        expected = symmetry_of(crystal.with_elements(dict(replacement))).decorated
        if relabel(label, replacement) != expected:
            wrong.append((label, replacement, expected))
    assert not wrong


def test_rescaling_rarely_changes_the_symmetry_that_is_found(candidates):
    """The tolerance is 0.1 Å whatever the volume, so a few borderline cells change their label when they shrink."""
    some = candidates[:600]
    same = sum(symmetry_of(proposal.crystal).decorated == proposal.label for proposal in some)
    assert same >= 0.97 * len(some)


def test_relabel_renames_elements_and_not_parts_of_names():
    label = "oF8_69_C2=4:mmm_Ca=4:mmm+8:mm2_Cl=2:m.."
    assert relabel(label, ((6, 14), (17, 9))) == "oF8_69_Ca=4:mmm+8:mm2_F=2:m.._Si2=4:mmm"
    assert relabel(label, ()) == label
    assert relabel(label, ((6, 17), (17, 6))) == "oF8_69_C=2:m.._Ca=4:mmm+8:mm2_Cl2=4:mmm"  # both at once


def test_candidates_are_new_and_no_two_alike(proposals, known):
    labels = labels_of(proposals)
    assert len(labels) > 300
    assert len(set(labels)) == len(labels)
    assert not set(labels) & set(known["decorated_prototype"])
    assert proposals.dropped["known"] > proposals.dropped["repeated"] > 0
    assert set(proposals.dropped) == {"known", "tried", "repeated", "outside", "excluded", "unbalanced"}


def test_ideas_are_counted_by_the_reason_they_are_dropped(known, substitute):
    """Strontium and barium may change places in their oxides: known. Both give the same KO: unbalanced, not known."""
    oxides = known.filter(
        pl.col("decorated_prototype").str.starts_with("cF8_225_"), pl.col("chemsys").is_in(["O-Sr", "Ba-O"])
    )
    result = substitute(oxides, frozenset(["Sr", "Ba", "K", "O"]), rng(), min_substitution_probability=0.02)
    table = hautier_probabilities()
    assert len(oxides) == 2
    assert min(table[19, 38], table[19, 56], table[38, 56], table[56, 38]) > 0.02  # all four ideas are drawn
    assert result.items == []
    assert {word: n for word, n in result.dropped.items() if n} == {"known": 2, "unbalanced": 2}
    (tried,) = {relabel(label, ((38, 19),)) for label in oxides["decorated_prototype"] if "Sr" in label}
    again = substitute(
        oxides, frozenset(["Sr", "Ba", "K", "O"]), rng(), tried={tried}, min_substitution_probability=0.02
    )
    assert {word: n for word, n in again.dropped.items() if n} == {"known": 2, "tried": 2}


def test_what_was_tried_is_not_proposed_again(known, substitute, candidates):
    tried = {proposal.label for proposal in candidates[::2]}
    again = substitute(known, ALLOWED, rng(), tried=tried, limit=10**6)
    assert not set(labels_of(again)) & tried
    assert labels_of(again) == [proposal.label for proposal in candidates[1::2]]


def test_candidates_come_from_their_parents_by_the_replacement_they_tell(candidates, known):
    parents = dict(zip(known["material_id"], decode(known), strict=True))
    table = hautier_probabilities()
    for proposal in candidates[::7]:
        parent, child = parents[proposal.provenance["parent"]], proposal.crystal
        mapping = dict(pairs_of(proposal))
        assert child.species == [SYMBOLS[mapping.get(int(z), int(z))] for z in parent.atomic_numbers]
        assert np.array_equal(child.frac_coords, parent.frac_coords)
        assert child.lattice == pytest.approx(parent.lattice * np.cbrt(child.volume / parent.volume))
        assert proposal.weight == pytest.approx(np.prod([table[new, old] for old, new in mapping.items()]))


def test_candidates_start_nearer_to_the_right_volume_than_their_parents_volume_is(known):
    """Where parent and child are both known, the candidate can be compared with what the oracle relaxed to."""
    crystals, labels = decode(known), known["decorated_prototype"].to_list()
    volumes, rows = AtomicVolumes.fit(crystals), {label: row for row, label in enumerate(labels)}
    pairs = [
        (crystal, crystal.with_elements({old: new}), crystals[rows[child]])
        for row, crystal in enumerate(crystals)
        for old, new in product(np.unique(crystal.atomic_numbers).tolist(), map(ATOMIC_NUMBERS.get, sorted(ALLOWED)))
        if (child := relabel(labels[row], ((old, new),))) in rows and new not in crystal.atomic_numbers
    ]
    unrelaxed_structure = [np.log(volumes.rescale(parent, child).volume / true.volume) for parent, child, true in pairs]
    unscaled = [np.log(parent.volume / true.volume) for parent, _, true in pairs]
    assert len(pairs) > 100
    assert np.std(unrelaxed_structure) < 0.6 * np.std(unscaled)
    assert abs(np.mean(unrelaxed_structure)) < 0.05


def test_compounds_with_anions_are_charge_balanced(candidates):
    ionic = 0
    for proposal in candidates:
        symbols, counts = np.unique(proposal.crystal.species, return_counts=True)
        if {"O", "S", "Se", "F", "Cl", "Br"} & set(symbols) and len(symbols) > 1:
            ionic += 1
            charges = product(*(CHARGES[symbol] for symbol in symbols))
            assert any(np.dot(one, counts) == 0 for one in charges), proposal.crystal.species
    assert 100 < ionic < len(candidates)  # intermetallics are proposed, too


def test_only_allowed_elements_are_put_in(known, substitute):
    few = frozenset(["Li", "Na", "S", "Se"])
    inside = known.filter(pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(few)).list.all())
    result = substitute(inside, few, rng(), min_substitution_probability=0.0)
    put_in = {SYMBOLS[new] for _, proposal in result.items for _, new in pairs_of(proposal)}
    assert {"Li", "Na", "S"} <= put_in <= few


def test_no_candidate_keeps_an_element_without_a_reference(known, substitute):
    few = frozenset(["Li", "Na", "S"])
    result = substitute(known, few, rng())
    assert result.dropped["outside"] > 0
    assert all(set(proposal.crystal.species) <= few for _, proposal in result.items)


def test_limits_on_parents_are_kept(known, substitute):
    strict = {"max_sites": 5, "max_elements": 2, "max_parent_energy_above_hull": 0.02}
    result = [proposal for _, proposal in substitute(known, ALLOWED, rng(), **strict).items]
    parents = known.filter(pl.col("material_id").is_in([proposal.provenance["parent"] for proposal in result]))
    assert parents["nsites"].max() == 5
    assert 0 < parents["energy_above_hull"].max() <= 0.02
    assert max(len(set(proposal.crystal.species)) for proposal in result) == 2
    assert max(len(proposal.crystal) for proposal in result) == 5


def test_improbable_replacements_are_left_out(known, substitute):
    result = substitute(known, ALLOWED, rng(), min_substitution_probability=0.02)
    assert result.items
    assert min(proposal.weight for _, proposal in result.items) >= 0.02


def test_nothing_is_proposed_where_nothing_is_probable(known, substitute):
    result = substitute(known, ALLOWED, rng(), min_substitution_probability=1.0)
    assert result.items == []
    assert not any(result.dropped.values())


def test_the_draw_follows_from_the_generator(known, substitute):
    runs = [substitute(known, ALLOWED, rng(seed), limit=60) for seed in (1, 1, 2)]
    first, again, other = map(labels_of, runs)
    assert len(first) == 60
    assert first == again
    assert set(first) != set(other)
    pairs = zip(runs[0].items, runs[1].items, strict=True)
    assert all(a.crystal.digest() == b.crystal.digest() for (_, a), (_, b) in pairs)


def test_likely_replacements_come_first_on_average(candidates):
    probabilities = [proposal.weight for proposal in candidates]
    half = len(probabilities) // 2
    assert np.mean(probabilities[:half]) > 1.5 * np.mean(probabilities[half:])
