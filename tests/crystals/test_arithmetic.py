"""Plain arithmetic gives what LAPACK gives, and sums in a fixed order."""

import numpy as np
import pytest

from lodestone.crystals.arithmetic import determinant, dot, inverse, matmul

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_inverses_are_those_of_lapack(k):
    matrices = DRAW.normal(size=(50, k, k))
    before = matrices.copy()
    assert inverse(matrices) == pytest.approx(np.linalg.inv(matrices), rel=1e-9, abs=1e-9)
    assert (matrices == before).all()


def test_a_zero_on_the_diagonal_is_no_obstacle_and_a_singular_matrix_is_refused():
    swap = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    assert (inverse(swap) == swap).all()
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        inverse(np.concatenate([swap, np.ones((1, 2, 2))]))


def test_products_and_determinants():
    first, second = DRAW.normal(size=(5, 4, 3)), DRAW.normal(size=(3, 6))
    assert matmul(first, second) == pytest.approx(first @ second)
    assert dot(first, second.T[0]) == pytest.approx(first @ second[:, 0])
    assert determinant(second[:, :3]) == pytest.approx(np.linalg.det(second[:, :3]))


def test_sums_are_taken_in_order():
    """One after another, 1e16 swallows each 1; any other order keeps some of them."""
    values = np.array([1e16, *([1.0] * 30)])
    assert dot(values, np.ones(31)) == 1e16
    assert dot(values[::-1], np.ones(31)) == 1e16 + 30
