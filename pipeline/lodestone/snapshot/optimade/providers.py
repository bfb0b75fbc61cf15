"""OPTIMADE providers: their addresses, what their energies mean, and which fields hold them.

OPTIMADE standardizes structures but not energies: every provider serves energies in fields of its own, whose names
begin with its prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.materials_project.documents import LABELS

if TYPE_CHECKING:
    from lodestone.snapshot.sources.optimade import OptimadeParams

Path = tuple[str, ...]
# Total energies are served per cell, all others per atom.
PER_CELL = frozenset({"energy_per_cell", "uncorrected_energy_per_cell"})


@dataclass(frozen=True)
class Provider:
    """One OPTIMADE endpoint.

    Attributes:
        name: For messages and the provenance.
        address: Base address, without the version.
        label_method: Method behind its energies.
        correction_scheme: Correction scheme of its energies.
        energies: Where each energy is: a field and the keys inside it. Formation energies and hull distances are in
            eV/atom, ``*_per_cell`` in eV per cell.
        required: The energies that an endpoint must have for at least some structures.
        hull_field: Field of the hull distance, if filters can use it.
        has_only: Whether ``HAS ONLY``, which is optional in the standard, works there as the standard requires.
        page_size: Structures per page; ``None`` leaves the choice to the server.
    """

    name: str
    address: str
    label_method: str
    correction_scheme: str
    energies: Mapping[str, Path]
    required: tuple[str, ...] = ("formation_energy_per_atom", "energy_above_hull")
    hull_field: str | None = None
    has_only: bool = True
    page_size: int | None = None


_ALEXANDRIA = Provider(
    "alexandria",
    "https://alexandria.icams.rub.de/pbe",
    "dft-pbe",
    # A name of its own, although close to MP2020: its answers do not say which corrections an energy contains.
    "Alexandria",
    {
        "formation_energy_per_atom": ("_alexandria_formation_energy_per_atom",),
        "energy_above_hull": ("_alexandria_hull_distance",),
        "energy_per_cell": ("_alexandria_energy_corrected",),
        "uncorrected_energy_per_cell": ("_alexandria_energy",),
    },
    hull_field="_alexandria_hull_distance",
    page_size=500,
)
_OQMD = Provider(
    "oqmd",
    "https://oqmd.org/optimade",
    "dft-pbe",
    "OQMD fitted elemental references",
    {"formation_energy_per_atom": ("_oqmd_delta_e",), "energy_above_hull": ("_oqmd_stability",)},
    hull_field="_oqmd_stability",
    has_only=False,  # qmpy reads `HAS ONLY "Na","Cl"` as "both of them and nothing else", which loses the subsystems
    page_size=100,
)
_MATERIALS_PROJECT = Provider(
    "materials_project", "https://optimade.materialsproject.org", "", "", {}, page_size=500
)  # its energies depend on the thermo type
NAMED = {
    "materials_project": _MATERIALS_PROJECT,
    "alexandria": _ALEXANDRIA,
    "alexandria_pbesol": replace(
        _ALEXANDRIA,
        name="alexandria_pbesol",
        address="https://alexandria.icams.rub.de/pbesol",
        label_method="dft-pbesol",
    ),
    "oqmd": _OQMD,
}
# Field names, after the provider's prefix, that are taken at face value at an endpoint that is not listed.
GENERIC = {
    "formation_energy_per_atom": ("formation_energy_per_atom", "formation_energy_peratom"),
    "energy_above_hull": ("energy_above_hull", "hull_distance", "e_above_hull", "ehull"),
    "energy_per_atom": ("energy_per_atom",),
}


def find_provider(params: OptimadeParams) -> Provider:
    """The provider that the parameters name; one that is not listed has no ``energies`` yet.

    Raises:
        LodestoneError: If it is neither a name nor an address, or an unlisted address has no labels.
    """
    requested = params.provider
    listed = NAMED.get(requested) or next((p for p in NAMED.values() if _same(p.address, requested)), None)
    if listed is not None:
        listed = _with_thermo_type(listed, params.thermo_type) if listed.name == "materials_project" else listed
        return replace(
            listed,
            label_method=params.label_method or listed.label_method,
            correction_scheme=params.correction_scheme or listed.correction_scheme,
        )
    if not re.match(r"https?://[^/\s]", requested):
        raise LodestoneError(
            f"snapshot.provider: {requested!r} is neither the name of a provider nor an address",
            f"give one of {', '.join(NAMED)}, or an address that begins with https://",
        )
    if not (params.label_method and params.correction_scheme):
        raise LodestoneError(
            f"snapshot.provider: nothing is known of the energies of {public_address(requested)}",
            "give snapshot.label_method and snapshot.correction_scheme as well, e.g. dft-pbe and MP2020",
        )
    address = re.sub(r"/+(v\d[\d.]*/*)?$", "", requested)
    return Provider(public_address(address), address, params.label_method, params.correction_scheme, {}, has_only=False)


def discovered(provider: Provider, properties: Mapping[str, Any]) -> Provider:
    """A provider that is not listed, with the energies that its endpoint declares.

    Args:
        provider: Without ``energies``.
        properties: Properties of structures, as the endpoint describes them at ``/info/structures``.

    Raises:
        LodestoneError: If there are no energies, several fields for one energy, or units other than eV/atom.
    """
    energies: dict[str, Path] = {}
    for energy, endings in GENERIC.items():
        fields = sorted(name for name in properties if re.fullmatch(rf"_[a-z0-9]+_({'|'.join(endings)})", name))
        if len(fields) > 1:
            raise _unclear(provider, f"has several fields for {energy}: {', '.join(fields)}")
        for name in fields:
            _check_unit(provider, name, properties[name])
            energies[energy] = (name,)
    if not {"formation_energy_per_atom", "energy_per_atom"} & set(energies):
        others = ", ".join(sorted(name for name in properties if name.startswith("_"))) or "none"
        raise _unclear(provider, f"declares no energies in a field known here; its own fields: {others[:300]}")
    hull = energies.get("energy_above_hull", (None,))[0]
    return replace(provider, energies=energies, required=tuple(energies), hull_field=hull)


def _with_thermo_type(provider: Provider, thermo_type: str) -> Provider:
    # The structure is the one that MP displays, which may be relaxed with r2SCAN although the energy is PBE.
    label_method, scheme = LABELS[thermo_type]
    energies = {name: ("_mp_stability", thermo_type.lower(), name) for name in provider.required}
    return replace(provider, label_method=label_method, correction_scheme=scheme, energies=energies)


def _same(address: str, other: str) -> bool:
    bare = [re.sub(r"^https?://|/+(v\d[\d.]*/*)?$", "", text) for text in (address, other)]
    return bare[0] == bare[1]


def _check_unit(provider: Provider, name: str, described: Any) -> None:
    description = described if isinstance(described, Mapping) else {}
    unit = description.get("x-optimade-unit") or description.get("unit") or "inapplicable"
    if str(unit).replace(" ", "").lower() not in ("ev/atom", "ev*atom^-1", "inapplicable", "dimensionless"):
        raise _unclear(provider, f"serves {name} in {unit}, not in eV/atom")


def _unclear(provider: Provider, problem: str) -> LodestoneError:
    names = "; ".join(f"{energy}: {' or '.join(f'_*_{name}' for name in some)}" for energy, some in GENERIC.items())
    return LodestoneError(
        f"{provider.name} {problem}",
        f"fields of an endpoint that is not listed are found by their names ({names}); for any others, save the "
        "structures with their energies to a file and use snapshot.source: file",
    )
