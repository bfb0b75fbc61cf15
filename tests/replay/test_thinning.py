"""Stable crystals are made rare, and nothing else is touched."""

import numpy as np
import pytest

from lodestone.errors import LodestoneError
from lodestone.replay.thinning import thinned

STABLE = np.arange(1000) % 3 == 0  # 334 of 1,000


@pytest.mark.parametrize("prevalence", [0.05, 0.1, 0.25])
def test_the_share_of_stable_crystals_is_what_was_asked_for(prevalence):
    kept = thinned(STABLE, prevalence, np.random.default_rng(0))
    assert STABLE[kept].mean() == pytest.approx(prevalence, abs=0.001)
    assert (~STABLE[kept]).sum() == (~STABLE).sum()  # all others stay
    assert (np.diff(kept) > 0).all()


def test_a_pool_with_fewer_stable_crystals_stays_as_it_is():
    assert len(thinned(STABLE, 0.5, np.random.default_rng(0))) == 1000
    assert len(thinned(STABLE, 1.0, np.random.default_rng(0))) == 1000


def test_one_stable_crystal_stays_however_few_are_wanted():
    kept = thinned(np.array([True, False, False, True]), 1e-6, np.random.default_rng(0))
    assert len(kept) == 3


def test_the_generator_decides_which_stay():
    one, same, other = (set(thinned(STABLE, 0.1, np.random.default_rng(seed)).tolist()) for seed in (0, 0, 1))
    assert one == same
    assert one != other
    drawn = [thinned(STABLE, 0.1, np.random.default_rng(seed)) for seed in range(200)]
    counts = np.bincount(np.concatenate([rows[STABLE[rows]] for rows in drawn]), minlength=1000)[STABLE]
    assert counts.min() > 15  # each of 334 is one of 74 that stay: 44 times of 200 on average


@pytest.mark.parametrize("prevalence", [0, -0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(prevalence):
    with pytest.raises(LodestoneError, match="is no share"):
        thinned(STABLE, prevalence, np.random.default_rng(0))
