"""The files of one find: their names and contents."""

from __future__ import annotations

import json
from typing import Any

from lodestone.handover import pages
from lodestone.handover.finds import Find, competing, route_table
from lodestone.report.cifs import cif_in_group
from lodestone.report.powder import picture, powder_pattern
from lodestone.report.structure_files import parsed, poscar

Files = dict[str, str]


def files_of(find: Find) -> Files:
    """Names and contents of the files of one find."""
    name, oracle = find.name, {"name": find.energies.label_method, "caveat": find.energies.caveat}
    text = cif_in_group(find.crystal, find.row["spacegroup_number"], oracle, _items(find))
    pattern = powder_pattern(parsed(text))
    title = f"{find.formula} ({find.material_id}), calculated"
    files = {
        f"{name}.cif": text,
        f"{name}.POSCAR": poscar(find.crystal, f"{find.formula} {find.material_id} predicted by {oracle['name']}"),
        f"{name}-powder.csv": pattern.write_csv(),
        f"{name}-powder.svg": picture(pattern, title),
        f"{name}-competing-phases.csv": competing(find).write_csv(),
        f"{name}-reactions.csv": route_table(find).write_csv(),
    }
    files[f"{name}.json"] = json_text(facts(find) | {"files": sorted(files)})
    return files | {"index.html": pages.find_page(find, sorted(files))}


def facts(find: Find) -> dict[str, Any]:
    """What is known of a find, for JSON."""
    row, energies = find.row, find.energies
    return {
        "material_id": find.material_id,
        "formula": find.formula,
        "is_a_prediction": True,
        "chemical_system": row["chemsys"],
        "n_sites": row["nsites"],
        "space_group_number": row["spacegroup_number"],
        "prototype": row["prototype"],
        "proposed_by": {"generator": row["generator"], **json.loads(row["provenance"])},
        "round": row["round"],
        "acquired_by": row["acquired_by"],
        "energies": vars(energies)
        | {
            "formation_energy_ev_per_atom": row["formation_energy_per_atom"],
            "energy_ev_per_atom": row["energy_per_atom"],
            "energy_above_hull_ev_per_atom": row["energy_above_hull"],
        },
        "decomposition": find.decomposition.facts(),
        "polymorphs": find.system.polymorphs(row),
        "reactions": [
            one.reaction.facts() | {"kind": one.kind, "precursors": list(one.precursors)} for one in find.routes
        ],
        **find.novelty,
        "known_elsewhere": None if find.elsewhere is None else [vars(one) for one in find.elsewhere],
        "hazards": find.hazards,
        "judges": list(find.verdicts),
        "disputed_by": find.disagreeing,
    }


def _items(find: Find) -> dict[str, Any]:
    """Data items of the CIF; energies in eV/atom."""
    row, energies = find.row, find.energies
    return {
        "material_id": find.material_id,
        "is_a_prediction": True,
        "label_method": energies.label_method,
        "functional": energies.functional,
        "correction_scheme": energies.correction_scheme,
        "formation_energy_per_atom": row["formation_energy_per_atom"],
        "energy_above_hull": row["energy_above_hull"],
        "energy_above_hull_start": row["energy_above_hull_start"],
        "decomposition_energy": round(0.0 - find.decomposition.energy_per_atom, 6),
        "decomposition": find.decomposition.equation,
        "stability_probability": find.verdicts[0]["stability_probability"],
        "disputed_by": ", ".join(find.disagreeing) or "nobody who judged",
        "energy_unit": "eV per atom",
        "caveat": energies.caveat,
    }


def json_text(content: Any) -> str:
    """JSON with sorted keys; not-a-number is refused."""
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
