"""Children as arrays are those that the generator draws, one by one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.encoding import decode
from lodestone.crystals.graph import orbit_graph
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.generators.substitution import relabel
from lodestone.screening.child_graphs import child_graphs
from lodestone.screening.families import children_of, families
from lodestone.substitution.draw import draw_substitutions
from lodestone.substitution.probabilities.hautier import hautier_probabilities
from lodestone.tables.layout import REFERENCE_FILE

ROOT = Path(__file__).parents[2]
ALLOWED = np.array(sorted(ATOMIC_NUMBERS[x] for x in ("Li", "Na", "K", "Mg", "Ca", "O", "S", "F", "Cl", "Br", "Ti")))


@pytest.fixture(scope="module")
def reference() -> pl.DataFrame:
    """Compounds of two and three elements, labelled as a campaign labels them."""
    table = pl.read_parquet(ROOT / REFERENCE_FILE).filter(pl.col("chemsys").str.count_matches("-") > 0)
    table = table.sample(60, seed=3, shuffle=True)
    return table.with_columns(
        pl.Series("decorated_prototype", [symmetry_of(crystal).decorated for crystal in decode(table)])
    )


def _labels(reference, family, children) -> set[str]:
    """The labels of children, as the generator makes them from those of their parents."""
    made = set()
    for row in range(len(children)):
        own, new = family.elements[children.parent[row]], children.elements[row]
        replaced = tuple((int(a), int(b)) for a, b in zip(own, new, strict=True) if a != b)
        made.add(relabel(reference["decorated_prototype"][int(family.parents[children.parent[row]])], replaced))
    return made


def test_children_are_all_that_the_generator_draws_and_no_more(reference):
    labels = reference["decorated_prototype"].to_list()
    parents = range(0, len(labels), 2)
    made, n = set(), 0
    for family in families(labels, parents):
        children = children_of(family, ALLOWED, hautier_probabilities(), 0.001)
        found = _labels(reference, family, children)
        assert len(found) == len(children), "two children are one crystal"
        made, n = made | found, n + len(children)
    crystals = decode(reference)
    elements = [np.unique(crystals[row].atomic_numbers) for row in parents]
    drawn = draw_substitutions(elements, ALLOWED, hautier_probabilities(), np.random.default_rng(0))
    expected = {relabel(labels[list(parents)[one.parent]], one.replacement) for one in drawn} - set(labels)
    assert made == expected
    assert n == len(made) > 100


def test_children_made_distinct_as_they_come_are_the_same_in_the_same_order(monkeypatch):
    salts = [f"cF2_225_{one}=1:m-3m_{other}=1:m-3m" for one in ("Li", "Na", "K", "Rb") for other in ("F", "Cl", "Br")]
    (family,) = families(salts, range(len(salts)))
    at_once = children_of(family, ALLOWED, hautier_probabilities(), 0.001)
    monkeypatch.setattr("lodestone.screening.families._AT_ONCE", 1)
    one_by_one = children_of(family, ALLOWED, hautier_probabilities(), 0.001)
    assert len(at_once) > len(salts)
    assert len(set(at_once.parent.tolist())) > 3
    assert all(np.array_equal(value, getattr(one_by_one, name)) for name, value in vars(at_once).items())


def test_known_and_tried_crystals_are_no_children(reference):
    labels = reference["decorated_prototype"].to_list()
    first = families(labels, range(len(labels)))[0]
    child = next(iter(_labels(reference, first, children_of(first, ALLOWED, hautier_probabilities(), 0.001))))
    again = families(labels, range(len(labels)), tried=[child])[0]
    assert child not in _labels(reference, again, children_of(again, ALLOWED, hautier_probabilities(), 0.001))


def test_the_likeliest_of_several_parents_is_the_parent():
    labels = ["cF2_225_Na=1:m-3m_Cl=1:m-3m", "cF2_225_Rb=1:m-3m_Cl=1:m-3m"]
    (family,) = families(labels, [0, 1])
    children = children_of(
        family, np.array([19]), hautier_probabilities(), 0.0
    )  # potassium for sodium, rubidium or chlorine
    (place,) = np.flatnonzero((np.sort(children.elements, axis=1) == [17, 19]).all(axis=1))
    potassium, rng = np.array([19]), np.random.default_rng(0)
    each = {
        parent: max(
            one.probability
            for one in draw_substitutions([row], potassium, hautier_probabilities(), rng, least=0)
            if _is_for_metal(one)
        )
        for parent, row in enumerate(np.sort(family.elements, axis=1))
    }
    assert each[0] != each[1]
    assert children.parent[place] == max(each, key=each.get)
    assert children.probability[place] == pytest.approx(max(each.values()))


def _is_for_metal(one) -> bool:
    """Whether sodium or rubidium is replaced, and nothing else."""
    return {old for old, _ in one.replacement} <= {11, 37}


def test_graphs_of_children_are_those_of_a_new_search(reference):
    """Up to bonds that are merged at one scale and not at another, whose lengths differ by 0.01 Å."""
    same, n, alike = 0, 0, []
    for crystal in decode(reference)[:20]:
        scales = np.array([0.85, 0.97, 1.0, 1.1, 1.3])
        atoms = np.repeat(crystal.atomic_numbers[None], len(scales), axis=0)
        made = child_graphs(crystal, atoms, scales, cutoff=5.0, neighbors=12)
        for scale, graph in zip(scales, made, strict=True):
            child = crystal.scaled_to(crystal.volume * scale**3)
            expected = orbit_graph(child, 5.0, 12)
            assert graph is not None
            assert graph.atomic_numbers.tolist() == expected.atomic_numbers.tolist()
            assert graph.atoms.tolist() == expected.atoms.tolist()
            n += 1
            if len(graph.distance) == len(expected.distance):
                assert np.array_equal(graph.source, expected.source)
                assert np.array_equal(graph.target, expected.target)
                assert np.allclose(graph.distance, expected.distance, atol=1e-3)
                assert np.allclose(graph.bonds, expected.bonds, atol=1e-3)
                nearest = [expected.distance[expected.target == orbit].min() for orbit in range(len(expected.atoms))]
                if 2 * max(nearest) < 5.0:  # else the cutoff hides bonds from the angles of the one or the other
                    alike.append(np.allclose(graph.angles, expected.angles, atol=1e-3))
                same += 1
    assert n == 100
    assert same > 0.9 * n
    assert len(alike) > 20
    assert np.mean(alike) > 0.9


def test_a_child_without_neighbors_within_the_cutoff_has_no_graph_of_its_parent(reference):
    crystal = decode(reference)[0]
    atoms = np.repeat(crystal.atomic_numbers[None], 2, axis=0)
    near, far = child_graphs(crystal, atoms, np.array([1.0, 4.0]), cutoff=5.0, neighbors=12)
    assert near is not None
    assert far is None
