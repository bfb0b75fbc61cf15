"""Decompositions in moles, as chemists count: the tables give shares of the atoms."""

from __future__ import annotations

import numpy as np

from lodestone.crystals.compositions import fractions_of_formulas


def in_moles(decomposition: str, formula: str) -> str:
    """What one formula unit decomposes into, in moles.

    Amounts follow from the formulas alone, since the products of a decomposition have independent compositions; those
    of the text are rounded.

    Args:
        decomposition: Products with their shares of the atoms, as ``0.67 Rb2O + 0.33 SnO2``; may be empty.
        formula: What decomposes.
    """
    products = [part.split(" ", 1)[1] for part in decomposition.split(" + ") if part]
    if not products:
        return ""
    if products == [formula]:
        return f"{formula}, another phase of it"
    fractions = fractions_of_formulas([formula, *products])
    shares = np.linalg.lstsq(fractions[1:].T, fractions[0], rcond=None)[0]
    size, *sizes = (_atoms(one) for one in (formula, *products))
    moles = [share * size / other for share, other in zip(shares, sizes, strict=True)]
    return " + ".join(f"{_amount(one)}{name}" for one, name in zip(moles, products, strict=True))


def _atoms(formula: str) -> float:
    from pymatgen.core import Composition

    return float(Composition(formula).num_atoms)


def _amount(moles: float) -> str:
    text = f"{moles:.3f}".rstrip("0").rstrip(".")
    return "" if text == "1" else f"{text} "
