"""Input files of VASP for a crystal, by the input sets with which the Materials Project computes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.vasp.faults import MisfitError

if TYPE_CHECKING:
    from lodestone.crystals.crystal import Crystal

_DIGITS = 10
_REMEDY = (
    "set PMG_VASP_PSP_DIR, in ~/.config/.pmgrc.yaml or in the environment, to a folder that holds POT_GGA_PAW_PBE (for "
    "MPScanRelaxSet POT_GGA_PAW_PBE_54), as `pmg config -p` makes it from the files that come with VASP"
)


@dataclass(frozen=True)
class InputSet:
    """An input set of pymatgen, and what the energies are that it gives.

    Attributes:
        relaxing: Its class for relaxations.
        static: The class with the same settings for crystals that stay as they are.
        label_method: What makes the energies.
        correction_scheme: Whose corrections belong to them.
    """

    relaxing: str
    static: str
    label_method: str
    correction_scheme: str

    def numbers(self) -> dict[str, Any]:
        """Its settings in the installed pymatgen, element by element."""
        return dict(self.maker().CONFIG)

    def maker(self, *, relaxes: bool = True) -> Any:
        """The class of pymatgen."""
        from pymatgen.io.vasp import sets

        return getattr(sets, self.relaxing if relaxes else self.static)


INPUT_SETS = {
    one.relaxing: one
    for one in (
        InputSet("MPRelaxSet", "MPStaticSet", "dft-pbe", "MP2020"),
        InputSet("MPScanRelaxSet", "MPScanStaticSet", "dft-r2scan", "none"),
    )
}


def input_files(
    crystal: Crystal,
    comment: str,
    input_set: InputSet,
    *,
    incar: Mapping[str, Any] | None = None,
    relaxes: bool = True,
) -> dict[str, str]:
    """What VASP reads: POSCAR, INCAR, KPOINTS where INCAR has no KSPACING, and the pseudopotentials.

    Args:
        crystal: Any crystal.
        comment: First line of POSCAR.
        input_set: One of :data:`INPUT_SETS`.
        incar: Keys of INCAR that differ from the input set.
        relaxes: Whether cell and positions are relaxed.

    Returns:
        Text of each file by its name. In place of ``POTCAR`` stands ``POTCAR.spec``, the names of the pseudopotentials,
        where pymatgen has not been told where they are.

    Raises:
        MisfitError: If the input set has no pseudopotential of an element.
        LodestoneError: If pymatgen does not find one.
    """
    structure = crystal.to_pymatgen().get_sorted_structure()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about elements, overrides, and pseudopotentials of later releases
        made = input_set.maker(relaxes=relaxes)(structure, user_incar_settings=dict(incar or {}))
        _refuse_unknown(made, input_set)
        kpoints = made.kpoints
        files = {"POSCAR": poscar_text(crystal, comment), "INCAR": str(made.incar).rstrip() + "\n"}
        files |= {} if kpoints is None else {"KPOINTS": str(kpoints).rstrip() + "\n"}
        return files | ({"POTCAR": _potcar(made)} if has_potentials() else {"POTCAR.spec": _names(made)})


def poscar_text(crystal: Crystal, comment: str) -> str:
    """A crystal as POSCAR, its atoms grouped by element as POTCAR wants them."""
    from pymatgen.io.vasp import Poscar

    structure = crystal.to_pymatgen().get_sorted_structure()
    return str(Poscar(structure, comment=comment).get_str(significant_figures=_DIGITS))


def has_potentials() -> bool:
    """Whether pymatgen has been told where the pseudopotentials are."""
    from pymatgen.core import SETTINGS

    return bool(SETTINGS.get("PMG_VASP_PSP_DIR"))


def require_potentials() -> None:
    """See to it that a calculation can begin.

    Raises:
        LodestoneError: If pymatgen has not been told where the pseudopotentials are.
    """
    if not has_potentials():
        raise LodestoneError("VASP needs pseudopotentials, and pymatgen does not know where they are", _REMEDY)


def _refuse_unknown(made: Any, input_set: InputSet) -> None:
    known = input_set.numbers()["POTCAR"]
    if missing := [symbol for symbol in made.poscar.site_symbols if symbol not in known]:
        raise MisfitError(f"{input_set.relaxing} has no pseudopotential for {', '.join(missing)}")


def _names(made: Any) -> str:
    return "\n".join(made.potcar_symbols) + "\n"


def _potcar(made: Any) -> str:
    try:
        return str(made.potcar)
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise LodestoneError(f"a pseudopotential of {', '.join(made.potcar_symbols)}: {reason}", _REMEDY) from error
