"""All judges on all finds: who agrees, who disputes, and how far apart those of one functional are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.handover.campaign import Finished
from lodestone.opinions.contests import NEAR, Contest, contests
from lodestone.opinions.judges import Judge
from lodestone.opinions.verdicts import Verdict, verdict
from lodestone.oracles.base import Label
from lodestone.report.discoveries import ON_HULL

LabelBy = Callable[[Judge, Sequence[Crystal]], list[Label]]
Labels = Mapping[str, Label]
_WHO = ("model", "random")


def opinions(
    campaign: Finished, judges: Sequence[Judge], label: LabelBy, near: float = NEAR, *, few: bool = False
) -> dict[str, Any]:
    """Have every judge label the finds and what they compete with, and ask it which finds are stable.

    Args:
        campaign: A finished campaign, with the discoveries to be judged.
        judges: Whose opinions; each has a hull of its own.
        label: Labels crystals by one of them.
        near: Compounds further above the campaign's own hull are left out, eV/atom.
        few: Whether only what a find decomposes into, and its elements, compete.

    Returns:
        The content of ``opinions.json``.
    """
    held = list(contests(campaign, near, few=few))
    crystals = _crystals(campaign, held)
    labels = {judge.name: dict(zip(crystals, label(judge, list(crystals.values())), strict=True)) for judge in judges}
    rows = [_row(campaign.method, contest, judges, labels) for contest in held]
    return {
        "campaign": campaign.method,
        "near": near,
        "few": few,
        "n_finds": len(rows),
        "n_crystals": len(crystals),
        "oracles": {judge.name: judge.facts() | {"refused": _refused(labels[judge.name])} for judge in judges},
        **summary(rows, judges),
        "finds": rows,
    }


def summary(rows: Sequence[Mapping[str, Any]], judges: Sequence[Judge]) -> dict[str, Any]:
    """Proportions of the finds with Wilson intervals, and the spread within each functional.

    Args:
        rows: As in ``finds`` of ``opinions.json``.
        judges: Whose opinions.
    """
    whole = [row for row in rows if row["n_verdicts"] == 1 + len(judges)]
    functionals = sorted({judge.functional for judge in judges})
    return {
        "all_agree": _agreed(whole),
        "all_agree_by": {who: _agreed([row for row in whole if row["acquired_by"] == who]) for who in _WHO},
        "n_without_all_verdicts": len(rows) - len(whole),
        "survive": {
            judge.name: _share([row["opinions"][judge.name]["says_stable"] for row in rows]) for judge in judges
        },
        "functionals": {
            name: _functional([row["functionals"][name] for row in rows])
            | {"oracles": [judge.name for judge in judges if judge.functional == name]}
            for name in functionals
        },
    }


def _crystals(campaign: Finished, held: Sequence[Contest]) -> dict[str, Crystal]:
    """Each crystal once, however many finds it competes with, as the campaign's oracle left it."""
    names = {name for contest in held for name in [*contest.phases["material_id"], contest.find["material_id"]]}
    table = campaign.known.filter(pl.col("material_id").is_in(list(names))).sort("material_id")
    return dict(zip(table["material_id"], decode(table), strict=True))


def _row(own: str, contest: Contest, judges: Sequence[Judge], labels: Mapping[str, Labels]) -> dict[str, Any]:
    verdicts = {judge.name: verdict(contest, labels[judge.name]) for judge in judges}
    first = {"energy_above_hull": contest.distance, "says_stable": contest.distance <= ON_HULL}
    said = {name: one["says_stable"] for name, one in {own: first, **verdicts}.items()}
    given = [word for word in said.values() if word is not None]
    kept = ("material_id", "formula_pretty", "chemsys", "round", "acquired_by", "energy_above_hull_start")
    return {name: contest.find[name] for name in kept} | {
        "campaign": first,
        "opinions": verdicts,
        "functionals": _by_functional(judges, verdicts),
        "agree": sum(given),
        "n_verdicts": len(given),
        "disputed_by": [name for name, word in said.items() if word is False],
    }


def _by_functional(judges: Sequence[Judge], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Median and spread of the distances that judges of one functional give."""
    result = {}
    for functional in sorted({judge.functional for judge in judges}):
        every = [verdicts[judge.name]["energy_above_hull"] for judge in judges if judge.functional == functional]
        given = [distance for distance in every if distance is not None]
        result[functional] = {
            "n": len(given),
            "median": median(given) if given else None,
            "spread": max(given) - min(given) if len(given) > 1 else None,
        }
    return result


def _functional(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all finds: how many survive by the median, and the median spread where at least two judges spoke."""
    medians = [part["median"] for part in parts if part["median"] is not None]
    spreads = [part["spread"] for part in parts if part["spread"] is not None]
    return {
        "survive_by_median": wilson_proportion(sum(value <= ON_HULL for value in medians), len(medians)),
        "median_spread": median(spreads) if spreads else None,
        "n_spread": len(spreads),
    }


def _agreed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return wilson_proportion(sum(not row["disputed_by"] for row in rows), len(rows))


def _share(words: Sequence[bool | None]) -> dict[str, Any]:
    given = [word for word in words if word is not None]
    return wilson_proportion(sum(given), len(given))


def _refused(labels: Labels) -> dict[str, int]:
    return dict(sorted(Counter(x.status.split(":")[0] for x in labels.values() if not x.ok).items()))
