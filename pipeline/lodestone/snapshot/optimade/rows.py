"""OPTIMADE structures as rows: energies per atom, fractional coordinates, and a reason where there is no crystal."""

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
    """The row of an outline for one structure; null where the source gives nothing or nonsense.

    Args:
        document: As served, with ``id`` and ``attributes``.
        provider: Defines where its energies are.
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
    """The attributes of a document; empty if it has none."""
    attributes = document.get("attributes")
    return attributes if isinstance(attributes, Mapping) else {}


def _energies(attributes: Mapping[str, Any], provider: Provider, sites: int | None) -> dict[str, float | None]:
    energies = {name: _value(attributes, path) for name, path in provider.energies.items()}
    for name in [name for name in energies if name.endswith("_per_cell")]:
        energy = energies.pop(name)
        energies[name.replace("_per_cell", "_per_atom")] = energy / sites if sites and energy is not None else None
    corrected, bare = energies.get("energy_per_atom"), energies.get("uncorrected_energy_per_atom")
    if corrected is not None and bare is not None:
        energies["energy_correction_per_atom"] = corrected - bare
    hull = energies.get("energy_above_hull")
    if provider.name == "oqmd" and hull is not None:
        energies["energy_above_hull"] = max(hull, 0.0)  # OQMD's stability is negative for phases on the hull
    return energies


def _value(attributes: Mapping[str, Any], path: Path) -> float | None:
    value: Any = attributes
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # validation reports it


def _structure(attributes: Mapping[str, Any]) -> dict[str, Any]:
    features = attributes.get("structure_features")
    if features:
        listed = ", ".join(map(str, features)) if isinstance(features, list) else str(features)
        raise UnreadableStructureError(f"no plain crystal: the source declares {listed}")
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
        with np.errstate(all="ignore"):  # overflows are refused as not finite when the structure is parsed
            fractional = matmul(positions, inverse(lattice[None])[0])
    except np.linalg.LinAlgError as error:
        raise UnreadableStructureError("lattice vectors span no volume") from error
    species = _symbols(attributes["species_at_sites"], attributes.get("species") or [])
    return {"lattice": lattice, "species": species, "frac_coords": fractional}


def _symbols(names: Any, species: Any) -> list[str]:
    """Element of each site; if the source describes no species, their names are the elements."""
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
        content = ", ".join(f"{symbol} {share:g}" for symbol, share in present) or "nothing"
        raise UnreadableStructureError(f"a site is partially occupied: species {kind['name']!r} is {content}")
    return present[0][0]


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableStructureError(f"{name} is no regular table of numbers") from error
    if array.ndim != 2 or array.shape[1] != 3:
        raise UnreadableStructureError(f"{name} is no table of three columns")
    if not np.isfinite(array).all():
        raise UnreadableStructureError(f"{name} has values that are missing or not finite")
    return array


def _sites(attributes: Mapping[str, Any]) -> int | None:
    stated = attributes.get("nsites")
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated if 0 <= stated <= _MOST_SITES else None
    listed = attributes.get("species_at_sites")
    return len(listed) if isinstance(listed, list) else None


def _system(elements: Any) -> str | None:
    listed = elements.split(",") if isinstance(elements, str) else elements  # OQMD once returned text
    return "-".join(sorted({str(element) for element in listed})) if isinstance(listed, list) and listed else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
