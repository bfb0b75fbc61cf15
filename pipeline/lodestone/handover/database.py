"""The finds as an OPTIMADE database: JSON lines that the reference server `optimade` serves, and its settings.

The format is that of optimade-python-tools and optimade-maker: a header, the properties of the entries, one entry a
line. Every line is checked against the models of the package before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lodestone.handover.finds import Find
from lodestone.handover.formulas import anonymous_formula, counts, optimade_formula

API_VERSION = "1.2.0"
PREFIX = "lodestone"
# Name, type, unit and meaning of each property that OPTIMADE does not define.
PROPERTIES: tuple[tuple[str, str, str | None, str], ...] = (
    ("formation_energy_per_atom", "float", "eV/atom", "formation energy by the label method, on the campaign's scale"),
    ("energy_above_hull", "float", "eV/atom", "distance to the hull of all phases known at the end of the campaign"),
    ("energy_above_hull_start", "float", "eV/atom", "distance to the hull known at the start of the round; below: < 0"),
    ("decomposition_energy", "float", "eV/atom", "distance to the hull of all other compositions; negative: stable"),
    ("stability_probability", "float", None, "probability of being stable, predicted before the verification"),
    ("label_method", "string", None, "what made the energies; they are predictions, not measurements"),
    ("functional", "string", None, "the functional behind the energies"),
    ("correction_scheme", "string", None, "corrections that the energies contain"),
    ("disputed_by", "list", None, "judges that call the crystal unstable"),
    ("audited", "boolean", None, "whether it was held against the phases of another database"),
    ("space_group_number", "integer", None, "international number, by moyopy within 0.1 angstrom"),
    ("prototype", "string", None, "structure type without elements"),
    ("round", "string", None, "round of the campaign that verified it"),
)


def lines(finds: Iterable[Find]) -> Iterator[str]:
    """The database, line by line.

    Raises:
        pydantic.ValidationError: If a line is not as OPTIMADE wants it, which is a fault of this module.
    """
    from optimade.models import EntryInfoResource, StructureResource

    yield _dumped({"x-optimade": {"meta": {"api_version": API_VERSION}}})
    info = _info()
    EntryInfoResource.model_validate(info)
    yield _dumped(info)
    for find in finds:
        entry = {"id": find.material_id, "type": "structures", "attributes": _attributes(find)}
        StructureResource.model_validate(entry)
        yield _dumped(entry)


def server_settings() -> dict[str, Any]:
    """Settings with which the reference server knows our properties: the file that OPTIMADE_CONFIG_FILE names."""
    fields = [
        {"name": _own(name), "type": kind, "description": meaning} | ({"unit": unit} if unit else {})
        for name, kind, unit, meaning in PROPERTIES
    ]
    provider = {
        "prefix": PREFIX,
        "name": "Lodestone",
        "description": "Crystals predicted to be stable by a Lodestone campaign",
        "homepage": None,
    }
    return {"insert_test_data": False, "provider": provider, "provider_fields": {"structures": fields}}


def _own(name: str) -> str:
    return f"_{PREFIX}_{name}"


def _info() -> dict[str, Any]:
    properties = {
        _own(name): {"description": meaning, "type": kind, "sortable": kind != "list"}
        | ({"unit": unit} if unit else {})
        for name, kind, unit, meaning in PROPERTIES
    }
    return {
        "type": "info",
        "id": "structures",
        "formats": ["json"],
        "description": "Crystals predicted to be stable",
        "properties": properties,
        "output_fields_by_format": {"json": list(properties)},
    }


def _attributes(find: Find) -> dict[str, Any]:
    values = {
        "formation_energy_per_atom": find.row["formation_energy_per_atom"],
        "energy_above_hull": find.row["energy_above_hull"],
        "energy_above_hull_start": find.row["energy_above_hull_start"],
        "decomposition_energy": round(0.0 - find.decomposition.energy_per_atom, 6),
        "stability_probability": find.verdicts[0]["stability_probability"],
        "label_method": find.energies.label_method,
        "functional": find.energies.functional,
        "correction_scheme": find.energies.correction_scheme,
        "disputed_by": find.disagreeing,
        "audited": any(verdict["judge"] == "audit" for verdict in find.verdicts),
        "space_group_number": find.row["spacegroup_number"],
        "prototype": find.row["prototype"],
        "round": find.row["round"],
    }
    return {**_structure(find), **{_own(name): values[name] for name, *_ in PROPERTIES}}


def _structure(find: Find) -> Mapping[str, Any]:
    crystal, elements = find.crystal, find.elements
    return {
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [crystal.species.count(symbol) / len(crystal) for symbol in elements],
        "chemical_formula_descriptive": find.name,
        "chemical_formula_reduced": optimade_formula(crystal),
        "chemical_formula_anonymous": anonymous_formula(list(counts(crystal).values())),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": crystal.cart_coords.tolist(),
        "nsites": len(crystal),
        "species": [{"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]} for symbol in elements],
        "species_at_sites": crystal.species,
        "structure_features": [],
        "last_modified": None,  # a date would make equal campaigns give unequal bytes
        "immutable_id": find.material_id,
    }


def _dumped(content: Any) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False)
