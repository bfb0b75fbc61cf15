"""A few crystals made by hand, as rows of a file of structures."""

import json
from pathlib import Path

from lodestone.config.sections import Filters, ValidateParams
from lodestone.snapshot.sources.file import FileParams

LABELS = {"label_method": "dft-pbe", "correction_scheme": "MP-2019"}
RULES = ValidateParams(
    on_bad_rows="fail",
    min_distance=0.5,
    volume_per_atom=(2.0, 150.0),
    formation_energy=(-6.0, 5.0),
    max_atomic_number=94,
)


def structure(species: list[str], edge: float = 4.0) -> dict:
    """Atoms along the diagonal of a cube: CsCl for two species."""
    n = len(species)
    lattice = [[edge, 0.0, 0.0], [0.0, edge, 0.0], [0.0, 0.0, edge]]
    return {"lattice": lattice, "species": species, "frac_coords": [[i / n, i / n, i / n] for i in range(n)]}


def row(material_id: str, species: list[str], energy: float = -1.0, **changes: object) -> dict:
    """One row in the format of a table of the Materials Project."""
    counts = {symbol: species.count(symbol) for symbol in sorted(set(species))}
    return {
        "material_id": material_id,
        "formula": "".join(f"{symbol}{n}" for symbol, n in counts.items()),
        "chemsys": "-".join(counts),
        "nsites": len(species),
        "formation_energy_per_atom": energy,
        "energy_above_hull": 0.0,
        "structure": json.dumps(structure(species)),
    } | changes


ROWS = (
    row("mp-1", ["Na"], 0.0),
    row("mp-2", ["Na", "Na"], 0.05, energy_above_hull=0.05),
    row("mp-3", ["Cl"], 0.0),
    row("mp-4", ["Na", "Cl"], -2.0),
    row("mp-5", ["K", "Cl"], -2.1, energy_above_hull=0.02),
    row("mp-6", ["K", "Na", "Cl", "Cl"], -2.0, energy_above_hull=None),
    row("mp-7", ["Mg", "O"], -3.0, energy_above_hull=0.2),
    row("mp-8", ["K", "Na"], 0.1, energy_above_hull=0.1),
)


def file_params(path: Path, **filters: object) -> FileParams:
    """Parameters of a file source."""
    return FileParams(source="file", path=path, **LABELS, filters=Filters(**filters))
