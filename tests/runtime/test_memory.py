"""Whoever says that memory ran out is understood."""

import numpy as np
import pytest
import torch

from lodestone.runtime.memory import is_out_of_memory


def numpys_own() -> MemoryError:
    with pytest.raises(MemoryError) as refused:
        np.empty(1 << 58, dtype=np.float64)
    return refused.value


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (numpys_own(), True),
        (torch.OutOfMemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("shape '[4, 4, -1]' is invalid"), False),
        (ValueError("memory"), False),
    ],
    ids=str,
)
def test_out_of_memory(error, is_memory):
    assert is_out_of_memory(error) is is_memory
