"""Verdicts of each kind."""

from lodestone.phonons.verdicts import SHALLOW, not_computed


def kind(is_stable, lowest, *, reason=None, followed=None):
    return {
        "is_stable": is_stable,
        "is_computed": True,
        "reason": reason,
        "followed": followed,
        "n_atoms": 2,
        "spacegroup_number": 225,
        "energy_per_atom": -1.0,
        "n_atoms_supercell": 64,
        "lowest_frequency": lowest,
        "lowest_q": [0.5, 0.0, 1 / 3],
        "highest_frequency": 9.0,
    }


END = {"is_stable": True, "is_computed": True, "reason": None, "spacegroup_number": 62, "gained": 0.0123}
NOWHERE = not_computed("not relaxed: exploded") | {"gained": None}
KINDS = [
    kind(True, 0.7),
    kind(False, -1.5, followed=END),
    kind(None, -0.4, reason=SHALLOW, followed=END | {"gained": 0.0004}),
    not_computed("too large: whatever"),
    kind(False, -2.5, followed=NOWHERE),
]
