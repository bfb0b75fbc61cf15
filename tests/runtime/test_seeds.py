"""Seeds depend on names, and on nothing else."""

from itertools import product

import pytest

from lodestone.runtime.seeds import child_generator, child_seed


@pytest.mark.parametrize(
    ("path", "seed"), [((0,), 613549620), ((20, "round_1", "structure", 2), 2285433851), ((7, "split"), 2610319289)]
)
def test_seeds_are_the_same_everywhere_and_always(path, seed):
    assert child_seed(*path) == seed


def test_every_part_of_the_path_counts():
    paths = product((0, 1, 20), ("round_0", "round_1"), ("structure", "composition"), (0, 1))
    seeds = [child_seed(*path) for path in paths]
    assert len(set(seeds)) == 24
    assert child_seed(0, "a", "b") != child_seed(0, "b", "a")
    assert child_seed(0) != child_seed(0, "a")


def test_seeds_fit_32_bits():
    assert all(0 <= child_seed(root, "x") < 2**32 for root in range(200))
    assert max(child_seed(root, "x") for root in range(200)) > 2**31


def test_generators_of_equal_names_draw_equal_numbers():
    first, second, other = (child_generator(20, name) for name in ("a", "a", "b"))
    drawn = first.random(4).tolist()
    assert second.random(4).tolist() == drawn
    assert other.random(4).tolist() != drawn
