"""Source ``cubes``: cubic crystals from a plain text table; how to add a source, in one file.

A line holds the name, the edge of the cell in Å, the formation energy in eV/atom, and the atoms along the diagonal::

    na      4.2   0.0   Na
    salt    3.5  -2.0   Na Cl
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lodestone.config.registry import SOURCES
from lodestone.config.sections import SnapshotParams
from lodestone.errors import LodestoneError

if TYPE_CHECKING:
    import polars as pl

    from lodestone.snapshot.source import Source


class CubesParams(SnapshotParams):
    """Cubic crystals of a text file, which `path` names."""

    expansion: float = Field(1.0, gt=0, description="factor on all edges")


@SOURCES.register("cubes", settings=CubesParams)
def open_cubes(params: CubesParams) -> Source:
    """Open a table of cubes.

    Raises:
        LodestoneError: If the file cannot be read, or a line of it; names the line.
    """
    import polars as pl  # here and not above: parameters are checked without it

    from lodestone.snapshot.source import Source, make_outline

    cubes = [_cube(*line, params) for line in _lines(params.path)]
    columns = ("material_id", "formation_energy_per_atom")
    table = pl.DataFrame({column: [cube[column] for cube in cubes] for column in columns})

    def structures(rows: pl.DataFrame) -> list[Any]:
        return [cubes[row]["structure"] for row in rows["row"]]

    return Source(
        outline=make_outline(table, str(params.path)),
        structures=structures,
        label_method="by hand",
        correction_scheme="none",
        facts={"file": params.path.name, "expansion": params.expansion},
        whole=True,  # so hull distances are computed
    )


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    except (OSError, UnicodeDecodeError) as error:
        raise LodestoneError(f"snapshot.path: {path} cannot be read: {error}", "correct the path") from error
    return [(f"{path}, line {number}", line) for number, line in lines if line.strip() and not line.startswith("#")]


def _cube(where: str, line: str, params: CubesParams) -> Mapping[str, Any]:
    try:
        name, edge, energy, *species = line.split()
        length, formation_energy = float(edge) * params.expansion, float(energy)
    except ValueError as error:
        raise LodestoneError(f"{where}: {error}", "write name, edge, formation energy and elements") from error
    lattice = [[length, 0.0, 0.0], [0.0, length, 0.0], [0.0, 0.0, length]]
    diagonal = [[at / len(species)] * 3 for at in range(len(species))]
    structure = {"lattice": lattice, "species": species, "frac_coords": diagonal}
    return {"material_id": name, "formation_energy_per_atom": formation_energy, "structure": structure}
