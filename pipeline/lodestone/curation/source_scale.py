"""Keep a snapshot on its own scale: the energies it came with are learned, and the hull is made of them.

Energies of another method, or under other corrections, must not meet them on that hull (decisions 2 and 16), so the
oracle that will verify the candidates has to give the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lodestone.curation.labelling import LabelledSnapshot, on_one_hull
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Oracle
from lodestone.schemas import Rejections
from lodestone.stability.references import elemental_references

STATED = "stated"  # in place of the crystal that a reference is the energy of


def keep_labels(snapshot: pl.DataFrame, oracle: Oracle, provenance: Mapping[str, Any]) -> LabelledSnapshot:
    """Put a validated snapshot on one hull by the total energies that it came with.

    Args:
        snapshot: Contract :class:`lodestone.schemas.Validated`.
        oracle: Who will verify the candidates.
        provenance: Of the snapshot; where its source computed ``elemental_references``, they serve the elements that
            the snapshot has no crystal of, and those that the parameters state go before its crystals.

    Raises:
        LodestoneError: If the oracle's energies are of another kind, a crystal has no total energy, or an element no
            reference.
    """
    refuse_other_kind(snapshot, oracle)
    silent = snapshot.filter(pl.col("energy_per_atom").is_null())
    if len(silent):
        raise LodestoneError(
            f"label.scale is source, but {len(silent)} of {len(snapshot)} crystals have no energy_per_atom "
            f"(the first: {silent['material_id'][0]})",
            "give the total energy of every crystal; formation energies alone say nothing about the energies of "
            "candidates. Or set label.scale: oracle",
        )
    references = source_references(snapshot, provenance.get("elemental_references") or {})
    crystals = on_one_hull(snapshot, references)
    metrics = {
        "n_in": len(snapshot),
        "n_labelled": len(crystals),
        "n_element_crystals_added": 0,
        "rejected": {},
        "n_elements": len(references),
        "n_stable": int((crystals["energy_above_hull"] == 0).sum()),
        "oracle_vs_source": None,
    }
    return LabelledSnapshot(crystals, references, Rejections.empty(), metrics)


def refuse_other_kind(snapshot: pl.DataFrame, oracle: Oracle) -> None:
    """Refuse an oracle whose energies are of another method or scheme than those of the snapshot.

    Raises:
        LodestoneError: Names both.
    """
    method, scheme = snapshot.select("label_method", "correction_scheme").row(0)
    if oracle.name != method or oracle.correction_scheme not in (None, scheme):
        of_oracle = oracle.name + (f" ({oracle.correction_scheme})" if oracle.correction_scheme else "")
        raise LodestoneError(
            f"label.scale is source, but the oracle gives {of_oracle} and the snapshot {method} ({scheme}); without "
            "corrections between the two they must not meet on one hull",
            "set oracle.name: external with the label_method and correction_scheme of the snapshot to verify with the "
            "same method, or label.scale: oracle to label the whole snapshot by the oracle",
        )


def source_references(snapshot: pl.DataFrame, known: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """Elemental references of a snapshot on its own scale.

    Args:
        snapshot: Crystals with total energies.
        known: By element, ``energy_per_atom`` and ``material_id`` of references that the snapshot stage computed from
            all rows of its file; no ``material_id`` where the parameters state the energy.

    Returns:
        A table of the contract :class:`lodestone.schemas.References`: what is stated, else the lowest crystal of the
        snapshot, else the lowest of the file.
    """
    lowest = {element: (energy, name) for element, energy, name in elemental_references(snapshot).iter_rows()}
    of_file = {
        element: (reference["energy_per_atom"], reference["material_id"]) for element, reference in known.items()
    }
    stated = {element: (energy, STATED) for element, (energy, name) in of_file.items() if name is None}
    elements = set(snapshot["chemsys"].str.split("-").explode().unique())
    chosen = {element: reference for element, reference in (of_file | lowest | stated).items() if element in elements}
    rows = [(element, *chosen[element]) for element in sorted(chosen)]
    schema = {"element": pl.String, "energy_per_atom": pl.Float64, "material_id": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
