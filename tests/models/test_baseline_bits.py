"""The sum over elements that networks build on is the same to the last bit, whatever kernels BLAS has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernels import PROCESSORS, can_be_emulated

ROOT = Path(__file__).parents[2]
SCRIPT = """
import hashlib
import numpy as np
from lodestone.crystals.compositions import N_ELEMENTS
from lodestone.models.baseline import ElementBaseline

draw = np.random.default_rng(0)
counts = np.zeros((800, N_ELEMENTS))
for row in counts:
    row[draw.choice(np.arange(1, 90), 3, replace=False)] = draw.integers(1, 5, 3)
fractions = counts / counts.sum(axis=1, keepdims=True)
energies = draw.normal(-1.0, 1.0, len(counts))
fitted = ElementBaseline.fit(fractions, energies)
parts = fitted.coefficients, np.float64(fitted.scale), fitted.standardize(fractions, energies)
print(hashlib.md5(b"".join(part.tobytes() for part in (*parts, fitted.restore(fractions, energies)))).hexdigest())
"""


@pytest.mark.skipif(not can_be_emulated(), reason="other processors can be acted on x86-64 only")
def test_the_baseline_has_the_same_bits_on_every_processor():
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pipeline")}
    found = {
        name: subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment | variables, capture_output=True, text=True, check=True
        ).stdout
        for name, variables in PROCESSORS.items()
    }
    assert set(found.values()) == {found["this one"]}, found
