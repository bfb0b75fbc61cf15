"""Which functional a calculation used, and which one the name of a method means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAMED = {
    name.upper(): name
    for name in ("PBE", "PBEsol", "revPBE", "RPBE", "AM05", "LDA", "SCAN", "rSCAN", "r2SCAN", "HSE03", "HSE06", "PBE0")
} | {"GGA": "PBE"}  # as the Materials Project calls it
_PBE_POTENTIALS = ("PBE", "PAW_PBE")  # begin the symbols of VASP's pseudopotentials


def named_functionals(label_method: str) -> frozenset[str]:
    """Functionals that the name of a method names; Hubbard corrections are left to the correction scheme.

    Examples:
        >>> sorted(named_functionals("dft-pbe")), sorted(named_functionals("MP GGA_GGA+U_R2SCAN"))
        (['PBE'], ['PBE', 'r2SCAN'])
        >>> sorted(named_functionals("coupled cluster"))
        []
    """
    words = re.split(r"[^A-Za-z0-9]+", label_method.upper())
    return frozenset(_NAMED[word] for word in words if word in _NAMED)


def functional_of(parameters: Mapping[str, Any]) -> str | None:
    """The functional of a calculation.

    Args:
        parameters: Of an entry of pymatgen: ``run_type``, and ``potcar_symbols``, since where the input of VASP names
            no functional, that of the pseudopotentials counts.

    Returns:
        A name, with ``+`` and more where dispersion is corrected; ``None`` where the parameters do not say.

    Examples:
        >>> functional_of({"run_type": "GGA+U", "potcar_symbols": ["PAW_PBE Fe_pv 06Sep2000"]})
        'PBE'
        >>> functional_of({"run_type": "R2SCAN"}), functional_of({})
        ('r2SCAN', None)
    """
    run_type = parameters.get("run_type")
    if not isinstance(run_type, str):
        return None
    base, *additions = run_type.split("+")
    dispersion = [word for word in additions if word != "U"]
    symbols = parameters.get("potcar_symbols") or []
    if base == "GGA" and symbols and not all(str(symbol).startswith(_PBE_POTENTIALS) for symbol in symbols):
        base = f"that of {symbols[0]}"
    return "+".join([_NAMED.get(base.upper(), base), *dispersion])


def functional_fault(parameters: Mapping[str, Any], label_method: str) -> str | None:
    """Why a calculation is not by a method, or ``None``; of one that does not state its functional, nothing is said."""
    functional, wanted = functional_of(parameters), named_functionals(label_method)
    if functional is None or functional in wanted:
        return None
    if not wanted:
        return (
            f"label_method {label_method!r} names no functional (such as PBE) that {functional} could be compared with"
        )
    return f"the functional is {functional}, not {' or '.join(sorted(wanted))}"
