"""Where a crystal of a campaign comes from, read from the tables of its rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import Layout, RoundLayout

_STRUCTURE = ("lattice", "atomic_numbers", "frac_coords")
_IDENTITY = ("material_id", "formula_pretty", "chemsys", "spacegroup_number", "prototype")
_ORIGIN = ("origin", "split", "formation_energy_per_atom", "source_formation_energy_per_atom")

Row = dict[str, Any]


def crystal_lineage(layout: Layout, names: list[str], material_id: str) -> dict[str, Any]:
    """Where a crystal comes from, what each round predicted of it, and what its verification gave.

    Args:
        layout: Files of the campaign.
        names: Its rounds, in order.
        material_id: Of a crystal of the snapshot, a candidate, or a discovery.

    Returns:
        ``crystal``, ``made_from`` (generator, parent, substitution), ``ancestors``, ``predictions`` (one for each
        round and kind of structure), ``verification`` with its ``hull``, ``hull_distances`` (eV/atom, by round: on the
        hull known when it began), ``snapshot`` and ``oracle``.

    Raises:
        LodestoneError: If no table of the campaign has the crystal.
    """
    rounds = [layout.round(name) for name in names]
    candidates, verified = _candidates(rounds, material_id), _verification(rounds, material_id)
    known = [(files, row) for files in rounds for row in _rows(files.crystals, pl.col("material_id") == material_id)]
    sources = [*(row for _, row in known[-1:]), *([verified] if verified else []), *(row for _, row in candidates)]
    if not sources:
        problem = f"{material_id} is in no table of the rounds in {layout.rounds}"
        raise LodestoneError(problem, "take a `material_id` of crystals.parquet, candidates.parquet or discoveries")
    origin = _made_from(verified or next((row for _, row in candidates), {}))
    return {
        "crystal": {key: sources[0].get(key) for key in (*_IDENTITY, *_ORIGIN) if key in sources[0]},
        "made_from": origin,
        "ancestors": list(_ancestors(rounds, origin)),
        "predictions": [*_proposed(candidates), *_held_out(rounds, material_id)],
        "verification": _with_hull(layout, verified) if verified else None,
        "hull_distances": {files.name: row["energy_above_hull"] for files, row in known},
        "snapshot": read_json(layout.provenance),
        "oracle": read_json(layout.oracle),
    }


def _candidates(rounds: list[RoundLayout], material_id: str) -> list[tuple[str, Row]]:
    """The candidate in each round that proposed it; in other rounds it has another id, but the same label."""
    by_id = pl.col("material_id") == material_id
    labels = {row["decorated_prototype"] for files in rounds for row in _rows(files.candidates, by_id)}
    same = by_id | pl.col("decorated_prototype").is_in(sorted(labels))
    return [(files.name, row) for files in rounds for row in _rows(files.candidates, same)]


def _verification(rounds: list[RoundLayout], material_id: str) -> Row | None:
    rows = (row for files in rounds for row in _rows(files.verifications, pl.col("material_id") == material_id))
    return next(rows, None)


def _made_from(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if "provenance" not in row:
        return None
    return {"generator": row["generator"], **json.loads(row["provenance"])}


def _ancestors(rounds: list[RoundLayout], origin: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The parent, its parent, and so on, up to a crystal of the snapshot."""
    seen = set()
    while origin and (parent := origin.get("parent")) and parent not in seen:
        seen.add(parent)
        row = _verification(rounds, parent)
        origin = _made_from(row or {})
        yield {"material_id": parent, "origin": row["round"] if row else "snapshot", "made_from": origin}


def _proposed(candidates: list[tuple[str, Row]]) -> Iterator[dict[str, Any]]:
    for name, row in candidates:
        about = {"round": name, "material_id": row["material_id"], "input_structure": "unrelaxed"}
        yield about | {"acquired_by": row["acquired_by"]} | _predicted(row)


def _held_out(rounds: list[RoundLayout], material_id: str) -> Iterator[dict[str, Any]]:
    for files in rounds:
        for row in _rows(files.predictions, pl.col("material_id") == material_id):
            about = {"round": files.name, "material_id": material_id, "input_structure": row["input_structure"]}
            yield about | {"split": row["split"]} | _predicted(row)


def _predicted(row: Row) -> Row:
    energy = "formation_energy_per_atom_"
    others = ("energy_above_hull_pred", "stability_probability", "out_of_distribution")
    return {key: value for key, value in row.items() if key.startswith(energy) or key in others}


def _with_hull(layout: Layout, row: Row) -> dict[str, Any]:
    """The verification without its structure, and the hull that it was measured on."""
    crystals = read_table(layout.round(row["round"]).crystals)
    within = pl.col("chemsys").str.split("-").list.set_difference(row["chemsys"].split("-")).list.len() == 0
    phases = crystals.filter(within, pl.col("energy_above_hull") <= 0)
    hull = {
        "known_when": f"the start of {row['round']}",
        "known_crystals": len(crystals),
        "phases_of_system": dict(phases.select("material_id", "formula_pretty").sort("material_id").iter_rows()),
        "phases_without_structures": len(_rows(layout.phases, within)),
        "n_competing_phases": row["n_competing_phases"],
        "decomposition": row["decomposition"],
    }
    return {key: value for key, value in row.items() if key not in _STRUCTURE} | {"hull": hull}


def _rows(path: Any, which: pl.Expr) -> list[Row]:
    """Rows of a table; none where a round has not got that far."""
    return list(read_table(path).filter(which).iter_rows(named=True)) if path.is_file() else []
