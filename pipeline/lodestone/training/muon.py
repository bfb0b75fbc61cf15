"""Muon: descent whose steps on a matrix are made orthogonal, so that small directions of a gradient count like large.

After K. Jordan et al., https://kellerjordan.github.io/posts/muon (2024), with the size of steps of J. Liu et al.,
arXiv:2502.16982, which makes learning rates those of AdamW. ``torch.optim.Muon`` takes one matrix after the other, in
bfloat16: four times as long for networks of this size, and longer than all the rest on processors without bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_ITERATIONS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan: steep at 0, and values near 1 stay between 0.7 and 1.2
_AS_ADAMW = 0.2  # root mean square of AdamW's steps at a rate of 1 (Liu, equation 4)
_TINY = 1e-7


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal.

    Args:
        matrices: Parameters of two dimensions.
        weight_decay: Share of the weights that a step takes away at a rate of 1.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], weight_decay: float) -> None:
        super().__init__(matrices, {"lr": 0.0, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing is searched along a line
        """One step on all matrices that have a gradient, those of one shape together."""
        for group in self.param_groups:
            for matrices in _of_one_shape(group["params"]):
                updates = orthogonal(torch.stack([_wide(self._momentum(matrix)) for matrix in matrices]))
                size = _AS_ADAMW * updates.shape[2] ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    _wide(matrix).sub_(update, alpha=group["lr"] * size)

    def _momentum(self, matrix: nn.Parameter) -> Tensor:
        gradient, state = matrix.grad, self.state[matrix]
        if not state:
            state["average"] = torch.zeros_like(matrix)
        average = state["average"].lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(average, _MOMENTUM)  # type: ignore[union-attr]  # _of_one_shape leaves out None


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the closest matrices with orthonormal rows: the singular values of most become 0.7 to 1.2.

    Args:
        matrices: Shape ``(k, m, n)``, m at most n.

    Returns:
        The same shape.
    """
    a, b, c = _QUINTIC
    x = matrices / matrices.flatten(1).norm(dim=1).clamp(min=_TINY)[:, None, None]
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _of_one_shape(parameters: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Those that have a gradient; a matrix and one of the transposed shape are alike."""
    shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
    for matrix in parameters:
        if matrix.grad is not None:
            shapes.setdefault(tuple(sorted(matrix.shape)), []).append(matrix)
    return list(shapes.values())


def _wide(matrix: Tensor) -> Tensor:
    """A view with at least as many columns as rows."""
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
