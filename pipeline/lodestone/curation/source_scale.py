"""Keep a snapshot on its own scale: the energies it came with are learned, and the hull is made of them.

Energies of another method, or under other corrections, must not meet them on that hull (decisions 2 and 17), so the
oracle that will verify the candidates has to give the same kind, or the difference is learned (decision 20).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.config.sections import LabelParams
from lodestone.corrections.schemes import scheme
from lodestone.crystals.encoding import decode
from lodestone.curation.difference import Difference
from lodestone.curation.labelling import ElementCrystals, LabelledSnapshot, on_one_hull
from lodestone.curation.learned_difference import MOST_SITES, drawn, learned
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Labeller, Oracle
from lodestone.schemas import Phases, Rejections
from lodestone.stability.references import elemental_references

_SYMBOL = re.compile("[A-Z][a-z]?")
STATED = "stated"  # in place of the crystal that a reference is the energy of


def keep_labels(
    snapshot: pl.DataFrame,
    oracle: Oracle,
    provenance: Mapping[str, Any],
    *,
    params: LabelParams = LabelParams(scale="source"),  # noqa: B008 (frozen)
    label: Labeller | None = None,
    label_as_is: Labeller | None = None,
    element_crystals: ElementCrystals | None = None,
) -> LabelledSnapshot:
    """Put a validated snapshot on one hull by the energies that it came with.

    Args:
        snapshot: Contract :class:`lodestone.schemas.Validated`.
        oracle: Who will verify the candidates.
        provenance: Of the snapshot; where its source computed ``elemental_references``, they serve the elements that
            the snapshot has no crystal of, and those that the parameters state go before its crystals.
        params: Section ``label``.
        label: Labels crystals, to learn what the oracle's energies differ by; not needed for ``difference: none``.
        label_as_is: Labels crystals of the snapshot without relaxing them again; ``label`` where it is not given.
        element_crystals: Crystals of pure elements by identifier, likewise.

    Raises:
        LodestoneError: If the oracle's energies are of another kind and nothing brings them to this one, a crystal has
            no energy, or an element no reference.
    """
    if params.difference == "none":
        refuse_other_kind(snapshot, oracle)
    known, references = _with_references(snapshot, provenance, formation_will_do=params.difference != "none")
    phases = read_phases(params.phases, known) if params.phases else Phases.empty()
    crystals = on_one_hull(known, references, phases)
    difference = Difference()
    if params.difference != "none" and label is not None and element_crystals is not None:
        difference = _learned(
            known,
            oracle,
            params,
            references=references,
            labellers=(label, label_as_is or label),
            element_crystals=element_crystals,
        )
    metrics = {"n_in": len(snapshot)} | _metrics(crystals, references, phases, difference)
    return LabelledSnapshot(crystals, references, Rejections.empty(), metrics, phases, difference)


def read_phases(path: Path, known: pl.DataFrame) -> pl.DataFrame:
    """Competing phases of a table that are no crystals of the snapshot, the lowest of each formula.

    Args:
        path: Parquet file with ``formula_pretty`` or ``formula``, ``formation_energy_per_atom``, and ``material_id``.
        known: Crystals of the snapshot; phases that bear their names, and those with other elements, are left out.

    Raises:
        LodestoneError: If the file cannot be read, or lacks a column.
    """
    from lodestone.tables.files import read_table

    table = read_table(path)
    table = table.rename({"formula": "formula_pretty"}) if "formula_pretty" not in table.columns else table
    if lacking := {"formula_pretty", "formation_energy_per_atom", "material_id"} - set(table.columns):
        raise LodestoneError(
            f"label.phases: {path} has no column {min(lacking)}", "docs/campaigns.md lists the columns"
        )
    elements = set(known["chemsys"].str.split("-").explode())
    lowest = (
        table.drop_nulls(["formula_pretty", "formation_energy_per_atom"])
        .filter(~pl.col("material_id").is_in(known["material_id"].implode()).fill_null(value=False))
        .sort("formation_energy_per_atom", "formula_pretty", "material_id")
        .unique("formula_pretty", keep="first", maintain_order=True)
    )
    systems = [sorted(set(_SYMBOL.findall(formula))) for formula in lowest["formula_pretty"]]
    named = lowest.select(
        pl.format("phase-{}", "formula_pretty").alias("material_id"),
        "formula_pretty",
        pl.Series("chemsys", ["-".join(system) for system in systems], dtype=pl.String),
        "formation_energy_per_atom",
    )
    return named.filter(pl.Series([set(system) <= elements for system in systems], dtype=pl.Boolean)).sort(
        "material_id"
    )


def _metrics(
    crystals: pl.DataFrame, references: pl.DataFrame, phases: pl.DataFrame, difference: Difference
) -> dict[str, Any]:
    """As of a snapshot that an oracle labels; nothing is rejected or compared, and no element is added."""
    learned_from = {"difference": difference.as_dict()} if difference.kind != "none" else {}
    return {
        "n_labelled": len(crystals),
        "n_element_crystals_added": 0,
        "rejected": {},
        "n_elements": len(references),
        "n_phases": len(phases),
        "n_stable": int((crystals["energy_above_hull"] == 0).sum()),
        "oracle_vs_source": None,
    } | learned_from


def _with_references(
    snapshot: pl.DataFrame, provenance: Mapping[str, Any], *, formation_will_do: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The snapshot with an energy for every crystal, and its references: 0 where there are formation energies only."""
    total, formation = pl.col("energy_per_atom"), pl.col("formation_energy_per_atom")
    if formation_will_do and snapshot["energy_per_atom"].null_count() == len(snapshot):
        known = snapshot.with_columns(formation.alias("energy_per_atom"))
        elements = sorted(snapshot["chemsys"].str.split("-").explode().unique())
        references = pl.DataFrame({"element": elements}).with_columns(
            pl.lit(0.0).alias("energy_per_atom"), pl.lit(STATED).alias("material_id")
        )
    else:
        known = snapshot
        references = source_references(snapshot, provenance.get("elemental_references") or {})
    silent = known.filter(total.is_null())
    if len(silent):
        raise LodestoneError(
            f"label.scale is source, but {len(silent)} of {len(snapshot)} crystals have no energy_per_atom "
            f"(the first: {silent['material_id'][0]})",
            "give the total energy of every crystal; formation energies alone say nothing about the energies of "
            "candidates, unless label.difference says what they differ by. Or set label.scale: oracle",
        )
    return known, references


def _learned(
    known: pl.DataFrame,
    oracle: Oracle,
    params: LabelParams,
    *,
    references: pl.DataFrame,
    labellers: tuple[Labeller, Labeller],
    element_crystals: ElementCrystals,
) -> Difference:
    schemes = None if params.difference == "learned" else _schemes(known, oracle)
    sample = drawn(known, params.difference_crystals)
    energies = dict(references.select("element", "energy_per_atom").iter_rows())
    labels = labellers[1](decode(sample))
    of_oracle = lowest_elements(known, *labellers, element_crystals)
    if missing := sorted(set(energies) - set(of_oracle)):
        raise LodestoneError(
            f"the oracle labels no crystal of the pure elements {', '.join(missing)}",
            "leave them out by snapshot.filters.elements",
        )
    rows = list(zip(sample["formula_pretty"], sample["energy_per_atom"], labels, strict=True))
    gaps = {element: energy - of_oracle[element] for element, energy in energies.items()}
    return learned(params.difference, rows, gaps, schemes)


def _schemes(known: pl.DataFrame, oracle: Oracle) -> tuple[str, str]:
    """Correction schemes of the oracle and of the snapshot, both of which must have rules."""
    own = oracle.included_corrections
    if own is None:
        raise LodestoneError(
            f"label.difference asks for corrections, but those in the energies of {oracle.name} are not known",
            "set label.difference: learned",
        )
    return scheme(own).name, scheme(known["correction_scheme"][0]).name


def lowest_elements(
    known: pl.DataFrame, label: Labeller, label_as_is: Labeller, element_crystals: ElementCrystals
) -> dict[str, float]:
    """Energy by the oracle of each element, eV/atom: of the snapshot's lowest crystal, else of the usual ones."""
    elements = known.filter(~pl.col("chemsys").str.contains("-", literal=True) & (pl.col("nsites") <= MOST_SITES))
    lowest = elements.sort("energy_per_atom", "material_id").unique("chemsys", keep="first", maintain_order=True)
    energies = _of_elements(label_as_is(decode(lowest)))
    others = sorted(set(known["chemsys"].str.split("-").explode().unique()) - set(energies))
    return energies | _of_elements(label(list(element_crystals(others).values()))) if others else energies


def _of_elements(labels: Sequence[Label]) -> dict[str, float]:
    """The lowest energy of each element, eV/atom."""
    energies: dict[str, float] = {}
    for one in labels:
        if one.crystal is not None and one.energy_per_atom is not None:
            symbol = one.crystal.species[0]
            energies[symbol] = min(one.energy_per_atom, energies.get(symbol, one.energy_per_atom))
    return energies


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
            "same method; label.difference to learn what the two differ by; or label.scale: oracle to label the whole "
            "snapshot by the oracle",
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
