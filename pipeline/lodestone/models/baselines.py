"""What networks are spared: the part of the energy that is known without them, by the name that parameters give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lodestone.crystals.compositions import N_ELEMENTS, without_zeros
from lodestone.models.baseline import ElementBaseline
from lodestone.models.hull_baseline import HullBaseline

Baseline = ElementBaseline | HullBaseline

_KINDS: Mapping[str, type[ElementBaseline] | type[HullBaseline]] = {"elements": ElementBaseline, "hull": HullBaseline}


def fit_baseline(kind: str, fractions: np.ndarray, energies: np.ndarray) -> Baseline:
    """Fit a baseline to training crystals.

    Args:
        kind: ``elements`` or ``hull``.
        fractions: Shape ``(n, N_ELEMENTS)``.
        energies: Formation energies, shape ``(n,)``, eV/atom.
    """
    return _KINDS[kind].fit(fractions, energies)


def numbers_of(baseline: Baseline) -> dict[str, Any]:
    """What of a baseline is small enough for JSON."""
    seen = np.flatnonzero(baseline.seen).tolist()
    if isinstance(baseline, HullBaseline):
        return {"kind": "hull", "scale": baseline.scale, "seen": seen}
    return {"coefficients": baseline.coefficients.tolist(), "scale": baseline.scale, "seen": seen}


def arrays_of(baseline: Baseline) -> dict[str, np.ndarray]:
    """The rest of it, arrays by name; none of a sum over elements."""
    if not isinstance(baseline, HullBaseline):
        return {}
    elements, amounts = without_zeros(baseline.fractions)
    return {"elements": elements, "amounts": amounts, "energies": baseline.energies}


def restored(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Baseline:
    """The inverse of :func:`numbers_of` and :func:`arrays_of`.

    Raises:
        KeyError: If one of them lacks a part; also ``TypeError``, ``ValueError`` and ``IndexError`` for wrong ones.
    """
    seen = np.zeros(N_ELEMENTS, dtype=bool)
    seen[np.array(numbers["seen"], dtype=int)] = True
    if numbers.get("kind", "elements") == "elements":
        return ElementBaseline(np.array(numbers["coefficients"], dtype=float), float(numbers["scale"]), seen)
    elements, amounts = arrays["elements"], arrays["amounts"]
    fractions = np.zeros((len(elements), N_ELEMENTS))
    rows, places = np.nonzero(amounts)
    fractions[rows, elements[rows, places]] = amounts[rows, places]
    return HullBaseline(fractions, arrays["energies"], float(numbers["scale"]), seen)
