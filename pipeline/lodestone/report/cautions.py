"""What a reader should know of a find beyond its energy: layers, and magnetism that nobody looked for."""

from __future__ import annotations

import warnings

from lodestone.crystals.crystal import Crystal

# Elements whose compounds mostly have moments: the 3d metals in the middle, and f metals with an open shell.
MAGNETIC = frozenset("V Cr Mn Fe Co Ni Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb U Np Pu".split())
_WORDS = {0: "molecules", 1: "chains", 2: "layers", 3: "a framework"}


def cautions(crystal: Crystal) -> list[tuple[str, str]]:
    """Names and texts.

    Args:
        crystal: As the oracle relaxed it.
    """
    magnetic = sorted(MAGNETIC & set(crystal.species))
    found = [("Bonded into", bonded_into(crystal))]
    if magnetic:
        found.append(
            ("Magnetism", f"compounds of {', '.join(magnetic)} mostly have moments; no order of them was searched for")
        )
    return found


def bonded_into(crystal: Crystal) -> str:
    """Molecules, chains, layers, a framework, or several of them, by the range of bond lengths over which it holds.

    By Larsen, Pandey, Strange and Jacobsen, Phys. Rev. Mater. 3, 034003 (2019), as ASE implements it. The score is 1
    where nothing else could be said, and near 0 where it hangs on what counts as a bond.
    """
    from ase.geometry.dimensionality import analyze_dimensionality

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        likeliest = analyze_dimensionality(crystal.to_ase(), method="RDA", merge=True)[0]
    parts = [_WORDS[size] for size, count in enumerate(likeliest.h) if count]
    return f"{' and '.join(parts)} (score {likeliest.score:.2f})"
