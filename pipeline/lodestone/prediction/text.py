"""Predictions as text for a terminal, a few crystals in full and many as a table, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lodestone.prediction.answers import Answers

IN_FULL = 5  # crystals; more become a table
_WIDEST = 28  # characters of a column
_REASONS = {
    "element": "an element that no training crystal has",
    "pair": "two elements that no training crystal has together",
    "system": "no training crystal of its chemical system",
    "latent": "a structure unlike all training crystals",
}


def as_text(answers: Answers) -> str:
    """All predictions, what could not be predicted, and which model and hull were used."""
    rows = answers.table.to_dicts()
    lines = [*_in_full(rows)] if len(rows) <= IN_FULL else [*_as_table(rows), ""]
    lines += [f"not predicted: {one.name}: {one.reason}" for one in answers.unread]
    return "\n".join([*lines, *(_sources(answers) if rows else ())])


def as_json(answers: Answers) -> str:
    """The same as JSON."""
    model, phases = answers.model, answers.phases
    hull = None if phases is None else {"name": phases.name, "n_phases": len(phases.table), **asdict(phases.scale)}
    content = {
        "model": {"name": model.name, **asdict(model.scale)},
        "hull": hull,
        "same_scale": None if phases is None else model.scale.agrees_with(phases.scale),
        "predictions": answers.table.to_dicts(),
        "not_predicted": [asdict(one) for one in answers.unread],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _in_full(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        size = f", {row['nsites']} atoms, as {row['input_structure']}" if row["nsites"] else ", the formula alone"
        name = "" if row["material_id"] == row["formula_pretty"] else f"  {row['material_id']}"
        yield f"{row['formula_pretty']}{name}{size}"
        yield from (f"  {title:<22}{text}" for title, text in _facts(row))
        yield ""


def _facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    energy = "formation_energy_per_atom"
    yield "formation energy", f"{row[f'{energy}_pred']:+.3f} eV/atom  {_interval(row, energy)}"
    if row["energy_above_hull_pred"] is not None:
        yield (
            "energy above hull",
            f"{row['energy_above_hull_pred']:+.3f} eV/atom  {_interval(row, 'energy_above_hull')}",
        )
        yield "P(stable)", f"{row['stability_probability']:.2f}"
        yield "hull there", _decomposition(row)
        yield "known", _known(row)
    if row.get("oracle_energy_per_atom") is not None:
        distance = row["oracle_energy_above_hull"]
        above = "" if distance is None else f", {distance:+.3f} above the hull"
        yield "oracle, relaxed", f"{row['oracle_energy_per_atom']:+.3f} eV/atom in total{above}"
    reasons = [_REASONS.get(name, name) for name in (row["out_of_distribution"] or "").split(",") if name]
    if reasons:
        yield "out of distribution", "; ".join(reasons)


def _interval(row: Mapping[str, Any], name: str) -> str:
    return f"[{row[f'{name}_lower']:+.3f}, {row[f'{name}_upper']:+.3f}]"


def _decomposition(row: Mapping[str, Any]) -> str:
    if row["decomposition"].startswith(f"{row['formula_pretty']} ("):
        return f"{row['decomposition']}, which is stable"
    few = "" if row["n_competing_compounds"] else "; no compound of these elements is known to this hull"
    return f"{row['decomposition']} ({row['reaction_energy_per_atom']:+.3f} eV/atom to these){few}"


def _known(row: Mapping[str, Any]) -> str:
    if row["known_as"] is None:
        return f"no: {row['known_status']}"
    height = row["known_energy_above_hull"]
    at = "" if height is None else f", {height:.3f} eV/atom above the hull"
    says = {"known": "yes, as", "new structure": "formula yes, structure no; lowest is", "known formula": "formula, as"}
    return f"{says.get(row['known_status'], row['known_status'])} {row['known_as']}{at}"


def _as_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    with_hull = any(row["energy_above_hull_pred"] is not None for row in rows)
    cells = [[title for title, _ in _columns({}, with_hull=with_hull)]]
    cells += [[text for _, text in _columns(row, with_hull=with_hull)] for row in rows]
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(f"{_cut(text):<{width}}" for text, width in zip(line, widths, strict=True)).rstrip()


def _columns(row: Mapping[str, Any], *, with_hull: bool) -> Iterator[tuple[str, str]]:
    energy = "formation_energy_per_atom"
    yield "crystal", str(row.get("material_id"))
    yield "formula", str(row.get("formula_pretty"))
    yield "E_form, eV/atom", f"{row[f'{energy}_pred']:+.3f} {_interval(row, energy)}" if row else ""
    if with_hull:
        distance = "energy_above_hull"
        yield "above hull, eV/atom", f"{row[f'{distance}_pred']:+.3f} {_interval(row, distance)}" if row else ""
        yield "P(stable)", f"{row['stability_probability']:.2f}" if row else ""
        yield "known", (row["known_as"] if row["known_status"] == "known" else row["known_status"]) if row else ""
    yield "out of distribution", row.get("out_of_distribution") or ""


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _sources(answers: Answers) -> Iterator[str]:
    model, phases = answers.model, answers.phases
    yield f"model: {model.name}, energies of {model.scale}; brackets hold calibrated 90 % intervals"
    if phases is None:
        yield "hull: none, so nothing is said of stability; --hull FILE, materials_project or optimade names one"
        return
    yield f"hull: {phases.name}, {len(phases.table):,} phases of these elements, energies of {phases.scale}"
    if not model.scale.agrees_with(phases.scale):
        yield "CAUTION: model and hull are on different scales; no interval covers that difference"
