"""Pins kernels that every x86-64 processor since 2013 has, for bit-identical results on all of them.

numpy, torch and their libraries choose the fastest kernels of the processor they run on, and these differ in their last
bits. ``LODESTONE_REPRODUCIBLE=1`` pins them all; docs/decisions/0014 says what that costs.
"""

from __future__ import annotations

import os
import platform
import sys

REPRODUCIBLE_VARIABLE = "LODESTONE_REPRODUCIBLE"
PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # products of matrices in torch; the one setting that works on both AMD and Intel
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",  # products of matrices in numpy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's own kernels
}


def pinned_kernels() -> dict[str, str]:
    """Environment variables for bit-identical results on every machine; empty if these are not requested."""
    reproducible = os.environ.get(REPRODUCIBLE_VARIABLE, "0") not in ("", "0")
    return dict(PINNED) if reproducible and platform.machine().lower() in ("x86_64", "amd64") else {}


def restart_with_pinned_kernels() -> None:
    """Restart this process, with the same pid, if its environment should pin the kernels and does not.

    numpy reads the environment when it is imported, which is before any code of a stage runs.
    """
    if any(os.environ.get(name) != value for name, value in pinned_kernels().items()):
        os.environ.update(pinned_kernels())
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command of this process
