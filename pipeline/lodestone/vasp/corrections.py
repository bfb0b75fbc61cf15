"""Correction schemes by name, and the corrections of single calculations, as pymatgen computes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.vasp.faults import MisfitError

if TYPE_CHECKING:
    from pymatgen.core.entries import ComputedStructureEntry

NONE = "none"
# By the beginning of the name in `correction_scheme`: the class of pymatgen. `none` has none.
SCHEMES = {
    "MP2020": "MaterialsProject2020Compatibility",
    "MP-2020": "MaterialsProject2020Compatibility",
    "MP-2019": "MaterialsProjectCompatibility",
    "MP2019": "MaterialsProjectCompatibility",
}
_SAME = 1e-3  # eV/atom: what a stored correction may differ by rounding from the same one computed anew
_LONGEST = 160  # characters of a reason


def is_known(scheme: str) -> bool:
    """Whether pymatgen can apply a scheme, or it is ``none``."""
    return scheme == NONE or _class_of(scheme) is not None


def class_of(scheme: str) -> str | None:
    """Class of a correction scheme in pymatgen; ``None`` for ``none``.

    Raises:
        LodestoneError: If pymatgen knows no such scheme.
    """
    if scheme == NONE:
        return None
    known = _class_of(scheme)
    if known is None:
        raise LodestoneError(
            f"correction_scheme {scheme!r} is none that pymatgen could apply to calculations",
            f"it is one of {', '.join(SCHEMES)}, {NONE}; or give energies with the corrections in them as a table",
        )
    return known


def numbers_of(scheme: str) -> dict[str, Any]:
    """The numbers of a correction scheme in the installed pymatgen; none for ``none``.

    Raises:
        LodestoneError: If pymatgen does not know the scheme.
    """
    name = class_of(scheme)
    if name is None:
        return {}
    from pymatgen.entries import compatibility

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about schemes that are old
        found = vars(getattr(compatibility, name)())
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def _class_of(scheme: str) -> str | None:
    return next((name for start, name in SCHEMES.items() if scheme == start or scheme.startswith(f"{start}-")), None)


def correction(entry: ComputedStructureEntry, scheme: str) -> float:
    """Correction of a calculation, eV for its whole cell.

    Args:
        entry: Energy without corrections, structure, and the parameters of VASP that the scheme asks for.
        scheme: Name of the scheme; see :data:`SCHEMES`.

    Raises:
        LodestoneError: If pymatgen does not know the scheme.
        MisfitError: If the calculation does not fit the scheme (other pseudopotentials, another U).
    """
    name = class_of(scheme)
    if name is None:
        return 0.0
    from pymatgen.entries import compatibility

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about oxidation states that it could not find out
        try:
            bare = type(entry)(entry.structure, entry.energy, parameters=_as_scheme_names(entry.parameters))
            done = getattr(compatibility, name)().process_entry(bare, on_error="raise")
        except Exception as error:  # of the rules, and of data they do not expect
            raise MisfitError(f"does not fit {scheme}: {_brief(error)}") from error
    if done is None:
        raise MisfitError(f"does not fit {scheme}")
    return float(done.correction)


def stated_classes(adjustments: Iterable[Any]) -> list[str | None]:
    """The class that each energy adjustment of an entry says it is of; ``None`` where it does not say."""
    classes = [one.get("cls") if isinstance(one, Mapping) else None for one in adjustments]
    return [str(one["@class"]) if isinstance(one, Mapping) and "@class" in one else None for one in classes]


def stated_scheme_fault(adjustments: Iterable[Any], scheme: str) -> str | None:
    """Why energy adjustments of an entry are of another scheme, or ``None`` where they say nothing against it."""
    others = sorted({name for name in stated_classes(adjustments) if name} - {class_of(scheme)})
    return f"its corrections are of {', '.join(others)}, not of {scheme}" if others else None


def is_same(first: float, second: float) -> bool:
    """Whether two corrections, eV/atom, are one."""
    return abs(first - second) <= _SAME


def _as_scheme_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The schemes know PBE as GGA, and a run whose input names it differs from one that leaves it to the POTCAR."""
    run_type = str(parameters.get("run_type"))
    return {**parameters, "run_type": {"PBE": "GGA", "PBE+U": "GGA+U"}.get(run_type, run_type)}


def _brief(error: Exception) -> str:
    """The reason, without the dictionary of the whole entry that pymatgen appends."""
    return (str(error).split(" for {")[0].split(" Discarding")[0] or type(error).__name__)[:_LONGEST]
