from argparse import Namespace

import numpy as np
import polars as pl
import pytest

from replay_published import PUBLISHED, figures, table

ASKED = Namespace(prevalence=0.1, share=0.1, seeds=4)


@pytest.fixture(scope="module")
def pool():
    """Crystals of which a third is stable; the first network knows all labels, the last errs by 1 eV/atom."""
    generator, n = np.random.default_rng(0), 600
    distance = generator.normal(0.05, 0.1, n)
    true = generator.normal(-1.0, 0.5, n)
    size = dict(zip(PUBLISHED.values(), (0.0, 0.02, 0.05, 0.1, 1.0), strict=True))
    columns = {column: true + generator.normal(0, 1, n) * by for column, by in size.items()}
    return pl.DataFrame({"formation_energy_per_atom": true, "energy_above_hull_known": distance, **columns})


def test_a_perfect_ranking_reaches_the_ceiling_and_a_reversed_one_finds_nothing():
    stable = np.arange(100) < 10
    distance = np.arange(100.0) - 9.5
    assert figures(stable, distance, 0.1) == pytest.approx((10.0, 1.0, 1.0))
    found = figures(stable, -distance, 0.1)
    assert found[:2] == (0.0, 0.0)
    assert found[2] == pytest.approx(-1.0)


def test_each_network_has_a_line_and_larger_errors_find_less(pool):
    lines = list(table(pool, ASKED))[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == list(PUBLISHED)
    shares = [float(line.split(" | ")[3].split("%")[0]) for line in lines]
    assert shares[0] == 100
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 40
