"""Other processors, as far as this one can act their part: what chooses the kernels of numpy, torch, MKL and libm.

The reference is the processor as it is. Names that a library does not know are ignored by it (OpenBLAS warns of cores
that it cannot use, and takes its own choice), so the list is the same everywhere.
"""

import platform

_NEWER_THAN_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR"  # as numpy calls them
_NEWER_THAN_SSE4 = f"X86_V3 {_NEWER_THAN_AVX2}"
_NO_FMA = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")

PROCESSORS: dict[str, dict[str, str]] = {
    "this one": {},
    "one thread": dict.fromkeys(_THREADS, "1"),
    "Haswell": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": _NEWER_THAN_AVX2,
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "Zen, three threads": {
        "OPENBLAS_CORETYPE": "Zen",
        "NPY_DISABLE_CPU_FEATURES": _NEWER_THAN_AVX2,
        "ATEN_CPU_CAPABILITY": "avx2",
        **dict.fromkeys(_THREADS, "3"),
    },
    "Nehalem": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": _NEWER_THAN_SSE4,
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "GLIBC_TUNABLES": _NO_FMA,
    },
}


def can_be_emulated() -> bool:
    """Whether the variables mean anything here."""
    return platform.machine().lower() in ("x86_64", "amd64")
