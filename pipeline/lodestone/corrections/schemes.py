"""The schemes by name, read from ``schemes.yaml``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lodestone.errors import LodestoneError

# What `schemes.yaml` must hold: DVC watches this file, and so sees every change of the numbers.
VERSIONS = {"MP-2019": "c2cab466f3c3b37a", "MP-2020": "79df3d33d9f3c79a"}
_OTHER_NAMES = {"MP2019": "MP-2019", "MP2020": "MP-2020"}


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A correction scheme; energies in eV for each atom of the element.

    Attributes:
        name: Name.
        version: Hash of the numbers.
        elements: Added to the energy of the pure element.
        oxygen: By kind of oxide, added for oxygen in compounds.
        bonded_oxygen_only: Whether, where oxygen is bonded to its like, only those atoms count.
        sulfide: Added for sulfur in compounds that are no sulfates.
        anions: Added for these elements where they are anions.
        hubbard_u: Added for these metals in oxides and fluorides, which are computed with a Hubbard U.
    """

    name: str
    version: str
    elements: Mapping[str, float]
    oxygen: Mapping[str, float]
    bonded_oxygen_only: bool
    sulfide: float
    anions: Mapping[str, float]
    hubbard_u: Mapping[str, float]


def scheme(name: str) -> Scheme:
    """The scheme of a name, e.g. of ``correction_scheme``; what follows a hyphen, as in MP-2019-legacy, is a remark.

    Raises:
        LodestoneError: If there is no such scheme.
    """
    known = _schemes()
    named = _OTHER_NAMES.get(name.split("-", maxsplit=1)[0], "-".join(name.split("-")[:2]))
    if named not in known:
        raise LodestoneError(
            f"correction scheme {name!r} is none whose rules are known",
            f"it is one of {', '.join(known)}; for energies by any other, set label.difference: learned",
        )
    return known[named]


@lru_cache(maxsize=1)
def _schemes() -> dict[str, Scheme]:
    import yaml

    content = files(__package__).joinpath("schemes.yaml").read_bytes()
    return {name: _scheme(name, numbers) for name, numbers in yaml.safe_load(content).items()}


def _scheme(name: str, numbers: dict[str, Any]) -> Scheme:
    digest = hashlib.blake2b(repr(sorted(numbers.items())).encode(), digest_size=8).hexdigest()
    if digest != VERSIONS.get(name):
        raise LodestoneError(
            f"schemes.yaml: {name} has the hash {digest}, not {VERSIONS.get(name)}",
            "reinstall lodestone; whoever changes a scheme gives it another name or states its new hash in schemes.py",
        )
    bonded_only = numbers.pop("corrected_oxygen") == "bonded"
    return Scheme(name=name, version=digest, bonded_oxygen_only=bonded_only, **numbers)
