"""Lineages as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lodestone.tracking.promotions import describe

UNKNOWN = "not recorded"
_WIDTH = 14


def model_text(lineage: Mapping[str, Any]) -> str:
    """The lineage of a registered ensemble in lines; `--json` has the hashes of every file."""
    model, hull, test = lineage["model"], lineage["hull"], lineage["test_set"]
    known = (
        f"{hull['phases']} phases of {hull['known']} known crystals, sha256 {hull['sha256'][:12]}" if hull else UNKNOWN
    )
    lines = [
        _line("model", f"{model['name']} version {model['version']}, {model['round']}"),
        _line("aliases", ", ".join(model["aliases"]) or "none"),
        _line("campaign", f"{model['digest']}, registered {model['registered']}"),
        _line("labels", model["labels"]),
        _line("code", _code(lineage["code"])),
        _line("dvc.lock", _stages(lineage["stages"])),
        _line("snapshot", _facts(lineage["snapshot"])),
        _line("oracle", _facts(lineage["oracle"])),
        _line("hull", known),
        _line("test set", f"{test['n']} crystals, digest {test['digest']}" if test else UNKNOWN),
        *(_line(name, _round(facts)) for name, facts in lineage["rounds"].items()),
        _line("packages", _facts(lineage["packages"])),
        *(_line("decision", f"{one['time']}  {describe(one)}") for one in lineage["decisions"]),
        *(_line("parameter", f"{key}: {value}") for key, value in lineage["parameters"].items()),
    ]
    return "\n".join(lines)


def crystal_text(lineage: Mapping[str, Any]) -> str:
    """The lineage of a crystal in lines."""
    distances = lineage["hull_distances"]
    lines = [
        _line("crystal", _facts(lineage["crystal"])),
        _line("made from", _facts(lineage["made_from"]) if lineage["made_from"] else "a crystal of the snapshot"),
        *(_line("ancestor", _ancestor(one)) for one in lineage["ancestors"]),
        *(_line("predicted", _facts(one)) for one in lineage["predictions"]),
        *_verification(lineage["verification"]),
        *(_line("above hull", f"{value:+.4f} eV/atom on that of {name}") for name, value in distances.items()),
        _line("snapshot", _facts(lineage["snapshot"])),
        _line("oracle", _facts(lineage["oracle"])),
    ]
    return "\n".join(lines)


def _line(title: str, text: Any) -> str:
    return f"{title:<{_WIDTH}}{text}"


def _code(code: Mapping[str, Any] | None) -> str:
    if not code:
        return UNKNOWN
    changed = ", ".join(code.get("changed", [])) or "files that affect the results differed"
    return f"commit {code['commit']}, {'clean' if code['clean'] else f'not clean: {changed}'}"


def _stages(stages: Mapping[str, Mapping[str, Any]] | None) -> str:
    if not stages:
        return UNKNOWN
    return f"{len(stages)} stages, {sum(len(stage['outs']) for stage in stages.values())} outputs with their hashes"


def _round(facts: Mapping[str, Any]) -> str:
    hull = facts["hull"] or {}
    sizes = {name: one["n"] for name, one in facts["datasets"].items()}
    return _facts({**facts["parameters"], **sizes, **{key: hull[key] for key in ("known", "phases") if key in hull}})


def _ancestor(one: Mapping[str, Any]) -> str:
    made = f", made from {_facts(one['made_from'])}" if one["made_from"] else ""
    return f"{one['material_id']} of {one['origin']}{made}"


def _verification(row: Mapping[str, Any] | None) -> Iterable[str]:
    if row is None:
        yield _line("verified", "never")
        return
    names = ("round", "acquired_by", "status", "formation_energy_per_atom", "energy_above_hull", "same_as")
    verdicts = ("is_stable", "is_discovery", "hull_is_incomplete")
    yield _line("verified", _facts({name: row[name] for name in (*names, *verdicts)}))
    yield _line("on the hull", _facts(row["hull"]))


def _facts(facts: Mapping[str, Any] | None) -> str:
    """Facts on one line; those that are not there are left out."""
    if not facts:
        return UNKNOWN
    return ", ".join(f"{key} {_value(value)}" for key, value in facts.items() if value not in (None, {}, [], ""))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({', '.join(f'{key} {_value(inner)}' for key, inner in value.items())})"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
