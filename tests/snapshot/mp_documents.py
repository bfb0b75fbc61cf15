"""Thermo documents made by hand in the shape in which the Materials Project API gives them."""

from pymatgen.core import Lattice, Structure

PBE, MIXED, R2SCAN = "GGA_GGA+U", "GGA_GGA+U_R2SCAN", "r2SCAN"
MP2020 = {
    "@module": "pymatgen.entries.compatibility",
    "@class": "MaterialsProject2020Compatibility",
    "@version": "2026.2.1",
    "compat_type": "Advanced",
    "correct_peroxide": True,
}


def structure_of(species: list, edge: float = 4.0) -> Structure:
    """Atoms along the diagonal of a cube."""
    return Structure(Lattice.cubic(edge), species, [[i / len(species)] * 3 for i in range(len(species))])


def entry(name: str, structure: Structure, correction: float = 0.0, run_type: str = "GGA") -> dict:
    """A computed entry; energies eV per cell, here -3 eV/atom before the correction."""
    adjustment = {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "CompositionEnergyAdjustment",
        "@version": "2026.2.1",
        "adj_per_atom": correction,
        "n_atoms": 1,
        "uncertainty_per_atom": 0.002,
        "name": "MP2020 anion correction (Cl)",
        "cls": MP2020,
        "description": "Composition-based energy adjustment",
    }
    return {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "ComputedStructureEntry",
        "@version": "2026.2.1",
        "energy": -3.0 * len(structure),
        "composition": structure.composition.as_dict(),
        "entry_id": f"{name}-{run_type}",
        "correction": correction,
        "energy_adjustments": [adjustment] if correction else [],
        "parameters": {"run_type": run_type, "is_hubbard": False, "hubbards": {}},
        "data": {"oxide_type": "None", "material_id": name, "task_id": name, "run_type": run_type},
        "structure": structure.as_dict(),
    }


def document(name: str, species: list[str], hull: float = 0.0, kind: str = PBE, **changes) -> dict:
    """A thermo document; compounds with chlorine are corrected by -0.5 eV per cell."""
    structure = structure_of(species)
    correction = -0.5 if "Cl" in species and len(set(species)) > 1 and kind != R2SCAN else 0.0
    date = "2025-11-03T08:15:00Z"
    return {
        "builder_meta": {"emmet_version": "0.87.3", "database_version": "2026.02.01", "build_date": date},
        "property_name": "thermo",
        "material_id": name,
        "thermo_id": f"{name}_{kind}",
        "thermo_type": kind,
        "deprecated": False,
        "deprecation_reasons": None,
        "last_updated": date,
        "origins": [{"name": "energy", "task_id": name, "last_updated": date}],
        "warnings": [],
        "nsites": len(structure),
        "elements": sorted(set(species)),
        "nelements": len(set(species)),
        "composition": structure.composition.as_dict(),
        "formula_pretty": structure.composition.reduced_formula,
        "chemsys": structure.composition.chemical_system,
        "volume": structure.volume,
        "uncorrected_energy_per_atom": -3.0,
        "energy_per_atom": -3.0 + correction / len(structure),
        "energy_uncertainy_per_atom": 0.002,
        "formation_energy_per_atom": -1.0,
        "energy_above_hull": hull,
        "is_stable": hull == 0,
        "energy_type": "GGA",
        "entry_types": ["GGA", "SCAN"],
        "entries": {
            "GGA": entry(name, structure, correction),
            "SCAN": entry(name, structure_of(species, 9.0), correction, "SCAN"),  # another relaxation: not the energy's
        },
    } | changes


DOCUMENTS = [
    document("mp-1", ["Na"]),
    document("mp-2", ["Cl"]),
    document("mp-3", ["Na", "Cl"]),
    document("mp-4", ["Na", "Cl", "Cl"], 0.3),
    document("mp-5", ["K", "Cl"], 0.01),
    document("mp-6", ["Na", "Cl"], 0.02, deprecated=True),
    document("mp-7", ["Na", "Cl"], 0.04, entries={}),
    document("mp-8", ["K"]),
    document("mp-3", ["Na", "Cl"], 0.0, MIXED, formation_energy_per_atom=-1.5),
    document("mp-3", ["Na", "Cl"], 0.0, R2SCAN, formation_energy_per_atom=-1.7),
]
