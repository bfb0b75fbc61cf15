"""Source ``file``: your own structures and energies, in any of the formats below.

===========================  ===========================================================================================
``.parquet``                 table, see :func:`read_file`
``.jsonl``, ``.ndjson``      the same, one JSON object per line
``.xyz``, ``.extxyz``        extended XYZ, see :func:`lodestone.snapshot.files.extended_xyz.read_extended_xyz`
``.json``, ``.json.gz``      list of pymatgen's ``ComputedStructureEntry``, see
                             :func:`lodestone.snapshot.files.entries.read_entries`
folder or ``.zip``           CIF and POSCAR files, and ``energies.csv``, see
                             :func:`lodestone.snapshot.files.structure_folder.read_structure_folder`; or runs of VASP
``vasprun.xml``              a run of VASP, see :func:`lodestone.snapshot.files.vasp_runs.read_runs`
===========================  ===========================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.energies import checked_references
from lodestone.snapshot.files.collection import opened_collection
from lodestone.snapshot.files.entries import read_entries
from lodestone.snapshot.files.extended_xyz import read_extended_xyz
from lodestone.snapshot.files.json_lines import read_json_lines
from lodestone.snapshot.files.parquet import LABEL_COLUMNS, OWN_COLUMNS, raw_structures, read_parquet
from lodestone.snapshot.files.structure_folder import is_energy_table, read_structure_folder
from lodestone.snapshot.files.vasp_runs import is_vasprun, read_runs
from lodestone.snapshot.source import Source, make_outline

if TYPE_CHECKING:
    from lodestone.snapshot.sources.file import FileParams

FORMATS = (".parquet", ".jsonl", ".ndjson", ".xyz", ".extxyz", ".json", ".json.gz", ".zip")

_ANY = dict.fromkeys(LABEL_COLUMNS, "any")  # names no functional and no scheme, so that nothing is refused

Structures = Callable[[pl.DataFrame], Sequence[Any]]


class _Content(NamedTuple):
    table: pl.DataFrame
    structures: Structures
    references: Mapping[str, float]
    file_hash: str


def read_file(params: FileParams) -> Source:
    """Open what ``snapshot.path`` names.

    Each row of a table needs ``material_id``, ``formation_energy_per_atom`` and/or ``energy_per_atom``, and a
    structure: either a column ``structure`` (see :func:`lodestone.snapshot.structures.parse_structure`) or the columns
    ``lattice``, ``atomic_numbers`` and ``frac_coords``. ``formula`` or ``formula_pretty``, ``chemsys``, ``nsites``,
    ``energy_above_hull``, ``uncorrected_energy_per_atom``, ``energy_correction_per_atom`` and ``created_at`` (a day)
    are used if present; other columns are ignored.

    If no row has a formation energy, formation energies are computed from the total energies; if none has a hull
    distance, hull distances are computed from the formation energies: see
    :func:`lodestone.snapshot.energies.complete_energies`. The reference of an element is the first of:
    ``snapshot.elemental_references``, ``references.csv`` of a folder or zip, and the lowest crystal of the element in
    the file.

    Raises:
        LodestoneError: If the file is missing or damaged, a column is missing or of the wrong type, or the labels in
            the file differ from the parameters.
    """
    path = params.path
    if not path.exists():
        remedy = "correct the path in params.yaml; a relative one starts at the root of the repository"
        raise LodestoneError(f"snapshot.path: {path} does not exist", remedy)
    labels = {name: str(getattr(params, name)) for name in LABEL_COLUMNS}
    content = _runs(path, labels) if holds_runs(path) else _read(path, labels)
    for name, stated in labels.items():
        _check_label(content.table, name, stated, path)
    references = checked_references(params.elemental_references or {}, "snapshot.elemental_references")
    return Source(
        make_outline(content.table, str(path)),
        content.structures,
        **labels,
        facts={"file": path.name, "file_hash": content.file_hash},
        whole=True,
        references={**content.references, **references},
    )


def read_structures(path: Path) -> Source:
    """Open a file or folder for its structures alone, whatever its energies are; see :func:`read_file`.

    Raises:
        LodestoneError: If it is missing or damaged, or a column is missing or of the wrong type.
    """
    if not path.exists():
        raise LodestoneError(f"{path} does not exist", "correct the path")
    content = _read(path, _ANY)
    table = content.table
    if not {"energy_per_atom", "formation_energy_per_atom"} & set(table.columns):
        table = table.with_columns(energy_per_atom=pl.lit(None, pl.Float64))
    return Source(
        make_outline(table, str(path)),
        content.structures,
        label_method=_ANY["label_method"],
        correction_scheme=_ANY["correction_scheme"],
        facts={"file": path.name, "file_hash": content.file_hash},
    )


def rows_of(table: pl.DataFrame) -> Structures:
    """Structures of the rows of a table, by position; our own columns take precedence over ``structure``."""
    has_own = set(OWN_COLUMNS) <= set(table.columns)
    content = table.select(OWN_COLUMNS if has_own else "structure")
    return lambda rows: raw_structures(content[rows["row"].to_list()])


def holds_runs(path: Path) -> bool:
    """Whether a path is a run of VASP, or a folder or zip of runs; a table of energies in it goes before them."""
    if not (path.is_dir() or path.suffix.lower() == ".zip"):
        return is_vasprun(path.name)
    with opened_collection(path, lambda file: is_vasprun(file) or is_energy_table(file)) as collection:
        return bool(collection.files) and not any(map(is_energy_table, collection.files))


def _runs(path: Path, labels: Mapping[str, str]) -> _Content:
    table, crystals, file_hash = read_runs(path, **labels)
    return _Content(table, _by_row(crystals), {}, file_hash)


def _read(path: Path, labels: Mapping[str, str]) -> _Content:
    name = path.name.lower()
    if path.is_dir() or name.endswith(".zip"):
        table, raw, references, file_hash = read_structure_folder(path)
        return _Content(table, _by_row(raw), references, file_hash)
    entries = partial(read_entries, label_method=labels["label_method"], correction_scheme=labels["correction_scheme"])
    readers: dict[str, Callable[[Path], tuple[pl.DataFrame, Any]]] = {
        ".parquet": read_parquet,
        ".jsonl": read_json_lines,
        ".ndjson": read_json_lines,
        ".xyz": read_extended_xyz,
        ".extxyz": read_extended_xyz,
        ".json": entries,
        ".json.gz": entries,
    }
    for suffix, read in readers.items():
        if name.endswith(suffix):
            table, structures = read(path)
            return _Content(table, structures if callable(structures) else _by_row(structures), {}, _file_hash(path))
    raise LodestoneError(
        f"{path} is neither parquet nor JSON lines, nor any other format that is read",
        f"give a file that ends in {', '.join(FORMATS)}, a folder of CIF or POSCAR files with a table energies.csv, or "
        "runs of VASP",
    )


def _by_row(raw: Sequence[Any]) -> Structures:
    return lambda rows: [raw[row] for row in rows["row"]]


def _check_label(table: pl.DataFrame, name: str, stated: str, path: Path) -> None:
    labels = table[name].cast(pl.String).unique().sort().to_list() if name in table.columns else [stated]
    if labels != [stated]:
        raise LodestoneError(
            f"{path}: column {name} holds {', '.join(map(str, labels[:5]))}, but snapshot.{name} is {stated}",
            "energies of different kinds are never mixed: select the rows of one kind, and state it in params.yaml",
        )


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
