"""Structures of OPTIMADE as rows: energies per atom, fractional coordinates, and a reason where there is no crystal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lodestone.crystals.arithmetic import inverse, matmul
from lodestone.snapshot.optimade.providers import Path, Provider
from lodestone.snapshot.source import OUTLINE
from lodestone.snapshot.structures import UnreadableStructureError

FIELDS = (
    *("chemical_formula_reduced", "elements", "nsites", "last_modified", "structure_features", "dimension_types"),
    *("lattice_vectors", "cartesian_site_positions", "species", "species_at_sites"),
)
_TOLERANCE = 1e-6  # of an occupancy
_MOST_SITES = 2**31 - 1


def to_row(document: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """What an outline says of one structure; null where the source is silent or talks nonsense.

    Args:
        document: As served, with ``id`` and ``attributes``.
        provider: Says where its energies are.
    """
    attributes, name = attributes_of(document), document.get("id")
    sites = _sites(attributes)
    return dict.fromkeys(OUTLINE) | {
        "material_id": None if name is None else str(name),
        "formula_pretty": _text(attributes.get("chemical_formula_reduced")),
        "chemsys": _system(attributes.get("elements")),
        "nsites": sites,
        **_energies(attributes, provider, sites),
    }


def to_structure(document: Mapping[str, Any]) -> dict[str, Any] | UnreadableStructureError:
    """The structure, as :func:`lodestone.snapshot.structures.parse_structure` takes it, or why there is none."""
    try:
        return _structure(attributes_of(document))
    except UnreadableStructureError as error:
        return error


def attributes_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a document says of its structure; nothing, if it has no attributes."""
    found = document.get("attributes")
    return found if isinstance(found, Mapping) else {}


def _energies(attributes: Mapping[str, Any], provider: Provider, sites: int | None) -> dict[str, float | None]:
    found = {name: _value(attributes, path) for name, path in provider.energies.items()}
    for name in [name for name in found if name.endswith("_per_cell")]:
        energy = found.pop(name)
        found[name.replace("_per_cell", "_per_atom")] = energy / sites if sites and energy is not None else None
    corrected, bare = found.get("energy_per_atom"), found.get("uncorrected_energy_per_atom")
    if corrected is not None and bare is not None:
        found["energy_correction_per_atom"] = corrected - bare
    hull = found.get("energy_above_hull")
    if provider.name == "oqmd" and hull is not None:
        found["energy_above_hull"] = max(hull, 0.0)  # OQMD's stability is negative for what makes the hull
    return found


def _value(attributes: Mapping[str, Any], path: Path) -> float | None:
    found: Any = attributes
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    try:
        return float(found)
    except OverflowError:
        return float("inf")  # which validation reports


def _structure(attributes: Mapping[str, Any]) -> dict[str, Any]:
    features = attributes.get("structure_features")
    if features:
        told = ", ".join(map(str, features)) if isinstance(features, list) else str(features)
        raise UnreadableStructureError(f"no plain crystal: the source declares {told}")
    periodic = attributes.get("dimension_types")
    if isinstance(periodic, list) and periodic != [1, 1, 1]:
        raise UnreadableStructureError(f"dimension_types is {periodic}: not periodic in three dimensions")
    for name in ("lattice_vectors", "cartesian_site_positions", "species_at_sites"):
        if not (isinstance(attributes.get(name), list) and attributes[name]):
            raise UnreadableStructureError(f"the source gives no {name}")
    lattice = _numbers(attributes["lattice_vectors"], "lattice_vectors")
    positions = _numbers(attributes["cartesian_site_positions"], "cartesian_site_positions")
    if lattice.shape != (3, 3):
        raise UnreadableStructureError(f"lattice_vectors are {len(lattice)}, not three of length three")
    try:
        with np.errstate(all="ignore"):  # what overflows is refused as not finite when the structure is parsed
            fractional = matmul(positions, inverse(lattice[None])[0])
    except np.linalg.LinAlgError as error:
        raise UnreadableStructureError("lattice vectors span no volume") from error
    species = _symbols(attributes["species_at_sites"], attributes.get("species") or [])
    return {"lattice": lattice, "species": species, "frac_coords": fractional}


def _symbols(names: Any, species: Any) -> list[str]:
    """Element of each site; where the source describes no species, their names are the elements."""
    try:
        elements = {str(kind["name"]): _element(kind) for kind in species}
        if len(elements) < len(species):
            raise UnreadableStructureError("two species have the same name")
        return [elements[str(name)] if elements else str(name) for name in names]
    except UnreadableStructureError:
        raise
    except KeyError as error:
        raise UnreadableStructureError(f"species have no {error.args[0]!r}") from error
    except (TypeError, AttributeError, ValueError, OverflowError) as error:
        raise UnreadableStructureError(f"species do not parse: {str(error)[:100]}") from error


def _element(kind: Mapping[str, Any]) -> str:
    if kind.get("attached"):
        raise UnreadableStructureError(f"species {kind['name']!r} has atoms attached that have no position")
    shares = zip(kind["chemical_symbols"], kind["concentration"], strict=True)
    present = [(str(symbol), float(share)) for symbol, share in shares if not abs(float(share)) <= _TOLERANCE]
    if len(present) != 1 or abs(present[0][1] - 1) > _TOLERANCE:
        told = ", ".join(f"{symbol} {share:g}" for symbol, share in present) or "nothing"
        raise UnreadableStructureError(f"a site is partially occupied: species {kind['name']!r} is {told}")
    return present[0][0]


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableStructureError(f"{name} is no regular table of numbers") from error
    if found.ndim != 2 or found.shape[1] != 3:
        raise UnreadableStructureError(f"{name} is no table of three columns")
    if not np.isfinite(found).all():
        raise UnreadableStructureError(f"{name} has values that are missing or not finite")
    return found


def _sites(attributes: Mapping[str, Any]) -> int | None:
    said = attributes.get("nsites")
    if isinstance(said, int) and not isinstance(said, bool):
        return said if 0 <= said <= _MOST_SITES else None
    listed = attributes.get("species_at_sites")
    return len(listed) if isinstance(listed, list) else None


def _system(elements: Any) -> str | None:
    listed = elements.split(",") if isinstance(elements, str) else elements  # OQMD gave text once
    return "-".join(sorted({str(element) for element in listed})) if isinstance(listed, list) and listed else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
