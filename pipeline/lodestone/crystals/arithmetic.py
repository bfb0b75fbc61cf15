"""Linear algebra of many small matrices in plain arithmetic: the same bits on every processor.

BLAS, LAPACK and ``einsum`` choose a kernel by processor, and with it the order of sums and whether a product is rounded
before it is added. numpy's elementwise operations are rounded one by one, as IEEE 754 requires, whatever the kernel.
Everything stored before a network is trained is computed with these functions.
"""

from __future__ import annotations

import numpy as np


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of products over the last axis, added one by one.

    Args:
        first: Shape ``(..., k)``.
        second: Shape ``(..., k)``; the other axes are broadcast.

    Returns:
        Shape ``(...)``.
    """
    total = first[..., 0] * second[..., 0]
    for index in range(1, first.shape[-1]):
        total = total + first[..., index] * second[..., index]
    return np.asarray(total)


def matmul(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product of matrices of shape ``(..., m, k)`` and ``(..., k, n)``; the other axes are broadcast."""
    return dot(first[..., :, None, :], np.swapaxes(second, -1, -2)[..., None, :, :])


def inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverse of each matrix by Gauss-Jordan elimination, the largest pivot of each column first.

    Args:
        matrices: Shape ``(q, k, k)``.

    Raises:
        numpy.linalg.LinAlgError: If a matrix is singular.
    """
    count, k, _ = matrices.shape
    rows = np.arange(count)
    table = np.concatenate([matrices, np.broadcast_to(np.eye(k), matrices.shape)], axis=2)
    for column in range(k):
        pivot = column + np.argmax(np.abs(table[:, column:, column]), axis=1)
        table[rows, pivot], table[:, column] = table[:, column].copy(), table[rows, pivot]
        if not table[:, column, column].all():
            raise np.linalg.LinAlgError("Singular matrix")
        table[:, column] /= table[:, column, column, None].copy()
        others = table[:, :, column].copy()
        others[:, column] = 0.0
        table -= others[:, :, None] * table[:, column, None, :]
    return table[:, :, k:]


def determinant(matrix: np.ndarray) -> float:
    """Determinant of a matrix of shape ``(3, 3)``."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return float(a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g))
